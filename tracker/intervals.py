"""The usual interval of something that comes again and again, when now and then it does not, or
pauses: an inventory of a reader that misses tags, a report of a tracker that is not always heard.

Of an inventory that misses a tag with probability `m`, the gaps between its reads are `k`
cycles with probability `(1 - m) * m ** (k - 1)`: whatever `m` is, none is as common as one cycle.
So the usual interval is the shortest gap that is nearly as common as the commonest; and where `m`
is near 1, as of a tag in the next zone, that of whose multiples nearly all gaps are.
"""

from __future__ import annotations

from collections.abc import Iterable
from math import pi, sqrt
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tracker.chain import Array

WITHIN = 0.15  # gaps that differ by so little are of one sort
NEARLY = 0.5  # of how many the commonest has
AT_LEAST = 10  # gaps of that sort, and
BY_CHANCE, SIGMAS = 0.11, 4.0  # more than the share that pure chance makes of one sort
SETTLES = 10
MULTIPLES, CLOSE, MOST, ENOUGH = 10, 0.1, 0.8, 0.3


class Usual(NamedTuple):
    """An interval, how far off it may be (a standard deviation), and the gaps it is from."""

    value: float
    sd: float
    of: int


def usual(gaps: Iterable[float]) -> Usual | None:
    """The usual one of gaps, in their unit; None: there are too few, or none is usual.

    >>> usual([1800.0] * 12 + [3600.0] * 4 + [90_000.0])
    Usual(value=1800.0, sd=0.0, of=12)
    >>> usual([1800.0] * 5) is None
    True
    """
    ordered = _ordered(gaps)
    if len(ordered) < AT_LEAST:
        return None
    alike = _alike(ordered)
    found = _settled(ordered, ordered[np.argmax(alike >= NEARLY * alike.max())])
    chance = BY_CHANCE * len(ordered)  # of a Poisson process: no sort of gaps is more common
    return found if found.of >= max(AT_LEAST, chance + SIGMAS * sqrt(chance)) else None


def cycle(gaps: Iterable[float]) -> Usual | None:
    """The usual one of gaps that are its multiples, also where few are it itself.

    >>> cycle([600.0 * n for n in range(1, 20)] * 10)
    Usual(value=600.0, sd=0.0, of=10)
    """
    ordered = _ordered(gaps)
    alike, tried = _alike(ordered), 0.0
    for gap in ordered[alike >= AT_LEAST].tolist():
        if gap * (1 - WITHIN) <= tried:
            continue
        tried = gap
        found = _settled(ordered, gap)
        if found.of >= AT_LEAST and _is_divisor(found.value, ordered):
            return found
    return usual(ordered)


def _is_divisor(value: float, gaps: Array) -> bool:
    """Whether most of the gaps that are not very long are multiples of a value."""
    some = gaps[gaps <= (MULTIPLES + 0.5) * value] / value
    close = abs(some - np.maximum(np.round(some), 1)) <= CLOSE
    return len(some) >= ENOUGH * len(gaps) and bool(close.mean() >= MOST)


def _ordered(gaps: Iterable[float]) -> Array:
    return np.sort(np.array([gap for gap in gaps if gap > 0], dtype=float))


def _alike(ordered: Array) -> NDArray[np.intp]:
    """How many gaps are of the same sort as each."""
    upto = np.searchsorted(ordered, ordered * (1 + WITHIN), "right")
    below = np.searchsorted(ordered, ordered * (1 - WITHIN), "left")
    return np.asarray(upto - below)


def _settled(ordered: Array, value: float) -> Usual:
    """The middle of the gaps around a value."""
    for _ in range(SETTLES):
        some = ordered[abs(ordered - value) <= WITHIN * value]
        value = float(np.median(some))
    # That of a median of normal values; of others it is not far from it.
    return Usual(value, sqrt(pi / 2) * float(some.std()) / sqrt(len(some)), len(some))
