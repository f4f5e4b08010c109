"""The queue of points for the time-series store, and the days whose coarser points are due."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from sqlalchemy import delete, func, insert, select, update

from tracker.log_ports import LateDay, Points
from tracker.stores import schema, sql
from tracker.stores.cache import Cache

ROWS_AT_ONCE = 500
SEPARATOR = b"\xff"  # in no UTF-8; a line may hold line ends, in a text
NAME = "points"  # of the one projection there is

_points, _days = schema.points, schema.coarsenings


class PointReads(sql.Speaks):
    """The part of a `tracker.ports.Reader` that concerns the queue of points."""

    def projected(self) -> bool:
        return self._db.scalar(select(schema.projections.c.name)) is not None

    def behind(self) -> int | None:
        since: int | None = self._db.scalar(
            select(_points.c.queued).order_by(_points.c.id).limit(1)
        )
        return since

    def backlog(self) -> int:
        return self._db.scalar(select(func.sum(_points.c.lines))) or 0

    def queued_lines(self) -> Iterator[bytes]:
        for body in self._db.scalars(select(_points.c.body)):
            yield from bytes(body).split(SEPARATOR)

    def to_coarsen(self, after: int, limit: int) -> list[LateDay]:
        query = select(_days).where(_days.c.day > after).order_by(_days.c.day, _days.c.series)
        return [LateDay(*row) for row in self._db.execute(query.limit(limit))]


class PointWrites(PointReads):
    """The part of a `tracker.ports.Writer` that concerns it."""

    _cache: Cache

    def projected(self) -> bool:
        if self._cache.projected is None:
            self._cache.projected = super().projected()
        return self._cache.projected

    def project(self, since: int | None) -> None:
        self._cache.projected = None
        self._db.execute(delete(schema.projections))
        if since is not None:
            self._db.execute(insert(schema.projections).values(name=NAME, since=since))
            return
        self._db.execute(delete(_points))
        self._db.execute(delete(_days))

    def queue_points(self, lines: Sequence[bytes], queued: int) -> None:
        if lines:
            body = SEPARATOR.join(lines)
            row = {"queued": queued, "due": 0, "lines": len(lines), "body": body}
            self._db.execute(insert(_points).values(row))

    def take_points(self, now: int, until: int, lines: int) -> list[Points]:
        due = select(_points).where(_points.c.due <= now).order_by(_points.c.id)
        taken: list[Points] = []
        held = 0
        for row in self._db.execute(self._unlocked(due.limit(ROWS_AT_ONCE))):
            if held >= lines:
                break
            taken.append(Points(row.id, row.queued, bytes(row.body).split(SEPARATOR)))
            held += row.lines
        self.put_off([row.id for row in taken], until)
        return taken

    def put_off(self, ids: Iterable[int], until: int) -> None:
        self._db.execute(update(_points).where(_points.c.id.in_(list(ids))).values(due=until))

    def told(self, ids: Iterable[int]) -> None:
        self._db.execute(delete(_points).where(_points.c.id.in_(list(ids))))

    def coarsen(self, days: Iterable[tuple[str, int]]) -> None:
        self._many(self._sql.add_coarsening, [(*day, 1) for day in days])

    def coarsened(self, days: Iterable[LateDay]) -> None:
        self._many(self._sql.forget_coarsening, list(days))
