"""How well it was foretold which lines come back late: figures of forecasts against the truth.

The expected calibration error is over ten equal bins of the probability. Few lines err by chance,
however right their probabilities are: a bin's error is then nearly normal, of the variance that its
probabilities tell, and on average sqrt(2 / pi) deviations. The AUC is the share of
pairs, of a line that was late and one that was not, in which the late one was told to be likelier
(ties count half): .5 for whoever guesses the base rate. See Hanley and McNeil (1982).
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from math import pi, sqrt
from typing import Any, NamedTuple

from tracker.judging import BINS


class Foretold(NamedTuple):
    """How likely a line was told to be late, whether it was, and whether it was still told to be
    under way then."""

    p: float
    late: bool
    under_way: bool = True


def figures(lines: Sequence[Foretold]) -> dict[str, Any]:
    """Of all lines, and of those `under_way`: of the others nothing was left to foretell.

    >>> told = [Foretold(0.9, True), Foretold(0.8, True), Foretold(0.1, False)]
    >>> found = figures([*told, Foretold(0.0, False, under_way=False)])
    >>> found["lines"], found["under_way"]["lines"], found["under_way"]["auc"]
    (4, 3, 1.0)
    """
    return _figures(lines) | {"under_way": _figures([one for one in lines if one.under_way])}


def _figures(lines: Sequence[Foretold]) -> dict[str, Any]:
    if not lines:
        return {"lines": 0}
    every, rate = len(lines), sum(one.late for one in lines) / len(lines)
    bins = [[one for one in lines if _bin(one.p) == n] for n in range(BINS)]
    table = [
        {
            "from": n / BINS,
            "lines": len(some),
            "foretold": sum(one.p for one in some) / len(some),
            "late": sum(one.late for one in some) / len(some),
        }
        for n, some in enumerate(bins)
        if some
    ]
    return {
        "lines": every,
        "late": rate,
        "foretold": sum(one.p for one in lines) / every,
        "ece": sum(row["lines"] * abs(row["foretold"] - row["late"]) for row in table) / every,
        "ece_by_chance": sum(map(_by_chance, bins)) / every,
        "auc": _auc(lines),
        "brier": sum((one.p - one.late) ** 2 for one in lines) / every,
        "brier_of_base_rate": rate * (1 - rate),
        "bins": table,
    }


def _by_chance(some: Sequence[Foretold]) -> float:
    return sqrt(2 / pi * sum(one.p * (1 - one.p) for one in some))


def _bin(p: float) -> int:
    return min(int(p * BINS), BINS - 1)


def _auc(lines: Sequence[Foretold]) -> float | None:
    """By ranks (Mann and Whitney); None where all lines were late, or none."""
    late, below, pairs = sum(one.late for one in lines), 0, 0.0
    for _, some in groupby(sorted(lines, key=_told), key=_told):
        tied = [one.late for one in some]
        in_time = len(tied) - sum(tied)
        pairs += sum(tied) * (below + in_time / 2)
        below += in_time
    both = late * (len(lines) - late)
    return pairs / both if both else None


def _told(one: Foretold) -> float:
    return one.p
