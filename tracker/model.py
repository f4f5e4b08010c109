"""The values of the domain. All frozen; times are epoch milliseconds UTC.

The values that pass by the thousand each second are named tuples: a frozen dataclass costs
six times as much to make.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from hashlib import blake2b
from typing import Any, NamedTuple

import orjson

from tracker.versions import Spell


class Kind(StrEnum):
    """What sort of thing was observed."""

    FIX = "fix"
    READ = "read"
    SENSOR = "sensor"
    STATUS = "status"
    PRESENCE = "presence"
    FACT = "fact"
    OTHER = "other"


class Fix(NamedTuple):
    """A position. `lat`, `lon` in degrees WGS 84, `acc` in metres, `speed` in m/s,
    `heading` in degrees from north; `extra` holds what the device sent besides."""

    lat: float
    lon: float
    acc: float | None = None
    speed: float | None = None
    heading: float | None = None
    extra: Mapping[str, Any] | None = None


class Read(NamedTuple):
    """An RFID tag seen by a reader. `tag` is a tag id (see `tracker.epc`), `rssi` in dBm,
    `count` how often the tag answered within this event."""

    tag: str
    antenna: int | None = None
    rssi: float | None = None
    count: int | None = None  # type: ignore[assignment]  # shadows tuple.count, never used
    extra: Mapping[str, Any] | None = None


class Values(NamedTuple):
    """Named values of a sensor, a status, or of keys that Retour does not know yet.

    Known sensors: `battery` 0-1, `temperature` degrees Celsius, `shock` g."""

    values: Mapping[str, Any]


class Presence(NamedTuple):
    """A device's connection: number `conn` of its boot came up (`online`) or broke."""

    online: bool
    conn: int


class Fact(NamedTuple):
    """What a person or a business system knows of an asset: that something (`kind`) happened to
    it, which leads to a `stage` where the kind leaves that open. `id` is the fact's own, `by`
    who said so."""

    asset: str
    kind: str
    stage: str | None = None
    id: str | None = None
    by: str | None = None
    note: str | None = None


What = Fix | Read | Values | Presence | Fact
_SHAPES: dict[Kind, type[Fix | Read | Values | Presence | Fact]] = {
    Kind.FIX: Fix,
    Kind.READ: Read,
    Kind.SENSOR: Values,
    Kind.STATUS: Values,
    Kind.PRESENCE: Presence,
    Kind.FACT: Fact,
    Kind.OTHER: Values,
}


def body_of(what: What) -> bytes:
    """The canonical JSON of an observed value: what the log stores and the digest covers.

    >>> body_of(Fix(50.1, 4.2, 7.5))
    b'{"acc":7.5,"lat":50.1,"lon":4.2}'
    """
    # Tried in the order of how often they come: this stands in the hot path.
    fields = what.values if isinstance(what, Values) else _present(what)
    return orjson.dumps(fields, option=orjson.OPT_SORT_KEYS)


def _present(what: Fix | Read | Presence | Fact) -> dict[str, Any]:
    return {
        name: value for name, value in zip(what._fields, what, strict=True) if value is not None
    }


def what_of(kind: Kind, body: bytes | str) -> What:
    """The observed value behind its canonical JSON: the inverse of `body_of`.

    >>> what_of(Kind.FIX, b'{"acc":7.5,"lat":50.1,"lon":4.2}')
    Fix(lat=50.1, lon=4.2, acc=7.5, speed=None, heading=None, extra=None)
    """
    fields = orjson.loads(body)
    shape = _SHAPES[kind]
    return Values(fields) if shape is Values else shape(**fields)


class Observation(NamedTuple):
    """One row of the observation log: what a device saw, and when.

    `subject` is what was seen: the tag of a read, otherwise the device itself; bindings lead
    from it to an asset. `stamp` is the device's own time stamp, `at` the event time corrected
    for a clock that runs ahead, `sent` and `received` when the message left and came in.
    `event` is its place in the message; `key` identifies it for ever, `digest` its content.
    """

    key: bytes
    digest: bytes
    kind: Kind
    subject: str
    device: str
    boot: str | None
    seq: int | None
    event: int
    stamp: int
    at: int
    sent: int | None
    received: int
    body: bytes
    what: What


DEVICE_ID_RULE = (
    "1 to 128 characters, no control characters, none of / + #, "
    "not beginning with tag:, urn: or fact:"
)
ASSET_ID_RULE = "1 to 256 characters, no control characters and no /"
_DEVICE_ID = re.compile(r"(?!tag:|urn:|fact:)[^\x00-\x1f\x7f/+#]{1,128}")
_ASSET_ID = re.compile(r"[^\x00-\x1f\x7f/]{1,256}")


def is_device_id(text: str) -> bool:
    """Whether a text can name a device or a boot: it fits into a topic, and cannot be taken
    for a tag.

    >>> is_device_id("trk-1"), is_device_id("a/b"), is_device_id("tag:E280")
    (True, False, False)
    """
    return _DEVICE_ID.fullmatch(text) is not None


def is_asset_id(text: str) -> bool:
    """Whether a text can name an asset: it fits into a path.

    >>> is_asset_id("urn:epc:id:grai:0614141.12345.5678"), is_asset_id("a/b")
    (True, False)
    """
    return _ASSET_ID.fullmatch(text) is not None


def fact_subject(asset: str) -> str:
    """The subject of what is known of an asset by itself, without a device's telling."""
    return f"fact:{asset}"


def event_key(natural: str) -> bytes:
    """The key of an event: BLAKE2b-128 of format, natural key, index and kind, joined by the
    control character U+001F, which none of them may hold.

    >>> event_key("native\\x1ftrk-1\\x1f9f3a01c2\\x1f1041\\x1f0\\x1ffix").hex()
    '85746aa6d69c9942f8cc9f40838ded5f'
    """
    return blake2b(natural.encode(), digest_size=16).digest()


def content_digest(stamp: int, body: bytes) -> bytes:
    """What tells two events with one key apart: their stamp and content, never when sent."""
    return blake2b(b"%d\x1f%b" % (stamp, body), digest_size=16).digest()


class Reject(NamedTuple):
    """An event of a message that could not be read: its place in the message, why not, and
    the JSON array that holds it."""

    event: int
    reason: str
    detail: str
    content: bytes


class Message(NamedTuple):
    """A decoded message: the observations it carries, and the events of it that are none.

    `boot` and `seq` are None in formats without receipts; `first` is the oldest sequence
    number that the device still holds. `topic` and `payload` are kept for dead letters.
    """

    device: str
    boot: str | None
    seq: int | None
    first: int | None
    sent: int | None
    received: int
    observations: list[Observation]
    rejects: list[Reject]
    topic: str
    payload: bytes


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """Something received that cannot be stored, kept whole (up to a size) with its reason."""

    key: bytes
    received: int
    topic: str
    device: str | None
    boot: str | None
    seq: int | None
    event: int | None
    reason: str
    detail: str
    payload: bytes
    size: int


@dataclass(frozen=True, slots=True)
class Quarantined:
    """An observation that is held back, with its reason, until a person decides."""

    observation: Observation
    reason: str
    detail: str


@dataclass(frozen=True, slots=True)
class Device:
    """A registered device. `recording` marks a replayed recording (its stamps may be of any
    age), `first_received` is when its first message ever came in. Its profile: how often it
    reports at rest and while moving (seconds; None: not stated), and what it runs on.
    `version` counts its changes."""

    id: str
    kind: str
    recording: bool = False
    first_received: int | None = None
    name: str = ""
    rest_interval_s: float | None = None
    moving_interval_s: float | None = None
    power: str | None = None
    version: int = 1

    @property
    def silent_after_ms(self) -> int | None:
        """After how long without a word it counts as silent: three times its longest stated
        interval. None: it states none."""
        stated = [s for s in (self.rest_interval_s, self.moving_interval_s) if s is not None]
        return round(3_000 * max(stated)) if stated else None


Label = str | int | float | bool
"""The value of an attribute that people give to an asset."""


@dataclass(frozen=True, slots=True)
class Asset:
    """A reusable thing on its way there and back, of a class like `pallet`. `home` is the site
    where it belongs, `initial_stage` where in the flow it was when it was registered,
    `external_ids` what other systems call it, by system. `version` counts its changes."""

    id: str
    class_: str = "asset"
    name: str = ""
    home: str | None = None
    initial_stage: str | None = None
    attributes: Mapping[str, Label] = field(default_factory=dict)
    external_ids: Mapping[str, str] = field(default_factory=dict)
    version: int = 1


@dataclass(frozen=True, slots=True)
class Binding:
    """From `since` up to but not at `until` (None: open), `subject` (a tag id or a device)
    tells about `asset`."""

    asset: str
    subject: str
    since: int | None = None
    until: int | None = None

    def holds_at(self, at: int) -> bool:
        """Whether this binding holds at an event time.

        >>> Binding("A1", "trk-1", since=10, until=20).holds_at(20)
        False
        """
        return Spell(self.since, self.until, None).holds_at(at)

    def overlaps(self, since: int | None, until: int | None) -> bool:
        """Whether this binding and a period share a moment."""
        return Spell(self.since, self.until, None).overlaps(since, until)

    def covers(self, since: int | None, until: int | None) -> bool:
        """Whether this binding holds for all of a period."""
        begins = self.since is None or (since is not None and self.since <= since)
        return begins and (self.until is None or (until is not None and until <= self.until))
