"""Which lines are told to be late: by facts alone, on a real database."""

from datetime import UTC, datetime, timedelta

import pytest

from tracker.audit import PROGRAM
from tracker.facts import state
from tracker.late_lines import Learned, late_lines, learn
from tracker.leases import End, Lease, Line, ends_at, starts_at
from tracker.model import Asset, Fact
from tracker.registry import save_asset

HOUR = 3_600_000
DAY = 24 * HOUR
FIRST = datetime(2026, 1, 5, tzinfo=UTC)
START = round(FIRST.timestamp() * 1_000)
OUT = (("dispatched", 1), ("lease_started", 12))


class Desk:
    """Leases of 26 days from the first day on, and what people tell of their assets."""

    def __init__(self, db, policy):
        self._db, self._policy, self._told = db, policy, 0

    def lease(self, id, *facts, customer="acme", days=26, begins=0, asset="", ended=None):
        """A lease of one asset, of which facts are told, each some hours after the first day."""
        asset = id if asset == "" else asset
        start = (FIRST + timedelta(days=begins)).date()
        due = start + timedelta(days=days - 1)
        times = (starts_at(start, "UTC"), ends_at(due, "UTC"))
        line = Line(id, "1", asset, "pallet" if asset is None else None, start, due, *times, ended)
        with self._db.store.writing() as tx:
            if asset is not None:
                save_asset(tx, Asset(asset, "pallet", initial_stage="ready"), PROGRAM)
            tx.put_lease(Lease(id, customer, ("site",), "UTC", lines=(line,)))
        for kind, hours in facts:
            self._told += 1
            at = START + round(hours * HOUR)
            with self._db.store.writing() as tx:
                state(tx, [(Fact(asset, kind, id=f"f-{self._told}"), at)], self._policy, at)

    def late(self, day, taught=None, **options):
        """The lines under way at the end of a day."""
        now = START + day * DAY
        with self._db.store.reading() as tx:
            return late_lines(tx, now, learn(tx, now) if taught is None else taught, **options)


@pytest.fixture
def desk(db, make):
    return Desk(db, make.POLICY)


def names(found):
    return [one.line.lease for one in found]


def test_lines_under_way_are_told_the_likeliest_late_first(desk):
    desk.lease("use", *OUT)
    desk.lease("asked", *OUT, ("return_requested", 24 * 19))
    desk.lease("road", *OUT, ("collected", 24 * 20 - 6))
    desk.lease("long", *OUT, days=60)
    found = desk.late(20, Learned())
    assert {*names(found[:1])} == {"use"}
    p = {one.line.lease: one.p for one in found}
    assert p["use"] > p["asked"] > p["road"]
    assert [one.p for one in found] == sorted(p.values(), reverse=True)
    assert {one.line.lease: one.stage for one in found} == {
        "use": "in_use",
        "asked": "return_requested",
        "road": "return_transit",
        "long": "in_use",
    }
    for one in found:
        low, middle, high = one.back
        assert low is not None
        assert one.now <= low <= (middle or 2**63) <= (high or 2**63)


def test_lines_that_are_over_or_not_begun_or_nobodys_are_left_out(desk):
    desk.lease("use", *OUT)
    desk.lease("back", *OUT, ("received", 24 * 10))
    desk.lease("paper", *OUT, ended=End("returned", START + 10 * DAY))
    desk.lease("later", begins=30)
    desk.lease("any", asset=None)
    assert names(desk.late(20)) == ["use"]
    assert names(desk.late(20, customer="acme")) == ["use"]
    assert names(desk.late(20, customer="other")) == []


def test_an_asset_that_is_still_to_go_out_is_later_than_one_in_use(desk):
    desk.lease("use", *OUT)
    desk.lease("unseen")
    found = {one.line.lease: one for one in desk.late(1, Learned())}
    assert found["unseen"].p > found["use"].p
    assert found["unseen"].since is None


def test_past_its_deadline_a_line_is_late(desk):
    desk.lease("use", *OUT)
    (one,) = desk.late(28, Learned())
    assert one.p > 0.8


def test_a_customer_that_was_late_is_expected_to_be(desk):
    for n in range(8):
        desk.lease(f"late-{n}", *OUT, ("received", 24 * 40), customer="tardy")
        desk.lease(f"in-time-{n}", *OUT, ("received", 24 * 15), customer="prompt")
    for customer in ("tardy", "prompt", "new"):
        desk.lease(customer, ("dispatched", 24 * 45), begins=45, customer=customer)
    found = {one.line.lease: one for one in desk.late(60)}
    assert found["tardy"].p > found["new"].p > found["prompt"].p
    assert found["tardy"].customer.mean > 1.5 > 1.0 > found["prompt"].customer.mean
    assert found["new"].customer.mean == 1.0
    assert "8 of 8 lines of tardy that fell due were late" in found["tardy"].sentence
    assert "that fell due" not in found["new"].sentence


def test_the_sentence_says_what_is_known_when_it_is_late_and_when_it_comes(desk):
    desk.lease("road", *OUT, ("collected", 24 * 20 - 6))
    (one,) = desk.late(20, Learned())
    assert one.sentence == (
        "Return transit since 24 January 2026, 18:00 UTC; late from 1 February 2026, 00:00 UTC "
        "on, probably back by 08:00 UTC"
    )


def test_what_came_to_nothing_and_what_is_still_to_come_teach_nothing(desk):
    desk.lease("use", *OUT)
    before = desk.late(20)
    desk.lease("cancelled", *OUT, ended=End("cancelled", START + 2 * DAY))
    desk.lease("swapped", *OUT, ended=End("swapped", START + 2 * DAY))
    desk.lease("later", *OUT, begins=30)
    assert [one.p for one in desk.late(20)] == [one.p for one in before]
    desk.lease("returned", *OUT, ended=End("returned", START + 2 * DAY))
    assert [one.p for one in desk.late(20)] != [one.p for one in before]
