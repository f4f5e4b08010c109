"""How much of their lives all assets of a class have spent, in bulk. Pure.

The greatest of these shares: trips of the limit, age of the limit, what was borne of what is
bearable, the chance to fail on the next trip of the class's bound. At 1 a life is at its end.
What `tracker.end_of_life` finds of one asset exactly, this finds of a million in seconds; it
leaves out what is no share (papers, services, a failure just found).

All that is counted goes linearly into what harms, so a class is a weight for each counter.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import orjson
from numpy.typing import NDArray

from tracker.asset_class import AssetClass
from tracker.life import MADE, dates_of
from tracker.life_ports import Spent, Uses
from tracker.reliability import CYCLES_AT_MOST, LOG_SCALE_AT_MOST, Model
from tracker.stamps import DAY
from tracker.usage import NONE, Totals
from tracker.wear import RATES, Renewal, amount, worn, worn_trips

CHANGED = 0.002  # of a life: less is not written down
LEFT_CHANGED = 0.05  # of the trips that are left: neither
ONE = 1_000_000  # of a counter, to learn its weight from
Numbers = NDArray[np.float64]


class Swept(NamedTuple):
    """What is to be stored: of whom something else is found, and of whom nothing is any more."""

    spent: list[Spent]
    gone: list[str]


class _Fleet(NamedTuple):
    """Assets of a class, a row each: what they have borne (columns as `AMOUNTS`), how often they
    were renewed, after how many trips new ones would be as worn, and how old they are in days (nan:
    not known)."""

    borne: Numbers
    renewed: Numbers
    worn: Numbers
    age: Numbers

    @property
    def trips(self) -> Numbers:
        trips: Numbers = self.borne[:, 0]
        return trips

    def rates(self) -> Numbers:
        """What wears them, per trip, in the order of models."""
        felt = [self.borne[:, AMOUNTS.index(_OF_RATE[name])] for name in RATES[1:]]
        rates: Numbers = np.column_stack([self.renewed, *felt]) / np.maximum(self.trips, 1)[:, None]
        return rates


AMOUNTS = ("trips", "hours", "kilometres", "shock_dose", "degree_hours")
_OF_RATE = {"shock": "shock_dose", "temperature": "degree_hours"}


class Scales(NamedTuple):
    """What assets of a class are judged by: made once for all of them."""

    class_: AssetClass
    model: Model | None
    weights: Weights
    made: Callable[[str], float]

    @classmethod
    def of(cls, class_: AssetClass, model: Model | None) -> Scales:
        return cls(class_, model, Weights(class_, model), _made())


def sweep(by: Scales, uses: Uses, renewals: Mapping[str, Sequence[Renewal]], now: int) -> Swept:
    """What has changed of how much of their lives some assets of a class have spent."""
    class_, model = by.class_, by.model
    if not uses.asset:
        return Swept([], [])
    fleet = _fleet(by, uses, renewals, now)
    found = dict(_shares(class_, model, fleet))
    before = np.array(uses.spent, dtype=np.float64)
    if not found:
        return Swept([], [uses.asset[n] for n in np.flatnonzero(~np.isnan(before)).tolist()])
    names, table = [*found], np.vstack([*found.values()])
    best = np.nan_to_num(table, nan=-1.0).argmax(axis=0)
    most = table[best, np.arange(len(uses.asset))]
    unknown = np.isnan(most)
    fails = None if model is None else _p_fail(model, fleet)
    left = None if model is None else _left(model, fleet)
    known = _is_known(uses, before, names, best, most, fleet.trips) & _is_left(uses, left)
    rows = np.flatnonzero(~unknown & ~known)
    spent = [
        Spent(
            uses.asset[n],
            class_.id,
            float(most[n]),
            names[int(best[n])],
            float(fleet.trips[n]),
            None if fails is None else float(fails[n]),
            None if left is None else float(left[n]),
        )
        for n in rows.tolist()
    ]
    return Swept(
        spent, [uses.asset[n] for n in np.flatnonzero(unknown & ~np.isnan(before)).tolist()]
    )


def _is_known(
    uses: Uses, spent: Numbers, names: Sequence[str], best: Numbers, most: Numbers, trips: Numbers
) -> NDArray[np.bool_]:
    """Of whom the same is stored."""
    numbers: dict[str | None, int] = {name: n for n, name in enumerate(names)}
    by = np.array([numbers.get(name, -1) for name in uses.because])
    before = np.array(uses.trips, dtype=np.float64)
    same: NDArray[np.bool_] = (by == best) & (before == trips) & (abs(spent - most) <= CHANGED)
    return same


def _is_left(uses: Uses, left: Numbers | None) -> NDArray[np.bool_]:
    """Of whom about the same is stored of how many trips are left: a model that was learned anew
    may change that alone."""
    before = np.array(uses.remaining, dtype=np.float64)
    if left is None:
        return np.isnan(before)
    same: NDArray[np.bool_] = abs(before - left) <= LEFT_CHANGED * left
    return same


def _fleet(by: Scales, uses: Uses, renewals: Mapping[str, Sequence[Renewal]], now: int) -> _Fleet:
    weigh, loads = by.weights, orjson.loads
    totals = (loads(text) if text else NONE for text in uses.total)
    borne = np.array([weigh.of(total) for total in totals], dtype=np.float64)
    worn_, renewed = borne[:, 0].copy(), np.zeros(len(borne))
    if renewals:
        for n, asset in enumerate(uses.asset):
            if (some := renewals.get(asset)) is not None:
                worn_[n], renewed[n] = worn_trips(float(borne[n, 0]), some), len(some)
    ages = np.array([*map(by.made, uses.attributes)], dtype=np.float64)
    return _Fleet(borne, renewed, worn_, (now - ages) / DAY)


class Weights(dict[str, tuple[float, ...]]):
    """What each counter adds to each amount, by the bounds of a class: learned from the exact sum
    (`tracker.wear`) when a counter is first met. What nobody asks for is not added up."""

    def __init__(self, class_: AssetClass, model: Model | None) -> None:
        super().__init__()
        self._stress = class_.stress
        budget = class_.budget.model_dump(exclude_none=True)
        self._asked = {"trips", *(amount(name) for name in budget)}
        if model is not None and any(model.coefficients):
            self._asked |= {*_OF_RATE.values()}

    def __missing__(self, name: str) -> tuple[float, ...]:
        alone = worn({name: ONE}, self._stress)
        found = tuple(getattr(alone, name) / ONE for name in AMOUNTS)
        asked = [w for w, name in zip(found, AMOUNTS, strict=True) if name in self._asked]
        self[name] = found if any(asked) else ()
        return self[name]

    def of(self, total: Totals) -> tuple[float, ...]:
        """What an asset has borne."""
        trips = hours = kilometres = dose = heat = 0.0
        for name, count in total.items():
            if weights := self[name]:
                a, b, c, d, e = weights
                trips += a * count
                hours += b * count
                kilometres += c * count
                dose += d * count
                heat += e * count
        return trips, hours, kilometres, dose, heat


def _made() -> Callable[[str], float]:
    """When an asset was made (epoch ms; nan: not known), by its attributes; days come again."""
    known = dict[object, float]()

    def made(attributes: str) -> float:
        if MADE not in attributes:
            return np.nan
        said = orjson.loads(attributes).get(MADE)
        if said not in known:
            at = dates_of({MADE: said}).made
            known[said] = np.nan if at is None else float(at)
        return known[said]

    return made


def _shares(
    class_: AssetClass, model: Model | None, fleet: _Fleet
) -> Iterator[tuple[str, Numbers]]:
    """The shares, by what they are of."""
    if class_.limits.cycles is not None:
        yield "limit_cycles", fleet.trips / class_.limits.cycles
    if class_.limits.age_days:
        yield "limit_age", fleet.age / class_.limits.age_days
    if budget := class_.budget.model_dump(exclude_none=True):
        left = np.divide(
            fleet.worn, fleet.trips, out=np.ones_like(fleet.worn), where=fleet.trips > 0
        )
        used = np.zeros_like(left)
        for name, bound in budget.items():
            used += fleet.borne[:, AMOUNTS.index(amount(name))] / bound
        yield "worn_out", left * used
    if model is not None and class_.p_fail_at_most > 0:
        yield "likely_to_fail", _p_fail(model, fleet) / class_.p_fail_at_most


def _p_fail(model: Model, fleet: _Fleet) -> Numbers:
    """How likely each asset fails on its next trip."""
    scales = _scales(model, fleet)
    with np.errstate(over="ignore", invalid="ignore"):  # what no float holds has failed
        before = (fleet.worn / scales) ** model.shape
        after = ((fleet.worn + 1) / scales) ** model.shape
        p: Numbers = np.where(np.isinf(after), 1.0, 1 - np.exp(before - after))
    return p


def _scales(model: Model, fleet: _Fleet) -> Numbers:
    if not any(model.coefficients):
        return np.full(len(fleet.worn), model.scale((0.0,) * len(model.coefficients)))
    rates = fleet.rates()[:, : len(model.coefficients)]
    logs = model.b0 + rates @ np.array(model.coefficients)
    scales: Numbers = np.exp(np.clip(logs, -LOG_SCALE_AT_MOST, LOG_SCALE_AT_MOST))
    return scales


def _left(model: Model, fleet: _Fleet) -> Numbers:
    """After how many more trips half of such assets will have failed."""
    scales = _scales(model, fleet)
    with np.errstate(over="ignore", invalid="ignore"):
        spent = (fleet.worn / scales) ** model.shape
        ends = np.minimum(scales * (spent + np.log(2)) ** (1 / model.shape), CYCLES_AT_MOST)
        left: Numbers = np.where(np.isinf(spent), 0.0, ends - fleet.worn)
    return left
