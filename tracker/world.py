"""A world as a file describes it: places, devices, assets, partners and leases.

`read_world` takes YAML and gives either a `World`, in which every reference leads somewhere, or
all that is wrong with it, by line. `write_world` writes the same file back. The format is in
`docs/world.md`.
"""

from __future__ import annotations

from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from math import isfinite
from typing import Annotated, Any, Generic, Literal, TypeVar, get_args

from pydantic import (
    AfterValidator,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    PrivateAttr,
    TypeAdapter,
    ValidationError,
    model_validator,
)

from tracker.epc import tag_id
from tracker.model import ASSET_ID_RULE, is_asset_id
from tracker.places import (
    DeviceId,
    Name,
    PlaceId,
    Reader,
    Seconds,
    Site,
    Value,
    Zone,
    storable,
    time_zone,
)
from tracker.worldchecks import TIMED, Finding, Sound, contradictions
from tracker.worldfile import (
    DIGITS_AT_MOST,
    BadWorld,
    Fault,
    Map,
    Names,
    Plain,
    Seq,
    dump,
    locate,
    parse,
    wording,
)

__all__ = ["BadWorld", "Fault", "Known", "World", "read_world", "write_world"]

V = TypeVar("V")
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
LAST_MS = 253_402_300_799_999  # the end of the year 9999
TIME_RULE = "write a time with its offset, like 2026-01-05T08:00:00+01:00, or a date"


def _moment(value: Any) -> Any:
    """Epoch milliseconds from what a file says; a date means midnight UTC."""
    if not isinstance(value, str):
        return value
    try:
        is_date = len(value) == len("2026-01-05")
        at = datetime.fromisoformat(f"{value}T00:00:00Z" if is_date else value)
    except ValueError:
        raise ValueError(f"{value!r:.60} is no time: {TIME_RULE}") from None
    if at.tzinfo is None:
        raise ValueError(f"{value!r:.60} has no offset from UTC: {TIME_RULE}")
    if at < EPOCH:
        raise ValueError(f"{value!r:.60} lies before 1970; for always leave it out")
    return (at - EPOCH) // timedelta(milliseconds=1)


def _as_written(at: int | None) -> date | str | None:
    if at is None:
        return None
    moment = EPOCH + timedelta(milliseconds=at)
    if at % 86_400_000 == 0:
        return moment.date()
    return moment.isoformat(timespec="milliseconds" if at % 1_000 else "seconds")


def _day(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    try:
        return date.fromisoformat(value)
    except ValueError:
        raise ValueError(f"{value!r:.60} is no date: write it like 2026-01-05") from None


def _attribute(value: Any) -> Any:
    if isinstance(value, Plain):
        value = value.value()
    if isinstance(value, str):
        if len(value) > 1_024:
            raise ValueError("a text of an attribute has at most 1,024 characters")
        storable(value)
    elif not isinstance(value, int | float):
        raise ValueError("an attribute is a text, a number, true or false")
    elif abs(value) >= 10**DIGITS_AT_MOST if isinstance(value, int) else not isfinite(value):
        raise ValueError(f"{value!s:.40} is no number that everyone reads alike: make it a text")
    return value


def _epc(epc: str) -> str:
    tag_id(epc)
    if not epc.startswith(("urn:", "tag:")) and len(epc) % 2:
        raise ValueError(
            f"{epc!r:.60} has {len(epc)} digits: a tag number has two for each byte, so one "
            "of them is missing or too many"
        )
    return epc


def _asset_id(id: str) -> str:
    if not is_asset_id(id):
        raise ValueError(f"{id!r:.60} is no asset id: {ASSET_ID_RULE}")
    return id


Moment = Annotated[
    Annotated[int, Field(ge=0, le=LAST_MS)],
    BeforeValidator(_moment),
    PlainSerializer(_as_written),
]
Day = Annotated[date, BeforeValidator(_day)]
AssetId = Annotated[str, AfterValidator(_asset_id)]
Word = Annotated[str, Field(min_length=1, max_length=64), AfterValidator(storable)]
Attribute = Annotated[str | int | float | bool, BeforeValidator(_attribute)]
ExternalId = Annotated[str, Field(min_length=1, max_length=256), AfterValidator(storable)]


class Interval(Value):
    """From `since` up to but not at `until`, epoch ms; None: from always on, for ever."""

    since: Moment | None = None
    until: Moment | None = None

    @model_validator(mode="after")
    def _begins_before_it_ends(self) -> Interval:
        if self.since is not None and self.until is not None and self.since >= self.until:
            raise ValueError("`since` is not before `until`")
        return self


class Timed(Interval, Generic[V]):
    """A value that holds for a time. In the file its own keys stand beside `since`, `until`."""

    value: V


class TagBinding(Interval):
    """A tag on an asset, by its hexadecimal number or its URN."""

    epc: Annotated[str, AfterValidator(_epc)]

    @property
    def subject(self) -> str:
        """The tag's id."""
        return tag_id(self.epc)


class TrackerBinding(Interval):
    """A tracker on an asset."""

    device: DeviceId

    @property
    def subject(self) -> str:
        """The tracker's device id."""
        return self.device


class Tracker(Value):
    """A tracker, and how often it reports, in seconds; None: not known."""

    device: DeviceId
    rest_interval_s: Seconds | None = None
    moving_interval_s: Seconds | None = None
    power: Word | None = None


class AssetEntry(Value):
    """An asset and what tells about it; `kind` is its `class` in the file."""

    model_config = ConfigDict(populate_by_name=True)

    id: AssetId
    kind: Word = Field(validation_alias="class", serialization_alias="class")
    name: Name = ""
    home: PlaceId | None = None
    initial_stage: Word | None = None
    attributes: dict[Word, Attribute] = Field(default={})
    external_ids: dict[Word, ExternalId] = Field(default={})
    tags: list[TagBinding] = Field(default=[])
    trackers: list[TrackerBinding] = Field(default=[])


class Partner(Value):
    """Who has assets for a time, or works on them, and at which sites."""

    id: PlaceId
    name: Name = ""
    kind: Word = "other"
    sites: list[PlaceId] = Field(default=[])


class LeaseLine(Value):
    """One asset of a lease, from the day `start` (`from` in the file) to the day `due`."""

    model_config = ConfigDict(populate_by_name=True)

    asset: AssetId
    start: Day = Field(validation_alias="from", serialization_alias="from")
    due: Day

    @model_validator(mode="after")
    def _is_due_after_it_starts(self) -> LeaseLine:
        if self.start > self.due:
            raise ValueError(f"`from` {self.start} lies after `due` {self.due}")
        return self


class Lease(Value):
    """What a partner has on lease, where, and until when. Its days are those of `timezone`."""

    id: PlaceId
    customer: PlaceId
    site: PlaceId
    timezone: Annotated[str, AfterValidator(time_zone)] | None = None
    lines: Annotated[list[LeaseLine], Field(min_length=1)]


class World(Value):
    """All that a world file says, in its order. Equal to another if they say the same."""

    retour: Literal[1] = 1
    sites: list[Timed[Site]] = Field(default=[])
    zones: list[Timed[Zone]] = Field(default=[])
    readers: list[Timed[Reader]] = Field(default=[])
    trackers: list[Tracker] = Field(default=[])
    assets: list[AssetEntry] = Field(default=[])
    partners: list[Partner] = Field(default=[])
    leases: list[Lease] = Field(default=[])
    _tree: Map | None = PrivateAttr(None)

    def fault(self, detail: str, *path: str | int) -> Fault:
        """A fault of this world that only others can find, with its line in the file that the
        world was read from (else 0).

        >>> world = read_world("sites:\\n  - id: depot\\n")
        >>> str(world.fault("has history already", "sites", 0))
        'line 2: sites[0]: has history already'
        """
        return Fault(*(locate(self._tree, path) if self._tree else (0, "")), detail)

    def line_of(self, *path: str | int) -> int:
        """The line of a part, like `("assets", 3, "tags", 0)`; 0 for a world from no file."""
        return self.fault("", *path).line

    def __eq__(self, other: object) -> bool:
        return isinstance(other, World) and dict(self) == dict(other)

    __hash__ = None  # type: ignore[assignment]  # its lists have none


@dataclass(frozen=True, slots=True)
class Known:
    """The ids that a file may refer to without holding them."""

    sites: frozenset[str] = frozenset()
    zones: frozenset[str] = frozenset()
    assets: frozenset[str] = frozenset()
    partners: frozenset[str] = frozenset()


NOTHING = Known()
FAULTS_AT_MOST = 1_000  # nobody mends more at once, and to tell a million takes a gigabyte
LIST_WANTED = "a list is wanted here: its items begin with `- `"
_SECTIONS = Names(World.model_fields)
_INTERVAL = ("since", "until")
_ITEMS: dict[str, Any] = {
    section: get_args(field.annotation)[0]
    for section, field in World.model_fields.items()
    if section != "retour"
}


def read_world(content: str | bytes, known: Known = NOTHING) -> World:
    """The world that a file describes; it may refer to what is `known` besides.

    Raises BadWorld, with every fault of the file, or the first thousand.

    >>> read_world("sites: [{id: depot, since: 2026-01-05}]").sites[0].since
    1767571200000
    >>> read_world("sites: [{id: depot}]\\nzones:\\n  - {id: z1, site: deport}")
    Traceback (most recent call last):
        ...
    tracker.worldfile.BadWorld: line 3: zones[0].site: there is no site 'deport' (did you mean...
    """
    tree, faults = parse(content)
    items = _Items(tree)
    wrong = {path for path, _ in items.findings}  # a name that none can have leads nowhere too
    all_read = len(items.findings) < FAULTS_AT_MOST
    others = contradictions(tree, items.sound, _names(tree, known)) if all_read else []
    findings = [*items.findings, *(one for one in others if one[0] not in wrong)]
    found = [Fault(*locate(tree, path), detail) for path, detail in findings]
    if faults or found:
        told = {fault[:2] for fault in faults}  # what YAML cannot mean is wrong in other ways too
        raise BadWorld(faults + [fault for fault in found if fault[:2] not in told])
    world = World.model_validate({name: [*found.values()] for name, found in items.sound.items()})
    world._tree = tree
    return world


def write_world(world: World) -> str:
    """The file that says what a world says, without what need not be said.

    >>> print(write_world(read_world("sites: [{id: depot, since: 2026-01-05, name: ''}]")), end="")
    retour: 1
    sites:
    - {id: depot, since: 2026-01-05}
    """
    data = world.model_dump(by_alias=True, exclude_defaults=True)
    for section in TIMED:
        for item in data.get(section, ()):
            interval = {key: item.pop(key) for key in ("since", "until") if key in item}
            item.update(item.pop("value"), **interval)
    return f"retour: {world.retour}\n" + (dump(data) if data else "")


class _Items:
    """The items of a file by section and place, and what is wrong with them by themselves. Of
    those with faults `sound` has what is left without the keys at fault, where that makes sense:
    others may contradict it all the same."""

    def __init__(self, tree: Map) -> None:
        self.findings: list[Finding] = []
        self.sound: Sound = {section: {} for section in _ITEMS}
        if tree.get("retour", "1") != "1":
            self.findings.append((("retour",), "this Retour reads format 1: write `retour: 1`"))
        for section, items in tree.items():
            if section not in World.model_fields:
                self.findings.append(((section,), f"unknown key{_SECTIONS.hint(section)}"))
            elif section != "retour" and not isinstance(items, Seq):
                self.findings.append(((section,), LIST_WANTED))
            elif section != "retour" and len(self.findings) < FAULTS_AT_MOST:
                self._read(section, items)

    def _read(self, section: str, items: Seq) -> None:
        adapter = TypeAdapter[Any](_ITEMS[section])

        def validated(item: Any) -> Any:
            given = _nested(item) if section in TIMED else item
            return adapter.validate_python(given, by_alias=True, by_name=False)

        for n, item in enumerate(items):
            if len(self.findings) >= FAULTS_AT_MOST:
                self.findings.append(((section, n), "from here on nothing was looked at"))
                break
            try:
                self.sound[section][n] = validated(item)
            except ValidationError as error:
                faults = _faults(error, section, item)
                self.findings += [((section, n, *path), detail) for path, detail in faults]
                at_fault = {path[0] for path, _ in faults if path}
                if at_fault and at_fault.isdisjoint(_INTERVAL):
                    with suppress(ValidationError):
                        self.sound[section][n] = validated(_without(item, at_fault))


def _faults(error: ValidationError, section: str, item: Any) -> list[Finding]:
    """What is wrong with an item, by the path in it."""
    nested = section in TIMED  # the keys in the file are those of the `value`
    return [
        (
            one["loc"][1:] if nested and one["loc"][:1] == ("value",) else one["loc"],
            wording(one, _KEYS[section]),
        )
        for one in error.errors(include_url=False)
        if one["loc"][:3] != ("value", "geofence", _other_fence(item))
    ]


def _without(item: Map, keys: Collection[str | int]) -> Map:
    rest = Map(item.line)
    rest.update((key, value) for key, value in item.items() if key not in keys)
    return rest


def _nested(item: Any) -> Any:
    """An item as a `Timed` has it: its own keys apart from its interval."""
    if not isinstance(item, Map):
        return item
    interval = {key: item[key] for key in _INTERVAL if key in item}
    return interval | {"value": {key: item[key] for key in item if key not in _INTERVAL}}


def _other_fence(item: Any) -> str:
    """The kind of fence that an item does not mean: that it is none is no fault."""
    fence = item.get("geofence") if isinstance(item, Map) else None
    return "Circle" if isinstance(fence, Map) and {"polygon", "holes"} & set(fence) else "Polygon"


def _names(tree: Map, known: Known) -> dict[str, Names]:
    """What may be referred to. That includes items with faults: what refers to them has none."""
    return {
        section: Names(getattr(known, section) | _ids(tree.get(section)))
        for section in Known.__slots__
    }


def _ids(items: Any) -> frozenset[str]:
    if not isinstance(items, Seq):
        return frozenset()
    ids = (item.get("id") for item in items if isinstance(item, Map))
    return frozenset(id for id in ids if isinstance(id, str))


def _keys_of(item: Any) -> Names:
    """All keys that an item has, at any depth."""
    schema = TypeAdapter(item).json_schema()
    parts = [schema, *schema.get("$defs", {}).values()]
    return Names(key for part in parts for key in part.get("properties", ()) if key != "value")


_KEYS = {section: _keys_of(item) for section, item in _ITEMS.items()}
