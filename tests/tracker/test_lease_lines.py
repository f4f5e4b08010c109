"""What happens to lines of leases: extended, dispatched, swapped, handed on, and ended."""

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracker.arrange import arrange
from tracker.audit import Act
from tracker.lease_book import BadLease, save_lease, save_partner
from tracker.lease_lines import (
    Event,
    UnknownLine,
    cancel,
    dispatch,
    extend,
    extended_due,
    give_back,
    hand_over,
    swap,
)
from tracker.lease_terms import Lease as Terms
from tracker.leases import Agreement, End, Partner, ends_at, starts_at
from tracker.model import Asset
from tracker.places import Site
from tracker.queries import UnknownLease
from tracker.registry import Conflict, Outdated, Unregistered, save_asset

NOON = 1_767_614_400_000  # 2026-01-05T12:00:00Z
DAY = 86_400_000
ZONE = "Europe/Amsterdam"
PERIOD = {"from": "2026-01-05", "due": "2026-02-02"}


def at(days):
    """The act of somebody so many days later."""
    return Act("me", NOON + days * DAY, NOON + 1)


@pytest.fixture
def leased(db):
    """An order of two pallets, and any one box."""
    lines = [{"asset": "A1"}, {"asset": "A2"}, {"class": "box"}]
    terms = {"id": "L1", "customer": "acme", "site": "shop", "timezone": ZONE}
    terms["lines"] = [line | PERIOD for line in lines]
    with db.store.writing() as tx:
        for id in ("shop", "depot", "dock"):
            arrange(tx, Site(id=id))
        for id, kind in (("A1", "pallet"), ("A2", "pallet"), ("A3", "pallet"), ("B1", "box")):
            save_asset(tx, Asset(id, kind))
        for id in ("acme", "bolt"):
            save_partner(tx, Partner(id), at(0))
        save_lease(tx, Terms.model_validate(terms), at(0))
        tx.set_timers(dict.fromkeys(("A1", "A2", "A3", "B1")))
    return db


def line(db, id="1"):
    return next(one for one in db.ask(lambda tx: tx.lease("L1")).lines if one.id == id)


def last_agreed(db):
    return db.ask(lambda tx: tx.agreements("L1"))[-1]


def timers(db):
    return db.ask(lambda tx: tx.timers_of(["A1", "A2", "A3", "B1"]))


def last_audited(db):
    return db.ask(lambda tx: tx.changes(None, 1))[0][1]


class TestExtend:
    def test_it_is_due_later_and_looked_at_again(self, leased):
        event = Event("L1", "1", NOON + DAY, "they asked")
        lease = leased.do(extend, at(2), event, date(2026, 3, 2))
        assert lease == leased.ask(lambda tx: tx.lease("L1"))
        assert lease.version == 2
        assert line(leased).due_at == ends_at(date(2026, 3, 2), ZONE)
        assert line(leased, "2").due == date(2026, 2, 2)
        assert last_agreed(leased) == Agreement(
            "L1",
            "1",
            "extended",
            NOON + DAY,
            NOON + 2 * DAY,
            "me",
            {"due": "2026-03-02", "note": "they asked"},
        )
        assert timers(leased) == {"A1": NOON + 2 * DAY}
        told = last_audited(leased)
        assert (told.action, told.subject) == ("extend", "L1")
        assert [one["due"] for one in told.after["lines"]] == ["2026-03-02"]

    def test_the_one_that_was_agreed_last_holds_whichever_is_known_last(self, leased):
        leased.do(extend, at(5), Event("L1", "1", NOON + 4 * DAY), date(2026, 3, 9))
        leased.do(extend, at(6), Event("L1", "1", NOON + 3 * DAY), date(2026, 4, 1))
        assert line(leased).due == date(2026, 3, 9)
        leased.do(extend, at(7), Event("L1", "1", NOON + 4 * DAY), date(2026, 3, 11))
        assert line(leased).due == date(2026, 3, 11)
        kinds = [one.kind for one in leased.ask(lambda tx: tx.agreements("L1"))]
        assert kinds == ["leased"] * 3 + ["extended"] * 3

    def test_not_to_before_it_begins_nor_once_it_is_closed(self, leased):
        with pytest.raises(BadLease, match="begins on 2026-01-05: it cannot be due on 2026-01-04"):
            leased.do(extend, at(1), Event("L1", "1"), date(2026, 1, 4))
        leased.do(give_back, at(1), Event("L1", "1"))
        with pytest.raises(Conflict, match="has ended: it was returned at 2026-01-06T12:00:00"):
            leased.do(extend, at(2), Event("L1", "1"), date(2026, 3, 2))

    @given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 90)), min_size=1, max_size=8))
    def test_order_of_arrival_does_not_matter_but_for_ties(self, told):
        day = date(2026, 1, 5)
        agreed = [
            Agreement("L", "1", "extended", at, 0, "", {"due": str(day + timedelta(days=n))})
            for at, n in told
        ]
        sound = sorted(agreed, key=lambda one: one.at)  # stable: ties stay in their order
        assert extended_due(agreed, "1") == extended_due(sound, "1")
        assert str(extended_due(agreed, "1")) == sound[-1].body["due"]


class TestEnds:
    def test_part_of_an_order_comes_back_early_and_to_another_depot(self, leased):
        leased.do(give_back, at(9), Event("L1", "2", NOON + 8 * DAY), "dock")
        assert line(leased, "2").ended == End("returned", NOON + 8 * DAY)
        assert line(leased, "1").ended is None
        assert last_agreed(leased)[1:4] == ("2", "returned", NOON + 8 * DAY)
        assert last_agreed(leased).body == {"to": "dock"}
        assert timers(leased) == {"A2": NOON + 9 * DAY}
        assert leased.ask(lambda tx: tx.lease("L1")).returned == (1, 3)

    def test_a_line_is_cancelled(self, leased):
        leased.do(cancel, at(1), Event("L1", "3", note="not needed"))
        assert line(leased, "3").ended == End("cancelled", NOON + DAY)
        assert last_agreed(leased).body == {"note": "not needed"}
        assert leased.ask(lambda tx: tx.lease("L1")).returned == (0, 2)

    @pytest.mark.parametrize(
        ("event", "to", "error", "told"),
        [
            (Event("L9", "1"), None, UnknownLease, "there is no lease L9"),
            (Event("L1", "9"), None, UnknownLine, "lease L1 has no line 9"),
            (Event("L1", "1", expected=7), None, Outdated, "at version 1 now"),
            (Event("L1", "3"), None, Conflict, "line 3 has no asset yet"),
            (Event("L1", "1"), "moon", Unregistered, "there is no site moon"),
            (Event("L1", "1", NOON - DAY), None, BadLease, "cannot have come back at 2026-01-04"),
            (Event("L1", "1", NOON + 2 * DAY), None, BadLease, "lies in the future"),
        ],
    )
    def test_what_is_refused_leaves_no_trace(self, leased, event, to, error, told):
        before = leased.ask(lambda tx: (tx.lease("L1"), tx.agreements("L1")))
        with pytest.raises(error, match=told):
            leased.do(give_back, at(1), event, to)
        assert leased.ask(lambda tx: (tx.lease("L1"), tx.agreements("L1"))) == before
        assert timers(leased) == {}


class TestAssets:
    def test_any_one_of_a_class_becomes_the_one_that_is_dispatched(self, leased):
        leased.do(dispatch, at(1), Event("L1", "3"), "B1")
        assert (line(leased, "3").asset, line(leased, "3").class_) == ("B1", "box")
        assert (last_agreed(leased).kind, last_agreed(leased).body) == (
            "dispatched",
            {"asset": "B1"},
        )
        assert timers(leased) == {"B1": NOON + DAY}

    def test_that_its_own_is_dispatched_is_agreed_too(self, leased):
        leased.do(dispatch, at(1), Event("L1", "1"), "A1")
        assert line(leased).asset == "A1"
        assert last_agreed(leased).kind == "dispatched"

    def test_a_line_gets_another_asset(self, leased):
        lease = leased.do(swap, at(9), Event("L1", "1"), "A3")
        assert line(leased, "1").ended == End("swapped", NOON + 9 * DAY)
        new = line(leased, "4")
        assert (new.asset, new.start, new.due) == ("A3", date(2026, 1, 14), date(2026, 2, 2))
        assert new.start_at == starts_at(date(2026, 1, 14), ZONE)
        assert last_agreed(leased).body == {"asset": "A3", "line": "4"}
        assert timers(leased) == dict.fromkeys(["A1", "A3"], NOON + 9 * DAY)
        assert lease.returned == (0, 3)

    def test_one_that_is_swapped_when_it_is_over_is_due_at_once(self, leased):
        leased.do(swap, at(60), Event("L1", "1"), "A3")
        new = line(leased, "4")
        assert new.start == new.due == date(2026, 3, 6)

    @pytest.mark.parametrize(
        ("change", "own", "asset", "error", "told"),
        [
            (dispatch, "1", "A3", Conflict, "line 1 has the asset A1: swap it"),
            (dispatch, "3", "A3", Conflict, "line 3 is for a box: asset A3 is a pallet"),
            (dispatch, "3", "B9", Unregistered, "there is no asset B9"),
            (swap, "1", "A1", Conflict, "has the asset A1 already"),
            (swap, "1", "A2", Conflict, "A2 is on lease L1, line 2"),
            (swap, "3", "B1", Conflict, "line 3 has no asset yet"),
        ],
    )
    def test_what_is_refused(self, leased, change, own, asset, error, told):
        with pytest.raises(error, match=told):
            leased.do(change, at(1), Event("L1", own), asset)
        assert timers(leased) == {}


class TestHandOver:
    def test_who_takes_it_over_may_have_it_from_then_on(self, leased):
        event = Event("L1", "1", NOON + DAY)
        lease = leased.do(hand_over, at(2), event, "bolt", "dock", "J. Doe")
        assert lease.consignees == ("bolt",)
        assert last_agreed(leased)[1:4] == ("1", "handed_over", NOON + DAY)
        assert last_agreed(leased).body == {"to": "bolt", "site": "dock", "signed": "J. Doe"}
        assert timers(leased) == dict.fromkeys(["A1", "A2"], NOON + 2 * DAY)

    def test_once_and_again(self, leased):
        for _ in range(2):
            lease = leased.do(hand_over, at(1), Event("L1", "1"), "bolt", None, None)
        assert lease.consignees == ("bolt",)

    @pytest.mark.parametrize(("to", "site"), [("nobody", None), ("bolt", "moon")])
    def test_what_is_not_registered_is_refused(self, leased, to, site):
        with pytest.raises(Unregistered, match="there is no"):
            leased.do(hand_over, at(1), Event("L1", "1"), to, site, None)
