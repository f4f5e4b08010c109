"""A process as a Markov chain in continuous time: its states, its rates, its facts as kernels.

A state is a part of a stage, with the tracker on the asset up or down where it has one. States
of a stage stand together, so that stages are sums over slices.
"""

from __future__ import annotations

from functools import cached_property
from itertools import accumulate
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tracker.process import LOST, At, FactRule, Process, Stage, digest

Array = NDArray[np.float64]

TICK_MS = 10_000
TICKS_PER_H = 360.0
ANNOUNCED = 0.05  # of its rate: a branch that a fact usually tells of
BELIEVED, STAYED = 0.97, 0.03  # what a fact moves and leaves of the stages it plausibly follows
DOUBTED, RESISTED = 0.01, 0.002  # and of the others
LEAVING = 0.95
INITIAL = 0.98  # of what is known of the first stage
GONE_ON = 0.9  # of the rest: what has gone on to the next stages already
FASTEST_PER_H = 1e6  # at which a stage ends
RARELY = 1e-3  # what a process says never happens
ENDED_H = 24.0  # how long the flow's ends count among unknown first stages


class State(NamedTuple):
    """A state of the chain: the number of its stage, the part of it, where the asset is then,
    how likely its tracker has a fix and says that it moves, and whether it is up."""

    stage: int
    part: str
    at: At
    fix: float
    moving: float
    up: bool


class Chain:
    """A process, compiled; `tracked` assets have a tracker that may be up or down.

    `rates` (states x states, per hour, rows sum to 0) holds the moves, `enter` (stages x states)
    where a stage begins. `id` tells chains with other figures apart.

    >>> from tracker.process import shipped
    >>> chain = Chain(shipped()["pallet-pool"], tracked=False)
    >>> len(chain.stages), len(chain.states), chain.states[1][1:3]
    (14, 19, ('dock', 'depot'))
    >>> dwell = chain.mean_dwell_h()
    >>> round(dwell[chain.stages.index("outbound")], 6)
    12.0
    """

    def __init__(self, process: Process, *, tracked: bool) -> None:
        self.process = process
        self.tracked = tracked
        self.id = f"{process.process}@{digest(process)}{'+' if tracked else ''}"
        self.stages = list(process.stages)
        self.number = {name: n for n, name in enumerate(self.stages)}
        self.states = [
            State(
                n,
                part,
                sub.at,
                _unsure(process.gps.p_fix(sub.at) if sub.fix is None else sub.fix),
                _unsure(process.gps.p_moving(sub.at) if sub.moving is None else sub.moving),
                up,
            )
            for n, stage in enumerate(process.stages.values())
            for part, sub in stage.parts().items()
            for up in ((True, False) if tracked else (True,))
        ]
        parts = [len(stage.parts()) for stage in process.stages.values()]
        width = 2 if tracked else 1
        self.starts = [0, *accumulate(width * n for n in parts)][:-1]
        self.enter = self._with_tracker(_entries(process))
        self.rates: Array = self._rates()
        self._starts: dict[str | None, Array] = {}

    def _rates(self) -> Array:
        stages = _generator(self.process)
        if not self.tracked:
            return stages
        share, mean_h = self.process.tracker.down_share, self.process.tracker.down_mean_h
        up = share / (1 - share) / mean_h
        tracker = np.array([[-up, up], [1 / mean_h, -1 / mean_h]])
        moves, fails = np.kron(stages, np.eye(2)), np.kron(np.eye(len(stages)), tracker)
        return np.asarray(moves + fails, dtype=np.float64)

    def _with_tracker(self, rows: Array) -> Array:
        if not self.tracked:
            return rows
        share = self.process.tracker.down_share
        return np.kron(rows, np.array([[1 - share, share]]))

    def start(self, stage: str | None) -> Array:
        """What is believed before the first observation (one row): of a known initial stage
        .98, the rest mostly in what comes next of it; of an unknown one, as the chain is in the
        long run of a return."""
        known = stage if stage in self.number else None
        if known not in self._starts:
            self._starts[known] = self._start(known)
            self._starts[known].setflags(write=False)
        return self._starts[known]

    def _start(self, stage: str | None) -> Array:
        if stage is not None:
            weights = self._about(self.number[stage])
        else:
            weights = _visits(self.process) * [
                stage.mean_h if stage.next else ENDED_H for stage in self.process.stages.values()
            ]
            weights /= weights.sum()
        return np.ascontiguousarray((weights @ self.enter)[None, :])

    def _about(self, known: int) -> Array:
        """The weights of stages where one is known: who says so may be a little late, and the
        asset gone on, rather than wrong altogether."""
        rest = np.full(len(self.stages), 1 - GONE_ON)
        rest[known] = 0.0
        rest /= len(self.stages) - 1
        for name, share in self.process.stages[self.stages[known]].next.items():
            rest[self.number[name]] += GONE_ON * share
        weights: Array = (1 - INITIAL) * rest / rest.sum()
        weights[known] = INITIAL
        return weights

    def by_stage(self, p: Array) -> Array:
        """The probabilities of stages, of rows of probabilities of states."""
        summed: Array = np.add.reduceat(p, self.starts, axis=1)
        return summed

    def mean_dwell_h(self) -> list[float]:
        """How long each stage lasts on average, hours, without what is announced or leaks."""
        return [_dwell_h(stage, _exit_rate(stage)) for stage in self.process.stages.values()]

    @cached_property
    def _kernels(self) -> dict[tuple[str, str | None], Array]:
        return {}

    def kernel(self, kind: str, told: str | None) -> Array | None:
        """What a fact does to a row of probabilities: multiply it from the right, then scale to
        1. `told` is the stage that the fact names. None: it moves nothing."""
        rule = self.process.facts.get(kind)  # type: ignore[call-overload]  # any text may be asked
        if rule is None:
            return None
        key = (kind, told)
        if key not in self._kernels:
            self._kernels[key] = self._kernel_of(rule, told)
        return self._kernels[key]

    def _kernel_of(self, rule: FactRule, told: str | None) -> Array:
        to = rule.to if rule.to is None or rule.to in self.number else told
        if rule.leaves is not None:
            left = rule.leaves if rule.leaves in self.number else told
            return self._leaving(left, to)
        if to not in self.number:
            return np.eye(len(self.states))
        plausible = [self.number[name] for name in (*rule.from_, to)]
        believed = np.array([state.stage in plausible for state in self.states])
        moved = np.where(believed, BELIEVED, DOUBTED)
        stayed = np.where(believed, STAYED, RESISTED)
        target = self.number[to]
        kernel = np.diag(stayed) + moved[:, None] * self.entered(target)
        here = [n for n, state in enumerate(self.states) if state.stage == target]
        kernel[here] = np.eye(len(self.states))[here]
        return np.ascontiguousarray(kernel)

    def _leaving(self, left: str | None, to: str | None) -> Array:
        kernel = np.eye(len(self.states))
        if left not in self.number:
            return kernel
        after = {to: 1.0} if to in self.number else self.process.stages[left].next
        target = sum(
            (share * self.entered(self.number[name]) for name, share in after.items() if name),
            np.zeros_like(kernel),
        )
        for n, state in enumerate(self.states):
            if state.stage == self.number[left] and after:
                kernel[n] = (1 - LEAVING) * kernel[n] + LEAVING * target[n]
        return np.ascontiguousarray(kernel)

    def entered(self, stage: int) -> Array:
        """Where each state enters a stage (states x states); the tracker stays as it is."""
        if not self.tracked:
            return np.tile(self.enter[stage], (len(self.states), 1))
        place = self.enter[stage].reshape(-1, 2).sum(axis=1)
        up = np.kron(place, [1.0, 0.0])
        down = np.kron(place, [0.0, 1.0])
        return np.array([up if state.up else down for state in self.states])


def _unsure(share: float) -> float:
    """A probability that a single report cannot refute for good."""
    return min(max(share, RARELY), 1 - RARELY)


def _entries(process: Process) -> Array:
    """Where each stage begins (stages x states)."""
    rows = []
    for stage in process.stages.values():
        parts = list(stage.parts().values())
        given = any(part.enter is not None for part in parts)
        first = [1.0] + [0.0] * (len(parts) - 1)
        rows.append([part.enter or 0.0 for part in parts] if given else first)
    entries = np.zeros((len(rows), sum(map(len, rows))))
    at = 0
    for n, row in enumerate(rows):
        entries[n, at : at + len(row)] = row
        at += len(row)
    return entries


def _generator(process: Process) -> Array:
    """The rates between the states, per hour."""
    enter = _entries(process)
    rates = np.zeros((enter.shape[1],) * 2)
    at = 0
    for n, stage in enumerate(process.stages.values()):
        size = len(stage.parts())
        rates[at : at + size, at : at + size] = _within(stage)
        scale = _exit_rate(stage)
        ahead = _ahead(process, stage) @ enter
        elsewhere = np.array([k not in (n, _lost(process)) for k in range(len(enter))])
        leak = process.leak_per_h * elsewhere / max(1, elsewhere.sum()) @ enter
        for k, part in enumerate(stage.parts().values()):
            rates[at + k] += scale * part.exit * ahead + leak
        at += size
    np.fill_diagonal(rates, 0.0)
    np.fill_diagonal(rates, -rates.sum(axis=1))
    return rates


def _lost(process: Process) -> int:
    """The place of `lost` among a process's stages; -1 where it has none."""
    return next((n for n, name in enumerate(process.stages) if name == LOST), -1)


def _ahead(process: Process, stage: Stage) -> Array:
    """What comes after a stage (one row over stages)."""
    return np.array(
        [
            stage.next.get(name, 0.0) * (ANNOUNCED if name in stage.announced else 1.0)
            for name in process.stages
        ]
    )


def _within(stage: Stage) -> Array:
    """The rates between the parts of a stage, per hour."""
    names = list(stage.parts())
    rates = np.zeros((len(names), len(names)))
    for n, part in enumerate(stage.parts().values()):
        for other, mean_h in part.to.items():
            rates[n, names.index(other)] = 1 / mean_h
    return rates


def _dwell_h(stage: Stage, scale: float) -> float:
    """How long a stage lasts on average if it ends at `scale` times each part's `exit`."""
    if scale == 0:
        return float("inf")
    within = _within(stage)
    parts = list(stage.parts().values())
    out = scale * np.array([part.exit for part in parts])
    generator = within - np.diag(within.sum(axis=1) + out)
    given = any(part.enter is not None for part in parts)
    first = [1.0] + [0.0] * (len(parts) - 1)
    enter = np.array([part.enter or 0.0 for part in parts] if given else first)
    return float(enter @ np.linalg.solve(-generator, np.ones(len(parts))))


def shortest_h(stage: Stage) -> float:
    """How long a stage lasts on average, hours, that ends as soon as it can: a part whose `exit`
    is 0 must first be left for another.

    >>> from tracker.process import Sub
    >>> parts = {"hub": Sub(at="hub", to={"road": 5}, exit=0), "road": Sub(at="road")}
    >>> round(shortest_h(Stage(mean_h=1, next={"ready": 1}, sub=parts)), 3)
    5.0
    """
    return _dwell_h(stage, FASTEST_PER_H) if stage.next else 0.0


def _exit_rate(stage: Stage) -> float:
    """The rate, per hour and unit of `exit`, at which a stage ends such that it lasts `mean_h`
    on average. Found by bisection: the dwell falls as the rate grows. 0: it never ends."""
    if not stage.next:
        return 0.0
    low, high = 0.0, 1.0
    while _dwell_h(stage, high) > stage.mean_h:
        low, high = high, 2 * high
        if high > FASTEST_PER_H:  # the parts alone take longer than the whole
            return high
    for _ in range(80):
        middle = (low + high) / 2
        if _dwell_h(stage, middle) > stage.mean_h:
            low = middle
        else:
            high = middle
    return high


def _visits(process: Process) -> Array:
    """How often each stage is passed on a way from the first one on, until the first one comes
    again or the flow ends."""
    names = list(process.stages)
    moves = np.array([[s.next.get(name, 0.0) for name in names] for s in process.stages.values()])
    moves[:, 0] = 0.0
    start = np.eye(len(names))[0]
    visits = np.linalg.solve(np.eye(len(names)) - 0.999 * moves.T, start)
    return np.maximum(visits, 1e-3)
