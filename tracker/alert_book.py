"""Use cases: what people do about alerts. Whatever they do, an event and a line of the audit log
say so."""

from __future__ import annotations

from tracker import alert_news
from tracker.alerts import BY_HAND, Alert, Event, State, acknowledged, ended, snoozed
from tracker.audit import Act, Change
from tracker.ports import Writer


class UnknownAlert(Exception):
    """There is no alert of that id."""

    def __init__(self, id: str) -> None:
        super().__init__(f"there is no alert {id}")
        self.id = id


class AlertIsOver(Exception):
    """Something is to be done about an alert that is over already."""

    def __init__(self, alert: Alert) -> None:
        at = f"{alert.state}: {alert.resolution}" if alert.resolution else str(alert.state)
        super().__init__(f"alert {alert.id} is over already ({at}); one can still comment on it")
        self.id = alert.id


class AlreadyPast(Exception):
    """An alert is to be left alone until a time that is over."""


def acknowledge(tx: Writer, id: str, note: str | None, act: Act) -> Alert:
    """Somebody takes it on. Raises UnknownAlert, AlertIsOver."""
    alert = _open(tx, id)
    return _done(tx, alert, *acknowledged(alert, act.by, act.now), note, act)


def snooze(tx: Writer, id: str, until: int, note: str | None, act: Act) -> Alert:
    """Nobody wants to hear of it until a time (epoch ms). Raises UnknownAlert, AlertIsOver,
    AlreadyPast."""
    alert = _open(tx, id)
    if until <= act.now:
        raise AlreadyPast("snooze an alert until a time that is still to come")
    return _done(tx, alert, *snoozed(alert, act.by, until, act.now), note, act)


def resolve(tx: Writer, id: str, note: str | None, act: Act) -> Alert:
    """Somebody has seen to it. It is opened anew only when what it says was over and comes again.
    Raises UnknownAlert, AlertIsOver."""
    alert = _open(tx, id)
    after, events = ended(alert, State.RESOLVED, BY_HAND, act.now, act.by)
    return _done(tx, alert, after, events, note, act)


def comment(tx: Writer, id: str, note: str, act: Act) -> Alert:
    """Somebody has something to say about it. Raises UnknownAlert."""
    alert = _known(tx, id)
    return _done(tx, alert, alert, [Event(alert, "commented", act.now, act.by)], note, act)


def _known(tx: Writer, id: str) -> Alert:
    alert = tx.alert(id)
    if alert is None:
        raise UnknownAlert(id)
    tx.beliefs([alert.asset])  # locks it: nobody looks at it meanwhile
    return tx.alert(id) or alert


def _open(tx: Writer, id: str) -> Alert:
    alert = _known(tx, id)
    if alert.over:
        raise AlertIsOver(alert)
    return alert


def _done(
    tx: Writer,
    before: Alert,
    after: Alert | None,
    events: list[Event],
    note: str | None,
    act: Act,
) -> Alert:
    assert after is not None  # there was one before
    tx.save_alerts([after])
    alert_news.note(tx, [event._replace(note=note or event.note) for event in events], act.now)
    tx.set_timers({after.asset: act.now})
    told = {"state": str(before.state)}, {"state": str(after.state), "note": note}
    for event in events:
        tx.audit([Change(act.wall, act.by, event.kind, "alert", after.id, *told)])
    return after
