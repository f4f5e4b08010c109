"""What the histories of assets come to for the devices that told them: how long tags lay before
each reader, what it read of them and how that looked, and the gaps between a tracker's reports.

Where an asset was, nobody has written down. So all is weighted by the probabilities that the
smoother gives its states (the expectation of the EM algorithm; Dempster, Laird and Rubin, 1977),
at the figures with which its setting was made.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tracker.case import Roles
from tracker.chain import Array
from tracker.evidence import ASTRAY_PER_H, Evidence
from tracker.inference import Setting
from tracker.model import Kind, Observation, Read
from tracker.places import Reader
from tracker.smoother import Smoothed, smoothed
from tracker.stamps import HOUR
from tracker.watch import Watch, spread

SURELY = 0.9  # from which probability on a tracker counts as at rest, or on the road
SHORT = 1e-6  # hours: nothing is read so soon
UNHEARD = 8.0  # reads that were to be expected, and none came: the reader was down
REPORTS = (Kind.FIX, Kind.SENSOR, Kind.STATUS)


class Window(NamedTuple):
    """The event times that count: from `since` up to but not at `until`."""

    since: int
    until: int

    def holds(self, at: int) -> bool:
        return self.since <= at < self.until


class Life(NamedTuple):
    """What was observed of an asset, in (event time, key) order, in the setting of some figures."""

    setting: Setting
    rows: Sequence[Observation]


class Looks:
    """Sums over reads, each weighted: `reads` in all, and those that tell a signal strength, or
    a number of answers."""

    def __init__(self) -> None:
        self.reads = 0.0
        self.rssi = np.zeros(3)  # weights, times the value, times its square
        self.count = np.zeros(2)  # weights, times the value

    def add(self, weight: float, read: Read) -> None:
        self.reads += weight
        if read.rssi is not None:
            self.rssi += weight * np.array([1.0, read.rssi, read.rssi**2])
        if read.count is not None:
            self.count += weight * np.array([1.0, max(read.count, 1)])


class OfReader:
    """What came together of a reader. Hours of the epoch in which it read nothing at all count
    where that is no wonder."""

    def __init__(self) -> None:
        self.own, self.stray = Looks(), Looks()
        self.processes = Counter[str]()  # whose assets it reads
        self._lay: defaultdict[int, NDArray[np.float64]] = defaultdict(lambda: np.zeros(2))
        self._heard = set[int]()

    def lie(self, hours: NDArray[np.int64], lay: Array) -> None:
        """Tags lay before it for a time (hours, rows): in its own zone, and beside that."""
        for hour, row in zip(hours.tolist(), lay, strict=True):
            self._lay[hour] += row

    def read(self, at: int, read: Read, own: float, stray: float, process: str) -> None:
        """It read something: of its own zone, or astray, with probabilities."""
        self._heard.add(at // HOUR)
        self.own.add(own, read)
        self.stray.add(stray, read)
        self.processes[process] += 1

    def lain(self) -> tuple[float, float]:
        """How long tags lay before it while it was up: hours in its own zone, and beside that."""
        every = sum(self._lay.values(), np.zeros(2))
        found = np.array([self.own.reads, self.stray.reads])
        rates = np.divide(found, every, out=np.zeros(2), where=every > SHORT)
        for silent in self._silences():
            if rates @ silent >= UNHEARD:
                every = every - silent
        own, beside = every.tolist()
        return own, beside

    def _silences(self) -> Iterator[NDArray[np.float64]]:
        """How long tags lay before it in each time without any read."""
        silent = np.zeros(2)
        for hour in sorted(self._lay):
            if hour in self._heard:
                yield silent
                silent = np.zeros(2)
            else:
                silent = silent + self._lay[hour]
        yield silent


class OfTracker(NamedTuple):
    """Gaps between the reports of a tracker, seconds: while it surely was at rest, or moved."""

    rest: list[float]
    moving: list[float]


class Tally:
    """What came together of `readers`, where they watch as they do there, and of all trackers, in
    a window."""

    def __init__(self, readers: Mapping[str, Reader], window: Window) -> None:
        self._known, self._window = readers, window
        self.readers = defaultdict[str, OfReader](OfReader)
        self.trackers = defaultdict[str, OfTracker](lambda: OfTracker([], []))

    def add(self, life: Life) -> None:
        """Add an asset's: what came after the window is not looked at."""
        life = Life(life.setting, [row for row in life.rows if row.at < self._window.until])
        if not life.rows:
            return
        points = smoothed(life.rows, life.setting, life.rows[0].at, self._window.until)
        ats = np.array([point.at for point in points])
        states = np.vstack([point.states for point in points])
        self._lie(points, ats, states, life.setting)
        nearest = np.searchsorted(ats, [row.at for row in life.rows], "right") - 1
        self._read(life, [points[max(n, 0)] for n in nearest])
        self._report(life, states[np.maximum(nearest, 0)])

    def _lie(self, points: list[Smoothed], ats: Array, states: Array, setting: Setting) -> None:
        """Count for how long the asset's tag lay before readers."""
        case, evidence = setting
        groups = defaultdict[tuple[Roles, int], list[int]](list)
        for n, point in enumerate(points[:-1]):
            if self._window.holds(point.at) and case.has_tag(point.at):
                groups[point.roles, evidence.layout.epoch(point.at)].append(n)
        for (roles, _), some in groups.items():
            at, begin = int(ats[some[0]]), np.array(some)
            lasted = (ats[begin + 1] - ats[begin]) / HOUR
            spent = (states[begin] + states[begin + 1]) / 2 * lasted[:, None]
            hours = ats[begin] // HOUR
            for site in dict.fromkeys(roles):
                for watch in evidence.watches(site, at):
                    own, beside = evidence.lying(watch, roles, at)
                    lay = spent @ np.stack([own, beside / spread(watch.zone)], axis=1)
                    for device in self._watching(evidence, watch, at):
                        self.readers[device].lie(hours, lay)

    def _watching(self, evidence: Evidence, watch: Watch, at: int) -> list[str]:
        """The readers that watch a zone, and that are told of."""
        found = evidence.layout.readers_of(watch.zone.id, at)
        return [reader.device for reader in found if watches_as(reader, self._known)]

    def _read(self, life: Life, points: Sequence[Smoothed]) -> None:
        """Count reads, one for each inventory."""
        evidence = life.setting.evidence
        last = dict[tuple[str, str], int]()
        for row, point in zip(life.rows, points, strict=True):
            what, layout = row.what, evidence.layout
            if not isinstance(what, Read) or not self._window.holds(row.at):
                continue
            if not watches_as(layout.reader(row.device, row.at), self._known):
                continue
            zone = layout.zone_of_read(row.device, what.antenna, row.at)
            site = layout.site_of_zone(zone, row.at)
            watches = (w for w in evidence.watches(site, row.at) if w.zone.id == zone)
            watch = next(watches, None)
            if watch is None or zone is None:
                continue
            if row.at - last.get((row.device, zone), -HOUR * 24) >= 500 * watch.cycle_s:
                last[row.device, zone] = row.at
                own, stray = _sorts(evidence, row, what, watch, point)
                process = evidence.chain.process.process
                self.readers[row.device].read(row.at, what, own, stray, process)

    def _report(self, life: Life, states: Array) -> None:
        """Count the gaps between a tracker's reports."""
        chain = life.setting.evidence.chain
        moves = states @ np.array([state.at == "road" for state in chain.states])
        rests = states @ np.array([state.at not in ("road", "dark") for state in chain.states])
        reports = defaultdict[str, dict[int, int]](dict)
        for n, row in enumerate(life.rows):
            if row.kind in REPORTS and self._window.holds(row.at):
                reports[row.device][row.at] = n
        for device, ats in reports.items():
            found = self.trackers[device]
            for (since, before), (at, n) in pairwise(ats.items()):
                gap = (at - since) / 1_000
                if min(rests[before], rests[n]) >= SURELY:
                    found.rest.append(gap)
                elif min(moves[before], moves[n]) >= SURELY:
                    found.moving.append(gap)


def watches_as(reader: Reader | None, readers: Mapping[str, Reader]) -> bool:
    """Whether a reader watches the same as it does among `readers`, and in the same way."""
    other = readers.get(reader.device) if reader is not None else None
    if reader is None or other is None:
        return False
    return (reader.zone, reader.antennas, reader.mode) == (other.zone, other.antennas, other.mode)


def _sorts(
    evidence: Evidence, row: Observation, what: Read, watch: Watch, point: Smoothed
) -> tuple[float, float]:
    """How likely a read is one of its reader's own zone, or astray; the rest nothing explains."""
    own, beside = evidence.lying(watch, point.roles, row.at)
    own_f, stray_f = evidence.looks_like(row, what)
    of_own, of_stray = own * watch.own * own_f, beside * watch.stray * stray_f
    of_all = of_own + of_stray + ASTRAY_PER_H * max(own_f, stray_f)
    return float(point.states[0] @ (of_own / of_all)), float(point.states[0] @ (of_stray / of_all))
