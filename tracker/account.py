"""Why a stage is believed: what moved the odds, kept as sums while the beliefs go on.

For each sort of evidence the changes of `ln p(stage)` are added up, for every stage. So for any
two stages the difference of the sums is what that evidence did to the odds between them, and all
of it together, with what stood before, is the odds themselves: exactly, for the sums telescope.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from tracker.chain import Array

LINES_AT_MOST = 12
SILENCE, DWELL = "silence", "dwell"


class Line(NamedTuple):
    """A sort of evidence: `kind` and of `what`, how `often` it came, first and last when (epoch
    ms)."""

    kind: str
    what: str
    often: int
    first: int
    last: int


class Account(NamedTuple):
    """What moved the odds since the account was opened: `lines`, and `sums` (float64 as bytes),
    a row of stages for what stood before, then one for each line."""

    sums: bytes
    lines: tuple[Line, ...] = ()


class Change(NamedTuple):
    """What an event did: of what `kind` and `what` it was, and the probabilities of stages before
    and after it (one row each)."""

    kind: str
    what: str
    before: Array
    after: Array


class Reason(NamedTuple):
    """What one sort of evidence did to the log-odds (`weight`) of a stage against another."""

    kind: str
    what: str
    often: int
    first: int
    last: int
    weight: float


class Explained(NamedTuple):
    """Why `stage` is believed rather than `instead`: `before` and the weights of all `reasons`
    sum to `total`, the log-odds between them. The weightiest reasons come first."""

    stage: str
    instead: str
    total: float
    before: float
    reasons: list[Reason]


def opened(q: Array) -> Account:
    """A new account, at these probabilities of stages (one row)."""
    return Account(_logs(q).tobytes())


def booked(account: Account, changes: Sequence[Change], at: int) -> Account:
    """The account after some changes at an event time."""
    if not changes:
        return account
    lines = list(account.lines)
    width = changes[0].before.shape[1]
    sums = list(np.frombuffer(account.sums).reshape(-1, width))
    logs = _logs(np.concatenate([one for change in changes for one in change[2:]]))
    moved = logs[1::2] - logs[::2]
    for change, more in zip(changes, moved, strict=True):
        n = _place(lines, change)
        if n < len(lines):
            lines[n] = lines[n]._replace(often=lines[n].often + 1, last=at)
            sums[n + 1] = sums[n + 1] + more
        else:
            lines.append(Line(change.kind, change.what, 1, at, at))
            sums.append(more)
    if len(lines) > LINES_AT_MOST:
        oldest = min(range(len(lines)), key=lambda n: lines[n].last)
        del lines[oldest]
        sums[0] = sums[0] + sums.pop(oldest + 1)
    return Account(np.concatenate(sums).tobytes(), tuple(lines))


def _place(lines: Sequence[Line], change: Change) -> int:
    for n, line in enumerate(lines):
        if line.kind == change.kind and line.what == change.what:
            return n
    return len(lines)


def explained(account: Account, stages: Sequence[str], stage: int, instead: int) -> Explained:
    """What made `stage` likelier than `instead` (their numbers among `stages`).

    >>> account = opened(np.array([[0.5, 0.5]]))
    >>> read = Change("read", "z1", np.array([[0.5, 0.5]]), np.array([[0.8, 0.2]]))
    >>> why = explained(booked(account, [read], 0), ["repair", "ready"], 0, 1)
    >>> round(why.total, 3), [(one.kind, round(one.weight, 3)) for one in why.reasons]
    (1.386, [('read', 1.386)])
    """
    sums = np.frombuffer(account.sums).reshape(-1, len(stages))
    before, *weights = (sums[:, stage] - sums[:, instead]).tolist()
    found = zip(account.lines, weights, strict=True)
    reasons = [Reason(*line, weight) for line, weight in found]
    reasons.sort(key=lambda reason: -abs(reason.weight))
    return Explained(stages[stage], stages[instead], before + sum(weights), before, reasons)


def _logs(q: Array) -> Array:
    logs: Array = np.log(np.maximum(q, 1e-300))
    return logs
