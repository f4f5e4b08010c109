"""Use case: the figures of readers and trackers, estimated anew from the log.

Without the truth, in rounds: where assets were follows from the figures so far, and the figures
from where they were (the EM algorithm; its two halves are `tally.py` and `estimate.py`). Only the
time between inventories comes first, from the gaps between reads alone: whether silence tells
anything hangs on it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

from tracker.arrange import arrange
from tracker.audit import Act
from tracker.case import UNSTATED, Cadence, Case
from tracker.estimate import Estimate, Figures, figures_of, of_cycle, of_reader, of_tracker, told
from tracker.inference import Inference
from tracker.intervals import cycle, usual
from tracker.layout import Layout, PlaceValue
from tracker.model import Observation, Read
from tracker.places import Reader
from tracker.ports import Writer
from tracker.process import Process
from tracker.registry import save_device
from tracker.stamps import StampPolicy
from tracker.tally import Life, Tally, Window, watches_as
from tracker.versions import Version, timeline

ROUNDS = 3
INTERVALS = ("rest_interval_s", "moving_interval_s")

Past = tuple[Case, Sequence[Observation]]
"""An asset, and what was observed of it, in (event time, key) order."""


class Ground(NamedTuple):
    """The configuration: every version of sites, zones and readers, and the processes in use."""

    versions: Sequence[Version[PlaceValue]]
    processes: Sequence[Process] = ()

    def readers(self, at: int) -> dict[str, Reader]:
        """The readers that take inventories at a time, by device: how often passages are missed,
        no silence tells."""
        readers = Layout(self.versions).readers(at)
        return {device: one for device, one in readers.items() if one.mode == "cycle"}

    def with_figures(self, figures: Figures, readers: Mapping[str, Reader]) -> Inference:
        """What would follow, had `readers` these figures wherever they watch as they do there."""
        versions = [v._replace(value=_recast(v.value, figures, readers)) for v in self.versions]
        return Inference(Layout(versions), self.processes)


def calibrate(
    ground: Ground, pasts: Callable[[], Iterable[Past]], window: Window
) -> list[Estimate]:
    """Every figure that can be told of trackers, and of readers as they watch at the end of a
    window, from what was observed of some assets in it. `pasts` gives these anew for each of the
    rounds, of which there is one more than ROUNDS.

    >>> calibrate(Ground([]), lambda: [], Window(0, 3_600_000))
    []
    """
    readers = ground.readers(window.until - 1)
    gaps, newest = _gaps(ground, readers, pasts(), window)
    window = window._replace(until=min(window.until, newest + 1))
    first = [one for id, some in gaps.items() for one in of_cycle(readers[id], cycle(some))]
    found, stated = first, dict[str, Cadence]()
    for _ in range(ROUNDS):
        figures = figures_of(found)
        inference = ground.with_figures(figures, readers)
        tally = Tally(readers, window)
        for case, rows in pasts():
            stated.update(case.cadences)
            tally.add(Life(inference.setting(_paced(case, figures)), rows))
        found = [*first, *_estimated(readers, tally, figures, stated, inference.processes)]
    return told(found)


def _estimated(
    readers: Mapping[str, Reader],
    tally: Tally,
    figures: Figures,
    stated: Mapping[str, Cadence],
    processes: Mapping[str, Process],
) -> Iterator[Estimate]:
    for device, seen in tally.readers.items():
        reader = readers[device]
        cycle_s = figures.get(device, {}).get("cycle_s", reader.cycle_s)
        yield from of_reader(reader, cycle_s, seen, processes)
    for device, gaps in tally.trackers.items():
        cadence = stated.get(device, UNSTATED)
        yield from of_tracker(device, cadence, usual(gaps.rest), usual(gaps.moving))


def _gaps(
    ground: Ground, readers: Mapping[str, Reader], pasts: Iterable[Past], window: Window
) -> tuple[dict[str, list[float]], int]:
    """How long readers take from one read of a tag to the next, seconds; and the newest event
    time in the window."""
    layout = Layout(ground.versions)
    gaps, newest = defaultdict[str, list[float]](list), window.since
    last = dict[tuple[str, int | None, str], int]()
    for _, rows in pasts:
        for row in rows:
            if not window.holds(row.at):
                continue
            newest = max(newest, row.at)
            then = layout.reader(row.device, row.at)
            if isinstance(row.what, Read) and watches_as(then, readers):
                source = (row.device, row.what.antenna, row.what.tag)
                if source in last:
                    gaps[row.device].append((row.at - last[source]) / 1_000)
                last[source] = row.at
    return gaps, newest


def _recast(
    value: PlaceValue | None, figures: Figures, readers: Mapping[str, Reader]
) -> PlaceValue | None:
    if isinstance(value, Reader) and watches_as(value, readers):
        return recast(value, figures)
    return value


def recast(reader: Reader, figures: Figures) -> Reader:
    """A reader with other figures, where there are any of it."""
    return reader.model_copy(update=figures.get(reader.device, {}))


def _paced(case: Case, figures: Figures) -> Case:
    """A case whose trackers report as figures say."""
    known = dict(case.cadences)
    for device in case.trackers:
        rest, moving = known.get(device, UNSTATED)
        own = figures.get(device, {})
        known[device] = Cadence(own.get(INTERVALS[0], rest), own.get(INTERVALS[1], moving))
    return case._replace(cadences=tuple(known.items()))


def adopt(
    tx: Writer,
    estimates: Iterable[Estimate],
    readers: Mapping[str, Reader],
    since: int,
    policy: StampPolicy,
    act: Act,
) -> None:
    """Let `readers` have the figures of estimates from `since` on, wherever they watch as they do
    there, and trackers report by them. What a tracker's says holds for all of its past: it has
    no versions. Raises BeforeEdge."""
    figures = figures_of(estimates)
    devices = tx.devices(figures)
    for id, own in figures.items():
        if id not in readers:
            save_device(tx, replace(devices[id], **own), policy, act)
            continue
        for since_then, until, value in timeline(tx.versions("reader", id)):
            begins = since if since_then is None else max(since, since_then)
            changes = until is None or begins < until
            if isinstance(value, Reader) and watches_as(value, readers) and changes:
                arrange(tx, recast(value, figures), begins, until, act)
