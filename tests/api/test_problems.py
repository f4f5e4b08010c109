import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from shutil import rmtree
from typing import Any

import pytest
from fastapi import FastAPI
from structlog.testing import capture_logs

from tracker.ports import StoreUnavailable

KEYS_OF_A_PROBLEM = {"type", "title", "status", "detail", "instance"}


@pytest.mark.parametrize(
    ("method", "path", "status", "type"),
    [
        ("GET", "/v1/nothing", 404, "/problems/not-found"),
        ("GET", "/v1/assets/", 404, "/problems/not-found"),
        ("GET", "/v1/assets/a%2Fb", 404, "/problems/not-found"),
        ("GET", "/docs", 404, "/problems/not-found"),
        ("GET", "/redoc", 404, "/problems/not-found"),
        ("GET", "/v1/devices/x", 404, "/problems/unknown-device"),
        ("GET", "/v1/assets?limit=1001", 422, "/problems/bad-value"),
        ("DELETE", "/v1/audit", 405, "/problems/method-not-allowed"),
        ("PUT", "/v1/keys/k", 405, "/problems/method-not-allowed"),
    ],
)
def test_every_error_is_a_problem(
    client: Any, method: str, path: str, status: int, type: str
) -> None:
    answer = client.request(method, path)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["x-content-type-options"] == "nosniff"
    problem = answer.json()
    assert problem.keys() - {"errors"} == KEYS_OF_A_PROBLEM
    assert (problem["type"], problem["status"]) == (type, status)
    assert problem["instance"] == path.partition("?")[0].replace("%2F", "/")


def test_a_wrong_method_is_told_the_right_one(client: Any) -> None:
    assert client.post("/v1/audit").headers["allow"] == "GET"


def fail_with(app: FastAPI, monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    @contextmanager
    def reading() -> Iterator[Any]:
        raise error
        yield

    monkeypatch.setattr(app.state.backend.store, "reading", reading)


def test_an_absent_store_is_tried_again_later(
    client: Any, app: FastAPI, monkeypatch: pytest.MonkeyPatch
) -> None:
    fail_with(app, monkeypatch, StoreUnavailable("/secret/path: locked"))
    with capture_logs() as logs:
        answer = client.get("/v1/assets")
    assert answer.status_code == 503
    assert answer.headers["retry-after"] == "5"
    assert answer.json()["type"] == "/problems/store-unavailable"
    assert "secret" not in answer.text
    assert any(line.get("error") == "/secret/path: locked" for line in logs)


def test_a_fault_is_logged_and_not_shown(
    client: Any, app: FastAPI, monkeypatch: pytest.MonkeyPatch
) -> None:
    fail_with(app, monkeypatch, ZeroDivisionError("the secret of it"))
    with capture_logs() as logs:
        answer = client.get("/v1/assets")
    assert answer.status_code == answer.json()["status"] == 500
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["type"] == "/problems/internal-error"
    assert "secret" not in answer.text
    assert "Traceback" not in answer.text
    assert [line["event"] for line in logs] == ["request failed", "request"]
    assert logs[0]["exc_info"] is True


def test_a_broken_database_is_no_trace_back(client: Any, world: Any) -> None:
    with sqlite3.connect(world.store.path) as db:
        db.execute("DROP TABLE assets")
    db.close()
    answer = client.get("/v1/assets")
    assert answer.status_code == 503
    assert str(world.store.path) not in answer.text


def test_a_vanished_database_is_no_fault_of_the_server(client: Any, world: Any) -> None:
    world.store.close()
    rmtree(world.store.path.parent)
    assert client.get("/v1/assets").status_code == 503
    assert client.get("/health/ready").json()["problems"] == ["the database does not answer"]
