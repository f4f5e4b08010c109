"""Deadlines while workers die: every overdue line is told once, and so is who hears of it."""

import random
import time
from collections import Counter
from datetime import date

from tests.receivers import SECRET, Receiver
from tests.system.conftest import WITHIN_S, wait_for
from tracker.facts import state
from tracker.lease_ports import AlertFilter
from tracker.leases import Lease, Line, Partner
from tracker.model import Asset, Fact
from tracker.notices import State
from tracker.recipients import Recipient
from tracker.registry import register_asset
from tracker.stamps import StampPolicy

LINES = 300
HOUR, DAY = 3_600_000, 86_400_000
SEED = 20_261
CLAIMS_END_S = 150


def lease_out(database, now):
    """Assets at a customer, whose leases have just become overdue."""
    with database.store.writing() as tx:
        tx.put_partner(Partner("acme", sites=("cust-1",)))
        for n in range(LINES):
            asset, began = f"A{n:03}", now - 5 * DAY
            register_asset(tx, Asset(asset, "pallet", initial_stage="in_use"))
            days = (date(2026, 1, 1), date(2026, 1, 4))
            line = Line(f"L{n}", "1", asset, None, *days, began, now - 2 * DAY)
            tx.put_lease(Lease(f"L{n}", "acme", ("cust-1",), "UTC", lines=(line,)))
            state(tx, [(Fact(asset, "lease_started", id=f"f{n}"), began)], StampPolicy(), began)


def opened(database):
    with database.store.reading() as reader:
        events = reader.alert_events_after(0, 100_000)
    return Counter(one.event.alert.asset for one in events if one.event.kind == "opened")


def test_26_deadlines_are_told_once_though_workers_are_killed(database, worker):
    """They are killed at random moments, two at a time."""
    chance, now = random.Random(SEED), time.time_ns() // 1_000_000
    with Receiver() as receiver:
        with database.store.writing() as tx:
            tx.put_recipient(Recipient(id="ops", url=receiver.url, secret=SECRET))
        lease_out(database, now)
        for _ in range(4):
            pair = [worker(), worker()]
            time.sleep(chance.uniform(1.0, 3.0))
            for process in pair:
                process.kill()
                process.wait(WITHIN_S)
        worker()
        worker()
        wait_for(lambda: len(opened(database)) == LINES, "all are told")
        # What a killed worker had claimed comes due again.
        wait_for(lambda: sent(database) == LINES, "all have been heard of", CLAIMS_END_S)
    assert set(opened(database).values()) == {1}
    with database.store.reading() as reader:
        assert len(reader.alerts(AlertFilter(), (0, ""), 10 * LINES)) == LINES
    assert len({*receiver.ids}) == LINES


def sent(database):
    with database.store.reading() as reader:
        return sum(one.state == State.SENT for one in reader.deliveries(None, 10_000))
