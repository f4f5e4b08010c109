"""`retour report fleet`: the fleet's figures of a period, as a table, a page or a file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from commands.asking import Since, Until, known_customer, known_site, opened, period
from commands.fleet_page import counts_of, fleet_page, title_of, words_of
from commands.show import AsJson, count, legible, show
from tracker.fleet import Asked, By, Report, fleet_report
from tracker.fleet_table import as_csv, rows
from tracker.times import iso


def report_fleet(
    since: Since = None,
    until: Until = None,
    class_: Annotated[str | None, typer.Option("--class", help="Assets of this class.")] = None,
    site: Annotated[str | None, typer.Option(help="Trips to this site, stays there.")] = None,
    partner: Annotated[str | None, typer.Option(help="What went to this partner.")] = None,
    by: Annotated[By | None, typer.Option(help="A group for each of these.")] = None,
    safety: Annotated[
        float, typer.Option("--safety-stock", min=0, help="Assets, in the fleet size.")
    ] = 0,
    html: Annotated[Path | None, typer.Option(help="Write a page with plots.")] = None,
    table: Annotated[Path | None, typer.Option("--csv", help="Write a table.")] = None,
    as_json: AsJson = False,
) -> None:
    """Tell the fleet's figures of a period, each with its formula and counts: return rates, times,
    turns, losses, recovery. From the first observation up to now, where no period is given.

    Example: retour report fleet --from 2026-01-01 --to 2026-04-01 --by class --html fleet.html
    """
    store, now = opened()
    until = now if until is None else min(until, now)  # nothing has happened after now
    period(since, until)
    with store.reading() as reader:
        if site is not None:
            known_site(reader, site)
        if partner is not None:
            known_customer(reader, partner)
        report = fleet_report(reader, Asked(until, since, class_, site, partner, by, safety))
    if html is not None:
        html.write_text(fleet_page(report, now), encoding="utf-8")
    if table is not None:
        table.write_text(as_csv(report), encoding="utf-8", newline="")
    for file in (html, table):
        if file is not None:
            groups = count(len(report.groups), "group")
            typer.echo(f"{file} tells the figures of {groups}")
    if as_json or (html is None and table is None):
        _show(report, as_json)
    if report.stale:
        typer.echo(
            f"{report.stale} assets wait to be folded again: their past may change", err=True
        )


def _show(report: Report, as_json: bool) -> None:
    if as_json:
        show([*rows(report)], as_json)
        return
    since, until = legible(iso(report.period.since)), legible(iso(report.period.until))
    typer.echo(f"from {since} to {until}")
    words = [
        {"group": group.key or "", "figure": title_of(one)}
        | {"value": words_of(one), "counts": counts_of(one)}
        | {"formula": one.measure.formula if one.why is None else f"not known: {one.why}"}
        for group in report.groups
        for one in group.figures
    ]
    show(words, as_json, "no class, site or partner has any figure")
