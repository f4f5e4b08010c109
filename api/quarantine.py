"""Quarantine: observations that are held back until a person decides."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Query
from pydantic import BaseModel, Field, TypeAdapter

from api.auth import Caller, TheCaller
from api.chosen import Chosen, Lister, Outcome, deal
from api.cursors import Cursor, Limit, Listing, Page, RowNumber, cut
from api.times import Time
from tracker import model
from tracker.audit import Act
from tracker.model import Kind
from tracker.ports import Reader, Writer
from tracker.second_look import Again, discard_held, retry_held

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


@router.get("")
def list_quarantine(
    caller: TheCaller,
    device: Annotated[
        str | None, Query(description="Only what this device sent.", examples=["trk-1"])
    ] = None,
    reason: Annotated[
        str | None,
        Query(description="Only what is held for this reason.", examples=["unknown_device"]),
    ] = None,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> QuarantinePage:
    """What is held back until a person decides, newest first."""
    before = _held.position(cursor, device, reason)
    with caller.reading() as reader:
        rows, last = cut(reader.held_back(before, limit + 1, device, reason), limit)
    return QuarantinePage(
        items=[_quarantined(*row) for row in rows],
        next=_held.cursor(last[0], device, reason) if last else None,
    )


@router.post("/retry")
def retry_quarantine(caller: TheCaller, chosen: Chosen) -> Outcome:
    """Store what today's rules believe. What is still doubted, and what comes from devices
    that are not registered, stays."""
    return _retry(caller, chosen, believe=False)


@router.post("/believe")
def believe_quarantine(caller: TheCaller, chosen: Chosen) -> Outcome:
    """Store it with the times that it states, however doubtful. What comes from devices that
    are not registered stays."""
    return _retry(caller, chosen, believe=True)


@router.post("/discard")
def discard_quarantine(caller: TheCaller, chosen: Chosen) -> Outcome:
    """Throw away what is held back, for good."""

    return deal(caller, chosen, _lister, discard_held)


def _retry(caller: Caller, chosen: Chosen, *, believe: bool) -> Outcome:
    def retry(tx: Writer, numbers: Sequence[int], act: Act) -> Again:
        return retry_held(tx, numbers, caller.policy, act, believe=believe)

    return deal(caller, chosen, _lister, retry)


def _lister(reader: Reader) -> Lister:
    return reader.held_back


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
