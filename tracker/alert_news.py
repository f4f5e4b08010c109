"""What happens to alerts is noted with them, and in the journal, whose readers hear of it live."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tracker.alerts import Event
from tracker.fold import Entry
from tracker.notices import queue
from tracker.ports import Writer
from tracker.recipients import About

ALERT = "alert."


def note(tx: Writer, events: Sequence[Event], now: int) -> list[int]:
    """Note what happened to alerts; the numbers of the events."""
    tx.journal([_entry(event) for event in events], now)
    return tx.add_alert_events(events, now)


def announce(tx: Writer, events: Sequence[Event], about: Mapping[str, About], now: int) -> None:
    """Note what happened to alerts, and queue it for whoever is to be told; `about` tells more of
    some, by the ids of their alerts."""
    numbers = note(tx, events, now)
    queue(tx, list(zip(numbers, events, strict=True)), about, now)


def _entry(event: Event) -> Entry:
    alert = event.alert
    body = {
        "rule": alert.rule,
        "lease": alert.lease,
        "state": str(alert.state),
        "severity": alert.severity,
        "level": alert.level,
        "since": alert.since,
        "by": event.by,
        "note": event.note,
    }
    return Entry(alert.asset, f"{ALERT}{event.kind}", f"alert {alert.id}", event.at, body)
