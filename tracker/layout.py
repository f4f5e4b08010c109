"""The layout: sites, zones and readers as they were at each time, compiled to be looked up.

It is a value made from the configuration's versions up to one revision, and says what an
observation tells of where its asset was.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple, TypeVar

from tracker.geofence import (
    ACC_AT_LEAST_M,
    ACC_UNKNOWN_M,
    Atlas,
    Shape,
    distance_m,
    p_inside,
    shape_of,
)
from tracker.model import Fix, Observation, Read
from tracker.places import Reader, Site, Zone
from tracker.versions import Spell, Version, timeline

SURELY = 0.8  # probability from which a fix counts as inside
HARDLY = 0.05  # and below which as outside
FAR = 8.0  # accuracies from a fence: beyond, no fix can be inside
READ_ACC_M = 10.0  # where a reader's site has no fence to tell it

PlaceValue = Site | Zone | Reader
_V = TypeVar("_V", Site, Zone, Reader)


class Standpoint(NamedTuple):
    """A position: degrees WGS 84, and how far off it may be (metres; None: not said)."""

    lat: float
    lon: float
    acc: float | None


class _Ground(NamedTuple):
    """A site during one spell of its history."""

    site: str
    spell: Spell[Site]
    shape: Shape | None


class Layout:
    """Sites, zones and readers at a `revision`."""

    def __init__(self, versions: Sequence[Version[PlaceValue]]) -> None:
        self.revision = max((version.revision for version in versions), default=0)
        depots = (v for v in versions if isinstance(v.value, Site) and v.value.kind == "depot")
        first = min(depots, key=lambda version: version.revision, default=None)
        self._first_depot = first.id if first is not None else None
        self._zones = _timelines(versions, Zone)
        self._readers = _timelines(versions, Reader)
        self._grounds: dict[str, list[_Ground]] = {
            id: [_Ground(id, spell, _shape(spell.value)) for spell in spells]
            for id, spells in _timelines(versions, Site).items()
        }
        fenced = [
            (ground, ground.shape)
            for grounds in self._grounds.values()
            for ground in grounds
            if ground.shape is not None
        ]
        self._atlas: Atlas[_Ground] = Atlas(fenced)
        self._in_site, self._on_zone = self._indexed()
        self.boundaries = sorted(self._turning_points())

    def sites(self, at: int | None = None) -> dict[str, Site]:
        """The sites at a time; None: those that are not given up."""
        return _in_force({id: [g.spell for g in gs] for id, gs in self._grounds.items()}, at)

    def lasting_sites(self) -> dict[str, Site]:
        """The sites that are the same from always on, for ever."""
        return {
            id: grounds[0].spell.value
            for id, grounds in self._grounds.items()
            if grounds and grounds[0].spell[:2] == (None, None)
        }

    def zones(self, at: int | None = None) -> dict[str, Zone]:
        """The zones at a time; None: those that are not given up."""
        return _in_force(self._zones, at)

    def readers(self, at: int | None = None) -> dict[str, Reader]:
        """The readers at a time; None: those that are not given up."""
        return _in_force(self._readers, at)

    def _indexed(self) -> tuple[dict[str, list[str]], dict[str, list[str]]]:
        """The zones that a site ever had, and the readers that ever watched a zone."""
        zones, readers = defaultdict[str, list[str]](list), defaultdict[str, list[str]](list)
        for zone, spells in self._zones.items():
            for name in {spell.value.site for spell in spells}:
                zones[name].append(zone)
        for device, watched in self._readers.items():
            for zone in {zone for spell in watched for zone in spell.value.zones()}:
                readers[zone].append(device)
        return zones, readers

    def _turning_points(self) -> set[int]:
        """When a site, a zone or a reader begins or ends."""
        periods = [spell[:2] for spells in self._zones.values() for spell in spells]
        periods += [g.spell[:2] for grounds in self._grounds.values() for g in grounds]
        periods += [spell[:2] for spells in self._readers.values() for spell in spells]
        return {at for period in periods for at in period if at is not None}

    def epoch(self, at: int) -> int:
        """Which of the times between two `boundaries` an event time lies in: within one, all
        places are the same."""
        return bisect_right(self.boundaries, at)

    def site(self, id: str, at: int) -> Site | None:
        """A site at a time."""
        ground = self._ground(id, at)
        return ground.spell.value if ground is not None else None

    def zone(self, id: str, at: int) -> Zone | None:
        """A zone at a time."""
        return _at(self._zones.get(id, ()), at)

    def zones_at(self, site: str, at: int) -> list[Zone]:
        """The zones of a site at a time, by id."""
        found = (_at(self._zones[zone], at) for zone in self._in_site.get(site, ()))
        return [zone for zone in found if zone is not None and zone.site == site]

    def readers_of(self, zone: str, at: int) -> list[Reader]:
        """The readers that watch a zone at a time, by device."""
        found = (_at(self._readers[device], at) for device in self._on_zone.get(zone, ()))
        return [reader for reader in found if reader is not None and zone in reader.zones()]

    def has_reader(self, device: str) -> bool:
        """Whether a device was ever a reader."""
        return device in self._readers

    def watching(self, site: str) -> set[str]:
        """The readers that ever watched a zone that a site ever had."""
        zones = self._in_site.get(site, ())
        return {device for zone in zones for device in self._on_zone.get(zone, ())}

    def reader(self, device: str, at: int) -> Reader | None:
        """A reader at a time."""
        return _at(self._readers.get(device, ()), at)

    def is_fenced(self, kind: str, at: int) -> bool:
        """Whether any site of a kind has a known extent at a time."""
        grounds = (ground for grounds in self._grounds.values() for ground in grounds)
        return any(
            ground.shape is not None
            and ground.spell.value.kind == kind
            and ground.spell.holds_at(at)
            for ground in grounds
        )

    def first_depot(self) -> str | None:
        """The depot that was registered first."""
        return self._first_depot

    def p_inside(self, site: str, point: Standpoint, at: int) -> float:
        """How likely a position lies in a site."""
        ground = self._ground(site, at)
        return _p(ground.shape, point) if ground is not None and ground.shape is not None else 0.0

    def zone_of_read(self, device: str, antenna: int | None, at: int) -> str | None:
        """The zone where a reader's antenna saw a tag."""
        reader = self.reader(device, at)
        return reader.zone_of(antenna) if reader is not None else None

    def site_of_zone(self, zone: str | None, at: int) -> str | None:
        """The site that a zone lies in, where there is one then."""
        found = _at(self._zones.get(zone, ()), at) if zone is not None else None
        return found.site if found is not None and self._ground(found.site, at) else None

    def standpoint(self, observation: Observation) -> Standpoint | None:
        """The position that an observation tells: a fix's own, or that of the reader that saw
        the tag (its own place, else its site's middle)."""
        what = observation.what
        if isinstance(what, Fix):
            return Standpoint(what.lat, what.lon, what.acc)
        if not isinstance(what, Read):
            return None
        reader = self.reader(observation.device, observation.at)
        if reader is None:
            return None
        if reader.place is not None:
            return Standpoint(reader.place.lat, reader.place.lon, reader.place.acc)
        site = self.site_of_zone(reader.zone_of(what.antenna), observation.at)
        ground = self._ground(site, observation.at) if site is not None else None
        if ground is None or ground.shape is None:
            return None
        lat, lon = ground.shape.center
        return Standpoint(lat, lon, max(ground.shape.radius_m, READ_ACC_M))

    def site_of_read(self, device: str, antenna: int | None, at: int) -> str | None:
        """The site where a reader saw a tag: its zone's, else the one around where it stands."""
        reader = self.reader(device, at)
        if reader is None:
            return None
        zone = reader.zone_of(antenna)
        if zone is not None or reader.place is None:
            return self.site_of_zone(zone, at)
        return self.site_around(Standpoint(reader.place.lat, reader.place.lon, None), at)

    def site_around(self, point: Standpoint, at: int) -> str | None:
        """The smallest site that a position is surely inside of."""
        for ground, shape in self._atlas.at(point.lat, point.lon):
            if ground.spell.holds_at(at) and _p(shape, point) >= SURELY:
                return ground.site
        return None

    def smaller(self, site: str, than: str, at: int) -> bool:
        """Whether a site has less area than another: so that within a large one a small one
        can be entered."""
        shapes = [ground.shape for id in (site, than) if (ground := self._ground(id, at))]
        areas = [shape.area_m2 for shape in shapes if shape is not None]
        return len(areas) == 2 and areas[0] < areas[1]

    def surely_outside(self, site: str | None, point: Standpoint, at: int) -> bool:
        """Whether a position is surely not in `site`; for None: in no site at all."""
        if site is None:
            near = self._atlas.around(point.lat, point.lon, _reach_m(point))
            return not any(
                ground.spell.holds_at(at) and _p(shape, point) > HARDLY
                for ground, shape in near
                if _within_reach(shape, point)
            )
        ground = self._ground(site, at)
        if ground is None:
            return True  # it is no site any more
        return ground.shape is not None and _p(ground.shape, point) <= HARDLY

    def _ground(self, site: str, at: int) -> _Ground | None:
        for ground in self._grounds.get(site, ()):
            if ground.spell.holds_at(at):
                return ground
        return None


def _timelines(
    versions: Iterable[Version[PlaceValue]], kind: type[_V]
) -> dict[str, list[Spell[_V]]]:
    of_kind: dict[str, list[Version[_V]]] = defaultdict(list)
    for version in versions:
        if version.kind == kind.__name__.lower():
            of_kind[version.id].append(version)  # type: ignore[arg-type]  # so its kind says
    return {id: timeline(of_id) for id, of_id in sorted(of_kind.items())}


def _in_force(timelines: Mapping[str, Sequence[Spell[_V]]], at: int | None) -> dict[str, _V]:
    found = {}
    for id, spells in timelines.items():
        for spell in spells:
            if spell.until is None if at is None else spell.holds_at(at):
                found[id] = spell.value
    return found


def _at(spells: Sequence[Spell[_V]], at: int) -> _V | None:
    for spell in spells:
        if spell.holds_at(at):
            return spell.value
    return None


def _shape(site: Site) -> Shape | None:
    return shape_of(site.geofence) if site.geofence is not None else None


def _p(shape: Shape, point: Standpoint) -> float:
    return p_inside(shape.depth_m(point.lat, point.lon), point.acc)


def _within_reach(shape: Shape, point: Standpoint) -> bool:
    away = distance_m(*shape.center, point.lat, point.lon) - shape.radius_m
    return away < _reach_m(point)


def _reach_m(point: Standpoint) -> float:
    """How far from a fence a position may be inside of it at all."""
    return FAR * max(ACC_UNKNOWN_M if point.acc is None else point.acc, ACC_AT_LEAST_M)


EMPTY = Layout([])
