"""What the domain keeps of what people set up: devices, bindings, places, rules, keys, and when
readers were down. Implemented in `tracker/stores/`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple, Protocol

from tracker.access import ApiKey
from tracker.audit import Change
from tracker.inference import Inference, Setting
from tracker.layout import Layout, PlaceValue
from tracker.model import Binding, Device
from tracker.outages import Outages
from tracker.process import Process
from tracker.receipts import Progress
from tracker.rules import Rules
from tracker.versions import Spell, Version


class Vital(NamedTuple):
    """What a device last reported of itself, like its battery, as text, at an event time."""

    value: str
    at: int


class DeviceStatus(NamedTuple):
    """A device, when it was last heard and what it reported of itself; `boots` are its receipt
    positions, newest first."""

    device: Device
    last_received: int | None
    boots: list[tuple[str, Progress]]
    vitals: Mapping[str, Vital]


class SetupReader(Protocol):
    """What is read of what is set up."""

    def outages(self, as_of: int | None = None) -> Outages:
        """When readers were down, as is known, or was recorded by `as_of`."""

    def suspects(self) -> dict[str, int]:
        """The readers whose outages are to be looked at again, from which event time on."""

    def will_from(self, device: str, at: int) -> int | None:
        """The first time from `at` on at which a device was said to have gone."""

    def sign_before(self, device: str, at: int) -> int | None:
        """The last time up to and at `at` of which a device has told anything."""

    def back_after(self, device: str, at: int) -> int | None:
        """The first time after `at` at which a device said that it is there, or of which it told
        something at once."""

    def signs(self, device: str, after: int, before: int | None) -> list[int]:
        """The times between two of which a device has told anything, in order."""

    def every_binding(self) -> Iterator[Binding]:
        """All bindings as they hold now, by subject and time."""

    def bindings_of(self, asset: str, as_of: int | None = None) -> list[Binding]:
        """The bindings to an asset, as they hold now, or as was recorded by `as_of`."""

    def versions(self, kind: str, id: str | None = None) -> list[Version[PlaceValue]]:
        """The history of sites, zones or readers: of all of a kind, or of one."""

    def binding_versions(self, subject: str) -> list[Version[str]]:
        """The history of what a tag or device tells about."""

    def layout(self, as_of: int | None = None) -> Layout:
        """Sites, zones and readers, as recorded by now or by `as_of`."""

    def inference(self, as_of: int | None = None) -> Inference:
        """The layout and the processes, as recorded by now or by `as_of`."""

    def rules(self) -> Rules:
        """The rules by which alerts are raised: the user's, else those that are shipped."""

    def rules_revision(self) -> int:
        """The revision of the user's rules; 0: there are none."""

    def settings(self, assets: Iterable[str], as_of: int | None = None) -> dict[str, Setting]:
        """In what the observations of some registered assets are folded; bindings, places and
        processes as recorded by now or by `as_of`."""

    def device(self, id: str) -> DeviceStatus | None: ...

    def device_list(self, after: str, limit: int) -> list[DeviceStatus]: ...

    def changes(
        self, before: int | None, limit: int, kind: str | None = None, subject: str | None = None
    ) -> list[tuple[int, Change]]:
        """The newest lines of the audit log, with their numbers, older than number `before`."""

    def api_key(self, digest: bytes) -> ApiKey | None: ...

    def api_keys(self) -> list[ApiKey]: ...

    def bound_at(self, subject: str, at: int) -> list[str]:
        """The assets that a subject told about at an event time."""


class SetupWriter(SetupReader, Protocol):
    """What is written of what is set up."""

    def devices(self, ids: Iterable[str]) -> Mapping[str, Device]:
        """The registered ones among `ids`."""

    def bindings(self, subjects: Iterable[str]) -> Mapping[str, Sequence[Binding]]:
        """All bindings of each subject, as they hold; subjects without any may be absent."""

    def note_vitals(self, rows: Sequence[tuple[str, str, str, int, bytes]]) -> None:
        """Keep what devices report of themselves: device, name, value, event time and key; the
        newest stays."""

    def suspect(self, devices: Mapping[str, int]) -> None:
        """Note that outages of readers are to be looked at again, each from an event time on; the
        earliest holds."""

    def cleared(self, devices: Iterable[str]) -> None:
        """They have been looked at."""

    def set_outages(
        self, device: str, since: int | None, spells: Sequence[Spell[bool]], recorded: int
    ) -> None:
        """From `since` on (None: always) a reader was away in these spells and no others."""

    def first_heard(self, received: Mapping[str, int]) -> None:
        """Note the first reception of devices, of each unless there was one."""

    def put_device(self, device: Device) -> None:
        """Add or change a device; its first reception stays."""

    def put_devices(self, devices: Sequence[Device]) -> None:
        """The same for many at once."""

    def add_binding(
        self, subject: str, asset: str | None, since: int | None, until: int | None, recorded: int
    ) -> None:
        """A new version: in that period, a subject tells about an asset, or (None) about none."""

    def add_bindings(self, versions: Sequence[Version[str]]) -> None:
        """The same for many at once; their revisions are given anew."""

    def add_place(self, version: Version[PlaceValue]) -> int:
        """A new version of a site, zone or reader; its revision, whatever the given one is."""

    def put_process(self, process: Process, recorded: int) -> int:
        """A new version of a process; its revision."""

    def put_rules(self, rules: Rules, recorded: int) -> int:
        """A new version of the user's rules; its revision."""

    def audit(self, changes: Sequence[Change]) -> None: ...

    def add_key(self, key: ApiKey) -> None: ...

    def revoke_key(self, id: str, at: int) -> bool:
        """Revoke an API key; False where there is none that is in force."""
