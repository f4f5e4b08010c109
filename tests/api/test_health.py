from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from fastapi import FastAPI

from api.app import create_app
from tests.api.conftest import NOON, StandingClock
from tracker.letters import dead_letter
from tracker.ports import StoreUnavailable
from tracker.stores.log_reads import LogReads


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


class Ticking(StandingClock):
    """Real and domain time stand; waits inside the process pass by hand."""

    ticks = 0.0

    def mono(self) -> float:
        return self.ticks


@pytest.fixture
def watched(store: Any, anonymous: Any) -> Iterator[Any]:
    clock = Ticking()
    with type(anonymous)(create_app(store, clock)) as client:
        yield lambda at: (setattr(clock, "ticks", at), client.get("/health/ready").json())[1]


def test_messages_that_nobody_publishes_ail(store: Any, watched: Any) -> None:
    with store.writing() as tx:
        tx.enqueue("retour/v1/trk-1/receipt", b"1")
    assert watched(0.0)["ready"]
    assert watched(299.0)["ready"]
    assert watched(301.0)["problems"] == [
        "messages have waited for 5 min to be published; does a gateway run?"
    ]


def test_messages_that_are_published_ail_nobody(store: Any, watched: Any) -> None:
    """As long as the oldest is another one at each look, somebody is at work."""
    for at in (0.0, 200.0, 400.0, 600.0):
        with store.writing() as tx:
            tx.sent([message.id for message in tx.outbox(1)])
            tx.enqueue("retour/v1/trk-1/receipt", b"1")
            tx.enqueue("retour/v1/trk-1/receipt", b"2")
        assert watched(at)["ready"]


def test_what_waits_is_told(store: Any, anonymous: Any) -> None:
    with store.writing() as tx:
        tx.enqueue("t", b"1")
        tx.dead_letter([dead_letter(f"t/{n}", b"?", NOON, "not_json", "") for n in range(3)])
        tx.mark_stale({"pallet-1": 0, "pallet-2": 0})
    text = anonymous.get("/metrics").text
    for queue, rows in (("outbox", 1), ("dead_letters", 3), ("stale_assets", 2), ("quarantine", 0)):
        assert f'retour_queue_rows{{queue="{queue}"}} {rows}.0' in text


def test_whoever_asks_often_costs_the_database_little(
    store: Any, watched: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks = []
    queues = LogReads.queues
    monkeypatch.setattr(LogReads, "queues", lambda reader: looks.append(1) or queues(reader))
    for at in (0.0, 1.0, 9.0, 11.0):
        watched(at)
    assert len(looks) == 2
