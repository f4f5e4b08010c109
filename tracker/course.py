"""The course of an asset's stages: what was believed on the way, time after time. Pure.

Beliefs are stored where something was observed; between, and of the past, they are found again
from the log. Each is what was known by then of what had happened by then.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain as chained
from typing import NamedTuple

from tracker.chain import Array
from tracker.inference import Setting
from tracker.model import Observation
from tracker.stage import Standing, Told, begin, predicted, step, tell


class Sample(NamedTuple):
    """What is believed of an asset at an event time: the probabilities of the stages (one row),
    and what is told. `observed`: how many observations there were since the sample before."""

    at: int
    stages: Array
    told: Told
    observed: int


def course(
    history: Iterable[Observation],
    setting: Setting,
    since: int,
    until: int,
    every: int,
    known: Standing | None = None,
) -> Iterator[Sample]:
    """What is believed from `since` to `until`, every so many milliseconds, and where an
    observation makes something else be told. `history` is in (event time, key) order and goes on
    from what is `known` (None: it is whole).

    >>> from tracker.inference import bare
    >>> from tracker.layout import EMPTY
    >>> samples = course([], bare("A1", EMPTY), 0, 7_200_000, 3_600_000)
    >>> [(one.at, one.told.stage) for one in samples]
    [(0, None), (3600000, None), (7200000, None)]
    """
    case, evidence = setting
    chain = evidence.chain
    rows = iter(history)
    row = next(rows, None)
    if known is None:
        known = begin(evidence, case, since if row is None else row.at)
    told, path, observed = known.told, known.told, 0
    for at in chained(range(since, until, every), [until]):
        while row is not None and row.at <= at:
            known, _ = step(known, row, case, evidence)
            before, q = told, chain.by_stage(known.row())
            # Time alone may have told something else meanwhile; what is observed goes before it.
            told = tell(told if known.told == path else known.told, q, chain, row.at)
            path, observed = known.told, observed + 1
            if told.stage != before.stage and row.at >= since:
                yield Sample(row.at, q, told, observed)
                observed = 0
            row = next(rows, None)
        q = chain.by_stage(predicted(known, case, evidence, at))
        told = tell(told, q, chain, at)
        yield Sample(at, q, told, observed)
        observed = 0
