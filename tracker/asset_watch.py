"""What becomes of the alerts about an asset itself, by the rules that are in force. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from tracker.alerts import DAY_MS, Alert, Holding, Policy, Subject, next_look, step
from tracker.conditions import AssetLook, holds, next_time
from tracker.leases import HOUR_MS
from tracker.reconcile import Assessed
from tracker.rule_kinds import AssetRule, EndOfLife, LostRising, Silence, Temperature
from tracker.rules import Rules, policy_of

RISING_EVERY_MS = HOUR_MS  # a probability changes with time as nothing else does
# Nobody is called when that is over.
AGAIN_MS = {Temperature: HOUR_MS // 4, Silence: HOUR_MS, EndOfLife: DAY_MS}


class Watched(NamedTuple):
    """A rule about assets, and how it becomes an alert."""

    rule: AssetRule
    policy: Policy


def watched(rules: Rules) -> list[Watched]:
    """The rules about assets that are in force."""
    return [Watched(rule, policy_of(rule)) for rule in rules.assets()]


def watch(
    asset: str,
    look: AssetLook,
    alerts: Mapping[Subject, Alert],
    held: Mapping[str, int],
    rules: Sequence[Watched],
) -> Assessed:
    """Look at an asset by some rules. `alerts` are the last ones about each subject, `held` tells
    since when what is not an alert yet has held."""
    found = Assessed([], [], {}, None)
    times = list[int]()
    for rule, policy in rules:
        subject = Subject(asset, None, None, rule.id)
        alert = alerts.get(subject)
        before = _before(alert, held.get(rule.id))
        holding = holds(rule, look, before)
        after, events = step(alert, subject, holding, policy, look.now)
        if after is not None and after != alert:
            found.alerts.append(after)
        found.events.extend(events)
        if holding is not None:
            found.held[rule.id] = holding.since
        due = (next_look(after, holding, policy), next_time(rule, look, before))
        times += [at for at in due if at is not None]
        if isinstance(rule, LostRising):
            times.append(look.now + RISING_EVERY_MS)
        if holding is not None and type(rule) in AGAIN_MS:
            times.append(look.now + AGAIN_MS[type(rule)])
    return found._replace(next_at=min(times, default=None))


def _before(alert: Alert | None, since: int | None) -> Holding | None:
    """What was found at the last look."""
    if alert is not None and not alert.over and alert.gone is None:
        return Holding(alert.since, alert.why)
    return Holding(since, {}) if since is not None else None
