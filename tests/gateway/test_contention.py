"""Other transactions in the way of a batch, on a real PostgreSQL: it is recorded again as a whole,
then in halves, or later, and takes effect once."""

import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import psycopg
import pytest

from gateway.decoders import DECODERS, decoder_of
from gateway.ingest import CONTENDED_TRIES, Ingest
from tests.gateway.test_ingest import NOW, POLICY, TOPIC, delivery
from tracker.model import Asset, Device
from tracker.ports import StoreUnavailable
from tracker.queries import fresh
from tracker.registry import bind_device, register_asset, register_device
from tracker.stores import postgresql
from tracker.stores.postgresql import PostgresqlStore
from tracker.verify import verify

pytestmark = pytest.mark.system
WITHIN_S = 60
DEVICE = "SELECT FROM devices WHERE id = %s FOR UPDATE"
ASSET = "SELECT FROM assets WHERE id = %s FOR UPDATE"
WAITING = "SELECT FROM pg_stat_activity WHERE datname = %s AND wait_event_type = 'Lock'"


@pytest.fixture
def url(new_postgresql):
    return new_postgresql()


@pytest.fixture
def store(url):
    """The trackers trk-1 to trk-9, each on an asset of its number."""
    with closing(PostgresqlStore(url)) as made:
        with made.writing() as tx:
            for n in range(1, 10):
                register_device(tx, Device(f"trk-{n}", "tracker"), POLICY)
                register_asset(tx, Asset(f"A{n}"))
                bind_device(tx, f"A{n}", f"trk-{n}")
        yield made


@pytest.fixture
def other(url):
    """A transaction of somebody else."""
    with psycopg.connect(url) as connection:
        yield connection


@pytest.fixture
def tried():
    """How often each message was decoded, so tried."""
    return Counter()


@pytest.fixture
def ingest(store, tried):
    def decode(topic, payload, received):
        message = decoder_of(topic)(topic, payload, received)
        tried[message.device] += 1
        return message

    return Ingest(store, POLICY, dict.fromkeys(DECODERS, decode))


def batch(seq=0, ats=(NOW,)):
    """Fixes of each tracker."""
    fixes = [{"at": at, "fix": {"lat": 50.0, "lon": 4.0, "acc": 8.0}} for at in ats]
    topics = (TOPIC.replace("trk-1", f"trk-{n}") for n in range(1, 10))
    return [delivery(seq, topic=topic, events=fixes) for topic in topics]


def wait_until(condition):
    deadline = time.monotonic() + WITHIN_S
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def is_somebody_waiting(url, processes=1):
    with psycopg.connect(url) as db:
        return len(db.execute(WAITING, (db.info.dbname,)).fetchall()) >= processes


def stored(store):
    with store.reading() as tx:
        assert verify(tx).sound
        assert tx.counts()["dead_letters"] == 0
        return tx.counts()["log"]


def test_a_deadlock_is_tried_again_as_a_whole(url, store, other, ingest, tried):
    """We hold the devices and want an asset, somebody else the other way round."""
    other.execute("SET deadlock_timeout = '1min'")  # so it is ours that is given up
    other.execute(ASSET, ("A5",))
    with ThreadPoolExecutor(1) as thread:
        receipts = thread.submit(ingest, batch())
        wait_until(lambda: is_somebody_waiting(url))
        other.execute(DEVICE, ("trk-7",))
        other.commit()
        assert len(receipts.result(WITHIN_S)) == 9
    assert set(tried.values()) == {2}
    assert stored(store) == 9


def test_a_lock_that_is_held_for_long_is_left_to_the_next_try(
    store, other, ingest, tried, monkeypatch
):
    """Which the gateway makes when it has seen to its broker; nothing is recorded by halves."""
    monkeypatch.setattr(postgresql, "LOCK_WAIT", "50ms")
    other.execute(DEVICE, ("trk-9",))
    for tries in (1, 2):
        with pytest.raises(StoreUnavailable, match="lock timeout"):
            ingest(batch())
        assert set(tried.values()) == {tries}
        assert stored(store) == 0
    other.commit()
    assert len(ingest(batch())) == 9
    assert stored(store) == 9


def test_a_lock_that_is_held_for_a_moment_is_waited_for(url, store, other, ingest, tried):
    other.execute(DEVICE, ("trk-1",))
    with ThreadPoolExecutor(1) as thread:
        receipts = thread.submit(ingest, batch())
        wait_until(lambda: is_somebody_waiting(url))
        other.commit()
        assert len(receipts.result(WITHIN_S)) == 9
    assert set(tried.values()) == {1}
    assert stored(store) == 9


@pytest.mark.parametrize("code", ["40001", "40P01"])
def test_a_batch_that_is_given_up_five_times_is_halved(url, store, ingest, tried, code):
    """Until it is small enough to meet nobody; here the database says of more than two messages
    that they do."""
    with psycopg.connect(url, autocommit=True) as db:
        db.execute(
            "CREATE FUNCTION meets() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
            " IF (SELECT count(DISTINCT device) FROM added) > 2 THEN"
            f" RAISE EXCEPTION 'met' USING ERRCODE = '{code}';"
            " END IF; RETURN NULL; END $$"
        )
        db.execute(
            "CREATE TRIGGER meets AFTER INSERT ON progress REFERENCING NEW TABLE AS added"
            " FOR EACH STATEMENT EXECUTE FUNCTION meets()"
        )
    assert len(ingest(batch())) == 9
    assert max(tried.values()) == 3 * CONTENDED_TRIES + 1  # of 9 messages, 5, 3, and of 2
    assert stored(store) == 9


def test_what_is_asked_for_while_a_batch_comes_late_is_folded_with_it(url, store, other, ingest):
    """Who asks finds the asset stale from its newest fix on; the batch, which is before it with
    the lock, leaves the asset stale from long before its last snapshot on."""
    ats = range(NOW, NOW + 40_000, 1_000)
    ingest(batch(ats=ats))
    with store.writing() as tx:
        tx.mark_stale({"A9": ats[-1]})
    other.execute(ASSET, ("A9",))
    with closing(PostgresqlStore(url)) as asked, ThreadPoolExecutor(2) as threads:
        receipts = threads.submit(ingest, batch(seq=1, ats=[NOW - 60_000]))
        wait_until(lambda: is_somebody_waiting(url))
        answer = threads.submit(observations, asked, "A9")
        wait_until(lambda: is_somebody_waiting(url, processes=2))
        other.commit()
        assert len(receipts.result(WITHIN_S)) == 9
        assert answer.result(WITHIN_S) == 41
    assert stored(store) == 9 * 41


def observations(store, asset):
    """What is told of an asset rests on so many."""
    with fresh(store, asset, NOW) as reader:
        return reader.belief(asset).observations
