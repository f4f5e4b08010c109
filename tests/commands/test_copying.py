"""`retour db copy`: on PostgreSQL everything is as it was on SQLite, and goes on."""

import sqlite3
from contextlib import closing
from time import sleep

import psycopg
import pytest
from sqlalchemy import select

from tests.commands.conftest import DEPOT, NOON, POLICY, fix, message
from tracker import queries
from tracker.access import ApiKey
from tracker.asset_ports import AssetFilter
from tracker.audit import Act
from tracker.fold import encode
from tracker.geofence import Box
from tracker.model import Asset
from tracker.record import record
from tracker.registry import save_asset
from tracker.stores import copying, postgresql, schema
from tracker.stores.postgresql import PostgresqlStore
from tracker.stores.reader import SqlReader
from tracker.stores.sqlite import SqliteStore
from tracker.trim import trim
from tracker.verify import verify

pytestmark = pytest.mark.system
HOUR = 3_600_000


@pytest.fixture
def source(world, tmp_path):
    """The small world with more of everything: late rows, receipts to publish, an edge, a key."""
    path = tmp_path / "source.db"
    with closing(sqlite3.connect(world)) as db, closing(sqlite3.connect(path)) as own:
        db.backup(own)
    store = SqliteStore(path)
    with store.writing() as tx:
        record(tx, [message("trk-3", 7, fix(10, *DEPOT))], [], POLICY)
        record(tx, [message("trk-1", 4, fix(119, 50.0, 4.0))], [], POLICY)  # late: corrects
        trim(tx, NOON - 4 * HOUR, Act("me", NOON, NOON))
        record(tx, [message("trk-2", 9, fix(2000, *DEPOT))], [], POLICY)
        tx.add_key(ApiKey("k1", "console", b"d" * 32, ("read",), 5, partner="acme"))
        save_asset(tx, Asset("crate-3", "crate", "Red", attributes={"wet": True}))
        tx.enqueue("t", b"\x00\xff")
    yield store
    store.close()


@pytest.fixture
def url(new_postgresql):
    return new_postgresql()


@pytest.fixture
def copy(run, source, url, monkeypatch):
    """Gives the command for the source: its exit status, output and complaints."""
    monkeypatch.setenv("RETOUR_DATABASE", f"sqlite:///{source.path}")
    return lambda *words: run("db", "copy", url, *words)


def rows(store, table):
    with store.reading() as tx:
        return sorted(tx.connection.execute(select(table)).all(), key=repr)


def answers(store):
    with store.reading() as tx:
        assets = [asset.id for asset in tx.assets(AssetFilter(), "", 100)]
        return (
            [queries.asset_status(tx, asset, NOON) for asset in assets],
            [(asset, list(tx.history(asset))) for asset in assets],
            [(tx.visits(id), encode(belief)) for id, belief in sorted(tx.beliefs(assets).items())],
            tx.located(Box(-90, -180, 90, 180), "", 100),
            tx.assets(AssetFilter("blue"), "", 100),
            tx.assets(AssetFilter("tru", labels=(("is:wet", "true"),)), "", 100),
            queries.inside_now(tx, "depot", "", 100),
            (tx.layout().sites(), tx.layout().readers(), tx.layout().revision),
            tx.journal_after(0, 1_000),
            tx.logged_after(0, 1_000, 1_000),
            tx.newest(),
            verify(tx),
        )


def test_every_row_and_every_answer_is_the_same(copy, source, url):
    status, told, _ = copy()
    assert status == 0
    assert "rows are copied, and every belief follows from the log there" in told
    with closing(PostgresqlStore(url)) as target:
        for table in schema.metadata.sorted_tables:
            assert rows(target, table) == rows(source, table)
        assert answers(target) == answers(source)
        assert answers(target)[-1].sound
        held = {table.name for table in schema.metadata.sorted_tables if rows(target, table)}
    assert held >= {"log", "beliefs", "snapshots", "given_up", "journal", "edges", "quarantine"}
    assert held >= {"dead_letters", "visits", "api_keys", "outbox", "labels", "sightings", "audit"}


def test_it_goes_on_there_with_the_next_numbers(copy, source, url):
    copy()
    late, quarantined = message("trk-1", 5, fix(1, 50.0, 4.0)), message("who-2", 0, fix(1, 1, 1))
    with closing(PostgresqlStore(url)) as target:
        for store in (source, target):
            with store.writing() as tx:
                record(tx, [late, quarantined], [], POLICY)
                trim(tx, NOON - HOUR, Act("me", NOON, NOON))
        assert answers(target) == answers(source)
        for table in (schema.quarantine, schema.audit, schema.journal):
            assert rows(target, table) == rows(source, table)


def test_a_database_that_holds_anything_is_refused(copy, url):
    with psycopg.connect(url) as db:
        db.execute("INSERT INTO sightings VALUES ('d', 's')")
    status, _, complaint = copy()
    assert status == 1
    assert "sightings there holds rows already" in complaint
    assert complaint.count("\n") == 1


def test_it_is_all_or_nothing(copy, source, url):
    """Here for a text that PostgreSQL does not take, in a table that comes late."""
    with closing(sqlite3.connect(source.path)) as db:
        db.execute("UPDATE versions SET body = 'a' || char(0) WHERE kind = 'site'")
        db.commit()
    status, _, complaint = copy("--no-verify")
    assert (status, complaint.count("\n")) == (1, 1)
    assert "versions has a row that cannot be" in complaint
    with closing(PostgresqlStore(url)) as target, target.reading() as tx:
        assert set(tx.counts().values()) == {0}


def test_a_copy_that_is_not_sound_is_not_kept(copy, source, url):
    with closing(sqlite3.connect(source.path)) as db:
        db.execute("DELETE FROM log WHERE device = 'trk-1' AND seq = 3")
        db.commit()
    status, _, complaint = copy()
    assert status == 1
    assert "the copy was not sound" in complaint
    assert copy("--no-verify")[0] == 0


def test_a_source_that_takes_long_to_count(copy, monkeypatch):
    """The server takes a transaction away in which nothing happens; not this one."""

    def slowly(reader, count=SqlReader.log_spans):
        sleep(1)
        return count(reader)

    monkeypatch.setattr(postgresql, "IDLE_AT_MOST", "200ms")
    monkeypatch.setattr(SqlReader, "log_spans", slowly)
    assert copy("--no-verify")[0] == 0


def test_what_a_gateway_writes_meanwhile_is_not_copied(source, url):
    """Nor half of it: the copy is of one state."""

    def meanwhile(_done, _all):
        with closing(SqliteStore(source.path)) as gateway, gateway.writing() as tx:
            record(tx, [message("trk-1", 5, fix(1, 50.0, 4.0))], [], POLICY)

    before = answers(source)
    with closing(PostgresqlStore(url)) as target:
        with source.reading() as reader, target.writing() as writer:
            copying.copy(reader, writer, meanwhile)
        assert answers(target) == before
    assert answers(source) != before


@pytest.mark.parametrize(
    ("database", "target", "complaint"),
    [
        (None, "sqlite:///other.db", "is no postgresql://"),
        (None, "postgresql://postgres:secret@127.0.0.1:1/none", "postgres:***@127.0.0.1:1/none"),
        ("sqlite:///none.db", "postgresql://h/n", "there is no database none.db"),
        ("postgresql", "postgresql://h/n", "is not SQLite"),
    ],
)
def test_what_cannot_be_copied_is_told_in_one_line(
    run, source, url, monkeypatch, database, target, complaint
):
    database = url if database == "postgresql" else database or f"sqlite:///{source.path}"
    monkeypatch.setenv("RETOUR_DATABASE", database)
    status, _, told = run("db", "copy", target)
    assert (status, told.count("\n")) == (1, 1)
    assert complaint in told
    assert "secret" not in told
