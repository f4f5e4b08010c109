"""What an asset has been through, in the units of people. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from tracker.fold import Belief
from tracker.leases import HOUR_MS
from tracker.overdue import OUT, WITH_CUSTOMER
from tracker.present import Present
from tracker.upkeep import Stress
from tracker.usage import DOOR, LASTING, STAGE, STEPS, TRIPS, Totals, bins
from tracker.wear import Worn, used_until, worn

IN_TRANSIT = tuple(stage for stage in OUT if stage not in WITH_CUSTOMER)
IDLE = ("ready",)
IN_WORK = ("received", "inspection", "repair", "refurbish", "remanufacture")


class Felt(NamedTuple):
    """What a sensor felt `from_` a value on up to the next one: how many `times`; of what lasts,
    for how many `hours`."""

    from_: float
    times: int | None
    hours: float | None


class Used(NamedTuple):
    """An asset's use: trips, hours by stage (as its observations tell them) and by what they mean,
    kilometres, repairs, door openings, what its sensors felt, and what of that is `harm` by the
    bounds of its class (None: they are not known)."""

    trips: int
    hours: Mapping[str, float]
    in_use: float
    in_transit: float
    idle: float
    in_work: float
    kilometres: float
    repairs: int
    doors: int
    felt: Mapping[str, Sequence[Felt]]
    harm: Worn | None


def used(belief: Belief | None, told: Present | None, stress: Stress | None, now: int) -> Used:
    """An asset's use until `now` (epoch ms, its own clock)."""
    total = {} if belief is None else dict(total_at(belief, told, now))
    hours = {
        name.removeprefix(STAGE): ms / HOUR_MS
        for name, ms in sorted(total.items())
        if name.startswith(STAGE)
    }
    borne = worn(total, stress or Stress())
    return Used(
        trips=total.get(TRIPS, 0),
        hours=hours,
        in_use=_sum(hours, WITH_CUSTOMER),
        in_transit=_sum(hours, IN_TRANSIT),
        idle=_sum(hours, IDLE),
        in_work=_sum(hours, IN_WORK),
        kilometres=borne.kilometres,
        repairs=borne.repairs,
        doors=total.get(DOOR, 0),
        felt={name: felt for name in STEPS if (felt := _felt(total, name))},
        harm=None if stress is None else borne,
    )


def total_at(belief: Belief, told: Present | None, now: int) -> Totals:
    """An asset's totals at `now`: the stage that its observations tell lasts until time alone has
    told another one."""
    stage = belief.standing.told.stage if belief.standing is not None else None
    if told is not None and told.told.stage != told.path.stage:
        now = min(now, told.told.since)
    return used_until(belief.usage, stage, now)


def _sum(hours: Mapping[str, float], stages: Sequence[str]) -> float:
    return sum(hours.get(stage, 0.0) for stage in stages)


def _felt(total: Totals, name: str) -> list[Felt]:
    if name in LASTING:
        return [Felt(one.low, None, one.times / HOUR_MS) for one in bins(total, name)]
    return [Felt(one.low, one.times, None) for one in bins(total, name)]
