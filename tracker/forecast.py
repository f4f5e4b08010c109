"""Many assets predicted to one time, together: the same bits as one by one, in less time.

How an asset goes on is looked up once after each of its observations, not at every time.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from tracker.chain import TICK_MS, Array
from tracker.evidence import NEVER
from tracker.filter import predict_each
from tracker.inference import Setting
from tracker.profile import Profile
from tracker.stage import Standing, predicted


class Outlook(NamedTuple):
    """A standing, and how its asset tells of itself from there up to an event time `until`."""

    standing: Standing
    setting: Setting
    profile: Profile
    until: int


def outlook(standing: Standing, setting: Setting) -> Outlook:
    """How a standing goes on."""
    case, evidence = setting
    since = standing.tick * TICK_MS
    until = min(evidence.cuts(case, standing.roles, since, NEVER), default=NEVER)
    return Outlook(standing, setting, evidence.profile(case, standing.roles, since), until)


def forecast(outlooks: Sequence[Outlook], ats: Sequence[int]) -> list[Array]:
    """The probabilities of stages (one row each) at an event time each: what
    `tracker.stage.predicted` says."""
    found: list[Array | None] = [None] * len(outlooks)
    together = defaultdict[Profile, list[int]](list)
    for n, (one, at) in enumerate(zip(outlooks, ats, strict=True)):
        case, evidence = one.setting
        if at <= one.until and one.standing.chain == evidence.chain.id:
            together[one.profile].append(n)
        else:
            p = predicted(one.standing, case, evidence, at)
            found[n] = evidence.chain.by_stage(p)
    for profile, alike in together.items():
        rows = np.concatenate([outlooks[n].standing.row() for n in alike])
        ticks = [ats[n] // TICK_MS - outlooks[n].standing.tick for n in alike]
        chain = outlooks[alike[0]].setting.evidence.chain
        stages = chain.by_stage(predict_each(profile.silent, rows, ticks))
        for k, n in enumerate(alike):
            found[n] = stages[k : k + 1]
    return [row for row in found if row is not None]
