"""Enlisting: people say who is told of alerts, and have it tried again. Each in one transaction."""

from __future__ import annotations

from typing import Any, NamedTuple, get_args

from tracker.audit import Act, audited
from tracker.notices import Delivery, State, retried
from tracker.ports import Reader, Writer
from tracker.recipients import Described, Filters, Recipient, is_webhook, masked, new_secret
from tracker.registry import Outdated, Unregistered
from tracker.rule_kinds import Severity
from tracker.worldfile import Names


class UnknownRecipient(Exception):
    """Nobody of that id is told of alerts."""

    def __init__(self, id: str) -> None:
        super().__init__(f"there is no recipient {id!r:.100}")


class UnknownDelivery(Exception):
    """No delivery has that id."""

    def __init__(self, id: str) -> None:
        super().__init__(f"there is no delivery {id!r:.100}")


class NotParked(Exception):
    """Something that is not given up needs no retry."""

    def __init__(self, delivery: Delivery) -> None:
        super().__init__(f"the delivery {delivery.id} is {delivery.state}, not parked")


class NoChannel(Exception):
    """A new recipient without a channel."""

    def __init__(self) -> None:
        super().__init__("a new recipient needs a url")


class Enlisted(NamedTuple):
    """A recipient as it is now; what it was (None: it is new); and whether its secret was made
    just now, and must be shown."""

    recipient: Recipient
    before: Recipient | None
    is_secret_new: bool


def recipient_of(tx: Reader, id: str) -> Recipient:
    """Raises UnknownRecipient."""
    found = tx.recipients().get(id)
    if found is None:
        raise UnknownRecipient(id)
    return found


def channel_of(tx: Reader, id: str, url: str | None) -> str:
    """The channel that is meant: the one that is stored where none is given, or the one that was
    shown, whose secrets are masked. Raises NoChannel."""
    stored = tx.recipients().get(id)
    if stored is not None and (url is None or url == masked(stored.url)):
        return stored.url
    if url is None:
        raise NoChannel
    return url


def enlist(
    tx: Writer,
    id: str,
    url: str,
    secret: str | None,
    described: Described,
    act: Act,
    expected: int | None = None,
) -> Enlisted:
    """Add or change a recipient; the same again changes nothing. Without a `secret` the one that
    is stored stays, or a webhook gets a new one. Raises Outdated, and Unregistered where a filter
    names what there is not: it would let nothing pass."""
    before = tx.recipients().get(id)
    version = before.version if before else 0
    if expected is not None and expected != version:
        raise Outdated(f"recipient {id}", version)
    known = secret or (before.secret if before else None)
    is_secret_new = known is None and is_webhook(url)
    made = Recipient(
        **dict(described),
        id=id,
        url=url,
        secret=new_secret() if is_secret_new else known,
        version=version + 1,
    )
    if before is not None and made.model_copy(update={"version": version}) == before:
        return Enlisted(before, before, False)
    _check(tx, id, made.filters)
    tx.put_recipient(made)
    action = "create" if before is None else "change"
    was = None if before is None else granted(before)
    audited(tx, act, action, "recipient", id, was, granted(made))
    return Enlisted(made, before, is_secret_new)


def _check(reader: Reader, id: str, filters: Filters) -> None:
    known = {
        "rule": (filters.rules, Names(rule.id for rule in reader.rules().rules)),
        "severity": (filters.severities, Names(get_args(Severity))),
        "site": (filters.sites, Names(reader.layout().sites())),
        "partner": (filters.partners, Names(reader.partners())),
    }
    for what, (named, names) in known.items():
        for name in named:
            if name not in names:
                raise Unregistered(f"recipient {id}: there is no {what} {name}{names.hint(name)}")


def dismiss(tx: Writer, id: str, act: Act) -> None:
    """Tell somebody nothing any more, nor what still waits. Raises UnknownRecipient."""
    before = recipient_of(tx, id)
    tx.drop_recipient(id)
    audited(tx, act, "delete", "recipient", id, granted(before), None)


def retry(tx: Writer, id: str, act: Act) -> Delivery:
    """Send a parked delivery after all, and what travels with it. Raises UnknownDelivery and
    NotParked."""
    found = tx.delivery(id)
    if found is None:
        raise UnknownDelivery(id)
    if found.state != State.PARKED:
        raise NotParked(found)
    lead = tx.delivery(found.lead or id) or found
    parts = retried([lead, *tx.travelling_with([lead.id])], act.now)
    tx.save_deliveries(parts)
    audited(tx, act, "retry", "delivery", id, None, None)
    return next(one for one in parts if one.id == id)


def granted(recipient: Recipient) -> dict[str, Any]:
    """What the audit log keeps of it: no secret."""
    told = recipient.model_dump(mode="json", exclude={"id", "version", "secret"})
    return {**told, "url": masked(recipient.url)}
