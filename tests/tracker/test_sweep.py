"""What time alone makes of stages: found in bulk, told exactly, taken back by what comes."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.sweeping import Sweep
from tracker.arrange import arrange
from tracker.chain import Chain
from tracker.clocks import ReplayClock
from tracker.facts import fact_of, state
from tracker.filter import Powers, predict_each
from tracker.model import Asset
from tracker.news import BY_TIME
from tracker.places import Reader, Site, Zone
from tracker.process import shipped
from tracker.registry import bind_tag, register_asset
from tracker.stage import Transition
from tracker.stages import stage_of, timeline
from tracker.stores.postgresql import PostgresqlStore
from tracker.stores.sqlite import SqliteStore
from tracker.sweep import predicted
from tracker.verify import verify

STORES = ["sqlite", pytest.param("postgresql", marks=pytest.mark.system)]
HOUR = 3_600_000
CHAIN = Chain(shipped()["pallet-pool"], tracked=True)
POWERS = Powers(CHAIN.rates)


@given(st.lists(st.integers(0, 2**23), min_size=1, max_size=5))
def test_the_rough_look_is_nearly_the_exact_one(ticks):
    rows = np.concatenate([CHAIN.start(stage) for stage in CHAIN.stages[: len(ticks)]])
    rough = predicted(POWERS, rows.astype(np.float32), np.array(ticks))
    assert np.abs(rough - predict_each(POWERS, rows, ticks)).max() < 1e-3


@pytest.fixture(params=STORES)
def db(request, tmp_path, database_of):
    if request.param == "sqlite":
        store = SqliteStore(tmp_path / "retour.db")
    else:
        store = PostgresqlStore(request.getfixturevalue("new_postgresql")())
    yield database_of(store)
    store.close()


@pytest.fixture
def dispatched(db, make):
    """An asset that is on its way out, with a tracker that has spoken."""
    db.register("trk-1", asset="A1", rest_interval_s=21_600, moving_interval_s=3_600)
    facts = [{"id": "f", "asset": "A1", "kind": "dispatched", "at": make.NOW}]
    db.record(make.message(make.fix(make.NOW - 2)))
    db.do(state, [fact_of(fact) for fact in facts], make.POLICY, make.NOW)
    return db


@pytest.fixture
def lost(dispatched, make):
    """Two assets that time alone tells to be lost; they are heard of again at this time."""
    db = dispatched
    db.register("trk-2", asset="A2", rest_interval_s=21_600, moving_interval_s=3_600)
    db.record(make.message(make.fix(make.NOW - 2), device="trk-2"))
    fact = {"id": "f-2", "asset": "A2", "kind": "dispatched", "at": make.NOW}
    db.do(state, [fact_of(fact)], make.POLICY, make.NOW)
    for days in (40, 80, 119):
        sweep(db, make.NOW + 24 * days * HOUR)
    return make.NOW + 120 * 24 * HOUR


def told(db):
    return db.ask(lambda tx: tx.presents(["A1"]))["A1"].told


def lines(db):
    found = (line.entry for line in db.journal("A1") if line.entry.about == BY_TIME)
    return [(entry.kind, entry.body["stage"]) for entry in found]


def sweep(db, at):
    Sweep(db.store, ReplayClock(at)).turn()


def test_nothing_is_told_before_time_has_passed(dispatched, make):
    before = told(dispatched)
    sweep(dispatched, make.NOW + 1)
    assert (told(dispatched), lines(dispatched)) == (before, [])


def test_time_alone_tells_a_stage_and_what_comes_takes_it_back(dispatched, make):
    assert told(dispatched).stage == "outbound"
    for days in range(1, 120):
        sweep(dispatched, make.NOW + 24 * days * HOUR)
    assert told(dispatched).stage == "lost"
    assert ("stage.changed", "lost") in lines(dispatched)
    at = make.NOW + 120 * 24 * HOUR
    found = {"id": "g", "asset": "A1", "kind": "received", "at": at}
    dispatched.do(state, [fact_of(found)], make.POLICY, at)
    assert told(dispatched).stage != "lost"
    assert lines(dispatched)[-1][0] == "stage.corrected"
    assert dispatched.ask(verify).sound


def test_a_stage_is_told_since_it_is_true_and_not_since_somebody_looked(dispatched, make):
    for days in range(1, 80):
        sweep(dispatched, make.NOW + 24 * days * HOUR)
    often = told(dispatched)
    first = next(day for day in range(1, 80) if make.NOW + 24 * day * HOUR >= often.since)
    told_by_time = [one.what for one in dispatched.ask(timeline, "A1", None, 100)]
    assert often.stage in [one.stage for one in told_by_time if isinstance(one, Transition)]
    assert make.NOW + 24 * (first - 1) * HOUR < often.since
    status = dispatched.ask(stage_of, "A1", make.NOW + 24 * 80 * HOUR)
    assert (status.told.stage, status.told.since) == (often.stage, often.since)
    late = dispatched.ask(stage_of, "A1", make.NOW, make.NOW + 24 * 80 * HOUR)
    assert (late.told.stage, late.told.since) == (often.stage, often.since)


def test_that_nothing_is_certain_any_more_stands_in_the_journal(db, make):
    db.register("rdr-1")
    with db.store.writing() as tx:
        register_asset(tx, Asset("A1", "pallet", initial_stage="return_transit"))
        bind_tag(tx, "A1", make.TAG)
        arrange(tx, Site(id="depot", kind="depot"))
        arrange(tx, Zone(id="dock", site="depot", stage="received"))
        arrange(tx, Reader(device="rdr-1", zone="dock", cycle_s=1800))
    reads = [make.read(make.NOW - n * HOUR // 2) for n in range(3)]
    db.record(make.message(*reads, device="rdr-1"))
    assert told(db).stage == "received"
    for hours in range(1, 72):
        sweep(db, make.NOW + hours * HOUR)
    assert ("stage.changed", None) in lines(db)


def test_what_is_taken_back_of_several_at_once_names_a_line_of_each(dispatched, lost, make):
    facts = [
        {"id": f"g-{asset}", "asset": asset, "kind": "received", "at": lost}
        for asset in ("A1", "A2")
    ]
    dispatched.do(state, [fact_of(fact) for fact in facts], make.POLICY, lost)
    assert dispatched.ask(verify).broken_links == 0
