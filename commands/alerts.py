"""`retour overdue`, `alerts`: what should be back, and what else needs attention."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import typer

from commands.asking import EVERY, known_customer, known_site, opened
from commands.show import AsJson, iso, legible, show_rows
from tracker.alerts import Alert
from tracker.lease_ports import AlertFilter
from tracker.overdue_lines import OPEN, Overdue, Sort, overdue_lines
from tracker.ports import Reader
from tracker.refold import ALWAYS

BEGINNING = (ALWAYS, "")


def overdue(
    sort: Annotated[Sort, typer.Option(help="What comes first.")] = Sort.DAYS,
    customer: Annotated[str | None, typer.Option(help="What this customer has.")] = None,
    class_: Annotated[str | None, typer.Option("--class", help="Assets of this class.")] = None,
    site: Annotated[str | None, typer.Option(help="Assets that stay at this site.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="How many at most.")] = 100,
    as_json: AsJson = False,
) -> None:
    """List what should be back and is likely still with its customer, the longest overdue first.

    Example: retour overdue --sort value --customer acme
    """
    store, now = opened()
    with store.reading() as reader:
        if customer is not None:
            known_customer(reader, customer)
        if site is not None:
            known_site(reader, site)
        found = overdue_lines(reader, now, limit + 1, sort, None, customer, class_, site)
    rows = [_overdue_row(one) for one in found[:limit]]
    show_rows(rows, _overdue_words, as_json, "nothing is overdue")
    if len(found) > limit:
        typer.echo(f"there are more than {limit}: ask for them with --limit", err=True)


def alerts(
    all_: Annotated[bool, typer.Option("--all", help="Those that are over, too.")] = False,
    rule: Annotated[str | None, typer.Option(help="Of this rule alone.")] = None,
    asset: Annotated[str | None, typer.Option(help="About this asset alone.")] = None,
    severity: Annotated[str | None, typer.Option(help="So severe alone.")] = None,
    as_json: AsJson = False,
) -> None:
    """List what needs attention, those first that have held longest.

    Example: retour alerts --rule overdue
    """
    store, _ = opened()
    wanted = AlertFilter(() if all_ else OPEN, rule, asset, None, severity)
    with store.reading() as reader:
        rows = [_row(one) for one in found(reader, wanted)]
    show_rows(rows, _alert_words, as_json, "nothing needs attention")


def found(reader: Reader, wanted: AlertFilter) -> list[Alert]:
    """All alerts that are asked for."""
    return reader.alerts(wanted, BEGINNING, EVERY)


def _row(alert: Alert) -> dict[str, Any]:
    return {
        "id": alert.id,
        "rule": alert.rule,
        "severity": alert.severity,
        "asset": alert.asset,
        "lease": alert.lease,
        "state": str(alert.state),
        "since": iso(alert.since),
        "level": alert.level,
        "resolution": alert.resolution,
    }


def _alert_words(row: Mapping[str, Any]) -> dict[str, Any]:
    return {**row, "since": legible(row["since"])}


def _overdue_row(one: Overdue) -> dict[str, Any]:
    return {
        "asset": one.asset.id,
        "class": one.asset.class_,
        "lease": one.lease.id,
        "line": one.line.id,
        "customer": one.lease.customer,
        "due": one.line.due.isoformat(),
        "days": one.days,
        "p": one.p,
        "value": one.worth.value,
        "currency": one.worth.currency,
        "level": one.alert.level,
        "state": str(one.alert.state),
        "reasons": one.reasons,
    }


def _overdue_words(row: Mapping[str, Any]) -> dict[str, Any]:
    """A line that is overdue, for people."""
    worth = f"{row['value']:g} {row['currency'] or ''}" if row["value"] is not None else None
    return {
        "asset": row["asset"],
        "line": f"{row['lease']}/{row['line']}",
        "customer": row["customer"],
        "due": row["due"],
        "days": f"{row['days']:.1f}",
        "how likely": f"{row['p']:.0%}" if row["p"] is not None else None,
        "worth": worth,
        "level": row["level"],
        "state": row["state"],
        "why": row["reasons"][-1],
    }
