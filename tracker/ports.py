"""What the domain needs of the outside: small protocols, implemented in `tracker/stores/`."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import NamedTuple, Protocol

from tracker.access import ApiKey
from tracker.fold import Belief, Entry
from tracker.model import (
    Asset,
    Binding,
    DeadLetter,
    Device,
    Observation,
    Quarantined,
    ReaderPlace,
)
from tracker.receipts import Progress


class StoreUnavailable(Exception):
    """The store cannot take or answer anything just now; the same call may succeed later."""


class StoreRefused(Exception):
    """The store cannot be used at all: the text says why and what to do."""


Boot = tuple[str, str]
"""A device and one of its boots."""


class Outbound(NamedTuple):
    """A message waiting in the outbox to be published."""

    id: int
    topic: str
    payload: bytes


class Writer(Protocol):
    """One transaction that writes. All or nothing: an exception undoes everything."""

    def devices(self, ids: Iterable[str]) -> Mapping[str, Device]:
        """The registered ones among `ids`."""

    def places(self) -> Mapping[str, ReaderPlace]:
        """Where the fixed readers stand."""

    def bindings(self, subjects: Iterable[str]) -> Mapping[str, Sequence[Binding]]:
        """All bindings of each subject; subjects without any may be absent."""

    def append(self, rows: Sequence[Observation]) -> set[bytes]:
        """Append to the log what it does not hold yet; the keys of the rows that were new."""

    def digests(self, keys: Iterable[bytes]) -> dict[bytes, bytes]:
        """The content digests of logged events, by key."""

    def remove(self, keys: Iterable[bytes]) -> None:
        """Take rows back that this transaction appended."""

    def progress(self, boots: Iterable[Boot]) -> dict[Boot, Progress]:
        """The receipt progress of each (device, boot), locked until the transaction ends."""

    def save_progress(
        self, progress: Mapping[Boot, Progress], received: Mapping[Boot, int]
    ) -> None:
        """Store progress, and when each boot was last heard: never earlier than before."""

    def beliefs(self, assets: Iterable[str]) -> dict[str, Belief]:
        """The stored beliefs, locked until the transaction ends."""

    def save_beliefs(self, beliefs: Sequence[Belief]) -> None: ...

    def drop_belief(self, asset: str) -> None: ...

    def history(self, asset: str) -> Iterator[Observation]:
        """Everything logged of an asset by its bindings, in (event time, key) order."""

    def journal(self, entries: Sequence[Entry]) -> None: ...

    def last_entry(self, asset: str) -> int | None:
        """The number of an asset's newest journal line."""

    def dead_letter(self, letters: Sequence[DeadLetter]) -> None:
        """Keep what cannot be stored; once per key."""

    def quarantine(self, held: Sequence[Quarantined]) -> None:
        """Hold observations back; once per key."""

    def quarantined(self, device: str, reason: str) -> int:
        """How many observations of a device are held back for a reason."""

    def held(self, observations: Sequence[Observation]) -> dict[bytes, bytes]:
        """The digests, by key, of those that stand in quarantine."""

    def release(self, keys: Iterable[bytes]) -> None:
        """Take observations out of quarantine, for they have been stored."""

    def quarantine_of(self, device: str, reason: str) -> list[Observation]:
        """What is held back of a device for a reason, in the order in which it came."""

    def first_heard(self, device: str, received: int) -> None:
        """Note a device's first reception, unless there was one."""

    def add_device(self, device: Device) -> None: ...

    def add_asset(self, asset: Asset) -> None: ...

    def add_binding(self, binding: Binding) -> None: ...

    def asset(self, id: str) -> Asset | None: ...

    def enqueue(self, topic: str, payload: bytes) -> None:
        """Put a message into the outbox."""

    def outbox(self, limit: int) -> list[Outbound]:
        """The oldest waiting messages."""

    def sent(self, ids: Iterable[int]) -> None:
        """Take messages out of the outbox."""

    def add_key(self, key: ApiKey) -> None: ...

    def revoke_key(self, id: str, at: int) -> bool:
        """Revoke an API key; False where there is none that is in force."""


class DeviceStatus(NamedTuple):
    """A device and when it was last heard; `boots` are its receipt positions, newest first."""

    device: Device
    last_received: int | None
    boots: list[tuple[str, Progress]]


class Position(NamedTuple):
    """Where a page of a listing ended: its order's columns."""

    at: int
    key: str


class Reader(Protocol):
    """One transaction that only reads."""

    def asset(self, id: str) -> Asset | None: ...

    def assets(self, after: str, limit: int) -> list[Asset]: ...

    def belief(self, asset: str) -> Belief | None: ...

    def beliefs(self) -> Iterator[Belief]:
        """Every stored belief."""

    def bound_assets(self) -> list[str]:
        """Every asset that has a binding."""

    def logged(self, key: bytes) -> Observation | None:
        """The observation of an event key."""

    def history(
        self,
        asset: str,
        since: int | None = None,
        until: int | None = None,
        after: Position | None = None,
        limit: int | None = None,
    ) -> Iterator[Observation]:
        """What is logged of an asset, in (event time, key) order: from `since` up to but not
        at `until`, after a position."""

    def bindings_of(self, asset: str) -> list[Binding]: ...

    def device(self, id: str) -> DeviceStatus | None: ...

    def devices(self, after: str, limit: int) -> list[DeviceStatus]: ...

    def places(self) -> Mapping[str, ReaderPlace]:
        """Where the fixed readers stand."""

    def dead_letters(self, before: int | None, limit: int) -> list[tuple[int, DeadLetter]]:
        """The newest ones, with their numbers, older than number `before`."""

    def quarantine(self, before: int | None, limit: int) -> list[tuple[int, Quarantined]]:
        """The newest ones, with their numbers, older than number `before`."""

    def api_key(self, digest: bytes) -> ApiKey | None: ...

    def api_keys(self) -> list[ApiKey]: ...

    def newest_reception(self) -> int | None:
        """When the last message came in."""

    def counts(self) -> Mapping[str, int]:
        """How many rows `log`, `dead_letters`, `quarantine` and `outbox` hold."""

    def duplicates(self) -> int:
        """How many observations are logged under a natural key that another one has."""

    def progress(self) -> Iterator[tuple[Boot, Progress]]:
        """The receipt progress of every boot of every device."""

    def kept(self) -> Iterator[tuple[Boot, Iterator[int]]]:
        """Every boot with the numbers of it, in ascending order, of which something is logged,
        quarantined or dead-lettered. Take a boot's numbers before the next boot."""

    def messages(self, boots: Collection[str]) -> int:
        """How many messages of these boots, of whatever device, have something in the log."""

    def broken_links(self) -> int:
        """How many journal lines supersede a line that is not an earlier one of their asset."""


class Store(Protocol):
    """A database. Both context managers raise StoreUnavailable where it cannot be reached."""

    def writing(self) -> AbstractContextManager[Writer]: ...

    def reading(self) -> AbstractContextManager[Reader]: ...
