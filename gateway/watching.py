"""Watching: assets of which something new is told, or whose time has come, are looked at, and
alerts about them are raised or ended."""

from __future__ import annotations

import structlog

from gateway import metrics
from tracker.clocks import Clock
from tracker.ports import Store
from tracker.taught import Taught
from tracker.watching import look_at_due

EVERY_S = 1.0
AT_ONCE = 100  # assets in a transaction
FOR_S = 0.5  # at a time, for other jobs wait meanwhile

log = structlog.get_logger()


class Watching:
    """A worker's job. Any number of workers may do it on one store: what one has looked at, the
    others find looked at."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._taught = Taught()

    def turn(self) -> float:
        """Look at what is due; in how many seconds to go on."""
        began = self._clock.mono()
        while self._clock.mono() - began < FOR_S:
            now = self._clock.now()
            with self._store.reading() as reader:
                if not reader.timers(now, 1):
                    return EVERY_S
                taught = self._taught.by(reader, now)
            with self._store.recording() as tx:
                looked, events = look_at_due(tx, now, AT_ONCE, taught)
            metrics.LOOKED.inc(looked)
            for event in events:
                metrics.ALERTS.labels(event.kind).inc()
                log.info("alert", alert=event.alert.id, what=event.kind)
        return 0.0

    def health(self) -> tuple[str, ...]:
        """Nothing: what it does not find now it finds at its next turn."""
        return ()
