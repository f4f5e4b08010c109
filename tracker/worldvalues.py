"""The words, ids and times of a world file, and what is wrong with those that are none."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from math import isfinite
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, PlainSerializer

from tracker.epc import tag_id
from tracker.model import ASSET_ID_RULE, is_asset_id
from tracker.places import storable
from tracker.worldfile import DIGITS_AT_MOST, Plain

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
LAST_MS = 253_402_300_799_999  # the end of the year 9999
TIME_RULE = "write a time with its offset, like 2026-01-05T08:00:00+01:00, or a date"


def _moment(value: Any) -> Any:
    """Epoch milliseconds from what a file says; a date means midnight UTC."""
    if not isinstance(value, str):
        return value
    try:
        is_date = len(value) == len("2026-01-05")
        at = datetime.fromisoformat(f"{value}T00:00:00Z" if is_date else value)
    except ValueError:
        raise ValueError(f"{value!r:.60} is no time: {TIME_RULE}") from None
    if at.tzinfo is None:
        raise ValueError(f"{value!r:.60} has no offset from UTC: {TIME_RULE}")
    if at < EPOCH:
        raise ValueError(f"{value!r:.60} lies before 1970; for always leave it out")
    return (at - EPOCH) // timedelta(milliseconds=1)


def _as_written(at: int | None) -> date | str | None:
    if at is None:
        return None
    moment = EPOCH + timedelta(milliseconds=at)
    if at % 86_400_000 == 0:
        return moment.date()
    return moment.isoformat(timespec="milliseconds" if at % 1_000 else "seconds")


def _attribute(value: Any) -> Any:
    if isinstance(value, Plain):
        value = value.value()
    if isinstance(value, str):
        if len(value) > 1_024:
            raise ValueError("a text of an attribute has at most 1,024 characters")
        storable(value)
    elif not isinstance(value, int | float):
        raise ValueError("an attribute is a text, a number, true or false")
    elif abs(value) >= 10**DIGITS_AT_MOST if isinstance(value, int) else not isfinite(value):
        raise ValueError(f"{value!s:.40} is no number that everyone reads alike: make it a text")
    return value


def epc_of(epc: str) -> str:
    tag_id(epc)
    if not epc.startswith(("urn:", "tag:")) and len(epc) % 2:
        raise ValueError(
            f"{epc!r:.60} has {len(epc)} digits: a tag number has two for each byte, so one "
            "of them is missing or too many"
        )
    return epc


def _asset_id(id: str) -> str:
    if not is_asset_id(id):
        raise ValueError(f"{id!r:.60} is no asset id: {ASSET_ID_RULE}")
    return id


Moment = Annotated[
    Annotated[int, Field(ge=0, le=LAST_MS)],
    BeforeValidator(_moment),
    PlainSerializer(_as_written),
]
AssetId = Annotated[str, AfterValidator(_asset_id)]
Word = Annotated[str, Field(min_length=1, max_length=64), AfterValidator(storable)]
Attribute = Annotated[str | int | float | bool, BeforeValidator(_attribute)]
ExternalId = Annotated[str, Field(min_length=1, max_length=256), AfterValidator(storable)]
