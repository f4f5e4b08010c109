"""How late a customer is, relative to what its lines let expect: learned from those that fell due.

Let `P` be how likely it was, when a line began, that it comes late, whoever has it. With a
customer's relative rate `r` it is in time with `exp(-r e)`: lateness comes like the first event of
a Poisson process of rate `r` after an exposure `e`. That is, it is late with `1 - (1 - P)**r` where
`e = -log(1 - P)`. Of `n` events on lines of exposures `e` in all the likelihood is
`r**n exp(-r e)`, to which a Gamma prior of mean 1 is conjugate:

    r ~ Gamma(alike, alike)  before,    r ~ Gamma(alike + n, alike + e)  after

Of a late line only the first event is known. There were `r e / (1 - exp(-r e))` on the average, the
mean of a Poisson number that is not 0; counted as one, lines that are late more often than not
would make their customer look punctual. As that depends on `r`, it is found by iteration
(expectation-maximisation: Dempster, Laird and Rubin, 1977). To forecast, `r` is averaged over:

    P(late) = 1 - E[exp(-r e)] = 1 - (rate / (rate + e))**shape

That must be `P` itself for a customer of whom nothing is known, who is one of all; so
`e = alike ((1 - P)**(-1 / alike) - 1)`, which is `-log(1 - P)` where customers are very much alike.
How `alike` customers are is learned too: of some values the one under which the late lines of all
customers are the likeliest (each a negative binomial number; empirical Bayes: Robbins, 1956).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import exp, expm1, lgamma, log, log1p
from typing import NamedTuple

ALIKE = (30.0, 100.0, 10.0, 3.0, 1.0)  # the first holds as far as nothing is known
SURE = 0.999  # more than that no line is taken for
ROUNDS = 30

Due = Sequence[tuple[float, bool]]
"""Lines that fell due: how likely lateness was when each began, and whether it came."""


class Punctuality(NamedTuple):
    """A customer's relative rate of being late, `Gamma(shape, rate)`, where customers are so much
    `alike`, and what it is known from: so many `lines` fell due, of which `late` came late, where
    `expected` were."""

    alike: float
    shape: float
    rate: float
    lines: int = 0
    late: int = 0
    expected: float = 0.0

    @property
    def mean(self) -> float:
        """How many times as late as expected."""
        return self.shape / self.rate

    def late_with(self, p: float) -> float:
        """How likely lateness is with this customer that is `p` likely with any.

        >>> round(Punctuality(30.0, 60.0, 30.0).late_with(0.3), 2)
        0.51
        >>> round(Punctuality(3.0, 3.0, 3.0).late_with(0.3), 2)
        0.3
        """
        if p >= SURE:
            return p
        return 1 - exp(-self.shape * log1p(_exposure(p, self.alike) / self.rate))


class Customers(NamedTuple):
    """How `alike` customers are, and what is known of each `by_id`."""

    alike: float = ALIKE[0]
    by_id: Mapping[str, Punctuality] = {}

    def of(self, id: str) -> Punctuality:
        """A customer, also one that nothing is known of."""
        return self.by_id.get(id) or Punctuality(self.alike, self.alike, self.alike)


def customers(due: Mapping[str, Due]) -> Customers:
    """What is known of customers by their lines that fell due.

    >>> lines = {"in time": 40 * [(0.3, False)], "late": 40 * [(0.3, True)]}
    >>> found = customers(lines)
    >>> found.alike, [round(found.of(id).mean, 1) for id in lines], found.of("new").mean
    (1.0, [0.1, 7.1], 1.0)
    """
    alike = max(ALIKE, key=lambda given: sum(_likelihood(lines, given) for lines in due.values()))
    return Customers(alike, {id: punctuality(lines, alike) for id, lines in due.items()})


def _likelihood(lines: Due, alike: float) -> float:
    """The logarithm of how likely a customer's late lines are, but for what is the same for all
    values of `alike`."""
    late, exposure = sum(late for _, late in lines), sum(_exposure(p, alike) for p, _ in lines)
    whole = alike + exposure
    return (
        lgamma(alike + late)
        - lgamma(alike)
        + alike * log(alike / whole)
        + late * log(max(exposure, 1e-300) / whole)
    )


def punctuality(known: Due, alike: float = ALIKE[0]) -> Punctuality:
    """What is known of a customer.

    >>> found = punctuality(20 * [(0.3, True)] + 20 * [(0.3, False)], alike=5)
    >>> found.late, round(found.expected), round(found.mean, 2)
    (20, 12, 1.59)
    >>> round(punctuality(300 * [(0.9, True)] + 30 * [(0.9, False)]).mean, 1)
    1.0
    """
    late = [_exposure(p, alike) for p, came in known if came]
    rate = alike + sum(_exposure(p, alike) for p, _ in known)
    shape = alike
    for _ in range(ROUNDS):
        r = shape / rate
        shape = alike + sum(_events(r * e) for e in late)
    return Punctuality(alike, shape, rate, len(known), len(late), sum(p for p, _ in known))


def _exposure(p: float, alike: float) -> float:
    return alike * expm1(-log1p(-min(p, SURE)) / alike)


def _events(mean: float) -> float:
    """The mean of a Poisson number that is not 0, of the given mean when it may be."""
    return mean / -expm1(-mean) if mean > 0 else 1.0
