"""A rule as people tune it: reads of two hours vote, the better they look like reads of the
reader's own zone the more; what a fence says has to hold for twelve hours. A business fact counts
at once."""

from __future__ import annotations

from collections import defaultdict
from typing import NamedTuple

from tracker.baselines.hints import hint
from tracker.inference import Setting
from tracker.model import Fact, Observation, Read
from tracker.stamps import HOUR
from tracker.watch import looks_own

WINDOW, DWELL = 2 * HOUR, 12 * HOUR
ENOUGH = 0.5  # of votes; a read that is surely of its own zone is one


class Vote(NamedTuple):
    """A read named a stage, with a weight of 0 to 1."""

    at: int
    stage: str
    weight: float


class Rule(NamedTuple):
    """What is told, the votes of the last two hours, and which other stage fences have named
    since when."""

    told: str | None = None
    votes: tuple[Vote, ...] = ()
    fenced: tuple[str, int] | None = None


def rule(known: Rule | None, row: Observation, setting: Setting) -> Rule:
    """What is told after one more observation."""
    known = known or Rule()
    stage = hint(row, setting, known.told)
    if stage is None:
        return known
    if isinstance(row.what, Fact):
        return Rule(stage)
    if isinstance(row.what, Read):
        weight = looks_own(row.what, setting.evidence.looks(row.device, row.at))
        return _voted(known, Vote(row.at, stage, weight))
    return _fenced(known, stage, row.at)


def _voted(known: Rule, vote: Vote) -> Rule:
    newest = max([vote.at, *(one.at for one in known.votes)])
    votes = tuple(one for one in (*known.votes, vote) if one.at > newest - WINDOW)
    weights = defaultdict[str, float](float)
    for one in votes:
        weights[one.stage] += one.weight
    if not weights:
        return known
    best = max(weights, key=lambda stage: weights[stage])
    wins = weights[best] >= ENOUGH and 2 * weights[best] > sum(weights.values())
    return Rule(best if wins else known.told, votes)


def _fenced(known: Rule, stage: str, at: int) -> Rule:
    if stage == known.told:
        return known._replace(fenced=None)
    since = known.fenced[1] if known.fenced is not None and known.fenced[0] == stage else at
    if known.told is None or at - since >= DWELL:
        return Rule(stage)
    return known._replace(fenced=(stage, since))
