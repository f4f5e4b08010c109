"""The writing side of the store, in SQL that SQLite runs."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import Connection

from tracker.inference import Inference, Setting
from tracker.layout import Layout
from tracker.stores.alert_tables import AlertWrites
from tracker.stores.asset_writes import AssetWrites
from tracker.stores.cache import Cache
from tracker.stores.delivery_tables import DeliveryWrites
from tracker.stores.lease_tables import LeaseWrites
from tracker.stores.life_tables import LifeWrites
from tracker.stores.log_writes import LogWrites
from tracker.stores.outage_table import OutageWrites
from tracker.stores.point_queue import PointWrites
from tracker.stores.reader import SqlReader
from tracker.stores.setup_writes import SetupWrites
from tracker.stores.sql import SQLITE, Statements


class SqlWriter(
    LogWrites,
    AssetWrites,
    SetupWrites,
    PointWrites,
    OutageWrites,
    LeaseWrites,
    AlertWrites,
    DeliveryWrites,
    LifeWrites,
    SqlReader,
):
    """A `tracker.ports.Writer` on one open transaction."""

    def __init__(
        self, connection: Connection, cache: Cache, statements: Statements = SQLITE
    ) -> None:
        super().__init__(connection, statements)
        self._cache = cache

    def layout(self, as_of: int | None = None) -> Layout:
        if as_of is not None:
            return super().layout(as_of)
        if self._cache.layout is None:
            self._cache.layout = super().layout()
        return self._cache.layout

    def inference(self, as_of: int | None = None) -> Inference:
        if as_of is not None:
            return super().inference(as_of)
        cache = self._cache
        if cache.inference is None:
            cache.inference = super().inference()
            cache.outages, cache.settings = cache.inference.outages, {}
        elif cache.outages is None:
            cache.outages = self.outages()
            cache.inference, cache.settings = cache.inference.knowing(cache.outages), {}
        return cache.inference

    def settings(self, assets: Iterable[str], as_of: int | None = None) -> dict[str, Setting]:
        if as_of is not None:
            return super().settings(assets, as_of)
        self.inference()
        known, wanted = self._cache.settings, list(assets)
        if unknown := [asset for asset in wanted if asset not in known]:
            known.update(super().settings(unknown))
        return {asset: known[asset] for asset in wanted if asset in known}

    def edge(self) -> int | None:
        if not self._cache.edge:
            self._cache.edge = [super().edge()]
        return self._cache.edge[0]

    def stale(self, assets: Iterable[str]) -> dict[str, int]:
        if self._cache.anything_stale is None:
            self._cache.anything_stale = self.stale_count() > 0
        return super().stale(assets) if self._cache.anything_stale else {}
