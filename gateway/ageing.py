"""Ageing: how much of their lives assets have spent is looked at, and models of when they fail are
made anew."""

from __future__ import annotations

import structlog

from gateway import metrics
from tracker.ageing import age, learn
from tracker.clocks import Clock
from tracker.govern import LOOKS_A_SECOND
from tracker.ports import Store

EVERY_S = 600.0
LEARN_EVERY_S = 6 * 3_600.0
FASTEST_S = 5.0  # however fast the domain's clock runs
AT_ONCE = 5_000

log = structlog.get_logger()


class Ageing:
    """A worker's job. Any number of workers may do it on one store: what one has written, the
    others find as it is."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._learn_at = 0.0

    def turn(self) -> float:
        """Look at all assets of known classes; in how many seconds to go on."""
        began, now = self._clock.mono(), self._clock.now()
        with self._store.reading() as reader:
            classes = [*reader.class_book()]
        if classes and began >= self._learn_at:
            self._learn(now)
            self._learn_at = began + max(LEARN_EVERY_S / self._clock.rate, FASTEST_S)
        with self._store.reading() as reader:
            swept = [*age(reader, now)] if classes else []
        with self._store.recording() as tx:
            tx.forget_spent(classes)
        for one in swept:
            for first in range(0, max(len(one.spent), len(one.gone)), AT_ONCE):
                part = slice(first, first + AT_ONCE)
                with self._store.recording() as tx:
                    tx.save_spent(one.spent[part], one.gone[part])
        metrics.AGED.observe(self._clock.mono() - began)
        return max(EVERY_S / self._clock.rate, FASTEST_S)

    def _learn(self, now: int) -> None:
        with self._store.reading() as reader:
            found = learn(reader, now)
        known = []
        with self._store.recording() as tx:
            before = {one.class_: one.number for one in tx.models()}
            for one in found:
                if before.get(one.class_, 0) == one.number - 1:  # else another worker was quicker
                    tx.add_model(one)
                    tx.look_at_all(now, LOOKS_A_SECOND, one.class_)
                    known.append(one)
        for one in known:
            log.info(
                "learned when a class fails",
                asset_class=one.class_,
                failures=one.model.failures,
                off_by=round(one.fit.largest_gap, 3),
            )

    def health(self) -> tuple[str, ...]:
        """Nothing: what it does not find now it finds at its next turn."""
        return ()
