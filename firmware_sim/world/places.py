"""Where a scenario's world has its places, zones and readers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import cos, pi, sin, sqrt
from random import Random
from typing import Literal, NamedTuple

from firmware_sim.geometry import Point
from firmware_sim.world.chance import random_of
from firmware_sim.world.scenario import Depot, Partner, Scenario
from firmware_sim.world.scenario import Place as PlaceGiven
from firmware_sim.world.scenario import Zone as ZoneGiven

Kind = Literal["depot", "customer", "hub", "partner"]
Mode = Literal["cycle", "portal"]
MODES: tuple[Mode, ...] = ("cycle", "portal")
APART_M = 2_000.0  # so far scattered places stand from each other
TRIES = 100
INNER = 0.6  # of the radius: where things stand


class Place(NamedTuple):
    """A circle that assets are in; `stage` is the one that it means, if any."""

    id: str
    name: str
    kind: Kind
    center: Point
    radius_m: float
    timezone: str | None = None
    stage: str | None = None

    def spot(self, random: Random) -> Point:
        """Somewhere inside."""
        far, turn = INNER * self.radius_m * sqrt(random.random()), 2 * pi * random.random()
        return self.center.shifted(far * cos(turn), far * sin(turn))


class Zone(NamedTuple):
    """A part of a depot, for the assets in a stage."""

    id: str
    site: str
    stage: str
    adjacent: tuple[str, ...]


class Reader(NamedTuple):
    """A fixed reader and the zone of each antenna; one that is not `known` is in no register."""

    device: str
    mode: Mode
    antennas: dict[int, str]
    known: bool = True


@dataclass(frozen=True, slots=True)
class Places:
    """All of them; zones and sites by their ids."""

    sites: dict[str, Place]
    zones: dict[str, Zone]
    readers: list[Reader]

    def of(self, kind: Kind) -> list[Place]:
        return [place for place in self.sites.values() if place.kind == kind]

    def zone_of(self, depot: str, stage: str) -> str | None:
        """The zone of a stage in a depot; None where it has none."""
        id = f"{depot}.{stage}"
        return id if id in self.zones else None

    def workshop(self, stage: str) -> Place | None:
        """The partner's site that means a stage."""
        return next((place for place in self.sites.values() if place.stage == stage), None)


def lay_out(scenario: Scenario) -> Places:
    """The places of a scenario: those that it names, and those that its seed scatters."""
    random = random_of(scenario.seed, "places")
    sites = {place.id: place for place in _named(scenario)}
    scattered: list[tuple[Kind, int]] = [
        ("customer", scenario.scatter.customers),
        ("hub", scenario.scatter.hubs),
    ]
    for kind, count in scattered:
        for n in range(1, count + 1):
            id, center = f"{kind}-{n}", _free(random, scenario, sites)
            sites[id] = Place(id, f"{kind.capitalize()} {n}", kind, center, scenario.radius_m)
    zones: dict[str, Zone] = {}
    readers: list[Reader] = []
    for depot in scenario.depots:
        given = scenario.zones if depot.zones is None else depot.zones
        own = [zone for zone in given if zone.stage in scenario.stages]
        zones |= _zones(depot, own)
        if scenario.assets.tags:
            readers += _readers(depot, own, scenario.readers.zones_each)
    readers += _strangers(scenario, random, [*zones])
    return Places(sites, zones, readers)


def _named(scenario: Scenario) -> Iterator[Place]:
    sections: list[tuple[Kind, Sequence[PlaceGiven]]] = [
        ("depot", scenario.depots),
        ("customer", scenario.customers),
        ("hub", scenario.hubs),
        ("partner", scenario.partners),
    ]
    for kind, places in sections:
        for given in places:
            yield _place(given, kind, scenario.radius_m)


def _place(given: PlaceGiven, kind: Kind, radius_m: float) -> Place:
    lon, lat = given.at
    stage = given.stage if isinstance(given, Partner) else None
    radius = given.radius_m or radius_m
    return Place(given.id, given.name, kind, Point(lat, lon), radius, given.timezone, stage)


def _free(random: Random, scenario: Scenario, sites: dict[str, Place]) -> Point:
    """A point around a depot, away from what stands already (or not, in a crowded world)."""
    near, far = scenario.scatter.from_km * 1_000, scenario.scatter.within_km * 1_000
    for _ in range(TRIES):
        lon, lat = random.choice(scenario.depots).at
        away = sqrt(random.uniform(near**2, far**2))
        turn = random.uniform(0, 2 * pi)
        point = Point(lat, lon).shifted(away * cos(turn), away * sin(turn))
        if all(point.metres_to(site.center) >= APART_M for site in sites.values()):
            break
    return point


def _zones(depot: Depot, zones: list[ZoneGiven]) -> dict[str, Zone]:
    stages = {zone.stage for zone in zones}
    found = {}
    for zone in zones:
        id = f"{depot.id}.{zone.stage}"
        beside = tuple(f"{depot.id}.{stage}" for stage in zone.adjacent if stage in stages)
        found[id] = Zone(id, depot.id, zone.stage, beside)
    return found


def _readers(depot: Depot, zones: list[ZoneGiven], zones_each: int) -> list[Reader]:
    found: list[Reader] = []
    for mode in MODES:
        watched = [f"{depot.id}.{zone.stage}" for zone in zones if zone.reader == mode]
        for first in range(0, len(watched), zones_each):
            some = watched[first : first + zones_each]
            device = f"rdr-{depot.id}-{len(found) + 1}"
            found.append(Reader(device, mode, dict(enumerate(some, 1))))
    return found


def _strangers(scenario: Scenario, random: Random, zones: list[str]) -> list[Reader]:
    if not zones:
        return []
    return [
        Reader(f"stranger-{n}", "cycle", {1: random.choice(zones)}, known=False)
        for n in range(1, scenario.mishaps.strangers + 1)
    ]
