"""When readers were down, and what of the log tells of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, and_, delete, func, insert, not_, or_, select

from tracker.model import Kind
from tracker.outages import Outages
from tracker.stores import schema, sql
from tracker.stores.cache import Cache
from tracker.versions import Spell, Version

AT_ONCE_MS = 120_000  # what is received so soon was not kept back
OFFLINE = '"online":false'  # in the body of a will


class OutageReads(sql.Speaks):
    """The part of a `tracker.ports.Reader` that concerns outages."""

    def outages(self, as_of: int | None = None) -> Outages:
        table = schema.outages
        query = select(table).order_by(table.c.revision)
        if as_of is not None:
            query = query.where(table.c.recorded <= as_of)
        return Outages(
            Version(r.revision, "outage", r.device, r.since, r.until, r.recorded, r.deaf)
            for r in self._db.execute(query)
        )

    def suspects(self) -> dict[str, int]:
        table = schema.suspects
        return {row.device: row.at for row in self._db.execute(select(table))}

    def will_from(self, device: str, at: int) -> int | None:
        log = schema.log
        wills = (log.c.subject == device, _is_will(), log.c.at >= at)
        found: int | None = self._db.scalar(select(func.min(log.c.at)).where(*wills))
        return found

    def sign_before(self, device: str, at: int) -> int | None:
        at_most = schema.log.c.at <= at
        return max(self._each(func.max(schema.log.c.at), device, at_most), default=None)

    def back_after(self, device: str, at: int) -> int | None:
        log = schema.log
        greeted = log.c.kind == Kind.PRESENCE.value
        back = and_(log.c.at > at, or_(greeted, log.c.received - log.c.at <= AT_ONCE_MS))
        return min(self._each(func.min(log.c.at), device, back), default=None)

    def signs(self, device: str, after: int, before: int | None) -> list[int]:
        at = schema.log.c.at
        between = at > after if before is None else and_(at > after, at < before)
        return sorted({*self._each(at, device, between)})

    def _each(self, what: Any, device: str, when: ColumnElement[bool]) -> list[int]:
        """What is asked of a device's own reports, and of its reads."""
        log = schema.log
        own = (log.c.subject == device, not_(_is_will()))
        reads = (log.c.device == device, log.c.kind == Kind.READ.value)
        found = [self._db.scalars(select(what).where(*signs, when)) for signs in (own, reads)]
        return [at for ats in found for at in ats if at is not None]


class OutageWrites(sql.Speaks):
    """The part of a `tracker.ports.Writer` that concerns outages."""

    _cache: Cache

    def suspect(self, devices: Mapping[str, int]) -> None:
        if devices:
            self._many(self._sql.suspect, list(devices.items()))

    def cleared(self, devices: Iterable[str]) -> None:
        table = schema.suspects
        self._db.execute(delete(table).where(table.c.device.in_([*devices])))

    def set_outages(
        self, device: str, since: int | None, spells: Sequence[Spell[bool]], recorded: int
    ) -> None:
        there = Spell[bool | None](since, None, None)
        for spell in (there, *spells):
            values = dict(zip(("since", "until", "deaf"), spell, strict=True))
            of_device = {"device": device, "recorded": recorded}
            self._db.execute(insert(schema.outages).values(values | of_device))
        self._cache.outages = None

    def stepped(self, assets: Iterable[str], tick: int) -> list[str]:
        table, found = schema.presents, list[str]()
        for some in sql.chunks(sorted(assets)):
            query = select(table.c.asset).where(table.c.asset.in_(some), table.c.tick >= tick)
            found += self._db.scalars(query)
        return found


def _is_will() -> ColumnElement[bool]:
    log = schema.log
    return and_(log.c.kind == Kind.PRESENCE.value, log.c.body.contains(OFFLINE))
