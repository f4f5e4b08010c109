from typing import Any

import pytest
from fastapi import FastAPI
from structlog.testing import capture_logs

from tracker.model import Fix

ROUTES = [
    "/v1/assets",
    "/v1/assets/a",
    "/v1/assets/a/location",
    "/v1/assets/a/track",
    "/v1/devices",
    "/v1/devices/d",
    "/v1/dead-letters",
    "/v1/quarantine",
    "/v1/recipients",
    "/v1/deliveries",
    "/v1/partners",
    "/v1/leases",
    "/v1/leases.ics",
]
FOR_ADMINS = [("GET", "/v1/audit"), ("GET", "/v1/keys"), ("POST", "/v1/keys")]
FOR_WRITERS = [
    ("POST", f"/v1/{what}/{act}")
    for what, acts in {
        "dead-letters": ("retry", "discard"),
        "quarantine": ("retry", "believe", "discard"),
    }.items()
    for act in acts
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
    for path in ROUTES:
        answer = anonymous.get(path, headers=headers)
        assert answer.status_code == status, path
        if type is not None:
            assert answer.json()["type"] == type
            assert answer.headers["content-type"] == "application/problem+json"
            assert answer.headers["cache-control"] == "no-store"
        assert answer.headers.get("www-authenticate", "").startswith("Bearer") == (status == 401)


@pytest.mark.parametrize(
    ("method", "path", "enough"),
    [
        *((*route, {"write", "admin"}) for route in FOR_WRITERS),
        *((*route, {"admin"}) for route in FOR_ADMINS),
        ("DELETE", "/v1/keys/k-new", {"admin"}),
    ],
)
def test_some_take_a_greater_scope(
    anonymous: Any, world: Any, method: str, path: str, enough: set[str]
) -> None:
    body = {"name": "k", "scopes": ["read"]} if "keys" in path else {"ids": [1]}
    for scope in ("read", "write", "admin", "revoked"):
        headers = {"Authorization": f"Bearer rtr_{scope}"}
        answer = anonymous.request(method, path, headers=headers, json=body)
        if scope == "revoked":
            assert answer.json()["type"] == "/problems/invalid-key"
        elif scope in enough:
            assert answer.status_code in (200, 201, 204, 501)
        else:
            assert answer.json()["type"] == "/problems/scope-too-small"
            assert (scope in answer.json()["detail"]) is False


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


def test_no_route_is_open_by_mistake(app: FastAPI, anonymous: Any) -> None:
    """Whichever routes there are: without a key nothing is answered, with one that is not
    valid, or for reading alone, nothing is changed."""
    for path, operations in app.openapi()["paths"].items():
        for method, operation in operations.items():
            assert operation.get("security", []) == ([] if path in OPEN else [{"key": []}]), path
            if path not in OPEN:
                route = method.upper(), path.replace("{", "").replace("}", "")
                assert refusal(anonymous, *route) == 401
                assert refusal(anonymous, *route, "rtr_guessed") in (401, 422), route
                if method != "get":
                    assert refusal(anonymous, *route, "rtr_read") in (403, 422), route


def refusal(anonymous: Any, method: str, path: str, secret: str | None = None) -> int:
    headers = {"Authorization": f"Bearer {secret}"} if secret else {}
    answer = anonymous.request(method, path, headers=headers)
    assert answer.headers["content-type"] == "application/problem+json"
    status: int = answer.status_code
    return status


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
