"""Notices: what happened to an alert, on its way to a recipient. Pure.

The id of a delivery says which event goes to whom, so the same event is never queued twice for
somebody, and a delivery that is sent again after a crash has the id that it had before: a receiver
can tell. What waited together travels in one message, which has the id of its first delivery.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson

from tracker.alerts import Event
from tracker.notice_texts import days_overdue, link_of, text_of, title_of
from tracker.quiet import Quiet
from tracker.recipients import About, Recipient, awake, due, wants
from tracker.times import iso
from tracker.wording import filled

if TYPE_CHECKING:
    from tracker.ports import Reader, Writer

ALERTS_TOPIC = "retour/alerts"
FIRST_RETRY_MS = 5_000
RETRY_FACTOR = 4
LEFT = "left in the outbox"
TRIAL = "test"  # the rule of which a message says that it only tries
LONGEST_RETRY_MS = 6 * 3_600_000
ATTEMPTS_AT_MOST = 12  # in about a day and a half


class State(StrEnum):
    """How far a delivery is: waiting, gathered into the message of another one, sent, or parked,
    for it could not be sent so often that a person must look at it."""

    WAITING = "waiting"
    GATHERED = "gathered"
    SENT = "sent"
    PARKED = "parked"


class Notice(NamedTuple):
    """What is told: of what `kind` of event, when it happened (epoch ms), in words, where more of
    it is, and in `data` for programs."""

    kind: str
    at: int
    title: str
    text: str
    link: str
    data: Mapping[str, Any]


class Attempt(NamedTuple):
    """That a delivery was sent, when (epoch ms), and how that ended, in words."""

    at: int
    ok: bool
    told: str


class Delivery(NamedTuple):
    """A notice on its way to a recipient. `due` is when it is to be sent next, `lead` the delivery
    in whose message it travels, which may be itself (None: that is not decided yet)."""

    id: str
    recipient: str
    alert: str
    event: int
    state: State
    queued: int
    due: int
    notice: Notice
    attempts: tuple[Attempt, ...] = ()
    lead: str | None = None


class Message(NamedTuple):
    """What is sent: one notice, or what has gathered. `body` is for programs."""

    id: str
    title: str
    text: str
    body: Mapping[str, Any]


def queue(
    tx: Writer,
    events: Sequence[tuple[int, Event]],
    about: Mapping[str, About],
    now: int,
) -> None:
    """Let all who are to be told of events be told. `events` have their numbers, as
    `add_alert_events` gave them; `about` is what more there is to tell, by the alerts' ids."""
    if not events:
        return
    recipients = tx.recipients().values()
    quiet = quiet_of(tx) if recipients else {}
    queued = [
        delivery
        for number, event in events
        for delivery in deliveries(
            recipients,
            number,
            event,
            about.get(event.alert.id, About()),
            now,
            quiet.get(event.alert.rule),
        )
    ]
    tx.queue_deliveries(queued)


def quiet_of(reader: Reader) -> dict[str, Quiet | None]:
    """The quiet hours of rules."""
    return {rule.id: rule.quiet_hours for rule in reader.rules().rules}


def deliveries(
    recipients: Iterable[Recipient],
    number: int,
    event: Event,
    about: About,
    now: int,
    quiet: Quiet | None = None,
) -> list[Delivery]:
    """Those of one event: one for each who wants to be told of it, not in the `quiet` hours of its
    rule."""
    alert = event.alert
    told = notice(number, event, about)
    return [
        Delivery(
            delivery_id(recipient.id, number),
            recipient.id,
            alert.id,
            number,
            State.WAITING,
            now,
            due(recipient, alert.severity, now, quiet),
            in_words_of(recipient, told),
        )
        for recipient in recipients
        if wants(recipient, event.kind, alert, about)
    ]


def in_words_of(recipient: Recipient, told: Notice) -> Notice:
    """A notice in a recipient's own words, if it has some."""
    if recipient.wording is None:
        return told
    values = {**told.data, "title": told.title, "text": told.text, "link": told.link}
    title, text = (filled(one, values) for one in (recipient.wording.title, recipient.wording.text))
    return told._replace(title=title, text=text)


def delivery_id(recipient: str, event: int) -> str:
    """What names a delivery for ever.

    >>> delivery_id("ops", 17)
    'ops-17'
    """
    return f"{recipient}-{event}"


def notice(number: int, event: Event, about: About) -> Notice:
    """An event as it is told."""
    alert = event.alert
    data = {
        "event": number,
        "kind": event.kind,
        "at": iso(event.at),
        "by": event.by,
        "note": event.note,
        "alert": alert.id,
        "rule": alert.rule,
        "severity": alert.severity,
        "state": str(alert.state),
        "level": alert.level,
        "since": iso(alert.since),
        "asset": alert.asset,
        "asset_name": about.name,
        "class": about.asset_class,
        "site": about.site,
        "lease": alert.lease,
        "line": alert.line,
        "partner": about.partner,
        "due": None if about.due is None else iso(about.due),
        "days_overdue": days_overdue(event.at, about),
        "why": dict(alert.why),
    }
    title, text = title_of(event, about), text_of(event, about)
    return Notice(event.kind, event.at, title, text, link_of(alert), data)


def gathered(
    recipient: Recipient, claimed: Sequence[Delivery], of: Mapping[str, Sequence[Delivery]]
) -> list[list[Delivery]]:
    """Which deliveries travel together: the first of each leads, and all say so. `of` are those
    that were gathered before, by their lead: what travelled together once does so again, though
    more is due by now, for a message with the same id must be the same."""
    again = [[one, *of.get(one.id, ())] for one in claimed if one.lead is not None]
    fresh = [one for one in claimed if one.lead is None]
    if not recipient.gathers:
        return [*again, *([one._replace(lead=one.id)] for one in fresh)]
    together = [
        one._replace(lead=fresh[0].id, state=State.GATHERED if n else one.state)
        for n, one in enumerate(fresh)
    ]
    return [*again, together] if together else again


def message(parts: Sequence[Delivery]) -> Message:
    """What is sent of deliveries that travel together, as Standard Webhooks has it: a type, a
    time stamp and the data."""
    first = parts[0]
    items = [_item(one.notice) for one in parts]
    if len(parts) == 1:
        told = first.notice
        body = {"type": f"alert.{told.kind}", "timestamp": iso(told.at), "data": items[0]}
        return Message(first.id, told.title, f"{told.text}\n\n{told.link}", body)
    title = f"{len(parts)} news of alerts"
    text = "\n\n".join(f"{one.notice.title}\n{one.notice.text}\n{one.notice.link}" for one in parts)
    latest = max(one.notice.at for one in parts)
    data = {"title": title, "items": items}
    return Message(
        first.id, title, text, {"type": "alert.digest", "timestamp": iso(latest), "data": data}
    )


def leave(tx: Writer, rule: str, message: Message) -> None:
    """Leave a message in the outbox, from which a gateway publishes it."""
    tx.enqueue(topic_of(rule), orjson.dumps({"id": message.id, **message.body}))


def topic_of(rule: str) -> str:
    """Where the alerts of a rule are published.

    >>> topic_of("overdue"), topic_of("a/b#")
    ('retour/alerts/overdue', 'retour/alerts/a_b_')
    """
    return f"{ALERTS_TOPIC}/{re.sub('[/+#]', '_', rule)}"


def trial(recipient: str, now: int) -> Message:
    """A message that only tries whether somebody can be told."""
    title, text = "A test", "This is a test: alerts come this way."
    data = {"title": title, "text": text}
    body = {"type": TRIAL, "timestamp": iso(now), "data": data}
    return Message(f"{recipient}-test-{now}", title, text, body)


def _item(told: Notice) -> dict[str, Any]:
    return {"title": told.title, "text": told.text, "link": told.link, **told.data}


def noted(parts: Sequence[Delivery], attempt: Attempt, rate: float = 1.0) -> list[Delivery]:
    """Deliveries that travel together after an attempt to send them; `rate` is how fast the clock
    of their times runs."""
    lead, *others = parts
    made = lead._replace(attempts=(*lead.attempts, attempt))
    if attempt.ok:
        return [one._replace(state=State.SENT) for one in (made, *others)]
    if len(made.attempts) >= ATTEMPTS_AT_MOST:
        return [one._replace(state=State.PARKED) for one in (made, *others)]
    pause = retry_ms(lead.id, len(made.attempts))
    return [made._replace(due=attempt.at + round(pause * rate))]


def put_off(
    one: Delivery,
    parts: Sequence[Delivery],
    recipient: Recipient,
    quiet: Mapping[str, Quiet | None],
) -> Delivery:
    """A delivery that is to be sent again, not in quiet hours; what travels with it must not wait
    longer than it would by itself."""
    told = [part.notice.data for part in parts]
    times = [awake(recipient, d["severity"], one.due, quiet.get(d["rule"])) for d in told]
    return one._replace(due=min(times))


def retry_ms(id: str, failed: int) -> int:
    """How long to wait after so many attempts that failed: four times as long each time, and up to
    half as long again by the delivery's id, so that not all that failed together comes again
    together.

    >>> [retry_ms("ops-17", failed) // 1000 for failed in (1, 2, 3, 11)]
    [6, 21, 107, 28743]
    """
    pause: int = min(FIRST_RETRY_MS * RETRY_FACTOR ** (failed - 1), LONGEST_RETRY_MS)
    digest = blake2b(f"{id} {failed}".encode(), digest_size=4).digest()
    return pause + pause * int.from_bytes(digest, "big") // 2**33


def retried(parts: Sequence[Delivery], now: int) -> list[Delivery]:
    """Parked deliveries that travel together and that a person wants to be sent after all: at
    once, and as often as at first."""
    lead, *others = parts
    first = lead._replace(state=State.WAITING, due=now, attempts=())
    return [first, *(one._replace(state=State.GATHERED) for one in others)]


def by_lead(found: Iterable[Delivery]) -> dict[str, list[Delivery]]:
    """Gathered deliveries by the one in whose message they travel, in order."""
    of = defaultdict[str, list[Delivery]](list)
    for one in sorted(found, key=lambda one: one.event):
        of[one.lead or one.id].append(one)
    return dict(of)
