from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from fastapi import FastAPI

from api.app import create_app
from tracker.ports import StoreUnavailable


def test_lives_whatever_ails_it(anonymous: Any, app: FastAPI, broken: None) -> None:
    answer = anonymous.get("/health/live")
    assert (answer.status_code, answer.json()) == (200, {"live": True})


def test_is_ready(anonymous: Any) -> None:
    answer = anonymous.get("/health/ready")
    assert (answer.status_code, answer.json()) == (200, {"ready": True, "problems": []})


@pytest.fixture
def broken(store: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    @contextmanager
    def reading() -> Iterator[Any]:
        raise StoreUnavailable("/secret/path: disk I/O error")
        yield

    monkeypatch.setattr(store, "reading", reading)


@pytest.mark.usefixtures("broken")
def test_says_that_the_database_is_away(anonymous: Any) -> None:
    answer = anonymous.get("/health/ready")
    assert answer.status_code == 503
    assert answer.json() == {"ready": False, "problems": ["the database does not answer"]}


def test_says_what_ails_the_other_parts(store: Any, clock: Any, anonymous: Any) -> None:
    app = create_app(store, clock, health=lambda: ["no broker", "batch stuck"])
    with type(anonymous)(app) as client:
        answer = client.get("/health/ready")
    assert answer.status_code == 503
    assert answer.json() == {"ready": False, "problems": ["no broker", "batch stuck"]}


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ("/v1/assets", '{method="GET",route="/v1/assets",status="200"}'),
        ("/v1/assets/m1", '{method="GET",route="/v1/assets/{asset}",status="404"}'),
        ("/nowhere/m2", '{method="GET",route="none",status="404"}'),
    ],
)
def test_counts_by_template(client: Any, path: str, line: str) -> None:
    def counted() -> float:
        lines = client.get("/metrics").text.splitlines()
        start = f"retour_api_requests_total{line} "
        return sum(float(one.removeprefix(start)) for one in lines if one.startswith(start))

    before = counted()
    client.get(path)
    assert counted() == before + 1


def test_no_invented_word_becomes_a_label(client: Any) -> None:
    client.request("BREW", "/v1/assets")
    client.get("/v1/assets/an-id-that-is-no-label")
    text = client.get("/metrics").text
    assert "BREW" not in text
    assert "an-id-that-is-no-label" not in text
    assert 'retour_api_request_seconds_count{route="/v1/assets"}' in text
