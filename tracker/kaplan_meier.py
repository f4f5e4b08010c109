"""Which share is back by an age, where some are still out: the estimator of Kaplan and Meier. Pure.

What is still out has told something too: that it was not back by its age (right-censored). To leave
it out makes a pool look quick; to count it as never back makes a young cohort look lost.

    F(t) = 1 - product over the ages a <= t at which something came back of (1 - back(a) / out(a))

`out(a)` are those at risk: out for at least that long. What is censored at an age at which
something comes back was at risk then. See Kaplan and Meier (1958), JASA 53, 457-481.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Sequence
from math import inf
from typing import NamedTuple


class Row(NamedTuple):
    """Something looked at from an age (`entry`) up to another one, at which it `ended`, or was seen
    going on (right-censored). It stands for `weight` alike."""

    age: float
    ended: bool
    entry: float = -inf
    weight: float = 1


class Point(NamedTuple):
    """An age at which some ended: which `share` goes on after it, how many were at risk just
    before, and how many ended."""

    age: float
    share: float
    at_risk: float
    ended: float


def surviving(rows: Iterable[Row]) -> list[Point]:
    """The product-limit estimate: prod (1 - ended / at risk). What entered later is not at risk
    before.

    >>> surviving([Row(1, True), Row(2, False), Row(3, True)])[1]
    Point(age=3, share=0.0, at_risk=1, ended=1)
    """
    given = list(rows)
    ended = defaultdict[float, float](int)
    for row in given:
        if row.ended:
            ended[row.age] += row.weight
    gone = sorted(given, key=lambda row: row.age)
    came = sorted(given, key=lambda row: row.entry)
    points, share, before, within = list[Point](), 1.0, 0, 0
    at_risk: float = 0
    for age in sorted(ended):
        while within < len(came) and came[within].entry < age:
            at_risk += came[within].weight
            within += 1
        while before < len(gone) and gone[before].age < age:
            at_risk -= gone[before].weight
            before += 1
        share *= 1 - ended[age] / at_risk
        points.append(Point(age, share, at_risk, ended[age]))
    return points


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
    steps = [
        Step(int(one.age), int(one.at_risk), int(one.ended), 1 - one.share)
        for one in surviving(Row(time.age, time.back) for time in given)
    ]
    return Curve(steps, sorted(one.age for one in given))
