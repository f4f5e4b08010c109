"""The forecast of all lines, kept for a while: a page costs a page."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from threading import Lock
from typing import NamedTuple

from tracker.clocks import Clock
from tracker.late_lines import Expected, late_lines
from tracker.partner_view import expected
from tracker.ports import Reader
from tracker.taught import Taught

FRESH_S, KEPT_S = 30.0, 600.0  # for a first page; for the pages that follow it
FRESH_FACTOR = 10  # but as many times as long as it took: it must not take all the time
KEPT = 2  # forecasts: 100,000 lines take about 100 MB each


class Foreseen(NamedTuple):
    """Every line under way at `now`, the likeliest to be late first, and how many assets were
    stale then. By the monotonic clock it was `made` at a time, and is `fresh` until another."""

    now: int
    lines: Sequence[Expected]
    stale: int
    made: float
    fresh: float

    def page(
        self, after: tuple[float, str] | None, limit: int, customer: str | None
    ) -> Sequence[Expected]:
        """So many lines (of a customer) after a place."""
        first = 0
        if after is not None:
            first = bisect_right(self.lines, after, key=lambda one: one.place)
        if customer is None:
            return self.lines[first : first + limit]
        own = (one for one in self.lines[first:] if one.lease.customer == customer)
        return [one for one, _ in zip(own, range(limit), strict=False)]


class Foresight:
    """Keeps the forecasts of which pages may still be asked for."""

    def __init__(self) -> None:
        self._taught = Taught()
        self._kept: list[Foreseen] = []
        self._lock = Lock()

    def own(self, reader: Reader, clock: Clock, now: int | None, customer: str | None) -> Foreseen:
        """What a partner may see of the forecast: of few lines, and never kept."""
        at = clock.now() if now is None else now
        lines = expected(reader, at, lambda all_: self._taught.by(all_, clock.now()), customer)
        return Foreseen(at, lines, reader.stale_count(), 0.0, 0.0)

    def of(self, reader: Reader, clock: Clock, now: int | None) -> Foreseen:
        """The forecast of a time at which an earlier page was, or (None) of about now."""
        with self._lock:  # who asks meanwhile waits for it, instead of working out the same
            mono = clock.mono()
            self._kept = [one for one in self._kept if mono - one.made < KEPT_S]
            for one in reversed(self._kept):
                if one.now == now or (now is None and mono < one.fresh):
                    return one
            at = clock.now() if now is None else now
            lines = late_lines(reader, at, self._taught.by(reader, clock.now()))
            made = clock.mono()
            fresh = made + max(FRESH_S, FRESH_FACTOR * (made - mono))
            found = Foreseen(at, lines, reader.stale_count(), made, fresh)
            self._kept = [*self._kept, found][-KEPT:]
            return found
