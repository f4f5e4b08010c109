"""SQL texts for what passes by the thousand: given to the driver as they are, with plain
tuples, for SQLAlchemy's own binding of parameters would cost as much as the insert itself."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, TypeVar

import orjson
from sqlalchemy import Table, insert, select, text
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


APPEND = _insert(schema.log)
HOLD = _insert(schema.quarantine)
NOTE_SIGHTING = _insert(schema.sightings)
NOTE_CELL = _insert(schema.cells)
ADD_VISIT = _insert(schema.visits, "OR REPLACE")
SAVE_SNAPSHOT = _insert(schema.snapshots, "OR REPLACE")
ADD_GIVEN_UP = _insert(schema.given_up, "")
ADD_VERSION = _insert(schema.versions, "")
ADD_CHANGE = _insert(schema.audit, "")
ADD_LABEL = _insert(schema.labels, "")
ADD_WORDS = "INSERT INTO words (rowid, text) VALUES (?, ?)"
FORGET_LABEL = "DELETE FROM labels WHERE name = ? AND value = ? AND asset = ?"
FORGET_WORDS = "DELETE FROM words WHERE rowid = ?"
PUT_ASSET = _upsert(schema.assets, "number")
PUT_DEVICE = _upsert(schema.devices, "id", "first_received")
SAVE_PROGRESS = """
    INSERT INTO progress (device, boot, top, first, holes, lost, received)
    VALUES (?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT DO UPDATE SET top = excluded.top, first = excluded.first,
        holes = excluded.holes, lost = excluded.lost, received = max(received, excluded.received)"""
SAVE_BELIEF = _insert(schema.beliefs, "OR REPLACE")
# For an asset that is where it was: the indexes stay untouched.
SAVE_BODY = "UPDATE beliefs SET body = ?, revision = ? WHERE asset = ?"
NOTE_VITAL = """
    INSERT INTO vitals (device, name, value, at, key) VALUES (?, ?, ?, ?, ?)
    ON CONFLICT DO UPDATE SET value = excluded.value, at = excluded.at, key = excluded.key
        WHERE (excluded.at, excluded.key) > (vitals.at, vitals.key)"""
MARK_STALE = """
    INSERT INTO stale (asset, at) VALUES (?, ?)
    ON CONFLICT DO UPDATE SET at = min(stale.at, excluded.at)"""
# Lists of strings travel as one JSON parameter: one statement text for every length.
PROGRESS = """
    SELECT p.device, p.boot, p.top, p.first, p.holes, p.lost FROM json_each(?) AS wanted
    JOIN progress AS p ON p.device = wanted.value ->> 0 AND p.boot = wanted.value ->> 1"""
ASSETS = str(
    select(schema.assets).where(schema.assets.c.id.in_(text("SELECT value FROM json_each(?)")))
)
# Runs of numbers: within one, a number and its rank grow alike.
MESSAGES_BEFORE = """
    SELECT device, boot, min(seq), max(seq) FROM (
        SELECT DISTINCT device, boot, seq,
            seq - dense_rank() OVER (PARTITION BY device, boot ORDER BY seq) AS run
        FROM log WHERE at < ? AND seq IS NOT NULL)
    GROUP BY device, boot, run"""
DROP_BEFORE_BASES = """
    DELETE FROM snapshots WHERE EXISTS (
        SELECT 1 FROM snapshots AS base
        WHERE base.asset = snapshots.asset AND base.base AND base.at < ?
            AND (base.at, base.key) > (snapshots.at, snapshots.key))"""
SHARED_EXTERNAL_IDS = """
    SELECT name, value, json_group_array(asset) AS assets FROM labels
    WHERE name >= 'id:' AND name < 'id;' GROUP BY name, value HAVING count(*) > 1"""
OBSERVED = """
    SELECT value FROM json_each(?)
    WHERE EXISTS (SELECT 1 FROM log WHERE log.subject = json_each.value)"""
BELIEFS = "SELECT body FROM beliefs WHERE asset IN (SELECT value FROM json_each(?))"


def as_json(values: Any) -> str:
    """A JSON parameter."""
    return orjson.dumps(values).decode()


def chunks(values: list[_T]) -> Iterator[list[_T]]:
    """Parts of a list that fit into an IN list."""
    for start in range(0, len(values), IN_AT_ONCE):
        yield values[start : start + IN_AT_ONCE]
