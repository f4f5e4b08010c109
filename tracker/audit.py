"""The audit log: who changed what, when, from what to what."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from tracker.ports import Writer


class Act(NamedTuple):
    """Somebody's act: `by` an API key or a person at a terminal, at `now` by the domain's clock
    and at `wall` in real time (epoch ms)."""

    by: str
    now: int
    wall: int


PROGRAM = Act("retour", 0, 0)
"""What the program sets up by itself, for a demo or a replay, as if it had always been."""


class Change(NamedTuple):
    """A line of the audit log. `before` or `after` is None where there was or is nothing."""

    at: int
    by: str
    action: str
    kind: str
    subject: str
    before: Mapping[str, Any] | None
    after: Mapping[str, Any] | None


def audited(
    tx: Writer,
    act: Act,
    action: str,
    kind: str,
    subject: str,
    before: Mapping[str, Any] | None,
    after: Mapping[str, Any] | None,
) -> None:
    """Write an act into the audit log."""
    tx.audit([Change(act.wall, act.by, action, kind, subject, before, after)])
