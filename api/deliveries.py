"""Deliveries: what was told to whom of alerts, what waits, and what could not be sent."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query
from pydantic import BaseModel, Field, TypeAdapter

from api.auth import TheCaller
from api.cursors import Cursor, Limit, Listing, Page, RowNumber, cut
from api.problems import documented
from api.times import Time
from tracker import notices
from tracker.enlist import NotParked, UnknownDelivery, retry
from tracker.notices import State

router = APIRouter(prefix="/v1/deliveries", tags=["alerts"])

_deliveries = Listing("deliveries", TypeAdapter(tuple[str, tuple[RowNumber, str]]))


class Attempt(BaseModel):
    """That it was sent, and how that ended."""

    at: Time = Field(description="When, UTC.")
    ok: bool = Field(description="Whether it was taken.", examples=[True])
    told: str = Field(
        description="How it ended, in words; nothing of what was answered.", examples=["HTTP 204"]
    )


class Delivery(BaseModel):
    """Something that happened to an alert, on its way to a recipient."""

    id: str = Field(description="Its id: the same at every attempt.", examples=["ops-17"])
    recipient: str = Field(description="To whom.", examples=["ops"])
    alert: str = Field(description="Of which alert.", examples=["A1:L1/1:overdue:1"])
    event: int = Field(description="The number of the alert's event.", examples=[17])
    kind: str = Field(description="What happened to the alert.", examples=["opened"])
    title: str = Field(description="The first line of it.", examples=["A1 is overdue"])
    state: State = Field(
        description="`waiting`, `sent`, `parked` (given up after many attempts), or `gathered`: in "
        "the message of `lead`.",
        examples=["sent"],
    )
    queued: Time = Field(description="When it was queued, UTC.")
    due: Time = Field(description="When it is sent, or is to be tried next, UTC.")
    lead: str | None = Field(
        description="The delivery in whose message it travels; null: not decided yet.",
        examples=["ops-17"],
    )
    attempts: list[Attempt] = Field(description="How often it was sent, the first attempt first.")


class DeliveryPage(Page[Delivery]):
    """Deliveries, newest first."""


@router.get("")
def list_deliveries(
    caller: TheCaller,
    state: Annotated[
        State | None, Query(description="Only those in this state.", examples=["parked"])
    ] = None,
    recipient: Annotated[
        str | None, Query(description="Only those to this recipient.", examples=["ops"])
    ] = None,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> DeliveryPage:
    """What was told of alerts, what waits and what was given up, newest first."""
    before = _deliveries.position(cursor, state, recipient)
    with caller.reading() as reader:
        rows, last = cut(reader.deliveries(before, limit + 1, state, recipient), limit)
    return DeliveryPage(
        items=[_shown(one) for one in rows],
        next=_deliveries.cursor((last.queued, last.id), state, recipient) if last else None,
    )


@router.post("/{delivery}/retry", responses=documented(UnknownDelivery, NotParked))
def retry_delivery(
    caller: TheCaller,
    delivery: Annotated[str, Path(description="The delivery's id.", examples=["ops-17"])],
) -> Delivery:
    """Send after all what was given up, at once and as often as at first, with what travels in the
    same message."""
    with caller.writing() as (tx, act):
        return _shown(retry(tx, delivery, act))


def _shown(one: notices.Delivery) -> Delivery:
    names = ("id", "recipient", "alert", "event", "state", "queued", "due", "lead")
    told = {name: getattr(one, name) for name in names}
    attempts = [Attempt(**attempt._asdict()) for attempt in one.attempts]
    return Delivery(**told, kind=one.notice.kind, title=one.notice.title, attempts=attempts)
