"""SQLite: the embedded default. One file, one writer at a time, readers that never wait."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, exc

from tracker.ports import StoreRefused, StoreUnavailable
from tracker.stores import upgrade
from tracker.stores.cache import Cache
from tracker.stores.compiled import Compiled
from tracker.stores.reader import SqlReader
from tracker.stores.writer import SqlWriter

BUSY_MS = 2_000  # how long a transaction waits for another process's, before it tries anew
CONNECTIONS = 50  # more than the API has threads
WAL_PAGES = 4_000  # a checkpoint every 16 MB: fewer, larger ones cost less than many


class SqliteStore:
    """A database file. Creates and migrates it when opened.

    Raises StoreRefused where the file cannot be used, saying why.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._cache = Cache()
        self._compiled = Compiled()
        self._one_writer = threading.Lock()
        self._writer: Connection | None = None
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            _use_write_ahead_log(path)
            self._engine = _engine(path)
            self._migrate()
        except (OSError, sqlite3.DatabaseError, exc.DatabaseError, StoreRefused) as error:
            raise StoreRefused(f"cannot open the database {path}: {_cause(error)}") from error

    def _migrate(self) -> None:
        with self._engine.connect() as connection:
            upgrade.refuse_foreign(connection)
            if upgrade.current(connection) == upgrade.newest():
                return
            connection.rollback()  # the look was a transaction that reads
            upgrading = connection.execution_options(writes=True)
            with upgrading.begin():
                upgrade.upgrade(upgrading)

    @contextmanager
    def writing(self) -> Iterator[SqlWriter]:
        """One transaction that writes: BEGIN IMMEDIATE, committed with a synced log.

        Always on the same connection, for `data_version` counts what others have committed.
        """
        with self._one_writer:
            try:
                with self._mapped_errors():
                    if self._writer is None:
                        self._writer = self._engine.connect().execution_options(writes=True)
                    with self._writer.begin():
                        version = self._writer.exec_driver_sql("PRAGMA data_version").scalar_one()
                        yield SqlWriter(self._writer, self._cache.at(version))
            except BaseException:
                self._cache.forget()  # it may remember what was never committed
                raise

    def recording(self) -> AbstractContextManager[SqlWriter]:
        """The same: SQLite has one writer at a time."""
        return self.writing()

    @contextmanager
    def reading(self) -> Iterator[SqlReader]:
        """One transaction that reads a single state of the database."""
        with (
            self._mapped_errors(),
            self._engine.connect() as connection,
            connection.begin(),
        ):
            yield SqlReader(connection, compiled=self._compiled)

    @contextmanager
    def _mapped_errors(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.OperationalError, exc.OperationalError, exc.TimeoutError) as error:
            raise StoreUnavailable(f"{self.path}: {_cause(error)}") from error
        except exc.DatabaseError as error:
            if type(error.orig) is not sqlite3.DatabaseError:  # its kinds are faults of ours
                raise
            raise StoreUnavailable(f"{self.path}: {_cause(error)}") from error

    def close(self) -> None:
        """Close all connections."""
        if self._writer is not None:
            self._writer.close()
            self._writer = None
        self._engine.dispose()


def _use_write_ahead_log(path: Path) -> None:
    """Turn the log on, once for the file. SQLite itself does not wait for another process that
    is setting the file up, however long its busy timeout."""
    deadline = time.monotonic() + BUSY_MS / 1000
    with closing(sqlite3.connect(path)) as db:
        while True:
            try:
                db.execute("PRAGMA journal_mode=WAL").close()
                return
            except sqlite3.OperationalError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.02)


def _engine(path: Path) -> Engine:
    engine = create_engine(
        f"sqlite:///{path}", connect_args={"timeout": BUSY_MS / 1000}, max_overflow=CONNECTIONS
    )

    @event.listens_for(engine, "connect")
    def configure(dbapi: sqlite3.Connection, _record: Any) -> None:
        dbapi.isolation_level = None  # we say BEGIN ourselves, below
        for pragma in (
            "synchronous=FULL",
            "foreign_keys=ON",
            f"wal_autocheckpoint={WAL_PAGES}",
            "cache_size=-65536",
        ):
            dbapi.execute(f"PRAGMA {pragma}").close()

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        writes = connection.get_execution_options().get("writes", False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return engine


def _cause(error: Exception) -> str:
    return str(getattr(error, "orig", None) or error)
