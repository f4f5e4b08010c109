from typing import Any

import pytest
from fastapi import FastAPI
from structlog.testing import capture_logs

from tracker.model import Fix

ROUTES = [
    "/v1/assets",
    "/v1/assets/{asset}",
    "/v1/assets/{asset}/location",
    "/v1/assets/{asset}/track",
    "/v1/devices",
    "/v1/devices/{device}",
    "/v1/dead-letters",
    "/v1/quarantine",
]
OPEN = ["/health/live", "/health/ready", "/metrics"]
CALLERS = [
    (None, 401, "/problems/missing-key"),
    ("", 401, "/problems/missing-key"),
    ("Bearer", 401, "/problems/missing-key"),
    ("Basic cnRyX3JlYWQ=", 401, "/problems/missing-key"),
    ("rtr_read", 401, "/problems/missing-key"),
    ("Bearer rtr_guessed", 401, "/problems/invalid-key"),
    ("Bearer rtr_réad", 401, "/problems/invalid-key"),
    ("Bearer rtr_expired", 401, "/problems/invalid-key"),
    ("Bearer rtr_revoked", 401, "/problems/invalid-key"),
    ("Bearer rtr_scopeless", 403, "/problems/scope-too-small"),
    ("Bearer rtr_read", 200, None),
    ("bearer rtr_read", 200, None),
    ("Bearer rtr_lasting", 200, None),
    ("Bearer rtr_write", 200, None),
    ("Bearer rtr_admin", 200, None),
]


@pytest.fixture
def filled(world: Any) -> None:
    world.device("d")
    world.asset("a", devices=("d",))
    world.tell("d", 0, (1_767_614_400_000, Fix(50.1, 4.2)))


@pytest.mark.usefixtures("filled")
@pytest.mark.parametrize(("header", "status", "type"), CALLERS)
def test_who_may_ask_what(anonymous: Any, header: str | None, status: int, type: str) -> None:
    headers = {} if header is None else {"Authorization": header.encode()}
    for route in ROUTES:
        path = route.format(asset="a", device="d")
        answer = anonymous.get(path, headers=headers)
        assert answer.status_code == status, path
        assert answer.headers["cache-control"] == "no-store"
        if type is not None:
            assert answer.json()["type"] == type
            assert answer.headers["content-type"] == "application/problem+json"
        assert answer.headers.get("www-authenticate", "").startswith("Bearer") == (status == 401)


def test_expired_and_revoked_and_unknown_look_the_same(anonymous: Any) -> None:
    answers = {
        anonymous.get("/v1/assets", headers={"Authorization": f"Bearer rtr_{name}"}).text
        for name in ("guessed", "expired", "revoked")
    }
    assert len(answers) == 1


def test_a_stranger_does_not_learn_what_exists(anonymous: Any, world: Any) -> None:
    world.asset("a")
    headers = {"Authorization": "Bearer rtr_guessed"}
    there = anonymous.get("/v1/assets/a", headers=headers)
    absent = anonymous.get("/v1/assets/b", headers=headers)
    assert there.status_code == absent.status_code == 401


def test_the_tables_above_name_every_route(app: FastAPI) -> None:
    paths = app.openapi()["paths"]
    assert sorted(paths) == sorted(ROUTES + OPEN)
    for path, operations in paths.items():
        for operation in operations.values():
            assert operation.get("security", []) == ([{"key": []}] if path in ROUTES else [])


@pytest.mark.parametrize("path", [*OPEN, "/v1/openapi.json"])
def test_some_routes_need_no_key(anonymous: Any, path: str) -> None:
    assert anonymous.get(path).status_code == 200


def test_the_log_names_the_key_and_not_its_secret(client: Any) -> None:
    with capture_logs() as logs:
        client.get("/v1/assets?limit=1")
    (line,) = logs
    assert "rtr_read" not in str(line)
    assert line.pop("ms") >= 0
    assert line == {
        "event": "request",
        "log_level": "info",
        "method": "GET",
        "path": "/v1/assets",
        "status": 200,
        "key": "k-read",
    }


def test_nobody_writes_their_own_line_into_the_log(anonymous: Any) -> None:
    with capture_logs() as logs:
        anonymous.get("/a%0Ab%1B[2J")
    (line,) = logs
    assert line["path"] == "/a%0Ab%1B%5B2J"
    assert type(line["status"]) is int
