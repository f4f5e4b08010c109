"""Everything that a fold needs to know besides observations: the places, the processes, when
readers were down, and what is registered of an asset."""

from __future__ import annotations

from collections.abc import Iterable
from copy import copy
from typing import NamedTuple

from tracker.case import Case
from tracker.chain import Chain
from tracker.evidence import Evidence
from tracker.layout import Layout
from tracker.model import Asset
from tracker.outages import NO_OUTAGES, Outages
from tracker.process import Process, shipped


class Setting(NamedTuple):
    """In what an asset's observations are folded: what is known of it, and what the places and
    its process make of what it tells."""

    case: Case
    evidence: Evidence

    @property
    def asset(self) -> str:
        return self.case.asset.id

    @property
    def layout(self) -> Layout:
        return self.evidence.layout


class Inference:
    """A layout and the processes in use, compiled as they are asked for, and the outages of
    readers. An asset follows the process that names its class, one of the user's `own` before a
    shipped one, else the default.

    >>> from tracker.layout import EMPTY
    >>> Inference(EMPTY).process_of("no such class").process
    'pallet-pool'
    """

    def __init__(
        self, layout: Layout, processes: Iterable[Process] = (), revision: int = 0
    ) -> None:
        self.layout = layout
        self.revision = max(revision, layout.revision)
        self.own = {process.process: process for process in processes}
        self.processes = self.own | {n: p for n, p in shipped().items() if n not in self.own}
        self._by_class: dict[str, Process] = {}
        for process in self.processes.values():
            for name in process.classes:
                self._by_class.setdefault(name, process)
        self._evidence: dict[tuple[str, bool], Evidence] = {}
        self.outages = NO_OUTAGES

    def knowing(self, outages: Outages) -> Inference:
        """The same with other outages; what is compiled is shared."""
        other = copy(self)
        other.outages = outages
        return other

    def process_of(self, class_: str) -> Process:
        """The process that assets of a class follow."""
        default = next(iter(shipped()))
        return self._by_class.get(class_, self.processes[default])

    def setting(self, case: Case) -> Setting:
        """In what an asset's observations are folded."""
        process, tracked = self.process_of(case.asset.class_), bool(case.trackers)
        key = (process.process, tracked)
        if key not in self._evidence:
            made = Evidence(Chain(process, tracked=tracked), self.layout)
            self._evidence.setdefault(key, made)  # threads may share it
        return Setting(case._replace(outages=self.outages), self._evidence[key])


def bare(asset: str, layout: Layout) -> Setting:
    """The setting of an asset of which nothing but its id is known."""
    return Inference(layout).setting(Case(Asset(asset)))
