"""Writing the log, and what stands beside it: receipts, dead letters, quarantine, outbox."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import astuple
from typing import Any

from sqlalchemy import Table, delete, func, insert, literal, select

from tracker.cells import cell_of
from tracker.log_ports import Boot, Outbound
from tracker.model import DeadLetter, Fix, Observation, Quarantined, Read
from tracker.receipts import Progress, Span, merged
from tracker.stamps import AHEAD_CORRECTED
from tracker.stores import rows, schema, sql
from tracker.stores.cache import Cache


class LogWrites(sql.Speaks):
    """The part of a `tracker.ports.Writer` that concerns the log."""

    _cache: Cache

    def append(self, observations: Sequence[Observation], recorded: int) -> dict[bytes, int]:
        if not observations:
            return {}
        last = self._db.scalar(select(func.max(schema.log.c.id))) or 0
        inserted = self._many(
            self._sql.append,
            [(last + n, *rows.observation_row(o), recorded) for n, o in enumerate(observations, 1)],
        )
        self._note_whereabouts(observations)
        if inserted == len(observations):
            return {o.key: last + n for n, o in enumerate(observations, 1)}
        new = select(schema.log.c.key, schema.log.c.id).where(schema.log.c.id > last)
        return {row.key: row.id for row in self._db.execute(new)}

    def _note_whereabouts(self, observations: Sequence[Observation]) -> None:
        """Note who saw what and roughly where things were, as far as that is new."""
        seen, been = self._cache.sightings, self._cache.cells
        new_sightings, new_cells = set(), set()
        for o in observations:
            what = o.what
            if isinstance(what, Fix):
                cell = (*cell_of(what.lat, what.lon, what.acc), o.subject)
                if cell not in been:
                    new_cells.add(cell)
            elif isinstance(what, Read) and (o.device, o.subject) not in seen:
                new_sightings.add((o.device, o.subject))
        self._many(self._sql.note_sighting, list(new_sightings))
        self._many(self._sql.note_cell, list(new_cells))
        seen |= new_sightings
        been |= new_cells

    def digests(self, keys: Iterable[bytes]) -> dict[bytes, bytes]:
        return self._digests(schema.log, keys)

    def held(self, observations: Sequence[Observation]) -> dict[bytes, bytes]:
        doubted = self._doubted()
        if not doubted:
            return {}
        keys = (o.key for o in observations if o.device in doubted)
        return self._digests(schema.quarantine, keys)

    def _doubted(self) -> set[str]:
        """The devices of which something is in quarantine: few, so that most are not looked up."""
        if self._cache.doubted is None:
            found = self._db.scalars(select(schema.quarantine.c.device).distinct())
            self._cache.doubted = set(found)
        return self._cache.doubted

    def _digests(self, table: Table, keys: Iterable[bytes]) -> dict[bytes, bytes]:
        found: dict[bytes, bytes] = {}
        for some in sql.chunks(list(keys)):
            query = select(table.c.key, table.c.digest).where(table.c.key.in_(some))
            found.update((row.key, row.digest) for row in self._db.execute(query))
        return found

    def remove(self, keys: Iterable[bytes]) -> None:
        for some in sql.chunks(list(keys)):
            self._db.execute(delete(schema.log).where(schema.log.c.key.in_(some)))

    def add_edge(self, at: int, recorded: int) -> int:
        self._cache.edge = []
        self._db.execute(insert(schema.edges).values(at=at, recorded=recorded))
        self._note_given_up(at)
        self._db.exec_driver_sql(self._sql.drop_before_bases, (at,))
        return self._delete_before(at)

    def _delete_before(self, at: int) -> int:
        return self._db.execute(delete(schema.log).where(schema.log.c.at < at)).rowcount

    def _note_given_up(self, before: int) -> None:
        """Note which messages have something in the log from before an event time."""
        table = schema.given_up
        spans: dict[Boot, list[Span]] = defaultdict(list)
        bounds = (before, before + AHEAD_CORRECTED)  # no stamp is corrected by more
        for device, boot, *span in self._db.exec_driver_sql(self._sql.messages_before, bounds):
            spans[(device, boot)].append(Span(*span))
        for row in self._db.execute(select(table)).all():
            if (row.device, row.boot) in spans:
                spans[(row.device, row.boot)].append(Span(row.low, row.high))
        for boot, found in spans.items():
            known = delete(table).where(table.c.device == boot[0], table.c.boot == boot[1])
            self._db.execute(known)
            self._many(self._sql.add_given_up, [(*boot, *span) for span in merged(found)])

    def progress(self, boots: Iterable[Boot]) -> dict[Boot, Progress]:
        known = self._cache.progress
        wanted = list(boots)
        if unknown := [boot for boot in wanted if boot not in known]:
            for row in self._db.exec_driver_sql(self._sql.progress, (sql.as_json(unknown),)):
                known[(row[0], row[1])] = rows.progress(*row[2:])
        return {boot: known[boot] for boot in wanted if boot in known}

    def save_progress(
        self, progress: Mapping[Boot, Progress], received: Mapping[Boot, int]
    ) -> None:
        self._many(
            self._sql.save_progress,
            [(*boot, *rows.progress_columns(p), received[boot]) for boot, p in progress.items()],
        )
        self._cache.progress.update(progress)

    def note_vitals(self, vitals: Sequence[tuple[str, str, str, int, bytes]]) -> None:
        self._many(self._sql.note_vital, vitals)

    def dead_letter(self, letters: Sequence[DeadLetter]) -> None:
        self._many(self._sql.keep_letter, [(None, *astuple(letter)) for letter in letters])

    def bury(self, numbers: Iterable[int]) -> None:
        table = schema.dead_letters
        for some in sql.chunks(list(numbers)):
            self._db.execute(delete(table).where(table.c.id.in_(some)))

    def letters_by_number(self, numbers: Iterable[int]) -> list[tuple[int, DeadLetter]]:
        table = schema.dead_letters
        found: list[tuple[int, DeadLetter]] = []
        for some in sql.chunks(list(numbers)):
            query = select(table).where(table.c.id.in_(some)).order_by(table.c.id)
            found += [(row[0], rows.dead_letter(row[1:])) for row in self._db.execute(query)]
        return found

    def quarantine(self, held: Sequence[Quarantined]) -> None:
        self._doubted().update(q.observation.device for q in held)
        self._many(
            self._sql.hold,
            [(None, *rows.observation_row(q.observation), q.reason, q.detail) for q in held],
        )

    def quarantined(self, device: str, reason: str) -> int:
        table = schema.quarantine
        query = select(func.count()).select_from(table)
        return self._db.scalar(query.where(_held_of(device, reason))) or 0

    def quarantine_of(self, device: str, reason: str) -> list[Observation]:
        if device not in self._doubted():
            return []
        table = schema.quarantine
        query = select(*table.c[1:14]).where(_held_of(device, reason)).order_by(table.c.id)
        return [rows.observation(row) for row in self._db.execute(query)]

    def held_by_number(self, numbers: Iterable[int]) -> list[Quarantined]:
        table = schema.quarantine
        found: list[Quarantined] = []
        for some in sql.chunks(list(numbers)):
            query = select(*table.c[1:]).where(table.c.id.in_(some)).order_by(table.c.id)
            found += [rows.quarantined(row) for row in self._db.execute(query)]
        return found

    def release(self, keys: Iterable[bytes]) -> None:
        table = schema.quarantine
        for some in sql.chunks(list(keys)):
            self._db.execute(delete(table).where(table.c.key.in_(some)))

    def enqueue(self, topic: str, payload: bytes) -> None:
        self._db.execute(insert(schema.outbox).values(topic=topic, payload=payload))

    def outbox(self, limit: int) -> list[Outbound]:
        query = select(schema.outbox).order_by(schema.outbox.c.id).limit(limit)
        return [Outbound(*row) for row in self._db.execute(query)]

    def sent(self, ids: Iterable[int]) -> None:
        self._db.execute(delete(schema.outbox).where(schema.outbox.c.id.in_(list(ids))))


def _held_of(device: str, reason: str) -> Any:
    table = schema.quarantine
    return (table.c.device == device) & (table.c.reason == literal(reason))
