"""The places and processes, compiled once for all who read."""

from __future__ import annotations

import threading
from collections.abc import Callable

from tracker.inference import Inference


class Compiled:
    """The newest inference that any reader of a store has compiled. To read all versions and
    compile them takes longer than most questions."""

    def __init__(self) -> None:
        self._compiling = threading.Lock()
        self._revision = -1
        self._inference: Inference | None = None

    def at(self, revision: int, compiled: Callable[[], Inference]) -> Inference:
        """The inference of a revision, that of the reader's transaction: one that began before
        a change compiles for itself what others no longer need."""
        with self._compiling:  # else all who ask after a change would compile the same
            if self._inference is None or revision > self._revision:
                self._inference, self._revision = compiled(), revision
            if revision == self._revision:
                return self._inference
        return compiled()
