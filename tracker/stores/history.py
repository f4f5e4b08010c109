"""What a refold reads, in transactions that write as in those that read: what is logged of an
asset, through its bindings, and where the readers stand that saw it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, false, or_, select

from tracker.model import Observation, ReaderPlace
from tracker.ports import Position
from tracker.stores import rows, schema


def history(
    db: Connection,
    asset: str,
    since: int | None = None,
    until: int | None = None,
    after: Position | None = None,
    limit: int | None = None,
) -> Iterator[Observation]:
    """The observations of an asset in (event time, key) order: from `since` up to but not at
    `until`, those after a position, at most `limit`."""
    log, bindings = schema.log, schema.bindings
    windows = db.execute(select(bindings).where(bindings.c.asset == asset))
    of_asset = [
        and_(log.c.subject == row.subject, *_between(row.since, row.until)) for row in windows
    ]
    query = (
        select(*log.c[1:])
        .where(or_(false(), *of_asset), *_between(since, until))
        .order_by(log.c.at, log.c.key)
        .limit(limit)
    )
    if after is not None:
        key = bytes.fromhex(after.key)
        query = query.where(log.c.at >= after.at, or_(log.c.at > after.at, log.c.key > key))
    for row in db.execute(query):
        yield rows.observation(row)


def places(db: Connection) -> dict[str, ReaderPlace]:
    """Where the fixed readers stand."""
    table = schema.devices
    placed = select(table.c.id, table.c.lat, table.c.lon, table.c.acc).where(
        table.c.lat.is_not(None)
    )
    return {row.id: ReaderPlace(row.lat, row.lon, row.acc) for row in db.execute(placed)}


def _between(since: int | None, until: int | None) -> list[ColumnElement[Any]]:
    at = schema.log.c.at
    bounds = []
    if since is not None:
        bounds.append(at >= since)
    if until is not None:
        bounds.append(at < until)
    return bounds
