"""Whether a line is overdue: the lease on paper and the telemetry, decided together. Pure.

A date alone does not know where the asset is, telemetry alone does not know what was agreed. A
line is *back* with the first depot stage that its asset entered after it was out on this line;
later stages do not change that, only a correction that takes the entry away.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from enum import StrEnum
from typing import NamedTuple

from tracker.leases import HOUR_MS, Lease, Line
from tracker.process import LOST

WITH_CUSTOMER = ("in_use", "return_requested")
OUT = ("outbound", *WITH_CUSTOMER, "return_transit")
SCANNED = "~scan"  # a receipt: after every stage of the same moment
LIKELY = 0.5  # that it is still with the customer; "probably not back" gave five times the false
IS_LOST = 0.9
IS_BACK = 0.9
TRANSIT_MS = 24 * HOUR_MS  # beyond the expected arrival before anybody is troubled
TURNS_MS = HOUR_MS  # whoever goes out again so soon was read astray at the dock, and not back


def at_home(stage: str) -> bool:
    """Whether whoever enters a stage after having been out is back: whatever its process calls
    the stages at its depots.

    >>> at_home("received"), at_home("checkin"), at_home("in_use"), at_home("lost")
    (True, True, False, False)
    """
    return stage not in OUT and stage != LOST


class Kind(StrEnum):
    """What may be found of a line."""

    OVERDUE = "overdue"
    LATE_IN_TRANSIT = "late_in_transit"
    LOST = "presumed_lost"
    RETURNED_UNRECORDED = "returned_unrecorded"
    RETURNED_ON_PAPER = "returned_on_paper"
    WRONG_PARTNER = "wrong_partner"
    LEFT_BEHIND = "left_behind"


class Entered(NamedTuple):
    """A stage that an asset entered (None: unknown) at an event time."""

    stage: str | None
    at: int


class Glance(NamedTuple):
    """What is known of a line's asset at `now`, by its own clock: the probabilities of stages
    (`p`), the stages it `entered` in order, the event times at which somebody scanned it as
    `received`, at which `site` it stays, when the other lines of its order came `others_back`
    (None: not yet), how long a transit takes (ms), how long after its deadline the asset is taken
    for lost (ms; None: never by time alone), and all lines of the asset."""

    now: int
    p: Mapping[str, float]
    entered: tuple[Entered, ...] = ()
    received: tuple[int, ...] = ()
    site: str | None = None
    others_back: tuple[int | None, ...] = ()
    transit_ms: int = TRANSIT_MS
    lost_after_ms: int | None = None
    lines: tuple[Line, ...] = ()


class Return(NamedTuple):
    """When a line's asset was back (event time), and whether somebody scanned it then or later."""

    at: int
    scanned: bool


def back(
    line: Line,
    entered: Iterable[Entered],
    received: Iterable[int] = (),
    others: Iterable[Line] = (),
) -> Return | None:
    """When a line's asset was back, if it is: the first depot stage entered, or scan of a receipt,
    after it was out on this line. What it was already when the line began does not count, nor
    does a stage that it goes out from again within TURNS_MS, nor `ready` after nothing but
    `outbound`: then it had only seemed to leave. A return on the line's first day is that of the
    one before, if that is among the asset's `others` and was still open.

    >>> from datetime import date
    >>> line = Line("L1", "1", "A1", None, date(2026, 1, 1), date(2026, 1, 9), 10, 90)
    >>> back(line, [Entered("ready", 5), Entered("outbound", 20), Entered("received", 80)])
    Return(at=80, scanned=False)
    >>> back(line, [Entered("ready", 5), Entered("inspection", 12)]) is None
    True
    >>> back(line, [Entered("in_use", 20), Entered("ready", 22), Entered("outbound", 30)]) is None
    True
    """
    events = [(one.at, one.stage) for one in entered if one.stage is not None]
    events += [(at, SCANNED) for at in received]
    begins = _handed_over(line, others, events)
    return _back(line, [one for one in events if begins is None or one[0] > begins])


def _handed_over(
    line: Line, others: Iterable[Line], events: Sequence[tuple[int, str]]
) -> int | None:
    """When an asset was back from the line before, where that was on the first day of this one."""
    before = (
        _back(other, events)
        for other in others
        if other.name != line.name
        and other.start_at < line.start_at
        and (other.ended is None or other.ended.at >= line.start_at)
    )
    first_day = range(line.start_at, line.start_at + 24 * HOUR_MS)
    return max((came.at for came in before if came and came.at in first_day), default=None)


def _back(line: Line, events: Sequence[tuple[int, str]]) -> Return | None:
    last, came = None, None
    for at, stage in sorted(events):
        if stage in OUT:
            if came is not None and at >= came.at + TURNS_MS:
                return came
            last, came = max(last or stage, stage, key=OUT.index), None
        elif at < line.start_at:
            last = None
        elif last is not None and stage == SCANNED:
            return Return(came.at if came is not None else at, True)
        elif last is not None and at_home(stage) and (last, stage) != ("outbound", "ready"):
            came = came or Return(at, False)
    return came


class Found(NamedTuple):
    """What holds of a line since an event time, and what it was decided by."""

    kind: Kind
    since: int
    why: Mapping[str, float | int | str | None]


def found(lease: Lease, line: Line, glance: Glance, elsewhere: Mapping[str, str]) -> list[Found]:
    """All that holds of a line now. `elsewhere` are the sites of other partners, and whose. The
    time that a finding is to hold before anybody hears of it is not looked at here."""
    came = back(line, glance.entered, glance.received, glance.lines)
    return [
        *_due(lease, line, glance, came),
        *_paper(line, glance, came),
        *_place(lease, line, glance, came, elsewhere),
    ]


def with_customer(glance: Glance) -> float:
    """How likely it is that an asset is still with the customer."""
    return sum(glance.p.get(stage, 0.0) for stage in WITH_CUSTOMER)


def _due(lease: Lease, line: Line, glance: Glance, came: Return | None) -> Iterator[Found]:
    deadline = line.due_at + lease.grace_ms
    if line.ended is not None or came is not None or line.asset is None:
        return
    lost, late = glance.p.get(LOST, 0.0), glance.now >= deadline
    given_up = None if glance.lost_after_ms is None else deadline + glance.lost_after_ms
    if lost >= IS_LOST:
        yield Found(Kind.LOST, glance.now, {"p": lost, "due": line.due_at})
    elif given_up is not None and glance.now >= given_up:
        yield Found(Kind.LOST, given_up, {"p": lost, "due": line.due_at, "deadline": deadline})
    elif late and (p := with_customer(glance)) >= LIKELY:
        yield Found(Kind.OVERDUE, deadline, {"p": p, "due": line.due_at, "deadline": deadline})
    elif late and (p := glance.p.get("return_transit", 0.0)) >= LIKELY:
        arrival = _left(glance) + glance.transit_ms
        yield Found(Kind.LATE_IN_TRANSIT, deadline, {"p": p, "due": line.due_at, "by": arrival})


def _left(glance: Glance) -> int:
    """Since when an asset has been on its way back, as far as that was told."""
    return max((one.at for one in glance.entered if one.stage == "return_transit"), default=0)


def _paper(line: Line, glance: Glance, came: Return | None) -> Iterator[Found]:
    ended = line.ended
    if ended is None and came is not None:
        yield Found(Kind.RETURNED_UNRECORDED, came.at, {"back": came.at, "due": line.due_at})
    elif ended is not None and ended.how == "returned" and came is None and line.asset is not None:
        p = with_customer(glance) + glance.p.get("return_transit", 0.0)
        if p >= LIKELY:
            yield Found(Kind.RETURNED_ON_PAPER, ended.at, {"p": p, "closed": ended.at})


def _place(
    lease: Lease, line: Line, glance: Glance, came: Return | None, elsewhere: Mapping[str, str]
) -> Iterator[Found]:
    if line.ended is not None or came is not None or glance.now < line.start_at:
        return
    partner = elsewhere.get(glance.site or "")
    allowed = partner in (None, lease.customer, *lease.consignees) or glance.site in lease.sites
    if partner is not None and not allowed:
        why = {"site": glance.site, "partner": partner}
        yield Found(Kind.WRONG_PARTNER, glance.now, why)
    returns = [at for at in glance.others_back if at is not None]
    if returns and len(returns) == len(glance.others_back):
        p = with_customer(glance)
        if p >= LIKELY and glance.now < line.due_at + lease.grace_ms:
            yield Found(Kind.LEFT_BEHIND, max(returns), {"p": p, "others": len(returns)})
