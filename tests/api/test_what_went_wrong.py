from base64 import b64decode
from typing import Any

import pytest

from tracker.model import Fix, Read, Values

NOON = 1_767_614_400_000


def test_shows_a_dead_letter(client: Any, world: Any) -> None:
    world.device("trk")
    world.bury(b"{oops", received=NOON - 1)
    world.reject("trk", 7)
    newer, older = client.get("/v1/dead-letters").json()["items"]
    assert older.pop("id") < newer.pop("id")
    assert older == {
        "received": "2026-01-05T11:59:59.999Z",
        "reason": "not_json",
        "detail": "no JSON",
        "topic": "retour/v1/x/events",
        "device": None,
        "boot": None,
        "seq": None,
        "event": None,
        "payload": "{oops",
        "encoding": "utf-8",
        "truncated": False,
        "size": 5,
    }
    assert (newer["device"], newer["boot"], newer["seq"], newer["event"]) == ("trk", "b1", 7, 0)
    assert (newer["reason"], newer["detail"]) == ("bad_event", "at is missing")


@pytest.mark.parametrize(
    ("payload", "shown", "encoding", "truncated"),
    [
        (b"", "", "utf-8", False),
        (b"\x00\x7f", "\x00\x7f", "utf-8", False),
        (b"a" * 4096, "a" * 4096, "utf-8", False),
        (b"a" * 4097, "a" * 4096, "utf-8", True),
        ("ä".encode() * 3000, "ä" * 2048, "utf-8", True),
        (b"a" + "ä".encode() * 3000, "a" + "ä" * 2047, "utf-8", True),
        (b"caf\xc3", b"caf\xc3", "base64", False),
        (b"\xff" * 300_000, b"\xff" * 4096, "base64", True),
    ],
)
def test_a_payload_is_shown_as_far_as_it_can_be(
    client: Any, world: Any, payload: bytes, shown: Any, encoding: str, truncated: bool
) -> None:
    world.bury(payload)
    (letter,) = client.get("/v1/dead-letters").json()["items"]
    found = b64decode(letter["payload"]) if encoding == "base64" else letter["payload"]
    assert found == shown
    assert (letter["encoding"], letter["truncated"]) == (encoding, truncated)
    assert letter["size"] == len(payload)


def test_shows_what_is_in_quarantine(client: Any, world: Any) -> None:
    world.tell("stranger", 3, (NOON - 1_000, Fix(50.1, 4.2, 7.5, extra={"sats": 4})))
    (held,) = client.get("/v1/quarantine").json()["items"]
    assert held["reason"] == "unknown_device"
    assert held["detail"] == "no device stranger is registered"
    assert len(held["observation"].pop("key")) == 32
    assert held["observation"] == {
        "kind": "fix",
        "subject": "stranger",
        "device": "stranger",
        "boot": "b1",
        "seq": 3,
        "event": 0,
        "stamp": "2026-01-05T11:59:59.000Z",
        "at": "2026-01-05T11:59:59.000Z",
        "sent": None,
        "received": "2026-01-05T12:00:00.000Z",
        "what": {"lat": 50.1, "lon": 4.2, "acc": 7.5, "extra": {"sats": 4}},
    }


@pytest.mark.parametrize(
    ("stamp", "shown"),
    [
        (0, "1970-01-01T00:00:00.000Z"),
        (NOON // 1000, "1970-01-21T11:00:14.400Z"),
        (NOON * 1000, "+057983-06-22T00:00:00.000Z"),
        (-(2**53) + 1, "-283457-03-21T15:00:59.009Z"),
        (2**53 - 1, "+287396-10-12T08:59:00.991Z"),
    ],
)
def test_any_stamp_can_be_shown(client: Any, world: Any, stamp: int, shown: str) -> None:
    world.device("trk")
    world.tell("trk", 0, (stamp, Values({"battery": 0.8})), (NOON, Read("tag:E280")))
    (held,) = client.get("/v1/quarantine").json()["items"]
    assert held["observation"]["stamp"] == shown
    assert held["reason"] in ("stamp_too_old", "stamp_in_future")
    assert held["observation"]["what"] == {"battery": 0.8}
