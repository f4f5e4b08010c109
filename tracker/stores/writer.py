"""The writing side of the store, in SQL that SQLite runs.

What passes by the thousand goes to the driver as plain tuples: SQLAlchemy's own binding of
parameters would cost as much as the insert itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any, TypeVar

import orjson
from sqlalchemy import Connection, Insert, Table, delete, func, insert, literal, select, update
from sqlalchemy.dialects import sqlite

from tracker import fold
from tracker.access import ApiKey
from tracker.fold import Belief, Entry
from tracker.model import Asset, Binding, DeadLetter, Device, Observation, Quarantined, ReaderPlace
from tracker.ports import Boot, Outbound
from tracker.receipts import Progress
from tracker.stores import rows, schema
from tracker.stores.cache import Cache
from tracker.stores.history import history, places

_T = TypeVar("_T")
IN_AT_ONCE = 10_000  # values in one IN list; SQLite takes 32,766


def _sql(statement: Insert) -> str:
    return str(statement.compile(dialect=sqlite.dialect()))


def _insert(table: Table, prefix: str = "OR IGNORE") -> str:
    return _sql(insert(table).prefix_with(prefix))


_APPEND = _insert(schema.log)
_HOLD = _insert(schema.quarantine)
_SAVE_PROGRESS = """
    INSERT INTO progress (device, boot, top, first, holes, lost, received)
    VALUES (?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT DO UPDATE SET top = excluded.top, first = excluded.first,
        holes = excluded.holes, lost = excluded.lost, received = max(received, excluded.received)"""
_SAVE_BELIEF = _insert(schema.beliefs, "OR REPLACE")
# Lists of strings travel as one JSON parameter: one statement text for every length.
_PROGRESS = """
    SELECT p.device, p.boot, p.top, p.first, p.holes, p.lost FROM json_each(?) AS wanted
    JOIN progress AS p ON p.device = wanted.value ->> 0 AND p.boot = wanted.value ->> 1"""
_BELIEFS = "SELECT body FROM beliefs WHERE asset IN (SELECT value FROM json_each(?))"


class SqlWriter:
    """A `tracker.ports.Writer` on one open transaction."""

    def __init__(self, connection: Connection, cache: Cache) -> None:
        self._db = connection
        self._cache = cache

    def devices(self, ids: Iterable[str]) -> Mapping[str, Device]:
        known = self._cache.devices
        wanted = list(ids)
        unknown = [id for id in wanted if id not in known]
        for some in _chunks(unknown):
            found = select(schema.devices).where(schema.devices.c.id.in_(some))
            known.update((row.id, rows.device(row)) for row in self._db.execute(found))
        return {id: known[id] for id in wanted if id in known}

    def places(self) -> dict[str, ReaderPlace]:
        return places(self._db)

    def bindings(self, subjects: Iterable[str]) -> Mapping[str, Sequence[Binding]]:
        known = self._cache.bindings
        wanted = list(subjects)
        unknown = [subject for subject in wanted if subject not in known]
        known.update((subject, []) for subject in unknown)
        for some in _chunks(unknown):
            found = select(schema.bindings).where(schema.bindings.c.subject.in_(some))
            for row in self._db.execute(found):
                known[row.subject].append(rows.binding(row))
        return {subject: known[subject] for subject in wanted}

    def append(self, observations: Sequence[Observation]) -> set[bytes]:
        if not observations:
            return set()
        last = self._db.scalar(select(func.max(schema.log.c.id))) or 0
        inserted = self._db.exec_driver_sql(
            _APPEND,
            [(last + n, *rows.observation_row(o)) for n, o in enumerate(observations, 1)],
        ).rowcount
        if inserted == len(observations):
            return {o.key for o in observations}
        return set(self._db.scalars(select(schema.log.c.key).where(schema.log.c.id > last)))

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
        for some in _chunks(list(keys)):
            query = select(table.c.key, table.c.digest).where(table.c.key.in_(some))
            found.update((row.key, row.digest) for row in self._db.execute(query))
        return found

    def remove(self, keys: Iterable[bytes]) -> None:
        for some in _chunks(list(keys)):
            self._db.execute(delete(schema.log).where(schema.log.c.key.in_(some)))

    def progress(self, boots: Iterable[Boot]) -> dict[Boot, Progress]:
        known = self._cache.progress
        wanted = list(boots)
        if unknown := [boot for boot in wanted if boot not in known]:
            for row in self._db.exec_driver_sql(_PROGRESS, (_json(unknown),)):
                known[(row[0], row[1])] = rows.progress(*row[2:])
        return {boot: known[boot] for boot in wanted if boot in known}

    def save_progress(
        self, progress: Mapping[Boot, Progress], received: Mapping[Boot, int]
    ) -> None:
        if progress:
            self._db.exec_driver_sql(
                _SAVE_PROGRESS,
                [
                    (*boot, *rows.progress_columns(p), received[boot])
                    for boot, p in progress.items()
                ],
            )
            self._cache.progress.update(progress)

    def beliefs(self, assets: Iterable[str]) -> dict[str, Belief]:
        known = self._cache.beliefs
        wanted = list(assets)
        if unknown := [asset for asset in wanted if asset not in known]:
            known.update(dict.fromkeys(unknown))
            for (body,) in self._db.exec_driver_sql(_BELIEFS, (_json(unknown),)):
                belief = fold.decode(body)
                known[belief.asset] = belief
        return {asset: found for asset in wanted if (found := known[asset]) is not None}

    def save_beliefs(self, beliefs: Sequence[Belief]) -> None:
        if beliefs:
            self._db.exec_driver_sql(
                _SAVE_BELIEF, [(b.asset, fold.encode(b).decode()) for b in beliefs]
            )
            self._cache.beliefs.update((b.asset, b) for b in beliefs)

    def drop_belief(self, asset: str) -> None:
        self._db.execute(delete(schema.beliefs).where(schema.beliefs.c.asset == asset))
        self._cache.beliefs.pop(asset, None)

    def history(self, asset: str) -> Iterator[Observation]:
        return history(self._db, asset)

    def journal(self, entries: Sequence[Entry]) -> None:
        self._db.execute(
            insert(schema.journal),
            [entry._asdict() | {"body": orjson.dumps(entry.body).decode()} for entry in entries],
        )

    def last_entry(self, asset: str) -> int | None:
        of_asset = schema.journal.c.asset == asset
        newest: int | None = self._db.scalar(select(func.max(schema.journal.c.id)).where(of_asset))
        return newest

    def dead_letter(self, letters: Sequence[DeadLetter]) -> None:
        self._db.execute(
            insert(schema.dead_letters).prefix_with("OR IGNORE"),
            [asdict(letter) for letter in letters],
        )

    def quarantine(self, held: Sequence[Quarantined]) -> None:
        self._doubted().update(q.observation.device for q in held)
        self._db.exec_driver_sql(
            _HOLD,
            [(None, *rows.observation_row(q.observation), q.reason, q.detail) for q in held],
        )

    def quarantined(self, device: str, reason: str) -> int:
        table = schema.quarantine
        query = select(func.count()).select_from(table)
        return self._db.scalar(query.where(_held_of(device, reason))) or 0

    def quarantine_of(self, device: str, reason: str) -> list[Observation]:
        table = schema.quarantine
        query = select(*table.c[1:14]).where(_held_of(device, reason)).order_by(table.c.id)
        return [rows.observation(row) for row in self._db.execute(query)]

    def release(self, keys: Iterable[bytes]) -> None:
        table = schema.quarantine
        for some in _chunks(list(keys)):
            self._db.execute(delete(table).where(table.c.key.in_(some)))

    def first_heard(self, device: str, received: int) -> None:
        table = schema.devices
        unheard = (table.c.id == device) & table.c.first_received.is_(None)
        self._db.execute(update(table).where(unheard).values(first_received=received))
        self._cache.devices.pop(device, None)

    def add_device(self, device: Device) -> None:
        place = device.place
        self._db.execute(
            insert(schema.devices).values(
                id=device.id,
                kind=device.kind,
                recording=device.recording,
                lat=place.lat if place else None,
                lon=place.lon if place else None,
                acc=place.acc if place else None,
                first_received=device.first_received,
            )
        )

    def add_asset(self, asset: Asset) -> None:
        self._db.execute(insert(schema.assets).values(id=asset.id, kind=asset.kind))

    def add_binding(self, binding: Binding) -> None:
        self._db.execute(
            insert(schema.bindings).values(
                asset=binding.asset,
                subject=binding.subject,
                since=binding.since,
                until=binding.until,
            )
        )
        self._cache.bindings.pop(binding.subject, None)

    def asset(self, id: str) -> Asset | None:
        row = self._db.execute(select(schema.assets).where(schema.assets.c.id == id)).first()
        return Asset(row.id, row.kind) if row else None

    def enqueue(self, topic: str, payload: bytes) -> None:
        self._db.execute(insert(schema.outbox).values(topic=topic, payload=payload))

    def outbox(self, limit: int) -> list[Outbound]:
        query = select(schema.outbox).order_by(schema.outbox.c.id).limit(limit)
        return [Outbound(*row) for row in self._db.execute(query)]

    def sent(self, ids: Iterable[int]) -> None:
        self._db.execute(delete(schema.outbox).where(schema.outbox.c.id.in_(list(ids))))

    def add_key(self, key: ApiKey) -> None:
        self._db.execute(
            insert(schema.api_keys).values(
                id=key.id,
                name=key.name,
                digest=key.digest,
                scopes=" ".join(key.scopes),
                created=key.created,
                expires=key.expires,
                revoked=key.revoked,
            )
        )

    def revoke_key(self, id: str, at: int) -> bool:
        table = schema.api_keys
        in_force = (table.c.id == id) & table.c.revoked.is_(None)
        return self._db.execute(update(table).where(in_force).values(revoked=at)).rowcount > 0


def _held_of(device: str, reason: str) -> Any:
    table = schema.quarantine
    return (table.c.device == device) & (table.c.reason == literal(reason))


def _json(values: Any) -> str:
    return orjson.dumps(values).decode()


def _chunks(values: list[_T]) -> Iterator[list[_T]]:
    for start in range(0, len(values), IN_AT_ONCE):
        yield values[start : start + IN_AT_ONCE]
