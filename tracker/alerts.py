"""Alerts: one for each asset, lease line and rule, from the first sign until it is over. Pure.

An alert exists once. Its id tells what it is about and which episode of that it is; so whoever
works out the same twice, after a crash or beside another worker, finds it there already. What
happens to it are events with numbers, and those are what is delivered.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from hashlib import blake2b
from typing import Any, NamedTuple

import orjson

from tracker.leases import HOUR_MS

DAY_MS = 24 * HOUR_MS
REOPENED_MS = DAY_MS  # what comes back before is the same episode


class State(StrEnum):
    """What an alert is in."""

    OPEN = "open"
    ACKNOWLEDGED = "acknowledged"
    SNOOZED = "snoozed"
    RESOLVED = "resolved"
    RETRACTED = "retracted"


BY_HAND = "by hand"
GROUNDLESS = "no longer asked for"  # no rule in force, or no line, stands behind it any more
OVER = (State.RESOLVED, State.RETRACTED)


class Policy(NamedTuple):
    """How a rule becomes an alert: how severe it is; for how long (ms) it must hold before
    anybody hears of it, and for how long it must be gone; after how long the `levels` of its
    ladder come (ms since it has held) and how severe it is from the second one on (`escalate`; the
    last holds for all that follow); how often it is repeated until somebody acknowledges it (None:
    never)."""

    severity: str = "warning"
    hold_ms: int = 0
    clear_ms: int = 0
    levels: tuple[int, ...] = ()
    repeat_ms: int | None = None
    escalate: tuple[str, ...] = ()

    def severity_at(self, level: int) -> str:
        """How severe an alert is at a level; the first is 1.

        >>> [Policy("info", escalate=("warning",)).severity_at(level) for level in (0, 1, 2, 3)]
        ['info', 'info', 'warning', 'warning']
        """
        further = self.escalate[: max(level - 1, 0)]
        return further[-1] if further else self.severity


class Alert(NamedTuple):
    """An alert. `since` is from when on what it says has held, `opened` when it was told first;
    `gone` since when it no longer holds (None: it holds); `told` when somebody was last told."""

    asset: str
    lease: str | None
    line: str | None
    rule: str
    episode: int
    state: State
    severity: str
    level: int
    since: int
    opened: int
    changed: int
    told: int
    gone: int | None = None
    by: str | None = None
    until: int | None = None
    resolution: str | None = None
    why: Mapping[str, Any] = {}

    @property
    def id(self) -> str:
        """What names it for ever, made of what it is about.

        >>> Alert("A1", "L1", "1", "overdue", 2, State.OPEN, "warning", 1, 0, 0, 0, 0).id
        'al_ab813bd05f56400f9efe'
        """
        about = orjson.dumps([*self[:4], self.episode])
        return f"al_{blake2b(about, digest_size=10).hexdigest()}"

    @property
    def over(self) -> bool:
        return self.state in OVER


class Event(NamedTuple):
    """Something that happened to an alert: `opened`, `reopened`, `escalated`, `repeated`,
    `acknowledged`, `snoozed`, `woken`, `resolved`, `retracted` or `commented`."""

    alert: Alert
    kind: str
    at: int
    by: str | None = None
    note: str | None = None


class Subject(NamedTuple):
    """What an alert is about."""

    asset: str
    lease: str | None
    line: str | None
    rule: str


class Holding(NamedTuple):
    """That a rule holds `since` an event time, and why."""

    since: int
    why: Mapping[str, Any]


Step = tuple[Alert | None, list[Event]]


def step(
    alert: Alert | None, subject: Subject, holding: Holding | None, policy: Policy, now: int
) -> Step:
    """What becomes of an alert (None: there is none) by what holds at `now`, and what happened to
    it. The last episode of a subject is given, also where it is over."""
    if holding is None:
        return _rested(alert, now) if alert is None or alert.over else _gone(alert, policy, now)
    if alert is not None and alert.resolution == BY_HAND and alert.gone is None:
        return alert, []  # somebody has seen to it: it is told again when it comes again
    if alert is None or alert.over:
        if now < holding.since + policy.hold_ms:
            return alert, []
        return _opened(alert, subject, holding, policy, now)
    return _held(alert, holding, policy, now)


def _rested(alert: Alert | None, now: int) -> Step:
    if alert is not None and alert.gone is None:
        alert = alert._replace(gone=now)
    return alert, []


def _opened(
    before: Alert | None, subject: Subject, holding: Holding, policy: Policy, now: int
) -> Step:
    if before is not None and now - before.changed < REOPENED_MS:
        level = _level(max(before.since, holding.since), policy, now)
        if holding.since <= before.since:  # it is as it was, and not about another time
            level = max(level, before.level)
        again = before._replace(
            state=State.OPEN,
            severity=policy.severity_at(level),
            level=level,
            since=max(before.since, holding.since),
            changed=now,
            told=now,
            gone=None,
            by=None,
            until=None,
            resolution=None,
            why=holding.why,
        )
        return again, [Event(again, "reopened", now)]
    level, episode = _level(holding.since, policy, now), before.episode + 1 if before else 1
    severity = policy.severity_at(level)
    made = Alert(*subject, episode, State.OPEN, severity, level, holding.since, now, now, now)
    made = made._replace(why=holding.why)
    return made, [Event(made, "opened", now)]


def _held(alert: Alert, holding: Holding, policy: Policy, now: int) -> Step:
    events = list[Event]()
    level = max(_level(alert.since, policy, now), alert.level)
    is_higher, severity = level > alert.level, policy.severity_at(level)
    alert = alert._replace(gone=None, why=holding.why, level=level, severity=severity)
    if alert.state == State.SNOOZED and alert.until is not None and now >= alert.until:
        alert = alert._replace(state=State.OPEN, until=None, changed=now, told=now)
        events.append(Event(alert, "woken", now))
    if is_higher:
        alert = alert._replace(changed=now, told=now)
        events.append(Event(alert, "escalated", now))
    elif alert.state == State.OPEN and _is_to_be_repeated(alert, policy, now):
        alert = alert._replace(told=now)
        events.append(Event(alert, "repeated", now))
    return alert, events


def _is_to_be_repeated(alert: Alert, policy: Policy, now: int) -> bool:
    return policy.repeat_ms is not None and now >= alert.told + policy.repeat_ms


def _gone(alert: Alert, policy: Policy, now: int) -> Step:
    gone = now if alert.gone is None else alert.gone
    alert = alert._replace(gone=gone)
    if now < gone + policy.clear_ms:
        return alert, []
    return ended(alert, State.RESOLVED, "over", now)


def ended(alert: Alert, state: State, resolution: str, now: int, by: str | None = None) -> Step:
    """An alert that is over, and why."""
    made = alert._replace(state=state, resolution=resolution, changed=now, by=by, until=None)
    return made, [Event(made, str(state), now, by, resolution)]


def acknowledged(alert: Alert, by: str, now: int) -> Step:
    """Somebody has taken it on: it is no longer repeated."""
    made = alert._replace(state=State.ACKNOWLEDGED, by=by, changed=now, until=None)
    return made, [Event(made, "acknowledged", now, by)]


def snoozed(alert: Alert, by: str, until: int, now: int) -> Step:
    """Nobody wants to hear of it until a time."""
    made = alert._replace(state=State.SNOOZED, by=by, until=until, changed=now)
    return made, [Event(made, "snoozed", now, by)]


def _level(since: int, policy: Policy, now: int) -> int:
    return sum(now >= since + after for after in policy.levels)


def next_look(alert: Alert | None, holding: Holding | None, policy: Policy) -> int | None:
    """When time alone will change something of an alert, as long as what holds stays (None:
    never)."""
    if holding is None:
        if alert is None or alert.over or alert.gone is None:
            return None
        return alert.gone + policy.clear_ms
    if alert is None or alert.over:
        return holding.since + policy.hold_ms
    times = [alert.since + policy.levels[n] for n in range(alert.level, len(policy.levels))]
    if policy.repeat_ms is not None and alert.state == State.OPEN:
        times.append(alert.told + policy.repeat_ms)
    if alert.state == State.SNOOZED and alert.until is not None:
        times.append(alert.until)
    return min(times, default=None)
