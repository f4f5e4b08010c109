"""How much of their lives all assets of a class have spent, in bulk. Pure.

The greatest of these shares: trips of the limit, age of the limit, what was borne of what is
bearable, the chance to fail on the next trip of the class's bound. At 1 a life is at its end.
What `tracker.end_of_life` finds of one asset exactly, this finds of a million in seconds; it
leaves out what is no share (papers, services, a failure just found).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import orjson
from numpy.typing import NDArray

from tracker.asset_class import AssetClass
from tracker.life import dates_of
from tracker.life_ports import Spent, Use
from tracker.reliability import Model
from tracker.stamps import DAY
from tracker.wear import Renewal, Worn, shares, unfelt, worn, worn_trips

CHANGED = 0.002  # of a life: less is not written down
Numbers = NDArray[np.float64]


class Swept(NamedTuple):
    """What is to be stored: of whom something else is found, and of whom nothing is any more."""

    spent: list[Spent]
    gone: list[str]


class _Column(NamedTuple):
    """One asset's figures: its trips, how many a new one would be as worn after, its age in days
    (nan: not known), the share that it has borne, and what wears it per trip."""

    trips: float
    worn: float
    age: float
    borne: float
    rates: tuple[float, ...]


def sweep(
    class_: AssetClass,
    model: Model | None,
    uses: Iterable[Use],
    renewals: Mapping[str, Sequence[Renewal]],
    now: int,
) -> Swept:
    """What has changed of how much of their lives the assets of a class have spent."""
    listed = [*uses]
    columns = [_column(class_, model, use, renewals.get(use.asset, ()), now) for use in listed]
    trips = np.array([one.trips for one in columns])
    found = _shares(class_, model, columns, trips)
    if not found or not listed:
        return Swept([], [use.asset for use in listed if use.spent is not None])
    names, table = [*found], np.vstack([found[name][0] for name in found])
    best = np.nan_to_num(table, nan=-1.0).argmax(axis=0)
    most = table[best, np.arange(len(listed))]
    failing = found["likely_to_fail"][1] if "likely_to_fail" in found else None
    left = _left(model, columns) if model is not None else None
    swept = Swept([], [])
    for n, use in enumerate(listed):
        share, because = float(most[n]), names[int(best[n])]
        if np.isnan(share):
            swept.gone.extend([use.asset] if use.spent is not None else [])
        elif _differs(use, share, because, columns[n].trips):
            p = float(failing[n]) if failing is not None else None
            rest = float(left[n]) if left is not None else None
            one = Spent(use.asset, class_.id, share, because, columns[n].trips, p, rest)
            swept.spent.append(one)
    return swept


def _differs(use: Use, share: float, because: str, trips: float) -> bool:
    known = use.spent is not None and use.because == because and use.trips == trips
    return not known or abs((use.spent or 0.0) - share) > CHANGED


def _column(
    class_: AssetClass, model: Model | None, use: Use, renewed: Sequence[Renewal], now: int
) -> _Column:
    total = orjson.loads(use.total) if use.total else {}
    budget = class_.budget
    knows = budget.shock_dose is not None or budget.degree_hours is not None
    felt = knows or (model is not None and any(model.coefficients))
    borne = worn(total, class_.stress) if felt else unfelt(total)
    age = float("nan")
    if use.attributes != "{}":
        made = dates_of(orjson.loads(use.attributes)).made
        age = age if made is None else (now - made) / DAY
    share = sum(shares(borne, budget, renewed).values())
    return _Column(borne.trips, worn_trips(borne.trips, renewed), age, share, _rates(borne))


def _rates(borne: Worn) -> tuple[float, ...]:
    return tuple(borne.rates().values())


def _shares(
    class_: AssetClass, model: Model | None, columns: Sequence[_Column], trips: Numbers
) -> dict[str, tuple[Numbers, Numbers]]:
    """The shares by what they are of, each beside the figure that it is made of."""
    found = dict[str, tuple[Numbers, Numbers]]()
    if class_.limits.cycles is not None:
        found["limit_cycles"] = trips / class_.limits.cycles, trips
    if class_.limits.age_days:
        ages = np.array([one.age for one in columns])
        found["limit_age"] = ages / class_.limits.age_days, ages
    if class_.budget.model_dump(exclude_none=True):
        borne = np.array([one.borne for one in columns])
        found["worn_out"] = borne, borne
    if model is not None and class_.p_fail_at_most > 0:
        p = 1 - np.exp(_hazard(model, columns, 0.0) - _hazard(model, columns, 1.0))
        found["likely_to_fail"] = p / class_.p_fail_at_most, p
    return found


def _hazard(model: Model, columns: Sequence[_Column], after: float) -> Numbers:
    """The cumulated hazard of each asset after some more trips: (t / scale)^shape."""
    worn_ = np.array([one.worn for one in columns])
    hazard: Numbers = ((worn_ + after) / _scales(model, columns)) ** model.shape
    return hazard


def _scales(model: Model, columns: Sequence[_Column]) -> Numbers:
    if not any(model.coefficients):
        return np.full(len(columns), np.exp(model.b0))
    rates = np.array([one.rates[: len(model.coefficients)] for one in columns])
    scales: Numbers = np.exp(model.b0 + rates @ np.array(model.coefficients))
    return scales


def _left(model: Model, columns: Sequence[_Column]) -> Numbers:
    """After how many more trips half of such assets will have failed."""
    worn_, scales = np.array([one.worn for one in columns]), _scales(model, columns)
    spent = (worn_ / scales) ** model.shape
    left: Numbers = scales * (spent + np.log(2)) ** (1 / model.shape) - worn_
    return left
