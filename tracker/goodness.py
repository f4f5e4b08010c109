"""How well a reliability model fits what was seen: beside the curve of Kaplan and Meier. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from tracker.kaplan_meier import Row, surviving
from tracker.reliability import Life, Model

POINTS = 20  # of a curve
FEWEST_AT_RISK = 10  # beyond that the curve says little


class Point(NamedTuple):
    """Which share lived after some cycles: as was seen, and by the model."""

    cycles: float
    seen: float
    model: float


class Fit(NamedTuple):
    """Both curves, as far as enough assets got, and the largest distance between them."""

    curve: Sequence[Point]
    largest_gap: float


def kaplan_meier(lives: Sequence[Life]) -> list[tuple[float, float, float]]:
    """The share that lived after each number of cycles at which some failed, and how many were
    still looked at just before.

    >>> lives = [Life("a", "c", 1, True), Life("b", "c", 2, False), Life("c", "c", 3, True)]
    >>> [(t, round(s, 3), n) for t, s, n in kaplan_meier(lives)]
    [(1, 0.667, 3.0), (3, 0.0, 1.0)]
    """
    rows = (Row(life.cycles, life.failed, life.entry, life.weight) for life in lives)
    return [(one.age, one.share, one.at_risk) for one in surviving(rows)]


def goodness(model: Model, lives: Sequence[Life]) -> Fit:
    """A class's model beside what was seen of its lives."""
    curve = [one for one in kaplan_meier(lives) if one[2] >= FEWEST_AT_RISK]
    step = max(len(curve) // POINTS, 1)
    shown = curve[step - 1 :: step]
    points = [Point(cycles, seen, _mean(model, cycles, lives)) for cycles, seen, _ in shown]
    return Fit(points, max((abs(one.seen - one.model) for one in points), default=0.0))


def _mean(model: Model, cycles: float, lives: Sequence[Life]) -> float:
    """Which share of such assets lives after some cycles."""
    lived = sum(life.weight * model.survival(cycles, life.rates) for life in lives)
    return lived / sum(life.weight for life in lives)
