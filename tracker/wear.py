"""How much an asset has borne, and how much of its life that is. Pure.

Knocks, heat and distance are counted as they were (`tracker.usage`); here a class's bounds make
harm of them: a knock's dose is what it has beyond `shock_from`, a degree hour one degree outside of
`temperature` for an hour. What is borne of several things adds up in shares of what is bearable
(Palmgren and Miner).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from tracker.leases import HOUR_MS
from tracker.overdue import WITH_CUSTOMER
from tracker.upkeep import Band, Budget, Stress
from tracker.usage import ENTERED, METRES, STAGE, TRIPS, Totals, Usage, bins, summed
from tracker.usage import UNKNOWN as UNTOLD

RATES = ("repairs", "shock", "temperature")
"""What wears an asset, per trip, in the order in which models count it."""


class Worn(NamedTuple):
    """What an asset has borne: trips, hours in use, kilometres, knocks beyond the class's bound and
    their dose (g), degree hours outside of its band, and how often it was repaired."""

    trips: float = 0
    hours: float = 0
    kilometres: float = 0
    knocks: int = 0
    shock_dose: float = 0
    degree_hours: float = 0
    repairs: int = 0

    def rates(self, renewals: int = 0) -> dict[str, float]:
        """What wears it, per trip, after so many renewals; of an asset without a trip, as of one
        with one. Not the repairs that were seen count, but those that are over: the one that a
        failure brings would tell of the failure."""
        trips = max(self.trips, 1)
        found = (renewals, self.shock_dose, self.degree_hours)
        return {name: value / trips for name, value in zip(RATES, found, strict=True)}


class Renewal(NamedTuple):
    """Work that took away a share of the wear, after so many trips, at a time (epoch ms)."""

    trips: float
    share: float
    at: int = 0


def used_until(usage: Usage, stage: str | None, at: int) -> Totals:
    """The totals with the time that the present stage has lasted until an event time."""
    if usage.seen is None or at <= usage.seen.since:
        return usage.total
    return summed(usage.total, {f"{STAGE}{stage or UNTOLD}": at - usage.seen.since})


def worn(total: Totals, stress: Stress) -> Worn:
    """What has been borne.

    >>> worn({"trips": 3, "shock:2.0#": 2, "shock:2.0+": 5_000}, Stress())[:5]
    (3, 0.0, 0.0, 2, 1.0)
    """
    hard = [one for one in bins(total, "shock") if one.low >= stress.shock_from]
    return Worn(
        trips=total.get(TRIPS, 0),
        hours=sum(total.get(f"{STAGE}{stage}", 0) for stage in WITH_CUSTOMER) / HOUR_MS,
        kilometres=total.get(METRES, 0) / 1_000,
        knocks=sum(one.times for one in hard),
        shock_dose=sum(one.sum - one.times * stress.shock_from for one in hard),
        degree_hours=degree_hours(total, stress.temperature),
        repairs=total.get(f"{ENTERED}repair", 0),
    )


def degree_hours(total: Totals, band: Band) -> float:
    """How long, and by how many degrees, it was colder or warmer than it may be.

    >>> total = {"temperature:40.0#": 3_600_000, "temperature:40.0+": 40_500 * 3_600_000}
    >>> degree_hours(total, Band(at_most=30))
    10.5
    """
    found = 0.0
    for one in bins(total, "temperature"):
        if band.at_most is not None and one.low >= band.at_most:
            found += one.sum - one.times * band.at_most
        if band.at_least is not None and one.low < band.at_least:
            found += one.times * band.at_least - one.sum
    return found / HOUR_MS


def worn_trips(trips: float, renewals: Sequence[Renewal]) -> float:
    """After how many trips a new asset would be as worn; each renewal takes a share away.

    >>> worn_trips(100, [Renewal(60, 0.5)])
    70.0
    """
    age, last = 0.0, 0.0
    for renewal in renewals:
        at = min(max(renewal.trips, last), trips)
        age = (age + at - last) * (1 - renewal.share)
        last = at
    return age + trips - last


def shares(borne: Worn, budget: Budget, renewals: Sequence[Renewal] = ()) -> Mapping[str, float]:
    """Which share of what is bearable each thing has used up. Renewals take away from all alike.

    >>> shares(Worn(trips=50, hours=500), Budget(cycles=200, hours=1000))
    {'cycles': 0.25, 'hours': 0.5}
    """
    left = worn_trips(borne.trips, renewals) / borne.trips if borne.trips else 1.0
    bearable = budget.model_dump(exclude_none=True)
    return {name: left * getattr(borne, amount(name)) / all_ for name, all_ in bearable.items()}


def amount(name: str) -> str:
    """What of `Worn` a bound of a budget is about."""
    return "trips" if name == "cycles" else name
