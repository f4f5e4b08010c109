"""What is overdue, out of every store."""

from datetime import date

import pytest

from tests.tracker import test_stores
from tracker.alerts import Alert, State
from tracker.leases import Lease, Line
from tracker.model import Asset
from tracker.overdue_lines import Sort, overdue_lines

open_store, store = test_stores.open_store, test_stores.store
NOW, DAY = 1_790_000_000_000, 86_400_000
VALUES = [80, None, 7.5, "much", True, 80, 1, 1]
OVER, GONE = 6, 7  # its alert is over; its lease holds its line no longer


@pytest.fixture
def filled(store):
    with store.writing() as tx:
        for n, value in enumerate(VALUES):
            said = {"value": value} if value is not None else {}
            tx.put_asset(Asset(f"A{n}", "cage" if n % 3 else "pallet", attributes=said))
            at = NOW - (n % 4) * DAY
            line = Line(f"L{n}", "1", f"A{n}", None, date(2026, 1, 1), date(2026, 1, 2), 0, at)
            lines = () if n == GONE else (line,)
            tx.put_lease(Lease(f"L{n}", f"c{n % 2}", (), "UTC", lines=lines))
            state = State.RESOLVED if n == OVER else State.SNOOZED if n == 2 else State.OPEN
            about = (f"A{n}", f"L{n}", "1", "overdue", 1, state, "serious", 1)
            tx.save_alerts([Alert(*about, at, at, at, at, why={"p": 0.5 + n % 5 / 10})])
    return store


def found(store, limit=10, **asked):
    with store.reading() as reader:
        return overdue_lines(reader, NOW, limit, **asked)


@pytest.mark.parametrize(
    ("sort", "keys"),
    [
        (Sort.DAYS, [3, 2, 1, 1, 0, 0]),
        (Sort.VALUE, [80, 80, 7.5, None, None, None]),
        (Sort.P, [0.9, 0.8, 0.7, 0.6, 0.5, 0.5]),
    ],
)
def test_the_greatest_comes_first_and_pages_hold_each_once(filled, sort, keys):
    whole = found(filled, sort=sort)
    told = {Sort.DAYS: lambda one: one.days, Sort.VALUE: lambda one: one.worth.value}
    assert [told.get(sort, lambda one: one.p)(one) for one in whole] == keys
    assert {one.asset.id for one in whole} == {f"A{n}" for n in range(6)}
    pages, after = [], None
    while page := found(filled, 2, sort=sort, after=after):
        pages += page
        after = page[-1].place
    assert pages == whole


def test_customer_and_class_choose(filled):
    ids = [sorted(one.asset.id for one in found(filled, **asked)) for asked in CHOICES]
    assert ids == [["A1", "A3", "A5"], ["A0", "A3"], ["A3"], []]


CHOICES = [
    {"customer": "c1"},
    {"class_": "pallet"},
    {"customer": "c1", "class_": "pallet"},
    {"site": "depot"},
]


def test_of_what_was_never_observed_no_stage_is_a_reason(filled):
    (first,) = found(filled, 1)
    assert first.reasons == [
        "Due 3.0 days ago; it is still with the customer at 80 %.",
        "It was due on 2026-01-02, with 24 h of grace, and has not come back since.",
    ]
