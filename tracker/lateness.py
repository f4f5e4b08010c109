"""How likely it is that a line comes back late, and when it will be back: by first passage. Pure.

The stages that are at home are made absorbing in the asset's chain: whoever enters one after
having been out is back. With `U` what is left of the rates Q between the other states,

    P(not back by t) = p exp(U t) 1,    P(late) = P(not back by due + grace)

where `p` is what is believed now: the tail of a phase-type distribution (Neuts, "Matrix-geometric
solutions in stochastic models", 1981). What is believed of the stages in which it is back counts
as back; but an asset that has not been out on this line yet is still to go out from them.

The stages with the customer do not last as a Markov chain has it, for people look at what was
agreed. The clocks of these stages run `v` times as fast, where `v` depends on how far the line
has gone (in use) or how long the stage has lasted (the other one), as `tracker.pace` has learned.
A step is an hour, later on some hours: all other moves, then those out of these two stages, whose
share in `h` hours is `1 - exp(-v q h)` at a rate of `q` an hour.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil, exp
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tracker.chain import Array, Chain
from tracker.filter import exponential
from tracker.leases import HOUR_MS
from tracker.overdue import WITH_CUSTOMER, at_home
from tracker.pace import Pace, in_use_h, part_of
from tracker.process import Process

QUANTILES = (0.1, 0.5, 0.9)
SIGHT_H = 24 * 120
NEAR_H, FAR_H, STEPS = 24 * 10, 6, 3_000  # up to there by the hour, then so many hours a step
ROWS = 1_000  # at a time: what a step makes of all these stays in the processor's cache


class Course(NamedTuple):
    """A line under way at `now`: what is believed of its asset (`p`, the probabilities of the
    states of an untracked chain, one row), which `stage` it is told to be in and since when,
    whether it has been `out` on this line, when the line began, when it is due, and when it is
    late (epoch ms)."""

    p: Array
    stage: str | None
    since: int
    out: bool
    now: int
    start: int
    due: int
    deadline: int


class Lateness(NamedTuple):
    """How likely a line is late, and hours from now until it is back with a probability of .1,
    .5 and .9 (None: beyond sight)."""

    p: float
    hours: tuple[int | None, int | None, int | None]


class Passage:
    """First passages in a process.

    >>> from tracker.process import shipped
    >>> passage = Passage(shipped()["pallet-pool"])
    >>> day = 24 * HOUR_MS
    >>> told = passage.chain.enter[passage.chain.number["return_transit"]][None, :]
    >>> line = Course(told, "return_transit", 25 * day, True, 25 * day, 0, 26 * day, 27 * day)
    >>> (found,) = passage.late_each([line], Pace.of(passage.chain))
    >>> round(found.p, 3), found.hours
    (0.041, (4, 14, 35))
    """

    def __init__(self, process: Process) -> None:
        self.chain = Chain(_ahead(process), tracked=False)
        stages = [self.chain.stages[state.stage] for state in self.chain.states]
        self._stage = np.array([state.stage for state in self.chain.states])
        self._back = np.array([at_home(stage) for stage in stages])
        self._own = np.flatnonzero([stage in WITH_CUSTOMER for stage in stages])
        rates = self.chain.rates.copy()
        moves = rates[self._own] * (self._stage[self._own, None] != self._stage)
        self._leaves = moves.sum(axis=1)
        rates[self._own] -= moves
        rates[self._own, self._own] += self._leaves
        rates[np.ix_(~self._back, self._back)] = 0.0  # who enters there is back
        self._rest = rates

    def late_each(
        self, courses: Sequence[Course], pace: Pace, sight_h: int = SIGHT_H
    ) -> list[Lateness]:
        """Of lines of assets of the process. Beyond `sight_h` no return is looked for, only
        whether those are late that are due later."""
        found = list[Lateness]()
        for n in range(0, len(courses), ROWS):
            some = courses[n : n + ROWS]
            furthest = max(sight_h, *((one.deadline - one.now) / HOUR_MS for one in some))
            ends = _ends(furthest)
            found += _read_off(some, ends, self._not_back(some, pace, ends))
        return found

    def _not_back(self, courses: Sequence[Course], pace: Pace, ends: Array) -> Array:
        """How likely each of some lines is not back at the end of each step, hours from now
        (ends x lines)."""
        rows = np.concatenate([one.p for one in courses])
        rows[np.ix_(np.array([one.out for one in courses]), self._back)] = 0.0
        hours, own = np.diff(ends), self._own
        rates = self._rest * pace.whole[self._stage, None]
        steps = {h: _transition(rates * h) for h in np.unique(hours).tolist()}
        to = pace.next[self._stage[own]] @ self.chain.enter
        to[:, self._back] = 0.0
        speeds = self._speeds(courses, pace, (ends[:-1] + hours / 2)[:, None])
        stays = np.exp(-speeds * self._leaves * hours[:, None, None])
        left = np.empty((len(ends), len(rows)))
        left[0] = rows.sum(axis=1)
        for n, h in enumerate(hours.tolist()):
            rows = rows @ steps[h]
            here = rows[:, own]
            kept = here * stays[n]
            rows[:, own] = kept
            rows += (here - kept) @ to
            left[n + 1] = rows.sum(axis=1)
        return left

    def _speeds(self, courses: Sequence[Course], pace: Pace, ahead: Array) -> Array:
        """How fast the clock of each state with the customer runs so many hours from now (hours x
        lines x states)."""
        speeds = np.empty((len(ahead), len(courses), len(self._own)))
        for k, n in enumerate(self._stage[self._own].tolist()):
            name = self.chain.stages[n]
            if name == WITH_CUSTOMER[0]:
                speeds[:, :, k] = _in_use(courses, pace, ahead, self.chain)
                continue
            told = np.array([one.stage == name for one in courses])
            lasted = np.array([(one.now - one.since) / HOUR_MS for one in courses])
            mean_h = self.chain.process.stages[name].mean_h
            own = pace.by_part[part_of((lasted + ahead) / mean_h), n]
            speeds[:, :, k] = np.where(told, own, pace.whole[n])
        return speeds


def _ends(furthest: float) -> Array:
    """The ends of steps, hours from now, up to so many hours at least."""
    far = max(FAR_H, ceil((furthest - NEAR_H) / STEPS))
    near = np.arange(0.0, min(NEAR_H, ceil(furthest)) + 1)
    return np.concatenate([near, np.arange(NEAR_H + far, furthest + far, far)])


def _transition(rates: Array) -> Array:
    power = exponential(rates)
    return power.matrix * exp(power.log)


def _in_use(courses: Sequence[Course], pace: Pace, ahead: Array, chain: Chain) -> Array:
    n, stage = chain.number[WITH_CUSTOMER[0]], chain.process.stages[WITH_CUSTOMER[0]]
    gone = np.array([(one.now - one.start) / HOUR_MS for one in courses])
    planned = np.array([max((one.due - one.start) / HOUR_MS, 1.0) for one in courses])
    plan = stage.mean_h / in_use_h(chain, planned)
    speeds: Array = plan * pace.by_part[part_of((gone + ahead) / planned), n]
    return speeds


def _read_off(courses: Sequence[Course], ends: Array, left: Array) -> list[Lateness]:
    found = []
    for one, own in zip(courses, left.T, strict=True):
        p = float(np.interp((one.deadline - one.now) / HOUR_MS, ends, own))
        low, middle, high = (_first(own <= 1 - share, ends) for share in QUANTILES)
        found.append(Lateness(min(max(p, 0.0), 1.0), (low, middle, high)))
    return found


def _first(holds: NDArray[np.bool_], ends: Array) -> int | None:
    n = int(holds.argmax())
    return int(ends[n]) if holds[n] else None


def _ahead(process: Process) -> Process:
    """A process as one foresees it. No fact can have told yet what is still to come, so nothing
    is announced; leaks keep a filter from being sure, they are nothing that happens."""
    stages = {
        name: stage.model_copy(update={"announced": []}) for name, stage in process.stages.items()
    }
    return process.model_copy(update={"stages": stages, "leak_per_h": 0.0})
