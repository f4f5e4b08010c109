"""A fleet's figures, each with the formula that it comes from. Pure.

They are told of a period, of assets whose stories are known. What a figure rests on stands beside
it; one that cannot be told is None, with the reason: never nought.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from statistics import mean, median
from typing import NamedTuple

from tracker.goodness import kaplan_meier
from tracker.life_ports import Decision, Inspected
from tracker.overdue import OUT, WITH_CUSTOMER, at_home
from tracker.process import LOST
from tracker.reliability import Life
from tracker.stamps import DAY
from tracker.work import Order

RECEIVING = ("received", "inspection")
RETIRED = ("dismantle", "recycle", "dispose")
LANDFILL = "dispose"
RECOVERING = ("repair", "refurbish", "remanufacture", "resell")
WORKED = ("repair", "refurbish", "remanufacture")
YEAR_DAYS = 365
POOL_DAYS = 90.0


class Spell(NamedTuple):
    """An asset was in a stage (None: unknown) from `since` until (None: it still is)."""

    stage: str | None
    since: int
    until: int | None


class Trip(NamedTuple):
    """An asset was sent out, came back (None: it has not yet), and it was settled what becomes of
    it (None: not yet)."""

    dispatched: int
    received: int | None
    settled: int | None


class Due(NamedTuple):
    """A lease line of a customer was due, and its asset was back (None: not yet)."""

    customer: str
    since: int
    due: int
    back: int | None


class Story(NamedTuple):
    """What is known of an asset: its class, its home, its spells in order, its lease lines, what
    was found, decided and done; what it was worth when a decision was taken, by its number."""

    asset: str
    class_: str
    home: str | None
    spells: tuple[Spell, ...]
    lines: tuple[Due, ...] = ()
    inspections: tuple[Inspected, ...] = ()
    decisions: tuple[Decision, ...] = ()
    orders: tuple[Order, ...] = ()
    worth: tuple[tuple[int, float], ...] = ()


class Period(NamedTuple):
    """From `since` up to but not at `until` (epoch ms)."""

    since: int
    until: int

    @property
    def days(self) -> float:
        return (self.until - self.since) / DAY

    def holds(self, at: int | None) -> bool:
        return at is not None and self.since <= at < self.until

    def share_of(self, spell: Spell) -> int:
        """How long a spell lasted within it, ms."""
        until = self.until if spell.until is None else spell.until
        return max(min(until, self.until) - max(spell.since, self.since), 0)


class Figure(NamedTuple):
    """A figure (None: it cannot be told, and `but` says why), its unit, its formula, and how many
    it rests on."""

    name: str
    value: float | None
    unit: str
    formula: str
    of: float
    but: str | None = None


def trips(spells: Sequence[Spell]) -> list[Trip]:
    """An asset's trips: out of a depot, and into one again.

    >>> path = [Spell("ready", 0, 5), Spell("in_use", 5, 9), Spell("received", 9, 10),
    ...         Spell("ready", 10, None)]
    >>> trips(path)
    [Trip(dispatched=5, received=9, settled=10)]
    """
    found, out, back = list[Trip](), None, None
    for spell in spells:
        stage = spell.stage
        if stage in OUT:
            if back is not None and out is not None:
                found.append(Trip(out, back, None))
                out = back = None
            out = spell.since if out is None else out
        elif stage is not None and stage != LOST and at_home(stage) and out is not None:
            back = spell.since if back is None else back
            if stage not in RECEIVING:
                found.append(Trip(out, back, spell.since))
                out = back = None
    if out is not None:
        found.append(Trip(out, back, None))
    return found


def returned_by(cohort: Iterable[Trip], until: int) -> list[tuple[float, float, float]]:
    """Which share of the assets sent out had not come back by an age in days, and how many were
    still waited for (Kaplan and Meier): those that are out at `until` are censored.

    >>> returned_by([Trip(0, DAY, None), Trip(0, None, None)], 3 * DAY)
    [(1.0, 0.5, 2.0)]
    """
    lives = [_life(trip, until) for trip in cohort if trip.dispatched <= until]
    return kaplan_meier(lives)


def _life(trip: Trip, until: int) -> Life:
    back = trip.received if trip.received is not None and trip.received <= until else None
    days = ((until if back is None else back) - trip.dispatched) / DAY
    return Life("", "", days, back is not None, entry=-1.0)


class Pool(NamedTuple):
    """Stories in a period, with what most figures ask of them."""

    stories: Sequence[Story]
    period: Period
    trips: Sequence[Trip]
    sent: Sequence[Trip]
    came: Sequence[Trip]

    @classmethod
    def of(cls, stories: Sequence[Story], period: Period) -> Pool:
        made = [trip for story in stories for trip in trips(story.spells)]
        sent = [one for one in made if period.holds(one.dispatched)]
        came = [one for one in made if period.holds(one.received)]
        return cls(stories, period, made, sent, came)

    def time_in(self, stages: Iterable[str | None]) -> int:
        """How long assets were in some stages, ms."""
        wanted = {*stages}
        spells = (spell for story in self.stories for spell in story.spells)
        return sum(self.period.share_of(spell) for spell in spells if spell.stage in wanted)

    def entered(self, *stages: str) -> int:
        """How many assets entered one of some stages."""
        return sum(
            any(self.period.holds(spell.since) and spell.stage in stages for spell in story.spells)
            for story in self.stories
        )

    def there(self, at: int) -> int:
        """How many assets there were at a time, neither lost nor retired."""
        return sum(_stage_at(story, at) not in (*RETIRED, LOST, "") for story in self.stories)


def _stage_at(story: Story, at: int) -> str | None:
    """The stage of an asset at a time; "": there was none yet."""
    found: str | None = ""
    for spell in story.spells:
        if spell.since <= at:
            found = spell.stage
    return found


def figures(stories: Sequence[Story], period: Period, safety_stock: float = 0) -> list[Figure]:
    """All figures of a period."""
    pool = Pool.of(stories, period)
    found = [one(pool) for one in FIGURES]
    found.insert(FLEET_AT, fleet_size(pool, safety_stock))
    return found


def _told(
    name: str, unit: str, formula: str, over: float, under: float, but: str, of: float | None = None
) -> Figure:
    """A share; where there is nothing to share by, why."""
    count = under if of is None else of
    if not under:
        return Figure(name, None, unit, formula, count, but)
    return Figure(name, over / under, unit, formula, count)


def _mean(name: str, unit: str, formula: str, values: Sequence[float], but: str) -> Figure:
    if not values:
        return Figure(name, None, unit, formula, 0, but)
    return Figure(name, mean(values), unit, formula, len(values))


def return_rate(pool: Pool) -> Figure:
    """Which share of what was sent out in the period was back at its end."""
    back = sum(one.received is not None and one.received < pool.period.until for one in pool.sent)
    formula = "returned / shipped"
    return _told("return_rate", "", formula, back, len(pool.sent), "nothing was sent out")


def pool_return_rate(pool: Pool) -> Figure:
    """Which share is back by an age of 90 days: what is still out is censored."""
    curve = returned_by(pool.sent, pool.period.until)
    out = next((share for days, share, _ in reversed(curve) if days <= POOL_DAYS), 1.0)
    formula = "returned by an age of 90 days / dispatched in the period (Kaplan-Meier)"
    if not pool.sent:
        return Figure("pool_return_rate", None, "", formula, 0, "nothing was sent out")
    return Figure("pool_return_rate", 1 - out, "", formula, len(pool.sent))


def cycle_time(pool: Pool) -> Figure:
    """How long what came back in the period had been away."""
    days = [(one.received - one.dispatched) / DAY for one in pool.came if one.received is not None]
    formula = "median(received - dispatched)"
    value = median(days) if days else None
    but = None if days else "nothing came back"
    return Figure("cycle_time", value, "days", formula, len(days), but)


def processing_time(pool: Pool) -> Figure:
    """How long it took to settle what becomes of what came back."""
    days = [
        (one.settled - one.received) / DAY
        for one in pool.trips
        if one.settled is not None and one.received is not None and pool.period.holds(one.settled)
    ]
    return _mean("processing_time", "days", "mean(settled - received)", days, "nothing was settled")


def utilisation(pool: Pool) -> Figure:
    """Which share of the time in which assets could have been used they were."""
    stages = {spell.stage for story in pool.stories for spell in story.spells}
    available = pool.time_in(stages - {*RETIRED, LOST})
    used = pool.time_in(WITH_CUSTOMER)
    formula = "time in use / time available (neither lost nor retired)"
    hours = available / DAY
    return _told("utilisation", "", formula, used, available, "no asset was there", hours)


def _fleet(pool: Pool) -> float:
    """How many assets there were on average: at both ends of the period."""
    return (pool.there(pool.period.since) + pool.there(pool.period.until - 1)) / 2


def _turns(pool: Pool) -> float | None:
    fleet = _fleet(pool)
    return len(pool.sent) * YEAR_DAYS / pool.period.days / fleet if fleet else None


def turns(pool: Pool) -> Figure:
    """How often a year each asset goes out."""
    formula = "sent out per year / fleet"
    value = _turns(pool)
    but = None if value is not None else "no asset was there"
    return Figure("turns", value, "per year", formula, _fleet(pool), but)


def cycle_days(pool: Pool) -> Figure:
    """After how many days an asset goes out again."""
    value = _turns(pool)
    known = YEAR_DAYS / value if value else None
    but = None if known else "nothing was sent out"
    return Figure("cycle_days", known, "days", "365 / turns", len(pool.sent), but)


def fleet_size(pool: Pool, safety_stock: float) -> Figure:
    """How many assets are needed."""
    value = _turns(pool)
    formula = f"daily shipments x cycle days + safety stock ({safety_stock:g})"
    if not value:
        return Figure("fleet_size", None, "assets", formula, 0, "nothing was sent out")
    daily = len(pool.sent) / pool.period.days
    return Figure(
        "fleet_size", daily * YEAR_DAYS / value + safety_stock, "assets", formula, len(pool.sent)
    )


def loss_rate(pool: Pool) -> Figure:
    """Which share of the pool was lost in the period."""
    opening, close = pool.there(pool.period.since), pool.there(pool.period.until - 1)
    begins = [story.spells[0].since for story in pool.stories if story.spells]
    bought = sum(pool.period.since < at < pool.period.until for at in begins)
    retired = pool.entered(*RETIRED)
    formula = "(opening + bought - retired - found at close) / average pool"
    missing = opening + bought - retired - close
    return _told("loss_rate", "", formula, missing, _fleet(pool), "no asset was there")


def expected_trips(pool: Pool) -> Figure:
    """How many trips an asset makes until it is lost."""
    lost, formula = pool.entered(LOST), "1 / (lost / sent out)"
    but = "nothing was lost" if pool.sent else "nothing was sent out"
    return _told("expected_trips", "trips", formula, len(pool.sent), lost, but, len(pool.sent))


def recovery_rate(pool: Pool) -> Figure:
    """Which share of what came back was decided to be repaired, refurbished or resold."""
    taken = [one.kind in RECOVERING for one in _decided(pool)]
    formula = "repaired, refurbished or resold / returned"
    if not taken:
        return Figure("recovery_rate", None, "", formula, 0, "nothing was decided")
    return _told("recovery_rate", "", formula, sum(taken), len(pool.came), "nothing came back")


def value_recovered(pool: Pool) -> Figure:
    """What the routes taken bring of what the assets were worth."""
    formula = "(proceeds - route cost) / book value"
    brought, worth, count = 0.0, 0.0, 0
    for story in pool.stories:
        book = dict(story.worth)
        for one in story.decisions:
            if pool.period.holds(one.at) and one.value is not None and one.number in book:
                brought, worth, count = brought + one.value, worth + book[one.number], count + 1
    but = "no decision on an asset whose book value is known"
    return _told("value_recovered", "", formula, brought, worth, but, count)


def first_pass_yield(pool: Pool) -> Figure:
    """Which share of what was repaired passed the first inspection after."""
    passed = []
    for story in pool.stories:
        for order in story.orders:
            if order.kind in WORKED and order.result == "done" and pool.period.holds(order.closed):
                after = [i for i in story.inspections if i.at >= (order.closed or 0)]
                passed += [not after[0].judged.failed] if after else []
    formula = "passed the first inspection after repair / repaired and inspected"
    but = "nothing that was repaired was inspected after"
    return _told("first_pass_yield", "", formula, sum(passed), len(passed), but)


def landfill_diversion(pool: Pool) -> Figure:
    """Which share of what came back or came to its end was not landfilled."""
    ended = pool.entered(*RETIRED)
    landfilled = pool.entered(LANDFILL)
    whole = len(pool.came) + ended
    formula = "diverted / (returned + end of life)"
    but = "nothing came back, and nothing came to its end"
    return _told("landfill_diversion", "", formula, whole - landfilled, whole, but)


def no_fault_found(pool: Pool) -> Figure:
    """Which share of what was inspected had nothing wrong."""
    found = [
        not one.judged.because and not one.judged.failed
        for story in pool.stories
        for one in story.inspections
        if pool.period.holds(one.at)
    ]
    formula = "returns without defect / returns inspected"
    return _told("no_fault_found", "", formula, sum(found), len(found), "nothing was inspected")


def days_overdue(pool: Pool) -> Figure:
    """How many days late what was due in the period came back, or is."""
    late = [
        max(0.0, ((one.back or pool.period.until) - one.due) / DAY)
        for story in pool.stories
        for one in story.lines
        if pool.period.holds(one.due)
    ]
    formula = "mean(max(0, return or end of the period - due))"
    return _mean("days_overdue", "days", formula, late, "nothing was due")


def _decided(pool: Pool) -> list[Decision]:
    return [d for story in pool.stories for d in story.decisions if pool.period.holds(d.at)]


FLEET_AT = 7
FIGURES: tuple[Callable[[Pool], Figure], ...] = (
    return_rate,
    pool_return_rate,
    cycle_time,
    processing_time,
    utilisation,
    turns,
    cycle_days,
    loss_rate,
    expected_trips,
    recovery_rate,
    value_recovered,
    first_pass_yield,
    landfill_diversion,
    no_fault_found,
    days_overdue,
)
