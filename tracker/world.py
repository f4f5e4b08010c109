"""A world as a file describes it: places, devices, assets, partners and leases.

`read_world` takes YAML and gives either a `World`, in which every reference leads somewhere, or
all that is wrong with it, by line. `write_world` writes the same file back. The format is in
`docs/world.md`.
"""

from __future__ import annotations

from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass
from typing import Annotated, Any, Generic, Literal, TypeVar, get_args

from pydantic import (
    AfterValidator,
    ConfigDict,
    Field,
    PrivateAttr,
    TypeAdapter,
    ValidationError,
    model_validator,
)

from tracker.epc import tag_id
from tracker.lease_terms import Lease, Partner
from tracker.places import DeviceId, Name, PlaceId, Reader, Seconds, Site, Value, Zone
from tracker.worldchecks import TIMED, Finding, Sound, contradictions
from tracker.worldfile import BadWorld, Fault, Map, Names, Seq, dump, locate, parse, wording
from tracker.worldvalues import AssetId, Attribute, ExternalId, Moment, Word, epc_of

__all__ = ["BadWorld", "Fault", "Known", "World", "read_world", "write_world"]

V = TypeVar("V")


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

    epc: Annotated[str, AfterValidator(epc_of)]

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
