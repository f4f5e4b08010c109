"""What the time-series store is told of stages: the same by whatever way, in whatever order."""

import json
import random

import pytest

from gateway.projection import Projection
from gateway.sweeping import Sweep
from tests.deploy.conftest import ROOT
from tracker.asset_ports import UNKNOWN
from tracker.audit import Act
from tracker.clocks import ReplayClock
from tracker.facts import fact_of, state
from tracker.fold import Entry
from tracker.model import Asset
from tracker.news import BY_TIME, STAGE_CHANGED, STAGE_CORRECTED
from tracker.points import is_coarsened, stage_line
from tracker.project import project
from tracker.registry import save_asset, unbind
from tracker.stage_points import stage_lines
from tracker.stores.influx import Influx
from tracker.stores.postgresql import PostgresqlStore
from tracker.stores.sqlite import SqliteStore
from tracker.telling import REFUSED, differences, rebuild, tell

HOUR, DAY = 3_600_000, 86_400_000
BOARD = json.loads((ROOT / "deploy/grafana/dashboards/fleet.json").read_text())
ME = Act("test", 0, 0)


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.system)])
def db(request, tmp_path, database_of):
    """A database that tells a time-series store, of each kind, with an asset that a tracker
    tells about."""
    if request.param == "sqlite":
        store = SqliteStore(tmp_path / "retour.db")
    else:
        store = PostgresqlStore(request.getfixturevalue("new_postgresql")())
    made = database_of(store)
    made.register("trk-1", asset="A1", rest_interval_s=21_600, moving_interval_s=3_600)
    made.do(project, True, ME)
    yield made
    store.close()


@pytest.fixture
def stated(db, make):
    """State facts of an asset as one batch: each a kind, how many hours after NOW it was, and
    what it says besides."""

    def given(*facts, **more):
        said = [
            {"id": f"{kind} {hours}", "asset": "A1", "kind": kind, "at": make.NOW + hours * HOUR}
            | more
            for kind, hours in facts
        ]
        now = max(make.NOW, *(fact["at"] for fact in said))
        db.do(state, [fact_of(fact) for fact in said], make.POLICY, now)

    return given


@pytest.fixture
def eventful(db, stated, make):
    """What may become of what was told: corrected, withdrawn, told by time and taken back, and
    told otherwise of another class. Until when."""
    db.record(make.message(make.fix(make.NOW - 2)))
    stated(("received", -9), ("dispatched", 0))
    db.do(save_asset, Asset("A1", "crate"), ME)
    db.refresh(make.NOW)
    stated(("inspected", -4), outcome="repair")  # late: it was dispatched from there
    stated(("dispatched", -2))  # later still: at 0 nothing was told anew
    for days in (40, 80, 119):
        Sweep(db.store, ReplayClock(make.NOW + days * DAY)).turn()
    stated(("received", 120 * 24))
    db.do(save_asset, Asset("A1", "tote"), ME)
    db.refresh(make.NOW)
    return make.NOW + 121 * DAY


def queued(db):
    lines = db.ask(lambda reader: [*reader.queued_lines()])
    return [line for line in lines if not is_coarsened(line)]


def of_journal(db):
    return db.ask(lambda reader: [*stage_lines(reader, reader.journal_after(0, 10_000))])


def standing(db):
    """What the journal tells that no correction has put right: event time, stage."""
    found = {}
    for line in db.journal():
        kind, about, at, body = line.entry[1:5]
        if kind == STAGE_CORRECTED:
            found[about] = []
        if kind in (STAGE_CHANGED, STAGE_CORRECTED) and not body.get("withdrawn"):
            found.setdefault(about, []).append((at, body["stage"] or UNKNOWN))
    return sorted(one for told in found.values() for one in told)


@pytest.mark.parametrize(
    ("asset", "series"),
    [
        ("a b", b"stage,asset=a\\ b"),
        ("a,b=c", b"stage,asset=a\\,b\\=c"),
        ("a\\", b"stage,asset=a%5C"),
        ("50%", b"stage,asset=50%25"),
        ('"', b'stage,asset="'),
    ],
)
def test_any_asset_and_class_has_a_series(asset, series):
    told = stage_line(asset, "two words", 7, 41, stage='a"b', p=1, id=41)
    assert told == series + b',class=two\\ words stage="a\\"b",p=1i,id=41i 7000041'
    assert stage_line(asset, "", 7, 41, id=41) == series + b" id=41i 7000041"


def test_all_that_the_journal_comes_to_is_queued_as_it_is_told(db, eventful):
    told = queued(db)
    assert len(told) == len(set(told)) > 8
    assert sorted(told) == sorted(of_journal(db))
    for class_ in (b"asset", b"crate"):
        assert any(b"class=%b " % class_ in line for line in told)


def test_every_line_that_was_put_right_is_marked_once(db, eventful):
    marked = [line for line in of_journal(db) if b" superseded=" in line]
    points = [line for line in of_journal(db) if b" superseded=" not in line]
    assert len(marked) == len(points) - len(standing(db)) > 2
    identities = {(line.split(b" ")[0], line.split(b" ")[-1]) for line in points}
    assert {(line.split(b" ")[0], line.split(b" ")[-1]) for line in marked} <= identities


def changed(asset, at, stage="x", about=BY_TIME):
    return Entry(asset, STAGE_CHANGED, about, at, {"stage": stage, "p": 0.5})


def test_what_time_has_told_in_turn_is_taken_back_together(db):
    gone = Entry("A1", STAGE_CORRECTED, BY_TIME, 9, {"withdrawn": True})
    for n in (0, 10):
        told = [changed("A1", n), changed("A2", n), changed("A1", n + 1)]
        first, _, last = db.do(lambda tx, told=told: tx.journal(told, 0))
        db.do(lambda tx, last=last: tx.journal([gone._replace(supersedes=last)], 0))
        marked = [line for line in of_journal(db) if b" superseded=" in line][-2:]
        assert [int(line.split()[-1]) for line in marked] == [
            n * 1_000_000 + first,
            (n + 1) * 1_000_000 + last,
        ]


def test_nothing_is_queued_where_no_store_is_told(db, stated):
    db.do(project, False, ME)
    stated(("received", 0))
    assert len(of_journal(db)) == 1
    assert queued(db) == []


def test_all_of_a_transaction_that_fails_is_undone(db, make):
    fact = fact_of({"id": "f", "asset": "A1", "kind": "received", "at": make.NOW})

    def fail(tx):
        state(tx, [fact], make.POLICY, make.NOW)
        assert len([*tx.queued_lines()]) == 1
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        db.do(fail)
    assert (queued(db), of_journal(db)) == ([], [])


def test_an_asset_that_nothing_tells_about_any_more_has_no_stages(db, stated, make):
    db.record(make.message(*(make.fix(make.NOW + n * HOUR) for n in range(40))))
    stated(("received", 0))
    db.do(unbind, "A1", "trk-1")
    db.refresh(make.NOW)
    assert sorted(queued(db)) == sorted(of_journal(db))


@pytest.fixture
def series(new_influx):
    made = Influx(new_influx())
    yield made
    made.close()


def panel(title):
    (target,) = next(p["targets"] for p in BOARD["panels"] if p["title"] == title)
    return target["query"]


def shown(series, until, asset="A1"):
    """What Grafana shows of an asset: event time, stage."""
    query = panel("Stages of one asset").replace("${asset}", asset)
    query = query.replace("v.defaultBucket", f'"{series.at.bucket}"')
    query = query.replace("v.timeRangeStop", f"time(v: {until * 1_000_000})")
    rows = [record.values for t in series.client.query_api().query(query) for record in t.records]
    return [(round(row["_time"].timestamp() * 1_000), row["stage"]) for row in rows]


def tell_all(db, series, now):
    """As a worker does."""
    projection = Projection(db.store, series, ReplayClock(now))
    while db.ask(lambda reader: reader.backlog()):
        projection.turn()


def lacking(db, series, now):
    return db.ask(differences, series, now)


@pytest.mark.system
def test_grafana_shows_what_is_believed_now(db, series, eventful):
    tell_all(db, series, eventful)
    assert shown(series, eventful) == standing(db)
    assert len(standing(db)) > 2
    assert lacking(db, series, eventful) == []


@pytest.mark.system
def test_in_any_order_and_told_twice_it_is_the_same(db, series, eventful):
    lines = of_journal(db) * 2
    random.Random(3).shuffle(lines)
    for line in lines:
        tell(series, [line], eventful)
    db.do(project, False, ME)
    rebuild(db.store, series, eventful)
    assert shown(series, eventful) == standing(db)
    assert lacking(db, series, eventful) == []


@pytest.mark.system
def test_a_worker_that_stood_still_undoes_nothing(db, series, stated, make):
    slow, quick = (Projection(db.store, series, ReplayClock(make.NOW)) for _ in range(2))
    stated(("received", -9), ("dispatched", 0))
    taken = slow._take()
    assert taken
    stated(("inspected", -4), outcome="repair")
    quick.turn()
    slow._tell(taken)
    assert shown(series, make.NOW + HOUR) == standing(db)
    assert lacking(db, series, make.NOW) == []


@pytest.mark.system
def test_what_is_missing_is_named_and_a_rebuild_mends_it(db, series, eventful):
    db.do(project, False, ME)
    found = [one for one in lacking(db, series, eventful) if one.series == "stage/A1"]
    assert sum(one.logged for one in found) == len(of_journal(db))
    assert all(one.assets == ["A1"] and one.told == 0 for one in found)
    points = [line for line in of_journal(db) if b" superseded=" not in line]
    tell(series, points, eventful)
    assert lacking(db, series, eventful)  # the marks
    rebuild(db.store, series, eventful)
    assert lacking(db, series, eventful) == []
    assert shown(series, eventful) == standing(db)


@pytest.mark.system
def test_assets_of_any_name_are_told_and_named(db, series, make):
    ids = ["a b", "a,b=c", "50%", '"', "ü漢", "${x}", "%5C", "a\\"]
    entries = [changed(id, make.NOW, f"{id}\n") for id in ids]
    db.do(lambda tx: tx.journal(entries, make.NOW))
    assert sorted(name for one in lacking(db, series, make.NOW) for name in one.assets) == sorted(
        ids
    )
    rebuild(db.store, series, make.NOW)
    assert lacking(db, series, make.NOW) == []
    assert shown(series, make.NOW + 1, "ü漢") == [(make.NOW, "ü漢\r\n")]


@pytest.mark.system
def test_what_is_older_than_the_bucket_keeps_is_not_sent(db, new_influx, stated, make):
    series = Influx(new_influx(keep_days=2))
    now = make.NOW
    stated(("received", -24 * 5), ("dispatched", -24 * 4))
    stated(("inspected", -24 * 4 - 1), outcome="repair")
    told = tell(series, queued(db), now)
    assert (told.told, told.refused) == (0, [])
    assert told.expired == len(of_journal(db)) > 2
    assert lacking(db, series, now) == []
    series.close()


@pytest.mark.system
def test_a_point_that_is_refused_is_a_dead_letter_and_others_are_told(db, series, stated, make):
    series.write([stage_line("x", "", make.NOW, 1, p="a text")])
    db.record(make.message(*(make.fix(make.NOW + n) for n in range(40))))
    stated(("received", 0))
    tell_all(db, series, make.NOW)
    (letter,) = db.dead()
    assert (letter.reason, letter.payload) == (REFUSED, of_journal(db)[0])
    assert series.counts(make.NOW // DAY)["fix/trk-1"] == 40
    assert lacking(db, series, make.NOW) == []


@pytest.mark.system
def test_stages_have_no_coarser_points(db, series, stated, make):
    stated(("received", -24 * 3))
    tell_all(db, series, make.NOW)
    assert db.ask(lambda reader: reader.to_coarsen(0, 10)) == []
    series.coarsen(make.NOW // DAY * DAY - 4 * DAY, make.NOW // DAY * DAY, None)
    query = f'from(bucket: "{series.at.coarse_bucket}") |> range(start: 0)'
    assert series.client.query_api().query(query) == []
