"""`retour dead-letters`, `retour quarantine`: what came in and has no effect, and why."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any

import typer

from commands.asking import opened
from commands.show import AsJson, iso, legible, out, say, show, show_rows
from tracker.model import DeadLetter, Quarantined
from tracker.ports import Reader

PAGE = 1_000
Reason = Annotated[str | None, typer.Option(help="Only what has this reason.")]
Limit = Annotated[int, typer.Option(min=1, help="How many of the newest at most.")]


def dead_letters(reason: Reason = None, limit: Limit = 100, as_json: AsJson = False) -> None:
    """List the dead letters: what came and could not be understood, the newest first.

    Example: retour dead-letters --reason not_json
    """
    store, _ = opened()
    with store.reading() as reader:
        found = reader.dead_letters(None, limit, reason=reason)
    rows = [letter_row(number, letter) for number, letter in found]
    show_rows(rows, trouble_words, as_json, "no dead letters")


def letter_row(number: int, letter: DeadLetter) -> dict[str, Any]:
    return {
        "id": number,
        "received": iso(letter.received),
        "device": letter.device,
        "reason": letter.reason,
        "detail": letter.detail,
        "topic": letter.topic,
        "boot": letter.boot,
        "seq": letter.seq,
        "event": letter.event,
        "size": letter.size,
        "payload": letter.payload.decode(errors="replace"),
    }


def quarantine(reason: Reason = None, limit: Limit = 100, as_json: AsJson = False) -> None:
    """List the quarantine: devices that nobody has registered, and what is held back.

    Example: retour quarantine
    """
    store, _ = opened()
    with store.reading() as reader:
        strangers = list(unknown_devices(reader))
        held = [held_row(*one) for one in reader.held_back(None, limit, reason=reason)]
    if as_json:
        show({"unknown_devices": strangers, "held": held}, as_json)
        return
    if strangers:
        say("Nobody has registered these: `retour device create ID` lets in what they sent")
        show_rows(strangers, stranger_words, as_json, "none")
        out.print()
    show_rows(held, trouble_words, as_json, "nothing is held back")


def unknown_devices(reader: Reader) -> Iterator[dict[str, Any]]:
    """The devices in quarantine that are not registered, by id."""
    after = ""
    while page := reader.strangers(after, PAGE):
        for id, observations, first, last in page:
            yield {
                "device": id,
                "observations": observations,
                "first_received": iso(first),
                "last_received": iso(last),
            }
        after = page[-1][0]


def held_row(number: int, held: Quarantined) -> dict[str, Any]:
    observation = held.observation
    return {
        "id": number,
        "received": iso(observation.received),
        "device": observation.device,
        "reason": held.reason,
        "detail": held.detail,
        "kind": str(observation.kind),
        "subject": observation.subject,
        "stamp": iso(observation.stamp),
        "boot": observation.boot,
        "seq": observation.seq,
        "event": observation.event,
    }


def stranger_words(row: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "device": row["device"],
        "observations": row["observations"],
        "first received": legible(row["first_received"]),
        "last received": legible(row["last_received"]),
    }


def trouble_words(row: Mapping[str, Any]) -> dict[str, Any]:
    """What went wrong with something, for people."""
    names = ("id", "received", "device", "reason", "detail")
    return {name: row[name] for name in names} | {"received": legible(row["received"])}
