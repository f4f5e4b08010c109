"""What becomes of the alerts that a line will likely be late, before it is. Pure.

The forecast is worked out at the moments of the rule's ladder and some times a day, not at every
look: it changes slowly, and costs some milliseconds.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from tracker.alerts import Alert, Event, Holding, Policy, State, Subject, ended, next_look, step
from tracker.leases import HOUR_MS, Lease, Line
from tracker.reconcile import Assessed
from tracker.rule_kinds import LateForecast
from tracker.rules import Rules, policy_of

EVERY_MS = 6 * HOUR_MS
LESS = 0.1  # by which a forecast must fall below the rule's for the alert to be over
FELL_DUE, EXTENDED = "fell due", "extended"


class Foreseen(NamedTuple):
    """How likely a line comes back late, and when it is probably back (epoch ms; None: beyond
    sight)."""

    p: float
    back: int | None


class Forewarning(NamedTuple):
    """A rule about forecasts, and how it becomes an alert."""

    rule: LateForecast
    policy: Policy


class Course(NamedTuple):
    """A line, and how it is `over` (None: it is under way)."""

    lease: Lease
    line: Line
    over: str | None

    @property
    def deadline(self) -> int:
        """When it is late."""
        return self.line.due_at + self.lease.grace_ms


class Known(NamedTuple):
    """What is known of an asset's lines at `now`: its class, the lines, the last alert about each
    subject, since when conditions hold, and what is foreseen of the lines whose time it was, by
    their names."""

    asset: str
    class_: str
    now: int
    lines: Sequence[Course]
    alerts: Mapping[Subject, Alert]
    held: Mapping[str, int]
    foreseen: Mapping[str, Foreseen]


def forewarnings(rules: Rules) -> list[Forewarning]:
    """The rules about forecasts that are in force."""
    found = (rule for rule in rules.lines() if isinstance(rule, LateForecast))
    return [Forewarning(rule, policy_of(rule)) for rule in found]


def is_to_be_foreseen(
    one: Course, held: Mapping[str, int], now: int, rules: Sequence[Forewarning]
) -> bool:
    """Whether it is time to foresee when a line will be back."""
    past = [moment for moment in _moments(one, rules) if moment <= now]
    if one.over is not None or not past or now >= one.deadline:
        return False
    last = held.get(_name(one))
    return last is None or last < max(past) or now >= last + EVERY_MS


def forewarn(known: Known, rules: Sequence[Forewarning]) -> Assessed:
    """Look at the forecasts of an asset's lines."""
    found, times = Assessed([], [], {}, None), list[int]()
    for one in known.lines:
        if one.over is None and known.now < one.deadline:
            times += _times(one, known, rules, found.held)
        for rule, policy in rules:
            subject = Subject(known.asset, one.lease.id, one.line.id, rule.id)
            alert = known.alerts.get(subject)
            if not rule.concerns(known.class_, one.lease.sites):
                continue
            after, events, due = _one(alert, subject, one, rule, policy, known)
            if after is not None and after != alert:
                found.alerts.append(after)
            found.events.extend(events)
            times += [] if due is None else [due]
    return found._replace(next_at=min(times, default=None))


def _one(
    alert: Alert | None,
    subject: Subject,
    one: Course,
    rule: LateForecast,
    policy: Policy,
    known: Known,
) -> tuple[Alert | None, list[Event], int | None]:
    """What becomes of an alert, and when time alone changes something of it."""
    now, foreseen = known.now, known.foreseen.get(one.line.name)
    is_open = alert is not None and not alert.over
    over = one.over or (FELL_DUE if now >= one.deadline else None)
    over = over or (EXTENDED if now < rule.begins(one.deadline) else None)
    if alert is not None and is_open and over is not None:
        return *ended(alert, State.RESOLVED, over, now), None
    if over is not None:  # what comes after it is another time, also where a person resolved it
        return *step(alert, subject, None, policy, now), None
    if foreseen is None and not is_open:
        return alert, [], None
    if foreseen is not None:
        holding = _holding(foreseen, one, rule, LESS if is_open else 0.0)
    else:
        holding = Holding(alert.since, alert.why) if alert is not None else None
    after, events = step(alert, subject, holding, policy, now)
    return after, events, next_look(after, holding, policy)


def _holding(foreseen: Foreseen, one: Course, rule: LateForecast, less: float) -> Holding | None:
    if foreseen.p < rule.p - less:
        return None
    why = {"p": foreseen.p, "due": one.line.due_at, "deadline": one.deadline}
    return Holding(rule.begins(one.deadline), why | {"expected": foreseen.back})


def _times(
    one: Course, known: Known, rules: Sequence[Forewarning], held: dict[str, int]
) -> Iterator[int]:
    """When a line under way is to be foreseen next, and that it was, which is noted in `held`."""
    moments = _moments(one, rules)
    yield from (at for at in moments if at > known.now)
    last = known.now if one.line.name in known.foreseen else known.held.get(_name(one))
    if last is not None and any(at <= known.now for at in moments):
        held[_name(one)] = last
        yield min(last + EVERY_MS, one.deadline)


def _moments(one: Course, rules: Sequence[Forewarning]) -> list[int]:
    """When a line is to be foreseen: not of a time at which it had not begun."""
    found = (one.deadline - before for rule, _ in rules for before in rule.ladder)
    return [at for at in found if at >= one.line.start_at]


def _name(one: Course) -> str:
    return f"foreseen {one.line.name}"
