"""Fences: which points they hold and how deep, what is wrong with them, and finding them fast."""

import math
from statistics import NormalDist

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from tracker.geofence import (
    Atlas,
    distance_m,
    faults_of,
    looks_swapped,
    p_inside,
    shape_of,
)
from tracker.places import Circle, Polygon

DEPOT = Circle(center=(4.48, 51.92), radius_m=120)
SQUARE = [(4.0, 51.0), (4.2, 51.0), (4.2, 51.1), (4.0, 51.1)]
YARD = [(4.05, 51.03), (4.15, 51.03), (4.15, 51.07), (4.05, 51.07)]
FIJI = [(177.0, -19.0), (-178.0, -19.0), (-178.0, -16.0), (177.0, -16.0)]
LAGOON = [(179.5, -18.0), (-179.5, -18.0), (-179.5, -17.0), (179.5, -17.0)]
DEGREE_M = 111_195.08  # a degree of a great circle


def polygon(ring, *holes):
    return Polygon(polygon=ring, holes=holes)


def turned(lon):
    return lon if -180 <= lon <= 180 else (lon + 180) % 360 - 180


@pytest.mark.parametrize(
    ("one", "other", "metres"),
    [
        ((0, 0), (0, 0), 0),
        ((0, 0), (0, 1), DEGREE_M),
        ((0, 0), (1, 0), DEGREE_M),
        ((60, 10), (60, 10.001), 55.5975),
        ((10, 179.5), (10, -179.5), 109_505.66),
        ((90, 0), (90, 135), 0),
        ((0, 0), (0, 180), 180 * DEGREE_M),
        ((90, 0), (-90, 77), 180 * DEGREE_M),
    ],
)
def test_distances_are_along_great_circles(one, other, metres):
    assert distance_m(*one, *other) == pytest.approx(metres, rel=1e-6, abs=1e-6)


@pytest.mark.parametrize(
    ("fence", "lat", "lon", "depth"),
    [
        (DEPOT, 51.92, 4.48, 120),
        (DEPOT, 51.921, 4.48, 120 - 111.195),
        (DEPOT, 51.922, 4.48, 120 - 222.39),
        (DEPOT, 51.92, 4.482, 120 - 137.16),
        (polygon(SQUARE), 51.05, 4.1, 0.05 * DEGREE_M),
        (polygon([*SQUARE, SQUARE[0]]), 51.05, 4.1, 0.05 * DEGREE_M),
        (polygon(SQUARE[::-1]), 51.01, 4.1, 0.01 * DEGREE_M),
        (polygon(SQUARE), 50.99, 4.1, -0.01 * DEGREE_M),
        (polygon(SQUARE), 51.05, 4.3, -6_990.1),
        (polygon(SQUARE, YARD), 51.05, 4.1, -0.02 * DEGREE_M),
        (polygon(SQUARE, YARD), 51.02, 4.1, 0.01 * DEGREE_M),
        (polygon(SQUARE, YARD[::-1]), 51.02, 4.1, 0.01 * DEGREE_M),
        (polygon(FIJI), -18.9, 180, 0.1 * DEGREE_M),
        (polygon(FIJI), -18.9, -180, 0.1 * DEGREE_M),
        (polygon(FIJI), -18.9, 179.9, 0.1 * DEGREE_M),
        (polygon(FIJI), -18.9, -179.9, 0.1 * DEGREE_M),
        (polygon(FIJI), -15.9, -179.9, -0.1 * DEGREE_M),
        (polygon(FIJI, LAGOON), -17.9, 179.9, -0.1 * DEGREE_M),
        (polygon(FIJI, LAGOON), -17.9, -179.9, -0.1 * DEGREE_M),
        (polygon(FIJI, LAGOON[1:] + LAGOON[:1]), -17.9, 179.9, -0.1 * DEGREE_M),
        (polygon(FIJI, LAGOON), -18.1, 180, 0.1 * DEGREE_M),
        (Circle(center=(180, 0), radius_m=1_000), 0, -180, 1_000),
        (Circle(center=(179.999, 0), radius_m=1_000), 0, -179.999, 1_000 - 222.39),
        (Circle(center=(20, 89.9), radius_m=20_000), 89.9, -160, 20_000 - 0.2 * DEGREE_M),
    ],
)
def test_depth_is_metres_to_the_border_and_negative_outside(fence, lat, lon, depth):
    assert shape_of(fence).depth_m(lat, lon) == pytest.approx(depth, rel=0.002)


def test_far_away_the_depth_still_falls_with_the_distance():
    shape = shape_of(polygon(SQUARE))
    depths = [shape.depth_m(51.05, lon) for lon in range(5, 180, 5)]
    assert depths == sorted(depths, reverse=True)
    assert depths[-1] < -5_000_000


@pytest.mark.parametrize(
    ("fence", "box"),
    [
        (polygon(SQUARE), (51.0, 4.0, 51.1, 4.2)),
        (polygon(FIJI), (-19.0, 177.0, -16.0, -178.0)),
        (polygon([(178, 1), (180, 1), (180, 2), (178, 2)]), (1, 178, 2, -180)),
        (polygon([(-178, 1), (-180, 1), (-180, 2), (-178, 2)]), (1, 180, 2, -178)),
        (polygon([(0, 80), (20, 80), (20, 90), (0, 90)]), (80, -180, 90, 180)),
        (Circle(center=(0, 0), radius_m=DEGREE_M), (-1, -1, 1, 1)),
        (Circle(center=(179.5, 0), radius_m=DEGREE_M), (-1, 178.5, 1, -179.5)),
        (Circle(center=(-180, 60), radius_m=DEGREE_M), (59, 177.999695, 61, -177.999695)),
        (Circle(center=(30, -89.5), radius_m=DEGREE_M), (-90, -180, -88.5, 180)),
    ],
)
def test_boxes_cross_the_antimeridian_and_take_in_the_poles(fence, box):
    assert shape_of(fence).box == pytest.approx(box, abs=1e-6)


@pytest.mark.parametrize(
    ("fence", "area"),
    [
        (DEPOT, math.pi * 120**2),
        (polygon(SQUARE), 155.6e6),
        (polygon(SQUARE, YARD), (155.6 - 31.1) * 1e6),
        (polygon(FIJI), 176_830e6),
        (polygon([(179, 0), (-177, 0), (-177, 1), (179, 1)]), 49_455e6),
    ],
)
def test_area_and_a_center_that_lies_inside(fence, area):
    shape = shape_of(fence)
    assert shape.area_m2 == pytest.approx(area, rel=0.01)
    assert shape.depth_m(*shape.center) > 0
    assert -180 <= shape.center[1] <= 180


@pytest.mark.parametrize("fence", [polygon(SQUARE), polygon(SQUARE, YARD), polygon(FIJI, LAGOON)])
def test_the_radius_reaches_the_farthest_corner(fence):
    shape = shape_of(fence)
    corners = [distance_m(*shape.center, lat, lon) for lon, lat in fence.polygon]
    assert shape.radius_m == pytest.approx(max(corners))


def test_a_large_circle_has_the_area_of_a_cap_of_the_globe():
    shape = shape_of(Circle(center=(0, 0), radius_m=1_000_000))
    assert shape.area_m2 == pytest.approx(0.99795 * math.pi * 1e12, rel=1e-5)


@pytest.mark.parametrize(
    ("ring", "holes", "faults"),
    [
        (
            [(4, 51), (5, 52), (5, 51), (4, 52)],
            [],
            ["the polygon crosses or touches itself near longitude 4.5, latitude 51.5"],
        ),
        (
            [(179, 1), (-179, 2), (-179, 1), (179, 2)],
            [],
            ["the polygon crosses or touches itself near longitude 180, latitude 1.5"],
        ),
        ([(4, 51)] * 4, [], ["the polygon has fewer than 3 different corners"]),
        ([(4, 51), (5, 51), (4, 51)], [], ["the polygon has fewer than 3 different corners"]),
        ([(180, 1), (-180, 1), (179, 1)], [], ["the polygon has fewer than 3 different corners"]),
        (
            [(4.3, 51.8), (4.31, 51.81), (4.32, 51.82)],
            [],
            ["the polygon has no area: its corners lie on one line"],
        ),
        (
            [(0, 90), (10, 90), (20, 90)],
            [],
            ["the polygon has no area: its corners lie on one line"],
        ),
        (
            [(0, 80), (120, 80), (-120, 80)],
            [],
            ["the polygon spans 180 degrees of longitude or more, or encloses a pole"],
        ),
        (
            [(-100, 0), (0, 0), (100, 0), (100, 10), (0, 10), (-100, 10)],
            [],
            ["the polygon spans 180 degrees of longitude or more, or encloses a pole"],
        ),
        (SQUARE, [LAGOON], ["hole 1 does not lie inside the polygon"]),
        (
            SQUARE,
            [YARD, [(4.1, 51.05), (4.3, 51.05), (4.3, 51.06)]],
            ["hole 2 does not lie inside the polygon"],
        ),
        (
            SQUARE,
            [[(4.05, 51.03), (4.15, 51.07), (4.15, 51.03), (4.05, 51.07)], [(4.1, 51.05)] * 3],
            [
                "hole 1 crosses or touches itself near longitude 4.1, latitude 51.05",
                "hole 2 has fewer than 3 different corners",
            ],
        ),
        (SQUARE, [], []),
        (SQUARE, [YARD], []),
        (FIJI, [LAGOON], []),
    ],
)
def test_what_is_wrong_with_a_polygon_is_said_in_lines(ring, holes, faults):
    assert faults_of(polygon(ring, *holes)) == faults


@pytest.mark.parametrize(
    "holes",
    [
        [SQUARE],
        [YARD, YARD],
        [YARD, [(4.1, 51.05), (4.18, 51.05), (4.18, 51.09)]],
    ],
)
def test_holes_that_clash_are_refused(holes):
    (fault,) = faults_of(polygon(SQUARE, *holes))
    assert fault.startswith("the holes overlap, or cut the polygon apart near longitude 4.")


def test_a_circle_has_no_faults():
    assert faults_of(Circle(center=(180, 90), radius_m=1_000_000)) == []


def test_a_faulty_fence_is_not_compiled():
    with pytest.raises(ValueError, match="fewer than 3 different corners"):
        shape_of(polygon([(4, 51)] * 3))


RINGS = st.lists(
    st.tuples(st.floats(-180, 180), st.floats(-90, 90)) | st.sampled_from(SQUARE + YARD + FIJI),
    min_size=3,
    max_size=8,
)


@given(ring=RINGS, holes=st.lists(RINGS, max_size=2))
def test_any_polygon_either_has_faults_or_compiles_to_a_shape(ring, holes):
    fence = polygon(ring, *holes)
    if faults := faults_of(fence):
        assert all(fault and "\n" not in fault for fault in faults)
        with pytest.raises(ValueError, match=r"polygon|hole"):
            shape_of(fence)
    else:
        shape = shape_of(fence)
        assert shape.area_m2 > 0
        assert shape.box.contains(*shape.center)


@st.composite
def stars(draw, radius_deg=0.2, lats=(-75.0, 75.0)):
    """Simple rings around a point, longitudes not yet turned to ±180, and that point."""
    lat = draw(st.floats(*lats))
    lon = draw(st.sampled_from([0.0, 4.0, 179.95, -180.0]) | st.floats(-180, 180))
    reaches = draw(st.lists(st.floats(0.3 * radius_deg, radius_deg), min_size=4, max_size=12))
    angles = [2 * math.pi * n / len(reaches) for n in range(len(reaches))]
    corners = [
        (lon + reach * math.cos(angle) / math.cos(math.radians(lat)), lat + reach * math.sin(angle))
        for reach, angle in zip(reaches, angles, strict=True)
    ]
    return corners, (lon, lat)


def shrunk(ring, middle, share=0.5):
    """The same star, smaller."""
    x0, y0 = middle
    return [(x0 + share * (x - x0), y0 + share * (y - y0)) for x, y in ring]


def on_the_globe(ring):
    return [(turned(x), y) for x, y in ring]


def sides(ring):
    return zip(ring, [*ring[1:], ring[0]], strict=True)


def crossings(ring, x, y):
    """How often a ray eastward from a point meets a ring (in a plane of degrees)."""
    return sum(
        (y1 > y) != (y2 > y) and x < x1 + (y - y1) / (y2 - y1) * (x2 - x1)
        for (x1, y1), (x2, y2) in sides(ring)
    )


OFFSETS = st.tuples(st.floats(-0.4, 0.4), st.floats(-0.4, 0.4))


@given(star=stars(), offset=OFFSETS, hollow=st.booleans())
def test_the_sign_of_the_depth_is_that_of_counting_crossings(star, offset, hollow):
    ring, middle = star
    holes = [shrunk(ring, middle)] if hollow else []
    shape = shape_of(polygon(on_the_globe(ring), *map(on_the_globe, holes)))
    x, y = middle[0] + offset[0] / math.cos(math.radians(middle[1])), middle[1] + offset[1]
    depth = shape.depth_m(y, turned(x))
    assume(abs(depth) > 1e-3)  # on the border rounding may decide
    assert (depth > 0) == (sum(crossings(r, x, y) for r in [ring, *holes]) % 2 == 1)


@given(star=stars(), offset=OFFSETS)
def test_the_depth_is_the_distance_to_the_nearest_of_many_points_of_the_border(star, offset):
    ring, middle = star
    x, y = middle[0] + offset[0] / math.cos(math.radians(middle[1])), middle[1] + offset[1]
    steps = 200
    nearest = min(
        distance_m(y, x, y1 + n / steps * (y2 - y1), x1 + n / steps * (x2 - x1))
        for (x1, y1), (x2, y2) in sides(ring)
        for n in range(steps)
    )
    step = max(distance_m(y1, x1, y2, x2) for (x1, y1), (x2, y2) in sides(ring)) / steps
    depth = abs(shape_of(polygon(on_the_globe(ring))).depth_m(y, turned(x)))
    assert nearest - step <= depth <= nearest * 1.01 + 0.01


CENTERS = st.tuples(
    st.sampled_from([-180.0, 180.0, 179.99, -179.99, 4.48]) | st.floats(-180, 180),
    st.sampled_from([-90.0, 90.0, 89.99, 0.0, 51.92]) | st.floats(-90, 90),
)
CIRCLES = st.builds(
    Circle,
    center=CENTERS,
    radius_m=st.sampled_from([50.0, 5_000.0, 60_000.0, 1e6]) | st.floats(1, 1e6),
)


def ahead(lat, lon, bearing, metres):
    """The point so many metres from another on a great circle."""
    angle, phi, theta = metres / 6_371_008.8, math.radians(lat), math.radians(bearing)
    sine = math.sin(phi) * math.cos(angle) + math.cos(phi) * math.sin(angle) * math.cos(theta)
    phi2 = math.asin(max(-1, min(1, sine)))
    east = math.atan2(
        math.sin(theta) * math.sin(angle) * math.cos(phi),
        math.cos(angle) - math.sin(phi) * math.sin(phi2),
    )
    return math.degrees(phi2), turned(lon + math.degrees(east))


@given(circle=CIRCLES, bearing=st.floats(0, 360), share=st.floats(0, 2))
def test_a_circle_holds_what_lies_within_its_radius_and_so_does_its_box(circle, bearing, share):
    lon, lat = circle.center
    there = ahead(lat, lon, bearing, share * circle.radius_m)
    shape = shape_of(circle)
    depth = shape.depth_m(*there)
    assert depth == pytest.approx((1 - share) * circle.radius_m, abs=0.3)
    if depth > 1e-3:
        assert shape.box.contains(*there)


FENCES = CIRCLES | st.builds(
    lambda star: polygon(on_the_globe(star[0])), stars(radius_deg=0.6, lats=(-89.0, 89.0))
)
EDGES = st.tuples(
    st.sampled_from([-90.0, 90.0, -89.999, 89.999]) | st.floats(-90, 90),
    st.sampled_from([-180.0, 180.0, -179.999, 179.999]) | st.floats(-180, 180),
)


def box_holds(box, lat, lon):
    between = box.west <= lon <= box.east
    around = box.west > box.east and (lon >= box.west or lon <= box.east)
    return box.south <= lat <= box.north and (between or around)


@st.composite
def fences_and_points(draw):
    """Fences, some of them twice, and points anywhere, at their boxes' corners and inside them."""
    fences = draw(st.lists(FENCES, max_size=6))
    shapes = [shape_of(fence) for fence in fences + fences[:2]]
    corners = [(lat, lon) for s in shapes for lat in s.box[::2] for lon in s.box[1::2]]
    inside = [shape.center for shape in shapes]
    return shapes, [*draw(st.lists(EDGES, max_size=6)), *corners, *inside]


@given(fences_and_points())
def test_an_atlas_finds_what_looking_at_every_box_finds(drawn):
    shapes, points = drawn
    entries = list(enumerate(shapes))
    atlas = Atlas(entries)
    for lat, lon in points:
        expected = [(n, shape) for n, shape in entries if box_holds(shape.box, lat, lon)]
        expected.sort(key=lambda entry: (entry[1].area_m2, entry[0]))
        assert atlas.at(lat, lon) == expected


@given(fences_and_points(), st.sampled_from([24.0, 80.0, 16_000.0, 400_000.0, 9e6]))
def test_an_atlas_finds_all_that_come_within_reach(drawn, reach_m):
    shapes, points = drawn
    atlas = Atlas(list(enumerate(shapes)))
    for lat, lon in points:
        found = [n for n, _ in atlas.around(lat, lon, reach_m)]
        areas = [shapes[n].area_m2 for n in found]
        assert areas == sorted(areas)
        near = {n for n, shape in enumerate(shapes) if shape.depth_m(lat, lon) > -reach_m}
        assert near <= set(found)


def test_an_atlas_does_not_look_at_what_is_far_away():
    fences = {lon: Circle(center=(lon, 10), radius_m=100) for lon in range(-170, 171, 10)}
    atlas = Atlas((lon, shape_of(fence)) for lon, fence in fences.items())
    assert [lon for lon, _ in atlas.around(10.001, 20.001, 80)] == [20]
    assert len(atlas.around(10.001, 20.001, 2e6)) == len(fences)


@given(fences=st.lists(FENCES, min_size=1, max_size=4), lat=st.floats(-90, 90))
def test_the_antimeridian_has_two_names_and_one_answer(fences, lat):
    atlas = Atlas((n, shape_of(fence)) for n, fence in enumerate(fences))
    assert atlas.at(lat, 180) == atlas.at(lat, -180)


def test_an_atlas_lists_the_smallest_first_whether_wide_or_not():
    fences = {
        "country": Circle(center=(4, 0), radius_m=900_000),
        "town": Circle(center=(4, 0), radius_m=20_000),
        "twin": Circle(center=(4, 0), radius_m=20_000),
        "border": polygon([(0, 0), (40, 0), (40, 0.001), (0, 0.001)]),
        "depot": Circle(center=(4, 0), radius_m=90),
        "elsewhere": DEPOT,
    }
    atlas = Atlas((name, shape_of(fence)) for name, fence in fences.items())
    names = [name for name, _ in atlas.at(0.0005, 4)]
    assert names == ["depot", "border", "town", "twin", "country"]


def test_an_atlas_of_nothing_finds_nothing():
    assert Atlas([]).at(51.92, 4.48) == []


@pytest.mark.parametrize(
    ("center", "swapped"),
    [
        ((51.95, 4.4), True),
        ((4.4, 51.95), False),
        ((52.9, 4.4), False),  # exchanged it lies 110 km off
        ((4.4, 40.0), False),
        ((120.0, 4.4), False),  # no latitude
    ],
)
@pytest.mark.parametrize("as_polygon", [False, True])
def test_swapped_coordinates_show_beside_others(center, swapped, as_polygon):
    others = [DEPOT, polygon(SQUARE), Circle(center=(4.4, 51.9), radius_m=80)]
    lon, lat = center
    fence = Circle(center=center, radius_m=80)
    if as_polygon:
        fence = polygon([(lon, lat), (lon + 0.01, lat), (lon, lat + 0.01)])
    assert looks_swapped(fence, others) is swapped
    assert not looks_swapped(fence, [])


@pytest.mark.parametrize(
    ("fence", "other"),
    [
        ((9.5, 10.2), (10.0, 10.0)),  # near as given
        ((130.0, 60.0), (-120.0, 50.0)),  # 130 degrees north would lead over the pole to there
    ],
)
def test_what_only_seems_to_be_swapped(fence, other):
    fence, other = (Circle(center=center, radius_m=80) for center in (fence, other))
    assert not looks_swapped(fence, [other])


def test_one_swapped_fence_does_not_hide_another():
    swapped = [Circle(center=(51.9, 4.4), radius_m=80), Circle(center=(51.8, 4.3), radius_m=80)]
    right = [Circle(center=(4.4 + n / 100, 51.9), radius_m=80) for n in range(3)]
    assert looks_swapped(swapped[0], right + swapped[1:])
    assert not looks_swapped(right[0], right[1:] + swapped[:1])


def test_the_middle_of_others_on_both_sides_of_the_antimeridian_is_between_them():
    others = [Circle(center=(lon, -17), radius_m=80) for lon in (179.8, 179.9, -179.9, -179.8)]
    assert not looks_swapped(Circle(center=(-17, 0), radius_m=80), others)


@pytest.mark.parametrize(
    ("depth", "acc", "sigma"),
    [(12, 8, 8), (-12, 8, 8), (5, 0, 3), (5, 3, 3), (-30, None, 10), (0, 50, 50)],
)
def test_p_inside_is_the_normal_distribution_of_the_depth(depth, acc, sigma):
    assert p_inside(depth, acc) == pytest.approx(NormalDist(sigma=sigma).cdf(depth))


@given(st.floats(-1e7, 1e7), st.none() | st.floats(0, 1e6))
def test_p_inside_is_a_probability_and_that_of_outside_its_rest(depth, acc):
    p = p_inside(depth, acc)
    assert 0 <= p <= 1
    assert p + p_inside(-depth, acc) == pytest.approx(1)
