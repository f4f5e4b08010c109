"""The reading side of the store."""

from __future__ import annotations

from sqlalchemy import Connection

from tracker.stores.asset_reads import AssetReads
from tracker.stores.log_reads import LogReads
from tracker.stores.point_queue import PointReads
from tracker.stores.setup_reads import SetupReads
from tracker.stores.sql import SQLITE, Statements


class SqlReader(LogReads, AssetReads, SetupReads, PointReads):
    """A `tracker.ports.Reader` on one open transaction."""

    def __init__(self, connection: Connection, statements: Statements = SQLITE) -> None:
        self._db = connection
        self._sql = statements

    @property
    def connection(self) -> Connection:
        """The open transaction, for who carries over whole tables."""
        return self._db
