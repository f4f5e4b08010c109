"""`retour forecast`: which lease lines are likely to come back late."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import typer

from commands.asking import known_customer, opened
from commands.show import AsJson, iso, legible, show_rows
from tracker.asset_ports import UNKNOWN
from tracker.explain import stage_words
from tracker.late_lines import Expected, late_lines, learn


def forecast(
    customer: Annotated[str | None, typer.Option(help="Lines of this customer.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="How many at most.")] = 100,
    as_json: AsJson = False,
) -> None:
    """Tell how likely each lease line under way comes back late, the likeliest first, and when it
    will be back.

    Example: retour forecast --customer acme
    """
    store, now = opened()
    with store.reading() as reader:
        if customer is not None:
            known_customer(reader, customer)
        found = late_lines(reader, now, learn(reader, now), customer)
        stale = reader.stale_count()
    rows = [line_row(one) for one in found[:limit]]
    show_rows(rows, line_words, as_json, "no lease line is under way")
    if len(found) > limit:
        typer.echo(f"there are more than {limit}: ask for them with --limit", err=True)
    if stale:
        typer.echo(f"{stale} assets wait to be folded again: they may be elsewhere", err=True)


def line_row(one: Expected) -> dict[str, Any]:
    """A line under way, as the API tells it."""
    names = ("earliest", "expected", "latest")
    return {
        "lease": one.lease.id,
        "line": one.line.id,
        "customer": one.lease.customer,
        "asset": one.line.asset,
        "due": iso(one.line.due_at),
        "late_from": iso(one.deadline),
        "p_late": one.p,
        "back": dict(zip(names, map(iso, one.back), strict=True)),
        "stage": one.stage,
        "since": iso(one.since),
        "customer_rate": one.customer.mean,
        "sentence": one.sentence,
    }


def line_words(row: Mapping[str, Any]) -> dict[str, Any]:
    """A line under way, for people."""
    back = row["back"]
    return {
        "line": f"{row['lease']}/{row['line']}",
        "asset": row["asset"],
        "stage": stage_words(row["stage"] or UNKNOWN),
        "late from": legible(row["late_from"]),
        "how likely late": f"{row['p_late']:.0%}",
        "probably back by": legible(back["expected"]) if back["expected"] else None,
        "nearly surely by": legible(back["latest"]) if back["latest"] else None,
        "why": row["sentence"],
    }
