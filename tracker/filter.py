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
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tracker.chain import TICKS_PER_H, Array

Rows = NDArray[np.floating]

BASE = 64  # products for a step: one for each digit of its ticks that is not 0
DIGITS = 4  # 64**4 ticks end at 5.3 years; what is longer repeats the longest step


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
        return p if ticks <= 0 else scaled(self.gone(p, ticks)[0])

    def gone(self, p: Array, ticks: int) -> tuple[Array, float]:
        """What is left of rows of probabilities after so many ticks without a mark, as rows and
        the logarithm of what they are to be multiplied by: their sums are how likely there was
        none."""
        log = 0.0
        for power in self._factors(ticks):
            p = np.einsum("bi,ij->bj", p, power.matrix)
            log += power.log
        return p, log

    def look_back(self, b: Array, ticks: int) -> Array:
        """How likely, from each state (one row), what was observed after so many ticks is, given
        how likely it is from each state then; scaled to sum to 1.

        >>> powers = Powers(np.array([[-36.0, 36.0], [0.0, 0.0]]))
        >>> powers.look_back(np.array([[0.0, 1.0]]), 10).round(4).tolist()
        [[0.3873, 0.6127]]
        """
        return scaled(self.gone_back(b, ticks)[0])

    def gone_back(self, b: Array, ticks: int) -> tuple[Array, float]:
        """The same before it is scaled, and the logarithm of its factor."""
        log = 0.0
        for power in self._factors(max(ticks, 0)):
            b = np.einsum("ij,bj->bi", power.matrix, b)
            log += power.log
        return b, log

    def predict_each(self, p: Array, ticks: Sequence[int]) -> Array:
        """The same of rows that each have gone so many ticks: those that have a digit in common
        are multiplied together.

        >>> powers = Powers(np.array([[-36.0, 36.0], [0.0, 0.0]]))
        >>> rows = powers.predict_each(np.array([[1.0, 0.0], [1.0, 0.0]]), [10, 0])
        >>> rows.round(4).tolist()
        [[0.3679, 0.6321], [1.0, 0.0]]
        """
        made, _ = self.gone_each(p, ticks)
        gone = np.array(ticks) > 0
        made[gone] = scaled(made[gone])
        return made

    def gone_each(self, p: Array, ticks: Sequence[int]) -> tuple[Array, Array]:
        """`gone` of rows that each have gone so many ticks, and the logarithm of each."""
        made, logs = p.copy(), np.zeros(len(p))
        longest = BASE**DIGITS - 1
        if max(ticks, default=0) > longest:
            for n, each in enumerate(ticks):
                made[n : n + 1], logs[n] = self.gone(p[n : n + 1], max(each, 0))
            return made, logs
        for place in range(DIGITS):
            digits = np.array([max(each, 0) // BASE**place % BASE for each in ticks])
            for digit in np.unique(digits[digits > 0]):
                rows = np.flatnonzero(digits == digit)
                power = self.power(place, int(digit))
                made[rows] = np.einsum("bi,ij->bj", made[rows], power.matrix)
                logs[rows] += power.log
        return made, logs

    def _factors(self, ticks: int) -> Iterator[Power]:
        longest = BASE**DIGITS - 1
        while ticks > longest:
            yield from self._factors(longest)
            ticks -= longest
        for place in range(DIGITS):
            ticks, digit = divmod(ticks, BASE)
            if digit:
                yield self.power(place, digit)

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


class Silence:
    """A time without a mark that may also be an outage: of `share` of all such times readers
    heard nothing because they were down, the fewer the longer the time (`mean` ticks). Predicts
    as `Powers` does: `heard` over times in which all is heard, `deaf` where readers are not."""

    def __init__(self, heard: Powers, deaf: Powers, share: float, mean: float) -> None:
        self.heard, self.deaf = heard, deaf
        self._share, self._mean = share, mean

    def predict(self, p: Array, ticks: int) -> Array:
        """Rows of probabilities after so many ticks without a mark."""
        if ticks <= 0:
            return p
        heard, log = self.heard.gone(p, ticks)
        deaf, log_deaf = self.deaf.gone(p, ticks)
        return self.mixed(heard, np.full(len(p), log), deaf, np.full(len(p), log_deaf), [ticks])

    def predict_each(self, p: Array, ticks: Sequence[int]) -> Array:
        """The same of rows that each have gone so many ticks."""
        gone = np.array(ticks) > 0
        made = p.copy()
        mixed = self.mixed(*self.heard.gone_each(p, ticks), *self.deaf.gone_each(p, ticks), ticks)
        made[gone] = mixed[gone]
        return made

    def look_back(self, b: Array, ticks: int) -> Array:
        """As `Powers.look_back`."""
        if ticks <= 0:
            return b
        heard, log = self.heard.gone_back(b, ticks)
        deaf, log_deaf = self.deaf.gone_back(b, ticks)
        return self.mixed(heard, np.full(len(b), log), deaf, np.full(len(b), log_deaf), [ticks])

    def mixed(
        self, heard: Rows, logs: Array, deaf: Rows, logs_deaf: Array, ticks: ArrayLike
    ) -> Array:
        """Rows of probabilities, from what is left of them where all is heard and where readers
        are not, each with the logarithm of its factor."""
        down = self._share * np.exp(-np.maximum(ticks, 0) / self._mean)
        up, out = np.log1p(-down) + logs, np.log(np.maximum(down, 1e-300)) + logs_deaf
        most = np.maximum(up, out)
        mixed = np.exp(up - most)[:, None] * heard + np.exp(out - most)[:, None] * deaf
        return scaled(mixed)


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
