"""Reading and writing on PostgreSQL, where it differs from SQLite: others write meanwhile.

The order of a transaction that records: lock its devices, insert, lock the assets, read, fold,
and write to the journal. What is read of events and progress is read under the lock of their
devices, beliefs under that of their assets, each locked in the order of ids, so that two
transactions never wait for each other in a ring.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    Select,
    Table,
    column,
    delete,
    func,
    literal_column,
    select,
    table,
)

from tracker.asset_ports import AssetFilter, Crowd
from tracker.fold import Belief, Entry
from tracker.log_ports import SPAN_MS, LogSpan, Outbound
from tracker.model import Asset, Device, Observation
from tracker.present import Now, Present
from tracker.stamps import AHEAD_CORRECTED
from tracker.stores import rows, schema, sql
from tracker.stores.asset_reads import told_of
from tracker.stores.cache import Cache
from tracker.stores.partitions import Partitions, drop, partitions
from tracker.stores.postgresql_arrays import array
from tracker.stores.reader import SqlReader
from tracker.stores.writer import SqlWriter

# Numbers are given before the commit, so a lower one may appear after a higher one. Whoever is
# about to be given some holds, until its commit, a lock whose key tells the last one given then:
# -1 - number. All other locks have keys above zero.
GIVEN = "SELECT CASE WHEN is_called THEN last_value ELSE 0 END AS number FROM log_id_seq"
HOLD = f"SELECT pg_advisory_xact_lock_shared(-1 - number) FROM ({GIVEN}) AS given"
HELD = """
    SELECT min(-1 - (classid::bigint << 32 | objid::bigint)) FROM pg_locks
    WHERE locktype = 'advisory' AND objsubid = 1 AND classid::bigint >= 2147483648
        AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"""
JOURNAL_LOCK, LEASES_LOCK = 0x5E71, 0x1EA5
NEARBY = 20_000  # assets that are gone through for a page before the index of words is asked:
# it gathers all that fit before it gives the first
AT_ONCE = 1_000


class PostgresqlReader(SqlReader):
    """A `tracker.ports.Reader` on one open transaction."""

    def log_spans(self) -> Iterator[LogSpan]:
        for number, name in partitions(self._db):
            newest = self._db.exec_driver_sql(f"SELECT max(recorded) FROM {name}").scalar()
            if newest is not None:
                yield LogSpan((number + 1) * SPAN_MS, newest)

    def newest(self) -> tuple[int, int]:
        # In this order: of a number given before the first look, the second sees the lock, or
        # it is decided. What is told may go back a little, where somebody was slow to take its
        # lock; what was told before is decided all the same.
        given: int = self._db.exec_driver_sql(GIVEN).scalar_one()
        held: int | None = self._db.exec_driver_sql(HELD).scalar_one()
        return given if held is None else min(given, held), super().newest()[1]

    def crowds(self, class_: str | None = None, site: str | None = None) -> list[Crowd]:
        # The index holds all that is counted; the table, which the planner prefers, is much wider.
        self._db.exec_driver_sql("SET LOCAL enable_seqscan = off")
        found = super().crowds(class_, site)
        self._db.exec_driver_sql("SET LOCAL enable_seqscan = on")
        return found

    def assets(self, wanted: AssetFilter, after: str, limit: int) -> list[Asset]:
        if wanted.text is None:
            return super().assets(wanted, after, limit)
        number, id = schema.assets.c.number, schema.assets.c.id
        after_number = self._db.scalar(select(number).where(id == after)) or 0
        nearby = after_number + NEARBY
        rowid, fitting = _WORDS.c.rowid, _words(wanted)
        near = fitting.where(rowid > after_number, rowid <= nearby)
        found = self._found(wanted, number.in_(near), limit)
        if len(found) < limit:
            # With the plus they are not gone through in order.
            beyond = fitting.where(rowid + 0 > nearby).order_by(rowid + 0)
            numbers = self._db.scalars(beyond).all()
            for first in range(0, len(numbers), AT_ONCE):
                some = number == func.any(list(numbers[first : first + AT_ONCE]))
                found += self._found(wanted, some, limit - len(found))
                if len(found) == limit:
                    break
        return found

    def _has_words(self, wanted: AssetFilter) -> ColumnElement[bool]:
        return _words(wanted).where(_WORDS.c.rowid == schema.assets.c.number).exists()

    def _found(self, wanted: AssetFilter, here: ColumnElement[bool], limit: int) -> list[Asset]:
        """The first of some assets that meet the conditions beside the words."""
        assets = schema.assets
        query = select(*assets.c[1:]).where(here, *_also(wanted))
        first = query.order_by(assets.c.number).limit(limit)
        return [rows.asset(row) for row in self._db.execute(first)]


_WORDS = table("words", column("rowid", BigInteger), column("text"))


def _words(wanted: AssetFilter) -> Select[tuple[int]]:
    """The numbers of assets with words that begin as is asked."""
    words = " & ".join(f"{word}:*" for word in re.findall(r"[^\W_]+", wanted.text or ""))
    asked = func.to_tsquery(literal_column("'simple'"), words)
    return select(_WORDS.c.rowid).where(_WORDS.c.text.bool_op("@@")(asked))


def _also(wanted: AssetFilter) -> Iterator[ColumnElement[bool]]:
    """The conditions beside the words."""
    table, beliefs, labels = schema.assets, schema.beliefs, schema.labels
    if wanted.class_ is not None:
        yield table.c["class"] == wanted.class_
    if wanted.site is not None:
        there = (beliefs.c.site == wanted.site, beliefs.c.asset == table.c.id)
        yield select(beliefs.c.asset).where(*there).exists()
    for name, value in wanted.labels:
        labelled = (labels.c.name == name, labels.c.value == value, labels.c.asset == table.c.id)
        yield select(labels.c.asset).where(*labelled).exists()
    if told := told_of(wanted):
        presents = schema.presents.c.asset
        yield select(presents).where(*told, presents == table.c.id).exists()


class PostgresqlWriter(PostgresqlReader, SqlWriter):
    """A `tracker.ports.Writer` on one open transaction."""

    def __init__(
        self,
        connection: Connection,
        cache: Cache,
        statements: sql.Statements,
        partitions: Partitions,
    ) -> None:
        SqlWriter.__init__(self, connection, cache, statements)
        self._partitions = partitions
        self._sure: set[tuple[str, str]] = set()  # of which nobody changes the edition any more
        self._own_edition: str | None = None

    def append(self, observations: Sequence[Observation], recorded: int) -> dict[bytes, int]:
        if not observations:
            return {}
        known = self.digests(o.key for o in observations)  # the table's key tells stamps apart
        ordered = sorted(
            (o for o in observations if o.key not in known), key=lambda o: (o.stamp, o.key)
        )
        self._partitions.ensure((o.stamp for o in ordered), self._cache.partitions)
        if not ordered:
            return {}
        self._db.exec_driver_sql(HOLD)
        new = self._sql.many(
            self._db,
            self._sql.append,
            [(None, *rows.observation_row(o), recorded) for o in ordered],
        )
        numbers = {bytes(row.key): row.id for row in new}
        self._note_whereabouts(ordered)
        return numbers

    def _delete_before(self, at: int) -> int:
        # A corrected time is earlier than its stamp, by an hour at most: whole partitions go,
        # and of the one or two others little is looked at.
        log, whole = schema.log, at // SPAN_MS
        begun = (log.c.stamp >= whole * SPAN_MS) & (log.c.stamp < at + AHEAD_CORRECTED)
        rows = self._db.execute(delete(log).where(begun, log.c.at < at)).rowcount
        return rows + drop(self._db, before=whole)

    def devices(self, ids: Iterable[str]) -> Mapping[str, Device]:
        wanted = list(ids)
        self._lock(schema.devices, set(wanted))
        return super().devices(wanted)

    def beliefs(self, assets: Iterable[str]) -> dict[str, Belief]:
        wanted = list(assets)
        self._lock(schema.assets, set(wanted))
        self._forget_changed(schema.beliefs, self._cache.beliefs, wanted)
        return super().beliefs(wanted)

    def save_beliefs(self, beliefs: Sequence[Belief], revision: int) -> None:
        self._note_changed(schema.beliefs, (belief.asset for belief in beliefs))
        super().save_beliefs(beliefs, revision)

    def stale_assets(self, limit: int) -> list[str]:
        """Those that nobody else is at; they are locked."""
        stale, assets = schema.stale, schema.assets
        query = select(stale.c.asset).join(assets, assets.c.id == stale.c.asset).limit(limit)
        free = query.with_for_update(of=assets, key_share=True, skip_locked=True)
        return list(self._db.scalars(free))

    def presents(self, assets: Iterable[str]) -> dict[str, Present]:
        wanted = list(assets)
        self._forget_changed(schema.presents, self._cache.presents, wanted)
        return super().presents(wanted)

    def save_presents(self, told: Sequence[Now]) -> None:
        self._note_changed(schema.presents, (now.present.asset for now in told))
        super().save_presents(told)

    def _forget_changed(self, table: Table, known: dict[str, Any], assets: Iterable[str]) -> None:
        """Forget what others have changed since it was read or written here. The transaction
        that wrote a row tells which edition of it this is."""
        names = {asset: (table.name, asset) for asset in assets}
        unsure = [asset for asset, name in names.items() if name not in self._sure]
        query = f"SELECT asset, xmin::text FROM {table.name} WHERE asset = ANY(%s::text[])"
        found = self._db.exec_driver_sql(query, (array(unsure),)).all() if unsure else []
        there, editions = {row.asset: row.xmin for row in found}, self._cache.editions
        for asset in unsure:
            edition, name = there.get(asset, ""), names[asset]
            if editions.get(name) != edition:
                editions[name] = edition
                known.pop(asset, None)
        self._sure.update(names.values())

    def _note_changed(self, table: Table, assets: Iterable[str]) -> None:
        if self._own_edition is None:
            query = "SELECT pg_current_xact_id()::xid::text"
            self._own_edition = self._db.exec_driver_sql(query).scalar_one()
        names = [(table.name, asset) for asset in assets]
        self._cache.editions.update(dict.fromkeys(names, self._own_edition))
        self._sure.update(names)

    def _lock(self, table: Table, ids: set[str]) -> None:
        self._db.exec_driver_sql(
            f"SELECT id FROM {table.name} WHERE id = ANY(%s::text[]) ORDER BY id FOR NO KEY UPDATE",
            (array(list(ids)),),
        )

    def lock_leases(self) -> None:
        # After the locks of assets, and with nothing locked after it that others wait with.
        self._db.exec_driver_sql(f"SELECT pg_advisory_xact_lock({LEASES_LOCK})")

    def journal(self, entries: Sequence[Entry], recorded: int) -> Sequence[int]:
        if not entries:
            return []
        # Until the commit: so lines appear in the order of their numbers.
        self._db.exec_driver_sql(f"SELECT pg_advisory_xact_lock({JOURNAL_LOCK})")
        lines = [(None, *rows.line_row(entry, recorded)) for entry in entries]
        return list(self._sql.many(self._db, self._sql.add_line, lines).scalars())

    def outbox(self, limit: int) -> list[Outbound]:
        query = select(schema.outbox).order_by(schema.outbox.c.id).limit(limit)
        waiting = self._db.execute(query.with_for_update(skip_locked=True))
        return [Outbound(*row) for row in waiting]

    def _unlocked(self, query: Select[tuple[object, ...]]) -> Select[tuple[object, ...]]:
        return query.with_for_update(skip_locked=True)

    def _digests(self, table: Table, keys: Iterable[bytes]) -> dict[bytes, bytes]:
        query = f"SELECT key, digest FROM {table.name} WHERE key = ANY(%s::bytea[])"
        found = self._db.exec_driver_sql(query, (array(list(keys)),))
        return {bytes(row.key): bytes(row.digest) for row in found}

    def held(self, observations: Sequence[Observation]) -> dict[bytes, bytes]:
        return self._digests(schema.quarantine, (o.key for o in observations))
