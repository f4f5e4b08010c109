"""SQL texts for what passes by the thousand: given to the driver as they are, with plain
tuples, for SQLAlchemy's own binding of parameters would cost as much as the insert itself."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import orjson
from sqlalchemy import Connection, CursorResult, Select, Table, insert, select, text
from sqlalchemy.dialects import sqlite

from tracker.stores import schema

_T = TypeVar("_T")
IN_AT_ONCE = 10_000  # values in one IN list; SQLite takes 32,766


def _insert(table: Table, prefix: str = "OR IGNORE") -> str:
    return str(insert(table).prefix_with(prefix).compile(dialect=sqlite.dialect()))


def _upsert(table: Table, key: str, *lasting: str) -> str:
    """Insert a row; where there is one of its key, change all of it but what is `lasting`."""
    names = [column.name for column in table.c if column.name not in (key, *lasting)]
    changes = ", ".join(f'"{name}" = excluded."{name}"' for name in names)
    return f"{_insert(table, '')} ON CONFLICT ({key}) DO UPDATE SET {changes}"


@dataclass(frozen=True)
class Statements:
    """The texts, in the words of one database, and how it is given many rows at once."""

    append: str
    hold: str
    keep_letter: str
    note_sighting: str
    note_cell: str
    add_visit: str
    add_transition: str
    save_present: str
    add_profile: str
    presents: str
    waiting: str
    save_snapshot: str
    set_first: str
    add_given_up: str
    add_version: str
    add_line: str
    add_change: str
    add_label: str
    add_words: str
    forget_label: str
    forget_words: str
    put_asset: str
    put_device: str
    save_progress: str
    save_belief: str
    save_body: str
    save_standing: str
    save_usage: str
    save_spent: str
    uses: str
    note_vital: str
    mark_stale: str
    suspect: str
    progress: str
    assets: str
    messages_before: str
    drop_before_bases: str
    shared_external_ids: str
    observed: str
    stale: str
    beliefs: str
    placed: str
    add_coarsening: str
    forget_coarsening: str
    queue_delivery: str
    save_delivery: str
    many: Callable[[Connection, str, Sequence[tuple[Any, ...]]], CursorResult[Any]]


_APPEND = _insert(schema.log)
_HOLD = _insert(schema.quarantine)
_KEEP_LETTER = _insert(schema.dead_letters)
_NOTE_SIGHTING = _insert(schema.sightings)
_NOTE_CELL = _insert(schema.cells)
_ADD_VISIT = _insert(schema.visits, "OR REPLACE")
_ADD_TRANSITION = _insert(schema.transitions, "OR REPLACE")
_SAVE_PRESENT = _upsert(schema.presents, "asset")
_ADD_PROFILE = _insert(schema.profiles)
_WAITING = """
    SELECT asset, stage, p, behind, tick, profile, posterior FROM presents
    WHERE asset > ? AND NOT EXISTS (SELECT 1 FROM stale WHERE stale.asset = presents.asset)
    ORDER BY asset LIMIT ?"""
_PRESENTS = "SELECT * FROM presents WHERE asset IN (SELECT value FROM json_each(?))"
_SET_FIRST = """
    UPDATE snapshots SET body = json_set(body, '$.first', json(?))
    WHERE asset = ? AND (at, key) > (?, ?)"""
_SAVE_SNAPSHOT = _insert(schema.snapshots, "OR REPLACE")
_ADD_GIVEN_UP = _insert(schema.given_up, "")
_ADD_VERSION = _insert(schema.versions, "")
_ADD_LINE = _insert(schema.journal, "")
_ADD_CHANGE = _insert(schema.audit, "")
_ADD_LABEL = _insert(schema.labels, "")
_ADD_WORDS = "INSERT INTO words (rowid, text) VALUES (?, ?)"
_FORGET_LABEL = "DELETE FROM labels WHERE name = ? AND value = ? AND asset = ?"
_FORGET_WORDS = "DELETE FROM words WHERE rowid = ?"
_PUT_ASSET = _upsert(schema.assets, "number")
_PUT_DEVICE = _upsert(schema.devices, "id", "first_received")
_SAVE_PROGRESS = """
    INSERT INTO progress (device, boot, top, first, holes, lost, received)
    VALUES (?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT DO UPDATE SET top = excluded.top, first = excluded.first,
        holes = excluded.holes, lost = excluded.lost, received = max(received, excluded.received)"""
_SAVE_BELIEF = _insert(schema.beliefs, "OR REPLACE")
# For an asset that is where it was: the indexes stay untouched.
_SAVE_BODY = "UPDATE beliefs SET body = ?, revision = ? WHERE asset = ?"
_SAVE_STANDING = _insert(schema.standings, "OR REPLACE")
# In the order of the tables that are joined.
_USES = """
    SELECT a.class, a.id, a.attributes, u.total, l.spent, l.because, l.trips, l.remaining
    FROM assets AS a
    LEFT JOIN usages AS u ON u.asset = a.id LEFT JOIN lives AS l ON l.asset = a.id
    WHERE a.class IN (SELECT id FROM classes)"""
_SAVE_SPENT = _insert(schema.lives, "OR REPLACE")
_SAVE_USAGE = _insert(schema.usages, "OR REPLACE")
_NOTE_VITAL = """
    INSERT INTO vitals (device, name, value, at, key) VALUES (?, ?, ?, ?, ?)
    ON CONFLICT DO UPDATE SET value = excluded.value, at = excluded.at, key = excluded.key
        WHERE (excluded.at, excluded.key) > (vitals.at, vitals.key)"""
_MARK_STALE = """
    INSERT INTO stale (asset, at) VALUES (?, ?)
    ON CONFLICT DO UPDATE SET at = min(stale.at, excluded.at)"""
_SUSPECT = _MARK_STALE.replace("stale", "suspects").replace("asset", "device")
# Lists of strings travel as one JSON parameter: one statement text for every length.
_PROGRESS = """
    SELECT p.device, p.boot, p.top, p.first, p.holes, p.lost FROM json_each(?) AS wanted
    JOIN progress AS p ON p.device = wanted.value ->> 0 AND p.boot = wanted.value ->> 1"""
_ASSETS = str(
    select(schema.assets).where(schema.assets.c.id.in_(text("SELECT value FROM json_each(?)")))
)
# Runs of numbers: within one, a number and its rank grow alike.
_MESSAGES_BEFORE = """
    SELECT device, boot, min(seq), max(seq) FROM (
        SELECT DISTINCT device, boot, seq,
            seq - dense_rank() OVER (PARTITION BY device, boot ORDER BY seq) AS run
        FROM log WHERE at < ? AND stamp < ? AND seq IS NOT NULL)
    GROUP BY device, boot, run"""
_DROP_BEFORE_BASES = """
    DELETE FROM snapshots WHERE EXISTS (
        SELECT 1 FROM snapshots AS base
        WHERE base.asset = snapshots.asset AND base.base AND base.at < ?
            AND (base.at, base.key) > (snapshots.at, snapshots.key))"""
_SHARED_EXTERNAL_IDS = """
    SELECT name, value, json_group_array(asset) AS assets FROM labels
    WHERE name >= 'id:' AND name < 'id;' GROUP BY name, value HAVING count(*) > 1"""
_OBSERVED = """
    SELECT value FROM json_each(?)
    WHERE EXISTS (SELECT 1 FROM log WHERE log.subject = json_each.value)"""
_STALE = "SELECT asset, at FROM stale WHERE asset IN (SELECT value FROM json_each(?))"
_PLACED = "SELECT body FROM beliefs WHERE asset IN (SELECT value FROM json_each(?))"
_BELIEFS = """
    SELECT b.body, s.body, u.total, u.tail FROM beliefs AS b
    LEFT JOIN standings AS s ON s.asset = b.asset LEFT JOIN usages AS u ON u.asset = b.asset
    WHERE b.asset IN (SELECT value FROM json_each(?))"""
_ADD_COARSENING = """
    INSERT INTO coarsenings (series, day, noted) VALUES (?, ?, ?)
    ON CONFLICT DO UPDATE SET noted = coarsenings.noted + 1"""
_FORGET_COARSENING = "DELETE FROM coarsenings WHERE series = ? AND day = ? AND noted = ?"

_QUEUE_DELIVERY = _insert(schema.deliveries)
_SAVE_DELIVERY = """
    UPDATE deliveries SET state = ?, due = ?, attempts = ?, lead = ?
    WHERE id = ? AND state <> 'sent'"""


SQLITE = Statements(
    append=_APPEND,
    hold=_HOLD,
    keep_letter=_KEEP_LETTER,
    note_sighting=_NOTE_SIGHTING,
    note_cell=_NOTE_CELL,
    add_visit=_ADD_VISIT,
    add_transition=_ADD_TRANSITION,
    save_present=_SAVE_PRESENT,
    add_profile=_ADD_PROFILE,
    presents=_PRESENTS,
    waiting=_WAITING,
    save_snapshot=_SAVE_SNAPSHOT,
    set_first=_SET_FIRST,
    add_given_up=_ADD_GIVEN_UP,
    add_version=_ADD_VERSION,
    add_line=_ADD_LINE,
    add_change=_ADD_CHANGE,
    add_label=_ADD_LABEL,
    add_words=_ADD_WORDS,
    forget_label=_FORGET_LABEL,
    forget_words=_FORGET_WORDS,
    put_asset=_PUT_ASSET,
    put_device=_PUT_DEVICE,
    save_progress=_SAVE_PROGRESS,
    save_belief=_SAVE_BELIEF,
    save_body=_SAVE_BODY,
    save_standing=_SAVE_STANDING,
    save_usage=_SAVE_USAGE,
    save_spent=_SAVE_SPENT,
    uses=_USES,
    note_vital=_NOTE_VITAL,
    mark_stale=_MARK_STALE,
    suspect=_SUSPECT,
    progress=_PROGRESS,
    assets=_ASSETS,
    messages_before=_MESSAGES_BEFORE,
    drop_before_bases=_DROP_BEFORE_BASES,
    shared_external_ids=_SHARED_EXTERNAL_IDS,
    observed=_OBSERVED,
    stale=_STALE,
    beliefs=_BELIEFS,
    placed=_PLACED,
    add_coarsening=_ADD_COARSENING,
    forget_coarsening=_FORGET_COARSENING,
    queue_delivery=_QUEUE_DELIVERY,
    save_delivery=_SAVE_DELIVERY,
    many=lambda db, statement, values: db.exec_driver_sql(statement, list(values)),
)


class Speaks:
    """What stands on one open transaction, and knows the words of its database."""

    _db: Connection
    _sql: Statements

    def _many(self, statement: str, values: Sequence[tuple[Any, ...]]) -> int:
        """Run a statement for many rows; how many it changed."""
        return self._sql.many(self._db, statement, values).rowcount if values else 0

    def _unlocked(self, query: Select[tuple[object, ...]]) -> Select[tuple[object, ...]]:
        """Only the rows that nobody else takes at the moment: on SQLite all."""
        return query


def as_json(values: Any) -> str:
    """A JSON parameter."""
    return orjson.dumps(values).decode()


def chunks(values: list[_T]) -> Iterator[list[_T]]:
    """Parts of a list that fit into an IN list."""
    for start in range(0, len(values), IN_AT_ONCE):
        yield values[start : start + IN_AT_ONCE]
