"""Retention: once a day the log gives up what it has kept long enough, and so does the list of
deliveries."""

from __future__ import annotations

import structlog

from gateway import metrics
from tracker.audit import Act
from tracker.clocks import Clock
from tracker.ports import Store
from tracker.stamps import DAY
from tracker.times import iso
from tracker.trim import edge_due, retain

EVERY_S = 86_400.0
FORGOTTEN_AT_ONCE = 1_000  # deliveries, in a transaction

log = structlog.get_logger()


class Retention:
    """A worker's job. Any number of workers may do it on one store."""

    def __init__(self, store: Store, days: int, clock: Clock) -> None:
        self._store = store
        self._days = days
        self._clock = clock

    def turn(self) -> float:
        """Give up what is old enough; in how many seconds to look again."""
        act = Act("retention", self._clock.now(), self._clock.wall())
        with self._store.reading() as reader:  # to look for it takes long, and is in nobody's way
            if edge_due(reader, self._days, act.now) is None:
                return EVERY_S
        with self._store.writing() as tx:
            done = retain(tx, self._days, act)
        if done.rows and done.edge is not None:
            log.info("the log gave up its oldest part", rows=done.rows, begins=iso(done.edge))
        return EVERY_S

    def health(self) -> tuple[str, ...]:
        """Nothing: what it cannot do today it does tomorrow."""
        return ()


class DeliveryRetention:
    """A worker's job: deliveries that were sent so many days ago are forgotten. Those that wait,
    or are parked, stay."""

    def __init__(self, store: Store, days: int, clock: Clock) -> None:
        self._store = store
        self._days = days
        self._clock = clock

    def turn(self) -> float:
        """Forget some; in how many seconds to look again."""
        before = self._clock.now() - self._days * DAY
        with self._store.recording() as tx:
            forgotten = tx.forget_deliveries(before, FORGOTTEN_AT_ONCE)
        metrics.DELIVERIES_FORGOTTEN.inc(forgotten)
        return EVERY_S if forgotten < FORGOTTEN_AT_ONCE else 0.0

    def health(self) -> tuple[str, ...]:
        """Nothing: what it cannot do today it does tomorrow."""
        return ()
