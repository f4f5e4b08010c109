"""How fast lines really go: learned from what was told of those that have gone before. Pure.

A stage of mean `m` hours, by its process, ends `v / m` times an hour, where the speed `v` is to be
learned: of a stage with the customer for each part of the time by itself, else as a whole. In use,
parts are shares of the time that was agreed for the line, in a stage of any other kind of its mean;
and `m` is what the agreement leaves for the use, for who agrees on a time means it.

With `d` ends observed over `e` expected ones (hours / m), Poisson's likelihood is `v**d exp(-v e)`,
also where a stage goes on and its end is not known yet. The conjugate prior is a Gamma one, worth
PRIOR ends, with mean 1 for the whole and with the mean of the whole for a part:

    v = (PRIOR + d) / (PRIOR / mean + e)

(a piecewise exponential model: Ibrahim, Chen and Sinha, "Bayesian survival analysis", 2001, 3.1).
What comes next of a stage is learned likewise, but for losses: by Dirichlet's prior, also worth
PRIOR moves.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tracker.chain import Array, Chain
from tracker.leases import HOUR_MS, Line
from tracker.overdue import OUT, WITH_CUSTOMER, Entered, at_home
from tracker.process import LOST

EDGES = (0.25, 0.5, 0.7, 0.8, 0.9, 1.0, 1.1, 1.25, 1.5, 2.0)
"""Where parts end, as shares of the time that was agreed, or of a stage's mean."""
PARTS = len(EDGES) + 1
_ENDS = np.array([0.0, *EDGES, np.inf])
_MIDDLES = (np.array([0.0, *EDGES]) + np.array([*EDGES, 3.0])) / 2
RISES = 4 * _MIDDLES / (1 + 2 * _MIDDLES)
"""How fast the clock of a stage with the customer runs in each part, as far as nothing is known:
as if it lasted two equal times, each of them exponential, one after the other (Erlang): hardly
anything comes back at once."""
PRIOR, PRIOR_OF_PART = 3.0, 5.0  # ends
AT_LEAST = 0.25  # of it is left for the use, however long the way is


class Pace(NamedTuple):
    """How fast stages go, as a factor to what is planned: as a `whole` (stages), and `by_part`
    (parts x stages); and the shares of what comes `next` of each (stages x stages)."""

    whole: Array
    by_part: Array
    next: Array

    @classmethod
    def of(cls, chain: Chain) -> Pace:
        """As planned: nothing was learned."""
        return cls(np.ones(len(chain.stages)), rises(chain), _planned(chain))


def rises(chain: Chain) -> Array:
    """What speeds are as far as nothing is known (parts x stages)."""
    speeds = np.ones((PARTS, len(chain.stages)))
    speeds[:, [chain.number[name] for name in WITH_CUSTOMER if name in chain.number]] = RISES[
        :, None
    ]
    return speeds


class Spell(NamedTuple):
    """An asset was told to be in a stage while out on a line, from `since` until `until` (event
    times), when it went on `to` another one (None: as far as is known, it stays on)."""

    stage: str
    since: int
    until: int
    to: str | None


def spells(line: Line, entered: Iterable[Entered], now: int) -> list[Spell]:
    """In which stages an asset was while it was out on a line, until it was back or `now`. While
    none is told it is in the last one that was. What leads to a loss is no end: when it was lost
    nobody knows.

    >>> from datetime import date
    >>> line = Line("L1", "1", "A1", None, date(2026, 1, 1), date(2026, 1, 9), 10, 90)
    >>> told = [("outbound", 5), ("in_use", 20), (None, 60), ("return_transit", 80)]
    >>> [tuple(one) for one in spells(line, [Entered(*one) for one in told], 85)]
    ... # doctest: +NORMALIZE_WHITESPACE
    [('outbound', 10, 20, 'in_use'), ('in_use', 20, 80, 'return_transit'),
     ('return_transit', 80, 85, None)]
    """
    found, was, since = list[Spell](), "", 0
    for stage, at in entered:
        if stage is None or stage == was:
            continue
        if was in OUT and at > line.start_at:
            found.append(
                Spell(was, max(since, line.start_at), at, stage if stage != LOST else None)
            )
            if at_home(stage):
                return found
        was, since = stage, at
    if was in OUT and now > max(since, line.start_at):
        found.append(Spell(was, max(since, line.start_at), now, None))
    return found


def learned(chain: Chain, lines: Iterable[tuple[Line, Sequence[Spell]]]) -> Pace:
    """What spells on some lines tell of how fast stages go.

    >>> from datetime import date
    >>> from tracker.process import shipped
    >>> chain, day = Chain(shipped()["pallet-pool"], tracked=False), 24 * HOUR_MS
    >>> line = Line("L1", "1", "A1", None, date(2026, 1, 1), date(2026, 1, 26), 0, 26 * day)
    >>> pace = learned(chain, 20 * [(line, [Spell("return_transit", 0, day // 3, "received")])])
    >>> round(float(pace.whole[chain.number["return_transit"]]), 2)  # 8 hours, not 16
    1.77
    """
    ends = np.zeros((PARTS, len(chain.stages)))
    expected, moves = np.zeros_like(ends), np.zeros((len(chain.stages),) * 2)
    for line, some in lines:
        for one in some:
            if (n := chain.number.get(one.stage)) is None:
                continue
            hours, part = _hours(chain, line, one)
            expected[:, n] += hours
            if one.to is not None:
                ends[part, n] += 1
                moves[n, chain.number.get(one.to, n)] += 1
    shape = rises(chain)
    whole = _speed(PRIOR, 1.0, ends.sum(axis=0), (shape * expected).sum(axis=0))
    by_part = shape * _speed(PRIOR_OF_PART, whole, ends, shape * expected)
    return Pace(whole, by_part, _next(chain, moves))


def _hours(chain: Chain, line: Line, one: Spell) -> tuple[Array, int]:
    """How much of a spell lies in each part, as shares of the mean that is planned of the stage,
    and the part in which it ends."""
    if one.stage == WITH_CUSTOMER[0]:
        whole_h, zero = planned_h(line), line.start_at
        mean_h = float(in_use_h(chain, whole_h))
    else:
        whole_h = mean_h = chain.process.stages[one.stage].mean_h
        zero = one.since
    first, last = ((at - zero) / HOUR_MS / whole_h for at in (one.since, one.until))
    inside = np.minimum(last, _ENDS[1:]) - np.maximum(first, _ENDS[:-1])
    return np.maximum(inside, 0.0) * whole_h / mean_h, int(part_of(last))


def _next(chain: Chain, moves: Array) -> Array:
    """The shares of what comes next of each stage, after so many moves to each; those to what
    does not come next by the process were told wrongly."""
    planned = _planned(chain)
    lost = np.array([name == LOST for name in chain.stages])
    others = np.where(lost, 0.0, (planned > 0) * moves + PRIOR * planned)
    known = np.maximum(others.sum(axis=1), 1e-300)[:, None]
    left = 1 - planned[:, lost].sum(axis=1)[:, None]
    shares: Array = np.where(lost, planned, left * others / known)
    return shares


def _planned(chain: Chain) -> Array:
    """The shares of what comes next of each stage, by the process."""
    stages = chain.process.stages.values()
    return np.array([[stage.next.get(name, 0.0) for name in chain.stages] for stage in stages])


def _speed(prior: float, mean: ArrayLike, ends: Array, expected: Array) -> Array:
    speed: Array = (prior + ends) / (prior / np.asarray(mean) + expected)
    return speed


def planned_h(line: Line) -> float:
    """For how many hours a line was agreed, at least one."""
    return max((line.due_at - line.start_at) / HOUR_MS, 1.0)


def part_of(share: ArrayLike) -> NDArray[np.intp]:
    """The part in which a share of a time lies."""
    return np.searchsorted(EDGES, share, side="right")


def in_use_h(chain: Chain, planned_h: ArrayLike) -> NDArray[np.float64]:
    """How long the use lasts, hours, of a line for which so many were agreed: what the other
    stages with the customer and the way back leave of it."""
    planned, stages = np.asarray(planned_h, dtype=np.float64), chain.process.stages
    after = WITH_CUSTOMER[1]
    way = stages[OUT[-1]].mean_h if OUT[-1] in stages else 0.0
    if after in stages and WITH_CUSTOMER[0] in stages:
        way += stages[WITH_CUSTOMER[0]].next.get(after, 0.0) * stages[after].mean_h
    return np.maximum(planned - way, AT_LEAST * planned)
