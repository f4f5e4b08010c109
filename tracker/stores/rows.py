"""Between rows of the tables and values of the domain."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import orjson
from sqlalchemy import Row

from tracker.access import ApiKey
from tracker.model import (
    Binding,
    DeadLetter,
    Device,
    Kind,
    Observation,
    Quarantined,
    ReaderPlace,
    what_of,
)
from tracker.receipts import Hole, Progress, Span


def observation_row(o: Observation) -> tuple[Any, ...]:
    """The columns of `log` after the id, and the first ones of `quarantine`."""
    return (*o[:12], o.body.decode())


def observation(row: Sequence[Any]) -> Observation:
    """An observation from those columns."""
    kind = Kind(row[2])
    body = row[12]
    return Observation._make((*row[:2], kind, *row[3:12], body.encode(), what_of(kind, body)))


def quarantined(row: Sequence[Any]) -> Quarantined:
    """What is held back, from its columns after the id."""
    return Quarantined(observation(row[:13]), row[13], row[14])


def progress_columns(p: Progress) -> tuple[int, int | None, str, str]:
    """Top, first, holes, lost."""
    return p.top, p.first, _json(p.holes), _json(p.lost)


def progress(top: int, first: int | None, holes: str, lost: str) -> Progress:
    """The inverse of `progress_columns`."""
    return Progress(
        top,
        tuple(Hole(*h) for h in orjson.loads(holes)) if holes != "[]" else (),
        tuple(Span(*s) for s in orjson.loads(lost)) if lost != "[]" else (),
        first,
    )


def _json(spans: tuple[tuple[int, ...], ...]) -> str:
    return orjson.dumps([list(span) for span in spans]).decode() if spans else "[]"


def device(row: Row[Any]) -> Device:
    place = None if row.lat is None else ReaderPlace(row.lat, row.lon, row.acc)
    return Device(row.id, row.kind, row.recording, place, row.first_received)


def binding(row: Row[Any]) -> Binding:
    return Binding(row.asset, row.subject, row.since, row.until)


def dead_letter(row: Sequence[Any]) -> DeadLetter:
    """A dead letter from its columns after the id."""
    return DeadLetter(*row)


def api_key(row: Row[Any]) -> ApiKey:
    return ApiKey(
        row.id,
        row.name,
        row.digest,
        tuple(row.scopes.split()),
        row.created,
        row.expires,
        row.revoked,
    )
