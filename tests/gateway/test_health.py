"""When a gateway says that the promise is at risk."""

import threading
from contextlib import contextmanager

import pytest
from prometheus_client import REGISTRY

from gateway.broker_url import BrokerUrl
from gateway.gateway import Gateway
from gateway.ingest import Ingest
from gateway.mosquitto import free_port
from gateway.session import Delivery, Session
from tests.system.conftest import wait_for
from tracker.ports import StoreUnavailable
from tracker.stamps import StampPolicy
from tracker.stores.sqlite import SqliteStore

NOON = 1_767_614_400_000
FIX = b'{"boot":"b1","seq":0,"events":[{"at":%d,"fix":{"lat":50,"lon":4,"acc":8}}]}' % NOON


class Hands:
    """A clock that is moved by hand; only waits inside the process pass by themselves."""

    rate = 2.0

    def __init__(self):
        self.at, self.ticks = NOON, 0.0

    def now(self):
        return self.at

    wall = now

    def mono(self):
        self.ticks += 0.001
        return self.ticks


class Away(SqliteStore):
    away = True

    @contextmanager
    def recording(self):
        if self.away:
            raise StoreUnavailable("the disk is full")
        with super().recording() as tx:
            yield tx


@pytest.fixture
def running(tmp_path):
    """A gateway whose store takes nothing, with a message that waits; its broker is away too."""
    clock, store = Hands(), Away(tmp_path / "retour.db")
    session = Session(
        BrokerUrl.parse(f"mqtt://127.0.0.1:{free_port()}"), "gw", [], clock, window=10
    )
    session.waiting.append(Delivery("retour/v1/trk-1/events", FIX, NOON, 1, 1, 0))
    gateway = Gateway(session, Ingest(store, StampPolicy()), store, clock)
    thread = threading.Thread(target=gateway.run)
    thread.start()
    yield gateway, clock, store
    gateway.stop()
    thread.join(10)
    store.close()


def ails(gateway, what):
    return [problem for problem in gateway.health() if what in problem]


def test_a_message_that_waits_too_long_to_be_stored_ails(running):
    gateway, clock, store = running
    wait_for(lambda: ails(gateway, "cannot store"), "the store is found away")
    clock.at += 60_000  # half a minute of real time: this clock runs twice as fast
    assert ails(gateway, "has waited") == []
    clock.at += 2_000
    assert ails(gateway, "has waited") == ["a message has waited for 31 s to be stored"]
    assert REGISTRY.get_sample_value("retour_oldest_unacknowledged_seconds") == 31.0
    store.away = False
    wait_for(lambda: not ails(gateway, "has waited"), "it is stored")
    assert ails(gateway, "cannot store") == []
    assert REGISTRY.get_sample_value("retour_oldest_unacknowledged_seconds") == 0.0
    assert REGISTRY.get_sample_value("retour_lag_seconds_sum") >= 31.0
