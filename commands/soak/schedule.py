"""What goes wrong when: decided by a seed alone."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

EVERY_S = 3.0  # between the beginnings of two faults, on average
AT_LEAST_S = 0.3


@dataclass(frozen=True, slots=True)
class Fault:
    """What may happen to a victim: how it begins and ends, and how long it lasts at most (s)."""

    victim: str
    kind: str
    begin: Callable[[], object]
    end: Callable[[], object]
    longest_s: float


class Planned(NamedTuple):
    """A fault from a moment on (s after the start), for so long."""

    at_s: float
    for_s: float
    fault: Fault


class Step(NamedTuple):
    """The beginning or the end of a planned fault."""

    at_s: float
    begins: bool
    planned: Planned


def plan(seed: int, seconds: float, faults: Sequence[Fault]) -> list[Planned]:
    """Faults at random moments of so many seconds, the same for the same seed. Different victims
    may suffer at the same time; one suffers one fault at a time, and all are over at the end.

    >>> nothing = lambda: None
    >>> cut = Fault("network", "cut", nothing, nothing, longest_s=3)
    >>> [(round(p.at_s, 1), round(p.for_s, 1)) for p in plan(1, 15, [cut])]
    [(0.4, 1.0), (2.5, 1.6), (8.3, 2.2), (11.1, 2.9)]
    """
    chance = random.Random(seed)  # noqa: S311
    free_at: dict[str, float] = {}
    planned = []
    at = chance.expovariate(1 / EVERY_S)
    while at < seconds:
        fault = chance.choice(faults)
        lasts = chance.uniform(AT_LEAST_S, fault.longest_s)
        if free_at.get(fault.victim, 0.0) <= at and at + lasts < seconds:
            planned.append(Planned(at, lasts, fault))
            free_at[fault.victim] = at + lasts
        at += chance.expovariate(1 / EVERY_S)
    return planned


def steps(planned: Sequence[Planned]) -> list[Step]:
    """The beginnings and the ends, in the order of time."""
    both = [Step(p.at_s, True, p) for p in planned]
    both += [Step(p.at_s + p.for_s, False, p) for p in planned]
    return sorted(both, key=lambda step: step[:2])
