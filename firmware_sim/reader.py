"""An RFID reader: an inventory of the tags in its field, once a cycle."""

from __future__ import annotations

from collections.abc import Sequence
from math import inf
from random import Random
from typing import NamedTuple

from firmware_sim.outbox import Event


class Visit(NamedTuple):
    """A tag (EPC, hexadecimal) that is in the field from `since_ms` until `until_ms` (epoch ms)."""

    epc: str
    since_ms: float = -inf
    until_ms: float = inf


class Reader:
    """Takes an inventory every `cycle_s` seconds from `start_ms` on. A tag in the field is
    missed with the probability `miss`, so an inventory may be empty. The same arguments read
    the same events.

    >>> reader = Reader([Visit("3374257BF40C0E400000162E")], start_ms=0, cycle_s=30, miss=0)
    >>> [event] = reader.step(0)
    >>> event["at"], event["read"]["epc"], reader.next_due_ms
    (0, '3374257BF40C0E400000162E', 30000)
    """

    def __init__(
        self,
        visits: Sequence[Visit],
        *,
        start_ms: int,
        cycle_s: float = 30.0,
        miss: float = 0.1,
        antennas: int = 1,
        seed: int = 0,
    ) -> None:
        self.visits = visits
        self.next_due_ms = start_ms
        self._cycle_ms = round(cycle_s * 1_000)
        self._miss = miss
        self._antennas = antennas
        self._random = Random(seed)  # noqa: S311 (a world, not a secret)

    def step(self, now_ms: int) -> list[Event]:
        """The reads of the inventory at `now_ms`; sets `next_due_ms`."""
        self.next_due_ms = now_ms + self._cycle_ms
        return [
            {"at": now_ms, "read": self._read(visit.epc)}
            for visit in self.visits
            if visit.since_ms <= now_ms < visit.until_ms and self._random.random() >= self._miss
        ]

    def _read(self, epc: str) -> dict[str, str | int | float]:
        return {
            "epc": epc,
            "antenna": self._random.randint(1, self._antennas),
            "rssi": round(self._random.gauss(-56.0, 4.0), 1),
            "count": 1 + round(self._random.expovariate(1 / 4)),
        }
