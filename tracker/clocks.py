"""Clocks: called at the edges only. The rules of the domain take time as an argument."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Protocol


class Clock(Protocol):
    """What the edges need to know of time."""

    @property
    def rate(self) -> float:
        """Domain seconds per real second."""

    def now(self) -> int:
        """The domain's time, epoch ms UTC."""

    def wall(self) -> int:
        """Real time, epoch ms UTC: for key expiry and audit."""

    def mono(self) -> float:
        """Seconds that never step, for waits inside one process."""


@dataclass(frozen=True, slots=True)
class SystemClock:
    """Real time, or time that runs `rate` times as fast since `anchor` (epoch ms).

    >>> SystemClock().rate
    1.0
    """

    anchor: int = 0
    rate: float = 1.0

    @classmethod
    def parse(cls, text: str) -> SystemClock:
        """From `ANCHOR:RATE`, the form of the setting RETOUR_CLOCK; empty is real time.

        >>> SystemClock.parse("1790000000000:120")
        SystemClock(anchor=1790000000000, rate=120.0)
        """
        if not text:
            return cls()
        anchor, _, rate = text.partition(":")
        return cls(int(anchor), float(rate))

    def now(self) -> int:
        wall = self.wall()
        if self.rate == 1.0:
            return wall
        return self.anchor + round((wall - self.anchor) * self.rate)

    def wall(self) -> int:
        return time.time_ns() // 1_000_000

    def mono(self) -> float:
        return time.monotonic()


class ReplayClock:
    """The clock of a recording: the greatest stamp published so far, never going back."""

    rate = 1.0

    def __init__(self, start: int) -> None:
        self._now = start

    def advance(self, stamp: int) -> None:
        """Move forward to `stamp`; an earlier one changes nothing."""
        self._now = max(self._now, stamp)

    def now(self) -> int:
        return self._now

    def wall(self) -> int:
        return time.time_ns() // 1_000_000

    def mono(self) -> float:
        return time.monotonic()
