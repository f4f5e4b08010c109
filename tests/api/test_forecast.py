"""The forecast of late lines by the API: its order, its pages, and what it was learned from."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest

from api.foreseen import FRESH_S, KEPT_S, Foresight
from tracker.audit import PROGRAM
from tracker.facts import state
from tracker.leases import Lease, Line, Partner, ends_at, starts_at
from tracker.model import Asset, Fact
from tracker.registry import save_asset
from tracker.stamps import StampPolicy
from tracker.taught import Taught

NOON = 1_767_614_400_000  # 2026-01-05T12:00:00Z
DAY = 24 * 3_600_000


@pytest.fixture
def leased(world: Any) -> Callable[..., None]:
    """Leases of an asset in use for so many days, due in so many."""

    def given(id: str, gone: int, left: int, customer: str = "acme") -> None:
        today = datetime.fromtimestamp(NOON / 1_000, UTC).date()
        start, due = today - timedelta(days=gone), today + timedelta(days=left)
        times = starts_at(start, "UTC"), ends_at(due, "UTC")
        line = Line(id, "1", id, None, start, due, *times)
        with world.store.writing() as tx:
            tx.put_partner(Partner(customer))
            save_asset(tx, Asset(id, "pallet"), PROGRAM)
            tx.put_lease(Lease(id, customer, ("cust",), "UTC", lines=(line,)))
            fact = Fact(id, "lease_started", id=f"f-{id}")
            at = NOON - gone * DAY
            state(tx, [(fact, at)], StampPolicy(), at)

    return given


def test_a_line_and_what_is_to_be_expected_of_it(client: Any, leased: Any) -> None:
    leased("L1", 20, 5)
    (one,) = client.get("/v1/forecast").json()["items"]
    assert 0.1 < one.pop("p_late") < 0.95
    assert one.pop("back")["earliest"] >= "2026-01-05T12:00:00.000Z"
    assert one.pop("sentence").startswith("In use since 16 December 2025, 12:00 UTC; late from 12 ")
    assert one == {
        "lease": "L1",
        "line": "1",
        "customer": "acme",
        "asset": "L1",
        "due": "2026-01-11T00:00:00.000Z",
        "late_from": "2026-01-12T00:00:00.000Z",
        "stage": "in_use",
        "since": "2025-12-16T12:00:00.000Z",
        "customer_rate": 1.0,
    }


def test_pages_hold_each_line_once_the_likeliest_late_first(
    client: Any, leased: Any, clock: Any
) -> None:
    for n in range(7):
        leased(f"L{n}", 10 + n, 5, customer="acme" if n % 2 else "other")
    leased("M0", 10, 5)  # as likely as L0
    whole = client.get("/v1/forecast").json()
    assert whole["next"] is None
    assert len(whole["items"]) == 8
    likely = [one["p_late"] for one in whole["items"]]
    assert likely == sorted(likely, reverse=True)
    seen, cursor = [], {}
    while True:
        page = client.get("/v1/forecast", params={"limit": 3} | cursor).json()
        seen += page["items"]
        if page["next"] is None:
            break
        cursor = {"cursor": page["next"]}
        clock.at += 3 * DAY // 24  # pages go on from the time of the first one
    assert [one["lease"] for one in seen] == [one["lease"] for one in whole["items"]]
    mine = client.get("/v1/forecast", params={"customer": "acme"}).json()["items"]
    assert {one["lease"] for one in mine} == {"L1", "L3", "L5", "M0"}


def test_a_cursor_is_good_for_its_customer_alone(client: Any, leased: Any) -> None:
    for n in range(3):
        leased(f"L{n}", 10 + n, 5)
    next_ = client.get("/v1/forecast", params={"limit": 1}).json()["next"]
    answer = client.get("/v1/forecast", params={"cursor": next_, "customer": "acme"})
    assert (answer.status_code, answer.json()["type"].rpartition("/")[2]) == (400, "bad-cursor")


def test_what_was_foreseen_is_kept_for_half_a_minute_and_says_of_when_it_is(
    world: Any, leased: Any
) -> None:
    class Clock:
        seconds = 0.0

        def now(self) -> int:
            return NOON + int(1_000 * self.seconds)

        def mono(self) -> float:
            return self.seconds

    def asked(now: int | None = None) -> tuple[int, int]:
        with world.store.reading() as reader:
            found = foresight.of(reader, clock, now)
        return found.now, len(found.lines)

    foresight, clock = Foresight(), cast(Any, Clock())
    leased("L1", 10, 5)
    assert asked() == (NOON, 1)
    leased("L2", 10, 5)
    clock.seconds = FRESH_S - 1
    assert asked() == (NOON, 1)
    clock.seconds = FRESH_S
    assert asked() == (clock.now(), 2)
    assert asked(NOON) == (NOON, 1)  # later pages are of the forecast of the first one
    clock.seconds = KEPT_S
    assert asked(NOON) == (NOON, 2)  # or worked out again, of the same time


def test_there_are_no_lines(client: Any) -> None:
    assert client.get("/v1/forecast").json() == {
        "items": [],
        "next": None,
        "stale": 0,
        "at": "2026-01-05T12:00:00.000Z",
    }


def test_what_lines_teach_is_learned_anew_once_an_hour(world: Any, leased: Any) -> None:
    taught = Taught()
    with world.store.reading() as reader:
        first = taught.by(reader, NOON)
    leased("L1", 40, -10)
    with world.store.reading() as reader:
        assert taught.by(reader, NOON + DAY // 24 - 1) is first
        again = taught.by(reader, NOON + DAY // 24)
    assert again is not first
    assert again.customers.of("acme").late == 1
