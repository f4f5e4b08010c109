"""Watching: assets of which something new is told, or whose time has come, and readers that are
away are looked at, and alerts about them are raised or ended."""

from __future__ import annotations

from collections.abc import Iterable

import structlog

from gateway import metrics
from tracker.alerts import Event
from tracker.clocks import Clock
from tracker.late_lines import Learned
from tracker.leases import HOUR_MS
from tracker.ports import Store, StoreUnavailable
from tracker.reader_watch import look_at_readers, readers_to_look_at
from tracker.taught import Taught
from tracker.watching import InForce, look, look_at_due

EVERY_S = 1.0
READERS_EVERY_S = 5.0
AT_ONCE = 100  # assets in a transaction
FAILED_AGAIN_MS = HOUR_MS
FAILED_TOLD = 3
FOR_S = 0.5  # at a time, for other jobs wait meanwhile

log = structlog.get_logger()


class Watching:
    """A worker's job. Any number of workers may do it on one store: what one has looked at, the
    others find looked at."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._taught = Taught()
        self._failed = dict[str, tuple[int, str]]()  # when they are tried again, and why

    def turn(self) -> float:
        """Look at what is due; in how many seconds to go on."""
        began = self._clock.mono()
        while self._clock.mono() - began < FOR_S:
            now = self._clock.now()
            with self._store.reading() as reader:
                if not reader.timers(now, 1):
                    return EVERY_S
                taught = self._taught.by(reader, now)
            try:
                with self._store.recording() as tx:
                    looked, events = look_at_due(tx, now, AT_ONCE, taught)
            except StoreUnavailable:
                raise
            except Exception:
                log.exception("a look at assets failed", at_once=AT_ONCE)
                self._one_by_one(now, taught)
                continue
            self._failed = {a: one for a, one in self._failed.items() if one[0] > now}
            metrics.LOOKED.inc(looked)
            _tell(events)
        return 0.0

    def _one_by_one(self, now: int, taught: Learned) -> None:
        """Look at what is due, each by itself, so that one that cannot be looked at keeps no other
        from it; it is tried again later."""
        with self._store.reading() as reader:
            due, rules = reader.timers(now, AT_ONCE), InForce.of(reader.rules(), taught)
        for asset in due:
            try:
                with self._store.recording() as tx:
                    events = look(tx, [asset], now, rules)
            except StoreUnavailable:
                raise
            except Exception as error:
                log.exception("an asset cannot be looked at", asset=asset)
                again = now + FAILED_AGAIN_MS
                with self._store.recording() as tx:
                    tx.beliefs([asset])  # locked
                    tx.set_timers({asset: again})
                why = f"asset {asset} cannot be looked at for alerts: {error!r}"
                self._failed[asset] = (again, why)
                continue
            self._failed.pop(asset, None)
            metrics.LOOKED.inc()
            _tell(events)

    def health(self) -> tuple[str, ...]:
        """What it could not look at, until it can; all else it finds at its next turn."""
        return tuple(why for _, why in self._failed.values())[:FAILED_TOLD]


class WatchingReaders:
    """A worker's job, likewise: readers that are away."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    def turn(self) -> float:
        """Look at readers; in how many seconds to do so again."""
        now = self._clock.now()
        with self._store.reading() as reader:
            devices = readers_to_look_at(reader, now)
        if devices:
            with self._store.recording() as tx:
                _tell(look_at_readers(tx, devices, now))
        return READERS_EVERY_S

    def health(self) -> tuple[str, ...]:
        """Nothing, as above."""
        return ()


def _tell(events: Iterable[Event]) -> None:
    for event in events:
        metrics.ALERTS.labels(event.kind).inc()
        log.info("alert", alert=event.alert.id, what=event.kind)
