"""The reading side of the store."""

from __future__ import annotations

from sqlalchemy import Connection, func, select

from tracker.inference import Inference
from tracker.stores import schema
from tracker.stores.alert_tables import AlertReads
from tracker.stores.asset_reads import AssetReads
from tracker.stores.compiled import Compiled
from tracker.stores.delivery_tables import DeliveryReads
from tracker.stores.lease_tables import LeaseReads
from tracker.stores.life_tables import LifeReads
from tracker.stores.log_reads import LogReads
from tracker.stores.point_queue import PointReads
from tracker.stores.setup_reads import SetupReads
from tracker.stores.sql import SQLITE, Statements
from tracker.stores.stage_reads import StageReads


class SqlReader(
    LogReads,
    AssetReads,
    StageReads,
    SetupReads,
    PointReads,
    LeaseReads,
    AlertReads,
    DeliveryReads,
    LifeReads,
):
    """A `tracker.ports.Reader` on one open transaction. What is `compiled` it shares with others
    of its store; one that may write shares nothing, for it sees what others must not yet see."""

    def __init__(
        self,
        connection: Connection,
        statements: Statements = SQLITE,
        compiled: Compiled | None = None,
    ) -> None:
        self._db = connection
        self._sql = statements
        self._compiled = compiled

    def inference(self, as_of: int | None = None) -> Inference:
        if as_of is not None or self._compiled is None:
            return super().inference(as_of)
        tables = (schema.versions, schema.outages)
        newest = (select(func.max(table.c.revision)).scalar_subquery() for table in tables)
        setup, outage = self._db.execute(select(*newest)).one()
        return self._compiled.at(setup or 0, outage or 0, super().inference, self.outages)

    @property
    def connection(self) -> Connection:
        """The open transaction, for who carries over whole tables."""
        return self._db
