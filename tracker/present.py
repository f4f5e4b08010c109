"""What is told of an asset's stage now: beliefs stand still between observations, time does not.

What was told last, and what time alone has made of it since, is history that the log does not
hold: it is kept beside the belief, and is no part of it.
"""

from __future__ import annotations

from typing import NamedTuple

from tracker.chain import TICK_MS, Array, Chain
from tracker.fold import Belief
from tracker.inference import Setting
from tracker.profile import Profile
from tracker.stage import Standing, Told, begin, predicted, tell


class Present(NamedTuple):
    """What is `told` of an asset, with the probability of the told stage (of the likeliest one,
    if none is) at the asset's time `at`. `path` is what its observations alone tell. The asset's
    clock is `behind` (ms): it is that of a recording."""

    asset: str
    class_: str
    site: str | None
    told: Told
    path: Told
    at: int
    behind: int


class Now(NamedTuple):
    """A present, with the probabilities of the stages (one row), the standing that it was
    predicted from, and how the asset tells of itself from here on."""

    present: Present
    stages: Array
    standing: Standing
    profile: Profile


def present(
    belief: Belief, setting: Setting, before: Present | None, now: int, behind: int = 0
) -> Now:
    """What is told of an asset at `now` (epoch ms), after what was told `before`. Where its
    observations tell something new since, that is what it goes on from."""
    standing, chain = known(belief), setting.evidence.chain
    at = max(now - behind, belief.at)
    stages = chain.by_stage(predicted(standing, setting.case, setting.evidence, at))
    told = told_at(standing, setting, _held(standing, before), belief.at, at, stages)
    p = float(stages[0, chain.number[told.stage]] if told.stage else stages.max())
    made = Present(
        belief.asset,
        setting.case.asset.class_,
        belief.whereabouts.site,
        told._replace(p=p),
        standing.told,
        at,
        behind,
    )
    profile = setting.evidence.profile(setting.case, standing.roles, at)
    return Now(made, stages, standing, profile)


def unseen(setting: Setting, before: Present | None, now: int) -> Now | None:
    """What is told of an asset that nothing has been observed of, after what was told `before`:
    its initial stage, if it is known; else nothing."""
    case, evidence = setting
    standing = begin(evidence, case, now)
    if standing.told.stage is None:
        return None
    asset, told = case.asset, standing.told
    if before is not None and before.told.stage == told.stage:
        told = told._replace(since=before.told.since)
    made = Present(asset.id, asset.class_, None, told, told, now, 0)
    profile = evidence.profile(case, standing.roles, now)
    return Now(made, evidence.chain.by_stage(standing.row()), standing, profile)


def told_next(
    standing: Standing, before: Present | None, stages: Array, chain: Chain, at: int
) -> Told:
    """What is told where stages have these probabilities (one row), after what was told."""
    return tell(_held(standing, before), stages, chain, at)


def _held(standing: Standing, before: Present | None) -> Told:
    """What is told until something else is."""
    return before.told if before is not None and before.path == standing.told else standing.told


def told_at(
    standing: Standing, setting: Setting, held: Told, since: int, at: int, stages: Array
) -> Told:
    """What is told at a time, at probabilities of stages (one row), where something was `held` at
    `since`, the last observation. What time alone tells is told since it has become true, not
    since somebody looked: that is found by halving."""
    (case, evidence), chain = setting, setting.evidence.chain
    found = tell(held, stages, chain, at)
    if found is held:
        return held
    before, tick = since // TICK_MS, at // TICK_MS
    while tick - before > 1:
        middle = (before + tick) // 2
        q = chain.by_stage(predicted(standing, case, evidence, middle * TICK_MS))
        if tell(held, q, chain, middle * TICK_MS).stage == found.stage:
            tick = middle
        else:
            before = middle
    return found._replace(since=max(tick * TICK_MS, since))


def known(belief: Belief) -> Standing:
    """What is known of the stage of an asset whose belief was folded."""
    assert belief.standing is not None  # the fold makes one of the first observation
    return belief.standing
