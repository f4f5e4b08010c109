"""Times in questions and answers."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BeforeValidator, PlainSerializer, WithJsonSchema

from tracker.times import MS_AT_MOST, epoch_ms, iso

__all__ = ["EXAMPLE", "MS_AT_MOST", "Moment", "Time", "epoch_ms", "iso"]

EXAMPLE = "2026-01-05T08:00:00.000Z"


def _asked(given: Any) -> int:
    if isinstance(given, bool) or not isinstance(given, str | int):
        raise ValueError("a time is ISO 8601 with an offset, or epoch milliseconds")
    try:
        return epoch_ms(str(given))
    except ValueError as error:
        raise ValueError(f"{error}; in a URL, the + of an offset is written %2B") from None


Time = Annotated[
    int,
    PlainSerializer(iso, return_type=str),
    WithJsonSchema({"type": "string", "format": "date-time", "examples": [EXAMPLE]}),
]
"""A time in an answer: epoch ms inside, ISO 8601 outside."""

Moment = Annotated[
    int,
    BeforeValidator(_asked),
    WithJsonSchema({"anyOf": [{"type": "string", "format": "date-time"}, {"type": "integer"}]}),
]
"""A time in a question or in what is sent: ISO 8601 with an offset, or epoch ms."""
