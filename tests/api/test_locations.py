"""Where assets are on a map, and tracks to take away."""

import csv
from io import StringIO
from typing import Any

import pytest

from tracker.model import Fix

NOON = 1_767_614_400_000
PLACES = {"nl": (51.9, 4.4), "fiji": (-17.0, 179.5), "samoa": (-14.0, -172.0), "pole": (90.0, 0.0)}


@pytest.fixture
def filled(world: Any) -> None:
    for id, (lat, lon) in PLACES.items():
        world.device(f"trk-{id}")
        world.asset(id, devices=(f"trk-{id}",))
        world.tell(f"trk-{id}", 0, (NOON, Fix(lat, lon, 8.0)))


def found(client: Any, **params: Any) -> list[str]:
    answer = client.get("/v1/locations", params=params)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/geo+json"
    return [one["properties"]["asset"] for one in answer.json()["features"]]


@pytest.mark.usefixtures("filled")
def test_newest_places_are_features(client: Any, world: Any) -> None:
    world.tell("trk-nl", 1, (NOON + 1_000, Fix(52.0, 4.5, 3.0)))
    page = client.get("/v1/locations", params={"bbox": "4,51,5,53"}).json()
    assert page == {
        "type": "FeatureCollection",
        "features": [
            {
                "type": "Feature",
                "geometry": {"type": "Point", "coordinates": [4.5, 52.0]},
                "properties": {
                    "asset": "nl",
                    "site": None,
                    "at": "2026-01-05T12:00:01.000Z",
                    "acc": 3.0,
                    "source": "fix",
                    "device": "trk-nl",
                    "zone": None,
                },
            }
        ],
        "next": None,
        "stale": 0,
        "now": "2026-01-05T12:00:00.000Z",
    }


@pytest.mark.usefixtures("filled")
@pytest.mark.parametrize(
    ("bbox", "assets"),
    [
        ("4.4,51.9,4.4,51.9", ["nl"]),
        ("-180,-90,180,90", ["fiji", "nl", "pole", "samoa"]),
        ("170,-20,-170,0", ["fiji", "samoa"]),
        ("-175,-20,175,0", ["samoa"]),
        ("179,-20,180,0", ["fiji"]),
        ("5,51,6,52", []),
        (" 4, 51, 5, 52", ["nl"]),
    ],
)
def test_a_box_finds_what_lies_in_it(client: Any, bbox: str, assets: list[str]) -> None:
    assert found(client, bbox=bbox) == assets


@pytest.mark.parametrize(
    ("bbox", "said"),
    [
        ("", "'' is no box: write west,south,east,north in degrees"),
        ("4,51,5", "'4,51,5' is no box"),
        ("4,51,5,52,6", "is no box"),
        ("4,51,5,north", "is no box"),
        ("4,51,5,nan", "north nan does not lie within"),
        ("4,-inf,5,52", "south -inf does not lie within"),
        ("4,52,5,51", "south 52 lies north of north 51"),
        ("-17,177,-16,179", "south 177 does not lie within ±90"),
        ("-17,177,-16,179", "are latitude and longitude swapped?"),
        ("181,51,182,52", "west 181 does not lie within ±180"),
    ],
)
def test_a_bad_box_is_told_how_to_write_it(client: Any, bbox: str, said: str) -> None:
    answer = client.get("/v1/locations", params={"bbox": bbox})
    problem = answer.json()
    assert (answer.status_code, problem["type"]) == (422, "/problems/bad-value")
    assert [(one["name"], one["at"]) for one in problem["errors"]] == [("bbox", "query")]
    assert said in problem["detail"]
    assert "west,south,east,north" in problem["detail"]


@pytest.mark.usefixtures("filled")
def test_a_map_comes_in_pages(client: Any) -> None:
    seen, path = [], "/v1/locations?limit=3"
    while path:
        answer = client.get(path)
        seen += [one["properties"]["asset"] for one in answer.json()["features"]]
        link = answer.headers.get("link")
        assert (link is None) == (answer.json()["next"] is None)
        path = "/v1/locations" + link[1 : link.index(">")] if link else ""
    assert seen == sorted(PLACES)
    cursor = client.get("/v1/locations", params={"limit": 1}).json()["next"]
    other = client.get("/v1/locations", params={"cursor": cursor, "bbox": "0,0,1,1"})
    assert (other.status_code, other.json()["type"]) == (400, "/problems/bad-cursor")


@pytest.fixture
def travelled(world: Any) -> None:
    world.device("trk")
    world.asset("a", devices=("trk",))
    for n in range(9):
        world.tell("trk", n, (NOON + n * 1_000, Fix(50.0, 179.0 + n / 4 - 360 * (n > 4), 5.0)))


@pytest.mark.usefixtures("travelled")
def test_a_track_as_geojson(client: Any) -> None:
    answer = client.get("/v1/assets/a/track", params={"format": "geojson"})
    assert answer.headers["content-type"] == "application/geo+json"
    line, *points = answer.json()["features"]
    assert line["geometry"]["type"] == "MultiLineString"  # it crosses the antimeridian
    assert line["properties"]["places"] == len(points) == 9
    assert answer.json()["next"] is None


@pytest.mark.usefixtures("travelled")
def test_a_track_as_csv(client: Any) -> None:
    answer = client.get("/v1/assets/a/track", params={"format": "csv", "limit": 2})
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    rows = list(csv.DictReader(StringIO(answer.text)))
    assert [row["lon"] for row in rows] == ["179.0", "179.25"]
    link = answer.headers["link"]
    rest = client.get("/v1/assets/a/track" + link[1 : link.index(">")])
    assert [row["lon"] for row in csv.DictReader(StringIO(rest.text))] == ["179.5", "179.75"]


@pytest.mark.usefixtures("travelled")
@pytest.mark.parametrize(
    ("accept", "format", "media"),
    [
        ("*/*", None, "application/json"),
        ("text/csv", None, "text/csv; charset=utf-8"),
        ("text/html, application/geo+json;q=0.9", None, "application/geo+json"),
        ("text/csv", "json", "application/json"),
        ("image/png", None, "application/json"),
    ],
)
def test_a_track_comes_as_it_is_accepted(
    client: Any, accept: str, format: str | None, media: str
) -> None:
    params = {"format": format} if format else {}
    answer = client.get("/v1/assets/a/track", params=params, headers={"Accept": accept})
    assert answer.headers["content-type"] == media


@pytest.mark.usefixtures("travelled")
def test_a_straight_track_needs_two_places(client: Any) -> None:
    straight = client.get("/v1/assets/a/track", params={"simplify": 5_000}).json()["items"]
    assert [place["lon"] for place in straight] == [179.0, -179.0]
    page = client.get("/v1/assets/a/track", params={"simplify": 5_000, "limit": 4}).json()
    assert len(page["items"]) == 2
    params = {"simplify": 5_000, "limit": 4, "cursor": page["next"]}
    following = client.get("/v1/assets/a/track", params=params).json()["items"]
    assert following[0]["lon"] == 180.0  # the page begins after the last place that was read
    for bad in (0, -1, "inf", "much"):
        assert client.get("/v1/assets/a/track", params={"simplify": bad}).status_code == 422
