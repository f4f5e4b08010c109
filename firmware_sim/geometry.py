"""Just enough geometry on the sphere to drive a vehicle from one point to another."""

from __future__ import annotations

from math import asin, atan2, cos, degrees, radians, sin, sqrt
from typing import NamedTuple

EARTH_RADIUS_M = 6_371_008.8  # mean radius, IUGG


class Point(NamedTuple):
    """WGS 84 degrees.

    >>> round(Point(51.92, 4.48).metres_to(Point(51.95, 4.40)))
    6419
    """

    lat: float
    lon: float

    def metres_to(self, other: Point) -> float:
        """Great-circle distance (haversine)."""
        half_lat, half_lon = radians(other.lat - self.lat) / 2, radians(other.lon - self.lon) / 2
        chord = sin(half_lat) ** 2 + cos(radians(self.lat)) * cos(radians(other.lat)) * (
            sin(half_lon) ** 2
        )
        return 2 * EARTH_RADIUS_M * asin(sqrt(chord))

    def bearing_to(self, other: Point) -> float:
        """Degrees from north, 0 to 360."""
        turn = radians(other.lon - self.lon)
        here, there = radians(self.lat), radians(other.lat)
        east = sin(turn) * cos(there)
        north = cos(here) * sin(there) - sin(here) * cos(there) * cos(turn)
        return degrees(atan2(east, north)) % 360

    def towards(self, other: Point, part: float) -> Point:
        """The point that divides the way to `other`, 0 to 1; the short way round the globe."""
        east = _wrapped(other.lon - self.lon)
        return Point(self.lat + part * (other.lat - self.lat), _wrapped(self.lon + part * east))

    def shifted(self, north_m: float, east_m: float) -> Point:
        """The point some metres away. Not for the poles."""
        metres_per_degree = radians(1) * EARTH_RADIUS_M
        return Point(
            self.lat + north_m / metres_per_degree,
            _wrapped(self.lon + east_m / (metres_per_degree * cos(radians(self.lat)))),
        )


def _wrapped(lon: float) -> float:
    return (lon + 180) % 360 - 180
