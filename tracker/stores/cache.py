"""What the writer remembers between its transactions.

A gateway reads the same devices, bindings, receipt positions and beliefs in every batch, which
nobody else changes. SQLite's `data_version` tells, inside the transaction, whether anybody did.
"""

from __future__ import annotations

from tracker.fold import Belief
from tracker.inference import Inference, Setting
from tracker.layout import Layout
from tracker.log_ports import Boot
from tracker.model import Binding, Device
from tracker.outages import Outages
from tracker.present import Present
from tracker.receipts import Progress

ENTRIES_AT_MOST = 100_000  # of each sort; all that is known of an asset takes about 8 kB


class Cache:
    """The database's contents as far as they are known, at one `version` of it."""

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        """Know nothing, of no version."""
        self.version: int | None = None
        self.outage = 0  # the last one that is known
        self.devices: dict[str, Device] = {}
        self.bindings: dict[str, list[Binding]] = {}
        self.progress: dict[Boot, Progress] = {}
        self.beliefs: dict[str, Belief | None] = {}
        self.presents: dict[str, Present | None] = {}
        self.editions: dict[tuple[str, str], str] = {}  # of those two, by table and asset
        self.doubted: set[str] | None = None  # devices of which something is in quarantine
        self.sightings: set[tuple[str, str]] = set()
        self.profiles: set[int] = set()
        self.cells: set[tuple[int, int, int, str]] = set()
        self.layout: Layout | None = None
        self.inference: Inference | None = None
        self.outages: Outages | None = None
        self.settings: dict[str, Setting] = {}
        self.partitions: set[int] = set()  # of the log, that are there
        self.edge: list[int | None] = []  # the log's edge, once it is known
        self.anything_stale: bool | None = None
        self.projected: bool | None = None

    def forget_states(self) -> None:
        """Know nothing of what other recorders may have changed; beliefs and what is told have
        editions by which that is seen."""
        self.progress = {}
        self.doubted = self.anything_stale = None

    def heed(self, outage: int) -> None:
        """Forget the outages that are known, where that is the last one there is now."""
        if self.outage != outage:
            self.outage, self.outages = outage, None

    def at(self, version: int) -> Cache:
        """This cache, emptied if it is of another version or has grown too large."""
        known = (
            self.devices,
            self.bindings,
            self.progress,
            self.beliefs,
            self.settings,
            self.sightings,
            self.cells,
        )
        if self.version != version or max(len(one) for one in known) > ENTRIES_AT_MOST:
            self.forget()
            self.version = version
        return self
