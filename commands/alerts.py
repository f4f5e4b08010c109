"""`retour overdue`, `alerts`: what should be back, and what else needs attention."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from commands.asking import EVERY, opened
from commands.show import AsJson, iso, show
from tracker.alerts import DAY_MS, OVER, Alert, State
from tracker.lease_ports import AlertFilter
from tracker.overdue import Kind
from tracker.ports import Reader
from tracker.refold import ALWAYS

BEGINNING = (ALWAYS, "")
OPEN = tuple(str(state) for state in State if state not in OVER)


def overdue(as_json: AsJson = False) -> None:
    """List what should be back and is likely still with its customer, the longest overdue first.

    Example: retour overdue
    """
    store, now = opened()
    with store.reading() as reader:
        ids = [rule.id for rule in reader.rules().lines() if rule.kind == Kind.OVERDUE]
        alerts = [one for id in ids for one in found(reader, AlertFilter(OPEN, rule=id))]
        leases = reader.leases_by_id({one.lease or "" for one in alerts})
    rows = [
        {
            "asset": one.asset,
            "lease": one.lease,
            "customer": lease.customer,
            "due": line.due.isoformat(),
            "days": round((now - line.due_at) / DAY_MS, 1),
            "p": one.why.get("p"),
            "level": one.level,
            "state": str(one.state),
        }
        for one in sorted(alerts, key=lambda one: one.since)
        if (lease := leases.get(one.lease or "")) is not None
        for line in lease.lines
        if line.id == one.line
    ]
    show(rows, as_json, none="nothing is overdue")


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
    show(rows, as_json, none="nothing needs attention")


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
