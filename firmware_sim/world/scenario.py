"""A scenario file as values. What it leaves out is in `defaults.yaml`, which shows every key.

    depots: [{id: depot, at: [4.48, 51.92]}]
    scatter: {customers: 6}

is a whole scenario. Positions are longitude first.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, date, datetime
from difflib import get_close_matches
from functools import cache
from importlib.resources import files
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

At = Literal["depot", "customer", "outward", "use", "homeward", "gone"]
Where = Literal["depot", "dock", "customer", "hub", "partner", "road", "elsewhere", "dark"]
FactKind = Literal[
    "dispatched",
    "lease_started",
    "lease_ended",
    "return_requested",
    "return_cancelled",
    "collected",
    "received",
    "inspected",
    "work_started",
    "work_done",
    "retired",
    "reported_lost",
    "found",
]
WHOLE = {"next", "initial", "dwell"}  # mappings that a scenario replaces as a whole
SUM_WITHIN = 1e-6


class BadScenario(ValueError):
    """A scenario that makes no sense: `faults` tells each in a line, with the path to it."""

    def __init__(self, faults: Iterable[str]) -> None:
        self.faults = tuple(faults)
        super().__init__("; ".join(self.faults))


def _moment(value: Any) -> Any:
    """A time from what YAML made of it: a date is midnight, and without an offset it is UTC."""
    if isinstance(value, date) and not isinstance(value, datetime):
        return datetime(value.year, value.month, value.day, tzinfo=UTC)
    if isinstance(value, datetime) and value.tzinfo is None:
        return value.replace(tzinfo=UTC)
    return value


Share = Annotated[float, Field(ge=0, le=1)]
Above0 = Annotated[float, Field(gt=0, le=1e7)]
From0 = Annotated[float, Field(ge=0, le=1e7)]
Below1 = Annotated[float, Field(ge=0, lt=1)]
Id = Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{1,64}$")]
LonLat = tuple[Annotated[float, Field(ge=-180, le=180)], Annotated[float, Field(ge=-85, le=85)]]


class Value(BaseModel):
    """A part of a scenario: it never changes, and has no key that is not named here."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Zone(Value):
    """A zone of a depot, by the stage of what lies in it, and the reader that watches it."""

    stage: str
    adjacent: list[str] = []
    reader: Literal["cycle", "portal", "none"] = "cycle"


class Place(Value):
    """Somewhere that assets are, a circle."""

    id: Id
    at: LonLat
    name: str = ""
    radius_m: Above0 | None = None
    timezone: str | None = None


class Depot(Place):
    """A depot; without `zones` it has those of the scenario."""

    zones: list[Zone] | None = None


class Partner(Place):
    """Where the work of a stage is done, for depots that have no zone for it."""

    stage: str


class Scatter(Value):
    """Customers and hubs that stand anywhere between two distances from a depot (km)."""

    customers: Annotated[int, Field(ge=0, le=1_000)]
    hubs: Annotated[int, Field(ge=0, le=100)]
    from_km: Above0
    within_km: Above0


class Assets(Value):
    """What there is of assets, and how they begin."""

    count: Annotated[int, Field(ge=1, le=100_000)]
    class_: Annotated[str, Field(alias="class", min_length=1, max_length=64)]
    id: Id
    tags: bool
    trackers: bool
    tracker_id: Id
    initial: dict[str, Share]
    initial_told: bool
    home_share: Share


class Leases(Value):
    """What share of uses is on a lease, and how many days longer than planned it runs."""

    share: Share
    slack_days: From0


class Trackers(Value):
    """How often trackers report (seconds), and whether the world file says so."""

    rest_interval_s: Above0
    moving_interval_s: Above0
    stated: bool


class Readers(Value):
    """How readers take inventory: seconds from one to the next, share of the tags that one
    misses, probability of a read astray, whether the world file says so, zones of each."""

    cycle_s: Above0
    miss: Share
    stray: Share
    stated: bool
    zones_each: Annotated[int, Field(ge=1, le=16)]


class Dwell(Value):
    """How long a stage lasts varies: gamma by its shape, or lognormal by its sigma."""

    gamma: Annotated[float, Field(ge=1, le=1_000)] | None = None
    lognormal: Annotated[float, Field(gt=0, le=3)] | None = None


class Stage(Value):
    """A stage: where the asset is meanwhile, how long (hours), and what comes next."""

    at: At
    mean_h: Above0
    next: dict[str, Share]
    dwell: Dwell | None = None


class Ways(Value):
    """The parts of stages, hours and kilometres."""

    dock_h: Above0
    away_every_h: Above0
    away_h: Above0
    away_km: Above0
    via_hub: Share
    hub_h: Above0
    elsewhere: Share
    elsewhere_h: Above0


class Gps(Value):
    """What trackers report: how likely a fix and motion are, and how wrong it is."""

    fix: dict[Where, Share]
    moving: dict[Literal["road", "dock", "other"], Share]
    error_m: From0
    error_lasts_h: Above0
    outliers: Share
    outlier_m: From0
    down_share: Below1
    down_mean_h: Above0


class Reads(Value):
    """Reads of one sort: signal strength (mean, deviation; dBm), mean number of answers."""

    rssi: tuple[float, Annotated[float, Field(ge=0)]]
    count: Annotated[float, Field(ge=1, le=100)]


class Rfid(Value):
    """What reads look like, and how often readers fail."""

    own: Reads
    stray: Reads
    down_share: Below1
    down_mean_h: Above0
    presence: Share


class Mishaps(Value):
    """What goes wrong on the way from a device to the gateway, and what nobody registered."""

    offline_share: Below1
    offline_mean_h: Above0
    offline_at_most_h: Above0
    duplicates: Share
    reordered: Share
    skew_s: Annotated[float, Field(ge=0, le=240)]
    drift_ppm: Annotated[float, Field(ge=0, le=100)]
    strangers: Annotated[int, Field(ge=0, le=100)]
    foreign_tags: Annotated[int, Field(ge=0, le=10_000)]
    rebound: Share


class Facts(Value):
    """What is written down of what happens, how late, and how wrong in time."""

    late_share: Share
    late_at_most_h: Above0
    error_min: From0
    told: dict[FactKind, Share]
    reported_lost_after_h: Above0


class Wear(Value):
    """How assets wear, which nobody is told: after how many trips 63 % of those that are never
    knocked have failed, the shape of that, how often they are knocked per trip on the average, by
    how much each such knock shortens their lives (of the logarithm), and which share of the wear
    the work of a stage takes away."""

    cycles: Above0
    shape: Annotated[float, Field(ge=0.5, le=20)] = 2.0
    knocks_per_trip: Annotated[float, Field(ge=0, le=100)] = 0.0
    per_knock: Annotated[float, Field(ge=0, le=5)] = 0.0
    restores: dict[str, Share] = {"repair": 0.5, "refurbish": 0.7, "remanufacture": 1.0}


class Scenario(Value):
    """A world to simulate, in the shape of `defaults.yaml`."""

    name: str
    purpose: Literal["tuning", "reporting", "other"]
    seed: Annotated[int, Field(ge=0, le=2**53)]
    start: Annotated[datetime, BeforeValidator(_moment)]
    days: Annotated[float, Field(gt=0, le=3_660)]
    assets: Assets
    leases: Leases
    trackers: Trackers
    readers: Readers
    depots: Annotated[list[Depot], Field(min_length=1)]
    customers: list[Place]
    hubs: list[Place]
    partners: list[Partner]
    scatter: Scatter
    radius_m: Above0
    speed_m_s: Above0
    zones: list[Zone]
    dwell: Dwell
    stages: dict[str, Stage]
    ways: Ways
    gps: Gps
    rfid: Rfid
    mishaps: Mishaps
    facts: Facts
    wear: Wear | None = None

    @property
    def start_ms(self) -> int:
        """Its first moment, epoch ms."""
        return round(self.start.timestamp() * 1_000)

    @property
    def end_ms(self) -> int:
        """The moment after its last, epoch ms."""
        return self.start_ms + round(self.days * 86_400_000)

    def with_(self, **parts: Any) -> Scenario:
        """The same with other parts; None leaves one as it is."""
        return self.model_copy(update={k: v for k, v in parts.items() if v is not None})


@cache
def _defaults() -> Mapping[str, Any]:
    text = (files("firmware_sim.world") / "defaults.yaml").read_text("utf-8")
    return dict(yaml.safe_load(text))


def read_scenario(content: str | bytes, name: str = "scenario") -> Scenario:
    """The scenario that a file describes; `name` is what it is called if it does not say.
    Raises BadScenario with all that is wrong.

    >>> scenario = read_scenario("depots: [{id: d, at: [4, 52]}]\\nscatter: {customers: 3}")
    >>> scenario.days, scenario.stages["inspection"].mean_h
    (75.0, 4.0)
    >>> read_scenario("depot: []")
    Traceback (most recent call last):
        ...
    firmware_sim.world.scenario.BadScenario: depot: unknown key (did you mean 'depots'?)
    """
    try:
        given = yaml.safe_load(content)
    except yaml.YAMLError as error:
        raise BadScenario([_in_one_line(error)]) from None
    if not isinstance(given, dict):
        raise BadScenario(["a scenario is a mapping: `depots:`, `scatter:`, ..."])
    unknown = [key for key in given if key not in Scenario.model_fields]
    if unknown:
        raise BadScenario(_unknown(key, Scenario.model_fields) for key in unknown)
    whole = {"name": name, **_joined(_defaults(), given)}
    try:
        scenario = Scenario.model_validate(whole)
    except ValidationError as error:
        raise BadScenario(_faults(error)) from None
    if faults := [*_contradictions(scenario)]:
        raise BadScenario(faults)
    return scenario


def shipped() -> dict[str, str]:
    """The text of every shipped scenario, by its name."""
    folder = files("firmware_sim") / "scenarios"
    found = [one for one in folder.iterdir() if one.name.endswith(".yaml")]
    return {
        one.name.removesuffix(".yaml"): one.read_text("utf-8") for one in sorted(found, key=str)
    }


def _joined(defaults: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """Mappings joined key by key; what is given wins, and null takes away."""
    joined = dict(defaults)
    for key, value in given.items():
        both = isinstance(value, dict) and isinstance(joined.get(key), dict)
        joined[key] = _joined(joined[key], value) if both and key not in WHOLE else value
    return {key: value for key, value in joined.items() if value is not None}


def _in_one_line(error: yaml.YAMLError) -> str:
    mark = getattr(error, "problem_mark", None)
    line = f"line {mark.line + 1}: " if mark is not None else ""
    return f"{line}no YAML: {getattr(error, 'problem', None) or 'it cannot be read'}"


def _unknown(key: object, known: Iterable[str]) -> str:
    return f"{key}: unknown key{_hint(str(key), known)}"


def _hint(word: str, known: Iterable[str]) -> str:
    close = get_close_matches(word, [*known], 1)
    return f" (did you mean {close[0]!r}?)" if close else ""


def _faults(error: ValidationError) -> Iterator[str]:
    for one in error.errors(include_url=False):
        path = "".join(f"[{p}]" if isinstance(p, int) else f".{p}" for p in one["loc"])
        words = "unknown key" if one["type"] == "extra_forbidden" else one["msg"]
        given = f", not {one['input']!r:.40}" if isinstance(one["input"], str | int | float) else ""
        known = one["type"] in ("extra_forbidden", "missing")
        yield f"{path.removeprefix('.')}: {words}{'' if known else given}"


def _contradictions(scenario: Scenario) -> Iterator[str]:
    """Where parts of a scenario do not fit each other."""
    yield from _odd_branches(scenario)
    yield from _odd_places(scenario)
    yield from _odd_zones("zones", scenario.zones, scenario)
    for n, depot in enumerate(scenario.depots):
        yield from _odd_zones(f"depots[{n}].zones", depot.zones or [], scenario)


def _odd_branches(scenario: Scenario) -> Iterator[str]:
    stages = scenario.stages
    branches = {f"stages.{name}.next": stage.next for name, stage in stages.items()}
    for path, shares in (*branches.items(), ("assets.initial", scenario.assets.initial)):
        for name in shares.keys() - stages.keys():
            yield f"{path}: there is no stage {name!r}{_hint(name, stages)}"
        total = sum(shares.values())
        if (shares or path == "assets.initial") and abs(total - 1) > SUM_WITHIN:
            yield f"{path}: the shares sum to {total:.6g}, not to 1"
    for name, stage in stages.items():
        if name in stage.next:
            yield f"stages.{name}.next: a stage does not follow itself"
    for path, dwell in (
        ("dwell", scenario.dwell),
        *((f"stages.{name}.dwell", s.dwell) for name, s in stages.items() if s.dwell),
    ):
        if (dwell.gamma is None) == (dwell.lognormal is None):
            yield f"{path}: write either `gamma` or `lognormal`"


def _odd_places(scenario: Scenario) -> Iterator[str]:
    if not scenario.customers and not scenario.scatter.customers:
        yield "customers: nobody uses the assets: list some, or write `scatter: {customers: 5}`"
    if scenario.scatter.from_km >= scenario.scatter.within_km:
        yield "scatter: `from_km` is not below `within_km`"
    for n, partner in enumerate(scenario.partners):
        if partner.stage not in scenario.stages:
            hint = _hint(partner.stage, scenario.stages)
            yield f"partners[{n}].stage: there is no stage {partner.stage!r}{hint}"
    seen = set[str]()
    for section in ("depots", "customers", "hubs", "partners"):
        for n, place in enumerate(getattr(scenario, section)):
            if place.id in seen:
                yield f"{section}[{n}].id: {place.id!r} is taken already"
            seen.add(place.id)


def _odd_zones(path: str, zones: list[Zone], scenario: Scenario) -> Iterator[str]:
    stages = [zone.stage for zone in zones]
    for n, zone in enumerate(zones):
        if zone.stage not in scenario.stages and path != "zones":
            hint = _hint(zone.stage, scenario.stages)
            yield f"{path}[{n}].stage: there is no stage {zone.stage!r}{hint}"
        if stages.index(zone.stage) < n:
            yield f"{path}[{n}].stage: {zone.stage!r} has a zone already"
        for other in zone.adjacent:
            if other not in stages or other == zone.stage:
                hint = _hint(other, stages)
                yield f"{path}[{n}].adjacent: there is no other zone {other!r}{hint}"
