"""The records of a fleet's figures, out of every store."""

from datetime import date

import pytest

from tests.tracker import test_stores
from tracker import fleet_past
from tracker.alerts import DAY_MS
from tracker.arrange import arrange
from tracker.explain import Explained
from tracker.fleet import Asked, By, fleet_report
from tracker.fleet_past import gather
from tracker.inspection import Inspection, Judged
from tracker.leases import End, Lease, Line, Partner
from tracker.life_ports import Inspected
from tracker.model import Asset
from tracker.places import Site
from tracker.stage import Transition
from tracker.whereabouts import Moment, Visit
from tracker.work import Done, Order

open_store, store = test_stores.open_store, test_stores.store
BEGIN = 1_790_000_000_000
KEY = "0" * 32


def day(n):
    return BEGIN + int(n * DAY_MS)


def told(tx, asset, *stages, was="ready"):
    """What was told of an asset, by day."""
    for stage, at in stages:
        why = Explained("in_use", "lost", 1.0, 1.0, ())
        tx.add_transitions([(asset, Transition(day(at), KEY, stage, was, 0.9, "c", why))])
        was = stage


def visit(tx, asset, site, since, last):
    opened, closed = Moment(day(since), KEY), Moment(day(last + 0.1), KEY)
    stay = Visit(site, day(since), "entered", day(last), day(last + 0.1), "left", opened, closed)
    tx.add_visits([(asset, stay)])


def lease(tx, id, customer, asset, start, due, ended=None):
    at = (date(2026, 1, 1), date(2026, 1, 2), day(start), day(due))
    line = Line(id, "1", asset, None, *at, ended and End(ended[0], day(ended[1])))
    tx.put_lease(Lease(id, customer, (f"at-{customer}",), "UTC", lines=(line,)))


@pytest.fixture
def filled(store, monkeypatch):
    monkeypatch.setattr(fleet_past, "PAGE", 2)
    with store.writing() as tx:
        arrange(tx, Site(id="hub", kind="hub"))
        for partner in ("acme", "bolt"):
            arrange(tx, Site(id=f"at-{partner}", kind="customer"))
            tx.put_partner(Partner(partner, sites=(f"at-{partner}",)))
        for n in range(5):
            tx.put_asset(Asset(f"A{n}", "keg" if n == 4 else "pallet", initial_stage="ready"))
        tx.put_asset(Asset("unseen", "pallet", initial_stage="in_use"))
        # Out for acme on paper long after it was back, and out again for bolt.
        told(tx, "A0", ("outbound", 1), ("in_use", 2), ("received", 12), ("ready", 13))
        told(tx, "A0", ("outbound", 20), ("in_use", 21))
        lease(tx, "L0", "acme", "A0", 1, 10)
        lease(tx, "L1", "bolt", "A0", 20, 40)
        # On no lease: where it stayed longest tells whose it was.
        told(tx, "A1", ("outbound", 1), ("in_use", 2), ("received", 9), ("inspection", 10))
        # A hub is on the way there, however long it stays.
        for site, since, last in (("at-bolt", 2, 3), ("at-acme", 3.2, 5), ("hub", 5.2, 8.8)):
            visit(tx, "A1", site, since, last)
        # Its lines came to nothing; it is told lost after the period.
        told(tx, "A2", ("outbound", 3), ("in_use", 4), ("lost", 35))
        lease(tx, "L2", "acme", "A2", 3, 10, ("cancelled", 2))
        lease(tx, "L3", "acme", "A2", 3, 10, ("swapped", 5))
        told(tx, "A3", ("inspection", 2), ("recycle", 15))
        told(tx, "A4", ("outbound", 5), ("in_use", 6), was="filled")
    return store


def ask(store, *asked, **chosen):
    with store.reading() as reader:
        return gather(reader, *asked, **chosen)


def test_trips_know_to_whom_they_went(filled):
    _, records = ask(filled, None, day(30))
    found = sorted((one.asset, one.dispatched, one.site, one.partner) for one in records.trips)
    assert found == [
        ("A0", day(1), "at-acme", "acme"),
        ("A0", day(20), "at-bolt", "bolt"),
        ("A1", day(1), "at-acme", "acme"),
        ("A2", day(3), "at-acme", "acme"),
        ("A4", day(5), None, None),
    ]


def test_lines_that_came_to_nothing_are_not_overdue(filled):
    _, records = ask(filled, None, day(30))
    lines = sorted((one.partner, one.due, one.returned) for one in records.lines)
    assert lines == [("acme", day(10), day(12)), ("bolt", day(40), None)]


def test_what_happens_after_the_period_is_not_known_at_its_end(filled):
    _, early = ask(filled, None, day(11))
    assert [one.received for one in early.trips if one.asset == "A0"] == [None]
    assert not any(one.retired for one in early.members)
    _, late = ask(filled, None, day(40))
    assert [one.lost for one in late.trips if one.asset == "A2"] == [day(35)]
    assert {one.asset for one in late.members if one.retired} == {"A3"}
    stays = {one.site: one.until for one in ask(filled, None, day(8.05))[1].stays}
    assert stays == {"at-bolt": day(3.1), "at-acme": day(5.1), "hub": None}


def test_a_period_begins_with_the_first_observation_and_who_was_never_seen_is_in_no_figure(filled):
    period, records = ask(filled, None, day(30))
    assert period == (day(1), day(30))
    assert ask(filled, day(-400), day(30))[0] == period
    assert {one.asset for one in records.members} == {f"A{n}" for n in range(5)}
    period, records = ask(filled, day(10), day(30))
    assert period == (day(10), day(30))
    assert sum(one.opening for one in records.members) == 5


def test_of_a_class_alone(filled):
    _, records = ask(filled, None, day(30), class_="keg")
    assert {one.asset for one in (*records.trips, *records.members)} == {"A4"}


def test_what_became_of_assets_is_taken_by_class_and_period(filled):
    """Repairs, and the first inspections after them."""
    with filled.writing() as tx:
        repaired = (("A0", 5, True), ("A1", 6, False), ("A4", 5, False), ("A3", 99, False))
        for asset, at, failed in repaired:
            repair = Order(f"o-{asset}", asset, "repair", day(at - 1), "me", Done())
            tx.put_order(repair._replace(closed=day(at), result="done"))
            judged = Judged("A", failed, ())
            head = (f"i-{asset}", asset, day(at + 1), day(at + 1), "me")
            tx.add_inspection(Inspected(*head, Inspection(), judged, 1, {}))
    with filled.reading() as reader:
        report = fleet_report(reader, Asked(day(30), by=By.CLASS))
    told = {
        group.key: (one.numerator, one.denominator)
        for group in report.groups
        for one in group.figures
        if one.measure.name == "first_pass_yield"
    }
    assert told == {"keg": (1, 1), "pallet": (1, 2)}


def test_by_partner_each_has_its_own_trips(filled):
    with filled.reading() as reader:
        report = fleet_report(reader, Asked(day(30), by=By.PARTNER))
        of_bolt = fleet_report(reader, Asked(day(30), partner="bolt"))
    assert [(one.key, one.curve.sent) for one in report.groups] == [("acme", 3), ("bolt", 1)]
    assert of_bolt.groups[0].figures[:-1] == report.groups[1].figures[:-1]
    assert [one.key for one in report.classes()] == ["keg", "pallet"]
