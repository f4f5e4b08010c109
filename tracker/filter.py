"""The forward filter: what is believed of a hidden chain that tells of itself by marks.

Marks come as a Poisson process whose rate depends on the state (a marked Markov-modulated Poisson
process), so no mark is evidence too: over `dt` without one, a row of probabilities `p` becomes
proportional to `p exp((Q - Lambda) dt)`, and at a mark to `p * l(mark)`. See Fearnhead and
Sherlock, "An exact Gibbs sampler for the Markov-modulated Poisson process" (2006).

Time is counted in ticks of ten seconds. Stored beliefs must be the same bits whether rows are
stepped alone or together: BLAS does not promise that, `np.einsum` without optimisation adds up in
one fixed order.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tracker.chain import TICKS_PER_H, Array

Rows = NDArray[np.floating]

BASE = 64  # products for a step: one for each digit of its ticks that is not 0
DIGITS = 4  # 64**4 ticks end at 5.3 years; what is longer repeats the longest step
KNOWN_AT_MOST = 100_000  # times whose weights are kept


class Power(NamedTuple):
    """A transition over some ticks: a matrix with a maximum of 1, and the logarithm of what it
    is to be multiplied by."""

    matrix: Array
    log: float


class Powers:
    """`exp((Q - Lambda) dt)` for whole ticks, made when they are asked for. `generator` (states
    x states, per hour) may lose mass, never gain it. Each power is scaled to a maximum of 1.

    >>> powers = Powers(np.array([[-36.0, 36.0], [0.0, 0.0]]))
    >>> [round(float(p), 4) for p in powers.predict(np.array([[1.0, 0.0]]), 10)[0]]
    [0.3679, 0.6321]
    """

    def __init__(self, generator: Array) -> None:
        self._generator = generator
        self._made: dict[tuple[int, int], Power] = {}

    def predict(self, p: Array, ticks: int) -> Array:
        """Rows of probabilities (rows x states) after so many ticks without a mark."""
        if ticks <= 0:
            return p
        for digit in digits(ticks):
            p = np.einsum("bi,ij->bj", p, self.power(*digit).matrix)
        return scaled(p)

    def look_back(self, b: Array, ticks: int) -> Array:
        """How likely, from each state (one row), what was observed after so many ticks is, given
        how likely it is from each state then; scaled to sum to 1.

        >>> powers = Powers(np.array([[-36.0, 36.0], [0.0, 0.0]]))
        >>> powers.look_back(np.array([[0.0, 1.0]]), 10).round(4).tolist()
        [[0.3873, 0.6127]]
        """
        return scaled(self.gone_back(b, ticks))

    def gone_back(self, b: Array, ticks: int) -> Array:
        """The same before it is scaled, but for the factor whose logarithm is `log(ticks)`."""
        for digit in digits(max(ticks, 0)):
            b = np.einsum("ij,bj->bi", self.power(*digit).matrix, b)
        return b

    def log(self, ticks: int) -> float:
        """The logarithm of what the product of the powers of so many ticks is to be multiplied
        by."""
        return sum(self.power(*digit).log for digit in digits(ticks))

    def power(self, place: int, digit: int) -> Power:
        """The transition over `digit * 64**place` ticks."""
        made = self._made.get((place, digit))
        if made is None:
            made = self._made[(place, digit)] = self._make(place, digit)
        return made

    def _make(self, place: int, digit: int) -> Power:
        if digit > 1:
            return product(self.power(place, digit - 1), self.power(place, 1))
        if place > 0:
            return product(self.power(place - 1, BASE - 1), self.power(place - 1, 1))
        return exponential(self._generator / TICKS_PER_H)


def product(one: Power, other: Power) -> Power:
    """A product of two matrices, scaled to a maximum of 1."""
    return _scaled_down(np.einsum("ij,jk->ik", one.matrix, other.matrix), one.log + other.log)


def exponential(generator: Array) -> Power:
    """`exp(generator)` scaled to a maximum of 1, by uniformisation: all terms of the series are
    positive, so that nothing cancels (Jensen 1953). Large rates are halved first, then squared.

    >>> exponential(np.array([[-1.0, 1.0], [0.0, 0.0]])).matrix.round(4).tolist()
    [[0.3679, 0.6321], [0.0, 1.0]]
    """
    rate = max(float(-generator.diagonal().min()), 1e-9)
    halvings = max(0, int(np.ceil(np.log2(rate))))
    rate /= 2**halvings
    step = np.eye(len(generator)) + generator / 2**halvings / rate
    term = total = np.eye(len(generator))
    for n in range(1, 30):
        term = np.einsum("ij,jk->ik", term, step) * (rate / n)
        total = total + term
    power = _scaled_down(total, -rate)
    for _ in range(halvings):
        power = product(power, power)
    return power


def _scaled_down(matrix: Array, log: float) -> Power:
    greatest = float(matrix.max())
    return Power(np.ascontiguousarray(matrix / greatest), log + math.log(greatest))


def digits(ticks: int) -> Iterator[tuple[int, int]]:
    """The powers, by place and digit, that make up so many ticks, the shortest first.

    >>> [*digits(3 * 64 + 5)]
    [(0, 5), (1, 3)]
    """
    longest = BASE**DIGITS - 1
    while ticks > longest:
        yield from digits(longest)
        ticks -= longest
    for place in range(DIGITS):
        ticks, digit = divmod(ticks, BASE)
        if digit:
            yield place, digit


class Silence:
    """A time without a mark that may also be an outage: of `share` of all such times readers
    heard nothing because they were down, the fewer the longer the time (`mean` ticks). Predicts
    as `Powers` does: `heard` over times in which all is heard, `deaf` where readers are not.

    Both go side by side through the same products: `[p H | p D]` by one wide matrix, and at the
    end, each with its weight, `w H' + v D'` by one tall one."""

    def __init__(self, heard: Powers, deaf: Powers, share: float, mean: float) -> None:
        self.heard, self.deaf = heard, deaf
        self._share, self._mean = share, mean
        self._wide: dict[tuple[int, int], Array] = {}
        self._tall: dict[tuple[int, int], Array] = {}
        self._known: dict[int, tuple[float, float]] = {}

    def predict(self, p: Array, ticks: int) -> Array:
        """Rows of probabilities after so many ticks without a mark."""
        if ticks <= 0:
            return p
        first, *rest = digits(ticks)
        both = np.einsum("bi,ij->bj", p, self._side_by_side(first))
        width = p.shape[1]
        heard, deaf = both[:, :width], both[:, width:]
        for digit in rest[:-1]:
            np.copyto(heard, np.einsum("bi,ij->bj", heard, self.heard.power(*digit).matrix))
            np.copyto(deaf, np.einsum("bi,ij->bj", deaf, self.deaf.power(*digit).matrix))
        up, out = self._weights_of(ticks)
        heard *= up
        deaf *= out
        if rest:
            return scaled(np.einsum("bi,ij->bj", both, self._on_each_other(rest[-1])))
        return scaled(heard + deaf)

    def look_back(self, b: Array, ticks: int) -> Array:
        """As `Powers.look_back`."""
        if ticks <= 0:
            return b
        up, out = self._weights_of(ticks)
        heard, deaf = self.heard.gone_back(b, ticks), self.deaf.gone_back(b, ticks)
        return scaled(up * heard + out * deaf)

    def weights(self, ticks: ArrayLike, log: ArrayLike, log_deaf: ArrayLike) -> tuple[Any, Any]:
        """By what to multiply what is left of rows where all is heard and where readers are not,
        each given with the logarithm of its factor: the greater weight is 1."""
        down = self._share * np.exp(-np.maximum(ticks, 0) / self._mean)
        up, out = np.log1p(-down) + log, np.log(np.maximum(down, 1e-300)) + log_deaf
        most = np.maximum(up, out)
        return np.exp(up - most), np.exp(out - most)

    def _weights_of(self, ticks: int) -> tuple[float, float]:
        if ticks not in self._known:
            if len(self._known) >= KNOWN_AT_MOST:
                self._known.clear()
            up, out = self.weights(ticks, self.heard.log(ticks), self.deaf.log(ticks))
            self._known[ticks] = float(up), float(out)
        return self._known[ticks]

    def _side_by_side(self, digit: tuple[int, int]) -> Array:
        if digit not in self._wide:
            both = (self.heard.power(*digit).matrix, self.deaf.power(*digit).matrix)
            self._wide[digit] = np.hstack(both)
        return self._wide[digit]

    def _on_each_other(self, digit: tuple[int, int]) -> Array:
        if digit not in self._tall:
            both = (self.heard.power(*digit).matrix, self.deaf.power(*digit).matrix)
            self._tall[digit] = np.vstack(both)
        return self._tall[digit]


def predict_each(ahead: Powers | Silence, p: Array, ticks: Sequence[int]) -> Array:
    """What is predicted of rows that each have gone so many ticks: those that have gone as many
    together.

    >>> powers = Powers(np.array([[-36.0, 36.0], [0.0, 0.0]]))
    >>> rows = predict_each(powers, np.array([[1.0, 0.0], [1.0, 0.0]]), [10, 0])
    >>> rows.round(4).tolist()
    [[0.3679, 0.6321], [1.0, 0.0]]
    """
    made = np.empty_like(p)
    times = np.array(ticks)
    order = np.argsort(times, kind="stable")
    bounds = np.flatnonzero(np.diff(times[order])) + 1
    for alike in np.split(order, bounds) if len(order) else ():
        made[alike] = ahead.predict(p[alike], int(times[alike[0]]))
    return made


def update(p: Array, likelihood: Array) -> Array:
    """Rows of probabilities after a mark that each state makes as `likelihood` says (same shape,
    or one row for all).

    >>> update(np.array([[0.5, 0.5]]), np.array([[3.0, 1.0]])).tolist()
    [[0.75, 0.25]]
    """
    return scaled(p * likelihood)


def turn(p: Array, kernel: Array) -> Array:
    """Rows of probabilities after a fact, given as the kernel of `Chain.kernel`."""
    return scaled(np.einsum("bi,ij->bj", p, kernel))


def scaled(p: Rows) -> Array:
    """Rows of probabilities that sum to 1."""
    made: Array = p / np.einsum("bi->b", p)[:, None]
    return made
