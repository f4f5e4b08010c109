"""The projection: the time-series store is told what waits for it in the queue.

An outage of it stops nothing and loses nothing: what it has not taken stays in the queue. It may
be told a point twice, which is the same point.
"""

from __future__ import annotations

from collections.abc import Sequence
from random import random

import structlog

from gateway import metrics
from tracker.clocks import Clock
from tracker.log_ports import Points
from tracker.points import at_of, is_coarsened, series_of
from tracker.ports import Series, SeriesUnavailable, Store
from tracker.stamps import DAY, HOUR
from tracker.telling import refusals, tell

LINES_AT_ONCE = 20_000  # taken from the queue
TAKEN_FOR_MS = 30_000  # then another worker may take them: longer than writing usually takes
GATHER_S = 1.0  # between two looks: many small transactions would be in the gateway's way
RETRY_S = (0.5, 1, 2, 5, 10, 30)
TASK_WITHIN_MS = 4 * 60_000  # of an hour's end it has not begun
MEASURED_EVERY_S = 10.0  # to count a long queue takes long

log = structlog.get_logger()


class Projection:
    """A worker's job. Any number of workers may do it on one store."""

    def __init__(self, store: Store, series: Series, clock: Clock) -> None:
        self._store = store
        self._series = series
        self._clock = clock
        self._failures = 0
        self._error = ""
        self._measured = -MEASURED_EVERY_S

    def turn(self) -> float:
        """Tell some of what waits; in how many seconds to go on. Raises StoreUnavailable."""
        taken = self._take()
        try:
            lines = self._tell(taken) if taken else 0
        except SeriesUnavailable as error:
            return self._put_off(taken, error)
        if self._failures and taken:
            log.info("the time-series store works again", failed_attempts=self._failures)
            self._failures, self._error = 0, ""
        return 0.0 if lines >= LINES_AT_ONCE else GATHER_S

    def health(self) -> tuple[str, ...]:
        """What keeps it from its work, in words."""
        return (self._error,) if self._error else ()

    def _take(self) -> list[Points]:
        """Take some of the queue, if there is any."""
        now = self._clock.wall()
        with self._store.reading() as reader:
            since = reader.behind()
            if self._clock.mono() - self._measured >= MEASURED_EVERY_S:
                self._measured = self._clock.mono()
                metrics.POINTS_WAITING.set(reader.backlog())
        lag = 0 if since is None else max(0, self._clock.now() - since)
        metrics.POINTS_LAG.set(lag / 1000)
        if since is None:
            return []
        with self._store.recording() as tx:
            return tx.take_points(now, now + TAKEN_FOR_MS, LINES_AT_ONCE)

    def _tell(self, taken: Sequence[Points]) -> int:
        """Tell what was taken; how many lines that were."""
        now = self._clock.wall()
        lines = [line for points in taken for line in points.lines]
        outcome = tell(self._series, lines, now)
        for line, reason in outcome.refused:
            log.warning("a point is refused", line=line[:200], reason=reason)
        missed = missed_by_task(now)
        late = {
            (series_of(line), at // DAY)
            for line in lines
            if (at := at_of(line)) < missed and is_coarsened(line)
        }
        with self._store.recording() as tx:
            tx.told([points.id for points in taken])
            tx.dead_letter(refusals(outcome, now))
            tx.coarsen(sorted(late))
        metrics.POINTS.labels("told").inc(outcome.told)
        metrics.POINTS.labels("expired").inc(outcome.expired)
        metrics.POINTS.labels("refused").inc(len(outcome.refused))
        for points in taken:
            metrics.POINTS_TOLD.observe(max(0, self._clock.now() - points.queued) / 1000)
        return len(lines)

    def _put_off(self, taken: Sequence[Points], error: SeriesUnavailable) -> float:
        pause = RETRY_S[min(self._failures, len(RETRY_S) - 1)] * (1 + random() / 4)  # noqa: S311
        pause = max(pause, error.retry_after_s)
        if not self._failures:
            log.error("the time-series store takes nothing; it is told later", error=str(error))
        self._failures += 1
        self._error = f"the time-series store takes nothing: {error}"
        metrics.SERIES_FAILURES.inc()
        until = self._clock.wall() + round(pause * 1000)
        with self._store.recording() as tx:
            tx.put_off([points.id for points in taken], until)
        return pause


def missed_by_task(now: int) -> int:
    """What is older than this (ms) and told only now, the task that makes coarser points has
    missed: it looks five minutes after each hour at the last two that have ended.

    >>> missed_by_task(10 * HOUR + 3 * 60_000) // HOUR
    8
    >>> missed_by_task(10 * HOUR + 6 * 60_000) // HOUR
    9
    """
    return (now - TASK_WITHIN_MS) // HOUR * HOUR - HOUR
