"""The projection: the time-series store is told what waits for it in the queue.

An outage of it stops nothing and loses nothing: what it has not taken stays in the queue. It may
be told a point twice, which is the same point.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from random import random

import structlog

from gateway import metrics
from tracker.clocks import Clock
from tracker.letters import dead_letter
from tracker.points import at_of, series_of
from tracker.ports import Points, Series, SeriesUnavailable, Store
from tracker.telling import DAY_MS, REFUSED, TOPIC, tell

LINES_AT_ONCE = 20_000  # taken from the queue
TAKEN_FOR_MS = 30_000  # then another worker may take them: longer than writing usually takes
GATHER_S = 0.5  # between two looks: many small transactions would be in the gateway's way
RETRY_S = (0.5, 1, 2, 5, 10, 30)
HOUR_MS = 3_600_000
DAYS_AT_ONCE = 200
SERIES_APART = 20  # more of one day are made coarser together

log = structlog.get_logger()


class Projection:
    """A worker's job. Any number of workers may do it on one store."""

    def __init__(self, store: Store, series: Series, clock: Clock) -> None:
        self._store = store
        self._series = series
        self._clock = clock
        self._failures = 0
        self._error = ""

    def turn(self) -> float:
        """Tell some of what waits; in how many seconds to go on. Raises StoreUnavailable."""
        now = self._clock.now()
        taken = self._take(now)
        try:
            lines = self._tell(taken, now) if taken else 0
            busy = lines >= LINES_AT_ONCE or (not taken and self._coarsen())
        except SeriesUnavailable as error:
            return self._put_off(taken, error)
        if self._failures:
            log.info("the time-series store works again", failed_attempts=self._failures)
        self._failures, self._error = 0, ""
        return 0.0 if busy else GATHER_S

    def health(self) -> tuple[str, ...]:
        """What keeps it from its work, in words."""
        return (self._error,) if self._error else ()

    def _take(self, now: int) -> list[Points]:
        """Take some of the queue, if there is any."""
        with self._store.reading() as reader:
            waiting = reader.backlog()
        metrics.POINTS_WAITING.set(waiting.lines)
        metrics.POINTS_LAG.set(0 if waiting.since is None else max(0, now - waiting.since) / 1000)
        if not waiting.rows:
            return []
        with self._store.recording() as tx:
            return tx.take_points(now, now + TAKEN_FOR_MS, LINES_AT_ONCE)

    def _tell(self, taken: Sequence[Points], now: int) -> int:
        """Tell what was taken; how many lines that were."""
        lines = [line for points in taken for line in points.lines]
        outcome = tell(self._series, lines, now)
        for line, reason in outcome.refused:
            log.warning("a point is refused", line=line[:200], reason=reason)
        # What comes after its hour has ended may have missed the making of coarser points.
        ended = now // HOUR_MS * HOUR_MS
        late = {(series_of(line), at // DAY_MS) for line in lines if (at := at_of(line)) < ended}
        with self._store.recording() as tx:
            tx.told([points.id for points in taken])
            tx.dead_letter(
                [dead_letter(TOPIC, line, now, REFUSED, why) for line, why in outcome.refused]
            )
            tx.coarsen(sorted(late))
        metrics.POINTS.labels("told").inc(outcome.told)
        metrics.POINTS.labels("expired").inc(outcome.expired)
        metrics.POINTS.labels("refused").inc(len(outcome.refused))
        for points in taken:
            metrics.POINTS_TOLD.observe(max(0, self._clock.now() - points.queued) / 1000)
        return len(lines)

    def _coarsen(self) -> bool:
        """Make the coarser points of some days again; whether there were any."""
        with self._store.reading() as reader:
            due = reader.to_coarsen(DAYS_AT_ONCE)
        for day, some in groupby(due, key=lambda one: one[1]):
            series = [one for one, _ in some]
            for one in series if len(series) <= SERIES_APART else [None]:
                self._series.coarsen(day, one)
            with self._store.recording() as tx:
                tx.coarsened([(one, day) for one in series])
        return bool(due)

    def _put_off(self, taken: Sequence[Points], error: SeriesUnavailable) -> float:
        pause = RETRY_S[min(self._failures, len(RETRY_S) - 1)] * (1 + random() / 4)  # noqa: S311
        pause = max(pause, error.retry_after_s)
        if not self._failures:
            log.error("the time-series store takes nothing; it is told later", error=str(error))
        self._failures += 1
        self._error = f"the time-series store takes nothing: {error}"
        metrics.SERIES_FAILURES.inc()
        if taken:
            until = self._clock.now() + round(pause * 1000)
            with self._store.recording() as tx:
                tx.put_off([points.id for points in taken], until)
        return pause
