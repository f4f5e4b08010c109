"""Tracks as GeoJSON and CSV: nothing lost, and no line around the wrong side of the globe."""

import csv
from io import StringIO
from itertools import chain, pairwise

from hypothesis import example, given
from hypothesis import strategies as st

from tracker.fold import Place
from tracker.geojson import COLUMNS, csv_rows, line, line_parts, place_feature, track_features

LON = st.floats(-180, 180) | st.sampled_from([-180.0, 180.0, 179.5, -179.5, 0.0])
LAT = st.floats(-90, 90)


def place(lon, lat=0.0, at=0, **fields):
    known = {"acc": 8.0, "source": "fix", "device": "trk-1", "key": "6b"} | fields
    return Place(lat=lat, lon=lon, at=at, **known)


def ways(points):
    return [place(lon, lat, at) for at, (lon, lat) in enumerate(points)]


@given(st.lists(st.tuples(LON, LAT), max_size=12))
@example([(180.0, 1.0), (-180.0, 1.0)])
@example([(180.0, 1.0), (-180.0, 2.0)])
@example([(179.0, 0.0), (180.0, 0.0), (-179.0, 0.0)])
def test_a_line_passes_every_place_and_never_leaps(points):
    parts = line_parts(ways(points))
    for part in parts:
        assert len(part) > 1
        assert all(abs(b[0] - a[0]) <= 180 for a, b in pairwise(part))
    for before, after in pairwise(parts):
        assert abs(before[-1][0]) == abs(after[0][0]) == 180
        assert before[-1][1] == after[0][1]
    drawn = iter(chain.from_iterable(parts))
    met = [point for point in points if abs(point[0]) != 180]
    if len(points) > 1:
        assert all(point in drawn for point in met)  # in this order


def test_the_crossing_lies_on_the_straight_way():
    track = ways([(179.0, -16.0), (-178.0, -19.0)])
    assert line(track) == {
        "type": "MultiLineString",
        "coordinates": [[(179.0, -16.0), (180.0, -17.0)], [(-180.0, -17.0), (-178.0, -19.0)]],
    }


def test_one_place_makes_no_line():
    assert line([]) is None
    assert line([place(4.0)]) is None
    assert [f["geometry"]["type"] for f in track_features("A1", [place(4.0)])["features"]] == [
        "Point"
    ]


def test_a_track_tells_its_asset_and_its_times():
    track = track_features("A1", ways([(4.0, 51.0), (4.1, 51.0)]))
    assert track["type"] == "FeatureCollection"
    assert track["features"][0]["properties"] == {
        "asset": "A1",
        "from": "1970-01-01T00:00:00.000Z",
        "to": "1970-01-01T00:00:00.001Z",
        "places": 2,
    }
    assert [f["properties"]["at"] for f in track["features"][1:]] == [
        "1970-01-01T00:00:00.000Z",
        "1970-01-01T00:00:00.001Z",
    ]


def test_a_place_keeps_what_is_said_of_it_and_what_it_says():
    feature = place_feature(place(4.0, 51.0, zone="z1"), {"asset": "A1"})
    assert feature["geometry"] == {"type": "Point", "coordinates": (4.0, 51.0)}
    assert feature["properties"] == {
        "asset": "A1",
        "at": "1970-01-01T00:00:00.000Z",
        "acc": 8.0,
        "source": "fix",
        "device": "trk-1",
        "zone": "z1",
    }


@given(
    st.lists(
        st.tuples(LON, LAT, st.text(st.characters(codec="utf-8", exclude_characters="\r\n\0")))
    )
)
def test_a_csv_reads_back(rows):
    track = [place(lon, lat, device=name, acc=None) for lon, lat, name in rows]
    header, *read = csv.reader(StringIO("".join(csv_rows(track))))
    assert tuple(header) == COLUMNS
    assert [(float(lon), float(lat), name) for _, lat, lon, _, _, name, _ in read] == rows
