"""Whether an asset can be on a line while it is on another one that is still open on paper.

Papers are closed late. So it is not asked whether the first line is closed, but whether its asset
has come back from it, as far as that has been observed.
"""

from __future__ import annotations

from collections.abc import Iterable

from tracker.leases import Line
from tracker.overdue import back
from tracker.past import Past


def clash(line: Line, others: Iterable[Line], past: Past, now: int) -> Line | None:
    """The first of an asset's other lines that keeps it from a line: an open one from which it
    has not come back, where both hold for some of the time, or where that one's time is over and
    the asset is still out.

    >>> from datetime import date
    >>> from tracker.overdue import Entered
    >>> jan, feb = (Line(str(n), "1", "A", None, date(2026, n, 1), date(2026, n, 9), n * 100,
    ...     n * 100 + 90) for n in (1, 2))
    >>> clash(feb, [jan], Past((Entered("in_use", 120),)), 195).lease
    '1'
    >>> clash(feb, [jan], Past((Entered("in_use", 120), Entered("received", 170))), 195)
    """
    if line.asset is None or line.ended is not None:
        return None
    others = list(others)
    for other in others:
        if other.ended is None and other.name != line.name:
            earlier, later = sorted((other, line), key=lambda one: one.start_at)
            overlap = later.start_at < earlier.due_at
            still_out = past.is_out and earlier.start_at <= now and earlier.due_at <= now
            if (overlap or still_out) and back(earlier, *past, others) is None:
                return other
    return None


def clash_at_once(line: Line, others: Iterable[Line], past: Past, now: int) -> Line | None:
    """The same among lines that are stated together: whoever writes down several in one go tells
    in which order they came, early returns included. They clash where they begin at once, or
    where the asset is known to be out on the first of them."""
    for other in others:
        together = other.start_at == line.start_at
        is_first = other.start_at <= min(line.start_at, now)
        if (together or (is_first and past.is_out)) and clash(line, [other], past, now):
            return other
    return None


def in_words(line: Line) -> str:
    """Why an asset cannot be on another line."""
    return (
        f"asset {line.asset} is on lease {line.lease}, line {line.id}, until {line.due}, and has "
        "not come back from it: close that line first, or state that the asset was received"
    )
