"""Leases as they were known on the way, from what was agreed about them and when. Pure.

Of a lease's head (customer, sites, grace, open days, consignees) only what it is now is known here.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime
from itertools import groupby
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from tracker.lease_book import Calendar, stated_due
from tracker.lease_lines import extended_due
from tracker.lease_record import in_order
from tracker.leases import Agreement, End, Lease, Line, starts_at


class Told(NamedTuple):
    """A lease as it was from when something about it was `recorded` (epoch ms)."""

    recorded: int
    lease: Lease


def as_told(lease: Lease, agreed: Sequence[Agreement], calendar: Calendar) -> Iterator[Told]:
    """A lease after each recording of something about its lines, which is how it was known then:
    a line is there from when it was told, is due as was agreed by then, and ends when that was
    told, not when it happened."""
    lines = dict[str, Line]()
    done = list[Agreement]()
    for recorded, some in groupby(agreed, key=lambda one: one.recorded):
        for one in some:
            if one.line is not None:
                lines |= {line.id: line for line in _after(lines, one, done, lease.timezone)}
            done.append(one)
        timed = (_timed(line, lease, calendar) for line in lines.values())
        yield Told(recorded, replace(lease, lines=in_order(timed)))


def _after(
    lines: Mapping[str, Line], one: Agreement, before: Sequence[Agreement], zone: str
) -> Iterable[Line]:
    """The lines that an agreement makes or changes; their times are still to be told."""
    assert one.line is not None
    if one.kind == "leased":
        return [_leased(lines.get(one.line), one, before)]
    line = lines[one.line]
    if one.kind == "extended":
        return [replace(line, due=extended_due([*before, one], line.id))]
    if one.kind == "dispatched":
        return [replace(line, asset=one.body["asset"])]
    if one.kind in ("returned", "cancelled"):
        return [replace(line, ended=End(one.kind, one.at))]  # type: ignore[arg-type]  # a How
    if one.kind == "swapped":
        return [replace(line, ended=End("swapped", one.at)), *_swapped_in(line, one, zone)]
    return ()


def _leased(known: Line | None, one: Agreement, before: Sequence[Agreement]) -> Line:
    """A line as it is stated; an extended due day stays where the same one is stated again."""
    said: Mapping[str, Any] = one.body
    due = date.fromisoformat(said["due"])
    if known is not None and due == stated_due(before, known.id):
        due = known.due
    start = date.fromisoformat(said["from"])
    ended = known.ended if known is not None else None
    return Line(one.lease, one.line or "", said["asset"], said["class"], start, due, 0, 0, ended)


def _swapped_in(line: Line, one: Agreement, zone: str) -> Iterator[Line]:
    """The line of the asset that took the place of another; a world file may not tell of it."""
    if "line" in one.body:
        day = datetime.fromtimestamp(one.at / 1_000, ZoneInfo(zone)).date()
        due = max(line.due, day)
        yield replace(line, id=one.body["line"], asset=one.body["asset"], start=day, due=due)


def _timed(line: Line, lease: Lease, calendar: Calendar) -> Line:
    start_at = starts_at(line.start, lease.timezone)
    return replace(line, start_at=start_at, due_at=calendar.due_at(line.due, lease))
