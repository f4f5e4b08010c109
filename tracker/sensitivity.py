"""Which single figure would change what is recommended, and how little of it. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from math import log
from typing import NamedTuple

from tracker.asset_class import AssetClass, Condition
from tracker.disposition import Choice, choose
from tracker.reliability import Model

FACTORS = (1.1, 1.25, 1.5, 2.0, 3.0, 5.0)  # how far a figure may be wrong
HALVINGS = 12
OF_CLASS = ("margin_per_cycle", "failure_cost", "holding_per_day", "price")
OF_ROUTE = ("cost", "transport", "days", "success", "revenue")


class Turn(NamedTuple):
    """That another route would be recommended, if a figure, which is `now`, were `at`."""

    figure: str
    now: float
    at: float
    then: str | None


class Tried(NamedTuple):
    """What is decided by, with one figure changed."""

    class_: AssetClass
    asset: Condition
    model: Model | None


def turns(class_: AssetClass, asset: Condition, model: Model | None) -> list[Turn]:
    """The figures that alone would change what is recommended, that first which is the nearest.

    >>> from tracker.class_files import read_case
    >>> from tracker.disposition import model_of
    >>> case = read_case("class: keg\\nasset: {cycles: 200}")
    >>> first = turns(case.class_, case.asset, model_of(case.class_))[0]
    >>> first.figure, first.now, round(first.at, 2), first.then
    ('wear', 90.0, 89.12, 'harvest')
    """
    known = Tried(class_, asset, model)
    chosen = choose(*known).recommended
    found = [turn for figure, now in _figures(known) if (turn := _turn(known, figure, now, chosen))]
    return sorted(found, key=lambda turn: max(turn.at / turn.now, turn.now / turn.at))


def _figures(known: Tried) -> Iterator[tuple[str, float]]:
    class_, asset, model = known
    for name in OF_CLASS:
        if value := getattr(class_, name):
            yield name, float(value)
    for route in class_.routes:
        for name in OF_ROUTE:
            value = getattr(route, name)
            if isinstance(value, float) and value and not (name == "success" and value == 1):
                yield f"routes.{route.id}.{name}", value
    if asset.cycles:
        yield "cycles", asset.cycles
    if model is not None:
        yield "wear", model.scale((0.0,) * len(model.coefficients))


def _turn(known: Tried, figure: str, now: float, chosen: str | None) -> Turn | None:
    """Where a figure turns the recommendation, up or down, whichever is nearer."""
    for factor in FACTORS:
        for tried in (factor, 1 / factor):
            if _choice(known, figure, now, tried).recommended != chosen:
                return _nearest(known, figure, now, tried, chosen)
    return None


def _nearest(known: Tried, figure: str, now: float, far: float, chosen: str | None) -> Turn:
    same, other = 1.0, far
    for _ in range(HALVINGS):
        middle = (same + other) / 2
        if _choice(known, figure, now, middle).recommended == chosen:
            same = middle
        else:
            other = middle
    then = _choice(known, figure, now, other).recommended
    return Turn(figure, now, now * other, then)


def _choice(known: Tried, figure: str, now: float, factor: float) -> Choice:
    class_, asset, model = known
    value = now * factor
    if figure == "cycles":
        asset = asset.model_copy(update={"cycles": value})
    elif figure == "wear" and model is not None:
        model = model._replace(b0=model.b0 + log(factor))
    elif figure.startswith("routes."):
        _, id, name = figure.split(".")
        value = min(value, 1.0) if name == "success" else value
        routes = [
            route.model_copy(update={name: value}) if route.id == id else route
            for route in class_.routes
        ]
        class_ = class_.model_copy(update={"routes": routes})
    else:
        class_ = class_.model_copy(update={figure: value})
    return choose(class_, asset, model)
