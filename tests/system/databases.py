"""The databases that a world may stand on: how to open them, ask them, and hold them up."""

import sqlite3
from contextlib import closing, contextmanager

import psycopg
from sqlalchemy import create_engine, text

from tracker.stores.postgresql import SETUP_LOCK, PostgresqlStore
from tracker.stores.sqlite import SqliteStore


class Database:
    """A migrated database at `url`, with a store of our own on it."""

    def __init__(self, url, store):
        self.url, self.store = url, store
        driver = url.replace("postgresql://", "postgresql+psycopg://")
        self._engine = create_engine(driver, pool_pre_ping=True)

    def rows(self, sql):
        with self._engine.connect() as db:
            return [tuple(row) for row in db.execute(text(sql))]

    def close(self):
        self.store.close()
        self._engine.dispose()


class SqliteDatabase(Database):
    """A file."""

    def __init__(self, path):
        super().__init__(f"sqlite:///{path}", SqliteStore(path))

    @contextmanager
    def stalled(self):
        """It takes no writes for as long as the context lasts."""
        with closing(sqlite3.connect(self.store.path, isolation_level=None)) as db:
            db.execute("BEGIN IMMEDIATE")
            yield


class PostgresqlDatabase(Database):
    """A database of a server that may be stopped."""

    def __init__(self, server, url):
        super().__init__(url, PostgresqlStore(url))
        self.server = server

    @contextmanager
    def stalled(self):
        """It takes no writes for as long as the context lasts."""
        with psycopg.connect(self.url) as db:
            db.execute("SELECT pg_advisory_xact_lock(%s)", [SETUP_LOCK])
            yield
