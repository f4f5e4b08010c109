"""The smoother: the likeliest stage at every time, given all that was ever observed, also
afterwards. Nobody can tell so much as it happens: it bounds what the filter can reach.

Forwards as the filter, then backwards over the same moves: where `a` is what was believed by a
time, and `b` how likely all that came afterwards is from each state, the probabilities are
proportional to `a * b` (the forward-backward algorithm; Rabiner, "A tutorial on hidden Markov
models", 1989).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np

from tracker.case import Roles
from tracker.chain import TICK_MS, Array
from tracker.filter import scaled, turn, update
from tracker.inference import Setting
from tracker.model import Observation
from tracker.stage import Move, Standing, Went, begin, moves_until, traced

STRIDE = 180  # ticks: half an hour; what changes in between is told at its end


class Smoothed(NamedTuple):
    """From an event time on, these are the probabilities of stages and of states (one row each),
    and the asset's sites."""

    at: int
    stages: Array
    states: Array
    roles: Roles


def smoothed(
    history: Iterable[Observation], setting: Setting, since: int, until: int
) -> list[Smoothed]:
    """What a history, in (event time, key) order, tells of an asset from `since` up to `until`:
    at its observations and every half hour.

    >>> from tracker.inference import bare
    >>> from tracker.layout import EMPTY
    >>> points = smoothed([], bare("A1", EMPTY), 0, 7_200_000)
    >>> [point.at // 60_000 for point in points]
    [0, 30, 60, 90, 120]
    """
    start = begin(setting.evidence, setting.case, since)
    taken = list(_strides(_moves(start, history, setting, until)))
    moves, roles = [move for move, _ in taken], [start.roles, *(after for _, after in taken)]
    chain = setting.evidence.chain
    believed = [start.row()]
    ticks = [since // TICK_MS]
    for move in moves:
        believed.append(_after(believed[-1], move))
        ticks.append(ticks[-1] + (move.ticks if isinstance(move, Went) else 0))
    ahead = np.ones_like(believed[0])
    points = list[Smoothed]()
    for n in range(len(moves), -1, -1):
        if n == len(moves) or ticks[n] != ticks[n + 1]:  # else more is known at that moment
            p = scaled(believed[n] * ahead)
            points.append(Smoothed(ticks[n] * TICK_MS, chain.by_stage(p), p, roles[n]))
        if n > 0:
            ahead = _before(ahead, moves[n - 1])
    return points[::-1]


Step = tuple[Move, Roles]
"""A move, and the asset's sites after it."""


def _moves(
    known: Standing, history: Iterable[Observation], setting: Setting, until: int
) -> Iterator[Step]:
    case, evidence = setting
    for row in history:
        before = known.roles
        known, moves = traced(known, row, case, evidence)
        yield from ((m, before if isinstance(m, Went) else known.roles) for m in moves)
    yield from ((move, known.roles) for move in moves_until(known, case, evidence, until))


def _strides(steps: Iterable[Step]) -> Iterator[Step]:
    """The same moves, none longer than a stride."""
    for move, roles in steps:
        if isinstance(move, Went):
            whole, rest = divmod(move.ticks, STRIDE)
            yield from [(Went(STRIDE, move.profile), roles)] * whole
            if rest:
                yield Went(rest, move.profile), roles
        else:
            yield move, roles


def _after(p: Array, move: Move) -> Array:
    if isinstance(move, Went):
        return move.profile.silent.predict(p, move.ticks)
    return update(p, move) if len(move) == 1 else turn(p, move)


def _before(b: Array, move: Move) -> Array:
    if isinstance(move, Went):
        return move.profile.silent.look_back(b, move.ticks)
    return scaled(b * move if len(move) == 1 else np.einsum("ij,bj->bi", move, b))
