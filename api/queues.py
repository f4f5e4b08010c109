"""What waits in the database: looked at now and then, told as metrics and as what ails."""

from __future__ import annotations

from threading import Lock

from prometheus_client import Gauge

from tracker.clocks import Clock
from tracker.log_ports import Queues
from tracker.ports import Store

LOOK_EVERY_S = 10.0  # nobody needs a key to ask for this: let it cost little
STUCK_S = 300.0
ROWS = Gauge("retour_queue_rows", "Rows that wait in the database", ["queue"])


class QueueWatch:
    """What waits, as of the last look, and how long the head of the outbox has stayed the same.
    May be called from several threads."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._lock = Lock()
        self._looked: float | None = None
        self._head: int | None = None
        self._head_since = 0.0

    def look(self) -> None:
        """Look again, if the last time is ten seconds ago. StoreUnavailable where that fails."""
        with self._lock:
            mono = self._clock.mono()
            if self._looked is not None and mono - self._looked < LOOK_EVERY_S:
                return
            with self._store.reading() as reader:
                found = reader.queues()
            self._looked = mono
            if found.head != self._head:
                self._head, self._head_since = found.head, mono
            _tell(found)

    def problems(self) -> list[str]:
        """What ails, in words: messages that nobody publishes."""
        waited = self._clock.mono() - self._head_since
        if self._head is None or waited < STUCK_S:
            return []
        return [
            f"messages have waited for {waited / 60:.0f} min to be published; does a gateway run?"
        ]


def _tell(found: Queues) -> None:
    ROWS.labels("outbox").set(found.outbox)
    ROWS.labels("stale_assets").set(found.stale)
    ROWS.labels("quarantine").set(found.quarantine)
    ROWS.labels("dead_letters").set(found.dead_letters)
