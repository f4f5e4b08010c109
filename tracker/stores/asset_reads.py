"""Reading assets: which there are, and what is believed of them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from math import floor

import orjson
from sqlalchemy import (
    ColumnElement,
    Connection,
    func,
    literal_column,
    or_,
    select,
    text,
    tuple_,
)

from tracker import fold
from tracker.fold import Belief
from tracker.geofence import Box
from tracker.model import Asset
from tracker.ports import AssetFilter, Position, SiteVisit
from tracker.stores import rows, schema, sql
from tracker.whereabouts import Moment, Visit

CELLS_A_DEGREE = 200  # of the index by last place: about 500 m


class AssetReads:
    """The part of a `tracker.ports.Reader` that concerns assets."""

    _db: Connection

    def asset(self, id: str) -> Asset | None:
        row = self._db.execute(select(*schema.assets.c[1:]).where(schema.assets.c.id == id)).first()
        return rows.asset(row) if row else None

    def assets_by_id(self, ids: Iterable[str]) -> dict[str, Asset]:
        table, found = schema.assets, dict[str, Asset]()
        for some in sql.chunks(list(ids)):
            query = select(*table.c[1:]).where(table.c.id.in_(some))
            found.update((row[0], rows.asset(row)) for row in self._db.execute(query))
        return found

    def asset_ids(self) -> Iterator[str]:
        yield from self._db.scalars(select(schema.assets.c.id).order_by(schema.assets.c.id))

    def assets(self, wanted: AssetFilter, after: str, limit: int) -> list[Asset]:
        table = schema.assets
        query = select(*table.c[1:]).where(*_conditions(wanted)).limit(limit)
        if wanted.text is None:
            query = query.where(table.c.id > after).order_by(table.c.id)
        else:
            # In the order of the index of words, so that a page costs a page, not all matches.
            words: ColumnElement[int] = literal_column("words.rowid")
            before = select(table.c.number).where(table.c.id == after).scalar_subquery()
            query = (
                query.select_from(table.join(text("words"), words == table.c.number))
                .where(text("words MATCH :text").bindparams(text=_match(wanted.text)))
                .where(words > func.coalesce(before, 0))
                .order_by(words)
            )
        return [rows.asset(row) for row in self._db.execute(query)]

    def labelled(self, name: str, value: str) -> list[str]:
        table = schema.labels
        query = select(table.c.asset).where(table.c.name == name, table.c.value == value)
        return list(self._db.scalars(query.order_by(table.c.asset)))

    def shared_external_ids(self) -> list[tuple[str, str, list[str]]]:
        found = self._db.exec_driver_sql(sql.SHARED_EXTERNAL_IDS)
        return [(name[3:], value, orjson.loads(assets)) for name, value, assets in found]

    def belief(self, asset: str) -> Belief | None:
        table = schema.beliefs
        body = self._db.scalar(select(table.c.body).where(table.c.asset == asset))
        return fold.decode(body) if body else None

    def revision(self, asset: str) -> int | None:
        table = schema.beliefs
        revision: int | None = self._db.scalar(
            select(table.c.revision).where(table.c.asset == asset)
        )
        return revision

    def every_belief(self) -> Iterator[Belief]:
        for body in self._db.scalars(select(schema.beliefs.c.body)):
            yield fold.decode(body)

    def located(self, box: Box, after: str, limit: int) -> list[Belief]:
        table = schema.beliefs
        rows_ = table.c.row.between(cell(box.south), cell(box.north))
        west, east = cell(box.west), cell(box.east)
        cols: ColumnElement[bool]
        if box.west <= box.east:
            cols = table.c.col.between(west, east)
        else:
            cols = or_(table.c.col >= west, table.c.col <= east)
        query = select(table.c.asset, table.c.body).where(rows_, cols, table.c.asset > after)
        found = []
        for row in self._db.execute(query.order_by(table.c.asset)):
            belief = fold.decode(row.body)
            place = belief.last
            if place is not None and within(box, place.lat, place.lon):
                found.append(belief)
                if len(found) == limit:
                    break
        return found

    def standing_at(self, site: str, after: str, limit: int) -> list[Belief]:
        table = schema.beliefs
        query = (
            select(table.c.body)
            .where(table.c.site == site, table.c.asset > after)
            .order_by(table.c.asset)
            .limit(limit)
        )
        return [fold.decode(body) for body in self._db.scalars(query)]

    def visits(self, asset: str, after: Moment | None = None) -> list[Visit]:
        table = schema.visits
        query = select(*table.c[1:]).where(table.c.asset == asset)
        if after is not None:
            query = query.where(tuple_(table.c.closed_at, table.c.closed_key) > tuple_(*after))
        ordered = query.order_by(table.c.opened_at, table.c.opened_key)
        return [rows.visit(row) for row in self._db.execute(ordered)]

    def visits_at(
        self, site: str, since: int | None, until: int | None, after: Position, limit: int
    ) -> list[SiteVisit]:
        table = schema.visits
        position = (table.c.since, table.c.asset)
        query = select(table).where(table.c.site == site, tuple_(*position) > tuple_(*after))
        if until is not None:
            query = query.where(table.c.since < until)
        if since is not None:
            query = query.where(table.c.until > since)
        query = query.order_by(*position).limit(limit)
        return [SiteVisit(row[0], rows.visit(row[1:])) for row in self._db.execute(query)]

    def snapshots(self, asset: str, after: Moment | None = None) -> list[Belief]:
        table = schema.snapshots
        query = select(table.c.body).where(table.c.asset == asset)
        if after is not None:
            query = query.where(tuple_(table.c.at, table.c.key) > tuple_(*after))
        ordered = query.order_by(table.c.at, table.c.key)
        return [fold.decode(body) for body in self._db.scalars(ordered)]

    def stale(self, assets: Iterable[str]) -> dict[str, int]:
        found = self._db.execute(
            text("SELECT asset, at FROM stale WHERE asset IN (SELECT value FROM json_each(:some))"),
            {"some": orjson.dumps(list(assets)).decode()},
        )
        return {row.asset: row.at for row in found}

    def stale_count(self) -> int:
        return self._db.scalar(select(func.count()).select_from(schema.stale)) or 0

    def stale_assets(self, limit: int) -> list[str]:
        return list(self._db.scalars(select(schema.stale.c.asset).limit(limit)))

    def bound_assets(self) -> list[str]:
        table = schema.versions
        query = select(table.c.asset).where(table.c.asset.is_not(None)).distinct()
        return list(self._db.scalars(query))


def _conditions(wanted: AssetFilter) -> list[ColumnElement[bool]]:
    table, labels, beliefs = schema.assets, schema.labels, schema.beliefs
    conditions: list[ColumnElement[bool]] = []
    if wanted.class_ is not None:
        conditions.append(table.c["class"] == wanted.class_)
    if wanted.site is not None:
        there = select(beliefs.c.asset).where(beliefs.c.site == wanted.site)
        conditions.append(table.c.id.in_(there))
    for name, value in wanted.labels:
        labelled = select(labels.c.asset).where(labels.c.name == name, labels.c.value == value)
        conditions.append(table.c.id.in_(labelled))
    return conditions


def _match(words: str) -> str:
    """What FTS5 is asked: every word must be there, each may go on.

    >>> _match('Blue pal"let-7')
    '"Blue"* "pal"* "let"* "7"*'
    """
    return " ".join(f'"{word}"*' for word in re.findall(r"\w+", words)) or '""'


def cell(degrees: float) -> int:
    """Where in the index by last place a latitude or longitude stands."""
    return floor(degrees * CELLS_A_DEGREE)


def within(box: Box, lat: float, lon: float) -> bool:
    """Whether a position lies in a box, its borders included."""
    if not box.south <= lat <= box.north:
        return False
    if box.west <= box.east:
        return box.west <= lon <= box.east
    return lon >= box.west or lon <= box.east
