"""Calling the roll: what wills and late uploads say of when readers were down."""

from __future__ import annotations

import structlog

from tracker.clocks import Clock
from tracker.ports import Store
from tracker.roll_call import call_roll

EVERY_S = 2.0

log = structlog.get_logger()


class RollCall:
    """A worker's job. Any number of workers may do it on one store."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    def turn(self) -> float:
        """Look at the readers that were named; in how many seconds to go on."""
        with self._store.reading() as reader:
            named = reader.suspects()
        if named:
            with self._store.writing() as tx:
                stale = call_roll(tx, self._clock.now())
            log.debug("the roll was called", readers=len(named), stale=len(stale))
        return EVERY_S

    def health(self) -> tuple[str, ...]:
        """Nothing: what it does not find now it finds at its next turn."""
        return ()
