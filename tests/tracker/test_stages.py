"""Questions about stages, on every store."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from tracker.arrange import arrange
from tracker.asset_ports import UNKNOWN, AssetFilter
from tracker.audit import PROGRAM, Act
from tracker.facts import fact_of, state
from tracker.follow import follow
from tracker.model import Asset
from tracker.places import Site
from tracker.process import read_process
from tracker.queries import location
from tracker.refold import from_nothing
from tracker.registry import bind_device, register_asset, save_asset, unbind
from tracker.stages import funnel, stage_of, timeline
from tracker.stores.log_reads import LogReads
from tracker.stores.postgresql import PostgresqlStore
from tracker.stores.setup_reads import SetupReads
from tracker.stores.sqlite import SqliteStore
from tracker.whereabouts import Moment

TWO = read_process(
    """
process: two
classes: [box]
stages:
  out: {mean_h: 10, at: road, next: {back: 1}}
  back: {mean_h: 1000, at: depot, next: {out: 1}}
"""
)
STORES = ["sqlite", pytest.param("postgresql", marks=pytest.mark.system)]
HOUR = 3_600_000


@pytest.fixture(params=STORES)
def db(request, tmp_path, database_of):
    """An empty database of each kind."""
    if request.param == "sqlite":
        store = SqliteStore(tmp_path / "retour.db")
    else:
        store = PostgresqlStore(request.getfixturevalue("new_postgresql")())
    yield database_of(store)
    store.close()


@pytest.fixture
def fleet(db):
    """Assets of two classes, without anything that tells about them."""
    with db.store.writing() as tx:
        for id, class_ in (("A1", "pallet"), ("A2", "pallet"), ("A3", "crate"), ("A4", "crate")):
            save_asset(tx, Asset(id, class_), PROGRAM)
    return db


@pytest.fixture
def told(fleet, make):
    """State a fact, `hours` before it is received."""

    def given(id, asset, kind, hours=1, received=make.NOW, **more):
        fields = {"id": id, "asset": asset, "kind": kind, "at": received - hours * HOUR}
        fleet.do(state, [fact_of(fields | more)], make.POLICY, received)

    return given


def test_crowds_are_counted_by_stage_class_and_site(fleet, told, make):
    told("1", "A1", "received", 1)
    told("2", "A2", "received", 3)
    told("3", "A3", "received", 2)
    crowds = fleet.ask(lambda reader: reader.crowds())
    assert sorted(map(tuple, crowds)) == [
        ("received", "crate", None, 1, make.NOW - 2 * HOUR),
        ("received", "pallet", None, 2, make.NOW - 2 * HOUR),
    ]
    assert [one.class_ for one in fleet.ask(lambda reader: reader.crowds("crate"))] == ["crate"]
    assert fleet.ask(lambda reader: reader.crowds(site="depot")) == []
    (group,) = fleet.ask(funnel)
    assert (group.stage, group.assets, group.since) == ("received", 3, make.NOW - 2 * HOUR)


def test_a_crowd_s_dwell_is_on_the_clock_of_its_recording(db, make):
    db.register("trk-1", asset="A1", recording=True)
    year = 365 * 24 * HOUR
    db.record(make.message(make.fix(make.NOW - year), received=make.NOW))
    ((stage, class_, site, assets, since),) = db.ask(lambda reader: reader.crowds())
    assert (stage, class_, site, assets) == (None, "asset", None, 1)
    assert since == make.NOW


def test_the_clock_of_a_recording_goes_with_its_binding(db, make):
    db.register("trk-1", asset="A1", recording=True)
    year = 365 * 24 * HOUR
    db.record(make.message(make.fix(make.NOW - year), received=make.NOW))
    db.do(register_asset, Asset("A2"))
    clocks = []
    for asset in ("A2", "A1"):
        db.do(bind_device, asset, "trk-1", moves=True, act=Act("me", make.NOW + 7, 0))
        (told,) = db.ask(lambda reader: reader.presents(["A1", "A2"])).values()
        clocks.append((told.asset, told.behind, told.at))
    assert clocks == [(asset, year, make.NOW - year + 7) for asset in ("A2", "A1")]


def test_the_funnel_is_in_the_order_of_the_flow(fleet, told):
    told("1", "A1", "work_started", stage="repair")
    told("2", "A2", "received")
    told("3", "A3", "dispatched")
    told("4", "A4", "lease_ended")  # which tells nothing of the stage
    stages = [group.stage for group in fleet.ask(funnel)]
    assert stages == ["outbound", "received", "repair", None]


def crowd_of(db):
    """In which stages how many assets are, and since when."""
    return [(group.stage, group.assets, group.since) for group in db.ask(funnel)]


def as_new(db, id, stage, now):
    """Save an asset as one that is in a stage when it comes."""
    db.do(save_asset, Asset(id, "box", initial_stage=stage), Act("me", now, now))


def test_an_initial_stage_is_told_as_long_as_it_is_stated(db):
    as_new(db, "B1", "ready", 7)
    assert crowd_of(db) == [("ready", 1, 7)]
    as_new(db, "B1", None, 8)
    assert crowd_of(db) == []


def test_an_initial_stage_is_told_since_it_was_stated(db):
    as_new(db, "B1", "ready", 7)
    renamed = Asset("B1", "box", "Blue", initial_stage="ready")
    db.do(save_asset, renamed, Act("me", 8, 8))
    assert crowd_of(db) == [("ready", 1, 7)]
    as_new(db, "B1", "repair", 9)
    assert crowd_of(db) == [("repair", 1, 9)]


def test_an_initial_stage_is_told_again_where_nothing_that_was_observed_is_the_asset_s(db, make):
    db.register("trk-1")
    as_new(db, "B1", "ready", 7)
    db.do(bind_device, "B1", "trk-1")
    db.record(make.message(make.fix()))
    db.do(unbind, "B1", "trk-1", act=Act("me", make.NOW, make.NOW))
    assert db.belief("B1") is None
    assert crowd_of(db) == [("ready", 1, make.NOW)]


def test_an_initial_stage_follows_the_process(db):
    as_new(db, "B1", "ready", 7)
    as_new(db, "B2", "back", 7)
    assert crowd_of(db) == [("ready", 1, 7)]
    assert db.do(follow, TWO, Act("me", 8, 8)) == {"box": 2}
    db.refresh(recorded=9)
    assert crowd_of(db) == [("back", 1, 9)]


def test_assets_are_found_by_stage_and_probability(fleet, told):
    told("1", "A1", "received")
    told("3", "A3", "received")
    told("4", "A4", "lease_ended")

    def found(**wanted):
        return [one.id for one in fleet.ask(lambda r: r.assets(AssetFilter(**wanted), "", 9))]

    assert found(stage="received") == ["A1", "A3"]
    assert found(stage="received", class_="crate") == ["A3"]
    assert found(stage="received", text="a1") == ["A1"]
    assert found(stage=UNKNOWN) == ["A4"]
    assert found(stage=UNKNOWN, text="A4") == ["A4"]
    p = {id: one.told.p for id, one in fleet.ask(lambda r: r.presents(["A1", "A4"])).items()}
    assert p["A1"] > p["A4"]
    assert found(p_min=p["A1"]) == ["A1", "A3"]
    assert found(p_min=p["A1"], text="a") == ["A1", "A3"]
    assert found(p_min=p["A4"]) == ["A1", "A3", "A4"]


def test_facts_come_in_order_after_a_moment(fleet, told):
    for n, hours in enumerate((3, 1, 2)):
        told(f"f-{n}", "A1", "received", hours)
    told("other", "A2", "received")
    rows = fleet.ask(lambda reader: reader.facts("A1", None, 9))
    assert [row.what.id for row in rows] == ["f-0", "f-2", "f-1"]
    after = Moment(rows[0].at, rows[0].key.hex())
    assert fleet.ask(lambda reader: reader.facts("A1", after, 1)) == rows[1:2]
    with fleet.store.writing() as tx:
        tx.add_edge(rows[1].at, 0)
    assert fleet.ask(lambda reader: reader.facts("A1", None, 9)) == rows[1:]


def test_lines_about_stages_are_those_recorded_by_then(fleet, told, make):
    told("1", "A1", "received", 3)
    told("2", "A1", "inspected", 1, outcome="repair")
    told("3", "A1", "inspected", 3, received=make.NOW + HOUR, outcome="repair")
    told("4", "A2", "received")
    lines = fleet.ask(lambda reader: reader.stage_lines("A1"))
    assert [line.entry.kind for line in lines] == [*["stage.changed"] * 3, "stage.corrected"]
    assert fleet.ask(lambda r: r.stage_lines("A1", as_of=make.NOW)) == lines[:2]
    since = make.NOW - 1.5 * HOUR
    late = [line for line in lines if line.entry.at >= since]
    assert fleet.ask(lambda r: r.stage_lines("A1", since=since)) == late


def test_a_timeline_goes_on_at_the_very_moment_where_a_page_ended(fleet, told):
    told("1", "A1", "received", 3)
    told("2", "A1", "inspected", 1, outcome="repair")
    told("3", "A1", "inspected", 2, outcome="repair")
    whole = fleet.ask(timeline, "A1", None, 100)
    # The last fact changed nothing any more: the one before had told the stage already.
    assert [type(one.what).__name__ for one in whole] == [
        *("Observation", "Transition", "Observation", "Transition", "Observation", "Line")
    ]
    pages, after = [], None
    while page := fleet.ask(timeline, "A1", after, 1):
        pages += page
        after = tuple(page[-1][:3])
    assert pages == whole


def test_what_was_believed_is_the_same_when_asked_later(fleet, told, make):
    told("1", "A1", "received", 3)
    then = fleet.ask(stage_of, "A1", make.NOW)
    told("2", "A1", "reported_lost", 4, received=make.NOW + HOUR)
    assert fleet.ask(stage_of, "A1", make.NOW + HOUR, make.NOW) == then


def test_an_asset_s_clock_is_known_beside_its_belief(db, make, monkeypatch):
    """No row of the log and no device need be looked at for it."""
    db.register("trk-1", asset="A1", recording=True)
    year = 365 * 24 * HOUR
    db.record(make.message(make.fix(make.NOW - year), received=make.NOW))
    then = db.ask(stage_of, "A1", make.NOW + HOUR, make.NOW + HOUR)
    monkeypatch.delattr(LogReads, "logged")
    monkeypatch.delattr(SetupReads, "device")
    assert db.ask(stage_of, "A1", make.NOW + HOUR).at == then.at == make.NOW - year + HOUR
    assert db.ask(location, "A1", make.NOW + HOUR).age == HOUR


def test_readers_share_one_inference_until_something_changes(db):
    with db.store.writing() as tx:
        arrange(tx, Site(id="depot"))
    first = db.ask(lambda reader: reader.inference())
    assert db.ask(lambda reader: reader.inference()) is first
    with ThreadPoolExecutor(8) as pool:
        asked = [pool.submit(db.ask, lambda reader: reader.inference()) for _ in range(16)]
        assert {id(one.result()) for one in asked} == {id(first)}
    with db.store.writing() as tx:
        arrange(tx, Site(id="hub"))
        assert set(tx.inference().layout.sites()) == {"depot", "hub"}
        assert db.ask(lambda reader: reader.inference()) is first  # it is not committed yet
    second = db.ask(lambda reader: reader.inference())
    assert set(second.layout.sites()) == {"depot", "hub"}


def test_a_reader_that_began_before_a_change_sees_what_was(db):
    with db.store.reading() as early:
        assert early.inference().layout.sites() == {}
        with db.store.writing() as tx:
            arrange(tx, Site(id="depot"))
        newer = db.ask(lambda reader: reader.inference())
        assert set(newer.layout.sites()) == {"depot"}
        assert early.inference().layout.sites() == {}
    assert db.ask(lambda reader: reader.inference()) is newer


def test_what_is_undone_is_never_shared(db):
    def fail(tx):
        arrange(tx, Site(id="depot"))
        assert set(tx.inference().layout.sites()) == {"depot"}
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        db.do(fail)
    assert db.ask(lambda reader: reader.inference()).layout.sites() == {}


def test_readers_fold_as_the_writer_does(known, make):
    known.record(make.message(*(make.fix(make.NOW + n * 60_000) for n in range(9))))
    assert known.ask(from_nothing, "A1").belief == known.belief("A1")


@pytest.fixture
def known(db):
    """The device `trk-1`, bound to the asset `A1`."""
    db.register("trk-1")
    with db.store.writing() as tx:
        register_asset(tx, Asset("A1"))
        bind_device(tx, "A1", "trk-1")
    return db
