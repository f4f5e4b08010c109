"""Use case: look at assets, and raise or end the alerts about them.

An asset is looked at when something new is told of it, and when its timer says that time alone may
change something. What comes of a look is one transaction: the alerts, what happened to them, and
when to look again. So whoever dies on the way has done nothing, and the next one does it all.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from tracker.alert_news import announce
from tracker.alerts import DAY_MS, GROUNDLESS, Alert, Event, State, Subject, ended
from tracker.asset_watch import Watched, watch, watched
from tracker.conditions import Reading
from tracker.fold import Belief
from tracker.forewarn import (
    Course,
    Foreseen,
    Forewarning,
    Known,
    forewarn,
    forewarnings,
    is_to_be_foreseen,
)
from tracker.inference import Setting
from tracker.late_lines import Learned, expected
from tracker.leases import Line, Partner
from tracker.life import Life
from tracker.living import lives_of
from tracker.overdue import Glance, back
from tracker.past import Past, pasts_of
from tracker.ports import Reader, Writer
from tracker.present import Present, known
from tracker.recipients import About
from tracker.reconcile import Assessed, Governed, Paper, assess, governed
from tracker.rule_kinds import EndOfLife
from tracker.rules import Rules
from tracker.sight import sight
from tracker.stage import predicted

SOONEST_MS = 1_000
NOTHING_TAUGHT = Learned()


class InForce(NamedTuple):
    """The rules in force, about lines, forecasts, assets and readers (their names), and what lines
    have taught."""

    lines: Sequence[Governed]
    forecasts: Sequence[Forewarning]
    assets: Sequence[Watched]
    readers: frozenset[str]
    taught: Learned

    @classmethod
    def of(cls, rules: Rules, taught: Learned) -> InForce:
        readers = frozenset(rule.id for rule in rules.readers())
        return cls(governed(rules), forewarnings(rules), watched(rules), readers, taught)

    @property
    def judge_lives(self) -> bool:
        """Whether anybody asks for the ends of lives."""
        return any(isinstance(one.rule, EndOfLife) for one in self.assets)


class _Seen(NamedTuple):
    """An asset under a look: what is set up and known of it, its lease lines, and its life."""

    setting: Setting
    belief: Belief | None
    told: Present | None
    glance: Glance
    paper: Paper
    life: Life | None = None

    @property
    def courses(self) -> list[Course]:
        """Its lines, and how each is over."""
        return [Course(lease, line, self._over(line)) for lease, line in self.paper.lines]

    def _over(self, line: Line) -> str | None:
        if line.ended is not None:
            return line.ended.how
        others = [other for _, other in self.paper.lines]
        came = back(line, self.glance.entered, self.glance.received, others)
        return "returned" if came is not None else None


def look(tx: Writer, assets: Iterable[str], now: int, rules: InForce) -> list[Event]:
    """Look at some assets at `now` (epoch ms), and store what comes of it; what happened to
    alerts."""
    wanted = sorted({*assets})
    seen = _gathered(tx, wanted, now)
    if rules.judge_lives:
        seen = _with_lives(tx, seen, now)
    foreseen, hits, others = _foreseen(tx, seen, now, rules), tx.hits_of(wanted), _others(tx, seen)
    found = {
        asset: _assessed(tx, asset, one, others, foreseen, tuple(hits.get(asset, ())), rules)
        for asset, one in seen.items()
    }
    tx.save_alerts([alert for one in found.values() for alert in one.alerts])
    events = [event for one in found.values() for event in one.events]
    partners = tx.partners() if events else {}
    about = {one.alert.id: _about(one.alert, seen[one.alert.asset], partners) for one in events}
    announce(tx, events, about, now)
    tx.set_held({asset: one.held for asset, one in found.items()})
    tx.forget_hits(hits)
    behind = {asset: one.told.behind for asset, one in seen.items() if one.told is not None}
    times = {a: _timer(one.next_at, behind.get(a, 0), now) for a, one in found.items()}
    tx.set_timers({**dict.fromkeys(wanted), **times})
    return events


def _gathered(tx: Writer, wanted: Sequence[str], now: int) -> dict[str, _Seen]:
    """What is known of assets; they are locked by this."""
    beliefs, lines = tx.beliefs(wanted), tx.lines_of(wanted)
    presents, held = tx.presents(wanted), tx.held_of(wanted)
    alerts, owners = tx.alerts_of(wanted), owners_of(tx.partners())
    leases = tx.leases_by_id(line.lease for some in lines.values() for line in some)
    pasts = pasts_of(tx, wanted)
    seen = dict[str, _Seen]()
    for asset, setting in tx.settings(wanted).items():
        pairs = [(leases[line.lease], line) for line in lines.get(asset, ())]
        last, since = last_episodes(alerts.get(asset, ())), held.get(asset, {})
        paper = Paper(pairs, owners, setting.case.asset.class_, last, since)
        belief, told = beliefs.get(asset), presents.get(asset)
        glance = _glance(pasts[asset], setting, belief, told, now)
        seen[asset] = _Seen(setting, belief, told, glance, paper)
    return seen


def _with_lives(tx: Reader, seen: Mapping[str, _Seen], now: int) -> dict[str, _Seen]:
    assets = {asset: one.setting.case.asset for asset, one in seen.items()}
    beliefs = {a: one.belief for a, one in seen.items() if one.belief is not None}
    told = {a: one.told for a, one in seen.items() if one.told is not None}
    lines = {a: [line for _, line in one.paper.lines] for a, one in seen.items()}
    lives = lives_of(tx, assets, beliefs, told, lines, now)
    return {asset: one._replace(life=lives.get(asset)) for asset, one in seen.items()}


def _foreseen(
    reader: Reader, seen: Mapping[str, _Seen], now: int, rules: InForce
) -> dict[str, Foreseen]:
    """What is foreseen of the lines whose time it is, by their names."""
    lines = [
        (course.lease, course.line)
        for one in seen.values()
        for course in one.courses
        if is_to_be_foreseen(course, one.paper.held, one.glance.now, rules.forecasts)
    ]
    told = expected(reader, now, rules.taught, lines) if lines else {}
    return {name: Foreseen(one.p, one.back[1]) for name, one in told.items()}


def _assessed(
    tx: Reader,
    asset: str,
    one: _Seen,
    others: Mapping[str, tuple[int | None, ...]],
    foreseen: Mapping[str, Foreseen],
    hits: tuple[Reading, ...],
    rules: InForce,
) -> Assessed:
    """What comes of a look at one asset."""
    paper, glance = one.paper, one.glance
    of_lines = assess(asset, paper, glance, others, rules.lines)
    known = Known(asset, paper.class_, glance.now, one.courses, paper.alerts, paper.held, foreseen)
    lines = [line for _, line in paper.lines]
    seen = sight(tx, one.setting, one.belief, one.told, glance, lines, hits, one.life)
    found = (
        of_lines,
        forewarn(known, rules.forecasts),
        watch(asset, seen, paper.alerts, paper.held, rules.assets),
        _groundless(asset, paper, glance.now, rules),
    )
    # What devices say of themselves is looked at each day.
    return _together(found, seen.now + DAY_MS if seen.sources else None)


def _groundless(asset: str, paper: Paper, now: int, rules: InForce) -> Assessed:
    """The end of alerts that no rule in force, or no line of the asset, stands behind any more:
    nothing that is found of it would ever end them. A reader may have the name of an asset."""
    found = Assessed([], [], {}, None)
    open_ = [alert for alert in paper.alerts.values() if not alert.over]
    if not open_:
        return found
    asked = {Subject(asset, None, None, one.rule.id) for one in rules.assets}
    for lease, line in paper.lines:
        theirs = (one.rule for one in rules.lines if one.rule.concerns(paper.class_, lease.sites))
        asked.update(Subject(asset, lease.id, line.id, rule.id) for rule in theirs)
    for alert in open_:
        is_of_reader = alert.lease is None and alert.rule in rules.readers
        if Subject(*alert[:4]) not in asked and not is_of_reader:
            after, events = ended(alert, State.RESOLVED, GROUNDLESS, now)
            found.alerts.extend([after] if after is not None else [])
            found.events.extend(events)
    return found


def _about(alert: Alert, seen: _Seen, partners: Mapping[str, Partner]) -> About:
    """What more there is to tell whoever hears of an alert."""
    asset, belief = seen.setting.case.asset, seen.belief
    about = About(
        name=asset.name or "",
        asset_class=asset.class_,
        site=belief.whereabouts.site if belief is not None else None,
    )
    for lease, line in seen.paper.lines:
        if (lease.id, line.id) == (alert.lease, alert.line):
            customer = partners.get(lease.customer)
            told = {"partner": lease.customer, "due": line.due_at, "timezone": lease.timezone}
            return about.model_copy(
                update=told | {"partner_name": customer.name if customer is not None else ""}
            )
    return about


def _timer(next_at: int | None, behind: int, now: int) -> int | None:
    """When an asset's own clock will stand at a time; never at once again."""
    return None if next_at is None else max(next_at + behind, now + SOONEST_MS)


def _together(found: Sequence[Assessed], daily: int | None) -> Assessed:
    times = [at for at in (daily, *(one.next_at for one in found)) if at is not None]
    alerts = [alert for one in found for alert in one.alerts]
    events = [event for one in found for event in one.events]
    held = {name: at for one in found for name, at in one.held.items()}
    return Assessed(alerts, events, held, min(times, default=None))


def look_at_due(
    tx: Writer, now: int, limit: int, taught: Learned = NOTHING_TAUGHT
) -> tuple[int, list[Event]]:
    """Look at the assets whose timers have run out, some at a time: how many there were, and what
    happened to alerts. `taught` is what lease lines have taught for forecasts."""
    due = tx.timers(now, limit)
    tx.beliefs(due)  # locked: another worker may have been there before
    times = tx.timers_of(due)
    still = [asset for asset in due if times.get(asset, now + 1) <= now]
    return len(due), look(tx, still, now, InForce.of(tx.rules(), taught))


def last_episodes(alerts: Sequence[Alert]) -> dict[Subject, Alert]:
    """The last alert about each subject; the episodes are given in order."""
    return {Subject(*alert[:4]): alert for alert in alerts}


def owners_of(partners: Mapping[str, Partner]) -> dict[str, str]:
    """The sites of partners, and whose they are."""
    return {site: one.id for one in partners.values() for site in one.sites}


def _glance(
    past: Past, setting: Setting, belief: Belief | None, told: Present | None, now: int
) -> Glance:
    case, evidence = setting
    if belief is None:
        return Glance(now, {})
    at = max(now - (told.behind if told is not None else 0), belief.at)
    q = evidence.chain.by_stage(predicted(known(belief), case, evidence, at))
    p = dict(zip(evidence.chain.stages, q[0].tolist(), strict=True))
    return Glance(at, p, *past, belief.whereabouts.site)


def _is_awaited(line: Line) -> bool:
    return line.asset is not None and (line.ended is None or line.ended.how != "cancelled")


def _others(tx: Reader, seen: Mapping[str, _Seen]) -> dict[str, tuple[int | None, ...]]:
    """When the other lines of the same orders came back, by the names of assets' lines; not of
    those that were cancelled. Orders may have very many lines, and all are asked for at once."""
    of_line = {
        line.name: [one for one in lease.lines if one.id != line.id and _is_awaited(one)]
        for known in seen.values()
        for lease, line in known.paper.lines
        if line.ended is None and len(lease.lines) > 1
    }
    assets = {one.asset or "" for others in of_line.values() for one in others}
    pasts, lines = pasts_of(tx, assets), tx.lines_of(assets)
    came = dict[str, int | None]()
    for one in {one for others in of_line.values() for one in others}:
        found = back(one, *pasts[one.asset or ""], lines.get(one.asset or "", ()))
        came[one.name] = found.at if found is not None else None
    return {
        name: tuple(came[one.name] for one in others) for name, others in of_line.items() if others
    }
