"""`retour alert`: one alert, what happened to it, and what somebody does about it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

import typer

from commands.asking import opened
from commands.settings import load_settings
from commands.show import AsJson, UserError, iso, legible, out, say, show, when
from tracker import alert_book
from tracker.alert_book import UnknownAlert
from tracker.alerts import Alert, Event
from tracker.audit import Act
from tracker.durations import length
from tracker.ports import Writer

group = typer.Typer(no_args_is_help=True, help="One alert, and what is done about it.")
Id = Annotated[str, typer.Argument(help="Its id, as `retour alerts` lists it.")]
TIMES = frozenset(
    ("due", "deadline", "by", "expected", "back", "closed", "entered", "left", "heard", "at")
)  # epoch ms, of what it was decided by
ITS_TIMES = ("since", "opened", "changed", "until")
Note = Annotated[str | None, typer.Option(help="A word for others.")]


@group.command("show")
def alert_show(id: Id, as_json: AsJson = False) -> None:
    """Tell all of an alert: what it is about, what it was decided by, what happened to it.

    Example: retour alert show al_11596bf6a498e47d5236
    """
    store, _ = opened()
    with store.reading() as reader:
        alert = reader.alert(id)
        if alert is None:
            raise UnknownAlert(id)
        events = [one.event for one in reader.alert_events(id)]
    told = alert._asdict() | {"id": id, "state": str(alert.state), "why": dict(alert.why)}
    for name in ITS_TIMES:
        told[name] = iso(told[name])
    told = {name: value for name, value in told.items() if name not in ("told", "gone")}
    happened = [_happened(event) for event in events]
    if as_json:
        show(told | {"events": happened}, as_json)
        return
    told |= {name: at and legible(at) for name in ITS_TIMES for at in [told[name]]}
    told["why"] = ", ".join(f"{name} {_word(name, value)}" for name, value in alert.why.items())
    show({name: value for name, value in told.items() if value is not None}, as_json)
    out.print()
    show([one | {"at": legible(one["at"])} for one in happened], as_json)


def _word(name: str, value: Any) -> Any:
    if name in TIMES and isinstance(value, int):
        return legible(iso(value) or "")
    return f"{value:.2f}" if isinstance(value, float) else value


def _happened(event: Event) -> dict[str, Any]:
    return {
        "at": iso(event.at),
        "what": event.kind,
        "level": event.alert.level,
        "by": event.by,
        "note": event.note,
    }


@group.command("acknowledge")
def alert_acknowledge(id: Id, note: Note = None) -> None:
    """Take an alert on: it is no longer repeated.

    Example: retour alert acknowledge al_11596bf6a498e47d5236 --note "called them"
    """
    _do(lambda tx, act: alert_book.acknowledge(tx, id, note, act))


@group.command("snooze")
def alert_snooze(
    id: Id,
    until: Annotated[
        str | None, typer.Option(metavar="TIME", help="Until this time, or the day's beginning.")
    ] = None,
    for_: Annotated[
        str | None, typer.Option("--for", metavar="LENGTH", help="For so long: 90 min, 24 h, 3 d.")
    ] = None,
    note: Note = None,
) -> None:
    """Hear nothing of an alert for a while.

    Example: retour alert snooze al_11596bf6a498e47d5236 --for "3 d"
    """
    if (until is None) == (for_ is None):
        raise UserError("say either --until or --for")
    if for_ is None:
        at = when(until or "")
        _do(lambda tx, act: alert_book.snooze(tx, id, at, note, act))
        return
    lasting = _length(for_)
    _do(lambda tx, act: alert_book.snooze(tx, id, act.now + lasting, note, act))


def _length(text: str) -> int:
    try:
        return length(text)
    except ValueError as error:
        raise UserError(f"--for: {error}") from None


@group.command("resolve")
def alert_resolve(id: Id, note: Note = None) -> None:
    """Say that an alert was seen to. It is told anew only when what it says comes again.

    Example: retour alert resolve al_11596bf6a498e47d5236 --note "they bought it"
    """
    _do(lambda tx, act: alert_book.resolve(tx, id, note, act))


@group.command("comment")
def alert_comment(
    id: Id, note: Annotated[str, typer.Argument(help="What there is to say.")]
) -> None:
    """Say something about an alert.

    Example: retour alert comment al_11596bf6a498e47d5236 "they look for it"
    """
    _do(lambda tx, act: alert_book.comment(tx, id, note, act))


def _do(action: Callable[[Writer, Act], Alert]) -> None:
    settings = load_settings()
    with settings.store(must_exist=True).writing() as tx:
        alert = action(tx, settings.act())
    say(f"{alert.id} ({alert.rule} of {alert.asset}) is {alert.state}")
