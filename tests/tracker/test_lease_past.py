"""A lease as it was known on the way is what was stored then, whatever was agreed about it."""

from datetime import date, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.tracker.test_lease_lines import DAY, NOON, PERIOD, ZONE, at
from tracker.arrange import arrange
from tracker.lease_book import Calendar, save_lease, save_partner
from tracker.lease_lines import Event, UnknownLine, cancel, dispatch, extend, give_back, swap
from tracker.lease_past import as_told
from tracker.lease_terms import Lease as Terms
from tracker.leases import Partner
from tracker.model import Asset
from tracker.places import Site
from tracker.registry import Conflict, save_asset

LINES = [{"id": "1", "asset": "A1"}, {"id": "2", "class": "box"}]
TERMS = {"id": "L1", "customer": "acme", "site": "shop", "timezone": ZONE, "open_days": True}
PARTNER = Partner("acme")
SHOP = Site(id="shop", kind="customer", open_days=("mon", "tue", "wed", "thu", "fri"))
numbers = st.integers(0, 20)


def stated(due, *, ended=None):
    lines = [line | PERIOD | {"due": due.isoformat()} for line in LINES]
    if ended is not None:
        lines[0]["ended"] = {"how": "returned", "at": ended}
    return Terms.model_validate(TERMS | {"lines": lines})


def deeds(n, act, line, days):
    """What may happen to a lease, or be refused: the n-th of it."""
    event = Event("L1", line, NOON + days * DAY // 2 if days < act.now // DAY else None)
    due = date(2026, 1, 20) + timedelta(days=days)
    return (
        lambda tx: extend(tx, act, event, due),
        lambda tx: give_back(tx, act, event),
        lambda tx: cancel(tx, act, event),
        lambda tx: dispatch(tx, act, event, f"B{days % 3}"),
        lambda tx: swap(tx, act, event, f"A{1 + days % 3}"),
        lambda tx: save_lease(tx, stated(due), act),
        lambda tx: save_lease(tx, stated(date(2026, 2, 2)), act),
        lambda tx: save_lease(tx, stated(due, ended=NOON + DAY), act),
    )[n]


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 7), st.sampled_from("123"), numbers), max_size=8))
def test_it_is_told_as_it_was_stored_then(new_database, done):
    db = new_database()
    with db.store.writing() as tx:
        arrange(tx, SHOP)
        for id in ("A1", "A2", "A3"):
            save_asset(tx, Asset(id, "pallet"))
        for id in ("B0", "B1", "B2"):
            save_asset(tx, Asset(id, "box"))
        save_partner(tx, PARTNER, at(0))
    deed = [(5, "1", 13), *done]
    known = {}
    for n, (which, line, days) in enumerate(deed):
        act = at(40 + n)
        try:
            db.do(deeds(which, act, line, days))
        except (Conflict, UnknownLine):
            continue
        known[act.now] = db.ask(lambda tx: tx.lease("L1")).lines
    lease, agreed = db.ask(lambda tx: (tx.lease("L1"), tx.agreements("L1")))
    calendar = Calendar(db.ask(lambda tx: tx.layout().sites()))
    told = {one.recorded: one.lease.lines for one in as_told(lease, agreed, calendar)}
    assert {when: known[when] for when in told} == told
    assert [*told.values()][-1] == lease.lines
    assert {*told} <= {*known}
    db.store.close()
