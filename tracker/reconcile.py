"""What becomes of the alerts about lease lines, as paper and telemetry agree or not. Pure.

A finding (see `tracker.overdue`) opens an alert; what ends it depends on which it is. What was
overdue stays so on its way back: it is over when the asset is back, when the line is extended or
closed, and it is taken back when the asset proves to have been on time.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from tracker.alerts import (
    DAY_MS,
    Alert,
    Event,
    Holding,
    Policy,
    State,
    Step,
    Subject,
    ended,
    next_look,
    step,
)
from tracker.leases import HOUR_MS, Lease, Line
from tracker.overdue import IS_BACK, LIKELY, Found, Glance, Kind, Return, at_home, back, found
from tracker.overdue import with_customer as still_there
from tracker.rule_kinds import LineRule, PresumedLost
from tracker.rules import Rules, policy_of

KINDS = frozenset(Kind)
LOOK_AGAIN_MS = HOUR_MS  # where what holds may change with time alone
BACK_FOR_MS = 6 * HOUR_MS  # so long it must look back before that is believed without a scan
OF_TIME = (Kind.OVERDUE, Kind.LATE_IN_TRANSIT, Kind.LOST)


class Paper(NamedTuple):
    """What is known of an asset's lease lines beside telemetry: the lines, the sites of which
    partner, the asset's class, the last alert about each subject, and since when conditions have
    held."""

    lines: Sequence[tuple[Lease, Line]]
    owners: Mapping[str, str]
    class_: str
    alerts: Mapping[Subject, Alert]
    held: Mapping[str, int]


class Governed(NamedTuple):
    """A rule about lines, and how it becomes an alert."""

    rule: LineRule
    policy: Policy


def governed(rules: Rules) -> list[Governed]:
    """The rules about lines that are in force."""
    return [Governed(rule, policy_of(rule)) for rule in rules.lines()]


class Assessed(NamedTuple):
    """What came of a look: the alerts that changed, what happened to them, since when conditions
    hold, and when to look again (None: not by time alone)."""

    alerts: list[Alert]
    events: list[Event]
    held: dict[str, int]
    next_at: int | None


def assess(
    asset: str,
    paper: Paper,
    glance: Glance,
    others: Mapping[str, tuple[int | None, ...]],
    rules: Sequence[Governed],
) -> Assessed:
    """Look at an asset's lines at `glance.now`. `others` tells, by the name of a line, when the
    other lines of its order came back."""
    run = _Run(asset, paper, glance, rules)
    for lease, line in paper.lines:
        run.line(lease, line, others.get(line.name, ()))
    return Assessed(run.alerts, run.events, run.held, min(run.times, default=None))


class _Run:
    """One look."""

    def __init__(self, asset: str, paper: Paper, glance: Glance, rules: Sequence[Governed]) -> None:
        self.alerts: list[Alert] = []
        self.events: list[Event] = []
        self.held: dict[str, int] = {}
        self.times: list[int] = []
        self._asset, self._paper, self._glance, self._rules = asset, paper, glance, rules

    def line(self, lease: Lease, line: Line, others: tuple[int | None, ...]) -> None:
        glance = self._glance._replace(
            others_back=others,
            lost_after_ms=self._lost_after_ms(lease),
            lines=tuple(other for _, other in self._paper.lines),
        )
        came = back(line, glance.entered, glance.received, glance.lines)
        holds = {str(one.kind): one for one in found(lease, line, glance, self._paper.owners)}
        if self._is_overdue(line):
            holds.pop(Kind.LATE_IN_TRANSIT, None)  # it goes on to be overdue until it is back
        for one in self._rules:
            if one.rule.kind in KINDS and one.rule.concerns(self._paper.class_, lease.sites):
                self._rule(lease, line, one, holds, came)
                if one.rule.kind == Kind.LEFT_BEHIND and _waits(lease, line, glance, came):
                    every = min(max(one.policy.hold_ms, LOOK_AGAIN_MS), DAY_MS)
                    self.times.append(glance.now + every)
        self.times += _times(lease, line, glance, came)

    def _lost_after_ms(self, lease: Lease) -> int | None:
        """How long after its deadline a line's asset is taken for lost."""
        found = (
            one.rule.after
            for one in self._rules
            if isinstance(one.rule, PresumedLost)
            and one.rule.concerns(self._paper.class_, lease.sites)
        )
        return min(found, default=None)

    def _is_overdue(self, line: Line) -> bool:
        """Whether an alert that a line is overdue is open."""
        ids = (one.rule.id for one in self._rules if one.rule.kind == Kind.OVERDUE)
        subjects = (Subject(self._asset, line.lease, line.id, id) for id in ids)
        found = (self._paper.alerts.get(subject) for subject in subjects)
        return any(one is not None and not one.over for one in found)

    def _rule(
        self,
        lease: Lease,
        line: Line,
        governed: Governed,
        holds: Mapping[str, Found],
        came: Return | None,
    ) -> None:
        (rule, policy), now = governed, self._glance.now
        subject = Subject(self._asset, lease.id, line.id, rule.id)
        alert, one = self._paper.alerts.get(subject), holds.get(rule.kind)
        if one is None and rule.kind in OF_TIME and alert is not None and not alert.over:
            self._keep(*self._end(lease, line, rule.kind, alert, holds, came))
            return
        holding = self._holding(line, rule, one) if one is not None else None
        if rule.kind == Kind.OVERDUE and holding is not None and policy.hold_ms:
            ready = self._stays(line) + policy.hold_ms
            policy = policy._replace(hold_ms=max(ready - holding.since, 0))
        after, events = step(alert, subject, holding, policy, now)
        self._keep(after if after != alert else None, events)
        due = next_look(after, holding, policy)
        self.times += [due] if due is not None else []

    def _holding(self, line: Line, rule: LineRule, one: Found) -> Holding:
        """Since when a finding holds: what is found only now may have been found before."""
        since = one.since
        if since >= self._glance.now:
            name = f"{rule.id} {line.name}"
            since = self.held[name] = self._paper.held.get(name, self._glance.now)
        return Holding(since, one.why)

    def _stays(self, line: Line) -> int:
        """Since when it has been likely that the asset is with the customer, also before the
        deadline."""
        name = f"there {line.name}"
        since = self.held[name] = self._paper.held.get(name, self._glance.now)
        return since

    def _end(
        self,
        lease: Lease,
        line: Line,
        kind: str,
        alert: Alert,
        holds: Mapping[str, Found],
        came: Return | None,
    ) -> Step:
        """What becomes of an alert about a deadline that is not found any more."""
        now, deadline = self._glance.now, line.due_at + lease.grace_ms
        if line.ended is not None:
            return ended(alert, State.RESOLVED, line.ended.how, now)
        if came is not None:
            return self._came(alert, came, deadline)
        if now < deadline and (kind != Kind.LOST or "deadline" in alert.why):
            return ended(alert, State.RESOLVED, "extended", now)
        others = [other for other in OF_TIME if other in holds]
        if others:
            return ended(alert, State.RESOLVED, str(others[0]), now)
        if kind == Kind.OVERDUE:  # on its way, perhaps; it is not back
            as_it_is = Holding(alert.since, alert.why), Policy(alert.severity)
            return step(alert, Subject(*alert[:4]), *as_it_is, now)
        return step(alert, Subject(*alert[:4]), None, Policy(clear_ms=BACK_FOR_MS), now)

    def _came(self, alert: Alert, came: Return, deadline: int) -> Step:
        """What becomes of it when the asset is back."""
        now, p = self._glance.now, sum(p for stage, p in self._glance.p.items() if at_home(stage))
        if came.scanned or p >= IS_BACK:
            if came.at <= deadline:
                return ended(alert, State.RETRACTED, "was_on_time", now)
            if came.scanned:
                return ended(alert, State.RESOLVED, "returned", now)
            name = f"back {alert.lease}/{alert.line}"
            since = self.held[name] = self._paper.held.get(name, now)
            if now >= since + BACK_FOR_MS:
                return ended(alert, State.RESOLVED, "returned", now)
            self.times.append(since + BACK_FOR_MS)
        else:
            self.times.append(now + LOOK_AGAIN_MS)
        return alert, []

    def _keep(self, alert: Alert | None, events: Sequence[Event]) -> None:
        if alert is not None:
            self.alerts.append(alert)
        self.events += events


def _waits(lease: Lease, line: Line, glance: Glance, came: Return | None) -> bool:
    """Whether a line is under way whose asset may be left behind: that the others come back
    tells nothing of it, so it is looked at again, before that will have held for long enough."""
    under_way = line.start_at <= glance.now < line.due_at + lease.grace_ms
    return under_way and line.ended is None and came is None and bool(glance.others_back)


def _times(lease: Lease, line: Line, glance: Glance, came: Return | None) -> Iterator[int]:
    """When time alone may change what is found of a line."""
    if line.ended is not None or line.asset is None:
        return
    deadline, now = line.due_at + lease.grace_ms, glance.now
    for at in (line.start_at, deadline, deadline + (glance.lost_after_ms or 0)):
        if at > now:
            yield at
    if now >= deadline and came is None and still_there(glance) < LIKELY:
        yield now + LOOK_AGAIN_MS
