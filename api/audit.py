"""The audit log: who changed what, when, from what to what."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field, TypeAdapter

from api.auth import TheCaller
from api.cursors import Cursor, Limit, Listing, Page, RowNumber, cut
from api.times import Time
from tracker import audit

router = APIRouter(prefix="/v1/audit", tags=["administration"])

Kind = Literal[
    "asset",
    "device",
    "binding",
    "site",
    "zone",
    "reader",
    "partner",
    "lease",
    "fact",
    "rules",
    "alert",
    "dead letters",
    "quarantine",
    "key",
    "recipient",
    "delivery",
]
_changes = Listing("audit", TypeAdapter(tuple[str, RowNumber]))


class Change(BaseModel):
    """A change that somebody made."""

    id: int = Field(description="Its number; the newest has the greatest.", examples=[17])
    at: Time = Field(description="When it was made, UTC, in real time.")
    by: str = Field(description="Who made it.", examples=["key console (key_3f2a9c0d1e4b)"])
    action: str = Field(description="What was done.", examples=["change"])
    kind: str = Field(description="To what sort of thing.", examples=["asset"])
    subject: str = Field(description="To which one.", examples=["pallet-1"])
    before: dict[str, Any] | None = Field(
        description="What it was; null: there was none.", examples=[{"class": "pallet"}]
    )
    after: dict[str, Any] | None = Field(
        description="What it is since; null: there is none.", examples=[{"class": "crate"}]
    )


class AuditPage(Page[Change]):
    """Changes, newest first."""


@router.get("")
def list_changes(
    caller: TheCaller,
    kind: Annotated[
        Kind | None, Query(description="Only changes of this sort of thing.", examples=["asset"])
    ] = None,
    subject: Annotated[
        str | None,
        Query(description="Only changes of the thing of this id.", examples=["pallet-1"]),
    ] = None,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> AuditPage:
    """Who changed what, newest first."""
    before = _changes.position(cursor, kind, subject)
    with caller.reading("admin") as reader:
        rows, last = cut(reader.changes(before, limit + 1, kind, subject), limit)
    return AuditPage(
        items=[_change(*row) for row in rows],
        next=_changes.cursor(last[0], kind, subject) if last else None,
    )


def _change(number: int, change: audit.Change) -> Change:
    return Change.model_validate({"id": number, **change._asdict()})
