"""The figures of a fleet, each with its formula and the counts that it rests on. Pure.

All are of a period and looked at its end: what happens later is not known, so a period that is
over keeps its figures, but for what late data corrects. Where a figure cannot be told it says why;
it is never 0 for want of data.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from tracker.alerts import DAY_MS
from tracker.fleet_records import (
    LeaseLine,
    Member,
    Outcome,
    Period,
    Records,
    StageTime,
    Stay,
    Trip,
)
from tracker.kaplan_meier import Curve, Time, curve

YEAR_DAYS = 365.0
AGES = (7, 30, 90)  # days by which the pool return rate is told
RECOVERED = ("repair", "refurbish", "remanufacture", "resell")
MENDED = "repair"

NO_OUTCOME = "no inspection, decision or work order tells of what came back"
NOTHING_SENT = "nothing was sent out in the period"
NO_POOL = "a pool is of a class, not of a site or partner"


class Measure(NamedTuple):
    """A figure's name, its formula and its unit."""

    name: str
    formula: str
    unit: str


SHARE, DAYS = "share", "days"
RETURN_RATE = Measure("return_rate", "returned by the period's end / sent out in the period", SHARE)
RETURN_CYCLE_TIME = Measure(
    "return_cycle_time", "mean of received - dispatched, of trips received in the period", DAYS
)
PROCESSING_TIME = Measure(
    "processing_time",
    "mean of ready (or retired) - received, of what got there in the period",
    DAYS,
)
DWELL = Measure(
    "dwell", "mean of last - first observation inside, of stays that ended in the period", DAYS
)
UTILISATION = Measure("utilisation", "time in use / time available (not lost, not retired)", SHARE)
TURNS = Measure(
    "turns",
    "fills per year / fleet = sent out in the period / years of assets in the pool",
    "per year",
)
CYCLE_DAYS = Measure("cycle_days", "365 / turns", DAYS)
FLEET_SIZE = Measure(
    "fleet_size",
    "daily shipments x (return cycle time + processing time) + safety stock",
    "assets",
)
LOSS_RATE = Measure(
    "loss_rate", "(opening + bought - retired - found at close) / average pool", SHARE
)
EXPECTED_TRIPS = Measure(
    "expected_trips", "1 / loss per trip = trips that ended / trips that ended in a loss", "trips"
)
RECOVERY_RATE = Measure(
    "recovery_rate", "repaired, refurbished, remanufactured or resold / returned", SHARE
)
VALUE_RECOVERED = Measure("value_recovered", "(proceeds - route cost) / book value", SHARE)
FIRST_PASS_YIELD = Measure(
    "first_pass_yield", "passed the first test after the repair / repaired", SHARE
)
LANDFILL_DIVERSION = Measure(
    "landfill_diversion", "not landfilled / (returned + end of life)", SHARE
)
NO_FAULT_FOUND = Measure("no_fault_found", "returned without a defect / returned", SHARE)
DAYS_OVERDUE = Measure(
    "days_overdue",
    "mean of max(0, returned or the period's end - due), of lines due in the period",
    DAYS,
)


class Figure(NamedTuple):
    """A measure's `value`, and what it rests on: mostly it is `numerator / denominator`. None:
    it cannot be told, and `why` not."""

    measure: Measure
    value: float | None
    numerator: float | None = None
    denominator: float | None = None
    why: str | None = None


def _ratio(measure: Measure, numerator: float, denominator: float, why: str) -> Figure:
    """A figure that is told where its denominator is above 0; else it says why not."""
    if denominator <= 0:
        return Figure(measure, None, numerator, denominator, why)
    return Figure(measure, numerator / denominator, numerator, denominator)


def _mean(measure: Measure, lengths: Sequence[int], unit_ms: int, why: str) -> Figure:
    return _ratio(measure, sum(lengths) / unit_ms, len(lengths), why)


def sent_out(trips: Iterable[Trip], period: Period) -> list[Trip]:
    """The cohort of a period: the trips that began within it."""
    return [one for one in trips if period.holds(one.dispatched)]


def return_rate(trips: Sequence[Trip], period: Period) -> Figure:
    """How many of a cohort were back at the period's end. Those still out count as not back, so it
    grows with the period's length: see `pool_return_rate`."""
    cohort = sent_out(trips, period)
    back = sum(one.received is not None for one in cohort)
    return _ratio(RETURN_RATE, back, len(cohort), NOTHING_SENT)


def return_curve(trips: Sequence[Trip], period: Period) -> Curve:
    """By which age which share of a cohort is back. An asset that is told lost is still out: were
    it censored when it was lost, it would be taken for one that comes back like any other.

    >>> day = 86_400_000
    >>> trips = [Trip("A", "keg", None, None, 0, 2 * day), Trip("B", "keg", None, None, 5 * day)]
    >>> return_curve(trips, Period(0, 10 * day)).at(3 * day)
    0.5
    """
    return curve(return_times(trips, period))


def return_times(trips: Sequence[Trip], period: Period) -> list[Time]:
    """How long each of a cohort was out, seen at the period's end."""
    return [
        Time(one.received - one.dispatched, back=True)
        if one.received is not None
        else Time(period.until - one.dispatched, back=False)
        for one in sent_out(trips, period)
    ]


def pool_return_rate(found: Curve, days: int) -> Figure:
    """The share of a cohort that is back by an age, by its curve; the counts are those seen back by
    then, of those sent out."""
    age = days * DAY_MS
    value, why = found.at(age), None
    if value is None:
        why = f"nothing was seen out for {days} days" if found.sent else NOTHING_SENT
    return Figure(pool_return_measure(days), value, found.back_by(age), found.sent, why)


def return_cycle_time(trips: Sequence[Trip], period: Period) -> Figure:
    """Of the trips that ended in the period, whenever they began: were it those that began in it,
    only the quick ones would be over."""
    lengths = [
        one.received - one.dispatched
        for one in trips
        if one.received is not None and period.holds(one.received)
    ]
    return _mean(RETURN_CYCLE_TIME, lengths, DAY_MS, "nothing came back in the period")


def processing_time(trips: Sequence[Trip], period: Period) -> Figure:
    """Of what got ready, or to the end of its life, in the period."""
    lengths = [
        one.ready - one.received
        for one in trips
        if one.ready is not None and one.received is not None and period.holds(one.ready)
    ]
    why = "nothing that came back got ready or to its end in the period"
    return _mean(PROCESSING_TIME, lengths, DAY_MS, why)


def dwell(stays: Sequence[Stay], period: Period) -> Figure:
    """Of stays that ended in the period: those that go on have no length yet."""
    lengths = [one.last - one.since for one in stays if period.holds(one.until)]
    return _mean(DWELL, lengths, DAY_MS, "no stay at a site ended in the period")


def utilisation(times: Sequence[StageTime] | None) -> Figure:
    """Of the time whose stage is known."""
    if times is None:
        return Figure(UTILISATION, None, why=NO_POOL)
    available = [one for one in times if not one.gone and one.stage is not None]
    used = sum(one.ms for one in available if one.use) / DAY_MS
    all_ = sum(one.ms for one in available) / DAY_MS
    return _ratio(UTILISATION, used, all_, "of no asset is the stage known in the period")


def turns(trips: Sequence[Trip], members: Sequence[Member] | None, period: Period) -> Figure:
    """Fills per year by the fleet's average size, which is the same as fills by years of assets."""
    if members is None:
        return Figure(TURNS, None, why=NO_POOL)
    years = sum(one.ms for one in members) / DAY_MS / YEAR_DAYS
    return _ratio(TURNS, len(sent_out(trips, period)), years, "no asset was in the pool")


def cycle_days(trips: Sequence[Trip], members: Sequence[Member] | None, period: Period) -> Figure:
    """How many days of an asset a fill takes, those in which it waits included."""
    found = turns(trips, members, period)
    if not found.value:
        why = found.why or NOTHING_SENT
        return Figure(CYCLE_DAYS, None, YEAR_DAYS, found.value, why)
    return Figure(CYCLE_DAYS, YEAR_DAYS / found.value, YEAR_DAYS, found.value)


def fleet_size(
    trips: Sequence[Trip], members: Sequence[Member] | None, period: Period, safety: float = 0
) -> Figure:
    """How many assets the shipments of the period need, with a safety stock of so many. The cycle
    is what was measured of it, without waiting: by `365 / turns` the answer would be the fleet that
    there is."""
    if members is None:
        return Figure(FLEET_SIZE, None, why=NO_POOL)
    parts = return_cycle_time(trips, period), processing_time(trips, period)
    if period.days <= 0:
        return Figure(FLEET_SIZE, None, why="the period has no length")
    daily = len(sent_out(trips, period)) / period.days
    if parts[0].value is None or parts[1].value is None:
        return Figure(FLEET_SIZE, None, daily, None, parts[0].why or parts[1].why)
    cycle = parts[0].value + parts[1].value
    return Figure(FLEET_SIZE, daily * cycle + safety, daily, cycle)


def loss_rate(members: Sequence[Member] | None, period: Period) -> Figure:
    """What is missing at the close, net of what was found again, by the average pool."""
    if members is None:
        return Figure(LOSS_RATE, None, why=NO_POOL)
    if period.days <= 0:
        return Figure(LOSS_RATE, None, why="the period has no length")
    came = sum(one.opening + one.bought for one in members)
    missing = came - sum(one.retired + one.found for one in members)
    average = sum(one.ms for one in members) / (period.until - period.since)
    return _ratio(LOSS_RATE, missing, average, "no asset was in the pool")


def expected_trips(trips: Sequence[Trip], period: Period) -> Figure:
    """How many trips an asset makes before it is lost, by the trips that ended in the period."""
    lost = sum(period.holds(one.lost) for one in trips if one.received is None)
    back = sum(period.holds(one.received) for one in trips)
    return _ratio(EXPECTED_TRIPS, lost + back, lost, "no trip ended in a loss in the period")


def recovery_rate(outcomes: Sequence[Outcome], period: Period) -> Figure:
    """Of returns of which the route is known."""
    known = [one for one in _returns(outcomes, period) if one.kind is not None]
    recovered = sum(one.kind in RECOVERED for one in known)
    return _ratio(RECOVERY_RATE, recovered, len(known), NO_OUTCOME)


def value_recovered(outcomes: Sequence[Outcome], period: Period) -> Figure:
    """Of returns of which proceeds, cost and book value are known, all in one currency."""
    known = [
        (one.proceeds - one.cost, one.book_value, one.currency)
        for one in _returns(outcomes, period)
        if one.proceeds is not None and one.cost is not None and one.book_value is not None
    ]
    currencies = {currency for _, _, currency in known}
    if len(currencies) > 1:
        names = ", ".join(sorted(one or "none" for one in currencies))
        why = f"it is in several currencies ({names}): ask class by class"
        return Figure(VALUE_RECOVERED, None, why=why)
    net, book = sum(one for one, _, _ in known), sum(one for _, one, _ in known)
    why = "what came back has no book value" if known else NO_OUTCOME
    return _ratio(VALUE_RECOVERED, net, book, why)


def first_pass_yield(outcomes: Sequence[Outcome], period: Period) -> Figure:
    """Of what was repaired and tested."""
    tested = [
        one.passed
        for one in outcomes
        if period.holds(one.at) and one.kind == MENDED and one.passed is not None
    ]
    why = "no test after a repair is known" if outcomes else NO_OUTCOME
    return _ratio(FIRST_PASS_YIELD, sum(tested), len(tested), why)


def landfill_diversion(outcomes: Sequence[Outcome], period: Period) -> Figure:
    """Of all returns and ends of life of which it is known whether they went to the landfill."""
    known = [one.landfilled for one in outcomes if period.holds(one.at)]
    told = [one for one in known if one is not None]
    return _ratio(LANDFILL_DIVERSION, told.count(False), len(told), NO_OUTCOME)


def no_fault_found(outcomes: Sequence[Outcome], period: Period) -> Figure:
    """Of returns that were inspected."""
    known = [one.defect for one in _returns(outcomes, period) if one.defect is not None]
    return _ratio(NO_FAULT_FOUND, known.count(False), len(known), NO_OUTCOME)


def days_overdue(lines: Sequence[LeaseLine], period: Period) -> Figure:
    """Of the lines that fell due in the period, those in time with 0 days."""
    late = [
        max(0, (one.returned if one.returned is not None else period.until) - one.due)
        for one in lines
        if period.holds(one.due)
    ]
    return _mean(DAYS_OVERDUE, late, DAY_MS, "no lease line fell due in the period")


def _returns(outcomes: Sequence[Outcome], period: Period) -> list[Outcome]:
    return [one for one in outcomes if one.returned and period.holds(one.at)]


def pool_return_measure(days: int) -> Measure:
    """The pool return rate by an age in days."""
    formula = f"back by {days} days / sent out in the period; what is still out is censored"
    return Measure(f"pool_return_rate_{days}d", f"{formula} (Kaplan-Meier)", "share")


def figures(
    records: Records, period: Period, safety: float = 0, returns: Curve | None = None
) -> list[Figure]:
    """Every figure of some records, with a safety stock of so many assets; `returns` is the curve
    of their returns, where somebody has it."""
    trips, members, outcomes = records.trips, records.members, records.outcomes
    found = returns if returns is not None else return_curve(trips, period)
    return [
        return_rate(trips, period),
        *(pool_return_rate(found, days) for days in AGES),
        return_cycle_time(trips, period),
        processing_time(trips, period),
        dwell(records.stays, period),
        utilisation(records.stage_times),
        turns(trips, members, period),
        cycle_days(trips, members, period),
        fleet_size(trips, members, period, safety),
        loss_rate(members, period),
        expected_trips(trips, period),
        recovery_rate(outcomes, period),
        value_recovered(outcomes, period),
        first_pass_yield(outcomes, period),
        landfill_diversion(outcomes, period),
        no_fault_found(outcomes, period),
        days_overdue(records.lines, period),
    ]
