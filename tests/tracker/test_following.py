"""Who follows the log on PostgreSQL misses no row, whoever commits in which order."""

import random
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing

import pytest

from tracker.model import Device
from tracker.registry import register_device
from tracker.stores.postgresql import PostgresqlStore

pytestmark = pytest.mark.system
RECORDERS, BATCHES = 4, 30
WITHIN_S = 60


@pytest.fixture
def open_store(new_postgresql):
    """Opens one database, each time as another process would."""
    url = new_postgresql()
    with ExitStack() as stack:
        yield lambda: stack.enter_context(closing(PostgresqlStore(url)))


class Follower:
    """Reads on and on, as the live stream does."""

    def __init__(self, store):
        self.store, self.at, self.keys = store, 0, []

    def look(self):
        with self.store.reading() as tx:
            newest, _ = tx.newest()
        with self.store.reading() as tx:
            self.keys += [key for _, key, _, _ in tx.logged_after(self.at, newest, 1_000_000)]
        self.at = max(self.at, newest)
        return self.keys


def append(tx, message):
    return next(iter(tx.append(message.observations, 0)))


def test_a_number_that_appears_late_is_not_missed(open_store, make):
    """The earlier of two transactions gets the greater number and commits first."""
    early, late, follower = open_store(), open_store(), Follower(open_store())
    with early.writing() as tx:
        register_device(tx, Device("trk-1", "tracker"), make.POLICY)
    with late.recording() as slow:
        with early.recording() as quick:
            quick.devices(["trk-1"])
            lower = append(slow, make.message(make.fix(), device="trk-2"))
            greater = append(quick, make.message(make.fix()))
        assert follower.look() == []
    assert follower.look() == [lower, greater]


def test_what_is_undone_holds_nobody_up(open_store, make):
    store, follower = open_store(), Follower(open_store())

    def fail():
        with store.recording() as tx:
            append(tx, make.message(make.fix()))
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    with store.recording() as tx:
        key = append(tx, make.message(make.fix(), seq=1))
    assert follower.look() == [key]


def test_every_row_is_seen_once_while_many_record(open_store, make):
    def work(number):
        store, keys, chance = open_store(), [], random.Random(number)
        for seq in range(BATCHES):
            with store.recording() as tx:
                tx.devices([f"trk-{chance.randrange(9)}"])
                time.sleep(chance.random() / 200)
                fixes = [make.fix()] * chance.randrange(1, 4)
                keys += tx.append(
                    make.message(*fixes, device=f"d{number}", seq=seq).observations, 0
                )
                time.sleep(chance.random() / 200)
        return keys

    follower = Follower(open_store())
    with follower.store.writing() as tx:
        for n in range(9):
            register_device(tx, Device(f"trk-{n}", "tracker"), make.POLICY)
    with ThreadPoolExecutor(RECORDERS) as threads:
        recorders = [threads.submit(work, number) for number in range(RECORDERS)]
        while not all(one.done() for one in recorders):
            follower.look()
    recorded = [key for one in recorders for key in one.result(WITHIN_S)]
    assert sorted(follower.look()) == sorted(recorded)
    assert len(recorded) > RECORDERS * BATCHES
