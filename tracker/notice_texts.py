"""What people read of an event of an alert: a title, and a paragraph with the reason. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from urllib.parse import quote
from zoneinfo import ZoneInfo

from tracker.alerts import DAY_MS, Alert, Event
from tracker.recipients import About
from tracker.times import in_words, iso

SAYS = {
    "overdue": "{asset} is overdue",
    "late_in_transit": "{asset} is late on its way back",
    "presumed_lost": "{asset} is presumed lost",
    "returned_unrecorded": "{asset} came back, and nobody recorded it",
    "returned_on_paper": "{asset} came back on paper alone",
    "wrong_partner": "{asset} is with another partner",
    "left_behind": "{asset} was left behind",
    "late_forecast": "{asset} will likely be late",
    "end_of_life": "{asset} has served its time",
    "service_due": "{asset} is due for service",
    "reader_down": "Reader {asset} is away",
}
OTHER = "{asset}: {rule}"
READER = "reader"  # among the reasons where no asset is spoken of
TITLES = {
    "opened": "{says}",
    "reopened": "Again: {says}",
    "escalated": "Level {level}: {says}",
    "repeated": "Still: {says}",
    "woken": "Still, after a pause: {says}",
    "resolved": "Over: {says}",
    "retracted": "Withdrawn: {says}",
    "acknowledged": "Taken on: {says}",
    "snoozed": "Put off: {says}",
    "commented": "Comment: {says}",
}
ENDS = {
    "repeated": "Nobody has taken it on yet.",
    "resolved": "It is over: {note}.",
    "retracted": "It was not so: {note}.",
    "acknowledged": "{by} has taken it on.",
    "snoozed": "{by} does not want to hear of it until {until}.",
    "commented": "{by}: {note}",
}
# Of what a rule gives as its reason: the name, its type, whether it is a time, and the words.
REASONS: tuple[tuple[str, type, bool, str], ...] = (
    ("told", str, False, "{}"),
    ("p", float, False, "The probability of that is {:.0%}."),
    ("by", int, True, "It was expected by {}."),
    ("expected", int, True, "It will probably be back by {}."),
    ("heard", int, True, "It was heard last at {}."),
    ("entered", int, True, "It has been there since {}."),
    ("left", int, True, "It left a depot at {}."),
    ("value", float, False, "What was measured is {:g}."),
    ("back", int, True, "It came back at {}."),
    ("closed", int, True, "The lease was closed at {}."),
    ("partner", str, False, "It stays at {site}, which is that of {}."),
    ("others", int, False, "The others of its order ({}) are back."),
)
LINK = "/v1/alerts/{}"


def title_of(event: Event, about: About) -> str:
    """An event in one line.

    >>> alert = Alert("A1", "L1", "1", "overdue", 1, "open", "warning", 2, 0, 0, 0, 0)
    >>> title_of(Event(alert, "escalated", 0), About(name="Blue 1"))
    'Level 2: A1 (Blue 1) is overdue'
    """
    alert = event.alert
    says = SAYS.get(alert.rule, OTHER).format(asset=_asset(alert, about), rule=_plain(alert.rule))
    return TITLES.get(event.kind, "{says}").format(says=says, level=alert.level)


def text_of(event: Event, about: About) -> str:
    """An event as a paragraph: what it is about, how late it is, why it is told."""
    alert = event.alert
    parts = [_subject(alert, about), _lateness(event.at, about), _reason(alert.why)]
    end = ENDS.get(event.kind)
    if end is not None:
        until = iso(alert.until) if alert.until is not None else "further notice"
        words = {"by": event.by or "Somebody", "note": _plain(event.note or ""), "until": until}
        parts.append(end.format(**words))
    return " ".join(part for part in parts if part)


def link_of(alert: Alert) -> str:
    """The path at which the API tells more of it."""
    return LINK.format(quote(alert.id, safe=""))


def days_overdue(at: int, about: About) -> int | None:
    """How many whole days after the due day it is; None: it is not, or none is known."""
    if about.due is None or at < about.due:
        return None
    return (at - about.due) // DAY_MS


def _asset(alert: Alert, about: About) -> str:
    return f"{alert.asset} ({about.name})" if about.name else alert.asset


def _plain(word: str) -> str:
    return word.replace("_", " ")


def _subject(alert: Alert, about: About) -> str:
    words = [f"{'Reader' if READER in alert.why else 'Asset'} {_asset(alert, about)}"]
    if about.asset_class:
        words.append(f"of class {about.asset_class}")
    if alert.lease:
        words.append(f"on lease {alert.lease}, line {alert.line}")
    if about.partner:
        words.append(f"to {about.partner_name or about.partner}")
    if about.site:
        words.append(f"at {about.site}")
    return " ".join(words) + "."


def _lateness(at: int, about: About) -> str:
    if about.due is None:
        return ""
    # It is due at the end of a day, which is when the next one begins.
    last = datetime.fromtimestamp((about.due - 1) / 1_000, ZoneInfo(about.timezone))
    days = days_overdue(at, about)
    if days is None:
        return f"It is due on {last:%Y-%m-%d}."
    ago = in_words(days * DAY_MS) if days else "less than a day"
    return f"It was due on {last:%Y-%m-%d}, {ago} ago."


def _reason(why: Mapping[str, Any]) -> str:
    told = [
        sentence.format(iso(why[name]) if is_time else why[name], site=why.get("site") or "a site")
        for name, kind, is_time, sentence in REASONS
        if isinstance(why.get(name), kind)
    ]
    return " ".join(told)
