"""Leases and partners: what is agreed, and all that ever was."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import date
from typing import Any

import orjson
from sqlalchemy import Row, Select, delete, insert, select

from tracker.lease_record import lease_fields
from tracker.leases import Agreement, End, Lease, Line, Partner
from tracker.stores import rows, schema, sql


class LeaseReads(sql.Speaks):
    """The part of a `tracker.ports.Reader` that concerns leases."""

    def partners(self) -> dict[str, Partner]:
        found = self._db.execute(select(schema.partners).order_by(schema.partners.c.id))
        return {row.id: _partner(row) for row in found}

    def lease(self, id: str) -> Lease | None:
        return self.leases_by_id([id]).get(id)

    def leases_by_id(self, ids: Iterable[str]) -> dict[str, Lease]:
        wanted, leases, lines = sorted({*ids}), schema.leases, schema.lines
        found = dict[str, Lease]()
        for some in sql.chunks(wanted):
            heads = self._db.execute(select(leases).where(leases.c.id.in_(some))).all()
            of = self._lines(select(lines).where(lines.c.lease.in_(some)))
            by_lease = defaultdict[str, list[Line]](list)
            for line in of:
                by_lease[line.lease].append(line)
            found.update((row.id, _lease(row, by_lease[row.id])) for row in heads)
        return found

    def leases(self, after: str, limit: int, customer: str | None = None) -> list[Lease]:
        table = schema.leases
        query = select(table.c.id).where(table.c.id > after)
        if customer is not None:
            query = query.where(table.c.customer == customer)
        ids = list(self._db.scalars(query.order_by(table.c.id).limit(limit)))
        found = self.leases_by_id(ids)
        return [found[id] for id in ids]

    def lines_of(self, assets: Iterable[str]) -> dict[str, list[Line]]:
        table, found = schema.lines, defaultdict[str, list[Line]](list)
        for some in sql.chunks([*assets]):
            query = select(table).where(table.c.asset.in_(some))
            for line in self._lines(query):
                found[line.asset or ""].append(line)
        return dict(found)

    def lines_held(
        self, customer: str, now: int, assets: Iterable[str] | None = None
    ) -> list[Line]:
        table, leases = schema.lines, schema.leases
        query = (
            select(table)
            .join(leases, leases.c.id == table.c.lease)
            .where(leases.c.customer == customer, table.c.start_at <= now)
            .where(table.c.ended.is_(None), table.c.asset.is_not(None))
        )
        if assets is None:
            return self._lines(query)
        some = sql.chunks([*assets])
        return [line for one in some for line in self._lines(query.where(table.c.asset.in_(one)))]

    def agreements(self, lease: str) -> list[Agreement]:
        table = schema.agreements
        query = select(*table.c[1:]).where(table.c.lease == lease).order_by(table.c.id)
        found = self._db.execute(query)
        return [Agreement._make((*row[:6], orjson.loads(row.body))) for row in found]

    def _lines(self, query: Select[Any]) -> list[Line]:
        table = schema.lines
        return [
            _line(row) for row in self._db.execute(query.order_by(table.c.start_at, table.c.id))
        ]


class LeaseWrites(LeaseReads):
    """The part of a `tracker.ports.Writer` that concerns leases."""

    def put_partner(self, partner: Partner) -> None:
        table = schema.partners
        self._db.execute(delete(table).where(table.c.id == partner.id))
        sites = rows.json([*partner.sites])
        values = (partner.id, partner.name, partner.kind, sites, partner.version)
        self._db.execute(insert(table).values(values))

    def put_lease(self, lease: Lease) -> None:
        heads, lines = schema.leases, schema.lines
        self._db.execute(delete(heads).where(heads.c.id == lease.id))
        self._db.execute(delete(lines).where(lines.c.lease == lease.id))
        said = lease_fields(lease)
        head = (lease.id, said.pop("customer"), rows.json(said), lease.version)
        self._db.execute(insert(heads).values(head))
        if lease.lines:
            names = lines.c.keys()
            values = [dict(zip(names, _line_row(line), strict=True)) for line in lease.lines]
            self._db.execute(insert(lines), values)

    def lock_leases(self) -> None:
        """Whoever writes is alone already, except on PostgreSQL."""

    def agree(self, agreements: Sequence[Agreement]) -> None:
        values = [one._asdict() | {"body": rows.json(dict(one.body))} for one in agreements]
        if values:
            self._db.execute(insert(schema.agreements), values)


def _partner(row: Row[Any]) -> Partner:
    return Partner(row.id, row.name, row.kind, tuple(orjson.loads(row.sites)), row.version)


def _lease(row: Row[Any], lines: Sequence[Line]) -> Lease:
    head = orjson.loads(row.body)
    head["sites"], head["consignees"] = tuple(head["sites"]), tuple(head["consignees"])
    return Lease(row.id, row.customer, lines=tuple(lines), version=row.version, **head)


def _line_row(line: Line) -> tuple[Any, ...]:
    days = (line.start.isoformat(), line.due.isoformat())
    ended = (line.ended.how, line.ended.at) if line.ended else (None, None)
    return (line.lease, line.id, line.asset, line.class_, *days, line.start_at, line.due_at, *ended)


def _line(row: Any) -> Line:
    days = (date.fromisoformat(row.start), date.fromisoformat(row.due))
    ended = End(row.ended, row.ended_at) if row.ended is not None else None
    times = (row.start_at, row.due_at)
    return Line(row.lease, row.id, row.asset, row[3], *days, *times, ended)  # [3]: its class
