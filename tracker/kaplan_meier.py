"""Which share is back by an age, where some are still out: the estimator of Kaplan and Meier. Pure.

What is still out has told something too: that it was not back by its age (right-censored). To leave
it out makes a pool look quick; to count it as never back makes a young cohort look lost.

    F(t) = 1 - product over the ages a <= t at which something came back of (1 - back(a) / out(a))

`out(a)` are those at risk: out for at least that long. What is censored at an age at which
something comes back was at risk then. See Kaplan and Meier (1958), JASA 53, 457-481.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import NamedTuple


class Time(NamedTuple):
    """How long something was out (`age`, ms), and whether it came back then (else it is still
    out)."""

    age: int
    back: bool


class Step(NamedTuple):
    """An age (ms) at which some came back: how many, how many were `at_risk`, and which `share` is
    back from then on."""

    age: int
    at_risk: int
    back: int
    share: float


class Curve(NamedTuple):
    """The steps by age, and the `ages` to which everything was seen (ms), the least first: beyond
    the greatest one nothing is known."""

    steps: Sequence[Step]
    ages: Sequence[int]

    @property
    def sent(self) -> int:
        """How many were sent out."""
        return len(self.ages)

    @property
    def reach(self) -> int:
        """The greatest age that was seen."""
        return self.ages[-1] if self.ages else 0

    def at(self, age: int) -> float | None:
        """Which share is back by an age; None: nothing was seen out for so long, unless all are
        back. (Of a last one that comes back while others are out the estimate is 1, which tells
        nothing of what comes after.)"""
        if not self.sent or (age > self.reach and self.back_by(age) < self.sent):
            return None
        return next((one.share for one in reversed(self.steps) if one.age <= age), 0.0)

    def back_by(self, age: int) -> int:
        """How many were seen back by an age."""
        return sum(one.back for one in self.steps if one.age <= age)

    def at_risk(self, age: int) -> int:
        """How many were out for at least so long."""
        return self.sent - bisect_left(self.ages, age)


def curve(times: Iterable[Time]) -> Curve:
    """The curve of some times out.

    >>> found = curve([Time(2, True), Time(3, False), Time(5, True), Time(6, False)])
    >>> [(one.age, one.at_risk, one.back, one.share) for one in found.steps]
    [(2, 4, 1, 0.25), (5, 2, 1, 0.625)]
    >>> found.at(4), found.at(7), found.at_risk(3)
    (0.25, None, 3)
    """
    given = list(times)
    ages = sorted(one.age for one in given)
    back = Counter(one.age for one in given if one.back)
    steps, still_out = list[Step](), 1.0
    for age in sorted(back):
        at_risk = len(ages) - bisect_left(ages, age)
        still_out *= 1 - back[age] / at_risk
        steps.append(Step(age, at_risk, back[age], 1 - still_out))
    return Curve(steps, ages)
