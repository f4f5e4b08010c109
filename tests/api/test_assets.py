from typing import Any
from urllib.parse import quote

import pytest

from tracker.arrange import arrange
from tracker.model import Fix, Read, Values
from tracker.places import Reader, Standing

NOON = 1_767_614_400_000
TAG = "urn:epc:id:grai:0614141.12345.5678"
GATE = Standing(lat=51.9, lon=4.4, acc=25.0)
PLAIN = {
    "class": "pallet",
    "name": "",
    "home": None,
    "initial_stage": None,
    "attributes": {},
    "external_ids": {},
}


def test_lists_assets_by_id(client: Any, world: Any) -> None:
    for id in ("c", "a", TAG):
        world.asset(id)
    answer = client.get("/v1/assets")
    assert answer.status_code == 200
    assert answer.json() == {
        "items": [
            {"id": id, **PLAIN, "site": None, "at": None, "stage": None, "stage_p": None}
            for id in ("a", "c", TAG)
        ],
        "next": None,
        "stale": 0,
    }


def test_a_list_tells_at_which_site_each_is_and_when_it_was_seen(client: Any, world: Any) -> None:
    """Also where only the site is known, for nobody has said where its reader stands."""
    world.site("depot")
    world.zone("dock", "depot")
    world.device("trk")
    world.device("away")
    world.device("gate")
    with world.store.writing() as tx:
        arrange(tx, Reader(device="gate", zone="dock"))
    world.asset("at-the-depot", devices=("trk",))
    world.asset("elsewhere", devices=("away",))
    world.asset("read-there", tags=("tag:E280",))
    world.asset("unseen")
    world.tell("trk", 0, (NOON - 5_000, Fix(51.9, 4.4, 5.0)), (NOON - 4_000, Fix(51.9, 4.4, 5.0)))
    world.tell("away", 0, (NOON - 3_000, Fix(50.1, 4.4, 5.0)))
    world.tell("gate", 0, (NOON - 2_000, Read("tag:E280")))
    seen = [
        (one["id"], one["site"], one["at"] and one["at"][17:19])
        for one in client.get("/v1/assets").json()["items"]
    ]
    assert seen == [
        ("at-the-depot", "depot", "56"),
        ("elsewhere", None, "57"),
        ("read-there", "depot", "58"),
        ("unseen", None, None),
    ]


def test_shows_an_asset_of_which_nothing_is_known(client: Any, world: Any) -> None:
    world.asset("a")
    assert client.get("/v1/assets/a").json() == {
        "id": "a",
        **PLAIN,
        "bindings": [],
        "last_observed": None,
        "first_seen": None,
        "location": None,
    }


def test_shows_what_is_known_of_an_asset(client: Any, world: Any) -> None:
    world.device("trk")
    world.device("gate", place=GATE)
    world.asset("a", devices=("trk",), tags=(TAG,))
    world.tell("trk", 0, (NOON - 60_000, Fix(50.1, 4.2, 7.5)))
    world.tell("gate", 0, (NOON - 30_000, Read(TAG)))
    world.tell("trk", 1, (NOON - 10_000, Values({"battery": 0.8})))
    first = {
        "lat": 50.1,
        "lon": 4.2,
        "acc": 7.5,
        "at": "2026-01-05T11:59:00.000Z",
        "source": "fix",
        "device": "trk",
        "zone": None,
    }
    newest = {
        "lat": 51.9,
        "lon": 4.4,
        "acc": 25.0,
        "at": "2026-01-05T11:59:30.000Z",
        "source": "read",
        "device": "gate",
        "zone": None,
        "age_s": 30.0,
        "site": None,
        "confirmed": True,
    }
    assert client.get("/v1/assets/a").json() == {
        "id": "a",
        **PLAIN,
        "bindings": [
            {"subject": "trk", "since": None, "until": None},
            {"subject": TAG, "since": None, "until": None},
        ],
        "last_observed": "2026-01-05T11:59:50.000Z",
        "first_seen": first,
        "location": newest,
    }
    assert client.get("/v1/assets/a/location").json() == newest


@pytest.mark.parametrize("route", ["", "/location", "/track"])
def test_an_unknown_asset_is_a_problem(client: Any, route: str) -> None:
    answer = client.get(f"/v1/assets/urn:x:1.2{route}")
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json() == {
        "type": "/problems/unknown-asset",
        "title": "Unknown asset",
        "status": 404,
        "detail": "no asset urn:x:1.2 is registered",
        "instance": f"/v1/assets/urn%3Ax%3A1.2{route}",
    }


def test_no_known_place_is_another_problem(client: Any, world: Any) -> None:
    world.device("trk")
    world.asset("a", devices=("trk",))
    assert client.get("/v1/assets/a/location").json()["type"] == "/problems/not-located"
    world.tell("trk", 0, (NOON, Values({"battery": 0.8})))
    answer = client.get("/v1/assets/a/location")
    assert (answer.status_code, answer.json()["type"]) == (404, "/problems/not-located")
    assert client.get("/v1/assets/a/track").json() == {"items": [], "next": None}


@pytest.mark.parametrize("asset", [TAG, "tag:E2801160", "a.b:c", "grün & weiß?#%", "..."])
def test_ids_of_many_characters(client: Any, world: Any, asset: str) -> None:
    world.asset(asset)
    assert client.get(f"/v1/assets/{quote(asset, safe=':.')}").json()["id"] == asset


def test_age_is_never_below_zero(client: Any, world: Any) -> None:
    world.device("trk")
    world.asset("a", devices=("trk",))
    world.tell("trk", 0, (NOON + 2_000, Fix(50.1, 4.2)))
    assert client.get("/v1/assets/a/location").json()["age_s"] == 0


def test_a_recording_is_as_old_as_it_was_then(client: Any, world: Any, clock: Any) -> None:
    then = 1_460_000_000_000  # 2016
    world.device("rec", recording=True)
    world.asset("a", devices=("rec",))
    world.tell("rec", 0, (then, Fix(50.1, 4.2)), received=NOON)
    world.tell("rec", 1, (then + 40_000, Values({"battery": 0.8})), received=NOON + 1_000)
    clock.at = NOON + 3_000
    # The recording stands at then + 40 s, and two seconds passed since it was received.
    assert client.get("/v1/assets/a/location").json()["age_s"] == 42.0


def test_newest_observation_decides_whose_clock_runs(client: Any, world: Any, clock: Any) -> None:
    then = NOON - 1_000_000
    world.device("rec", recording=True)
    world.device("live")
    world.asset("a", devices=("rec", "live"))
    world.tell("rec", 0, (then, Fix(50.1, 4.2)))
    assert client.get("/v1/assets/a/location").json()["age_s"] == 0.0
    world.tell("live", 0, (NOON - 5_000, Values({"battery": 0.8})))
    assert client.get("/v1/assets/a/location").json()["age_s"] == 1_000.0


def test_any_year_can_be_written(client: Any, world: Any) -> None:
    world.device("rec", recording=True)
    world.asset("a", devices=("rec",))
    far = -(2**53) + 1
    world.tell("rec", 0, (far, Fix(50.1, 4.2)))
    track = client.get("/v1/assets/a/track", params={"from": far, "to": far + 1}).json()
    assert [place["at"] for place in track["items"]] == ["-283457-03-21T15:00:59.009Z"]
    assert client.get("/v1/assets/a").status_code == 200


def test_a_track_is_cut_by_event_time(client: Any, world: Any) -> None:
    world.device("trk")
    world.asset("a", devices=("trk",))
    for n in range(5):
        world.tell("trk", n, (NOON - 5_000 + n * 1_000, Fix(50.0 + n, 4.2)))

    def lats(**params: Any) -> list[float]:
        answer = client.get("/v1/assets/a/track", params=params)
        assert answer.status_code == 200, answer.text
        return [place["lat"] for place in answer.json()["items"]]

    assert lats() == [50, 51, 52, 53, 54]
    assert lats(**{"from": NOON - 4_000, "to": NOON - 2_000}) == [51, 52]
    assert lats(**{"from": "2026-01-05T12:59:57+01:00"}) == [52, 53, 54]
    assert lats(to="2026-01-05T11:59:57Z") == [50, 51]
    assert lats(**{"from": NOON, "to": NOON}) == []


@pytest.mark.parametrize(
    ("params", "name"),
    [
        ({"from": "yesterday"}, "from"),
        ({"from": "2026-01-05T12:00:00"}, "from"),
        ({"to": "2026-01-05T12:00:00 01:00"}, "to"),
        ({"to": "2026-13-05T12:00:00Z"}, "to"),
        ({"to": str(2**53)}, "to"),
        ({"to": ""}, "to"),
        ({"from": str(NOON), "to": str(NOON - 1)}, "from"),
        ({"limit": "0"}, "limit"),
        ({"limit": "10001"}, "limit"),
        ({"limit": "many"}, "limit"),
    ],
)
def test_bad_values_are_named(client: Any, world: Any, params: Any, name: str) -> None:
    world.asset("a")
    answer = client.get("/v1/assets/a/track", params=params)
    problem = answer.json()
    assert answer.status_code == problem["status"] == 422
    assert problem["type"] == "/problems/bad-value"
    assert [(one["name"], one["at"]) for one in problem["errors"]] == [(name, "query")]
    assert problem["errors"][0]["detail"] in problem["detail"]
