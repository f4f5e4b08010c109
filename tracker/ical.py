"""A calendar of what is due, as calendars read it (RFC 5545). Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

from tracker.leases import Lease, Line

MEDIA_TYPE = "text/calendar"
OCTETS = 75  # of a line, at most
_ESCAPED = str.maketrans({"\\": r"\\", ";": r"\;", ",": r"\,", "\n": r"\n"})


class Due(NamedTuple):
    """An open line of a lease, and what the customer is called."""

    lease: Lease
    line: Line
    customer: str


def calendar(due: Iterable[Due]) -> str:
    """A calendar with a day for each line that is to come back. The same lines make the same
    calendar, and a line keeps its UID, whatever happens to it."""
    lines = ["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//Retour//Leases//EN"]
    lines += [line for one in due for line in _event(one)]
    return "".join(f"{folded(line)}\r\n" for line in [*lines, "END:VCALENDAR"])


def _event(due: Due) -> Iterator[str]:
    lease, line, customer = due
    day = _local_day(line.due_at - 1, lease.timezone)
    what = line.asset or f"{line.class_} (any)"
    begins = datetime.fromtimestamp(line.start_at / 1_000, UTC)
    yield "BEGIN:VEVENT"
    yield f"UID:{escaped(line.name)}@retour"
    # Nothing says when a line was changed last; the number of the change tells which is newer.
    yield f"DTSTAMP:{begins:%Y%m%dT%H%M%SZ}"
    yield f"SEQUENCE:{lease.version - 1}"
    yield f"DTSTART;VALUE=DATE:{day:%Y%m%d}"
    yield f"DTEND;VALUE=DATE:{day + timedelta(days=1):%Y%m%d}"
    yield f"SUMMARY:{escaped(f'{what} due from {customer}')}"
    yield f"DESCRIPTION:{escaped(f'Lease {lease.id}, line {line.id}')}"
    yield f"LOCATION:{escaped(lease.return_to or '')}"
    yield "TRANSP:TRANSPARENT"
    yield "END:VEVENT"


def _local_day(ms: int, zone: str) -> date:
    return datetime.fromtimestamp(ms / 1_000, UTC).astimezone(ZoneInfo(zone)).date()


def escaped(text: str) -> str:
    r"""A text as a value of a property; what is no text is left out.

    >>> print(escaped("a, b; c\\d\ne\x07"))
    a\, b\; c\\d\ne
    """
    plain = "".join(c for c in text.replace("\r\n", "\n") if c >= " " or c in "\n\t")
    return plain.replace("\x7f", "").translate(_ESCAPED)


def folded(line: str) -> str:
    r"""A line in pieces of at most 75 octets, none of which cuts a character.

    >>> [len(piece.encode()) for piece in folded("x" * 74 + "éa").split("\r\n")]
    [74, 4]
    """
    pieces, room = [""], OCTETS
    for character in line:
        size = len(character.encode())
        if size > room:
            pieces.append(" ")
            room = OCTETS - 1
        pieces[-1] += character
        room -= size
    return "\r\n".join(pieces)
