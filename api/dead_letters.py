"""Dead letters: what came in and cannot be stored."""

from __future__ import annotations

from base64 import b64encode
from codecs import getincrementaldecoder
from collections.abc import Sequence
from typing import Annotated, Literal, NamedTuple

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field, TypeAdapter

from api.auth import TheCaller
from api.backend import TheBackend
from api.chosen import Chosen, Lister, Outcome, deal
from api.cursors import Cursor, Limit, Listing, Page, RowNumber, cut
from api.problems import NoDecoder, documented
from api.times import Time
from tracker.audit import Act
from tracker.model import DeadLetter as Letter
from tracker.ports import Reader, Writer
from tracker.second_look import Again, discard_letters, retry_letters

router = APIRouter(prefix="/v1/dead-letters", tags=["what went wrong"])

SHOWN = 4 * 1024  # bytes of a payload
_letters = Listing("dead-letters", TypeAdapter(tuple[str, RowNumber]))


class DeadLetter(BaseModel):
    """A message, or one event of it, that cannot be stored."""

    id: int = Field(description="Its number; the newest has the greatest.", examples=[17])
    received: Time = Field(description="When the message came in, UTC.")
    reason: str = Field(description="Why, as a word.", examples=["not_json"])
    detail: str = Field(description="Why, in full.", examples=["unexpected end of data"])
    topic: str = Field(description="Its MQTT topic.", examples=["retour/v1/trk-1/events"])
    device: str | None = Field(description="The device, where known.", examples=["trk-1"])
    boot: str | None = Field(description="The device's boot, where known.", examples=["9f3a01c2"])
    seq: int | None = Field(description="The message's number, where known.", examples=[1041])
    event: int | None = Field(
        description="The event's place in the message, from 0; null: the whole message.",
        examples=[0],
    )
    payload: str = Field(
        description=f"The message's first {SHOWN} bytes, written as `encoding` says.",
        examples=['{"boot": "9f3a'],
    )
    encoding: Literal["utf-8", "base64"] = Field(description="How the payload is written.")
    truncated: bool = Field(description="Whether the message is longer than that.")
    size: int = Field(description="Bytes of the whole message.", examples=[14])


class DeadLetterPage(Page[DeadLetter]):
    """Dead letters, newest first."""


@router.get("")
def list_dead_letters(
    caller: TheCaller,
    device: Annotated[
        str | None, Query(description="Only those of this device.", examples=["trk-1"])
    ] = None,
    reason: Annotated[
        str | None, Query(description="Only those for this reason.", examples=["not_json"])
    ] = None,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> DeadLetterPage:
    """What came in and cannot be stored, newest first."""
    before = _letters.position(cursor, device, reason)
    with caller.reading() as reader:
        rows, last = cut(reader.dead_letters(before, limit + 1, device, reason), limit)
    return DeadLetterPage(
        items=[_letter(*row) for row in rows],
        next=_letters.cursor(last[0], device, reason) if last else None,
    )


@router.post("/retry", responses=documented(NoDecoder))
def retry_dead_letters(caller: TheCaller, backend: TheBackend, chosen: Chosen) -> Outcome:
    """Read dead letters again, and store what can be read by now. What cannot stays."""
    caller.admit("write")
    decode = backend.decode
    if decode is None:
        raise NoDecoder

    def retry(tx: Writer, numbers: Sequence[int], act: Act) -> Again:
        return retry_letters(tx, numbers, decode, backend.policy, act)

    return deal(caller, chosen, _lister, retry)


@router.post("/discard")
def discard_dead_letters(caller: TheCaller, chosen: Chosen) -> Outcome:
    """Throw dead letters away, for good."""
    return deal(caller, chosen, _lister, discard_letters)


def _lister(reader: Reader) -> Lister:
    return reader.dead_letters


class Shown(NamedTuple):
    """A payload's beginning, as it can be shown in JSON."""

    payload: str
    encoding: Literal["utf-8", "base64"]


def shown(payload: bytes) -> Shown:
    """The beginning of a payload: as text if it is some.

    >>> shown("Zürich".encode())
    Shown(payload='Zürich', encoding='utf-8')
    >>> shown(bytes([255, 0]))
    Shown(payload='/wA=', encoding='base64')
    """
    start = payload[:SHOWN]
    try:
        # A character cut in two by the end is left out; anywhere else it would be a fault.
        text = getincrementaldecoder("utf-8")().decode(start, final=len(payload) <= SHOWN)
    except UnicodeDecodeError:
        return Shown(b64encode(start).decode(), "base64")
    return Shown(text, "utf-8")


def _letter(number: int, letter: Letter) -> DeadLetter:
    payload, encoding = shown(letter.payload)
    return DeadLetter(
        id=number,
        received=letter.received,
        reason=letter.reason,
        detail=letter.detail,
        topic=letter.topic,
        device=letter.device,
        boot=letter.boot,
        seq=letter.seq,
        event=letter.event,
        payload=payload,
        encoding=encoding,
        truncated=letter.size > SHOWN,
        size=letter.size,
    )
