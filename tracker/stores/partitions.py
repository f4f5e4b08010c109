"""The log's partitions on PostgreSQL: by the raw stamp, never by reception, a span each.

A partition is made where a row needs it, on a connection of its own: attaching one takes no
lock that a transaction which reads or writes the log would wait for. It is dropped in the
transaction that moves the log's edge beyond it.
"""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import Connection, Engine

from tracker.log_ports import SPAN_MS

MAKING_LOCK = 0x9A27


class Partitions:
    """Makes the partitions of one database."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def ensure(self, stamps: Iterable[int], known: set[int]) -> None:
        """Make the partitions that rows with these stamps (epoch ms) need, but the `known` ones;
        all are known afterwards."""
        missing = {stamp // SPAN_MS for stamp in stamps} - known
        if not missing:
            return
        with self._engine.connect().execution_options(isolation_level="AUTOCOMMIT") as db:
            db.exec_driver_sql(f"SELECT pg_advisory_lock({MAKING_LOCK})")
            try:
                for number in sorted(missing):
                    make(db, number)
            finally:
                db.exec_driver_sql(f"SELECT pg_advisory_unlock({MAKING_LOCK})")
        known |= missing


def make(db: Connection, number: int) -> None:
    """Make the partition of a number, unless it is there."""
    name = _name(number)
    made = "SELECT inhparent FROM pg_inherits WHERE inhrelid = to_regclass(%s)"
    if db.exec_driver_sql(made, (name,)).first() is not None:
        return
    db.exec_driver_sql(f"DROP TABLE IF EXISTS {name}")  # made and never attached
    db.exec_driver_sql(f"CREATE TABLE {name} (LIKE log INCLUDING DEFAULTS INCLUDING INDEXES)")
    since, until = number * SPAN_MS, (number + 1) * SPAN_MS
    db.exec_driver_sql(
        f"ALTER TABLE log ATTACH PARTITION {name} FOR VALUES FROM ({since}) TO ({until})"
    )


def partitions(db: Connection) -> list[tuple[int, str]]:
    """The numbers of those that there are, in order, and their tables' names."""
    of_log = "SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = 'log'::regclass"
    return sorted((_number(name), name) for name in db.exec_driver_sql(of_log).scalars())


def drop(db: Connection, before: int) -> int:
    """Drop the partitions before the one of a number; how many rows they held."""
    rows = 0
    for number, name in partitions(db):
        if number < before:
            rows += db.exec_driver_sql(f"SELECT count(*) FROM {name}").scalar_one()  # noqa: S608
            db.exec_driver_sql(f"DROP TABLE {name}")
    return rows


def _name(number: int) -> str:
    """
    >>> _name(690), _name(-3), _number("log_690"), _number("log_before_3")
    ('log_690', 'log_before_3', 690, -3)
    """
    return f"log_{number}" if number >= 0 else f"log_before_{-number}"


def _number(name: str) -> int:
    number = int(name.rpartition("_")[2])
    return -number if name.startswith("log_before_") else number
