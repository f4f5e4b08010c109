"""What a writer remembers of devices and bindings between transactions.

Valid for one revision of the configuration, which is compared inside each transaction.
"""

from __future__ import annotations

from tracker.model import Binding, Device

ENTRIES_AT_MOST = 500_000


class Cache:
    """Devices and bindings as they were at `revision`."""

    def __init__(self) -> None:
        self.revision = -1
        self.devices: dict[str, Device] = {}
        self.bindings: dict[str, list[Binding]] = {}

    def at(self, revision: int) -> Cache:
        """This cache, emptied unless it is of the given revision (or has grown too large)."""
        if self.revision != revision or len(self.bindings) > ENTRIES_AT_MOST:
            self.forget()
            self.revision = revision
        return self

    def forget(self) -> None:
        """Empty the cache; it is valid for no revision."""
        self.revision = -1
        self.devices, self.bindings = {}, {}
