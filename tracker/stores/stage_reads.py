"""Reading what is told of the stages of assets."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from sqlalchemy import func, select

from tracker.asset_ports import Crowd
from tracker.log_ports import Line
from tracker.model import Observation, fact_subject
from tracker.news import STAGE_CHANGED, STAGE_CORRECTED
from tracker.stores import rows, schema, sql
from tracker.stores.history import from_edge
from tracker.sweep import Telling, Waiting
from tracker.whereabouts import Moment


class StageReads(sql.Speaks):
    """The part of a `tracker.ports.Reader` that concerns stages."""

    def crowds(self, class_: str | None = None, site: str | None = None) -> list[Crowd]:
        table = schema.presents
        groups = (table.c.stage, table.c["class"], table.c.site)
        query = select(*groups, func.count(), func.avg(table.c.since + table.c.behind))
        if site is not None:
            query = query.where(table.c.site == site)
        # All classes are counted along the index; to look for one takes half as long again.
        found = self._db.execute(query.group_by(*groups))
        return [
            Crowd(stage, of_class, at_site, assets, float(since))
            for stage, of_class, at_site, assets, since in found
            if class_ in (None, of_class)
        ]

    def waiting(self, after: str, limit: int) -> Waiting:
        # Plain tuples of the driver: a million rows of SQLAlchemy's take seconds.
        found = self._db.exec_driver_sql(self._sql.waiting, (after, limit)).cursor
        columns = list(zip(*found.fetchall(), strict=True))
        return Waiting(*columns) if columns else Waiting()

    def profiles(self) -> dict[int, Telling]:
        found = self._db.execute(select(schema.profiles))
        return {
            id: Telling(name, tracked, bytes(heard), bytes(deaf))
            for id, name, tracked, heard, deaf in found
        }

    def facts(self, asset: str, after: Moment | None, limit: int) -> list[Observation]:
        log = schema.log
        query = (
            select(*log.c[1:14])
            .where(log.c.subject == fact_subject(asset), *from_edge(self._db, after))
            .order_by(log.c.at, log.c.key)
            .limit(limit)
        )
        return [rows.observation(row) for row in self._db.execute(query)]

    def facts_of(self, assets: Iterable[str]) -> dict[str, list[Observation]]:
        log, found = schema.log, defaultdict[str, list[Observation]](list)
        asset_of = {fact_subject(asset): asset for asset in assets}
        beyond = from_edge(self._db, None)
        for some in sql.chunks([*asset_of]):
            query = select(*log.c[1:14]).where(log.c.subject.in_(some), *beyond)
            for row in self._db.execute(query.order_by(log.c.at, log.c.key)):
                found[asset_of[row.subject]].append(rows.observation(row))
        return dict(found)

    def stage_lines(
        self, asset: str, since: int | None = None, as_of: int | None = None
    ) -> list[Line]:
        table = schema.journal
        query = select(table).where(
            table.c.asset == asset, table.c.kind.in_((STAGE_CHANGED, STAGE_CORRECTED))
        )
        if since is not None:
            query = query.where(table.c.at >= since)
        if as_of is not None:
            query = query.where(table.c.recorded <= as_of)
        return [rows.line(row) for row in self._db.execute(query.order_by(table.c.id))]

    def corrected_by(self, correction: Line) -> list[Line]:
        table, (asset, _, about, *_) = schema.journal, correction.entry
        same = (table.c.asset == asset) & (table.c.about == about)
        before = same & (table.c.id < correction.number)
        last = select(func.max(table.c.id)).where(before, table.c.kind == STAGE_CORRECTED)
        since = func.coalesce(last.scalar_subquery(), 0)
        query = select(table).where(before, table.c.id >= since).order_by(table.c.id)
        return [rows.line(row) for row in self._db.execute(query)]
