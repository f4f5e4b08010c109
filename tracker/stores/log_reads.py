"""Reading the log, and what stands beside it: receipts, dead letters, quarantine, journal."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from heapq import merge
from itertools import groupby
from typing import Any

from sqlalchemy import Table, func, select, union

from tracker.log_ports import SPAN_MS, Arrival, Boot, Line, LogSpan, Queues
from tracker.model import DeadLetter, Observation, Quarantined
from tracker.receipts import Progress
from tracker.stores import rows, schema, sql
from tracker.stores.history import history
from tracker.whereabouts import Moment


class LogReads(sql.Speaks):
    """The part of a `tracker.ports.Reader` that concerns the log."""

    def logged(self, key: bytes) -> Observation | None:
        row = self._db.execute(select(*schema.log.c[1:14]).where(schema.log.c.key == key)).first()
        return rows.observation(row) if row else None

    def history(
        self,
        asset: str,
        since: int | None = None,
        until: int | None = None,
        after: Moment | None = None,
        limit: int | None = None,
        as_of: int | None = None,
    ) -> Iterator[Observation]:
        return history(self._db, asset, since, until, after, limit, as_of)

    def edge(self) -> int | None:
        edge: int | None = self._db.scalar(select(func.max(schema.edges.c.at)))
        return edge

    def log_spans(self) -> Iterator[LogSpan]:
        log = schema.log
        since = log.c.stamp - (log.c.stamp % SPAN_MS + SPAN_MS) % SPAN_MS  # also before 1970
        newest = select((since + SPAN_MS).label("end"), func.max(log.c.recorded))
        yield from (
            LogSpan(*row) for row in self._db.execute(newest.group_by("end").order_by("end"))
        )

    def dead_letters(
        self, before: int | None, limit: int, device: str | None = None, reason: str | None = None
    ) -> list[tuple[int, DeadLetter]]:
        page = self._newest_first(schema.dead_letters, before, limit, device=device, reason=reason)
        return [(row[0], rows.dead_letter(row[1:])) for row in page]

    def letters_about(self, topic: str) -> Iterator[bytes]:
        table = schema.dead_letters
        whole = func.length(table.c.payload) == table.c.size
        found = self._db.scalars(select(table.c.payload).where(table.c.topic == topic, whole))
        return (bytes(payload) for payload in found)

    def held_back(
        self, before: int | None, limit: int, device: str | None = None, reason: str | None = None
    ) -> list[tuple[int, Quarantined]]:
        page = self._newest_first(schema.quarantine, before, limit, device=device, reason=reason)
        return [(row[0], rows.quarantined(row[1:])) for row in page]

    def strangers(self, after: str, limit: int) -> list[tuple[str, int, int, int]]:
        table, devices = schema.quarantine, schema.devices
        query = (
            select(
                table.c.device,
                func.count(),
                func.min(table.c.received),
                func.max(table.c.received),
            )
            .where(table.c.device > after, table.c.reason == "unknown_device")
            .where(~select(devices.c.id).where(devices.c.id == table.c.device).exists())
            .group_by(table.c.device)
            .order_by(table.c.device)
            .limit(limit)
        )
        return [tuple(row) for row in self._db.execute(query)]

    def _newest_first(
        self, table: Table, before: int | None, limit: int, **equal: str | None
    ) -> Iterator[Sequence[Any]]:
        query = select(table).order_by(table.c.id.desc()).limit(limit)
        if before is not None:
            query = query.where(table.c.id < before)
        for name, value in equal.items():
            if value is not None:
                query = query.where(table.c[name] == value)
        yield from self._db.execute(query)

    def newest_reception(self) -> int | None:
        newest: int | None = self._db.scalar(select(func.max(schema.progress.c.received)))
        return newest

    def counts(self) -> dict[str, int]:
        tables = (schema.log, schema.dead_letters, schema.quarantine, schema.outbox)
        return {
            table.name: self._db.scalar(select(func.count()).select_from(table)) or 0
            for table in tables
        }

    def queues(self) -> Queues:
        outbox, stale, held = schema.outbox, schema.stale, schema.quarantine
        counts = (
            select(func.count()).select_from(table).scalar_subquery()
            for table in (stale, held, schema.dead_letters)
        )
        query = select(func.count(), func.min(outbox.c.id), *counts).select_from(outbox)
        return Queues(*self._db.execute(query).one())

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

    def before_edge(self) -> int:
        edge = self.edge()
        if edge is None:
            return 0
        log = schema.log
        query = select(func.count()).select_from(log).where(log.c.at < edge)
        return self._db.scalar(query) or 0

    def every_progress(self) -> Iterator[tuple[Boot, Progress]]:
        for row in self._db.execute(select(schema.progress)):
            yield (row.device, row.boot), rows.progress(row.top, row.first, row.holes, row.lost)

    def kept(self) -> Iterator[tuple[Boot, Iterator[int]]]:
        tables = (schema.log, schema.quarantine, schema.dead_letters)
        numbered = [
            select(table.c.device, table.c.boot, table.c.seq).where(table.c.seq.is_not(None))
            for table in tables
        ]
        ordered = self._db.execute(union(*numbered).order_by("device", "boot", "seq"))
        given_up: dict[Boot, list[range]] = {}
        for row in self._db.execute(select(schema.given_up)):
            numbers = range(row.low, row.high + 1)
            given_up.setdefault((row.device, row.boot), []).append(numbers)
        for boot, found in groupby(ordered, key=lambda row: (row.device, row.boot)):
            yield boot, _once(*given_up.pop(boot, ()), (row.seq for row in found))
        for boot, ranges in given_up.items():
            yield boot, _once(*ranges)

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
            .where(newer.c.supersedes.is_not(None) | newer.c.kind.like("%.corrected"))
            .where(older.c.id.is_(None))
        )
        return self._db.scalar(query) or 0

    def journal_after(self, number: int, limit: int) -> list[Line]:
        table = schema.journal
        query = select(table).where(table.c.id > number).order_by(table.c.id).limit(limit)
        return [rows.line(row) for row in self._db.execute(query)]

    def logged_after(self, number: int, upto: int, limit: int) -> list[tuple[int, bytes, str, int]]:
        log = schema.log
        query = (
            select(log.c.id, log.c.key, log.c.subject, log.c.at)
            .where(log.c.id > number, log.c.id <= upto)
            .order_by(log.c.id)
            .limit(limit)
        )
        return [tuple(row) for row in self._db.execute(query)]

    def numbered(self, after: int, limit: int) -> list[tuple[int, Observation]]:
        log = schema.log
        query = select(*log.c[:14]).where(log.c.id > after).order_by(log.c.id).limit(limit)
        return [(row[0], rows.observation(row[1:])) for row in self._db.execute(query)]

    def arrivals(self, after: int, limit: int) -> list[Arrival]:
        log = schema.log
        query = select(*log.c[:15]).where(log.c.id > after).order_by(log.c.id).limit(limit)
        return [
            Arrival(row[0], row.recorded, rows.observation(row[1:14]))
            for row in self._db.execute(query)
        ]

    def newest(self) -> tuple[int, int]:
        log = self._db.scalar(select(func.max(schema.log.c.id))) or 0
        return log, self._db.scalar(select(func.max(schema.journal.c.id))) or 0


def _once(*numbers: Iterable[int]) -> Iterator[int]:
    """Ascending numbers together, each of them once."""
    return (number for number, _ in groupby(merge(*numbers)))
