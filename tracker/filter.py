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

from collections.abc import Iterator, Sequence

import numpy as np

from tracker.chain import TICKS_PER_H, Array

BASE = 64  # products for a step: one for each digit of its ticks that is not 0
DIGITS = 4  # 64**4 ticks end at 5.3 years; what is longer repeats the longest step


class Powers:
    """`exp((Q - Lambda) dt)` for whole ticks, made when they are asked for. `generator` (states
    x states, per hour) may lose mass, never gain it. Each power is scaled to a maximum of 1.

    >>> powers = Powers(np.array([[-36.0, 36.0], [0.0, 0.0]]))
    >>> [round(float(p), 4) for p in powers.predict(np.array([[1.0, 0.0]]), 10)[0]]
    [0.3679, 0.6321]
    """

    def __init__(self, generator: Array) -> None:
        self._generator = generator
        self._made: dict[tuple[int, int], Array] = {}

    def predict(self, p: Array, ticks: int) -> Array:
        """Rows of probabilities (rows x states) after so many ticks without a mark."""
        if ticks <= 0:
            return p
        for power in self._factors(ticks):
            p = np.einsum("bi,ij->bj", p, power)
        return scaled(p)

    def look_back(self, b: Array, ticks: int) -> Array:
        """How likely, from each state (one row), what was observed after so many ticks is, given
        how likely it is from each state then; scaled to sum to 1.

        >>> powers = Powers(np.array([[-36.0, 36.0], [0.0, 0.0]]))
        >>> powers.look_back(np.array([[0.0, 1.0]]), 10).round(4).tolist()
        [[0.3873, 0.6127]]
        """
        for power in self._factors(max(ticks, 0)):
            b = np.einsum("ij,bj->bi", power, b)
        return scaled(b)

    def predict_each(self, p: Array, ticks: Sequence[int]) -> Array:
        """The same of rows that each have gone so many ticks: those that have a digit in common
        are multiplied together.

        >>> powers = Powers(np.array([[-36.0, 36.0], [0.0, 0.0]]))
        >>> rows = powers.predict_each(np.array([[1.0, 0.0], [1.0, 0.0]]), [10, 0])
        >>> rows.round(4).tolist()
        [[0.3679, 0.6321], [1.0, 0.0]]
        """
        longest = BASE**DIGITS - 1
        if max(ticks, default=0) > longest:
            return np.concatenate(
                [self.predict(p[n : n + 1], each) for n, each in enumerate(ticks)]
            )
        made = p.copy()
        for place in range(DIGITS):
            digits = np.array([max(each, 0) // BASE**place % BASE for each in ticks])
            for digit in np.unique(digits[digits > 0]):
                rows = np.flatnonzero(digits == digit)
                power = self.power(place, int(digit))
                made[rows] = np.einsum("bi,ij->bj", made[rows], power)
        gone = np.array(ticks) > 0
        made[gone] = scaled(made[gone])
        return made

    def _factors(self, ticks: int) -> Iterator[Array]:
        longest = BASE**DIGITS - 1
        while ticks > longest:
            yield from self._factors(longest)
            ticks -= longest
        for place in range(DIGITS):
            ticks, digit = divmod(ticks, BASE)
            if digit:
                yield self.power(place, digit)

    def power(self, place: int, digit: int) -> Array:
        """The transition over `digit * 64**place` ticks."""
        made = self._made.get((place, digit))
        if made is None:
            made = self._made[(place, digit)] = self._make(place, digit)
        return made

    def _make(self, place: int, digit: int) -> Array:
        if digit > 1:
            return product(self.power(place, digit - 1), self.power(place, 1))
        if place > 0:
            return product(self.power(place - 1, BASE - 1), self.power(place - 1, 1))
        return exponential(self._generator / TICKS_PER_H)


def product(one: Array, other: Array) -> Array:
    """A product of two matrices, scaled to a maximum of 1."""
    made: Array = np.einsum("ij,jk->ik", one, other)
    return np.ascontiguousarray(made / made.max())


def exponential(generator: Array) -> Array:
    """`exp(generator)` scaled to a maximum of 1, by uniformisation: all terms of the series are
    positive, so that nothing cancels (Jensen 1953). Large rates are halved first, then squared.

    >>> exponential(np.array([[-1.0, 1.0], [0.0, 0.0]])).round(4).tolist()
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
    total = np.ascontiguousarray(total / total.max())
    for _ in range(halvings):
        total = product(total, total)
    return total


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


def scaled(p: Array) -> Array:
    """Rows of probabilities that sum to 1."""
    sums: Array = np.einsum("bi->b", p)
    return p / sums[:, None]
