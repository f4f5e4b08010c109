"""Use case: what time alone makes true of stages, with no message arriving.

All that is told is looked at in bulk, roughly (float32, BLAS): that finds the few assets of which
something else would be told by now, and those are told anew, exactly, from their beliefs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tracker.chain import TICK_MS, Array, Chain
from tracker.filter import BASE, DIGITS, Powers, Silence, scaled
from tracker.inference import Inference
from tracker.process import LOST
from tracker.profile import silence

MOVED = 0.05  # a probability that has changed by so much is written down
NEARLY = 0.995  # of a threshold: the rough look may not miss what the exact one would find

Rows = NDArray[np.float32]


Ahead = tuple[Chain, Powers | Silence]
"""A process, and how assets of one profile go on unheard."""


class Waiting(NamedTuple):
    """What is told of some assets, a column each: the `stage`, how likely (`p`), how far the
    asset's clock is `behind` (ms), and what to predict from: the probabilities of the states
    (`posterior`, float32 as bytes) at a `tick`, and the number of the profile."""

    asset: Sequence[str] = ()
    stage: Sequence[str | None] = ()
    p: Sequence[float] = ()
    behind: Sequence[int] = ()
    tick: Sequence[int] = ()
    profile: Sequence[int] = ()
    posterior: Sequence[bytes] = ()


class Telling(NamedTuple):
    """A profile as it is stored: what is `heard` per hour (float64, states x states) of assets
    of a process, and what is where readers are `deaf`."""

    process: str
    tracked: bool
    heard: bytes
    deaf: bytes


class Foresight:
    """Predicts many assets at once, of the processes of an `inference`."""

    def __init__(self, inference: Inference) -> None:
        self._inference = inference
        self._chains: dict[tuple[str, bool], Chain] = {}
        self._ahead: dict[int, Ahead | None] = {}

    def due(self, waiting: Waiting, profiles: Mapping[int, Telling], now: int) -> list[str]:
        """The assets of which something else may be told at `now` (epoch ms)."""
        numbers = np.array(waiting.profile, dtype=np.int64)
        ticks = (now - np.array(waiting.behind, dtype=np.int64)) // TICK_MS
        ticks -= np.array(waiting.tick, dtype=np.int64)
        before = np.array(waiting.p)
        due = list[str]()
        for number in np.unique(numbers).tolist():
            known = self._known(number, profiles)
            if known is None:
                continue  # of a process that is no longer in use: it is to be folded again anyway
            alike = np.flatnonzero(numbers == number)
            chain, powers = known
            posterior = b"".join(map(waiting.posterior.__getitem__, alike.tolist()))
            rows = np.frombuffer(posterior, dtype=np.float32).reshape(-1, len(chain.states))
            stages = np.add.reduceat(predicted(powers, rows, ticks[alike]), chain.starts, axis=1)
            names = map(waiting.stage.__getitem__, alike.tolist())
            told = np.array([chain.number.get(name or "", -1) for name in names])
            changes = alike[_changes(chain, stages, told, before[alike])]
            due += map(waiting.asset.__getitem__, changes.tolist())
        return due

    def _known(self, profile: int, profiles: Mapping[int, Telling]) -> Ahead | None:
        if profile not in self._ahead:
            telling = profiles.get(profile)
            self._ahead[profile] = None if telling is None else self._made(telling)
        return self._ahead[profile]

    def _made(self, telling: Telling) -> Ahead | None:
        process = self._inference.processes.get(telling.process)
        if process is None:
            return None
        key = (telling.process, telling.tracked)
        chain = self._chains.get(key)
        if chain is None:
            chain = self._chains[key] = Chain(process, tracked=telling.tracked)
        heard, deaf = np.frombuffer(telling.heard), np.frombuffer(telling.deaf)
        if heard.size != chain.rates.size:
            return None
        shape, free = chain.rates.shape, Powers(chain.rates)
        return chain, silence(chain, heard.reshape(shape), deaf.reshape(shape), free)


def predicted(ahead: Powers | Silence, rows: Rows, ticks: NDArray[np.int64]) -> Rows:
    """Rows of probabilities after so many ticks each, without a mark: quickly, to about 1e-4.

    >>> powers = Powers(np.array([[-36.0, 36.0], [0.0, 0.0]]))
    >>> rows = np.array([[1.0, 0.0]], dtype=np.float32)
    >>> [round(float(p), 3) for p in predicted(powers, rows, np.array([10]))[0]]
    [0.368, 0.632]
    """
    left = np.clip(ticks, 0, BASE**DIGITS - 1)
    if isinstance(ahead, Silence):
        heard, logs = _gone(ahead.heard, rows, left)
        deaf, logs_deaf = _gone(ahead.deaf, rows, left)
        up, out = ahead.weights(left, logs, logs_deaf)
        return scaled(up[:, None] * heard + out[:, None] * deaf).astype(np.float32)
    made, _ = _gone(ahead, rows, left)
    return scaled(made).astype(np.float32)


def _gone(powers: Powers, rows: Rows, ticks: NDArray[np.int64]) -> tuple[Rows, Array]:
    """What is left of rows after their ticks, roughly, and the logarithm of the factor of each.
    Rows are scaled on the way: float32 ends at 1e-38."""
    made, logs, left = rows.copy(), np.zeros(len(rows)), ticks
    for place in range(DIGITS):
        digits, left = left % BASE, left // BASE
        for digit in np.unique(digits[digits > 0]).tolist():
            alike = np.flatnonzero(digits == digit)
            power = powers.power(place, digit)
            some = made[alike] @ power.matrix.astype(np.float32)
            sums = some.sum(axis=1, keepdims=True)
            made[alike] = some / sums
            logs[alike] += power.log + np.log(sums[:, 0], dtype=np.float64)
    return made, logs


def _changes(
    chain: Chain, stages: Rows, told: NDArray[np.int64], before: NDArray[np.float64]
) -> NDArray[np.bool_]:
    """Whether something else may be told at these probabilities of stages than what is."""
    thresholds = chain.process.thresholds
    needed = np.full(len(chain.stages), thresholds.switch)
    if LOST in chain.number:
        needed[chain.number[LOST]] = thresholds.lost
    best = stages.argmax(axis=1)
    p_best = stages[np.arange(len(stages)), best]
    own = np.where(told >= 0, stages[np.arange(len(stages)), told], p_best)
    switches = (best != told) & (p_best >= NEARLY * needed[best])
    fades = (told >= 0) & (best != told) & (own < thresholds.unknown / NEARLY)
    moved: NDArray[np.bool_] = switches | fades | (np.abs(own - before) > MOVED)
    return moved
