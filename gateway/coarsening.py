"""Coarser points of days for which something came late are made again, bit by bit."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import NamedTuple

import structlog

from tracker.clocks import Clock
from tracker.log_ports import LateDay
from tracker.ports import Series, SeriesUnavailable, Store
from tracker.stamps import DAY, HOUR
from tracker.telling import ALL_SERIES

IDLE_S = 5.0
AGAIN_S = 60.0  # after a failure
AT_ONCE = 1_000
SERIES_APART = 24  # more of one day are made together, hour by hour
BEFORE_ALL = -(2**62)

log = structlog.get_logger()


class Bit(NamedTuple):
    """Some hours (ms) of one series, or of all (None); and what is done when this is the last."""

    since: int
    until: int
    series: str | None
    done: Sequence[LateDay]


class Coarsening:
    """A worker's job. What fails is passed over, and comes again after all others."""

    def __init__(self, store: Store, series: Series, clock: Clock) -> None:
        self._store = store
        self._series = series
        self._clock = clock
        self._bits: deque[Bit] = deque()
        self._after = BEFORE_ALL
        self._error = ""

    def turn(self) -> float:
        """Make one bit; in how many seconds to go on. Raises StoreUnavailable."""
        if not self._bits:
            self._bits.extend(self._due())
        if not self._bits:
            return IDLE_S
        bit = self._bits.popleft()
        try:
            oldest = self._series.oldest(self._clock.wall())
            if oldest is None or bit.until > oldest:
                self._series.coarsen(bit.since, bit.until, bit.series)
        except SeriesUnavailable as error:
            log.warning("coarser points cannot be made now", day=bit.since, error=str(error))
            self._error = f"coarser points cannot be made: {error}"
            self._bits.clear()
            return AGAIN_S
        self._error = ""
        if bit.done:
            with self._store.recording() as tx:
                tx.coarsened(bit.done)
        return 0.0

    def health(self) -> tuple[str, ...]:
        """What keeps it from its work, in words."""
        return (self._error,) if self._error else ()

    def _due(self) -> list[Bit]:
        """What is to be done for the next day that has any."""
        with self._store.reading() as reader:
            days = reader.to_coarsen(self._after, AT_ONCE)
        if not days:
            self._after = BEFORE_ALL
            return []
        day, first = next(groupby(days, key=lambda one: one.day))
        self._after = day
        return list(bits_of(day, list(first)))


def bits_of(day: int, late: Sequence[LateDay]) -> Iterator[Bit]:
    """The bits that a day is made in.

    >>> [bit.series for bit in bits_of(0, [LateDay("fix/a", 0, 1), LateDay("fix/b", 0, 1)])]
    ['fix/a', 'fix/b']
    >>> all_of_it = list(bits_of(0, [LateDay("", 0, 1)]))
    >>> len(all_of_it), all_of_it[0].done, all_of_it[-1].done
    (24, [], [LateDay(series='', day=0, noted=1)])
    """
    start = day * DAY
    if len(late) <= SERIES_APART and all(one.series != ALL_SERIES for one in late):
        for one in late:
            yield Bit(start, start + DAY, one.series, [one])
        return
    for hour in range(start, start + DAY, HOUR):
        is_last = hour + HOUR == start + DAY
        yield Bit(hour, hour + HOUR, None, late if is_last else [])
