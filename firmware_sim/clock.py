"""The time that simulated devices live in. It may run faster than ours (the demo's does)."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass

VARIABLE = "RETOUR_CLOCK"


@dataclass(frozen=True, slots=True)
class Clock:
    """Domain time: equal to real time at `anchor_ms`, then `rate` seconds per real second.

    >>> clock = Clock.parse("1790000000000:120")
    >>> clock.at(1790000001000)
    1790000120000
    >>> clock.real_seconds(60_000), clock.domain_ms(2.0)
    (0.5, 240000)
    """

    anchor_ms: int = 0
    rate: float = 1.0

    @classmethod
    def parse(cls, text: str) -> Clock:
        """Reads `ANCHOR:RATE`; raises ValueError."""
        anchor, separator, rate = text.partition(":")
        try:
            clock = cls(int(anchor), float(rate))
        except ValueError:
            separator = ""
        if not separator or not 0 < clock.rate < float("inf"):
            raise ValueError(f"{VARIABLE} is ANCHOR:RATE, as in 1790000000000:120, not {text!r}")
        return clock

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Clock:
        """The clock that `RETOUR_CLOCK` asks for; real time where it is absent."""
        text = environment.get(VARIABLE)
        return cls.parse(text) if text else cls()

    def now_ms(self) -> int:
        """Domain time now, epoch milliseconds."""
        return self.at(time.time_ns() // 1_000_000)

    def at(self, real_ms: int) -> int:
        """Domain time at a real time, both in epoch milliseconds."""
        return self.anchor_ms + round((real_ms - self.anchor_ms) * self.rate)

    def real_seconds(self, domain_ms: float) -> float:
        """How long a span of domain time takes here."""
        return domain_ms / self.rate / 1_000

    def domain_ms(self, real_seconds: float) -> int:
        """How much domain time a real span is."""
        return round(real_seconds * self.rate * 1_000)
