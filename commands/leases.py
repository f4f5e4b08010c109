"""`retour leases`: who has what until when, and what of it has come back."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Annotated, Any

import typer

from commands.asking import did_you_mean, opened
from commands.settings import load_settings
from commands.show import AsJson, UserError, count, iso, legible, out, say, show, show_rows, when
from commands.trial import trial
from tracker.lease_book import LeasesRefused, save_leases
from tracker.lease_csv import BadRow, BadTable, read_table
from tracker.lease_lines import Event, extend, give_back
from tracker.lease_record import lease_fields, line_fields
from tracker.leases import Agreement, Lease, Line
from tracker.overdue import Return
from tracker.past import came_back
from tracker.queries import every_lease, known_lease
from tracker.times import iso as iso_of

group = typer.Typer(no_args_is_help=True, help="Leases: who has what until when.")

LeaseId = Annotated[str, typer.Argument(metavar="LEASE", help="Its id.", show_default=False)]
At = Annotated[
    int | None,
    typer.Option(parser=when, metavar="TIME", help="When that was.", show_default="now"),
]
Note = Annotated[str | None, typer.Option("--note", help="What else there is to say.")]


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise UserError(f"{text!r:.60} is no date: write it like 2026-01-05") from None


@group.command("list")
def leases_list(
    customer: Annotated[str | None, typer.Option(help="Only those of a partner.")] = None,
    open_only: Annotated[
        bool, typer.Option("--open", help="Only those of which something has not come back.")
    ] = False,
    limit: Annotated[int, typer.Option(min=1, help="How many at most.")] = 100,
    as_json: AsJson = False,
) -> None:
    """List leases: whose they are, how many of their lines came back, what is due next.

    Example: retour leases list --customer acme --open
    """
    store, _ = opened()
    with store.reading() as reader:
        partners = reader.partners()
        if customer is not None and customer not in partners:
            raise UserError(f"there is no partner {customer}{did_you_mean(customer, partners)}")
        found = list[Lease]()
        for lease in every_lease(reader, customer):
            if len(found) > limit:
                break
            if not open_only or _next_due(lease) is not None:
                found.append(lease)
    rows = [lease_row(lease) for lease in found[:limit]]
    show_rows(rows, lease_words, as_json, "there is no lease")
    if len(found) > limit:
        typer.echo(f"there are more than {limit}: ask for them with --limit", err=True)


def lease_row(lease: Lease) -> dict[str, Any]:
    """A lease in a list."""
    returned, lines = lease.returned
    due = _next_due(lease)
    return {
        "id": lease.id,
        "customer": lease.customer,
        "site": lease.sites[0],
        "returned": returned,
        "lines": lines,
        "next_due": None if due is None else due.due.isoformat(),
        "next_due_at": None if due is None else iso(due.due_at),
    }


def lease_words(row: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "id": row["id"],
        "customer": row["customer"],
        "site": row["site"],
        "returned": f"{row['returned']} of {row['lines']}",
        "next due": row["next_due"],
    }


def _next_due(lease: Lease) -> Line | None:
    waiting = [line for line in lease.lines if line.ended is None]
    return min(waiting, key=lambda line: line.due_at, default=None)


@group.command("show")
def leases_show(lease: LeaseId, as_json: AsJson = False) -> None:
    """Tell all of a lease: its lines, which were seen back, and what was ever agreed.

    Example: retour leases show L1
    """
    store, _ = opened()
    with store.reading() as reader:
        known = known_lease(reader, lease)
        agreed = reader.agreements(lease)
        seen = {line.id: came_back(reader, line) for line in known.lines}
    lines = [line_row(line, seen[line.id]) for line in known.lines]
    if as_json:
        told = {"id": known.id, **lease_fields(known), "version": known.version, "lines": lines}
        show({**told, "agreements": [agreement_row(one) for one in agreed]}, as_json)
        return
    returned, wanted = known.returned
    head = {"lease": known.id, "customer": known.customer, "sites": ", ".join(known.sites)}
    head |= {"days of": known.timezone, "returned": f"{returned} of {wanted}"}
    show(head, as_json)
    out.print()
    show([line_words(row) for row in lines], as_json)
    out.print()
    show([agreement_words(agreement_row(one)) for one in agreed], as_json)


def line_row(line: Line, seen: Return | None) -> dict[str, Any]:
    """A line of a lease, and when its asset was seen back."""
    end = None if line.ended is None else {"how": line.ended.how, "at": iso(line.ended.at)}
    back = None if seen is None else iso(seen.at)
    return {**line_fields(line), "due_at": iso(line.due_at), "ended": end, "seen_back": back}


def line_words(row: Mapping[str, Any]) -> dict[str, Any]:
    end = row["ended"]
    return {
        "line": row["id"],
        "asset": row["asset"] or f"any {row['class']}",
        "from": row["from"],
        "due": row["due"],
        "": "open" if end is None else f"{end['how']} {legible(end['at'])}",
        "seen back": row["seen_back"] and legible(row["seen_back"]),
    }


def agreement_row(one: Agreement) -> dict[str, Any]:
    """Something that was agreed."""
    told = {"line": one.line, "kind": one.kind, "at": iso(one.at), "recorded": iso(one.recorded)}
    return told | {"by": one.by, "body": dict(one.body)}


def agreement_words(row: Mapping[str, Any]) -> dict[str, Any]:
    said = ", ".join(f"{key} {value}" for key, value in row["body"].items() if value is not None)
    return {
        "at": legible(row["at"]),
        "line": row["line"],
        "agreed": row["kind"].replace("_", " "),
        " ": said,
        "by": row["by"],
    }


@group.command("extend")
def leases_extend(
    lease: LeaseId,
    line: Annotated[str, typer.Argument(help="The line.", show_default=False)],
    due: Annotated[date, typer.Option(parser=_day, metavar="DATE", help="Its new last day.")],
    at: At = None,
    note: Note = None,
) -> None:
    """Let a line of a lease be due on another day. The extension that was agreed last holds.

    Example: retour leases extend L1 2 --due 2026-03-02
    """
    settings = load_settings()
    with settings.store(must_exist=True).writing() as tx:
        changed = extend(tx, settings.act(), Event(lease, line, at, note), due)
    (now,) = (one for one in changed.lines if one.id == line)
    say(f"line {line} of lease {lease} is due on {now.due}, until {legible(iso_of(now.due_at))}")


@group.command("return")
def leases_return(
    lease: LeaseId,
    lines: Annotated[list[str], typer.Argument(metavar="LINE...", help="The lines.")],
    to: Annotated[str | None, typer.Option(help="The site that it came back to.")] = None,
    at: At = None,
    note: Note = None,
) -> None:
    """Close lines of a lease, for their assets have come back: all of them, or none.

    Example: retour leases return L1 1 2 --to depot --at 2026-01-05T08:00:00Z
    """
    settings = load_settings()
    act = settings.act()
    with settings.store(must_exist=True).writing() as tx:
        for line in lines:
            changed = give_back(tx, act, Event(lease, line, at, note), to)
    returned, wanted = changed.returned
    say(f"lease {lease}: {returned} of {wanted} returned")


@group.command("import")
def leases_import(
    file: Annotated[Path, typer.Argument(help="The table, as CSV.", show_default=False)],
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only say what it would change.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Register and change the leases of a table: all of them, or nothing and every fault.

    Example: retour leases import leases.csv --dry-run
    """
    settings = load_settings()
    try:
        table = read_table(file.read_text(encoding="utf-8"))
        with trial(settings.store(must_exist=True), dry_run) as tx:
            try:
                saved = save_leases(tx, table.leases, settings.act())
            except LeasesRefused as refused:
                faults = [_at_row(table.rows, *flaw) for flaw in refused.flaws]
                raise BadTable(sorted(faults)) from None
    except UnicodeDecodeError:
        raise UserError(f"{file} is not UTF-8: save it as that") from None
    except BadTable as bad:
        for row, detail in bad.faults:
            print(f"{file}:{row}: {detail}", file=sys.stderr)  # noqa: T201
        raise UserError(f"{file} is not imported: {count(len(bad.faults), 'fault')}") from None
    rows = [{"action": a, "lease": one.id, "changed": [*changed]} for a, one, changed in saved]
    actions = [row["action"] for row in rows]
    counts = {action: actions.count(action) for action in ("create", "change", "same")}
    if as_json:
        show({"dry_run": dry_run, **counts, "leases": rows}, as_json)
        return
    told = f"{counts['create']} new, {counts['change']} changed, {counts['same']} the same"
    say(f"{told}{'; nothing is stored: this was a dry run' if dry_run else ''}")


def _at_row(rows: list[list[int]], place: int, path: tuple[str | int, ...], error: Any) -> BadRow:
    """What is wrong with a lease, by the row of the line that it is about, else by its first."""
    match path:
        case ("lines", int(n), *_):
            return BadRow(rows[place][n], str(error))
    return BadRow(rows[place][0], str(error))
