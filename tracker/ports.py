"""What the domain needs of the outside: small protocols, implemented in `tracker/stores/`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Protocol

from tracker.asset_ports import AssetReader, AssetWriter
from tracker.delivery_ports import DeliveryReader, DeliveryWriter
from tracker.lease_ports import AlertReader, AlertWriter, LeaseReader, LeaseWriter
from tracker.life_ports import LifeReader, LifeWriter
from tracker.log_ports import LogReader, LogWriter
from tracker.model import Binding, Observation
from tracker.setup_ports import SetupReader, SetupWriter
from tracker.telemetry import Sums, Value
from tracker.whereabouts import Moment


class StoreUnavailable(Exception):
    """The store cannot take or answer anything just now; the same call may succeed later."""


class StoreContended(StoreUnavailable):
    """Another transaction was in the way; the same call may succeed at once."""


class StoreRefused(Exception):
    """The store cannot be used at all: the text says why and what to do."""


class SeriesUnavailable(Exception):
    """The time-series store cannot be used just now; not before `retry_after_s`, where it says."""

    def __init__(self, text: str, retry_after_s: float = 0, *, is_passing: bool = True) -> None:
        super().__init__(text)
        self.retry_after_s = retry_after_s
        self.is_passing = is_passing  # else somebody has to change something


class LinesRefused(Exception):
    """The time-series store will never take some of the lines it was given; of the others it
    may have taken any."""


class Reader(
    LogReader,
    AssetReader,
    SetupReader,
    LeaseReader,
    AlertReader,
    DeliveryReader,
    LifeReader,
    Protocol,
):
    """One transaction that only reads."""


class Writer(
    Reader,
    LogWriter,
    AssetWriter,
    SetupWriter,
    LeaseWriter,
    AlertWriter,
    DeliveryWriter,
    LifeWriter,
    Protocol,
):
    """One transaction that writes, and sees what it has written. All or nothing: an exception
    undoes everything. What it reads of devices, bindings and beliefs is locked; events and
    progress are of their devices, which must be read first."""


class Store(Protocol):
    """A database. Both context managers raise StoreUnavailable where it cannot be reached."""

    def writing(self) -> AbstractContextManager[Writer]:
        """A transaction that may change anything."""

    def recording(self) -> AbstractContextManager[Writer]:
        """A transaction that changes no devices, bindings, sites, zones or readers: where the
        database allows it, several run at once."""

    def reading(self) -> AbstractContextManager[Reader]: ...


class Series(Protocol):
    """A time-series store, told of what is logged. Its points have no event keys: what orders
    those of one millisecond stands in the place of a key. `now` (epoch ms) tells what it keeps.
    All may raise SeriesUnavailable."""

    def check(self) -> None:
        """Raise StoreRefused where it can never be used as it is, saying why."""

    def write(self, lines: Sequence[bytes]) -> None:
        """Take lines of points. Raises LinesRefused where some can never be taken."""

    def oldest(self, now: int) -> int | None:
        """The event time before which it keeps coarser points alone; None: it keeps all."""

    def coarsen(self, since: int, until: int, series: str | None) -> None:
        """Make the coarser points of whole hours (epoch ms) again, of one series or of all."""

    def history(
        self,
        bindings: Sequence[Binding],
        now: int,
        since: int | None = None,
        until: int | None = None,
        after: Moment | None = None,
        every: int | None = None,
    ) -> Iterator[Observation]:
        """The fixes and reads by which bindings tell about an asset, in order: from `since` up to
        but not at `until`, after a moment; of a device's fixes the last of each window of
        `every` milliseconds will do."""

    def values(
        self,
        bindings: Sequence[Binding],
        name: str,
        now: int,
        since: int | None = None,
        until: int | None = None,
        after: Moment | None = None,
    ) -> Iterator[Value]:
        """What their devices measured by a name, in order."""

    def sums(
        self,
        bindings: Sequence[Binding],
        name: str,
        every: int,
        now: int,
        since: int | None,
        until: int | None,
        limit: int,
    ) -> list[Sums]:
        """What their numbers come to in windows of `every` milliseconds, the first so many."""

    def counts(self, day: int) -> Mapping[str, int]:
        """How many points it has of an epoch day, by series (see `tracker.points.series_of`)."""
