"""How deep inside a fence a point lies, what is wrong with a fence, and which fences hold a point.

A `Fence` is what people write; a `Shape` is the same, compiled to be asked often. A polygon's sides
are straight in longitude and latitude, as in GeoJSON. It is laid out in metres around its own
middle, so that the antimeridian is nowhere special. That layout (equirectangular) stretches what
lies far north or south of the middle; it only serves to choose the point of the border that is
nearest, and the distance to that point is taken on the globe.
"""

from __future__ import annotations

import math
import re
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import chain
from operator import itemgetter
from statistics import median
from typing import Generic, NamedTuple, TypeVar

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry

from tracker.places import Circle, Fence, LonLat, Polygon

T = TypeVar("T")
Path = NDArray[np.float64]  # corners, closed: longitude and latitude in degrees

EARTH_M = 6_371_008.8  # mean radius
DEGREE_M = math.radians(EARTH_M)  # a degree of latitude
ACC_AT_LEAST_M = 3.0
ACC_UNKNOWN_M = 10.0
THINNEST_M = 1e-3  # what is thinner than this has no area
FAR_M = 1_000_000
NEAR_M = 100_000
CELLS_A_DEGREE = 20
COLUMNS = 360 * CELLS_A_DEGREE + 1  # the last one holds the longitude 180
CELLS_AT_MOST = 500


def distance_m(lat1: float, lon1: float, lat2: float, lon2: float) -> float:
    """Great-circle distance between two points in degrees, metres (haversine).

    >>> round(distance_m(51.92, 4.48, 52.37, 4.90))  # Rotterdam to Amsterdam
    57664
    """
    phi1, phi2 = math.radians(lat1), math.radians(lat2)
    half_lat, half_lon = (phi2 - phi1) / 2, math.radians(lon2 - lon1) / 2
    h = math.sin(half_lat) ** 2 + math.cos(phi1) * math.cos(phi2) * math.sin(half_lon) ** 2
    return 2 * EARTH_M * math.asin(min(1.0, math.sqrt(h)))


def p_inside(depth_m: float, acc_m: float | None) -> float:
    """The probability that something is inside, whose fix lies `depth_m` metres inside the border.

    Phi(depth / acc), the border taken as straight and the error as normal. An accuracy better than
    3 m is not believed, one that is not known counts as 10 m.

    >>> p_inside(0, 8)
    0.5
    >>> round(p_inside(20, None), 3)
    0.977
    """
    sigma = max(ACC_UNKNOWN_M if acc_m is None else acc_m, ACC_AT_LEAST_M)
    return 0.5 * math.erfc(-depth_m / (sigma * math.sqrt(2)))


class Box(NamedTuple):
    """Bounds in degrees, the edges belong to it. One with west > east crosses or touches the
    antimeridian; one that touches a pole holds all longitudes."""

    south: float
    west: float
    north: float
    east: float

    def contains(self, lat: float, lon: float) -> bool:
        """Whether a point lies within the box.

        >>> Box(-19, 177, -16, -178).contains(-17, 180)
        True
        """
        south, west, north, east = self
        if not south <= lat <= north:
            return False
        return west <= lon <= east if west <= east else lon >= west or lon <= east


def _box(south: float, west: float, north: float, east: float) -> Box:
    """The box of bounds whose longitudes may lie beyond ±180."""
    if south <= -90 or north >= 90:
        return Box(max(south, -90.0), -180.0, min(north, 90.0), 180.0)
    west, east = _turned(west), _turned(east)
    # ±180 are one meridian: a box that ends there holds it under both names.
    return Box(south, 180.0 if west == -180 else west, north, -180.0 if east == 180 else east)


def _turned(lon: float) -> float:
    """A longitude within ±180, exactly as it was if it already is."""
    return lon if -180 <= lon <= 180 else (lon + 180) % 360 - 180


@dataclass(frozen=True, slots=True, eq=False)
class Shape(ABC):
    """A fence, compiled by `shape_of`.

    `center` (latitude, longitude) is a point inside to show as its position, `radius_m` reaches
    from there to its farthest corner; `area_m2` is right to about 1 % for fences of tens of km.
    """

    box: Box
    center: tuple[float, float]
    radius_m: float
    area_m2: float

    @abstractmethod
    def depth_m(self, lat: float, lon: float) -> float:
        """Metres to the border, positive inside, negative outside; a hole is outside.

        Right to about 1 % within tens of km of the border, an estimate that grows with the
        distance far away.
        """


class _Disc(Shape):
    """A compiled circle."""

    __slots__ = ()

    def depth_m(self, lat: float, lon: float) -> float:
        return self.radius_m - distance_m(*self.center, lat, lon)


class _Plane(NamedTuple):
    """Metres east and north of a reference point."""

    lat: float
    lon: float
    metres_a_degree_east: float

    @classmethod
    def around(cls, path: Path) -> _Plane:
        """The plane around the middle of a path's bounds."""
        lon, lat = (path.min(axis=0) + path.max(axis=0)).tolist()
        return cls(lat / 2, lon / 2, DEGREE_M * math.cos(math.radians(lat / 2)))

    def laid(self, path: Path) -> Path:
        """A path's corners in metres."""
        metres: Path = (path - (self.lon, self.lat)) * (self.metres_a_degree_east, DEGREE_M)
        return metres

    def xy(self, lat: float, lon: float) -> tuple[float, float]:
        """A point in metres, the short way round from the reference point."""
        east = (lon - self.lon + 180) % 360 - 180
        return east * self.metres_a_degree_east, (lat - self.lat) * DEGREE_M

    def lat_lon(self, x: float, y: float) -> tuple[float, float]:
        """Latitude and longitude of a point in metres."""
        return self.lat + y / DEGREE_M, _turned(self.lon + x / self.metres_a_degree_east)


@dataclass(frozen=True, slots=True, eq=False)
class _Region(Shape):
    """A compiled polygon."""

    plane: _Plane
    polygon: shapely.Polygon = field(repr=False)
    border: BaseGeometry = field(repr=False)

    def depth_m(self, lat: float, lon: float) -> float:
        x, y = self.plane.xy(lat, lon)
        to_point = shapely.shortest_line(self.border, shapely.Point(x, y))
        nearest = self.plane.lat_lon(*shapely.get_coordinates(to_point)[0].tolist())
        away = distance_m(lat, lon, *nearest)
        return away if shapely.contains_xy(self.polygon, x, y) else -away


def shape_of(fence: Fence) -> Shape:
    """Compile a fence; ValueError where `faults_of` finds something wrong with it.

    >>> from tracker.places import Circle, Polygon
    >>> round(shape_of(Circle(center=(4.48, 51.92), radius_m=120)).depth_m(51.92, 4.481))
    51
    >>> fiji = shape_of(Polygon(polygon=[(177, -19), (-178, -19), (-178, -16), (177, -16)]))
    >>> fiji.box
    Box(south=-19.0, west=177.0, north=-16.0, east=-178.0)
    >>> fiji.depth_m(-17, 180) > 0 > fiji.depth_m(-17, 0)
    True
    """
    if isinstance(fence, Circle):
        return _disc(fence)
    if faults := faults_of(fence):
        raise ValueError("; ".join(faults))
    return _region(fence)


def _disc(circle: Circle) -> Shape:
    lon, lat = circle.center
    return _Disc(
        box=_box_around(lat, lon, circle.radius_m),
        center=(lat, lon),
        radius_m=circle.radius_m,
        area_m2=4 * math.pi * (EARTH_M * math.sin(circle.radius_m / EARTH_M / 2)) ** 2,
    )


def _box_around(lat: float, lon: float, radius_m: float) -> Box:
    """The box of a circle of at most a quarter of the earth's girth."""
    angle = radius_m / EARTH_M
    high = math.degrees(angle)
    # A circle is widest nearer to the pole than its centre is; one that reaches the pole has no
    # width, and `_box` does not ask for it.
    sine = math.sin(angle) / max(math.cos(math.radians(lat)), math.sin(angle))
    wide = math.degrees(math.asin(sine))
    return _box(lat - high, lon - wide, lat + high, lon + wide)


def _region(fence: Polygon) -> Shape:
    shell, *holes = _paths(fence)
    plane = _Plane.around(shell)
    polygon = shapely.Polygon(plane.laid(shell), [plane.laid(hole) for hole in holes])
    border = polygon.boundary
    shapely.prepare([polygon, border])
    west, south = shell.min(axis=0).tolist()
    east, north = shell.max(axis=0).tolist()
    middle = polygon.representative_point()
    center = plane.lat_lon(middle.x, middle.y)
    region = _Region(
        box=_box(south, west, north, east),
        center=center,
        radius_m=max(distance_m(*center, lat, lon) for lon, lat in shell.tolist()),
        area_m2=polygon.area,
        plane=plane,
        polygon=polygon,
        border=border,
    )
    region.depth_m(*center)  # GEOS builds its indexes at the first question: not in two threads
    return region


def _paths(fence: Polygon) -> list[Path]:
    """The ring and the holes, each beginning within 180 degrees of the middle of the ring."""
    shell = _path(fence.polygon, fence.polygon[0][0])
    return [shell, *(_path(hole, _Plane.around(shell).lon) for hole in fence.holes)]


def _path(ring: Sequence[LonLat], near: float) -> Path:
    """A ring, closed, each side taking the short way round the globe; its longitudes begin within
    180 degrees of `near` and may lead beyond ±180."""
    path: Path = np.array([(near, 0), *ring, ring[0]], dtype=np.float64)
    # Whole turns, so that what is one corner before is one corner after, to the bit.
    path[1:, 0] -= 360 * np.cumsum(np.round(np.diff(path[:, 0]) / 360))
    return path[1:]


def faults_of(fence: Fence) -> list[str]:
    """What is wrong with a fence, a line each; none: `shape_of` will take it. Never raises.

    >>> from tracker.places import Polygon
    >>> faults_of(Polygon(polygon=[(4, 51), (5, 52), (5, 51), (4, 52)]))
    ['the polygon crosses or touches itself near longitude 4.5, latitude 51.5']
    """
    if isinstance(fence, Circle):
        return []
    shell, *holes = _paths(fence)
    plane = _Plane.around(shell)
    named = [("the polygon", shell), *((f"hole {n}", hole) for n, hole in enumerate(holes, 1))]
    faults = [f"{name} {fault}" for name, path in named if (fault := _fault(path, plane))]
    return faults or _fault_of_holes(shell, holes, plane)


def _fault(path: Path, plane: _Plane) -> str | None:
    """What is wrong with a ring by itself."""
    if len(np.unique(path, axis=0)) < 3:
        return "has fewer than 3 different corners"
    if np.ptp(path[:, 0]) >= 180:
        return "spans 180 degrees of longitude or more, or encloses a pole"
    ring = shapely.Polygon(plane.laid(path))
    hull = ring.convex_hull
    if hull.area <= THINNEST_M * hull.length:
        return "has no area: its corners lie on one line"
    return None if ring.is_valid else f"crosses or touches itself{_near(ring, plane)}"


def _fault_of_holes(shell: Path, holes: list[Path], plane: _Plane) -> list[str]:
    """What is wrong with holes that are right by themselves."""
    outer = shapely.Polygon(plane.laid(shell))
    cut = [plane.laid(hole) for hole in holes]
    astray = [n for n, hole in enumerate(cut, 1) if not outer.covers(shapely.Polygon(hole))]
    if astray:
        return [f"hole {n} does not lie inside the polygon" for n in astray]
    whole = shapely.Polygon(outer.exterior, cut)
    if whole.is_valid:
        return []
    return [f"the holes overlap, or cut the polygon apart{_near(whole, plane)}"]


def _near(polygon: shapely.Polygon, plane: _Plane) -> str:
    """Where GEOS finds a polygon invalid: its reason ends in the point, as in `...[12.5 3]`."""
    point = re.search(r"\[(\S+) (\S+)\]$", shapely.is_valid_reason(polygon))
    if point is None:
        return ""
    lat, lon = plane.lat_lon(float(point[1]), float(point[2]))
    return f" near longitude {round(lon, 6):.10g}, latitude {round(lat, 6):.10g}"


def looks_swapped(fence: Fence, others: Sequence[Fence]) -> bool:
    """Whether a fence seems to have its latitudes and longitudes exchanged: it lies more than
    1,000 km from the middle (median) of the others, and exchanged less than 100 km from it.

    This can only be seen beside others that are right: a fence alone, or a world that is swapped
    as a whole, is as plausible swapped as not. (A latitude beyond 90 is refused before.)

    >>> from tracker.places import Circle
    >>> right = [Circle(center=(4.48, 51.92), radius_m=120)]
    >>> looks_swapped(Circle(center=(51.95, 4.4), radius_m=80), right)
    True
    """
    if not others:
        return False
    lat, lon = _position(fence)
    if abs(lon) > 90:
        return False
    there = _middle([_position(other) for other in others])
    return distance_m(lat, lon, *there) > FAR_M and distance_m(lon, lat, *there) < NEAR_M


def _position(fence: Fence) -> tuple[float, float]:
    """Latitude and longitude of the middle of a fence, which may have faults."""
    if isinstance(fence, Circle):
        return fence.center[1], fence.center[0]
    plane = _Plane.around(_path(fence.polygon, fence.polygon[0][0]))
    return plane.lat, _turned(plane.lon)


def _middle(points: list[tuple[float, float]]) -> tuple[float, float]:
    """The median of latitudes and longitudes, the latter counted from the first point's."""
    first = points[0][1]
    lon = first + median(_turned(lon - first) for _, lon in points)
    return median(lat for lat, _ in points), _turned(lon)


_Entry = tuple[int, Box, T, Shape]  # the first is its rank by area


class Atlas(Generic[T]):
    """Many fences, indexed to find those whose box holds a point.

    A grid of cells of 0.05 degrees knows which boxes reach into each cell. A box that reaches into
    more than 500 is kept aside and always looked at.

    >>> from tracker.places import Circle
    >>> depot = shape_of(Circle(center=(4.48, 51.92), radius_m=120))
    >>> atlas = Atlas([("depot", depot)])
    >>> [name for name, _ in atlas.at(51.9205, 4.48)]
    ['depot']
    """

    __slots__ = ("_all", "_cells", "_wide")

    def __init__(self, entries: Iterable[tuple[T, Shape]]) -> None:
        self._cells: dict[int, list[_Entry[T]]] = {}
        self._wide: list[_Entry[T]] = []
        self._all = sorted(entries, key=lambda entry: entry[1].area_m2)
        for rank, (thing, shape) in enumerate(self._all):
            entry = (rank, shape.box, thing, shape)
            cells = _cells_of(shape.box)
            if sum(map(len, cells)) > CELLS_AT_MOST:
                self._wide.append(entry)
                continue
            for cell in chain.from_iterable(cells):
                self._cells.setdefault(cell, []).append(entry)

    def at(self, lat: float, lon: float) -> list[tuple[T, Shape]]:
        """The entries whose box holds a point, the smallest area first, then as they were given."""
        near = self._cells.get(_row(lat) * COLUMNS + _column(lon), ())
        if not near and not self._wide:
            return []
        hits = [entry for entry in chain(near, self._wide) if entry[1].contains(lat, lon)]
        hits.sort(key=itemgetter(0))
        return [(thing, shape) for _, _, thing, shape in hits]

    def around(self, lat: float, lon: float, reach_m: float) -> list[tuple[T, Shape]]:
        """At least the entries that come within so many metres of a point, the smallest first."""
        if reach_m > FAR_M:
            return self._all
        cells = _cells_of(_box_around(lat, lon, reach_m))
        if sum(map(len, cells)) > CELLS_AT_MOST:
            return self._all
        near = {
            entry[0] for cell in chain.from_iterable(cells) for entry in self._cells.get(cell, ())
        }
        near.update(entry[0] for entry in self._wide)
        return [self._all[rank] for rank in sorted(near)]


def _row(lat: float) -> int:
    return int((lat + 90) * CELLS_A_DEGREE)


def _column(lon: float) -> int:
    return int((lon + 180) * CELLS_A_DEGREE)


def _cells_of(box: Box) -> list[range]:
    """The cells that a box reaches into, row by row."""
    spans = [(box.west, box.east)]
    if box.west > box.east:
        spans = [(box.west, 180), (-180, box.east)]
    return [
        range(row * COLUMNS + _column(west), row * COLUMNS + _column(east) + 1)
        for row in range(_row(box.south), _row(box.north) + 1)
        for west, east in spans
    ]
