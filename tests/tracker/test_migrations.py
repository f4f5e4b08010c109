"""A database that an older version has lived in: nothing is lost, and all is as if refolded."""

import sqlite3
from contextlib import closing
from pathlib import Path

import psycopg
import pytest
from alembic import command
from sqlalchemy import create_engine, text

from tracker.asset_ports import AssetFilter
from tracker.fold import Belief
from tracker.geofence import Box
from tracker.model import Asset, Binding, Device
from tracker.places import Reader, Standing
from tracker.ports import StoreRefused
from tracker.stores import rows, upgrade
from tracker.stores.postgresql import PostgresqlStore
from tracker.stores.sqlite import SqliteStore
from tracker.verify import verify
from tracker.whereabouts import Moment

NOW = 1_790_000_000_000
PLACE = '[50.1,4.2,8.0,{at},"fix","trk-1","{key}"]'
BELIEF = '{{"asset":"A1","observations":{n},"at":{at},"key":"{key}","first":{first},"last":{last}}}'


@pytest.fixture
def first(tmp_path, make):
    """A database at revision 0001 with a bit of everything in it."""
    path = tmp_path / "retour.db"
    engine = create_engine(f"sqlite:///{path}")
    with engine.begin() as connection:
        command.upgrade(upgrade._config(connection), "0001")
    engine.dispose()
    with closing(sqlite3.connect(path)) as db:
        fill(db, make)
        db.commit()
    return path


def fill(db, make):
    tracked = make.message(make.fix(NOW), make.sensor(NOW + 1), make.fix(NOW + 2))
    moved = make.message(make.fix(NOW + 2), make.fix(NOW + 4), device="trk-2")
    read = make.message(make.read(NOW, "tag:AA"), device="gate-1")
    for message in (tracked, moved, read):
        for row in message.observations:
            insert(db, "log", None, *rows.observation_row(row))
        insert(db, "progress", message.device, "b1", 0, None, "[]", "[]", NOW)
    held = make.message(make.fix(0), seq=1).observations[0]
    insert(db, "quarantine", None, *rows.observation_row(held), "stamp_too_old", "why")
    insert(db, "dead_letters", None, b"k" * 16, NOW, "t", "trk-1", *[None] * 3, "r", "d", b"", 0)
    insert(db, "devices", "trk-1", "tracker", 0, None, None, None, NOW)
    insert(db, "devices", "trk-2", "tracker", 1, None, None, None, NOW)
    insert(db, "devices", "gate-1", "reader", 0, 51.0, 4.0, 5.0, None)
    for asset, kind in (("A2", "pallet"), ("A1", "trolley")):
        insert(db, "assets", asset, kind)
    for binding in (
        ("A1", "trk-1", None, None),
        ("A1", "trk-2", None, NOW + 3),
        ("A2", "trk-2", NOW + 3, None),
        ("A2", "tag:AA", None, None),
    ):
        insert(db, "bindings", None, *binding)
    seen = sorted(
        (row.at, row.key.hex(), row) for row in (*tracked.observations, moved.observations[0])
    )
    places = [
        PLACE.format(at=at, key=key).replace("trk-1", row.device)
        for at, key, row in seen
        if row.kind == "fix"
    ]
    at, key, _ = seen[-1]
    body = BELIEF.format(n=len(seen), at=at, key=key, first=places[0], last=places[-1])
    insert(db, "beliefs", "A1", body)
    names = ("lat", "lon", "acc", "at", "source", "device", "key")
    told = dict(zip(names, [50.1, 4.2, 8.0, NOW, "fix", "trk-1", seen[0][1]], strict=True))
    insert(db, "journal", None, "A1", "location.first", NOW + 2, rows.json(told), None)
    insert(db, "journal", None, "A1", "location.corrected", NOW, rows.json(told), 1)


def insert(db, table, *values):
    db.execute(f"INSERT INTO {table} VALUES ({', '.join('?' * len(values))})", values)


@pytest.fixture
def store(first):
    """That database, opened by this version."""
    with closing(SqliteStore(first)) as opened:
        yield opened


@pytest.fixture
def db(store, new_database):
    database = new_database()
    database.store.close()
    database.store = store
    return database


def test_every_bound_asset_is_stale_and_sound_once_it_is_refreshed(db):
    assert db.stale() == {"A1", "A2"}
    assert db.ask(verify).sound
    db.refresh()
    report = db.ask(verify)
    assert report.sound
    assert (report.observations, report.assets, report.stale) == (6, 2, 0)
    assert db.belief("A1").observations == 4
    assert db.belief("A2").observations == 2
    assert db.belief("A2").first[:3] == (51.0, 4.0, 5.0)


def test_what_was_known_is_known_before_it_is_refreshed(db):
    before = db.belief("A1")
    db.refresh()
    after = db.belief("A1")
    assert before[:6] == after[:6]


def test_what_was_told_is_not_told_again(db):
    before = db.journal("A1")
    assert [line.entry.about for line in before] == ["first place"] * 2
    assert before[1].entry.supersedes == before[0].number
    db.refresh()
    assert db.journal("A1") == before


def test_a_first_place_that_changes_afterwards_corrects_what_was_told(db, make):
    db.refresh()
    db.record(make.message(make.fix(NOW - 5), seq=2))
    *_, told, corrected = db.journal("A1")
    assert corrected.entry.kind == "location.corrected"
    assert corrected.entry.supersedes == told.number
    assert db.ask(verify).sound


def test_devices_assets_bindings_and_readers_are_carried_over(db):
    with db.store.reading() as tx:
        assert [status.device for status in tx.device_list("", 9)] == [
            Device("gate-1", "reader"),
            Device("trk-1", "tracker", first_received=NOW),
            Device("trk-2", "tracker", recording=True, first_received=NOW),
        ]
        assert tx.assets(AssetFilter(), "", 9) == [Asset("A1", "trolley"), Asset("A2", "pallet")]
        assert tx.assets(AssetFilter(text="troll"), "", 9) == [Asset("A1", "trolley")]
        assert tx.bindings_of("A1") == [
            Binding("A1", "trk-1"),
            Binding("A1", "trk-2", None, NOW + 3),
        ]
        assert tx.bindings_of("A2") == [Binding("A2", "trk-2", NOW + 3), Binding("A2", "tag:AA")]
        gate = Reader(device="gate-1", place=Standing(lat=51.0, lon=4.0, acc=5.0))
        assert tx.layout().readers() == {"gate-1": gate}
        assert tx.counts() == {"log": 6, "dead_letters": 1, "quarantine": 1, "outbox": 0}


def test_a_new_fence_touches_what_was_seen_before(db, make):
    """Where the old fixes were was never noted: they count as everywhere."""
    db.refresh()
    with db.store.writing() as tx:
        assert tx.near(Box(-1, -1, 1, 1)) == ["trk-1", "trk-2"]
        assert tx.seen_by("gate-1") == ["tag:AA"]


@pytest.fixture(params=["sqlite", "postgresql"])
def at_0004(request, tmp_path):
    """The address of a database at revision 0004, with a snapshot of 250 observations."""
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path / 'old.db'}"
    else:
        url = request.getfixturevalue("new_postgresql")("template0")
    engine = create_engine(url.replace("postgresql:", "postgresql+psycopg:"))
    body = BELIEF.format(n=250, at=NOW, key="00", first="null", last="null")
    row = {"body": body.replace("}", ',"whereabouts":null}')}
    with engine.begin() as connection:
        command.upgrade(upgrade._config(connection), "0004")
        insert = f"INSERT INTO snapshots VALUES ('A1', {NOW}, '00', :body, false)"
        connection.execute(text(insert), row)
    engine.dispose()
    return url


def test_snapshots_keep_their_counts(at_0004):
    if at_0004.startswith("sqlite"):
        store = SqliteStore(Path(at_0004.removeprefix("sqlite:///")))
    else:
        store = PostgresqlStore(at_0004, migrate=True)
    with closing(store), store.writing() as tx:
        tx.shift_snapshots("A1", Moment(0, ""), 2, None)
        assert tx.snapshots("A1") == [Belief("A1", 252, NOW, "00", None, None)]


def shape(url):
    """Columns and indexes of a PostgreSQL database."""
    with psycopg.connect(url) as db:
        columns = (
            "SELECT table_name, column_name, data_type, is_nullable, collation_name"
            " FROM information_schema.columns WHERE table_schema = 'public'"
            " AND NOT table_name ~ '^log_[0-9]' ORDER BY 1, 2"  # no partitions
        )
        indexes = (
            "SELECT indexdef FROM pg_indexes WHERE schemaname = 'public'"
            " AND NOT tablename ~ '^log_[0-9]' ORDER BY 1"
        )
        return db.execute(columns).fetchall(), db.execute(indexes).fetchall()


@pytest.mark.system
@pytest.mark.parametrize("revision", sorted(upgrade._revisions())[:-1])
def test_postgresql_is_upgraded_from_every_older_revision(
    new_postgresql, database_of, make, revision
):
    url = new_postgresql("template0")
    engine = create_engine(url.replace("postgresql:", "postgresql+psycopg:"))
    with engine.begin() as connection:
        command.upgrade(upgrade._config(connection), revision)
    engine.dispose()
    with pytest.raises(StoreRefused, match=f"at revision {revision}.*run `retour db upgrade`"):
        PostgresqlStore(url)
    with closing(PostgresqlStore(url, migrate=True)) as store:
        db = database_of(store)
        db.register("trk-1", asset="A1")
        assert db.record(make.message(make.fix())).stored == 1
        assert db.ask(verify).sound
    assert shape(url) == shape(new_postgresql())
