"""Alerts are delivered by real workers to real receivers, whoever dies in between."""

import random
import signal
import time
from collections import Counter

from tests.receivers import SECRET, Receiver
from tests.system.conftest import WITHIN_S, wait_for
from tracker.alerts import Alert, Event, State
from tracker.notices import State as Way
from tracker.notices import queue
from tracker.recipients import Digest, Recipient

ALERT = Alert("A1", "L1", "1", "overdue", 1, State.OPEN, "warning", 1, 0, 0, 0, 0)
KILLED = -signal.SIGKILL


def now():
    return time.time_ns() // 1_000_000


def happen(database, recipient, count, at=None):
    """So many events that somebody is to be told of; the ids of their deliveries."""
    at = at or now()
    with database.store.writing() as tx:
        tx.put_recipient(recipient)
        events = [Event(ALERT, "opened", at)] * count
        numbers = tx.add_alert_events(events, at)
        queue(tx, [*zip(numbers, events, strict=True)], {}, at)
    return {f"{recipient.id}-{number}" for number in numbers}


def all_sent(database):
    with database.store.reading() as tx:
        return {one.state for one in tx.deliveries(None, 10_000)} == {Way.SENT}


def test_a_worker_killed_between_sending_and_noting_sends_the_same_ids_again(database, worker):
    with Receiver() as receiver:
        ids = happen(database, Recipient(id="ops", url=receiver.url, secret=SECRET), 20)
        assert worker("before_note").wait(WITHIN_S) == KILLED
        first = Counter(receiver.ids)
        assert first
        assert not all_sent(database)
        worker()
        wait_for(lambda: all_sent(database), "all is sent")
    times = Counter(receiver.ids)
    assert times.keys() == ids
    assert times == Counter(dict.fromkeys(ids, 1)) + first
    bodies = {}
    for got in receiver.got:
        assert bodies.setdefault(got.id, got.body) == got.body


def test_a_digest_that_was_sent_and_not_noted_comes_again_as_it_was(database, worker):
    hourly = Digest(every="hourly")
    with Receiver() as receiver:
        ops = Recipient(id="ops", url=receiver.url, secret=SECRET, digest=hourly)
        happen(database, ops, 3, now() - 7_200_000)
        assert worker("before_note").wait(WITHIN_S) == KILLED
        happen(database, ops, 2, now() - 3_600_000)
        worker()
        wait_for(lambda: all_sent(database), "all is sent")
    first, *others = receiver.got
    again = [got for got in others if got.id == first.id]
    assert [got.body for got in again] == [first.body]
    (second,) = [got for got in others if got.id != first.id]
    assert [len(got.body["data"]["items"]) for got in (first, second)] == [3, 2]


def test_workers_killed_at_any_moment_lose_nothing_and_invent_nothing(database, worker):
    """Every event comes, and none under another id; noted ones come once."""
    chance = random.Random(7)
    with Receiver() as receiver:
        ops = Recipient(id="ops", url=receiver.url, secret=SECRET)
        ids = happen(database, ops, 600)
        for _ in range(4):
            process = worker()
            seen = len(receiver.got)
            wait_for(lambda seen=seen: len(receiver.got) > seen, "a worker sends")
            time.sleep(chance.uniform(0, 0.05))
            process.kill()
            process.wait(WITHIN_S)
        ids |= happen(database, ops, 50)
        worker()
        worker()
        wait_for(lambda: all_sent(database), "all is sent", 60)
    assert set(receiver.ids) == ids
    assert len(receiver.ids) - len(ids) <= 4 * 200  # at most what was under way at each kill


def test_a_worker_that_is_told_to_end_notes_what_it_has_sent(database, worker):
    with Receiver() as receiver:
        ids = happen(database, Recipient(id="ops", url=receiver.url, secret=SECRET), 400)
        process = worker()
        wait_for(lambda: receiver.got, "it sends")
        process.terminate()
        assert process.wait(WITHIN_S) == 0
        worker()
        wait_for(lambda: all_sent(database), "all is sent")
    assert Counter(receiver.ids) == Counter(dict.fromkeys(ids, 1))
