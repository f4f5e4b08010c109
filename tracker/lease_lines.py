"""Use cases: what happens to a line of a lease after it was agreed.

It is extended, an asset is dispatched for it, handed on or swapped, and it ends: its asset comes
back, or it is cancelled. Each is agreed once more, and nothing of it is ever taken back.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import date, datetime
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from tracker.audit import Act
from tracker.lease_book import BadLease, Calendar, ended
from tracker.lease_clash import clash, in_words
from tracker.lease_record import Step, ending, with_lines, write
from tracker.leases import Agreement, End, Lease, Line, starts_at
from tracker.model import Asset
from tracker.past import past_of
from tracker.ports import Writer
from tracker.queries import known_lease
from tracker.registry import Conflict, Outdated, Unregistered
from tracker.stamps import FUTURE_TOLERATED
from tracker.times import iso


class UnknownLine(Exception):
    """A lease has no line of that id."""

    def __init__(self, lease: str, line: str) -> None:
        super().__init__(f"lease {lease} has no line {line}")


class Event(NamedTuple):
    """That something happens to a line: `at` an event time (epoch ms; None: now), with a note.
    `expected` is the version that the lease must have (None: any)."""

    lease: str
    line: str
    at: int | None = None
    note: str | None = None
    expected: int | None = None


def extend(tx: Writer, act: Act, event: Event, due: date) -> Lease:
    """Let a line be due on another day. Of extensions the one that was agreed last holds, in
    whatever order they become known. Raises BadLease where it would be due before it begins."""
    lease, line, at = _open(tx, act, event)
    if due < line.start:
        raise BadLease(f"line {line.id} begins on {line.start}: it cannot be due on {due}")
    agreed = _agreed(act, event, at, "extended", {"due": due.isoformat()})
    day = extended_due([*tx.agreements(lease.id), agreed], line.id)
    calendar = Calendar(tx.layout().sites())
    moved = replace(line, due=day, due_at=calendar.due_at(day, lease))
    return _write(tx, act, Step("extend", lease, with_lines(lease, moved), (agreed,)))


def extended_due(agreements: Iterable[Agreement], line: str) -> date:
    """The due day by the latest of a line's extensions since it was stated; there must be one.

    >>> agreed = [Agreement("L", "1", "extended", at, 0, "", {"due": f"2026-01-{at:02}"})
    ...     for at in (7, 9, 8)]
    >>> extended_due(agreed, "1")
    datetime.date(2026, 1, 9)
    """
    days = list[tuple[int, str]]()
    for one in agreements:
        if one.line == line and one.kind == "leased":
            days = []
        elif one.line == line and one.kind == "extended":
            days.append((one.at, one.body["due"]))
    latest = max(at for at, _ in days)
    return date.fromisoformat([due for at, due in days if at == latest][-1])


def give_back(tx: Writer, act: Act, event: Event, to: str | None = None) -> Lease:
    """Close a line, for its asset has come back: to a site, if that is told."""
    lease, line, at = _open(tx, act, event)
    if at < line.start_at:
        raise BadLease(
            f"line {line.id} begins on {line.start}: its asset cannot have come back at {iso(at)}; "
            "cancel it"
        )
    if line.asset is None:
        raise Conflict(f"line {line.id} has no asset yet: dispatch one, or cancel it")
    if to is not None:
        _need_site(tx, to)
    return _end(tx, act, event, (lease, line), End("returned", at), {"to": to})


def cancel(tx: Writer, act: Act, event: Event) -> Lease:
    """Close a line that is not wanted any more."""
    lease, line, at = _open(tx, act, event)
    return _end(tx, act, event, (lease, line), End("cancelled", at), {})


def dispatch(tx: Writer, act: Act, event: Event, asset: str) -> Lease:
    """Send an asset out for a line: for one that may have any of a class it is this one from now
    on. Raises Conflict where it has another one, or the asset is of another class or on another
    line."""
    lease, line, at = _open(tx, act, event)
    if line.asset not in (None, asset):
        raise Conflict(f"line {line.id} has the asset {line.asset}: swap it")
    known = _need_asset(tx, asset)
    _need_class(line, known)
    sent = replace(line, asset=asset)
    if line.asset is None:
        _need_free(tx, act, sent)
    agreed = _agreed(act, event, at, "dispatched", {"asset": asset})
    return _write(tx, act, Step("dispatch", lease, with_lines(lease, sent), (agreed,)))


def swap(tx: Writer, act: Act, event: Event, asset: str) -> Lease:
    """Give another asset in the place of a line's: the line ends, and a new one begins that day
    which is due as this one was, or at once where that is over."""
    lease, line, at = _open(tx, act, event)
    if line.asset is None:
        raise Conflict(f"line {line.id} has no asset yet: dispatch one")
    if line.asset == asset:
        raise Conflict(f"line {line.id} has the asset {asset} already")
    _need_class(line, _need_asset(tx, asset))
    day = datetime.fromtimestamp(at / 1_000, ZoneInfo(lease.timezone)).date()
    due, calendar = max(line.due, day), Calendar(tx.layout().sites())
    times = (starts_at(day, lease.timezone), calendar.due_at(due, lease))
    new = Line(lease.id, _next_id(lease), asset, line.class_, day, due, *times)
    _need_free(tx, act, new)
    body = {"asset": asset, "line": new.id}
    return _end(tx, act, event, (lease, line), End("swapped", at), body, new)


def hand_over(
    tx: Writer, act: Act, event: Event, to: str, site: str | None, signed: str | None
) -> Lease:
    """Let a partner have a line's asset, who may have those of the lease from then on; where
    that was, and who has signed for it."""
    lease, _, at = _open(tx, act, event)
    if to not in tx.partners():
        raise Unregistered(f"there is no partner {to}")
    if site is not None:
        _need_site(tx, site)
    agreed = _agreed(act, event, at, "handed_over", {"to": to, "site": site, "signed": signed})
    consignees = tuple(dict.fromkeys([*lease.consignees, to]))
    after = replace(with_lines(lease), consignees=consignees)
    return _write(tx, act, Step("hand over", lease, after, (agreed,)))


def _open(tx: Writer, act: Act, event: Event) -> tuple[Lease, Line, int]:
    """The lease and its open line that something happens to, and when it does."""
    lease = known_lease(tx, event.lease)
    if event.expected not in (None, lease.version):
        raise Outdated(f"lease {lease.id}", lease.version)
    line = next((line for line in lease.lines if line.id == event.line), None)
    if line is None:
        raise UnknownLine(lease.id, event.line)
    if line.ended is not None:
        raise Conflict(f"line {line.id} of lease {lease.id} {ended(line)}")
    at = act.now if event.at is None else event.at
    if at > act.now + FUTURE_TOLERATED:
        raise BadLease(f"{iso(at)} lies in the future: it is {iso(act.now)} now")
    return lease, line, at


def _agreed(act: Act, event: Event, at: int, kind: str, body: Mapping[str, Any]) -> Agreement:
    said = {name: one for name, one in (*body.items(), ("note", event.note)) if one is not None}
    return Agreement(event.lease, event.line, kind, at, act.now, act.by, said)


def _end(
    tx: Writer,
    act: Act,
    event: Event,
    what: tuple[Lease, Line],
    end: End,
    body: Mapping[str, Any],
    *new: Line,
) -> Lease:
    said = _agreed(act, event, end.at, end.how, body).body
    step = ending(act, *what, end, said)
    return _write(tx, act, step._replace(after=with_lines(what[0], *step.after.lines, *new)))


def _write(tx: Writer, act: Act, step: Step) -> Lease:
    write(tx, act, [step])
    return step.after


def _need_site(tx: Writer, site: str) -> None:
    if site not in tx.layout().sites():
        raise Unregistered(f"there is no site {site}")


def _need_asset(tx: Writer, asset: str) -> Asset:
    known = tx.asset(asset)
    if known is None:
        raise Unregistered(f"there is no asset {asset}")
    return known


def _need_class(line: Line, asset: Asset) -> None:
    if line.class_ not in (None, asset.class_):
        raise Conflict(
            f"line {line.id} is for a {line.class_}: asset {asset.id} is a {asset.class_}"
        )


def _need_free(tx: Writer, act: Act, line: Line) -> None:
    """Refuse a line whose asset is on another one."""
    assert line.asset is not None
    others = tx.lines_of([line.asset]).get(line.asset, [])
    if others and (found := clash(line, others, past_of(tx, line.asset), act.now)):
        raise Conflict(in_words(found))


def _next_id(lease: Lease) -> str:
    """An id that no line of a lease has."""
    numbers = [int(line.id) for line in lease.lines if line.id.isdecimal()]
    return str(max(numbers, default=len(lease.lines)) + 1)
