"""Use case: look at assets, and raise or end the alerts about them.

An asset is looked at when something new is told of it, and when its timer says that time alone may
change something. What comes of a look is one transaction: the alerts, what happened to them, and
when to look again. So whoever dies on the way has done nothing, and the next one does it all.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from tracker.alert_news import note
from tracker.alerts import DAY_MS, Alert, Event, Subject
from tracker.asset_watch import Watched, watch, watched
from tracker.conditions import AssetLook
from tracker.fold import Belief
from tracker.inference import Setting
from tracker.leases import Lease, Line, Partner
from tracker.notices import queue
from tracker.overdue import Glance, back
from tracker.past import entered_of, received_of
from tracker.ports import Reader, Writer
from tracker.present import Present, known
from tracker.recipients import About
from tracker.reconcile import Assessed, Governed, Paper, assess, governed
from tracker.rules import Rules
from tracker.sight import sight
from tracker.stage import predicted

SOONEST_MS = 1_000


class InForce(NamedTuple):
    """The rules in force, about lines and about assets."""

    lines: Sequence[Governed]
    assets: Sequence[Watched]

    @classmethod
    def of(cls, rules: Rules) -> InForce:
        return cls(governed(rules), watched(rules))


def look(tx: Writer, assets: Iterable[str], now: int, rules: InForce) -> list[Event]:
    """Look at some assets at `now` (epoch ms), and store what comes of it; what happened to
    alerts."""
    wanted = sorted({*assets})
    beliefs = tx.beliefs(wanted)  # they are locked by this
    lines = tx.lines_of(wanted)
    presents, settings, held = tx.presents(wanted), tx.settings(wanted), tx.held_of(wanted)
    alerts, owners = tx.alerts_of(wanted), owners_of(tx.partners())
    leases = tx.leases_by_id(line.lease for some in lines.values() for line in some)
    hits, found = tx.hits_of(wanted), dict[str, Assessed]()
    for asset, setting in settings.items():
        pairs = [(leases[line.lease], line) for line in lines.get(asset, ())]
        last, since = last_episodes(alerts.get(asset, ())), held.get(asset, {})
        paper = Paper(pairs, owners, setting.case.asset.class_, last, since)
        belief, told = beliefs.get(asset), presents.get(asset)
        glance = _glance(tx, setting, belief, told, now)
        of_lines = assess(asset, paper, glance, _others(tx, pairs), rules.lines)
        felt = tuple(hits.get(asset, ()))
        seen = sight(tx, setting, belief, told, glance, [line for _, line in pairs], felt)
        found[asset] = _both(of_lines, watch(asset, seen, last, since, rules.assets), seen)
    tx.save_alerts([alert for one in found.values() for alert in one.alerts])
    events = [event for one in found.values() for event in one.events]
    numbers = note(tx, events, now)
    about = {one.alert.id: _about(one.alert, settings, beliefs, leases) for one in events}
    queue(tx, list(zip(numbers, events, strict=True)), about, now)
    tx.set_held({asset: one.held for asset, one in found.items()})
    tx.forget_hits(hits)
    behind = {asset: one.behind for asset, one in presents.items()}
    times = {a: _timer(one.next_at, behind.get(a, 0), now) for a, one in found.items()}
    tx.set_timers({**dict.fromkeys(wanted), **times})
    return events


def _about(
    alert: Alert,
    settings: Mapping[str, Setting],
    beliefs: Mapping[str, Belief],
    leases: Mapping[str, Lease],
) -> About:
    """What more there is to tell whoever hears of an alert."""
    setting, belief = settings[alert.asset], beliefs.get(alert.asset)
    site = belief.whereabouts.site if belief is not None else None
    lease = leases.get(alert.lease or "")
    return About(
        asset_class=setting.case.asset.class_,
        site=site,
        partner=lease.customer if lease is not None else None,
    )


def _timer(next_at: int | None, behind: int, now: int) -> int | None:
    """When an asset's own clock will stand at a time; never at once again."""
    return None if next_at is None else max(next_at + behind, now + SOONEST_MS)


def _both(one: Assessed, other: Assessed, seen: AssetLook) -> Assessed:
    times = [at for at in (one.next_at, other.next_at) if at is not None]
    if seen.sources:
        times.append(seen.now + DAY_MS)  # what devices say of themselves is looked at each day
    held = one.held | other.held
    alerts, events = one.alerts + other.alerts, one.events + other.events
    return Assessed(alerts, events, held, min(times, default=None))


def look_at_due(tx: Writer, now: int, limit: int) -> tuple[int, list[Event]]:
    """Look at the assets whose timers have run out, some at a time: how many there were, and what
    happened to alerts."""
    due = tx.timers(now, limit)
    tx.beliefs(due)  # locked: another worker may have been there before
    times = tx.timers_of(due)
    still = [asset for asset in due if times.get(asset, now + 1) <= now]
    return len(due), look(tx, still, now, InForce.of(tx.rules()))


def last_episodes(alerts: Sequence[Alert]) -> dict[Subject, Alert]:
    """The last alert about each subject; the episodes are given in order."""
    return {Subject(*alert[:4]): alert for alert in alerts}


def owners_of(partners: Mapping[str, Partner]) -> dict[str, str]:
    """The sites of partners, and whose they are."""
    return {site: one.id for one in partners.values() for site in one.sites}


def _glance(
    tx: Reader, setting: Setting, belief: Belief | None, told: Present | None, now: int
) -> Glance:
    case, evidence = setting
    if belief is None:
        return Glance(now, {})
    at = max(now - (told.behind if told is not None else 0), belief.at)
    q = evidence.chain.by_stage(predicted(known(belief), case, evidence, at))
    p = dict(zip(evidence.chain.stages, q[0].tolist(), strict=True))
    entered, received = entered_of(tx, setting.asset, told), received_of(tx, setting.asset)
    return Glance(at, p, entered, received, belief.whereabouts.site)


def _others(tx: Reader, pairs: Sequence[tuple[Lease, Line]]) -> dict[str, tuple[int | None, ...]]:
    """When the other lines of the same orders came back, by the names of an asset's lines."""
    found = defaultdict[str, tuple[int | None, ...]](tuple)
    for lease, line in pairs:
        others = [one for one in lease.lines if one.id != line.id and one.asset is not None]
        if line.ended is None and others:
            found[line.name] = tuple(_came(tx, one) for one in others)
    return found


def _came(tx: Reader, line: Line) -> int | None:
    asset = line.asset or ""
    told = tx.presents([asset]).get(asset)
    came = back(line, entered_of(tx, asset, told), received_of(tx, asset))
    return came.at if came is not None else None
