"""Use case: look at readers that are away, and raise or end the alerts about them.

A dead reader is one alert, not a thousand silent assets. The alert's `asset` is the reader. Few
readers are away at a time, so all of them are looked at each time; what is found is stored in one
transaction, under the lock of their devices: whoever looks beside finds it there.
"""

from __future__ import annotations

from collections.abc import Sequence

from tracker.alert_news import announce
from tracker.alerts import GROUNDLESS, OVER, Alert, Event, Holding, State, Subject, ended, step
from tracker.conditions import ReaderLook, reader_holds
from tracker.lease_ports import AlertFilter
from tracker.ports import Reader, Writer
from tracker.recipients import About
from tracker.refold import ALWAYS
from tracker.rule_kinds import ReaderDown
from tracker.rules import policy_of

OPEN = tuple(str(state) for state in State if state not in OVER)
AT_MOST = 10_000  # readers told of at a time


def readers_to_look_at(reader: Reader, now: int) -> list[str]:
    """The readers that are away at `now` (epoch ms), and those of which an alert is open."""
    rules = reader.rules().readers()
    if not rules:
        return []
    outages = reader.inference().outages
    away = {
        device
        for device in reader.layout().readers(now)
        if (spell := outages.away(device, now)) is not None and spell.until is None
    }
    open_ = (one for rule in rules for one in open_alerts(reader, rule))
    return sorted({*away, *(alert.asset for alert in open_)})


def open_alerts(reader: Reader, rule: ReaderDown) -> list[Alert]:
    """The open alerts of a rule."""
    wanted = AlertFilter(OPEN, rule.id)
    found = reader.alerts(wanted, (ALWAYS, ""), AT_MOST)
    return [alert for alert in found if alert.lease is None]


def let_go(tx: Writer, rules: Sequence[ReaderDown], now: int) -> None:
    """End the alerts of rules that are in force no more: nobody looks at readers by them."""
    alerts = [one for rule in rules for one in open_alerts(tx, rule)]
    tx.devices([alert.asset for alert in alerts])  # locked
    steps = [ended(alert, State.RESOLVED, GROUNDLESS, now) for alert in alerts]
    tx.save_alerts([alert for alert, _ in steps if alert is not None])
    events = [event for _, some in steps for event in some]
    announce(tx, events, {}, now)


def look_at_readers(tx: Writer, devices: Sequence[str], now: int) -> list[Event]:
    """Look at some readers, and store what comes of it; what happened to alerts."""
    tx.devices(devices)  # locked
    layout, outages = tx.layout(), tx.inference().outages
    readers, zones, rules = layout.readers(now), layout.zones(now), tx.rules().readers()
    last = {Subject(*one[:4]): one for some in tx.alerts_of(devices).values() for one in some}
    changed, events, about = list[Alert](), list[Event](), dict[str, About]()
    for device in devices:
        watched = readers[device].zones() if device in readers else []
        sites = frozenset(zones[zone].site for zone in watched if zone in zones)
        spell = outages.away(device, now)
        away = spell.since if spell is not None and spell.until is None else None
        look = ReaderLook(device, sites, away if device in readers else None)
        for rule in rules:
            alert = last.get(subject := Subject(device, None, None, rule.id))
            holding = reader_holds(rule, look)
            if alert is not None and holding is not None and alert.gone is None:
                alert = _meanwhile_there(alert, holding)
            after, happened = step(alert, subject, holding, policy_of(rule), now)
            if after is not None and after != alert:
                changed.append(after)
                about[after.id] = About(site=min(sites, default=None))
            events += happened
    tx.save_alerts(changed)
    announce(tx, events, about, now)
    return events


def _meanwhile_there(alert: Alert, holding: Holding) -> Alert:
    """An alert that is over, where its reader was there before it went away again: nobody looks
    at a reader that is there and of which no alert is open."""
    is_new = alert.over and holding.since > alert.changed
    return alert._replace(gone=holding.since) if is_new else alert
