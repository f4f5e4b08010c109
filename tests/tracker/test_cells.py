"""A changed fence finds every fix that it may matter to."""

import math

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from tracker.cells import TOP, cell_of, cells_near
from tracker.geofence import DEGREE_M, EARTH_M, distance_m, shape_of
from tracker.places import Circle

lats = st.floats(-89, 89) | st.sampled_from([0.0, 51.92, 88.9, -88.9])
lons = st.floats(-180, 180) | st.sampled_from([180.0, -180.0, 179.99, -179.99, 0.0])
radii = st.sampled_from([1.0, 120.0, 4_000.0, 50_000.0, 900_000.0])
accuracies = st.none() | st.sampled_from([0.0, 8.0, 60.0, 2_000.0, 100_000.0, 1e8])


def found(fence, lat, lon, acc):
    cell = cell_of(lat, lon, acc)
    return any(
        near.row == cell.row and near.first <= cell.col <= near.last
        for near in cells_near(shape_of(fence).box, cell.level)
    )


def gone(lat, lon, bearing, metres):
    """Where one comes to, along a great circle."""
    phi, lam, angle = math.radians(lat), math.radians(lon), metres / EARTH_M
    sine = math.sin(phi) * math.cos(angle) + math.cos(phi) * math.sin(angle) * math.cos(bearing)
    there = math.asin(max(-1.0, min(1.0, sine)))
    east = math.atan2(
        math.sin(bearing) * math.sin(angle) * math.cos(phi),
        math.cos(angle) - math.sin(phi) * math.sin(there),
    )
    return math.degrees(there), (math.degrees(lam + east) + 180) % 360 - 180


@given(
    lat=lats,
    lon=lons,
    radius=radii,
    acc=accuracies,
    bearing=st.floats(0, 6.3),
    part=st.floats(0, 0.999),
)
def test_every_fix_within_reach_of_a_fence_is_found(lat, lon, radius, acc, bearing, part):
    reach = 5_000 + 8 * max(10.0 if acc is None else acc, 3.0)
    away = min(part * (radius + reach), 20_000_000.0)
    there = gone(lat, lon, bearing, away)
    assume(distance_m(lat, lon, *there) < radius + reach)
    assert found(Circle(center=(lon, lat), radius_m=radius), *there, acc)


@pytest.mark.parametrize("north_m", [100_000, 1_000_000])
def test_a_fix_far_from_a_fence_is_not_found(north_m):
    depot = Circle(center=(4.48, 51.92), radius_m=120)
    assert not found(depot, 51.92 - north_m / DEGREE_M, 4.48, 8.0)
    assert not found(depot, 51.92, 4.48 + 2 * north_m / DEGREE_M, 8.0)


def test_what_may_be_anywhere_is_found_everywhere():
    assert cell_of(51.92, 4.48, 1e9).level == TOP
    assert found(Circle(center=(-70, -33), radius_m=120), 51.92, 4.48, 1e9)
