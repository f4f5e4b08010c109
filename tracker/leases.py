"""Leases: what a customer has, where, and until when. Pure.

A line is one serialised asset, or one of a class until an asset is dispatched for it. What is
agreed about it is only ever added: extensions, a return, a swap. A day is one of the lease's own
time zone; it is kept with its UTC value, for zones change their rules.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Literal, NamedTuple
from zoneinfo import ZoneInfo

HOUR_MS = 3_600_000
GRACE_H = 24.0
BACK = "returned"
How = Literal["returned", "cancelled", "swapped"]


@dataclass(frozen=True, slots=True)
class Partner:
    """Who has assets for a time, or works on them, and at which sites."""

    id: str
    name: str = ""
    kind: str = "other"
    sites: tuple[str, ...] = ()
    version: int = 1


class End(NamedTuple):
    """How a line ended on paper, and when (event time)."""

    how: How
    at: int


@dataclass(frozen=True, slots=True)
class Line:
    """One asset of a lease (None: any one of `class_`), from the day `start` up to the end of the
    day `due`, which extensions have moved. `due_at` is when it must be back (epoch ms), `start_at`
    when it may be there; `ended` is None as long as it is open on paper."""

    lease: str
    id: str
    asset: str | None
    class_: str | None
    start: date
    due: date
    start_at: int
    due_at: int
    ended: End | None = None

    @property
    def name(self) -> str:
        """The line's own among all of them."""
        return f"{self.lease}/{self.id}"


@dataclass(frozen=True, slots=True)
class Lease:
    """An order: to whom, where its assets are delivered (the first of `sites`) and may be, where
    they are to come back (None: to any depot). `timezone` is that of its days. With `open_days`
    a due day on which the site is closed moves to the next one on which it is open. `consignees`
    may have its assets too."""

    id: str
    customer: str
    sites: tuple[str, ...]
    timezone: str
    return_to: str | None = None
    grace_h: float = GRACE_H
    open_days: bool = False
    consignees: tuple[str, ...] = ()
    lines: tuple[Line, ...] = ()
    attributes: Mapping[str, Any] = field(default_factory=dict)
    version: int = 1

    @property
    def grace_ms(self) -> int:
        return int(self.grace_h * HOUR_MS)

    @property
    def returned(self) -> tuple[int, int]:
        """How many of its lines have come back on paper, of how many that were to."""
        wanted = [line.ended for line in self.lines if line.ended is None or line.ended.how == BACK]
        return sum(end is not None for end in wanted), len(wanted)


class Agreement(NamedTuple):
    """Something agreed about a lease (of one `line`, or of all of it): of what `kind`, from when
    on it holds (`at`, event time), when it was `recorded`, who said so, and what."""

    lease: str
    line: str | None
    kind: str
    at: int
    recorded: int
    by: str
    body: Mapping[str, Any] = {}


def starts_at(day: date, zone: str) -> int:
    """When a day begins in a time zone, epoch ms.

    >>> starts_at(date(2026, 1, 5), "Europe/Amsterdam") == ends_at(date(2026, 1, 4), "Europe/Paris")
    True
    """
    return _ms(datetime.combine(day, time(), ZoneInfo(zone)))


def ends_at(day: date, zone: str) -> int:
    """When a day ends in a time zone: when the next one begins. That need not be 24 hours later,
    and where midnight is skipped it is the first moment after.

    >>> (ends_at(date(2026, 3, 29), "Europe/Paris") - starts_at(date(2026, 3, 29), "Europe/Paris"))
    82800000
    """
    return starts_at(day + timedelta(days=1), zone)


def _ms(moment: datetime) -> int:
    return int(moment.astimezone(UTC).timestamp() * 1_000)


def next_open(day: date, weekdays: Iterable[int], holidays: Iterable[date]) -> date:
    """The first day from one on that is open: `weekdays` are open ones (Monday is 0).

    >>> next_open(date(2026, 1, 3), range(5), [date(2026, 1, 5)])
    datetime.date(2026, 1, 6)
    """
    open_on, closed = frozenset(weekdays), frozenset(holidays)
    if not open_on:
        return day
    while day.weekday() not in open_on or day in closed:
        day += timedelta(days=1)
    return day


def time_zone(lease: str | None, delivery: str | None, depots: Sequence[str | None]) -> str:
    """The zone of a lease's days: its own, else that of the delivery site, else of a depot.

    >>> time_zone(None, None, [None, "Europe/Madrid"])
    'Europe/Madrid'
    """
    return next((zone for zone in (lease, delivery, *depots) if zone), "UTC")
