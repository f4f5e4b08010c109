"""How assets wear, fail and are renewed: by parameters that nobody is told.

A life is Weibull on trips, S(t) = exp(-(t / scale)^shape); an asset that is knocked about more has
a shorter scale. Whether it has failed is found when it is inspected. Work takes a share of its wear
away.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from math import exp
from random import Random
from typing import NamedTuple

from firmware_sim.outbox import Event
from firmware_sim.world.chance import poisson, random_of
from firmware_sim.world.journeys import Visit
from firmware_sim.world.report import Report
from firmware_sim.world.scenario import Scenario, Wear

ON_THE_WAY = ("outbound", "return_transit")
HARD_G = 3.0  # a knock has at least so much, and so much more on the average


class Hidden(NamedTuple):
    """What is true of an asset: knocks per trip, and its scale in trips."""

    knocks: float
    scale: float


class Check(NamedTuple):
    """An inspection at a time (epoch ms): after how many trips, as worn as after how many (`worn`),
    how likely it was to fail since the last one, and whether it has."""

    at: int
    trips: int
    worn: float
    p: float
    failed: bool


def hidden(wear: Wear, seed: int, asset: str) -> Hidden:
    """What is true of an asset."""
    random = random_of(seed, "wear", asset)
    knocks = random.gammavariate(2, wear.knocks_per_trip / 2) if wear.knocks_per_trip else 0.0
    return Hidden(knocks, wear.cycles * exp(-wear.per_knock * knocks))


class Ageing:
    """An asset's wear on its journey: which stage comes next where it has failed."""

    def __init__(self, wear: Wear, seed: int, asset: str) -> None:
        self._wear = wear
        self.hidden = hidden(wear, seed, asset)
        self._random = random_of(seed, "failures", asset)
        self.checks: list[Check] = []
        self._trips, self._worn, self._sound_at, self._failed = 0, 0.0, 0.0, False

    def next(self, visit: Visit, drawn: str | None, choices: Iterable[str]) -> str | None:
        """What comes after a visit, where by chance it would be `drawn`."""
        stage = visit.stage
        if stage == "received":
            self._trips += 1
            self._worn += 1
        if stage == "inspection":
            self._check(visit.until)
            if self._failed and "repair" in choices:
                return "repair"
        if (share := self._wear.restores.get(stage)) is not None:
            self._worn *= 1 - share
            self._sound_at, self._failed = self._worn, False
        return drawn

    def _check(self, at: int) -> None:
        scale, shape = self.hidden.scale, self._wear.shape
        hazard = (self._worn / scale) ** shape - (self._sound_at / scale) ** shape
        p = 1 - exp(-hazard)
        self._failed = self._failed or self._random.random() < p
        self._sound_at = self._worn
        self.checks.append(Check(at, self._trips, self._worn, p, self._failed))


def knocks(scenario: Scenario, asset: str, visits: Iterable[Visit]) -> Iterator[Report]:
    """What a tracker feels on the way, in order of time."""
    if scenario.wear is None:
        return
    rate = hidden(scenario.wear, scenario.seed, asset).knocks
    random = random_of(scenario.seed, "knocks", asset)
    for visit in visits:
        if visit.stage in ON_THE_WAY:
            until = min(visit.until, scenario.end_ms)
            yield from _felt(random, rate / len(ON_THE_WAY), visit.since, until)


def _felt(random: Random, mean: float, since: int, until: int) -> Iterator[Report]:
    times = sorted(round(random.uniform(since, until)) for _ in range(poisson(random, mean)))
    for at in times:
        g = round(HARD_G + random.expovariate(1 / HARD_G), 1)
        event: Event = {"at": at, "sensor": {"shock": g}}
        yield Report(at, [event])
