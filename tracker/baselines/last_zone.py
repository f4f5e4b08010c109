"""The last word counts: an asset is in the stage that its newest arrival names."""

from __future__ import annotations

from typing import NamedTuple

from tracker.baselines.hints import hint
from tracker.inference import Setting
from tracker.model import Observation


class LastZone(NamedTuple):
    """What the last observation that named a stage told."""

    told: str | None = None


def last_zone(known: LastZone | None, row: Observation, setting: Setting) -> LastZone:
    """What is told after one more observation."""
    known = known or LastZone()
    return LastZone(hint(row, setting, known.told) or known.told)
