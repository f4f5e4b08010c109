"""Times as people and programs write them: ISO 8601, or milliseconds since 1970. Pure."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

MS_AT_MOST = 2**53 - 1  # what every JSON reader counts exactly, as on the wire
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_CYCLE = 146_097 * 86_400_000  # 400 years, after which the calendar repeats
_WHOLE = re.compile(r"-?[0-9]{1,16}")
_UNITS = (("day", 86_400_000), ("hour", 3_600_000), ("minute", 60_000), ("second", 1_000))


def iso(ms: int) -> str:
    """Epoch milliseconds as ISO 8601 in UTC. A device may stamp any year: those that four
    digits cannot write get a sign and six, as in ECMA-262.

    >>> iso(1767600000000)
    '2026-01-05T08:00:00.000Z'
    >>> iso(2**53 - 1)
    '+287396-10-12T08:59:00.991Z'
    """
    cycles, rest = divmod(ms, _CYCLE)
    moment = _EPOCH + timedelta(milliseconds=rest)
    year = moment.year + 400 * cycles
    digits = f"{year:04}" if 0 <= year <= 9999 else f"{year:+07}"
    return f"{digits}{moment:-%m-%dT%H:%M:%S}.{rest % 1000:03}Z"


def epoch_ms(text: str) -> int:
    """Epoch milliseconds from such a number, or from ISO 8601 with an offset. ValueError says
    what is wrong with any other text.

    >>> epoch_ms("2026-01-05T09:00:00+01:00") == epoch_ms("1767600000000")
    True
    """
    if _WHOLE.fullmatch(text):
        ms = int(text)
        if abs(ms) > MS_AT_MOST:
            raise ValueError(f"{text} ms lies outside of what can be counted exactly")
        return ms
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"{text!r:.40} is neither ISO 8601 nor epoch milliseconds") from None
    if moment.tzinfo is None:
        raise ValueError(f"{text!r:.40} has no offset from UTC: end it with Z or like +01:00")
    return (moment - _EPOCH) // timedelta(milliseconds=1)


def in_words(ms: int) -> str:
    """A length of time in its greatest unit, rounded down.

    >>> in_words(7_200_000), in_words(90_000), in_words(999)
    ('2 hours', '1 minute', '0 seconds')
    """
    for unit, length in _UNITS:
        count = ms // length
        if count or unit == "second":
            break
    return f"{count} {unit}{'' if count == 1 else 's'}"
