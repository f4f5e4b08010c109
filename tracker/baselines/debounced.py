"""Two of three: an asset is in the stage that two of its last three arrivals name. A business
fact counts at once."""

from __future__ import annotations

from typing import NamedTuple

from tracker.baselines.hints import hint
from tracker.inference import Setting
from tracker.model import Fact, Observation

OF, NEEDED = 3, 2


class Debounced(NamedTuple):
    """What is told, and the stages that were named last."""

    told: str | None = None
    named: tuple[str, ...] = ()


def debounced(known: Debounced | None, row: Observation, setting: Setting) -> Debounced:
    """What is told after one more observation."""
    known = known or Debounced()
    stage = hint(row, setting, known.told)
    if stage is None:
        return known
    if isinstance(row.what, Fact):
        return Debounced(stage)
    named = (*known.named, stage)[-OF:]
    return Debounced(stage if named.count(stage) >= NEEDED else known.told, named)
