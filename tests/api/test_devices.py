from typing import Any

import pytest

from tracker.model import Fix
from tracker.places import Standing

NOON = 1_767_614_400_000


def send(world: Any, device: str, boot: str, *seqs: int, received: int = NOON) -> None:
    for seq in seqs:
        message = world.message(device, seq, received=received)
        world.send(message._replace(boot=boot))


def test_lists_devices_by_id(client: Any, world: Any) -> None:
    world.device("trk")
    world.device("gate", place=Standing(lat=51.9, lon=4.4, acc=25.0))
    world.device("rec", recording=True)
    world.tell("trk", 0, (NOON - 500, Fix(50.1, 4.2)), received=NOON - 100)
    assert client.get("/v1/devices").json() == {
        "items": [
            {
                "id": "gate",
                "kind": "reader",
                "recording": False,
                "place": {"lat": 51.9, "lon": 4.4, "acc": 25.0},
                "last_seen": None,
            },
            {
                "id": "rec",
                "kind": "tracker",
                "recording": True,
                "place": None,
                "last_seen": None,
            },
            {
                "id": "trk",
                "kind": "tracker",
                "recording": False,
                "place": None,
                "last_seen": "2026-01-05T11:59:59.900Z",
            },
        ],
        "next": None,
    }


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
