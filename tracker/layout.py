"""The layout: sites, zones and readers as they were at each time, compiled to be looked up.

It is a value made from the configuration's versions up to one revision, and says what an
observation tells of where its asset was.
"""

from __future__ import annotations

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

    def sites(self, at: int | None = None) -> dict[str, Site]:
        """The sites at a time; None: those that are not given up."""
        return _in_force({id: [g.spell for g in gs] for id, gs in self._grounds.items()}, at)

    def zones(self, at: int | None = None) -> dict[str, Zone]:
        """The zones at a time; None: those that are not given up."""
        return _in_force(self._zones, at)

    def readers(self, at: int | None = None) -> dict[str, Reader]:
        """The readers at a time; None: those that are not given up."""
        return _in_force(self._readers, at)

    def zone_of_read(self, device: str, antenna: int | None, at: int) -> str | None:
        """The zone where a reader's antenna saw a tag."""
        reader = _at(self._readers.get(device, ()), at)
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
        reader = _at(self._readers.get(observation.device, ()), observation.at)
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
        reader = _at(self._readers.get(device, ()), at)
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
