"""From the stages that an asset entered to its trips and its time in the pool. Pure.

What a stage means is read off its process, so it holds for any: whichever stages there are, use is
called `in_use`, and depots are where a stage is `at: depot`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from tracker.fleet_records import Member, Period, StageTime
from tracker.overdue import TURNS_MS, WITH_CUSTOMER, Entered
from tracker.process import LOST, Process

USE = WITH_CUSTOMER[0]


class Flow(NamedTuple):
    """What the stages of a process mean: `home` are at the depot; `away` are from it on the way to
    use, in it or back; with `leaving` ones a trip may begin, for use is still to come or on; of
    them the `first` come before it. From `ready` ones an asset goes out; `over` ones end its
    life."""

    home: frozenset[str]
    away: frozenset[str]
    leaving: frozenset[str]
    first: frozenset[str]
    ready: frozenset[str]
    over: frozenset[str]

    def is_gone(self, stage: str | None) -> bool:
        """Whether an asset in a stage is no longer in the pool."""
        return stage == LOST or stage in self.over


def flow_of(process: Process) -> Flow:
    """What the stages of a process mean.

    >>> from tracker.process import shipped
    >>> flow = flow_of(shipped()["kegs"])
    >>> sorted(flow.away), sorted(flow.leaving), sorted(flow.first)
    (['in_use', 'outbound', 'return_transit'], ['in_use', 'outbound'], ['outbound'])
    >>> sorted(flow.ready), sorted(flow.over)
    (['filled'], ['recycle'])
    """
    stages = process.stages
    home = frozenset(
        name
        for name, stage in stages.items()
        if all(part.at == "depot" for part in stage.parts().values())
    )
    over = frozenset(name for name, stage in stages.items() if not stage.next and name != LOST)
    out = stages.keys() - home - over - {LOST}
    leaving, back = _leading(process, out, USE), _following(process, out, USE)
    ready = frozenset(name for name in home if stages[name].next.keys() & leaving)
    away, first = frozenset(leaving | back), frozenset(leaving - back)
    return Flow(home, away, frozenset(leaving), first, ready, over)


def _leading(process: Process, among: Iterable[str], to: str) -> set[str]:
    """Those among some stages from which a stage is reached through them, itself included."""
    names = set(among)
    found = {to} & names
    for _ in names:
        found |= {name for name in names if process.stages[name].next.keys() & found}
    return found


def _following(process: Process, among: Iterable[str], since: str) -> set[str]:
    """Those among some stages that are reached from a stage through them, itself included."""
    names = set(among)
    found = {since} & names
    for _ in names:
        found |= {after for name in found for after in process.stages[name].next} & names
    return found


class Way(NamedTuple):
    """The times of a trip, as in `tracker.fleet_records.Trip`."""

    dispatched: int
    received: int | None = None
    ready: int | None = None
    lost: int | None = None


def ways(entered: Sequence[Entered], flow: Flow) -> list[Way]:
    """The trips of an asset, by the stages that it entered, in order. One begins when it leaves the
    depot; of what was out when it was first seen nobody knows since when, and it is none. A way out
    that leads back to `ready` without use is none either, nor is a return from which it goes out
    again within an hour: both are read astray at the dock.

    >>> from tracker.process import shipped
    >>> told = [("ready", 0), ("outbound", 5), ("in_use", 9), ("received", 20), ("ready", 25)]
    >>> ways([Entered(*one) for one in told], flow_of(shipped()["pallet-pool"]))
    [Way(dispatched=5, received=20, ready=25, lost=None)]
    """
    found, way, used, at_home = list[Way](), None, False, False
    for stage, at in entered:
        if stage in flow.away:
            if way is not None and way.received is not None and at >= way.received + TURNS_MS:
                found.append(way)
                way, used = None, False
            if way is not None:
                way = Way(way.dispatched)  # what it seemed to be since is not so
            elif at_home and stage in flow.leaving:
                way = Way(at)
            used, at_home = used or stage not in flow.first, False
        elif stage == LOST and way is not None and way.received is None:
            way = way._replace(lost=at)
        elif stage in flow.home or stage in flow.over:
            seeming = way is not None and way.received is None and not used and stage in flow.ready
            way = None if way is None or seeming else _at_home(way, stage, at, flow)
            used, at_home = way is not None, True
    return [*found, *([way] if way is not None else [])]


def _at_home(way: Way, stage: str | None, at: int, flow: Flow) -> Way:
    if way.received is None and stage in flow.home:
        way = way._replace(received=at, lost=None)
    settled = stage in flow.ready or stage in flow.over
    if settled and way.received is not None and way.ready is None:
        way = way._replace(ready=at)
    return way


class Span(NamedTuple):
    """A stage (None: not known) from one time up to another."""

    stage: str | None
    since: int
    until: int


def spans(entered: Sequence[Entered], joined: int, until: int) -> Iterator[Span]:
    """The stages of an asset from when it joined the pool up to a time."""
    ends = [one.at for one in entered[1:]] + [until]
    for one, end in zip(entered, ends, strict=True):
        span = Span(one.stage, max(one.at, joined), min(end, until))
        if span.since < span.until:
            yield span


def stage_times(
    asset: str, class_: str, told: Iterable[Span], flow: Flow, period: Period
) -> list[StageTime]:
    """How long an asset was in each stage within a period."""
    lengths = defaultdict[str | None, int](int)
    for one in told:
        lengths[one.stage] += max(0, min(one.until, period.until) - max(one.since, period.since))
    return [
        StageTime(asset, class_, stage, ms, stage == USE, flow.is_gone(stage))
        for stage, ms in lengths.items()
        if ms
    ]


def member(
    asset: str, class_: str, told: Sequence[Span], flow: Flow, period: Period
) -> Member | None:
    """What an asset is to the pool in a period; None: it joined after it, or was out of the pool
    for all of it."""
    within = [one for one in told if one.until > period.since and one.since < period.until]
    ms = sum(one.ms for one in stage_times(asset, class_, within, flow, period) if not one.gone)
    if not within or not ms:
        return None
    bought, last = told[0].since >= period.since, within[-1].stage
    opening = not bought and not flow.is_gone(within[0].stage)
    return Member(asset, class_, opening, bought, last in flow.over, not flow.is_gone(last), ms)
