"""What a GPS tracker on an asset reports."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from math import exp, pi, sin, sqrt
from random import Random

from firmware_sim.geometry import Point
from firmware_sim.outbox import Event
from firmware_sim.world.chance import HOUR_MS, random_of
from firmware_sim.world.journeys import Stay
from firmware_sim.world.report import Report
from firmware_sim.world.scenario import Gps, Scenario

DAY_MS = 86_400_000
JITTER = 0.1  # of an interval
# A circular Gaussian error stays within 1.515 sigma 68 % of the time, which is what receivers
# state as their accuracy.
SIGMAS_PER_ACCURACY = 1.515
DAILY_DRAIN, REPORT_DRAIN = 0.002, 5e-5  # of the battery


class Drift:
    """The error of a receiver north and east (m): what it was a while ago mixed with something
    new, AR(1), so that fixes close in time err alike. Now and then it is far off for one fix.

    >>> gps = Gps.model_construct(error_m=20, error_lasts_h=2, outliers=0, outlier_m=1000)
    >>> drift = Drift(gps, random_of(1))
    >>> first, soon = drift.error(0), drift.error(60_000)
    >>> abs(first[0] - soon[0]) < 20
    True
    """

    def __init__(self, gps: Gps, random: Random) -> None:
        self._gps, self._random = gps, random
        self._error = random.gauss(0, gps.error_m), random.gauss(0, gps.error_m)
        self._at: int | None = None

    def error(self, at: int) -> tuple[float, float]:
        """The error at a time, which is not before the last one asked for."""
        gps, random = self._gps, self._random
        if self._at is not None:
            kept = exp(-(at - self._at) / (gps.error_lasts_h * HOUR_MS))
            new = gps.error_m * sqrt(1 - kept**2)
            north, east = self._error
            self._error = kept * north + random.gauss(0, new), kept * east + random.gauss(0, new)
        self._at = at
        if random.random() < gps.outliers:
            return random.gauss(0, gps.outlier_m), random.gauss(0, gps.outlier_m)
        return self._error


def reports(scenario: Scenario, device: str, stays: Iterable[Stay]) -> Iterator[Report]:
    """The messages of a tracker, in order: one each interval, the shorter one on the road. When
    it is moved it wakes; in the dark it is not heard."""
    random = random_of(scenario.seed, "tracker", device)
    receiver = _Receiver(scenario, random)
    rest = scenario.trackers.rest_interval_s * 1_000
    moving = scenario.trackers.moving_interval_s * 1_000
    due = scenario.start_ms + round(random.uniform(0, rest))
    for stay in stays:
        interval = rest
        if stay.where == "road":
            interval = moving
            due = min(due, stay.since + round(random.uniform(0, moving)))
        while due < min(stay.until, scenario.end_ms):
            if stay.where != "dark":
                yield Report(due, [receiver.event(stay, due)])
            due += max(1, round(interval * random.uniform(1 - JITTER, 1 + JITTER)))


class _Receiver:
    """The sensors of a tracker."""

    def __init__(self, scenario: Scenario, random: Random) -> None:
        self._gps, self._speed, self._random = scenario.gps, scenario.speed_m_s, random
        self._start = scenario.start_ms
        self._drift = Drift(scenario.gps, random)
        self._charge = random.uniform(0.7, 1.0)
        self._reports = 0

    def event(self, stay: Stay, at: int) -> Event:
        """All that it senses at a time: without a fix the sensors alone."""
        self._reports += 1
        moving = self._random.random() < self._p_moving(stay)
        event: Event = {"at": at}
        if self._random.random() < self._gps.fix.get(stay.where, 0.0):
            event["fix"] = self._fix(stay, at, moving)
        place = stay.place(at)
        event["sensor"] = {
            "battery": self._battery(at),
            "temperature": self._temperature(place, at),
        }
        return event | {"status": {"moving": moving}}

    def _p_moving(self, stay: Stay) -> float:
        given = self._gps.moving
        if stay.where == "road" or (stay.where == "dock" and "dock" in given):
            return given.get(stay.where, 0.0)
        return given.get("other", 0.0)

    def _fix(self, stay: Stay, at: int, moving: bool) -> dict[str, float]:
        place = stay.place(at).shifted(*self._drift.error(at))
        accuracy = self._gps.error_m * SIGMAS_PER_ACCURACY * self._random.lognormvariate(0, 0.3)
        speed = self._speed * self._random.uniform(0.5, 1.2) if moving else 0.0
        return {
            "lat": round(place.lat, 6),
            "lon": round(place.lon, 6),
            "acc": max(round(accuracy, 1), 1.0),
            "speed": round(speed, 1),
        }

    def _battery(self, at: int) -> float:
        used = DAILY_DRAIN * (at - self._start) / DAY_MS + REPORT_DRAIN * self._reports
        return round(max(0.0, self._charge - used), 3)

    def _temperature(self, place: Point, at: int) -> float:
        """Warmer towards the equator, and in the local afternoon."""
        local_days = at / DAY_MS + place.lon / 360
        daily = 5 * sin(2 * pi * (local_days - 15 / 24 + 0.25))
        return round(28 - 0.35 * abs(place.lat) + daily + self._random.gauss(0, 1), 1)
