"""Quarantine: observations that are held back until a person decides."""

from __future__ import annotations

from typing import Any

import orjson
from fastapi import APIRouter
from pydantic import BaseModel, Field, TypeAdapter

from api.auth import TheCaller
from api.cursors import BadCursor, Cursor, Limit, Listing, Page, RowNumber, cut
from api.problems import EVERYWHERE, documented
from api.times import Time
from tracker import model
from tracker.model import Kind

router = APIRouter(prefix="/v1/quarantine", tags=["what went wrong"])

_held = Listing("quarantine", TypeAdapter(tuple[str, RowNumber]))


class Observation(BaseModel):
    """What a device saw, and when."""

    key: str = Field(
        description="What identifies it for ever.", examples=["15acfcc82ad2ea0b7a76c5c1b1dd33e6"]
    )
    kind: Kind = Field(description="What sort of observation it is.", examples=["fix"])
    subject: str = Field(
        description="What was seen: the tag of a read, else the device.", examples=["trk-1"]
    )
    device: str = Field(description="The device that saw it.", examples=["trk-1"])
    boot: str | None = Field(description="The device's boot.", examples=["9f3a01c2"])
    seq: int | None = Field(description="Its message's number.", examples=[1041])
    event: int = Field(description="Its place in the message, from 0.", examples=[0])
    stamp: Time = Field(description="The device's own time stamp, UTC.")
    at: Time = Field(description="Event time, UTC: the stamp, less what the clock is ahead.")
    sent: Time | None = Field(description="When the device sent it, UTC, by its own clock.")
    received: Time = Field(description="When it came in, UTC.")
    what: dict[str, Any] = Field(
        description="What was observed, in the units of the wire.",
        examples=[{"lat": 51.92, "lon": 4.48, "acc": 7.5}],
    )


class Quarantined(BaseModel):
    """An observation that is held back, and why."""

    id: int = Field(description="Its number; the newest has the greatest.", examples=[17])
    reason: str = Field(description="Why, as a word.", examples=["unknown_device"])
    detail: str = Field(description="Why, in full.", examples=["no device trk-1 is registered"])
    observation: Observation = Field(description="What is held back.")


class QuarantinePage(Page[Quarantined]):
    """Observations held back, newest first."""


@router.get("", responses=documented(*EVERYWHERE, BadCursor))
def list_quarantine(caller: TheCaller, limit: Limit = 100, cursor: Cursor = None) -> QuarantinePage:
    """What is held back until a person decides, newest first."""
    before = _held.position(cursor)
    with caller.reading() as reader:
        rows, last = cut(reader.held_back(before, limit + 1), limit)
    return QuarantinePage(
        items=[_quarantined(*row) for row in rows],
        next=_held.cursor(last[0]) if last else None,
    )


def _quarantined(number: int, held: model.Quarantined) -> Quarantined:
    return Quarantined(
        id=number,
        reason=held.reason,
        detail=held.detail,
        observation=_observation(held.observation),
    )


def _observation(observation: model.Observation) -> Observation:
    fields = observation._asdict()
    return Observation.model_validate(
        {**fields, "key": observation.key.hex(), "what": orjson.loads(observation.body)}
    )
