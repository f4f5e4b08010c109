"""How well a reliability model fits what was seen: beside the curve of Kaplan and Meier. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

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
    still looked at just before: prod (1 - failed / at risk). Who entered later is not at risk
    before.

    >>> lives = [Life("a", "c", 1, True), Life("b", "c", 2, False), Life("c", "c", 3, True)]
    >>> [(t, round(s, 3), n) for t, s, n in kaplan_meier(lives)]
    [(1, 0.667, 3.0), (3, 0.0, 1.0)]
    """
    failed = dict[float, float]()
    for life in lives:
        if life.failed:
            failed[life.cycles] = failed.get(life.cycles, 0) + life.weight
    gone = sorted(lives, key=lambda life: life.cycles)
    came = sorted(lives, key=lambda life: life.entry)
    curve, share, before, within, at_risk = list[tuple[float, float, float]](), 1.0, 0, 0, 0.0
    for cycles in sorted(failed):
        while within < len(came) and came[within].entry < cycles:
            at_risk += came[within].weight
            within += 1
        while before < len(gone) and gone[before].cycles < cycles:
            at_risk -= gone[before].weight
            before += 1
        share *= 1 - failed[cycles] / at_risk
        curve.append((cycles, share, at_risk))
    return curve


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
