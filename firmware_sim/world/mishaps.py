"""What becomes of a device's messages on their way: clocks that are wrong, times without power or
network, buffers that are sent later, messages that come twice or overtake each other."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from hashlib import blake2b
from itertools import count
from random import Random
from typing import Any, NamedTuple

from firmware_sim.outbox import Event
from firmware_sim.world.chance import HOUR_MS, periods, random_of
from firmware_sim.world.report import Report
from firmware_sim.world.scenario import Scenario

WILL_AFTER_MS = 90_000  # until the broker gives a connection up: one and a half keepalives
FLUSH_MS = 50  # from one buffered message to the next
OVERTAKEN_MS = 30 * 60_000
AGAIN_MS = HOUR_MS
NEVER_MS = 2**53


class Line(NamedTuple):
    """A message as it comes to the gateway at `received_at` (epoch ms)."""

    received_at: int
    topic: str
    payload: dict[str, Any]


class Clock:
    """A device's clock: off by `offset_ms` at `start`, and by `drift_ppm` more from then on.

    >>> Clock(start=0, offset_ms=500, drift_ppm=20).stamp(100_000_000)
    100002500
    """

    def __init__(self, start: int, offset_ms: float, drift_ppm: float) -> None:
        self._start, self._offset, self._drift = start, offset_ms, drift_ppm / 1e6

    def stamp(self, at: int) -> int:
        """What it shows at a true time."""
        return at + round(self._offset + self._drift * (at - self._start))


class Windows:
    """Times `(since, until)` in order, that do not overlap."""

    def __init__(self, windows: list[tuple[int, int]]) -> None:
        self.all = windows
        self._begins = [since for since, _ in windows]

    def end(self, at: int) -> int | None:
        """When the window that a time lies in ends; None where it lies in none."""
        n = self.begun(at) - 1
        return self.all[n][1] if n >= 0 and at < self.all[n][1] else None

    def begun(self, at: int) -> int:
        """How many have begun by a time."""
        return bisect_right(self._begins, at)


@dataclass(frozen=True, slots=True)
class Condition:
    """How a device fares: when it is `down` and senses nothing, when it is `offline` and keeps
    what it has, whether it says when it comes and goes, and its clock."""

    down: Windows
    offline: Windows
    has_presence: bool
    clock: Clock

    @classmethod
    def well(cls) -> Condition:
        """Nothing is wrong with the device."""
        return cls(Windows([]), Windows([]), False, Clock(0, 0, 0))


def condition(scenario: Scenario, device: str, *, is_reader: bool) -> Condition:
    """How a device fares in a scenario."""
    random = random_of(scenario.seed, "mishaps", device)
    kind = scenario.rfid if is_reader else scenario.gps
    start, end, given = scenario.start_ms, scenario.end_ms, scenario.mishaps
    down = periods(random, kind.down_share, kind.down_mean_h, start, end)
    offline = periods(random, given.offline_share, given.offline_mean_h, start, end)
    longest = round(given.offline_at_most_h * HOUR_MS)
    presence = random.random() < scenario.rfid.presence
    offset = 1_000 * random.uniform(-given.skew_s, given.skew_s)
    drift = random.uniform(-given.drift_ppm, given.drift_ppm)
    return Condition(
        Windows(down),
        Windows([(since, min(until, since + longest)) for since, until in offline]),
        is_reader and presence,
        Clock(start, offset, drift),
    )


def felt(reports: Iterable[Report], fares: Condition) -> Iterator[Report]:
    """What a device does sense: nothing while it is down."""
    return (report for report in reports if fares.down.end(report.at) is None)


def delivered(
    scenario: Scenario, device: str, reports: Iterable[Report], fares: Condition
) -> list[Line]:
    """A device's messages as they come to the gateway; not sorted."""
    random = random_of(scenario.seed, "delivery", device)
    lines: list[Line] = []
    boot, seq, last = -1, count(), 0
    for report in felt(reports, fares):
        if fares.down.begun(report.at) != boot:
            boot, seq = fares.down.begun(report.at), count()
        ready = report.at + random.randrange(200, 2_000)
        payload = {
            "boot": _boot(scenario, device, boot),
            "seq": next(seq),
            "sent": fares.clock.stamp(ready),
            "events": [_stamped(event, fares.clock) for event in report.events],
        }
        online = fares.offline.end(ready) or ready
        came = last = max(online + random.randrange(20, 500), last + FLUSH_MS)
        if random.random() < scenario.mishaps.reordered:
            came += random.randrange(OVERTAKEN_MS)
        lines.append(Line(came, f"retour/v1/{device}/events", payload))
        if random.random() < scenario.mishaps.duplicates:
            lines.append(lines[-1]._replace(received_at=came + random.randrange(AGAIN_MS)))
    if fares.has_presence:
        lines += _presence(scenario, device, fares, random)
    return lines


def _stamped(event: Event, clock: Clock) -> Event:
    return event | {"at": clock.stamp(event["at"])}


def _boot(scenario: Scenario, device: str, number: int) -> str:
    """The id of a start. A real one is from the operating system; these worlds come again."""
    text = f"{scenario.seed}/{device}/{number}".encode()
    return blake2b(text, digest_size=8).hexdigest()


def _presence(scenario: Scenario, device: str, fares: Condition, random: Random) -> Iterator[Line]:
    """A connection for each time with power and network, and the will at its end."""
    topic = f"retour/v1/{device}/presence"
    conns = dict[int, int]()
    for since, until in _connected(scenario, fares):
        boot = fares.down.begun(since)
        conn = conns[boot] = conns.get(boot, 0) + 1
        said: dict[str, Any] = {"online": True, "boot": _boot(scenario, device, boot), "conn": conn}
        came = since + random.randrange(20, 500)
        yield Line(came, topic, said | {"at": fares.clock.stamp(since)})
        if until < scenario.end_ms:
            yield Line(until + WILL_AFTER_MS, topic, said | {"online": False})


def _connected(scenario: Scenario, fares: Condition) -> Iterator[tuple[int, int]]:
    """When a device is connected, at least for as long as it takes to be missed."""
    since = scenario.start_ms
    for start, end in [*_merged(fares), (scenario.end_ms, NEVER_MS)]:
        if start - since > WILL_AFTER_MS:
            yield since, min(start, scenario.end_ms)
        since = max(since, end)


def _merged(fares: Condition) -> list[tuple[int, int]]:
    return sorted(fares.down.all + fares.offline.all)
