"""`retour bench filter`: what a step of the filter costs, of one asset and of many together.

A step is a prediction over half an hour to two hours and the update by a mark, with a tracker
and readers. Beside it *bare*: one product of a matrix of that size, by BLAS.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from statistics import median
from typing import Any

import numpy as np

from tracker.chain import Chain
from tracker.filter import Powers, predict_each, scaled, update
from tracker.process import shipped
from tracker.profile import Profile

TOGETHER = 10_000
TIMES = 7
SINGLE = 2_000
SEED = 1


def bench_filter() -> dict[str, Any]:
    """Microseconds a step, medians of several rounds."""
    chain = Chain(next(iter(shipped().values())), tracked=True)
    width = len(chain.states)
    random = np.random.default_rng(SEED)
    reports = np.diag(np.linspace(0.1, 1.0, width))
    reads = np.diag(random.random(width) < 0.5) * 1.6
    profile = Profile(chain, reports + reads, reports, Powers(chain.rates))
    rows = scaled(random.random((TOGETHER, width)))
    ticks = random.integers(180, 720, TOGETHER).tolist()
    marks = random.random((TOGETHER, width))

    def together() -> None:
        update(predict_each(profile.silent, rows, ticks), marks)

    def single() -> None:
        for n in range(SINGLE):
            update(profile.silent.predict(rows[n : n + 1], ticks[n]), marks[n : n + 1])

    def bare() -> None:
        rows @ chain.rates

    return {
        "single_us": _us(single, SINGLE),
        "together_us": _us(together, TOGETHER),
        "bare_us": _us(bare, TOGETHER),
        "states": width,
    }


def _us(work: Callable[[], None], steps: int) -> float:
    work()  # what is made once is made
    rounds = []
    for _ in range(TIMES):
        began = time.perf_counter()
        work()
        rounds.append((time.perf_counter() - began) / steps * 1e6)
    return round(median(rounds), 2)
