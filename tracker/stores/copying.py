"""A whole database carried over from SQLite to PostgreSQL: all of it, or nothing.

It is read in one transaction, so gateways may go on writing to it; what they write then is not
copied. Numbers of rows stay as they are, for devices and listeners know some of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import psycopg
from sqlalchemy import Connection, Table, func, select

from tracker.log_ports import SPAN_MS
from tracker.ports import StoreRefused
from tracker.stores import schema
from tracker.stores.partitions import make
from tracker.stores.postgresql_sql import POSTGRESQL
from tracker.stores.postgresql_writer import PostgresqlWriter
from tracker.stores.reader import SqlReader

ROWS_AT_ONCE = 10_000


def copy(
    source: SqlReader,
    target: PostgresqlWriter,
    progress: Callable[[int, int], None] = lambda _done, _all: None,
) -> dict[str, int]:
    """Copy everything from a SQLite database into an empty PostgreSQL one of the same schema;
    how many rows there were, by table. `progress` is told rows done and rows in all. Raises
    StoreRefused where the target holds anything or cannot hold a row; it must be undone then."""
    there, here = source.connection, target.connection
    # Nobody waits for what an empty database has locked, and to count a large one takes its time.
    here.exec_driver_sql("SET LOCAL idle_in_transaction_session_timeout = 0")
    tables = schema.metadata.sorted_tables
    for table in tables:
        if here.execute(select(table).limit(1)).first() is not None:
            raise StoreRefused(
                f"nothing is copied: {table.name} there holds rows already; name a new one"
            )
    for span in source.log_spans():
        make(here, span.end // SPAN_MS - 1)
    counts = {table.name: _count(there, table) for table in tables}
    done, rows = 0, sum(counts.values())
    for table in tables:
        for some in _batches(there, table):
            _write(here, table, some)
            done += len(some)
            progress(done, rows)
        if (came := _count(here, table)) != counts[table.name]:
            raise StoreRefused(f"nothing is copied: only {came} rows of {table.name} arrived")
        _count_on(here, table)
    _copy_words(there, here)
    here.exec_driver_sql("ANALYZE")
    return counts


def _count(db: Connection, table: Table) -> int:
    return db.scalar(select(func.count()).select_from(table)) or 0


def _batches(db: Connection, table: Table) -> Iterator[Sequence[Any]]:
    """Its rows as the driver gives them, in the order of its key: a line of the journal comes
    after the one that it corrects."""
    ordered = select(table).order_by(*table.primary_key)
    names = str(ordered.compile(db))
    yield from db.exec_driver_sql(names).partitions(ROWS_AT_ONCE)


def _write(db: Connection, table: Table, rows: Sequence[Any]) -> None:
    names = ", ".join(f'"{column.name}"' for column in table.c)
    driver: psycopg.Connection[Any] = db.connection.driver_connection  # type: ignore[assignment]
    try:
        with (
            driver.cursor() as cursor,
            cursor.copy(f'COPY "{table.name}" ({names}) FROM STDIN'.encode()) as lines,
        ):
            for row in rows:
                lines.write_row(row)
    except psycopg.Error as error:
        cause = str(error).strip().splitlines()[0]
        raise StoreRefused(
            f"nothing is copied: {table.name} has a row that cannot be: {cause}"
        ) from error


def _count_on(db: Connection, table: Table) -> None:
    """Let the table number its next row after the greatest number that it holds."""
    number = table.autoincrement_column
    if number is not None:
        newest = func.max(number)
        sequence = func.pg_get_serial_sequence(table.name, number.name)
        db.execute(select(func.setval(sequence, newest)).having(newest > 0))


def _copy_words(there: Connection, here: Connection) -> None:
    """Each database has its own index of the words that assets are found by."""
    for some in there.exec_driver_sql("SELECT rowid, text FROM words").partitions(ROWS_AT_ONCE):
        POSTGRESQL.many(here, POSTGRESQL.add_words, [tuple(row) for row in some])
