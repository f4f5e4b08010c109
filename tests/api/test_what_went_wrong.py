from base64 import b64decode
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from fastapi import FastAPI

from api import chosen
from tracker.model import Fix, Message, Read, Values

NOON = 1_767_614_400_000
TOO_OLD = NOON // 1000


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


Decoder = Callable[[str, bytes, int, int], Message]


@pytest.fixture
def decode(world: Any) -> Decoder:
    """Reads what begins like a message: as a fix of `trk`, numbered by what comes after."""

    def decode(topic: str, payload: bytes, received: int, first_event: int) -> Message:
        if not payload.startswith(b"fix "):
            raise ValueError("no fix")
        fix = (received - 1, Fix(50.0, 4.0))
        return world.message("trk", int(payload[4:]), fix, received=received)  # type: ignore[no-any-return]

    return decode


def ids(client: Any, path: str, **params: Any) -> list[int]:
    items = client.get(path, params={"limit": 1000, **params}).json()["items"]
    return [item["id"] for item in items]


def outcome(found: int, stored: int, refused: int, next: int | None = None) -> dict[str, Any]:
    return {"found": found, "stored": stored, "refused": refused, "next": next}


def test_dead_letters_are_read_again(writer: Any, world: Any) -> None:
    world.device("trk")
    world.asset("a", devices=("trk",))
    for payload in (b"fix 1", b"{oops", b"fix 2"):
        world.bury(payload)
    newest, oops, oldest = ids(writer, "/v1/dead-letters")
    body = {"ids": [oldest, oops, oldest, 999]}
    assert writer.post("/v1/dead-letters/retry", json=body).json() == outcome(2, 1, 1)
    assert ids(writer, "/v1/dead-letters") == [newest, oops]
    assert writer.get("/v1/assets/a/location").json()["lat"] == 50.0
    assert writer.post("/v1/dead-letters/discard", json=body).json() == outcome(1, 0, 0)
    assert ids(writer, "/v1/dead-letters") == [newest]


def test_receipts_go_out_for_what_was_read_again(writer: Any, world: Any) -> None:
    world.device("trk")
    world.bury(b"fix 0")
    writer.post("/v1/dead-letters/retry", json={"reason": "not_json"})
    with world.store.writing() as tx:
        (waiting,) = tx.outbox(9)
    assert waiting.topic == "retour/v1/trk/receipt"


def test_all_that_match_are_meant(writer: Any, world: Any) -> None:
    world.device("trk")
    world.device("trk-2")
    for n in range(3):
        world.bury(b"{%d" % n)
        world.reject("trk", n)
        world.reject("trk-2", n)
    path = "/v1/dead-letters"
    discarded = writer.post(f"{path}/discard", json={"reason": "bad_event", "device": "trk"})
    assert discarded.json() == outcome(3, 0, 0)
    assert len(ids(writer, path, device="trk-2")) == len(ids(writer, path, reason="not_json")) == 3
    assert writer.post(f"{path}/discard", json={"device": "trk-2"}).json()["found"] == 3
    assert writer.post(f"{path}/discard", json={"reason": "not_json"}).json()["found"] == 3
    assert ids(writer, path) == []


def test_a_great_many_are_dealt_with_call_by_call(
    writer: Any, world: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where all stay as they are, and so match again."""
    monkeypatch.setattr(chosen, "AT_MOST", 4)
    monkeypatch.setattr(chosen, "AT_ONCE", 2)
    for n in range(10):
        world.bury(b"{%d" % n)
    numbers = ids(writer, "/v1/dead-letters")
    body: dict[str, Any] = {"reason": "not_json"}
    answers = []
    while True:
        answers.append(writer.post("/v1/dead-letters/retry", json=body).json())
        if answers[-1]["next"] is None:
            break
        body["before"] = answers[-1]["next"]
    assert answers == [
        outcome(4, 0, 4, numbers[3]),
        outcome(4, 0, 4, numbers[7]),
        outcome(2, 0, 2),
    ]
    assert writer.post("/v1/dead-letters/discard", json={"reason": "no_such"}).json() == outcome(
        0, 0, 0
    )


def test_where_nothing_can_be_read_it_is_said(writer: Any, app: FastAPI, world: Any) -> None:
    app.state.backend = replace(app.state.backend, decode=None)
    world.bury(b"fix 1")
    answer = writer.post("/v1/dead-letters/retry", json={"ids": [1]})
    assert (answer.status_code, answer.json()["type"]) == (501, "/problems/no-decoder")
    with world.store.reading() as reader:
        assert len(reader.dead_letters(None, 9)) == 1


def held(world: Any, n: int = 1) -> None:
    for seq in range(n):
        world.tell("trk", seq, (TOO_OLD, Fix(50.0, 4.0)))


def test_what_is_doubted_is_believed_by_a_person(writer: Any, world: Any) -> None:
    world.device("trk")
    world.asset("a", devices=("trk",))
    held(world, 2)
    first, *_ = ids(writer, "/v1/quarantine")
    assert writer.post("/v1/quarantine/retry", json={"ids": [first]}).json() == outcome(1, 0, 1)
    still, *_ = ids(writer, "/v1/quarantine")
    assert writer.get("/v1/assets/a/location").status_code == 404
    believed = writer.post("/v1/quarantine/believe", json={"ids": [still]})
    assert believed.json() == outcome(1, 1, 0)
    assert writer.get("/v1/assets/a/location").json()["at"] == "1970-01-21T11:00:14.400Z"
    discarded = writer.post("/v1/quarantine/discard", json={"reason": "stamp_too_old"})
    assert discarded.json() == outcome(1, 0, 0)
    assert ids(writer, "/v1/quarantine") == []


def test_a_stranger_is_not_believed(writer: Any, world: Any) -> None:
    world.tell("stranger", 0, (NOON, Fix(50.0, 4.0)))
    body = {"device": "stranger"}
    assert writer.post("/v1/quarantine/believe", json=body).json() == outcome(1, 0, 1)
    assert len(ids(writer, "/v1/quarantine", reason="unknown_device")) == 1


@pytest.mark.parametrize("path", ["/v1/dead-letters", "/v1/quarantine"])
@pytest.mark.parametrize("limit", [1, 2, 5])
def test_filters_hold_on_every_page(client: Any, world: Any, path: str, limit: int) -> None:
    world.device("trk")
    for n in range(3):
        world.reject("trk", 100 + n)
        world.bury(b"{%d" % n)
        held(world, 3)
        world.tell("stranger", n, (NOON, Fix(50.0, 4.0)))
    found, cursor = 0, {}
    while True:
        page = client.get(path, params={"device": "trk", "limit": limit, **cursor}).json()
        found += len(page["items"])
        assert {one.get("device") or one["observation"]["device"] for one in page["items"]} == {
            "trk"
        }
        if page["next"] is None:
            break
        cursor = {"cursor": page["next"]}
        other = client.get(path, params={"device": "other", **cursor})
        assert other.json()["type"] == "/problems/bad-cursor"
    assert found == 3


@pytest.mark.parametrize(
    ("body", "name"),
    [
        ({}, "body"),
        ({"ids": []}, "ids"),
        ({"ids": list(range(1001))}, "ids"),
        ({"ids": [-1]}, "ids.0"),
        ({"ids": [2**63]}, "ids.0"),
        ({"ids": ["a"]}, "ids.0"),
        ({"ids": [1], "reason": "not_json"}, "body"),
        ({"ids": [1], "before": 5}, "body"),
        ({"before": 5}, "body"),
        ({"id": [1]}, "id"),
        ({"reasons": "not_json", "device": "d"}, "reasons"),
    ],
)
@pytest.mark.parametrize("path", ["/v1/dead-letters/discard", "/v1/quarantine/discard"])
def test_it_must_be_said_which(writer: Any, path: str, body: Any, name: str) -> None:
    answer = writer.post(path, json=body)
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["name"] == name


def test_the_audit_log_names_who_decided(writer: Any, world: Any) -> None:
    world.device("trk")
    held(world)
    world.bury(b"{oops")
    writer.post("/v1/quarantine/believe", json={"device": "trk"})
    writer.post("/v1/dead-letters/discard", json={"ids": [1]})
    admin = {"Authorization": "Bearer rtr_admin"}
    for kind, action in (("quarantine", "believe"), ("dead letters", "discard")):
        (line,) = writer.get("/v1/audit", params={"kind": kind}, headers=admin).json()["items"]
        assert (line["action"], line["by"]) == (action, "key write (k-write)")
        assert line["after"] == {"numbers": [1]}
