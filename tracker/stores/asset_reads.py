"""Reading assets: which there are, and what is believed of them."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from math import floor

import orjson
from sqlalchemy import (
    Column,
    ColumnElement,
    Integer,
    Select,
    and_,
    func,
    intersect,
    literal_column,
    or_,
    select,
    text,
    tuple_,
)

from tracker import fold
from tracker.asset_ports import UNKNOWN, AssetFilter, Position, SiteVisit
from tracker.fold import Belief
from tracker.geofence import Box
from tracker.model import Asset
from tracker.present import Present
from tracker.stage import Transition
from tracker.stores import rows, schema, sql
from tracker.usage import Totals
from tracker.whereabouts import Moment, Visit

CELLS_A_DEGREE = 2_000  # of the index by last place: about 50 m
TIMES_AT_ONCE = 100  # of assets, each a condition of its own
MANY = 100_000  # assets: to sort so many takes longer than to walk by id until a page is full
_WHOLE = (
    select(
        schema.beliefs.c.body, schema.standings.c.body, schema.usages.c.total, schema.usages.c.tail
    )
    .outerjoin(schema.standings, schema.standings.c.asset == schema.beliefs.c.asset)
    .outerjoin(schema.usages, schema.usages.c.asset == schema.beliefs.c.asset)
)
KEPT = (schema.snapshots.c.body, schema.snapshots.c.observations, schema.snapshots.c.used)
_words: ColumnElement[int] = literal_column("words.rowid", Integer)


class AssetReads(sql.Speaks):
    """The part of a `tracker.ports.Reader` that concerns assets."""

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
        query = select(*table.c[1:])
        if wanted.text is None:
            ids = intersect(*_sets(wanted, after)).order_by("asset").limit(limit)
            query = query.where(table.c.id.in_(ids)).order_by(table.c.id)
        else:
            # In the order of the index of words, so that a page costs a page, not all matches.
            before = select(table.c.number).where(table.c.id == after).scalar_subquery()
            query = (
                query.select_from(table.join(text("words"), _words == table.c.number))
                .where(text("words MATCH :words").bindparams(words=_match(wanted)))
                .where(_words > func.coalesce(before, 0), *_also(wanted))
                .order_by(_words)
                .limit(limit)
            )
        return [rows.asset(row) for row in self._db.execute(query)]

    def assets_among(self, ids: Iterable[str], wanted: AssetFilter) -> list[Asset]:
        table, found = schema.assets, list[Asset]()
        for some in sql.chunks(sorted({*ids})):
            query = select(*table.c[1:]).where(table.c.id.in_(some), *self._fits(wanted))
            found += [rows.asset(row) for row in self._db.execute(query.order_by(table.c.id))]
        return found

    def _fits(self, wanted: AssetFilter) -> Iterator[ColumnElement[bool]]:
        """All conditions, of an asset that was found otherwise: each is looked up for it alone."""
        beliefs = schema.beliefs
        yield from _also(wanted._replace(site=None))
        if wanted.site is not None:
            there = (beliefs.c.site == wanted.site, beliefs.c.asset == schema.assets.c.id)
            yield select(beliefs.c.asset).where(*there).exists()
        if wanted.text is not None:
            yield self._has_words(wanted)

    def _has_words(self, wanted: AssetFilter) -> ColumnElement[bool]:
        """The condition that an asset has words that begin as is asked."""
        matches = text("words MATCH :words").bindparams(words=_match(wanted))
        of_asset = _words == schema.assets.c.number
        return select(_words).select_from(text("words")).where(of_asset, matches).exists()

    def labelled(self, name: str, value: str) -> list[str]:
        table = schema.labels
        query = select(table.c.asset).where(table.c.name == name, table.c.value == value)
        return list(self._db.scalars(query.order_by(table.c.asset)))

    def shared_external_ids(self) -> list[tuple[str, str, list[str]]]:
        found = self._db.exec_driver_sql(self._sql.shared_external_ids)
        return [(name[3:], value, orjson.loads(assets)) for name, value, assets in found]

    def belief(self, asset: str) -> Belief | None:
        row = self._db.execute(_WHOLE.where(schema.beliefs.c.asset == asset)).first()
        return rows.belief(row) if row else None

    def beliefs(self, assets: Iterable[str]) -> dict[str, Belief]:
        found = self._db.exec_driver_sql(self._sql.beliefs, (sql.as_json(list(assets)),))
        return {belief.asset: belief for belief in map(rows.belief, found)}

    def placed(self, assets: Iterable[str]) -> dict[str, Belief]:
        found = self._db.exec_driver_sql(self._sql.placed, (sql.as_json(list(assets)),))
        return {belief.asset: belief for belief in map(fold.decode, found.scalars())}

    def revision(self, asset: str) -> int | None:
        table = schema.beliefs
        revision: int | None = self._db.scalar(
            select(table.c.revision).where(table.c.asset == asset)
        )
        return revision

    def every_belief(self) -> Iterator[Belief]:
        yield from map(rows.belief, self._db.execute(_WHOLE))

    def located(self, box: Box, after: str, limit: int) -> list[Belief]:
        table, here = schema.beliefs, _in_cells(box)
        id: ColumnElement[str] = table.c.asset
        if self._is_small(box):
            id = id + ""  # the index by place is used then, and what it gives sorted
        found: list[Belief] = []
        while len(found) < limit:
            some = select(table.c.asset).where(here, id > after).order_by(id).limit(limit)
            page = select(table.c.body).where(table.c.asset.in_(some)).order_by(table.c.asset)
            beliefs = [fold.decode(body) for body in self._db.scalars(page)]
            found += [belief for belief in beliefs if _is_within(box, belief)]
            if len(beliefs) < limit:
                break
            after = beliefs[-1].asset
        return found[:limit]

    def _is_small(self, box: Box) -> bool:
        some = select(schema.beliefs.c.row).where(_in_cells(box)).limit(MANY).subquery()
        return self._db.scalar(select(func.count()).select_from(some)) != MANY

    def standing_at(self, site: str, after: str, limit: int) -> list[Belief]:
        table = schema.beliefs
        query = (
            select(table.c.body)
            .where(table.c.site == site, table.c.asset > after)
            .order_by(table.c.asset)
            .limit(limit)
        )
        return [fold.decode(body) for body in self._db.scalars(query)]

    def staying_at(self, site: str, until: int | None, after: Position, limit: int) -> list[Belief]:
        table = schema.beliefs
        position = (table.c.since, table.c.asset)
        query = select(table.c.body).where(table.c.site == site, tuple_(*position) > tuple_(*after))
        if until is not None:
            query = query.where(table.c.since < until)
        query = query.order_by(*position).limit(limit)
        return [fold.decode(body) for body in self._db.scalars(query)]

    def visits(
        self, asset: str, after: Moment | None = None, until: Moment | None = None
    ) -> list[Visit]:
        table = schema.visits
        decided = between(table.c.closed_at, table.c.closed_key, after, until)
        query = select(*table.c[1:]).where(table.c.asset == asset, *decided)
        ordered = query.order_by(table.c.opened_at, table.c.opened_key)
        return [rows.visit(row) for row in self._db.execute(ordered)]

    def transitions(
        self, asset: str, after: Moment | None = None, until: Moment | None = None
    ) -> list[Transition]:
        table = schema.transitions
        told = between(table.c.at, table.c.key, after, until)
        query = select(*table.c[1:]).where(table.c.asset == asset, *told)
        ordered = query.order_by(table.c.at, table.c.key)
        return [rows.transition(row) for row in self._db.execute(ordered)]

    def transitions_at(self, times: Mapping[str, int]) -> dict[str, list[Transition]]:
        table, found = schema.transitions, defaultdict[str, list[Transition]](list)
        listed = [*times.items()]
        for first in range(0, len(listed), TIMES_AT_ONCE):
            # Of a list of pairs SQLite makes a walk through the whole table.
            each = [
                and_(table.c.asset == asset, table.c.at == at)
                for asset, at in listed[first : first + TIMES_AT_ONCE]
            ]
            asked = select(table).where(or_(*each)).order_by(table.c.asset, table.c.key)
            for row in self._db.execute(asked):
                found[row[0]].append(rows.transition(row[1:]))
        return found

    def entered(self, assets: Iterable[str]) -> dict[str, list[tuple[str | None, str | None, int]]]:
        table = schema.transitions
        found: dict[str, list[tuple[str | None, str | None, int]]] = {}
        for some in sql.chunks([*assets]):
            columns = (table.c.asset, table.c.was, table.c.stage, table.c.at)
            query = select(*columns).where(table.c.asset.in_(some))
            ordered = query.order_by(table.c.asset, table.c.at, table.c.key)
            for asset, was, stage, at in self._db.execute(ordered):
                found.setdefault(asset, []).append((was, stage, at))
        return found

    def presents(self, assets: Iterable[str]) -> dict[str, Present]:
        found = self._db.exec_driver_sql(self._sql.presents, (sql.as_json(list(assets)),))
        return {row[0]: rows.present(row) for row in found}

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
        later = between(table.c.at, table.c.key, after, None)
        query = select(*KEPT).where(table.c.asset == asset, *later)
        ordered = query.order_by(table.c.at, table.c.key)
        return [rows.snapshot(row) for row in self._db.execute(ordered)]

    def snapshots_from(self, asset: str, since: Moment) -> Iterator[Belief]:
        table = schema.snapshots
        from_then = tuple_(table.c.at, table.c.key) >= tuple_(*since)
        query = select(*KEPT).where(table.c.asset == asset, from_then)
        for row in self._db.execute(query.order_by(table.c.at, table.c.key)):
            yield rows.snapshot(row)

    def used(self, asset: str, after: Moment | None, until: Moment | None = None) -> list[Totals]:
        table = schema.snapshots
        passed = between(table.c.at, table.c.key, after, until)
        query = select(table.c.used).where(table.c.asset == asset, *passed)
        return [orjson.loads(text) for text in self._db.scalars(query)]

    def stale(self, assets: Iterable[str]) -> dict[str, int]:
        found = self._db.exec_driver_sql(self._sql.stale, (sql.as_json(list(assets)),))
        return {row.asset: row.at for row in found}

    def stale_count(self) -> int:
        return self._db.scalar(select(func.count()).select_from(schema.stale)) or 0

    def stale_assets(self, limit: int) -> list[str]:
        return list(self._db.scalars(select(schema.stale.c.asset).limit(limit)))

    def bound_assets(self) -> list[str]:
        table = schema.versions
        query = select(table.c.asset).where(table.c.asset.is_not(None)).distinct()
        return list(self._db.scalars(query))


def _sets(wanted: AssetFilter, after: str) -> list[Select[tuple[str]]]:
    """For each condition the assets after one that meet it, in order: merged on the way, so that
    a page costs a page where many meet them all, and nothing is gathered first."""
    table, beliefs, labels = schema.assets, schema.beliefs, schema.labels
    sets = []
    for name, value in wanted.labels:
        labelled = (labels.c.name == name, labels.c.value == value, labels.c.asset > after)
        sets.append(select(labels.c.asset).where(*labelled))
    if wanted.site is not None:
        there = (beliefs.c.site == wanted.site, beliefs.c.asset > after)
        sets.append(select(beliefs.c.asset).where(*there))
    if told := told_of(wanted):
        presents = schema.presents.c.asset
        sets.append(select(presents).where(*told, presents > after))
    if wanted.class_ is not None or not sets:
        every = select(table.c.id.label("asset")).where(table.c.id > after)
        of_class = every.where(table.c["class"] == wanted.class_)
        sets.append(every if wanted.class_ is None else of_class)
    return sets


def _also(wanted: AssetFilter) -> Iterator[ColumnElement[bool]]:
    """The conditions beside the words, of an asset that the index of words has given."""
    table, beliefs, labels = schema.assets, schema.beliefs, schema.labels
    if wanted.class_ is not None:
        yield table.c["class"] == wanted.class_
    if wanted.site is not None:
        # With an `asset > ''` they come in order, which makes looking them up cheaper; with
        # the plus the words are not looked up anew for each of them.
        there = (beliefs.c.site == wanted.site, beliefs.c.asset > "")
        numbers = select(table.c.number).join(beliefs, beliefs.c.asset == table.c.id)
        yield (_words + 0).in_(numbers.where(*there))
    for name, value in wanted.labels:
        labelled = (labels.c.name == name, labels.c.value == value, labels.c.asset == table.c.id)
        yield select(labels.c.asset).where(*labelled).exists()
    if told := told_of(wanted):
        presents = schema.presents.c.asset
        yield select(presents).where(*told, presents == table.c.id).exists()


def told_of(wanted: AssetFilter) -> list[ColumnElement[bool]]:
    """The conditions on what is told of an asset's stage."""
    table = schema.presents
    conditions: list[ColumnElement[bool]] = []
    if wanted.stage is not None:
        stage = None if wanted.stage == UNKNOWN else wanted.stage
        conditions.append(table.c.stage.is_(None) if stage is None else table.c.stage == stage)
    if wanted.p_min is not None:
        conditions.append(table.c.p >= wanted.p_min)
    return conditions


# FTS5 knows an older Unicode, in which some vowels of Tai Lue and signs of Vedic are no letters.
_WORD = re.compile(r"[^\W_\u19b0-\u19c0\u19c8\u19c9\u1cf2\u1cf3]+")


def _match(wanted: AssetFilter) -> str:
    """What FTS5 is asked: every word must be there, each may go on. A class and labels stand
    among an asset's words too: with them fewer are gone through.

    >>> _match(AssetFilter("Blue pal_let-7", class_="pallet", labels=(("is:owner", "c-1"),)))
    '"Blue"* "pal"* "let"* "7"* "pallet" "c" "1"'
    """
    asked = [f'"{word}"*' for word in _WORD.findall(wanted.text or "")]
    values = [wanted.class_ or "", *(value for _, value in wanted.labels)]
    # Beyond ASCII it is FTS5 that knows best what a whole word is.
    known = [word for v in values if v.isascii() for word in re.findall(r"[A-Za-z0-9]+", v)]
    return " ".join(asked + [f'"{word}"' for word in known] if asked else ['""'])


def _in_cells(box: Box) -> ColumnElement[bool]:
    """Whether an asset was last seen in a cell that a box touches."""
    table = schema.beliefs
    west, east = cell(box.west), cell(box.east)
    cols: ColumnElement[bool]
    if box.west <= box.east:
        cols = table.c.col.between(west, east)
    else:
        cols = or_(table.c.col >= west, table.c.col <= east)
    return table.c.row.between(cell(box.south), cell(box.north)) & cols


def between(
    at: Column[int], key: Column[str], after: Moment | None, until: Moment | None
) -> list[ColumnElement[bool]]:
    """Conditions for what lies after a moment, up to and at another one; None: no bound."""
    conditions = []
    if after is not None:
        conditions.append(tuple_(at, key) > tuple_(*after))
    if until is not None:
        conditions.append(tuple_(at, key) <= tuple_(*until))
    return conditions


def cell(degrees: float) -> int:
    """Where in the index by last place a latitude or longitude stands."""
    return floor(degrees * CELLS_A_DEGREE)


def _is_within(box: Box, belief: Belief) -> bool:
    """Whether an asset was last seen in a box, its borders included."""
    place = belief.last
    return place is not None and box.contains(place.lat, place.lon)
