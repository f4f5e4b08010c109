"""Whether an asset has served its time: what ends its life, by which figures. Pure.

A trigger tells what was found, by what, and the figures that it rests on. Those of time say since
when they hold, or from when on they will: so a timer can be set for it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any, NamedTuple

from tracker.disposition import choose
from tracker.leases import HOUR_MS
from tracker.life import Life
from tracker.stamps import DAY
from tracker.times import iso
from tracker.upkeep import Plan
from tracker.wear import shares
from tracker.work import Order

WORN_AT, CLEAR_AT = 1.0, 0.9  # of what is bearable: set at all of it, cleared below nine tenths
NEXT_TRIPS = 1.0  # within which it must not fail
FAILS_AGAIN_TRIPS = 3.0  # after a repair
PAPERS_AHEAD_DAYS = 30.0
LOST_FOR_GOOD_DAYS = 90.0
SHORTEST_H = 1.0  # between two looks at hours in use

LIMIT, LIMIT_AHEAD, WORN, LIKELY = "limit_reached", "limit_ahead", "worn_out", "likely_to_fail"
DEAR, AGAIN, SERVICE, PAPER = "repair_too_dear", "fails_again", "service_due", "paper_runs_out"
LOST = "lost_for_good"


class Trigger(NamedTuple):
    """Something that was found of an asset's life: of a `kind`, by `what` (a limit, a service, a
    paper), with its figures; `since` when (epoch ms; None: that is not a matter of time)."""

    kind: str
    what: str
    figures: Mapping[str, Any]
    since: int | None = None

    @property
    def name(self) -> str:
        return f"{self.kind}:{self.what}"


def words(one: Trigger) -> str:
    """A trigger as a sentence, with its figures.

    >>> words(Trigger("limit_reached", "cycles", {"trips": 120, "limit": 120}))
    'Its limit of 120 cycles is reached: it has done 120.'
    >>> words(Trigger("paper_runs_out", "warranty_until", {"until": 1_767_657_600_000}))
    'warranty_until is 2026-01-05.'
    """
    last = ("until", "lease_due", *(("due",) if one.kind == LIMIT_AHEAD else ()))
    told = {
        name: day(value - (name in last)) if name in _TIMES else value  # a day's end is the next's
        for name, value in one.figures.items()
    }
    for needed, text in SENTENCES[one.kind]:
        if needed is None or needed in one.figures:
            return text.format(what=one.what, **told)
    return one.name


def day(at: int) -> str:
    """The day of an event time, UTC."""
    return iso(at)[:10]


_TIMES = ("ends", "due", "until", "lease_due", "lost_since", "last")
# For each kind, by which figure there is, the words.
SENTENCES: Mapping[str, tuple[tuple[str | None, str], ...]] = {
    LIMIT: (
        ("trips", "Its limit of {limit:g} cycles is reached: it has done {trips:g}."),
        ("limit_days", "Its age reached the limit of {limit_days:g} days on {ends}."),
        (None, "It was to be retired by {ends}."),
    ),
    LIMIT_AHEAD: (
        ("trips", "It has done {trips:g} of {limit:g} cycles, and this trip is the last one."),
        (None, "Its life ends on {ends}, before it is due back on {due}."),
    ),
    WORN: ((None, "It has borne {share:.0%} of what it can bear."),),
    LIKELY: ((None, "It fails on its next trip with {p_fail:.0%}; {bound:.0%} is too much."),),
    DEAR: ((None, "To {what} it costs {cost:g}, over half of the {brings:g} it brings then."),),
    AGAIN: ((None, "It failed again {trips_since:g} trips after its {what}."),),
    SERVICE: (
        ("lease_due", "Service {what} is due on {due}, before its lease is over on {lease_due}."),
        ("due", "Service {what} is due on {due}."),
        ("trips", "Service {what} is due: {trips:g} trips of {every_cycles:g} since the last one."),
        (None, "Service {what} is due: {hours:.0f} hours of {every_hours:g} since the last one."),
    ),
    PAPER: (
        ("lease_due", "{what} is {until}, before its lease is over on {lease_due}."),
        (None, "{what} is {until}."),
    ),
    LOST: ((None, "It has been lost since {lost_since}, too long to come back."),),
}


def triggers(life: Life, before: Collection[str] = ()) -> list[Trigger]:
    """What is found now. `before` names what was found at the last look: wear that was told is over
    below nine tenths only.

    >>> from tracker.asset_class import Limits
    >>> from tracker.class_files import shipped_class
    >>> from tracker.model import Asset
    >>> from tracker.wear import Worn as Borne
    >>> spent = Life(Asset("P1"), shipped_class("pallet"), 0, Borne(trips=120))
    >>> [one.name for one in triggers(spent)]
    ['limit_reached:cycles', 'worn_out:budget']
    """
    found = [one for check in CHECKS for one in check(life, before)]
    holding = [one for one in found if one.since is None or one.since <= life.now]
    return [*{one.name: one for one in reversed(holding)}.values()][::-1]


def next_time(life: Life) -> int | None:
    """When time alone will make something hold (epoch ms), or may: who is in use need not be heard
    of until the hours are over."""
    found = [one.since for check in CHECKS for one in check(life, ())]
    hours = [max(left, SHORTEST_H) for left in _hours_left(life) if left > 0]
    found += [life.now + round(one * HOUR_MS) for one in hours]
    return min((at for at in found if at is not None and at > life.now), default=None)


def _hours_left(life: Life) -> Iterator[float]:
    """In use all the time from now on, for how long until a service is due, or it is worn out."""
    for plan in life.class_.service:
        if plan.every_hours is not None:
            yield plan.every_hours - _hours_since(life, _last(life, plan))
    budget = life.class_.budget
    if budget.hours is not None:
        spent = sum(shares(life.worn, budget, life.renewals).values())
        yield (WORN_AT - spent) * budget.hours


def _limits(life: Life, _: Collection[str]) -> Iterator[Trigger]:
    """Hard limits: reached, or before the asset is due back."""
    limits, dates, trips = life.class_.limits, life.dates, life.worn.trips
    if limits.cycles is not None:
        told = {"trips": trips, "limit": limits.cycles}
        if trips >= limits.cycles:
            yield Trigger(LIMIT, "cycles", told)
        elif life.due is not None and trips + 1 >= limits.cycles:
            yield Trigger(LIMIT_AHEAD, "cycles", told | {"due": life.due})
    ends = {}
    if limits.age_days is not None and dates.made is not None:
        ends["age"] = dates.made + round(limits.age_days * DAY)
    if dates.retire_by is not None:
        ends["retire_by"] = dates.retire_by
    for what, at in ends.items():
        figures: dict[str, Any] = {"ends": at}
        if what == "age":
            figures["limit_days"] = limits.age_days
        yield Trigger(LIMIT, what, figures, at)
        if life.due is not None and life.now < at <= life.due:
            yield Trigger(LIMIT_AHEAD, what, figures | {"due": life.due})


def _wear(life: Life, before: Collection[str]) -> Iterator[Trigger]:
    found = shares(life.worn, life.class_.budget, life.renewals)
    total = sum(found.values())
    bound = CLEAR_AT if f"{WORN}:budget" in before else WORN_AT
    if found and total >= bound:
        yield Trigger(WORN, "budget", {"share": total, "of": dict(found)})


def _likely(life: Life, _: Collection[str]) -> Iterator[Trigger]:
    if life.model is None:
        return
    p = p_fail(life, NEXT_TRIPS)
    if p is not None and p >= life.class_.p_fail_at_most:
        yield Trigger(LIKELY, "model", {"p_fail": p, "bound": life.class_.p_fail_at_most})


def p_fail(life: Life, within: float) -> float | None:
    """How likely it fails within so many trips; None: nobody knows."""
    if life.model is None:
        return None
    return life.model.p_fail(life.worn_trips, within, _rates(life))


def remaining(life: Life, share: float) -> float | None:
    """After how many more trips that share of such assets will have failed; None: nobody knows."""
    if life.model is None:
        return None
    return life.model.remaining(life.worn_trips, share, _rates(life))


def _rates(life: Life) -> tuple[float, ...]:
    assert life.model is not None
    return tuple(life.rates.values())[: len(life.model.coefficients)]


def _dear(life: Life, _: Collection[str]) -> Iterator[Trigger]:
    """A repair that costs more than half of what the repaired asset is worth."""
    condition = life.condition()
    if not condition.failed:
        return
    for route in choose(life.class_, condition, life.model).routes:
        if route.dear and route.excluded is None:
            cost = -sum(route.terms[name] for name in ("cost", "transport"))
            brings = sum(route.terms[name] for name in ("service", "failures", "rest"))
            yield Trigger(DEAR, route.route, {"cost": cost, "brings": brings})


def _again(life: Life, _: Collection[str]) -> Iterator[Trigger]:
    """A failure soon after a repair."""
    found = life.found
    if found is None or not found.judged.failed:
        return
    repaired = [one for one in life.orders if one.renews and (one.closed or 0) <= found.at]
    last = max(repaired, key=_ended, default=None)
    if last is not None and found.trips - (last.trips or 0.0) <= FAILS_AGAIN_TRIPS:
        figures = {"order": last.id, "trips_since": found.trips - (last.trips or 0.0)}
        yield Trigger(AGAIN, last.kind, figures | {"inspection": found.id})


def _ended(order: Order) -> int:
    """Orders that overlap end in another order than they began."""
    return order.closed or 0


def _services(life: Life, _: Collection[str]) -> Iterator[Trigger]:
    for plan in life.class_.service:
        yield from _service(life, plan)


def _service(life: Life, plan: Plan) -> Iterator[Trigger]:
    """A service that is due, or will be before its lease is over."""
    last = _last(life, plan)
    began = last.closed if last is not None else life.dates.made
    if plan.every_days is not None and began is not None:
        due = began + round(plan.every_days * DAY)
        figures = {"every_days": plan.every_days, "last": began, "due": due}
        yield Trigger(SERVICE, plan.id, figures, due - round(plan.ahead_days * DAY))
        if life.due is not None and life.now < due <= life.due:
            yield Trigger(SERVICE, plan.id, figures | {"lease_due": life.due})
    trips = _trips_since(life, last)
    ahead = 1.0 if life.due is not None else 0.0
    if plan.every_cycles is not None and trips + ahead >= plan.every_cycles:
        yield Trigger(SERVICE, plan.id, {"every_cycles": plan.every_cycles, "trips": trips})
    if plan.every_hours is not None:
        hours = _hours_since(life, last)
        if life.due is not None:
            hours += max(life.due - life.now, 0) / HOUR_MS
        if hours >= plan.every_hours:
            yield Trigger(SERVICE, plan.id, {"every_hours": plan.every_hours, "hours": hours})


def _last(life: Life, plan: Plan) -> Order | None:
    """When such a service was done last."""
    done = [one for one in life.orders if one.plan == plan.id and one.is_done]
    return max(done, key=_ended, default=None)


def _trips_since(life: Life, last: Order | None) -> float:
    return life.worn.trips - (last.trips or 0.0 if last is not None else 0.0)


def _hours_since(life: Life, last: Order | None) -> float:
    """Hours in use since a service; where it did not tell them, at the pace of the trips since."""
    if last is not None and last.hours is not None:
        return max(life.worn.hours - last.hours, 0.0)
    trips = _trips_since(life, last)
    return life.worn.hours * (trips / life.worn.trips if life.worn.trips else 1.0)


def _papers(life: Life, _: Collection[str]) -> Iterator[Trigger]:
    for paper in life.dates.papers:
        figures = {"until": paper.until}
        yield Trigger(PAPER, paper.name, figures, paper.until - round(PAPERS_AHEAD_DAYS * DAY))
        if life.due is not None and life.now < paper.until <= life.due:
            yield Trigger(PAPER, paper.name, figures | {"lease_due": life.due})


def _lost(life: Life, _: Collection[str]) -> Iterator[Trigger]:
    if life.lost_since is not None:
        at = life.lost_since + round(LOST_FOR_GOOD_DAYS * DAY)
        yield Trigger(LOST, "stage", {"lost_since": life.lost_since}, at)


CHECKS: tuple[Callable[[Life, Collection[str]], Iterator[Trigger]], ...] = (
    _limits,
    _wear,
    _likely,
    _dear,
    _again,
    _services,
    _papers,
    _lost,
)
