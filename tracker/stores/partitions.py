"""The log's partitions on PostgreSQL: by the raw stamp, never by reception, thirty days each.

A partition is made where a row needs it, on a connection of its own: attaching one takes no
lock that a transaction which reads or writes the log would wait for.
"""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import Connection, Engine

WIDTH_MS = 30 * 86_400_000
MAKING_LOCK = 0x9A27


class Partitions:
    """The partitions of one database, as far as they are known to be there."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._known: set[int] = set()

    def ensure(self, stamps: Iterable[int]) -> None:
        """Make the partitions that rows with these stamps (epoch ms) need."""
        missing = {stamp // WIDTH_MS for stamp in stamps} - self._known
        if not missing:
            return
        with self._engine.connect().execution_options(isolation_level="AUTOCOMMIT") as db:
            db.exec_driver_sql(f"SELECT pg_advisory_lock({MAKING_LOCK})")
            try:
                for number in sorted(missing):
                    _make(db, number)
            finally:
                db.exec_driver_sql(f"SELECT pg_advisory_unlock({MAKING_LOCK})")
        self._known |= missing


def _make(db: Connection, number: int) -> None:
    name = f"log_{number}" if number >= 0 else f"log_before_{-number}"
    made = "SELECT inhparent FROM pg_inherits WHERE inhrelid = to_regclass(%s)"
    if db.exec_driver_sql(made, (name,)).first() is not None:
        return
    db.exec_driver_sql(f"DROP TABLE IF EXISTS {name}")  # made and never attached
    db.exec_driver_sql(f"CREATE TABLE {name} (LIKE log INCLUDING DEFAULTS INCLUDING INDEXES)")
    since, until = number * WIDTH_MS, (number + 1) * WIDTH_MS
    db.exec_driver_sql(
        f"ALTER TABLE log ATTACH PARTITION {name} FOR VALUES FROM ({since}) TO ({until})"
    )
