"""Lengths of time as rules write them: `90 min`, `24 h`, `3 d`. Pure."""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import BeforeValidator, PlainSerializer, WithJsonSchema

_UNITS = {"d": 86_400_000, "h": 3_600_000, "min": 60_000, "s": 1_000}
_LENGTH = re.compile(r"0|([0-9]{1,6}) ?(s|min|h|d)")
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
