"""`retour recipients`, `retour deliveries`: who is told of alerts, and what was told to whom."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from enum import StrEnum
from typing import Annotated, Any

import typer
from pydantic import ValidationError

from commands.asking import opened
from commands.settings import load_settings
from commands.show import AsJson, UserError, iso, legible, say, show, show_rows, yes_no
from tracker.delivery_ports import Outcome
from tracker.enlist import dismiss, enlist, recipient_of, retry
from tracker.notices import LEFT, TRIAL, Delivery, State, leave, trial
from tracker.recipients import TO_MQTT, Described, Recipient, masked

group = typer.Typer(no_args_is_help=True, help="Who is told of alerts, and how.")
Id = Annotated[str, typer.Argument(help="Its id.", show_default=False)]
Names = list[str]


class Every(StrEnum):
    """How often a digest comes."""

    HOURLY = "hourly"
    DAILY = "daily"


@group.command("add")
def recipients_add(
    id: Id,
    url: Annotated[str, typer.Argument(help="https://..., one of Apprise, or mqtt:")],
    name: Annotated[str, typer.Option(help="What people call it.")] = "",
    rule: Annotated[Names, typer.Option(help="Only of this rule; again: of these.")] = [],  # noqa: B006
    severity: Annotated[Names, typer.Option(help="Only of this severity.")] = [],  # noqa: B006
    site: Annotated[Names, typer.Option(help="Only of assets at this site.")] = [],  # noqa: B006
    class_: Annotated[Names, typer.Option("--class", help="Only of this class.")] = [],  # noqa: B006
    partner: Annotated[Names, typer.Option(help="Only of what this partner has.")] = [],  # noqa: B006
    event: Annotated[Names, typer.Option(help="Only when this has happened.")] = [],  # noqa: B006
    level: Annotated[int, typer.Option(help="Only from this level on.")] = 1,
    digest: Annotated[Every | None, typer.Option(help="In one message: hourly or daily.")] = None,
    hour: Annotated[int, typer.Option(min=0, max=23, help="Of a daily digest.")] = 8,
    quiet: Annotated[str, typer.Option(help="Hours in which only what is critical is told.")] = "",
    timezone: Annotated[str, typer.Option(help="The IANA zone of these hours.")] = "UTC",
    title: Annotated[str, typer.Option(help="In its own words: '[{severity}] {title}'.")] = "",
    text: Annotated[str, typer.Option(help="The same of the text.")] = "",
    as_json: AsJson = False,
) -> None:
    """Have somebody told of alerts; what was said of that id before is replaced.

    Example: retour recipients add ops https://example.com/hook --rule overdue --quiet 22:00-07:00
    """
    filters = {
        "rules": rule,
        "severities": severity,
        "sites": site,
        "classes": class_,
        "partners": partner,
        "level": level,
    } | ({"events": event} if event else {})
    since, _, until = quiet.partition("-")
    words = (("title", title), ("text", text))
    described = described_by(
        {
            "name": name,
            "filters": filters,
            "digest": {"every": digest, "hour": hour, "timezone": timezone} if digest else None,
            "quiet": {"since": since, "until": until, "timezone": timezone} if quiet else None,
            "wording": {name: told for name, told in words if told} or None,
        }
    )
    settings = load_settings()
    settings.channels(settings.make_clock()).check(url)
    try:
        with settings.store().writing() as tx:
            made = enlist(tx, id, url, None, described, settings.act())
    except ValidationError as error:
        raise refused(error) from None
    secret = made.recipient.secret if made.is_secret_new else None
    show({"id": id, "url": masked(url)} | ({"secret": secret} if secret else {}), as_json)
    if secret and not as_json:
        say("The secret signs its webhooks, and is shown this once")


def described_by(told: Mapping[str, Any]) -> Described:
    """What the options say. UserError where they make no sense."""
    try:
        return Described.model_validate(told)
    except ValidationError as error:
        raise refused(error) from None


def refused(error: ValidationError) -> UserError:
    first = error.errors()[0]
    where = " ".join(str(part) for part in first["loc"])
    return UserError(f"{where}: {first['msg'].removeprefix('Value error, ')}")


@group.command("list")
def recipients_list(as_json: AsJson = False) -> None:
    """List who is told of alerts; secrets are not shown.

    Example: retour recipients list
    """
    store, _ = opened()
    with store.reading() as reader:
        rows = [recipient_row(one) for one in reader.recipients().values()]
    show_rows(rows, recipient_words, as_json, "nobody is told of alerts")


def recipient_row(one: Recipient) -> dict[str, Any]:
    told = one.model_dump(mode="json", exclude={"secret", "version"})
    return {"id": one.id, **told, "url": masked(one.url)}


def recipient_words(row: Mapping[str, Any]) -> dict[str, Any]:
    filters = {
        name: value
        for name, value in row["filters"].items()
        if name not in ("events", "level") and value
    }
    level = row["filters"]["level"]
    words = [f"{name} {', '.join(value)}" for name, value in filters.items()]
    words += [f"from level {level} on"] if level > 1 else []
    digest, quiet = row["digest"], row["quiet"]
    return {
        "id": row["id"],
        "name": row["name"],
        "channel": row["url"],
        "of": "; ".join(words) or "all",
        "digest": digest["every"] if digest else None,
        "quiet": f"{quiet['since']}-{quiet['until']} {quiet['timezone']}" if quiet else None,
        "enabled": yes_no(row["enabled"]),
    }


@group.command("test")
def recipients_test(id: Id, as_json: AsJson = False) -> None:
    """Send a message that only tries the channel. Exits 1 if it is not taken.

    Example: retour recipients test ops
    """
    settings = load_settings()
    store, clock = settings.store(must_exist=True), settings.make_clock()
    with store.reading() as reader:
        recipient = recipient_of(reader, id)
    message = trial(id, clock.wall())
    if recipient.url == TO_MQTT:
        with store.writing() as tx:
            leave(tx, TRIAL, message)
        outcome = Outcome(True, LEFT)
    else:
        with closing(settings.channels(clock)) as channels:
            outcome = channels.send(recipient, message)
    taken = outcome.ok if as_json else yes_no(outcome.ok)
    show({"id": message.id, "ok": taken, "told": outcome.told}, as_json)
    if not outcome.ok:
        raise typer.Exit(1)


@group.command("remove")
def recipients_remove(id: Id) -> None:
    """Tell somebody nothing any more, nor what still waits.

    Example: retour recipients remove ops
    """
    settings = load_settings()
    with settings.store(must_exist=True).writing() as tx:
        dismiss(tx, id, settings.act())
    say(f"{id} is told nothing any more")


def deliveries(
    state: Annotated[State | None, typer.Option(help="waiting, gathered, sent or parked.")] = None,
    recipient: Annotated[str | None, typer.Option(help="Only those to this recipient.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="How many of the newest at most.")] = 100,
    again: Annotated[
        str | None, typer.Option("--retry", metavar="ID", help="Send a parked one after all.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """List what was told of alerts and to whom, what waits, and what was given up.

    Example: retour deliveries --state parked
    """
    if again is not None:
        settings = load_settings()
        with settings.store(must_exist=True).writing() as tx:
            found = [retry(tx, again, settings.act())]
    else:
        store, _ = opened()
        with store.reading() as reader:
            found = reader.deliveries(None, limit, state, recipient)
    show_rows([delivery_row(one) for one in found], delivery_words, as_json, "no deliveries")


def delivery_row(one: Delivery) -> dict[str, Any]:
    return {
        "id": one.id,
        "recipient": one.recipient,
        "alert": one.alert,
        "event": one.event,
        "kind": one.notice.kind,
        "title": one.notice.title,
        "state": str(one.state),
        "queued": iso(one.queued),
        "due": iso(one.due),
        "lead": one.lead,
        "attempts": [{**attempt._asdict(), "at": iso(attempt.at)} for attempt in one.attempts],
    }


def delivery_words(row: Mapping[str, Any]) -> dict[str, Any]:
    attempts = row["attempts"]
    return {
        "id": row["id"],
        "state": row["state"],
        "queued": legible(row["queued"]),
        "title": row["title"],
        "attempts": len(attempts),
        "last": attempts[-1]["told"] if attempts else None,
    }
