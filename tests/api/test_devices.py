from typing import Any

import pytest

from tracker.model import Asset, Device, Fix, Values
from tracker.places import Standing
from tracker.registry import register_asset, register_device
from tracker.stamps import StampPolicy

NOON = 1_767_614_400_000


def send(world: Any, device: str, boot: str, *seqs: int, received: int = NOON) -> None:
    for seq in seqs:
        message = world.message(device, seq, received=received)
        world.send(message._replace(boot=boot))


UNHEARD = {
    "name": "",
    "rest_interval_s": None,
    "moving_interval_s": None,
    "power": None,
    "recording": False,
    "last_seen": None,
    "silent": None,
    "battery": None,
    "firmware": None,
    "missing": 0,
    "lost": 0,
}


def test_lists_devices_by_id(client: Any, world: Any) -> None:
    world.device("trk")
    world.device("gate", place=Standing(lat=51.9, lon=4.4, acc=25.0))
    world.device("rec", recording=True)
    world.tell("trk", 0, (NOON - 500, Fix(50.1, 4.2)), received=NOON - 100)
    assert client.get("/v1/devices").json() == {
        "items": [
            {**UNHEARD, "id": "gate", "kind": "reader"},
            {**UNHEARD, "id": "rec", "kind": "tracker", "recording": True},
            {
                **UNHEARD,
                "id": "trk",
                "kind": "tracker",
                "last_seen": "2026-01-05T11:59:59.900Z",
            },
        ],
        "next": None,
    }


def test_shows_what_a_device_reports_of_itself(client: Any, world: Any) -> None:
    world.device("trk")
    world.tell("trk", 0, (NOON - 500, Values({"battery": 0.5, "firmware": "2.4.1"})))
    world.tell("trk", 1, (NOON - 900, Values({"battery": 0.6})))
    shown = client.get("/v1/devices/trk").json()
    at = "2026-01-05T11:59:59.500Z"
    assert shown["battery"] == {"value": 0.5, "at": at}
    assert shown["firmware"] == {"value": "2.4.1", "at": at}


@pytest.mark.parametrize("said", ["low", [0.5], True, 83, "nan", "1e999"])
def test_shows_whatever_a_device_says_of_its_battery(client: Any, world: Any, said: Any) -> None:
    world.device("trk")
    world.tell("trk", 0, (NOON, Values({"battery": said})))
    for shown in (client.get("/v1/devices/trk").json(), *client.get("/v1/devices").json()["items"]):
        assert shown["battery"]["value"] == str(said)


def test_shows_devices_that_the_api_would_not_take(client: Any, world: Any) -> None:
    long = "k" * 100
    with world.store.writing() as tx:
        register_device(tx, Device("odd", long), StampPolicy())
        register_asset(tx, Asset("odd", long))
    assert client.get("/v1/devices/odd").json()["kind"] == long
    assert client.get("/v1/assets/odd").json()["class"] == long


def test_silent_devices_are_found(client: Any, writer: Any, world: Any, clock: Any) -> None:
    for id, interval in (("often", 60), ("seldom", 3600), ("unheard", 60), ("vague", None)):
        writer.put(f"/v1/devices/{id}", json={"rest_interval_s": interval})
        if id != "unheard":
            world.tell(id, 0, (NOON, Fix(50.1, 4.2)))
    clock.at = NOON + 180_001

    def found(**params: Any) -> list[str]:
        return [one["id"] for one in client.get("/v1/devices", params=params).json()["items"]]

    assert found(silent=True) == ["often"]
    assert found(silent=False) == ["seldom", "unheard", "vague"]
    assert found(silent=True, kind="reader") == []
    assert client.get("/v1/devices/often").json()["silent"] is True
    assert client.get("/v1/devices/vague").json()["silent"] is None


def test_a_device_is_registered_and_changed(writer: Any) -> None:
    profile = {"kind": "tracker", "name": "Seven", "rest_interval_s": 3600, "power": "battery"}
    made = writer.put("/v1/devices/trk", json=profile)
    assert (made.status_code, made.headers["etag"]) == (201, '"1"')
    assert made.json() == {**UNHEARD, **profile, "id": "trk", "boots": [], "adopted": 0}
    again = writer.put("/v1/devices/trk", json=profile)
    assert (again.status_code, again.headers["etag"]) == (200, '"1"')
    changed = writer.put("/v1/devices/trk", json={}, headers={"If-Match": '"1"'})
    assert (changed.headers["etag"], changed.json()["name"]) == ('"2"', "")


def test_a_change_of_what_somebody_else_changed_is_refused(writer: Any) -> None:
    writer.put("/v1/devices/trk", json={})
    for headers in ({"If-None-Match": "*"}, {"If-Match": '"2"'}, {"If-Match": 'W/"other"'}):
        answer = writer.put("/v1/devices/trk", json={"name": "x"}, headers=headers)
        assert (answer.status_code, answer.json()["type"]) == (412, "/problems/outdated")
    assert writer.get("/v1/devices/trk").json()["name"] == ""


def test_a_profile_does_not_end_a_recording(writer: Any, world: Any) -> None:
    world.device("rec", recording=True)
    assert writer.put("/v1/devices/rec", json={"name": "old"}).json()["recording"] is True


def test_an_unknown_device_is_listed_and_adopted(writer: Any, world: Any) -> None:
    for seq in range(3):
        world.tell("trk-9", seq, (NOON - seq, Fix(50.1, 4.2)), received=NOON + seq)
    assert writer.get("/v1/devices/unknown").json()["items"] == [
        {
            "id": "trk-9",
            "observations": 3,
            "first": "2026-01-05T12:00:00.000Z",
            "last": "2026-01-05T12:00:00.002Z",
        }
    ]
    adopted = writer.post("/v1/devices/trk-9/adopt")
    assert (adopted.status_code, adopted.json()["adopted"]) == (201, 3)
    assert adopted.json()["boots"][0]["seq"] == 2
    assert writer.get("/v1/devices/unknown").json()["items"] == []
    assert writer.get("/v1/quarantine").json()["items"] == []
    again = writer.post("/v1/devices/trk-9/adopt")
    assert (again.status_code, again.json()["type"]) == (409, "/problems/conflict")


def test_registering_adopts_too(writer: Any, world: Any) -> None:
    world.tell("trk-9", 0, (NOON, Fix(50.1, 4.2)))
    assert writer.put("/v1/devices/trk-9", json={"kind": "reader"}).json()["adopted"] == 1


def test_nothing_is_adopted_that_nothing_is_known_of(writer: Any) -> None:
    answer = writer.post("/v1/devices/trk-9/adopt", json={"kind": "reader"})
    assert (answer.status_code, answer.json()["type"]) == (404, "/problems/unknown-device")
    assert writer.get("/v1/devices").json()["items"] == []


@pytest.mark.parametrize(
    ("body", "name"),
    [
        ({"kind": ""}, "kind"),
        ({"rest_interval_s": 0}, "rest_interval_s"),
        ({"rest_interval_s": "often"}, "rest_interval_s"),
        ({"recording": True}, "recording"),
        ([], "body"),
    ],
)
def test_a_bad_profile_is_refused(writer: Any, body: Any, name: str) -> None:
    answer = writer.put("/v1/devices/trk", json=body)
    assert answer.status_code == 422
    assert [one["name"] for one in answer.json()["errors"]] == [name]
    assert writer.get("/v1/devices/trk").status_code == 404


def test_an_id_that_fits_into_no_topic_is_refused(writer: Any) -> None:
    answer = writer.put("/v1/devices/a+b", json={})
    assert (answer.status_code, answer.json()["type"]) == (409, "/problems/conflict")
    assert "is no device id" in answer.json()["detail"]


def test_shows_what_is_receipted_of_a_device(client: Any, world: Any) -> None:
    world.device("trk")
    send(world, "trk", "old", 0, 1, received=NOON - 2_000)
    lost = world.message("trk", 5, received=NOON - 1_000)._replace(boot="new", first=2)
    world.send(lost)
    send(world, "trk", "new", 0, received=NOON)
    shown = client.get("/v1/devices/trk").json()
    assert shown["last_seen"] == "2026-01-05T12:00:00.000Z"
    assert shown["boots"] == [
        {
            "boot": "new",
            "seq": 5,
            "missing": [{"low": 2, "high": 4}],
            "holes": [{"low": 2, "high": 4, "since": "2026-01-05T11:59:59.000Z"}],
            "lost": [{"low": 1, "high": 1}],
        },
        {"boot": "old", "seq": 1, "missing": [], "holes": [], "lost": []},
    ]


def test_a_receipt_stops_before_the_ninth_hole(client: Any, world: Any) -> None:
    world.device("trk")
    send(world, "trk", "b", *range(0, 40, 2))
    (boot,) = client.get("/v1/devices/trk").json()["boots"]
    assert boot["seq"] == 16
    assert [span["low"] for span in boot["missing"]] == [1, 3, 5, 7, 9, 11, 13, 15]
    assert len(boot["holes"]) == 19


def test_shows_the_ten_newest_boots(client: Any, world: Any) -> None:
    world.device("trk")
    for n in range(12):
        send(world, "trk", f"b{n}", 0, received=NOON + n)
    boots = [boot["boot"] for boot in client.get("/v1/devices/trk").json()["boots"]]
    assert boots == [f"b{n}" for n in range(11, 1, -1)]


@pytest.mark.parametrize("id", ["nobody", "a.b:c"])
def test_an_unknown_device_is_a_problem(client: Any, id: str) -> None:
    answer = client.get(f"/v1/devices/{id}")
    assert (answer.status_code, answer.json()["type"]) == (404, "/problems/unknown-device")
    assert id in answer.json()["detail"]
