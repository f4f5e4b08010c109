"""What lease lines have taught: learned anew now and then, for that takes a look at all of them."""

from __future__ import annotations

from tracker.late_lines import Learned, learn
from tracker.leases import HOUR_MS
from tracker.ports import Reader


class Taught:
    """What was learned within the last hour of the domain's time."""

    def __init__(self) -> None:
        self._found: tuple[int, Learned] | None = None

    def by(self, reader: Reader, now: int) -> Learned:
        """What is known at a time."""
        found = self._found  # threads may share it: two that learn at once learn the same
        if found is None or not 0 <= now - found[0] < HOUR_MS:
            found = self._found = now, learn(reader, now)
        return found[1]
