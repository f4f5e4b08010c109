"""Sweeping: what time alone makes true of stages is told, with no message arriving."""

from __future__ import annotations

from collections.abc import Iterator

import structlog

from gateway import metrics
from tracker.clocks import Clock
from tracker.ports import Store
from tracker.refold import tell_present
from tracker.sweep import Foresight

EVERY_S = 60.0
FASTEST_S = 1.0  # however fast the domain's clock runs
LOOKED_AT_ONCE = 50_000
TOLD_AT_ONCE = 200

log = structlog.get_logger()


class Sweep:
    """A worker's job. Any number of workers may do it on one store: what one has told, the others
    find told."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    def turn(self) -> float:
        """Look at every asset, and tell what has become of some; in how many seconds to go on."""
        began, told = self._clock.mono(), 0
        now = self._clock.now()
        for assets in self._due(now):
            for first in range(0, len(assets), TOLD_AT_ONCE):
                some = assets[first : first + TOLD_AT_ONCE]
                with self._store.recording() as tx:
                    tx.beliefs(some)  # all locked at once, in their order
                    tell_present(tx, dict.fromkeys(some, now), now)
                told += len(some)
        metrics.SWEPT.observe(self._clock.mono() - began)
        if told:
            log.debug("time has passed", assets=told)
        return max(EVERY_S / self._clock.rate, FASTEST_S)

    def _due(self, now: int) -> Iterator[list[str]]:
        """The assets of which something else may be told by now, some at a time."""
        with self._store.reading() as reader:
            foresight, profiles = Foresight(reader.inference()), reader.profiles()
        after = ""
        while True:
            with self._store.reading() as reader:
                waiting = reader.waiting(after, LOOKED_AT_ONCE)
            if not waiting.asset:
                return
            if due := foresight.due(waiting, profiles, now):
                yield due
            after = waiting.asset[-1]

    def health(self) -> tuple[str, ...]:
        """Nothing: what it does not tell now it tells at its next turn."""
        return ()
