"""What a database has recorded happens once more, under other rules, on both stores."""

from datetime import date

import pytest

from tests.tracker import test_stores
from tracker.arrange import arrange
from tracker.audit import Act
from tracker.facts import state
from tracker.lease_book import save_lease, save_partner
from tracker.lease_lines import Event, extend, give_back
from tracker.lease_terms import Lease as Terms
from tracker.leases import HOUR_MS, Partner
from tracker.model import Asset, Device, Fact
from tracker.places import Site
from tracker.raised import paired, raised
from tracker.refold import ALWAYS, tell_present
from tracker.registry import Unregistered, bind_device, register_asset, register_device
from tracker.rehearsal import EmptyLog, rehearse
from tracker.rules import read_rules, shipped
from tracker.stamps import StampPolicy
from tracker.stores import schema
from tracker.stores.sqlite import SqliteStore
from tracker.trim import trim
from tracker.watching import look_at_due

open_store = test_stores.open_store
POLICY = StampPolicy()
DAY = 24 * HOUR_MS
NOON = 1_767_614_400_000  # 2026-01-05T12:00:00Z
MIDNIGHT = NOON + 12 * HOUR_MS
DEADLINE = MIDNIGHT + 2 * DAY + HOUR_MS  # due on the 7th, an hour of grace
END = NOON + 7 * DAY
LATE = read_rules("rules: [{id: overdue, kind: overdue, hold: 30 h, ladder: [3 d]}]")


@pytest.fixture
def db(open_store, database_of):
    """Three pallets are out until the 7th. A1 is given back two days late, of A2 it is told a day
    late that it was extended, A0 stays; and somebody looks once an hour."""
    store = open_store()
    db = database_of(store)
    with store.writing() as tx:
        arrange(tx, Site(id="depot", kind="depot"))
        arrange(tx, Site(id="cust-1", kind="customer"))
        save_partner(tx, Partner("acme", sites=("cust-1",)), at(NOON))
        for n in range(3):
            register_device(tx, Device(f"trk-{n}", "tracker"), POLICY)
            register_asset(tx, Asset(f"A{n}", "pallet", initial_stage="in_use"))
            bind_device(tx, f"A{n}", f"trk-{n}")
    told = {
        NOON: [lambda tx: [save_lease(tx, lease(n), at(NOON)) for n in range(3)]],
        NOON + HOUR_MS: [lambda tx, n=n: tell(tx, n, "lease_started", NOON) for n in range(3)],
        NOON + 3 * DAY: [lambda tx: extend(tx, at(NOON + 3 * DAY), event(2), DUE_LATER)],
        NOON + 4 * DAY: [
            lambda tx: tell(tx, 1, "received", NOON + 4 * DAY),
            lambda tx: give_back(tx, at(NOON + 4 * DAY), event(1)),
        ],
    }
    with store.writing() as tx:
        for now in range(NOON, END, HOUR_MS):
            for one in told.get(now, ()):
                one(tx)
            tell_present(tx, dict.fromkeys(["A0", "A1", "A2"], now), now)
            look_at_due(tx, now, 100)
    yield db
    store.close()


DUE_LATER = date(2026, 2, 20)


def at(now):
    return Act("me", now, now)


def event(n):
    return Event(f"L{n}", "1")


def lease(n):
    line = {"asset": f"A{n}", "from": "2026-01-05", "due": "2026-01-07"}
    terms = {"id": f"L{n}", "customer": "acme", "site": "cust-1", "timezone": "UTC", "grace_h": 1}
    return Terms.model_validate(terms | {"lines": [line]})


def tell(tx, n, kind, when):
    fact = Fact(f"A{n}", kind, id=f"{kind}-{n}")
    state(tx, [(fact, when)], POLICY, max(when, NOON + HOUR_MS))


@pytest.fixture
def stage(tmp_path):
    made = SqliteStore(tmp_path / "stage.db")
    yield made
    made.close()


def tried(db, stage, rules, since=ALWAYS, until=END):
    """The alerts that rules raise, beside those that were."""
    rehearse(db.store, stage, rules, until)
    with stage.reading() as one, db.store.reading() as other:
        return paired(raised(one, since, until), raised(other, since, until))


def brief(alert):
    return alert and (alert.asset, alert.opened, alert.level, alert.resolution)


def within(ms, one, other):
    """Whether two alerts are the same, but for when exactly somebody looked."""
    same = one and other and one.id == other.id and one.resolution == other.resolution
    return same and abs(one.opened - other.opened) <= ms and abs(one.changed - other.changed) <= ms


def test_the_rules_in_force_raise_what_they_raised(db, stage):
    pairs = tried(db, stage, shipped())
    overdue = [pair for pair in pairs if pair.alert.rule == "overdue"]
    assert {brief(pair.one) for pair in overdue} == {
        ("A0", DEADLINE, 2, None),
        ("A1", DEADLINE, 1, "returned"),
        ("A2", DEADLINE, 1, "extended"),
    }
    assert all(within(HOUR_MS, one, other) for one, other in pairs)


def test_other_rules_would_have_raised_others(db, stage):
    pairs = [pair for pair in tried(db, stage, LATE) if pair.alert.rule == "overdue"]
    assert {(brief(pair.one), pair.alert.asset) for pair in pairs} == {
        (("A0", DEADLINE + 30 * HOUR_MS, 2, None), "A0"),
        (("A1", DEADLINE + 30 * HOUR_MS, 1, "returned"), "A1"),
        (None, "A2"),  # it was told in time that it was extended
    }
    assert all(pair.other is not None for pair in pairs)


def test_only_what_is_opened_in_the_time_is_told(db, stage):
    pairs = tried(db, stage, LATE, DEADLINE + 1, DEADLINE + 40 * HOUR_MS)
    assert {(one.asset, one.over, other) for one, other in pairs} == {
        ("A0", False, None),
        ("A1", True, None),
    }


def test_nothing_is_written(db, stage):
    before = everything(db)
    tried(db, stage, LATE)
    assert everything(db) == before


def everything(db):
    with db.store.reading() as tx:
        tables = schema.metadata.sorted_tables
        return {one.name: tx.connection.execute(one.select()).all() for one in tables}


def test_where_the_log_was_trimmed_it_begins_with_what_was_believed_there(db, stage):
    before = tried(db, stage, LATE)
    db.do(trim, NOON + DAY, at(END))
    other = SqliteStore(stage.path.with_name("other.db"))
    try:
        assert tried(db, other, LATE) == before
    finally:
        other.close()


def test_an_empty_log_and_a_site_that_there_is_not_are_refused(new_database, db, stage):
    empty = new_database()
    with pytest.raises(EmptyLog):
        rehearse(empty.store, stage, LATE, END)
    empty.store.close()
    unknown = read_rules("rules: [{id: r, kind: forbidden_site, sites: [moon]}]")
    with pytest.raises(Unregistered, match="there is no site moon"):
        rehearse(db.store, stage, unknown, END)
