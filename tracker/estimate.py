"""Figures of devices from what came together of them, each beside the one that is stated, with how
sure it is and from how much.

Every figure starts from the stated one, or the default, as if a little had been seen that bears it
out: little data changes little, and none nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from math import sqrt
from typing import Any, NamedTuple

from tracker.case import Cadence
from tracker.intervals import Usual
from tracker.places import Reader
from tracker.process import Process, Reads
from tracker.tally import Looks, OfReader
from tracker.watch import HOUR_S, MISS, STRAY

PRIOR_CYCLES = 20  # inventories as stated,
PRIOR_READS = 5  # and reads that look as stated
MISS_AT_MOST, STRAY_AT_MOST = 0.98, 0.95
RSSI_SD_AT_LEAST = 0.5  # dBm
INTERVALS, INVENTORIES, READS = "intervals", "inventories", "reads"
SURPRISING = 2.0  # standard deviations: a figure that differs by less is left as it is
SAME_INTERVAL = 0.05  # and an interval that differs by so small a share

Value = float | tuple[float, float]
Figures = dict[str, dict[str, Any]]
"""By device, the figures (fields of a reader or a tracker) that take the place of the stated."""


class Estimate(NamedTuple):
    """A figure of a device: the stated value (None: none is), the one to expect without a word,
    the estimated one, how far off that may be (a standard deviation each), and from how many
    of what it is."""

    device: str
    figure: str
    old: Value | None
    expected: Value | None
    new: Value
    sd: Value
    of: float
    what: str

    @property
    def differs(self) -> bool:
        """Whether it differs from what was to be expected by more than chance makes it."""
        if self.expected is None:
            return True
        if isinstance(self.new, float) and isinstance(self.expected, float):
            least = SAME_INTERVAL * self.expected if self.what == INTERVALS else 0.0
            if abs(self.new - self.expected) <= least:
                return False
        pairs = zip(_parts(self.new), _parts(self.expected), _parts(self.sd), strict=True)
        return any(abs(new - was) > SURPRISING * sd for new, was, sd in pairs)


def told(estimates: Iterable[Estimate]) -> list[Estimate]:
    """Those that are from anything at all, by device."""
    return sorted((one for one in estimates if one.of >= 1), key=lambda one: one.device)


def figures_of(estimates: Iterable[Estimate]) -> Figures:
    """The estimated values, by device."""
    found: Figures = {}
    for one in estimates:
        found.setdefault(one.device, {})[one.figure] = one.new
    return found


def of_cycle(reader: Reader, cycle: Usual | None) -> Iterator[Estimate]:
    """The time between a reader's inventories."""
    if cycle is not None:
        yield _interval(reader.device, "cycle_s", reader.cycle_s, cycle)


def of_reader(
    reader: Reader, cycle_s: float | None, seen: OfReader, processes: Mapping[str, Process]
) -> Iterator[Estimate]:
    """What of a reader's figures can be told, with the time between inventories (None: not
    known) as it is by now."""
    if not seen.processes:
        return
    if cycle_s is not None:
        own, beside = (hours * HOUR_S / cycle_s for hours in seen.lain())
        if seen.own.reads <= own + PRIOR_CYCLES and seen.stray.reads <= beside + PRIOR_CYCLES:
            yield _miss(reader, own, seen.own.reads)
            yield _stray(reader, beside, seen.stray.reads)
        # else it cannot be that it takes inventory so seldom
    most = max(seen.processes.values())
    rfid = processes[min(p for p, n in seen.processes.items() if n == most)].rfid
    yield from _looks(reader, "", seen.own, rfid.own)
    yield from _looks(reader, "stray_", seen.stray, rfid.stray)


def of_tracker(
    device: str, stated: Cadence, rest: Usual | None, moving: Usual | None
) -> Iterator[Estimate]:
    """How often a tracker reports; nothing where only one of both would be known: the other one
    would be taken for the default."""
    if (rest is None and stated.rest_s is None) or (moving is None and stated.moving_s is None):
        return
    if rest is not None:
        yield _interval(device, "rest_interval_s", stated.rest_s, rest)
    if moving is not None:
        yield _interval(device, "moving_interval_s", stated.moving_s, moving)


def _interval(device: str, figure: str, old: float | None, found: Usual) -> Estimate:
    value = found.value
    new = float(round(value)) if value >= 10 else round(value, 1)  # seconds
    return Estimate(device, figure, old, old, max(new, 0.1), found.sd, found.of, INTERVALS)


def _miss(reader: Reader, cycles: float, reads: float) -> Estimate:
    """Of a Beta prior: so many inventories, of which the expected share missed."""
    prior, weight = MISS if reader.miss is None else reader.miss, cycles + PRIOR_CYCLES
    new = min(max(cycles - reads + prior * PRIOR_CYCLES, 0) / weight, MISS_AT_MOST)
    sd = sqrt(new * (1 - new) / weight)
    of = (round(new, 3), sd, cycles, INVENTORIES)
    return Estimate(reader.device, "miss", reader.miss, prior, *of)


def _stray(reader: Reader, cycles: float, reads: float) -> Estimate:
    """Of a Beta prior likewise; of the expected share a tag was read."""
    prior, weight = STRAY if reader.stray is None else reader.stray, cycles + PRIOR_CYCLES
    new = min((reads + prior * PRIOR_CYCLES) / weight, STRAY_AT_MOST)
    sd = sqrt(new * (1 - new) / weight)
    of = (round(new, 3), sd, cycles, INVENTORIES)
    return Estimate(reader.device, "stray", reader.stray, prior, *of)


def _looks(reader: Reader, sort: str, seen: Looks, process: Reads) -> Iterator[Estimate]:
    """How reads of a sort ("" or `stray_`) look."""
    if seen.rssi[0] > 0:
        yield _rssi(reader, f"{sort}rssi", seen, process)
    if seen.count[0] > 0:
        yield _count(reader, f"{sort}count", seen, process)


def _rssi(reader: Reader, figure: str, seen: Looks, process: Reads) -> Estimate:
    """Of a Normal-inverse-gamma prior: so many reads of the expected mean and deviation."""
    reads, total, squares = seen.rssi.tolist()
    stated = getattr(reader, figure)
    prior, weight = stated or process.rssi, reads + PRIOR_READS
    mean = (total + PRIOR_READS * prior[0]) / weight
    spread = squares + PRIOR_READS * (prior[0] ** 2 + prior[1] ** 2) - weight * mean**2
    sd = max(sqrt(max(spread, 0) / weight), RSSI_SD_AT_LEAST)
    new, off = (round(mean, 1), round(sd, 1)), (sd / sqrt(weight), sd / sqrt(2 * weight))
    return Estimate(reader.device, figure, stated, prior, new, off, reads, READS)


def _count(reader: Reader, figure: str, seen: Looks, process: Reads) -> Estimate:
    """Of a Gamma prior: so many reads of the expected number of answers beyond the first."""
    reads, total = seen.count.tolist()
    stated = getattr(reader, figure)
    prior, weight = stated or process.count, reads + PRIOR_READS
    more = (total - reads + PRIOR_READS * (prior - 1)) / weight
    off = sqrt(max(more, 0.1) / weight)
    return Estimate(reader.device, figure, stated, prior, round(1 + more, 2), off, reads, READS)


def _parts(value: Value) -> tuple[float, ...]:
    return value if isinstance(value, tuple) else (value,)
