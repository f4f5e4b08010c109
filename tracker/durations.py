"""Lengths of time and hours of the day as rules write them: `90 min`, `24 h`, `3 d`. Pure."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import Annotated, Any
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BeforeValidator, Field, PlainSerializer, WithJsonSchema

from tracker.places import Value, time_zone

_UNITS = {"d": 86_400_000, "h": 3_600_000, "min": 60_000, "s": 1_000}
_LENGTH = re.compile(r"0|([0-9]{1,6}) ?(s|min|h|d)")
_HOUR = re.compile(r"([01][0-9]|2[0-3]):[0-5][0-9]")
NEVER = "never"


def length(text: Any) -> int:
    """The milliseconds of a length of time. ValueError says how to write one.

    >>> length("90 min"), length("3d"), length("0")
    (5400000, 259200000, 0)
    """
    match = _LENGTH.fullmatch(text) if isinstance(text, str) else None
    if match is None:
        raise ValueError(f"{str(text)!r:.40} is no length of time: write 45 s, 90 min, 24 h or 3 d")
    return int(match[1]) * _UNITS[match[2]] if match[2] else 0


def written(ms: int) -> str:
    """A length of time in its greatest whole unit.

    >>> written(5_400_000), written(259_200_000), written(0)
    ('90 min', '3 d', '0')
    """
    unit = next(unit for unit, size in _UNITS.items() if ms % size == 0)
    return f"{ms // _UNITS[unit]} {unit}" if ms else "0"


def written_repeat(ms: int | None) -> str:
    """The same of what may never come again."""
    return NEVER if ms is None else written(ms)


def _repeat(text: Any) -> int | None:
    if text == NEVER:
        return None
    if not (ms := length(text)):
        raise ValueError("what is repeated at once never ends: write a time, or `never`")
    return ms


def _hour(text: str) -> str:
    if _HOUR.fullmatch(text) is None:
        raise ValueError(f"{text!r:.40} is no hour of the day: write 22:00")
    return text


_AS_JSON = {"type": "string", "pattern": rf"^({_LENGTH.pattern})$", "examples": ["24 h"]}
Duration = Annotated[
    int, BeforeValidator(length), PlainSerializer(written), WithJsonSchema(_AS_JSON)
]
"""A length of time, milliseconds."""

Repeat = Annotated[
    int | None,
    BeforeValidator(_repeat),
    PlainSerializer(written_repeat),
    WithJsonSchema(
        {"type": "string", "pattern": "^(never|[1-9][0-9]{0,5} ?(s|min|h|d))$"}
        | {"examples": ["72 h"]}
    ),
]
"""After what length of time something comes again (ms); None: never."""

Hour = Annotated[
    str,
    AfterValidator(_hour),
    WithJsonSchema({"type": "string", "pattern": f"^({_HOUR.pattern})$", "examples": ["22:00"]}),
]
"""An hour of the day, 00:00 to 23:59."""


class QuietHours(Value):
    """The hours of every day, from one up to another one, in which nobody is told."""

    from_: Hour = Field(
        validation_alias="from", serialization_alias="from", description="When they begin."
    )
    to: Hour = Field(description="When they end; before `from`: on the next day.")
    zone: Annotated[str, AfterValidator(time_zone)] = Field(
        description="The IANA time zone of these hours.", examples=["Europe/Amsterdam"]
    )

    def until(self, now: int) -> int | None:
        """When the quiet hours end, epoch ms; None: `now` is in none.

        >>> night = QuietHours.model_validate({"from": "22:00", "to": "06:00", "zone": "UTC"})
        >>> night.until(21 * 3_600_000), night.until(23 * 3_600_000) // 3_600_000
        (None, 30)
        """
        local = datetime.fromtimestamp(now / 1_000, ZoneInfo(self.zone))
        hour = f"{local:%H:%M}"
        if self.from_ < self.to:
            is_quiet = self.from_ <= hour < self.to
        else:
            is_quiet = hour >= self.from_ or hour < self.to
        if not is_quiet:
            return None
        # `fold` stays: in an hour that comes twice, the end is that of the same turn.
        end = local.replace(hour=int(self.to[:2]), minute=int(self.to[3:]), second=0, microsecond=0)
        if hour >= self.to:
            end += timedelta(days=1)
        return round(end.timestamp() * 1_000)
