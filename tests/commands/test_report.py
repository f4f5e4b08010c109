"""The page of a track: what stands on it, and that it needs nothing from elsewhere."""

import re
from itertools import pairwise
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from commands.picture import WIDTH, View, draw, round_length, view_of
from commands.report import track_page
from tracker.fold import Place
from tracker.geofence import distance_m
from tracker.model import Asset
from tracker.places import Circle, Polygon, Site

DAY = 86_400_000
NEXT_YEAR = "2027-01-05T00:00:00Z"


def way(*points, step=3_600_000):
    return [
        Place(lat, lon, 8.0, n * step, "fix", "trk-1", f"{n}")
        for n, (lat, lon) in enumerate(points)
    ]


def drawn(places, *sites):
    """The elements of a picture, by class."""
    found = {}
    for element in ElementTree.fromstring(draw(places, sites)).iter():
        for name in element.get("class", "").split():
            found.setdefault(name, []).append(element)
    return found


def numbers(element):
    return [float(number) for number in re.findall(r"-?\d+\.\d", element.get("d"))]


@given(
    st.lists(st.tuples(st.floats(-89, 89), st.floats(-180, 180)), min_size=1, max_size=8),
    st.integers(1, 3 * DAY),
)
def test_every_place_lies_within_the_picture_and_no_line_crosses_it_falsely(points, step):
    shapes = drawn(way(*points, step=step))
    height = max(float(one.get("y", 0)) for one in shapes["degree"]) + 8
    for dot in (*shapes["dot"], *shapes["start"], *shapes["end"]):
        assert 0 < float(dot.get("cx")) < WIDTH
        assert 0 < float(dot.get("cy")) < height
    assert len(shapes["start"]) == len(shapes["end"]) == 1


@given(st.floats(-70, 70), st.floats(-180, 180), st.floats(0.01, 5))
def test_metres_are_the_same_in_both_directions_around_the_middle(lat, lon, size):
    view = view_of([(lon, lat - size), (lon + size, lat + size)])
    x, y = view.xy(view.lon, view.lat)
    near = 1e-4
    for dlon, dlat in ((near, 0), (0, near)):
        x2, y2 = view.xy(view.lon + dlon, view.lat + dlat)
        pixels = abs(x2 - x) + abs(y2 - y)
        metres = distance_m(view.lat, view.lon, view.lat + dlat, view.lon + dlon)
        assert pixels * view.metres_a_pixel == pytest.approx(metres, rel=1e-3)


def test_the_scale_bar_is_as_long_as_it_says():
    shapes = drawn(way((51.9, 4.4), (52.4, 4.9)))
    left, _, _, _, right, *_ = numbers(shapes["bar"][0])
    kilometres = float(shapes["scale"][0].text.removesuffix(" km"))
    view = view_of([(4.4, 51.9), (4.9, 52.4)])
    assert (right - left) * view.metres_a_pixel == pytest.approx(kilometres * 1000, rel=1e-3)


def test_a_track_goes_on_across_the_antimeridian():
    shapes = drawn(way((0.0, 170.0), (0.0, -170.0), (0.0, 170.0)))
    xs = numbers(shapes["way"][0])[::2]
    assert xs[0] == xs[2]
    assert xs[1] > xs[0]
    assert {"170° E", "180°", "170° W"} <= {one.text for one in shapes["degree"]}


def test_a_gap_of_more_than_a_day_is_dashed():
    places = way((51, 4), (51, 5), (51, 6), (51, 7))
    later = [places[0], places[1], *(p._replace(at=p.at + DAY) for p in places[2:])]
    assert "gap" not in drawn(places)
    shapes = drawn(later)
    assert (len(shapes["gap"]), len(shapes["way"])) == (1, 2)
    ends = [numbers(shapes["way"][0])[-2:], numbers(shapes["way"][1])[:2]]
    assert numbers(shapes["gap"][0]) == ends[0] + ends[1]


def test_the_fences_in_view_are_drawn_with_their_names():
    places = way((51.9, 4.4), (52.4, 4.9))
    ring = [(4.5, 52.0), (4.7, 52.0), (4.7, 52.2), (4.5, 52.2)]
    hole = [(4.55, 52.05), (4.6, 52.05), (4.6, 52.1)]
    sites = [
        Site(id="yard", name="A & B", geofence=Polygon(polygon=ring, holes=[hole])),
        Site(id="tiny", geofence=Circle(center=(4.4, 51.9), radius_m=20)),
        Site(id="far", geofence=Circle(center=(5.9, 51.9), radius_m=20)),
        Site(id="nowhere"),
    ]
    shapes = drawn(places, *sites)
    assert [one.text for one in shapes["site"]] == ["A & B", "tiny"]
    yard, tiny = shapes["fence"]
    assert yard.get("d").count("Z") == 2
    assert len(numbers(tiny)) == 8  # a mark


def test_a_circle_is_drawn_as_wide_as_it_is():
    places = way((60.0, 9.0), (60.0, 11.0))
    view = view_of([(9.0, 60.0), (11.0, 60.0)])
    site = Site(id="s", geofence=Circle(center=(10.0, 60.0), radius_m=20_000))
    (circle,) = drawn(places, site)["fence"]
    xs, ys = numbers(circle)[::2], numbers(circle)[1::2]
    for pixels in (max(xs) - min(xs), max(ys) - min(ys)):
        assert pixels * view.metres_a_pixel == pytest.approx(40_000, rel=0.01)


def test_a_fence_across_the_antimeridian_is_near_a_track_on_either_side():
    ring = [(179.0, -1.0), (-179.0, -1.0), (-179.0, 1.0), (179.0, 1.0)]
    site = Site(id="fiji", geofence=Polygon(polygon=ring))
    for lon in (178.0, -178.0):
        (fence,) = drawn(way((-2.0, lon), (2.0, lon)), site)["fence"]
        xs = numbers(fence)[::2]
        assert max(xs) - min(xs) < WIDTH


@pytest.mark.parametrize("at", [(4.4, 51.9), (4.9, 52.4)])
def test_names_cover_neither_each_other_nor_the_words_at_the_ends(at):
    fence = Circle(center=at, radius_m=20)
    sites = [Site(id=f"s{n}", name=f"Depot {n}", geofence=fence) for n in range(3)]
    shapes = drawn(way((51.9, 4.4), (52.4, 4.9)), *sites)
    heights = sorted(float(one.get("y")) for one in (*shapes["site"], *shapes["mark"]))
    assert len(heights) == 5
    assert all(b - a > 12 for a, b in pairwise(heights))


@given(st.floats(1, 1e7))
def test_a_round_length_is_near_what_there_is_room_for(most):
    assert most / 2.6 < round_length(most) <= most


def test_a_view_of_one_place_has_a_size():
    assert 0 < view_of([(4.4, 51.9)]).metres_a_pixel < 1
    assert isinstance(view_of([(4.4, 90.0)]), View)


def page(asset=None, sites=None, visits=()):
    asset = asset or Asset("A1")
    return track_page(asset, way((51.9, 4.4), (52.4, 4.9)), sites or {}, visits, now=DAY)


def test_a_page_needs_nothing_from_elsewhere():
    text = page()
    assert "http" not in text.replace('http-equiv="Content-Security-Policy"', "")
    assert "<script" not in text
    assert "url(" not in text
    assert "default-src 'none'" in text
    assert "prefers-color-scheme: dark" in text


def test_a_name_is_a_name_and_no_markup():
    hostile = "<script>alert(1)</script>"
    site = Site(id="s", name=hostile, geofence=Circle(center=(4.4, 51.9), radius_m=200))
    text = page(Asset(hostile.replace("/", ""), hostile, name=hostile), {"s": site})
    assert "<script" not in text
    assert text.count("&lt;script&gt;alert(1)") >= 4


def test_the_page_of_an_asset_is_written(run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    status, shown, _ = run("report", "track", "pallet-2")
    assert (status, shown) == (0, "pallet-2.html shows 4 places of pallet-2\n")
    text = (tmp_path / "pallet-2.html").read_text()
    for words in ("Blue 2", "2026-01-05 10:30:00Z", "Depot [R]", "left 2026-01-05 11:30:00Z"):
        assert words in text
    assert run("report", "track", "pallet-2", "--out", "other.html")[0] == 0
    assert (tmp_path / "other.html").read_text() == text


def test_a_period_without_places_makes_no_page(run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    status, _, complaints = run("report", "track", "pallet-2", "--to", "5")
    assert (status, complaints.count("\n")) == (1, 1)
    assert list(tmp_path.iterdir()) == []


def test_the_stages_of_an_asset_are_drawn(run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    status, shown, complaints = run("report", "stages", "pallet-2")
    assert (status, shown) == (0, "pallet-2-stages.svg shows 1 h 5 min of pallet-2\n"), complaints
    root = ElementTree.fromstring((tmp_path / "pallet-2-stages.svg").read_text())
    assert root[0].text == "Blue 2, pallet-pool"
    to = "2026-01-05T14:00:00Z"  # after its last observation: what silence makes of it
    assert run("report", "stages", "pallet-2", "--to", to, "--out", "b.svg")[:2] == (
        0,
        "b.svg shows 3 h 30 min of pallet-2\n",
    )


def test_of_what_was_not_observed_no_stages_are_drawn(run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for words in (("crate-2",), ("pallet-2", "--to", "5"), ("pallet-2", "--from", NEXT_YEAR)):
        status, _, complaints = run("report", "stages", *words)
        assert (status, complaints.count("\n")) == (1, 1)
    assert list(tmp_path.iterdir()) == []
