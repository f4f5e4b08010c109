"""How a change of leases is written down: as they are then, what was agreed, and who did it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

from tracker.audit import Act, Change
from tracker.leases import Agreement, End, Lease, Line

if TYPE_CHECKING:
    from tracker.ports import Writer


class Step(NamedTuple):
    """A lease before a change (None: it is new) and after it, and what was agreed."""

    action: str
    before: Lease | None
    after: Lease
    agreed: tuple[Agreement, ...]


def write(tx: Writer, act: Act, steps: Sequence[Step]) -> None:
    """Write changes of leases, each of another one, and have their assets looked at again."""
    for step in steps:
        tx.put_lease(step.after)
    tx.agree([one for step in steps for one in step.agreed])
    tx.audit([_audited(act, step) for step in steps])
    concerned = {asset for step in steps for asset in _concerned(step)}
    tx.set_timers(dict.fromkeys(sorted(concerned), act.now))


def end_on_paper(tx: Writer, act: Act, ended: Iterable[tuple[str, int]]) -> None:
    """Close the line that each of some assets is on at an event time (epoch ms), where there is
    an open one: somebody has stated that its lease has ended then."""
    stated = list(ended)
    if stated:
        tx.lock_leases()
    for asset, at in stated:
        lines = tx.lines_of([asset]).get(asset, [])
        begun = [line for line in lines if line.ended is None and line.start_at <= at]
        if begun:
            lease = tx.leases_by_id([begun[-1].lease])[begun[-1].lease]
            write(tx, act, [ending(act, lease, begun[-1], End("returned", at), {"by": "fact"})])


def ending(act: Act, lease: Lease, line: Line, end: End, body: Mapping[str, Any]) -> Step:
    """The change by which a line ends."""
    agreed = Agreement(lease.id, line.id, end.how, end.at, act.now, act.by, body)
    return Step(end.how, lease, with_lines(lease, replace(line, ended=end)), (agreed,))


def with_lines(lease: Lease, *lines: Line) -> Lease:
    """A lease of the next version, with some lines as they are given or in addition."""
    by_id = {line.id: line for line in (*lease.lines, *lines)}
    return replace(lease, lines=in_order(by_id.values()), version=lease.version + 1)


def in_order(lines: Iterable[Line]) -> tuple[Line, ...]:
    """Lines by when they begin."""
    return tuple(sorted(lines, key=lambda line: (line.start_at, line.id)))


def _concerned(step: Step) -> set[str]:
    """The assets of lines that differ, or where the lease itself does, of all."""
    before = set(step.before.lines) if step.before else set[Line]()
    changed = before ^ {*step.after.lines}
    if step.before is None or lease_fields(step.before) != lease_fields(step.after):
        changed = before | {*step.after.lines}
    return {line.asset for line in changed if line.asset is not None}


def _audited(act: Act, step: Step) -> Change:
    """The line of the audit log: the lease, and those of its lines that differ."""
    before = set(step.before.lines) if step.before else set[Line]()
    after = {*step.after.lines}
    was = _told(step.before, before - after) if step.before else None
    told = _told(step.after, after - before)
    return Change(act.wall, act.by, step.action, "lease", step.after.id, was, told)


def _told(lease: Lease, lines: Iterable[Line]) -> dict[str, Any]:
    return {**lease_fields(lease), "lines": [line_fields(line) for line in in_order(lines)]}


def lease_fields(lease: Lease) -> dict[str, Any]:
    """What people say of a lease but for its lines."""
    return {
        "customer": lease.customer,
        "sites": [*lease.sites],
        "timezone": lease.timezone,
        "return_to": lease.return_to,
        "grace_h": lease.grace_h,
        "open_days": lease.open_days,
        "consignees": [*lease.consignees],
        "attributes": dict(lease.attributes),
    }


def line_fields(line: Line) -> dict[str, Any]:
    """What people say of a line."""
    return {
        "id": line.id,
        "asset": line.asset,
        "class": line.class_,
        "from": line.start.isoformat(),
        "due": line.due.isoformat(),
        "ended": None if line.ended is None else line.ended._asdict(),
    }
