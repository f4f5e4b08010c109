"""The places, processes and outages, compiled once for all who read."""

from __future__ import annotations

import threading
from collections.abc import Callable

from tracker.inference import Inference
from tracker.outages import Outages


class Compiled:
    """The newest inference that any reader of a store has compiled. To read all versions and
    compile them takes longer than most questions."""

    def __init__(self) -> None:
        self._compiling = threading.Lock()
        self._revision = self._outage = -1
        self._inference: Inference | None = None

    def at(
        self,
        revision: int,
        outage: int,
        compiled: Callable[[], Inference],
        outages: Callable[[], Outages],
    ) -> Inference:
        """The inference of a revision, with the outages up to one, those of the reader's
        transaction: one that began before a change compiles for itself what others no longer
        need."""
        with self._compiling:  # else all who ask after a change would compile the same
            if self._inference is None or revision > self._revision:
                self._inference = compiled()
                self._revision, self._outage = revision, outage
            elif revision == self._revision and outage > self._outage:
                self._inference = self._inference.knowing(outages())
                self._outage = outage
            if (revision, outage) == (self._revision, self._outage):
                return self._inference
        return compiled()
