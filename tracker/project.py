"""Use case: from now on a time-series store is told of what is logged, or no more."""

from __future__ import annotations

from tracker.audit import Act, audited
from tracker.ports import Writer


def project(tx: Writer, on: bool, act: Act) -> bool:
    """Begin, or end: then what waits to be told is forgotten. Whether that changes anything."""
    if tx.projected() == on:
        return False
    tx.project(act.now if on else None)
    # The line tells other processes too: they look whether the audit log has grown.
    audited(tx, act, "project", "log", "points", {"on": not on}, {"on": on})
    return True
