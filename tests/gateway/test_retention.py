"""What a worker forgets of deliveries."""

import pytest

from gateway import retention
from gateway.retention import EVERY_S, DeliveryRetention
from tracker.clocks import ReplayClock
from tracker.notices import Delivery, Notice, State
from tracker.stores.sqlite import SqliteStore

NOW, DAY = 1_790_000_000_000, 86_400_000
NOTICE = Notice("opened", NOW, "A1 is overdue", "It is.", "/v1/alerts/a", {})


@pytest.fixture
def store(tmp_path):
    made = SqliteStore(tmp_path / "own.db")
    yield made
    made.close()


def test_old_deliveries_go_some_at_a_time_until_the_rest_is_young(store, monkeypatch):
    monkeypatch.setattr(retention, "FORGOTTEN_AT_ONCE", 2)
    with store.writing() as tx:
        for n in range(5):
            at = NOW - n * DAY
            one = Delivery(f"ops-{n}", "ops", "a", n, State.SENT, at, at, NOTICE)
            tx.queue_deliveries([one, one._replace(id=f"late-{n}", state=State.WAITING)])
    job = DeliveryRetention(store, 1, ReplayClock(NOW))
    assert [job.turn(), job.turn()] == [0.0, EVERY_S]
    with store.reading() as reader:
        kept = {one.id for one in reader.deliveries(None, 20)}
    assert kept == {"ops-0", "ops-1", *(f"late-{n}" for n in range(5))}
    assert job.health() == ()
