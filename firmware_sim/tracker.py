"""A GPS tracker on an asset that travels: where it goes is data, what it reports is a state
machine stepped from outside."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import cycle, pairwise
from math import pi, sin
from random import Random
from typing import NamedTuple

from firmware_sim.geometry import Point
from firmware_sim.outbox import Event

DAY_MS = 86_400_000
REPORT_DRAIN = 1e-5  # of the battery, for one report
DAILY_DRAIN = 0.005
# A circular Gaussian error stays within 1.515 sigma 68 % of the time, which is what receivers
# state as their accuracy.
SIGMAS_PER_ACCURACY = 1.515


class Stop(NamedTuple):
    """A place where the tracker rests from `arrive_ms` to `leave_ms` (epoch ms)."""

    place: Point
    arrive_ms: int
    leave_ms: int


def round_trip(
    places: Sequence[Point], start_ms: int, *, rest_s: float = 600.0, speed: float = 14.0
) -> Iterator[Stop]:
    """Stops at each place in turn and from the last on to the first, for ever: `rest_s` seconds
    at each, `speed` metres per second between them.

    >>> stops = round_trip([Point(0, 0), Point(0, 1)], 0, rest_s=60, speed=10)
    >>> [next(stops).arrive_ms for _ in range(2)]
    [0, 11179508]
    """
    if len(places) == 1:
        yield Stop(places[0], start_ms, start_ms)
        return
    arrive = float(start_ms)
    for here, there in pairwise(cycle(places)):
        leave = arrive + rest_s * 1_000
        yield Stop(here, round(arrive), round(leave))
        arrive = leave + max(here.metres_to(there) / speed, 1.0) * 1_000


class Tracker:
    """Reports a fix and its sensors every `rest_interval_s` at rest and `moving_interval_s` on
    the way, and at once when it starts or stops moving. After the last of `stops` it rests for
    good. The same arguments report the same events.

    >>> depot, customer = Point(51.92, 4.48), Point(51.95, 4.40)
    >>> tracker = Tracker([Stop(depot, 0, 90_000), Stop(customer, 600_000, 600_000)])
    >>> [tracker.step(tracker.next_due_ms)[0] for _ in range(3)]  # doctest: +ELLIPSIS
    [{'at': 0, 'status': {'moving': False}}, {'at': 60000, 'fix': ...'moving': True}}]
    """

    def __init__(
        self,
        stops: Iterable[Stop],
        *,
        rest_interval_s: float = 60.0,
        moving_interval_s: float = 10.0,
        accuracy_m: float = 5.0,
        seed: int = 0,
    ) -> None:
        self._ahead = iter(stops)
        self._here = next(self._ahead)
        self._next = next(self._ahead, None)
        self._intervals_ms = {
            False: round(rest_interval_s * 1_000),
            True: round(moving_interval_s * 1_000),
        }
        self._accuracy = accuracy_m
        self._random = Random(seed)  # noqa: S311 (a world, not a secret)
        self._moving: bool | None = None
        self._start_ms = self._here.arrive_ms
        self._reports = 0
        self.next_due_ms = self._start_ms

    def step(self, now_ms: int) -> list[Event]:
        """What the tracker reports at `now_ms`; sets `next_due_ms`."""
        moving = self._travel(now_ms)
        events: list[Event] = []
        if moving != self._moving:
            events.append({"at": now_ms, "status": {"moving": moving}})
        self._moving = moving
        self._reports += 1
        events.append({"at": now_ms, "fix": self._fix(now_ms, moving)})
        events.append({"at": now_ms, "sensor": self._sensors(now_ms)})
        self.next_due_ms = self._due_after(now_ms, moving)
        return events

    def _travel(self, now_ms: int) -> bool:
        """Moves on to the stop that stands at `now_ms`; whether it has been left already."""
        while self._next is not None and now_ms >= self._next.arrive_ms:
            self._here, self._next = self._next, next(self._ahead, None)
        return self._next is not None and now_ms >= self._here.leave_ms

    def _due_after(self, now_ms: int, moving: bool) -> int:
        due = now_ms + self._intervals_ms[moving]
        if self._next is None:
            return due
        return min(due, self._next.arrive_ms if moving else self._here.leave_ms)

    def _fix(self, now_ms: int, moving: bool) -> dict[str, float]:
        accuracy = round(self._accuracy * self._random.lognormvariate(0.0, 0.4), 1)
        sigma = accuracy / SIGMAS_PER_ACCURACY
        place = self._place(now_ms, moving).shifted(
            self._random.gauss(0.0, sigma), self._random.gauss(0.0, sigma)
        )
        fix = {"lat": round(place.lat, 6), "lon": round(place.lon, 6), "acc": accuracy}
        if not moving or self._next is None:
            return fix | {"speed": 0.0}
        leg_s = (self._next.arrive_ms - self._here.leave_ms) / 1_000
        mean = self._here.place.metres_to(self._next.place) / leg_s
        speed = max(0.0, mean * self._random.gauss(1.0, 0.1))
        heading = place.bearing_to(self._next.place)
        return fix | {"speed": round(speed, 1), "heading": round(heading, 1) % 360}

    def _place(self, now_ms: int, moving: bool) -> Point:
        if not moving or self._next is None:
            return self._here.place
        part = (now_ms - self._here.leave_ms) / (self._next.arrive_ms - self._here.leave_ms)
        return self._here.place.towards(self._next.place, part)

    def _sensors(self, now_ms: int) -> dict[str, float]:
        days = (now_ms - self._start_ms) / DAY_MS
        battery = max(0.0, 1.0 - DAILY_DRAIN * days - REPORT_DRAIN * self._reports)
        warmest = 15 / 24  # mid-afternoon UTC
        temperature = 12.0 + 6.0 * sin(2 * pi * (now_ms / DAY_MS - warmest + 0.25))
        temperature += self._random.gauss(0.0, 0.3)
        return {"battery": round(battery, 4), "temperature": round(temperature, 1)}
