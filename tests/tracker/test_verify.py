"""`verify` finds what is wrong with a database, and nothing in a sound one."""

import sqlite3
from contextlib import closing

import pytest

from tracker.facts import state
from tracker.model import Asset, Fact
from tracker.registry import register_asset
from tracker.verify import verify


@pytest.fixture
def lived_in(known, make, here):
    """A database in which everything has happened, but for faults."""
    known.register("gate-1", place=here)
    known.record(
        make.message(make.fix(make.NOW + 2), seq=1),
        make.message(make.fix(make.NOW), make.sensor(), seq=0),
        make.message(make.fix(0), seq=2),
        make.message(rejected=1, seq=3),
        make.message(make.fix(lat=1.0), seq=0),
        make.message(make.fix(), seq=9, first=7),
        make.message(make.read(), device="gate-1"),
        make.message(make.presence(), seq=None),
        make.message(make.fix(), device="stranger"),
    )
    known.record(make.message(make.fix(make.NOW - 1), seq=10))
    return known


def report(db):
    with db.store.reading() as tx:
        return verify(tx)


def tamper(db, *statements):
    with closing(sqlite3.connect(db.store.path)) as connection:
        for statement in statements:
            assert connection.execute(statement).rowcount > 0
        connection.commit()


def test_a_database_without_faults_is_sound(lived_in):
    found = report(lived_in)
    assert found.sound
    assert (found.receipt_holes, found.lost_by_devices) == (2, 3)
    assert (found.dead_letters, found.quarantined) == (2, 2)
    assert found.assets == 1
    assert found.observations == lived_in.count("log")


def test_an_empty_database_is_sound(db):
    assert report(db).sound


def test_a_missing_belief_of_an_asset_that_only_facts_tell_about_is_found(db, make):
    db.do(register_asset, Asset("A1"))
    db.do(state, [(Fact("A1", "received", None, "f-1"), make.NOW)], make.POLICY, make.NOW)
    assert report(db).sound
    tamper(db, "DELETE FROM beliefs")
    assert report(db).differences == ["A1"]


@pytest.mark.parametrize(
    "fault",
    [
        "UPDATE beliefs SET body = replace(body, '50.1', '50.2')",
        "DELETE FROM beliefs",
        "INSERT INTO beliefs (asset, body, revision)"
        " SELECT 'A9', replace(body, 'A1', 'A9'), revision FROM beliefs",
        "UPDATE log SET at = at + 1 WHERE seq = 1 AND device = 'trk-1'",
        "DELETE FROM log WHERE seq = 0 AND kind = 'sensor'",
    ],
)
def test_a_belief_that_the_log_does_not_bear_out_is_found(lived_in, fault):
    tamper(lived_in, fault)
    found = report(lived_in)
    assert len(found.differences) == 1
    assert not found.sound


@pytest.mark.parametrize(
    ("fault", "missing"),
    [
        ("DELETE FROM log WHERE seq = 1", 1),
        ("DELETE FROM log WHERE device = 'gate-1'", 1),
        ("DELETE FROM quarantine WHERE seq = 2", 1),
        ("DELETE FROM dead_letters WHERE seq = 3", 1),
        ("UPDATE progress SET holes = '[]' WHERE device = 'trk-1'", 2),
    ],
)
def test_what_is_receipted_but_missing_is_found(lived_in, fault, missing):
    tamper(lived_in, fault)
    found = report(lived_in)
    assert found.receipted_but_missing == missing
    assert not found.sound


@pytest.mark.parametrize(
    "fault",
    [
        "UPDATE journal SET supersedes = 99 WHERE supersedes IS NOT NULL",
        "UPDATE journal SET supersedes = id WHERE supersedes IS NOT NULL",
        "UPDATE journal SET supersedes = NULL",
        "UPDATE journal SET asset = 'A9' WHERE supersedes IS NULL",
    ],
)
def test_a_broken_link_of_the_journal_is_found(lived_in, fault):
    tamper(lived_in, fault)
    found = report(lived_in)
    assert found.broken_links == 1
    assert not found.sound


def test_an_event_logged_twice_is_found(lived_in):
    columns = "digest, kind, subject, device, boot, seq, event, stamp, at, received, body, recorded"
    tamper(
        lived_in,
        f"INSERT INTO log (key, {columns}) SELECT x'00', {columns} FROM log"
        " WHERE seq = 1 AND device = 'trk-1'",
    )
    found = report(lived_in)
    assert found.duplicates == 1
    assert not found.sound


def test_progress_is_told_asset_by_asset(lived_in):
    told = []
    with lived_in.store.reading() as tx:
        verify(tx, lambda done, of: told.append((done, of)))
    assert told == [(1, 1)]
