"""The reading side of the store."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from itertools import groupby
from typing import Any

from sqlalchemy import Connection, Table, func, select, union

from tracker import fold
from tracker.access import ApiKey
from tracker.fold import Belief
from tracker.model import Asset, Binding, DeadLetter, Device, Observation, Quarantined, ReaderPlace
from tracker.ports import Boot, DeviceStatus, Position
from tracker.receipts import Progress
from tracker.stores import rows, schema
from tracker.stores.history import history, places


class SqlReader:
    """A `tracker.ports.Reader` on one open transaction."""

    def __init__(self, connection: Connection) -> None:
        self._db = connection

    def asset(self, id: str) -> Asset | None:
        row = self._db.execute(select(schema.assets).where(schema.assets.c.id == id)).first()
        return Asset(row.id, row.kind) if row else None

    def assets(self, after: str, limit: int) -> list[Asset]:
        table = schema.assets
        query = select(table).where(table.c.id > after).order_by(table.c.id).limit(limit)
        return [Asset(row.id, row.kind) for row in self._db.execute(query)]

    def belief(self, asset: str) -> Belief | None:
        table = schema.beliefs
        body = self._db.scalar(select(table.c.body).where(table.c.asset == asset))
        return fold.decode(body) if body else None

    def beliefs(self) -> Iterator[Belief]:
        for body in self._db.scalars(select(schema.beliefs.c.body)):
            yield fold.decode(body)

    def bound_assets(self) -> list[str]:
        return list(self._db.scalars(select(schema.bindings.c.asset).distinct()))

    def logged(self, key: bytes) -> Observation | None:
        row = self._db.execute(select(*schema.log.c[1:]).where(schema.log.c.key == key)).first()
        return rows.observation(row) if row else None

    def history(
        self,
        asset: str,
        since: int | None = None,
        until: int | None = None,
        after: Position | None = None,
        limit: int | None = None,
    ) -> Iterator[Observation]:
        return history(self._db, asset, since, until, after, limit)

    def bindings_of(self, asset: str) -> list[Binding]:
        table = schema.bindings
        query = select(table).where(table.c.asset == asset).order_by(table.c.id)
        return [rows.binding(row) for row in self._db.execute(query)]

    def device(self, id: str) -> DeviceStatus | None:
        row = self._db.execute(select(schema.devices).where(schema.devices.c.id == id)).first()
        return self._with_boots([rows.device(row)])[0] if row else None

    def devices(self, after: str, limit: int) -> list[DeviceStatus]:
        table = schema.devices
        query = select(table).where(table.c.id > after).order_by(table.c.id).limit(limit)
        return self._with_boots([rows.device(row) for row in self._db.execute(query)])

    def _with_boots(self, devices: list[Device]) -> list[DeviceStatus]:
        table = schema.progress
        boots: dict[str, list[tuple[str, Progress]]] = {device.id: [] for device in devices}
        last: dict[str, int] = {}
        query = select(table).where(table.c.device.in_(boots)).order_by(table.c.received.desc())
        for row in self._db.execute(query):
            last.setdefault(row.device, row.received)
            progress = rows.progress(row.top, row.first, row.holes, row.lost)
            boots[row.device].append((row.boot, progress))
        return [DeviceStatus(d, last.get(d.id), boots[d.id]) for d in devices]

    def places(self) -> dict[str, ReaderPlace]:
        return places(self._db)

    def dead_letters(self, before: int | None, limit: int) -> list[tuple[int, DeadLetter]]:
        page = self._newest_first(schema.dead_letters, before, limit)
        return [(row[0], rows.dead_letter(row[1:])) for row in page]

    def quarantine(self, before: int | None, limit: int) -> list[tuple[int, Quarantined]]:
        page = self._newest_first(schema.quarantine, before, limit)
        return [(row[0], rows.quarantined(row[1:])) for row in page]

    def _newest_first(
        self, table: Table, before: int | None, limit: int
    ) -> Iterator[Sequence[Any]]:
        query = select(table).order_by(table.c.id.desc()).limit(limit)
        if before is not None:
            query = query.where(table.c.id < before)
        yield from self._db.execute(query)

    def api_key(self, digest: bytes) -> ApiKey | None:
        table = schema.api_keys
        row = self._db.execute(select(table).where(table.c.digest == digest)).first()
        return rows.api_key(row) if row else None

    def api_keys(self) -> list[ApiKey]:
        query = select(schema.api_keys).order_by(schema.api_keys.c.created)
        return [rows.api_key(row) for row in self._db.execute(query)]

    def newest_reception(self) -> int | None:
        newest: int | None = self._db.scalar(select(func.max(schema.progress.c.received)))
        return newest

    def counts(self) -> dict[str, int]:
        tables = (schema.log, schema.dead_letters, schema.quarantine, schema.outbox)
        return {
            table.name: self._db.scalar(select(func.count()).select_from(table)) or 0
            for table in tables
        }

    def duplicates(self) -> int:
        log = schema.log
        natural = (log.c.device, log.c.boot, log.c.seq, log.c.event, log.c.kind)
        repeated = (
            select(func.count().label("n"))
            .where(log.c.seq.is_not(None))
            .group_by(*natural)
            .having(func.count() > 1)
            .subquery()
        )
        return self._db.scalar(select(func.coalesce(func.sum(repeated.c.n - 1), 0))) or 0

    def progress(self) -> Iterator[tuple[Boot, Progress]]:
        for row in self._db.execute(select(schema.progress)):
            yield (row.device, row.boot), rows.progress(row.top, row.first, row.holes, row.lost)

    def kept(self) -> Iterator[tuple[Boot, Iterator[int]]]:
        tables = (schema.log, schema.quarantine, schema.dead_letters)
        numbered = [
            select(table.c.device, table.c.boot, table.c.seq).where(table.c.seq.is_not(None))
            for table in tables
        ]
        ordered = self._db.execute(union(*numbered).order_by("device", "boot", "seq"))
        for boot, found in groupby(ordered, key=lambda row: (row.device, row.boot)):
            yield boot, (row.seq for row in found)

    def messages(self, boots: Collection[str]) -> int:
        log = schema.log
        of_boots = select(log.c.device, log.c.boot, log.c.seq).where(log.c.boot.in_(boots))
        return (
            self._db.scalar(select(func.count()).select_from(of_boots.distinct().subquery())) or 0
        )

    def broken_links(self) -> int:
        newer, older = schema.journal, schema.journal.alias()
        sound = (
            (newer.c.supersedes == older.c.id)
            & (newer.c.asset == older.c.asset)
            & (older.c.id < newer.c.id)
        )
        query = (
            select(func.count())
            .select_from(newer.outerjoin(older, sound))
            .where(newer.c.supersedes.is_not(None), older.c.id.is_(None))
        )
        return self._db.scalar(query) or 0
