"""What inspections teach of when assets fail: rows for the reliability models. Pure.

An asset's life is cut where work took wear away: from then on it is as worn as a younger one, and
counts among those seen from that age on. One that lives is right-censored where it stands.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple, TypeVar

from tracker.asset_class import AssetClass
from tracker.goodness import goodness
from tracker.life import renewals
from tracker.life_ports import Fitted, Inspected
from tracker.reliability import Life, Model, Prior, fit
from tracker.stamps import DAY
from tracker.wear import RATES, Worn
from tracker.work import Order

_T = TypeVar("_T")
LIVING_AT_MOST = 5_000  # of a class without a story: each stands for several
AGAIN_MS = 7 * DAY  # though nothing has failed: others have lived on


class Story(NamedTuple):
    """What is known of one asset's life: what was found of it and done to it, and what it has
    borne."""

    asset: str
    inspections: Sequence[Inspected]
    orders: Sequence[Order]
    worn: Worn


def lives(class_: AssetClass, stories: Iterable[Story], weight: float = 1.0) -> list[Life]:
    """The rows that assets' stories make."""
    return [row for story in stories for row in _rows(class_, story, weight)]


def _rows(class_: AssetClass, story: Story, weight: float) -> list[Life]:
    """One row for each time between renewals.

    A failure ends a row; what comes until the asset is repaired teaches nothing.
    """
    events: list[tuple[float, int, int, Inspected | float]] = [
        (one.trips, one.at, 0, one) for one in story.inspections if one.judged.failed
    ]
    renewed = renewals(story.orders, class_)
    events += [(one.trips, one.at, 1, one.share) for one in renewed]
    made, age, last, entry, alive = list[Life](), 0.0, 0.0, 0.0, True
    now = _rates(story.worn.rates(len(renewed)))
    for trips, _, _, what in sorted(events, key=lambda event: event[:3]):
        if alive:
            age, last = age + max(trips - last, 0.0), max(trips, last)
        if isinstance(what, Inspected):
            if alive:
                rates = _rates(what.rates)
                made.append(Life(story.asset, class_.id, age, True, rates, entry, weight))
            alive = False
            continue
        if alive:
            made.append(Life(story.asset, class_.id, age, False, now, entry, weight))
        age *= 1 - what
        entry, last, alive = age, max(trips, last), True
    if alive:
        age += max(story.worn.trips - last, 0.0)
        made.append(Life(story.asset, class_.id, age, False, now, entry, weight))
    return [one for one in made if one.failed or one.cycles > one.entry]


def _rates(rates: Mapping[str, float]) -> tuple[float, ...]:
    return tuple(rates.get(name, 0.0) for name in RATES)


def thinned(living: Sequence[_T]) -> tuple[Sequence[_T], float]:
    """Some of many assets that have no story yet, and for how many each stands."""
    step = -(-len(living) // LIVING_AT_MOST) or 1
    return living[::step], float(step)


def learned(
    classes: Mapping[str, AssetClass],
    rows: Sequence[Life],
    before: Mapping[str, Fitted],
    now: int,
) -> list[Fitted]:
    """New models for the classes of which more is known than `before`."""
    priors = {
        id: Prior(one.wear.cycles, one.wear.shape)
        for id, one in classes.items()
        if one.wear is not None
    }
    made = []
    for id, model in fit(rows, priors).items():
        last = before.get(id)
        if model.failures and (last is None or _teaches(last, model, now)):
            own = [row for row in rows if row.class_ == id]
            number = last.number + 1 if last is not None else 1
            made.append(Fitted(id, number, now, model, RATES, goodness(model, own)))
    return made


def _teaches(last: Fitted, model: Model, now: int) -> bool:
    return last.model.failures != model.failures or now - last.made >= AGAIN_MS
