"""SQL texts for PostgreSQL. Many rows travel as one array a column: one statement, planned once,
however many rows there are, and no round trip for each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Connection,
    CursorResult,
    Float,
    Integer,
    LargeBinary,
    Table,
    Text,
)

from tracker.stores import schema
from tracker.stores.postgresql_arrays import array
from tracker.stores.sql import SQLITE as _SQLITE
from tracker.stores.sql import Statements

_TYPES = {
    LargeBinary: "bytea",
    Text: "text",
    BigInteger: "bigint",
    Integer: "integer",
    Float: "double precision",
    Boolean: "boolean",
}


def _type(column: Column[Any]) -> str:
    return next(name for kind, name in _TYPES.items() if isinstance(column.type, kind))


def _rows(columns: Sequence[Column[Any]]) -> str:
    """Rows `v` of these columns, from one array parameter each."""
    arrays = ", ".join(f"%s::{_type(column)}[]" for column in columns)
    names = ", ".join(f'"{column.name}"' for column in columns)
    return f"unnest({arrays}) AS v({names})"


def _insert(table: Table, conflict: str = "ON CONFLICT DO NOTHING", numbered: str = "") -> str:
    """Insert rows; the column `numbered`, the first of each, counts up by itself."""
    columns = list(table.c)
    names = ", ".join(f'"{column.name}"' for column in columns if column.name != numbered)
    return f'INSERT INTO "{table.name}" ({names}) SELECT {names} FROM {_rows(columns)} {conflict}'


def _upsert(table: Table, *lasting: str, where: str = "", **changes: str) -> str:
    """Insert rows; where there is one of its key, change all of it but what is `lasting`."""
    key = ", ".join(f'"{column.name}"' for column in table.primary_key)
    names = [c.name for c in table.c if not c.primary_key and c.name not in lasting]
    values = ", ".join(
        f'"{n}" = {changes.get(n, f"excluded.{chr(34)}{n}{chr(34)}")}' for n in names
    )
    return _insert(table, f"ON CONFLICT ({key}) DO UPDATE SET {values} {where}")


def _columns(table: Table, *names: str) -> list[Column[Any]]:
    return [table.c[name] for name in names]


def _many(db: Connection, statement: str, values: Sequence[tuple[Any, ...]]) -> CursorResult[Any]:
    """Run a statement with one array for each column of the rows."""
    return db.exec_driver_sql(statement, tuple(map(array, zip(*values, strict=True))))


_b, _d, _l, _v = schema.beliefs, schema.deliveries, schema.labels, schema.vitals
_NEWEST_VITALS = (
    "SELECT DISTINCT ON (device, name) * FROM {} ORDER BY device, name, at DESC, key DESC"
)

POSTGRESQL = Statements(
    append=_insert(schema.log, "ON CONFLICT DO NOTHING RETURNING key, id", numbered="id"),
    hold=_insert(schema.quarantine, numbered="id"),
    keep_letter=_insert(schema.dead_letters, numbered="id"),
    note_sighting=_insert(schema.sightings),
    note_cell=_insert(schema.cells),
    add_visit=_upsert(schema.visits),
    add_transition=_upsert(schema.transitions),
    save_present=_upsert(schema.presents),
    waiting=_SQLITE.waiting.replace("?", "%s"),
    add_profile=_insert(schema.profiles),
    presents="SELECT * FROM presents "
    "WHERE asset = ANY(ARRAY(SELECT json_array_elements_text(%s::json)))",
    save_snapshot=_upsert(schema.snapshots),
    set_first="""
        UPDATE snapshots SET body = jsonb_set(body::jsonb, '{first}', %s::jsonb)::text
        WHERE asset = %s AND (at, key) > (%s, %s)""",
    add_given_up=_insert(schema.given_up, ""),
    add_version=_insert(schema.versions, "", numbered="revision"),
    add_line=_insert(schema.journal, "RETURNING id", numbered="id"),
    add_change=_insert(schema.audit, "", numbered="id"),
    add_label=_insert(schema.labels, ""),
    add_words="INSERT INTO words (rowid, text) "
    "SELECT n, to_tsvector('simple', regexp_replace(t, '[^[:alnum:]]+', ' ', 'g')) "
    "FROM unnest(%s::bigint[], %s::text[]) AS v(n, t)",
    forget_label=f"DELETE FROM labels USING {_rows(list(_l.c))} WHERE (labels.name, labels.value, "
    "labels.asset) = (v.name, v.value, v.asset)",
    forget_words="DELETE FROM words WHERE rowid = ANY(%s::bigint[])",
    put_asset=_upsert(schema.assets),
    put_device=_upsert(schema.devices, "first_received"),
    save_progress=_upsert(
        schema.progress, received="greatest(progress.received, excluded.received)"
    ),
    save_belief=_upsert(schema.beliefs),
    save_body="UPDATE beliefs SET body = v.body, revision = v.revision FROM "
    f"{_rows(_columns(_b, 'body', 'revision', 'asset'))} WHERE beliefs.asset = v.asset",
    save_standing=_upsert(schema.standings),
    save_usage=_upsert(schema.usages),
    save_spent=_upsert(schema.lives),
    uses=_SQLITE.uses + " ORDER BY a.id",  # merged, not hashed: that would not fit in memory
    note_vital=_upsert(
        _v, where="WHERE (excluded.at, excluded.key) > (vitals.at, vitals.key)"
    ).replace(_rows(list(_v.c)), f"({_NEWEST_VITALS.format(_rows(list(_v.c)))}) AS v"),
    mark_stale=_upsert(schema.stale, at="least(stale.at, excluded.at)"),
    suspect=_upsert(schema.suspects, at="least(suspects.at, excluded.at)"),
    progress="SELECT p.device, p.boot, p.top, p.first, p.holes, p.lost "
    "FROM json_array_elements(%s::json) AS wanted JOIN progress AS p "
    "ON p.device = wanted ->> 0 AND p.boot = wanted ->> 1",
    assets="SELECT * FROM assets WHERE id = ANY(ARRAY(SELECT json_array_elements_text(%s::json)))",
    messages_before=_SQLITE.messages_before.replace("?", "%s").replace(
        "GROUP BY device, boot, run", "AS runs GROUP BY device, boot, run"
    ),
    drop_before_bases=_SQLITE.drop_before_bases.replace("?", "%s"),
    shared_external_ids="SELECT name, value, json_agg(asset)::text AS assets FROM labels "
    "WHERE name >= 'id:' AND name < 'id;' GROUP BY name, value HAVING count(*) > 1",
    observed="SELECT wanted FROM json_array_elements_text(%s::json) AS wanted "
    "WHERE EXISTS (SELECT 1 FROM log WHERE log.subject = wanted)",
    stale="SELECT asset, at FROM stale "
    "WHERE asset = ANY(ARRAY(SELECT json_array_elements_text(%s::json)))",
    beliefs="SELECT b.body, s.body, u.total, u.tail FROM beliefs AS b "
    "LEFT JOIN standings AS s ON s.asset = b.asset LEFT JOIN usages AS u ON u.asset = b.asset "
    "WHERE b.asset = ANY(ARRAY(SELECT json_array_elements_text(%s::json)))",
    placed="SELECT body FROM beliefs "
    "WHERE asset = ANY(ARRAY(SELECT json_array_elements_text(%s::json)))",
    add_coarsening=_upsert(schema.coarsenings, noted="coarsenings.noted + 1"),
    forget_coarsening=f"DELETE FROM coarsenings USING {_rows(list(schema.coarsenings.c))} "
    "WHERE (coarsenings.series, coarsenings.day, coarsenings.noted) = (v.series, v.day, v.noted)",
    queue_delivery=_insert(schema.deliveries),
    save_delivery="UPDATE deliveries SET state = v.state, due = v.due, attempts = v.attempts, "
    f"lead = v.lead FROM {_rows(_columns(_d, 'state', 'due', 'attempts', 'lead', 'id'))} "
    "WHERE deliveries.id = v.id AND deliveries.state <> 'sent'",
    many=_many,
)
