"""The stage of an asset: what is believed after each observation, and when it is told. Pure.

A `Standing` is a function of the observations in (event time, key) order alone. Times between
them are predicted when somebody asks, and never stored.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from tracker.account import (
    DWELL,
    SILENCE,
    Account,
    Change,
    Explained,
    Line,
    booked,
    explained,
    opened,
)
from tracker.case import MOVING_S, Cadence, Case, Roles
from tracker.chain import INITIAL, TICK_MS, Array, Chain
from tracker.evidence import Evidence, Mark, speed_tells, status_tells
from tracker.filter import turn, update
from tracker.model import Fact, Fix, Kind, Observation, Read, Values
from tracker.process import LOST, Thresholds
from tracker.profile import Profile
from tracker.watch import Watch

REPORTED, MOVED, FIXED, NO_FIX, OPEN = 1, 2, 4, 8, 16
AT_ONCE_MS = 120_000  # two portals passed within are passed on one way
_TELLING = (Kind.FIX, Kind.SENSOR, Kind.STATUS)


class Counted(NamedTuple):
    """The mark of the newest bucket of a zone (`/` before it) or device: when the bucket ends,
    what of it has counted (bits), and the event time of its last observation."""

    source: str
    until: int
    flags: int
    at: int


class Told(NamedTuple):
    """What is told of an asset's stage: which (None: unknown), since when, how likely it was."""

    stage: str | None
    since: int
    p: float


class Standing(NamedTuple):
    """What is believed after the last observation: the probabilities of the states of `chain`
    as bytes of float64, at `tick`; the asset's sites; which marks have counted; what is told."""

    chain: str
    tick: int
    p: bytes
    roles: Roles
    counted: tuple[Counted, ...]
    told: Told
    account: Account

    def row(self) -> Array:
        """The probabilities of states, one row."""
        return np.frombuffer(self.p)[None, :]


class Transition(NamedTuple):
    """What is told has changed, at the observation `(at, key)`: from `was` to `stage`, whose
    probability is `p` (of the unknown stage: that of the likeliest) in a `chain`, and why."""

    at: int
    key: str
    stage: str | None
    was: str | None
    p: float
    chain: str
    why: Explained


class Went(NamedTuple):
    """So many ticks went by without a mark, in which the asset told of itself like this."""

    ticks: int
    profile: Profile


Move = Went | Array
"""What was done to the probabilities of states: time went by, or they were multiplied by
likelihoods (one row) or by the kernel of a fact (states x states)."""


def begin(evidence: Evidence, case: Case, at: int) -> Standing:
    """What is believed of an asset before its first observation: a stated initial stage, if
    there is one, is told at once."""
    chain = evidence.chain
    p = chain.start(case.asset.initial_stage)
    depot = case.asset.home or evidence.layout.first_depot()
    roles = Roles(depot, None, case.site)
    account = opened(chain.by_stage(p))
    told = Told(None, at, 0.0)
    if case.asset.initial_stage in chain.number:
        told = Told(case.asset.initial_stage, at, INITIAL)
    return Standing(chain.id, at // TICK_MS, p.tobytes(), roles, (), told, account)


def _of_chain(known: Standing, chain: Chain) -> Standing:
    """A standing as a chain can go on from it. What another process's chain has told is a first
    stage: so a log that no longer holds the beginning goes on from where it stands."""
    if known.chain == chain.id:
        return known
    p = chain.start(known.told.stage)
    account = opened(chain.by_stage(p))
    return known._replace(chain=chain.id, p=p.tobytes(), account=account)


def step(
    known: Standing | None, row: Observation, case: Case, evidence: Evidence
) -> tuple[Standing, Transition | None]:
    """What is believed after one more observation, and what is told anew."""
    return _taken(known, row, case, evidence).finished()


def traced(
    known: Standing, row: Observation, case: Case, evidence: Evidence
) -> tuple[Standing, list[Move]]:
    """What is believed after one more observation, and by which moves."""
    run = _taken(known, row, case, evidence)
    return run.finished()[0], run.moves


def moves_until(known: Standing, case: Case, evidence: Evidence, at: int) -> list[Move]:
    """The moves from an observation to a time after it."""
    return [Went(*part) for part in _segments(known, case, evidence, at)]


def _taken(known: Standing | None, row: Observation, case: Case, evidence: Evidence) -> _Run:
    if known is None:
        known = begin(evidence, case, row.at)
    known = _of_chain(known, evidence.chain)
    run = _Run(known, row, case, evidence)
    run.settle()
    run.take()
    return run


def predicted(known: Standing, case: Case, evidence: Evidence, at: int) -> Array:
    """The probabilities of states (one row) at a time after the last observation, by the kernel
    of stored beliefs, in one step."""
    known = _of_chain(known, evidence.chain)
    p = known.row()
    for ticks, profile in _segments(known, case, evidence, at):
        p = profile.silent.predict(p, ticks)
    return p


def tell(told: Told, q: Array, chain: Chain, at: int) -> Told:
    """What is told at probabilities of stages (one row): another stage where it is sure enough,
    nothing where the one that was told has become unlikely."""
    thresholds = chain.process.thresholds
    best = int(q[0].argmax())
    name, p = chain.stages[best], float(q[0, best])
    if p >= _needed(name, thresholds) and name != told.stage:
        return Told(name, at, p)
    if told.stage is not None and name != told.stage:
        number = chain.number.get(told.stage)  # None: it was told by another process
        if number is None or q[0, number] < thresholds.unknown:
            return Told(None, at, p)
    return told


def _needed(stage: str, thresholds: Thresholds) -> float:
    return thresholds.lost if stage == LOST else thresholds.switch


def explained_at(
    known: Standing, case: Case, evidence: Evidence, at: int, stage: str | None
) -> Explained:
    """Why a stage (None: the likeliest one) is believed at a time after the last observation
    rather than the likeliest other one, since what is told has changed."""
    chain = evidence.chain
    known = _of_chain(known, chain)
    p = known.row()
    parts = _segments(known, case, evidence, at)
    _, q, changes = _gone_on(p, chain.by_stage(p), parts, chain)
    best, *others = np.argsort(-q[0], kind="stable").tolist()
    own = best if stage is None else chain.number[stage]
    instead = others[0] if own == best else best
    return explained(booked(known.account, changes, at), chain.stages, own, instead)


def _gone_on(
    p: Array, q: Array, parts: Sequence[tuple[int, Profile]], chain: Chain
) -> tuple[Array, Array, list[Change]]:
    """The probabilities of states and of stages after some ticks without a mark, and what moved
    them."""
    changes = []
    for ticks, profile in parts:
        free = chain.by_stage(profile.free.predict(p, ticks))
        changes.append(Change(DWELL, "", q, free))
        p = profile.silent.predict(p, ticks)
        q = chain.by_stage(p)
        if profile.silent is not profile.free:
            changes.append(Change(SILENCE, "", free, q))
    return p, q, changes


def _segments(
    known: Standing, case: Case, evidence: Evidence, until: int
) -> list[tuple[int, Profile]]:
    """The ticks up to a time, and how the asset tells of itself in each part of them. A step is
    cut only where that changes: what changes elsewhere must not change a bit."""
    parts = list[tuple[int, Profile]]()
    since = known.tick
    if until // TICK_MS <= since:
        return parts
    for cut in (*evidence.cuts(case, known.roles, since * TICK_MS, until), until):
        ticks = cut // TICK_MS - since
        if ticks <= 0:
            continue
        profile = evidence.profile(case, known.roles, cut - 1)
        if parts and parts[-1][1] is profile:
            ticks += parts.pop()[0]
        parts.append((ticks, profile))
        since = cut // TICK_MS
    return parts


class _Run:
    """One step, with the account of it: a prediction, then what the observation tells. One that
    tells nothing leaves all as it is, and makes no step."""

    def __init__(self, known: Standing, row: Observation, case: Case, evidence: Evidence) -> None:
        self._known, self._row, self._case, self._evidence = known, row, case, evidence
        self._chain = evidence.chain
        self._p = known.row()
        self._q = self._chain.by_stage(self._p)
        self._roles = known.roles
        self._counted = {one.source: one for one in known.counted}
        self._changes: list[Change] = []
        self.moves: list[Move] = []
        self._tick = known.tick

    def _go_on(self) -> None:
        """Predict to the time of the observation."""
        if self._tick != self._known.tick:
            return
        parts = _segments(self._known, self._case, self._evidence, self._row.at)
        self.moves += [Went(*part) for part in parts]
        self._p, self._q, changes = _gone_on(self._p, self._q, parts, self._chain)
        self._changes += changes
        self._tick = max(self._row.at // TICK_MS, self._tick)

    def take(self) -> None:
        """Take what the observation tells."""
        row, what = self._row, self._row.what
        if isinstance(what, Read):
            self._read(what)
        elif isinstance(what, Fact):
            kernel = self._chain.kernel(what.kind, what.stage)
            if kernel is not None:
                self._go_on()
                self._moved("fact", what.kind, turn(self._p, kernel), kernel)
        elif row.kind in _TELLING:
            self._report(self._case.cadence(row.device))

    def finished(self) -> tuple[Standing, Transition | None]:
        """What is believed now."""
        row, known = self._row, self._known
        account = booked(known.account, self._changes, row.at)
        told = tell(known.told, self._q, self._chain, row.at)
        transition = None
        if told is not known.told:
            why = self._why(account)
            transition = Transition(
                row.at, row.key.hex(), told.stage, known.told.stage, told.p, known.chain, why
            )
            account = opened(self._q)
        counted = tuple(self._counted.values())
        return Standing(
            known.chain, self._tick, self._p.tobytes(), self._roles, counted, told, account
        ), transition

    def _why(self, account: Account) -> Explained:
        order = np.argsort(-self._q[0], kind="stable")
        return explained(account, self._chain.stages, int(order[0]), int(order[1]))

    def _moved(self, kind: str, what: str, p: Array, by: Array) -> None:
        self.moves.append(by)
        q = self._chain.by_stage(p)
        self._changes.append(Change(kind, what, self._q, q))
        self._p, self._q = p, q

    def _read(self, what: Read) -> None:
        row = self._row
        found = self._evidence.read(row, what, self._roles)
        if found is None:
            return
        roles, mark, watch = found
        source, until = f"/{mark.what}", _bucket_end(row.at, 1_000 * watch.cycle_s)
        if not self._flags(source, until):
            if watch.portal and (before := self._passed(watch)) is not None:
                mark = mark._replace(likelihood=self._evidence.passage_on(before, watch, roles))
            self._roles = roles
            self._counted[source] = Counted(source, until, REPORTED, row.at)
            self._mark(mark)

    def _passed(self, watch: Watch) -> Watch | None:
        """The portal of another zone that the asset has just passed."""
        own, since = f"/{watch.zone.id}", self._row.at - AT_ONCE_MS
        passed = [one for one in self._counted.values() if one.at >= since and one.source != own]
        names = {one.source: one.at for one in passed}
        portals = [
            other
            for other in self._evidence.watches(watch.zone.site, self._row.at)
            if other.portal and f"/{other.zone.id}" in names
        ]
        return max(portals, key=lambda other: names[f"/{other.zone.id}"], default=None)

    def _mark(self, mark: Mark) -> None:
        self._go_on()
        happens = turn if len(mark.likelihood) > 1 else update
        p = happens(self._p, mark.likelihood)
        self._moved(mark.kind, mark.what, p, mark.likelihood)

    def _report(self, cadence: Cadence) -> None:
        """A tracker's report: its first in a bucket counts; what a later one adds, counts too."""
        row, what, evidence = self._row, self._row.what, self._evidence
        until = _bucket_end(row.at, 500 * (cadence.moving_s or MOVING_S))
        flags = before = self._flags(row.device, until)
        factors = []
        kind, named = "report", row.device
        if not flags & REPORTED:
            factors.append(evidence.reports(cadence))
            flags |= REPORTED
        moving = _moving(row)
        if moving is not None and not flags & MOVED:
            factors.append(evidence.motion(moving))
            flags |= MOVED
        if isinstance(what, Fix) and not flags & FIXED:
            self._roles, mark = evidence.fix(what, row.at, self._roles)
            factors.append(mark.likelihood)
            if flags & NO_FIX:
                factors.append(1 / evidence.no_fix())
            kind, named = mark.kind, mark.what
            flags = (flags | FIXED) & ~(NO_FIX | OPEN)
        elif not isinstance(what, Fix) and not flags & (FIXED | NO_FIX):
            flags |= OPEN
        if flags != before:
            self._counted[row.device] = Counted(row.device, until, flags, row.at)
        if factors:
            self._mark(Mark(np.prod(factors, axis=0), kind, named))

    def settle(self) -> None:
        """Reports that no fix of the same moment has followed were made without one."""
        for one in [*self._counted.values()]:
            if one.flags & OPEN and one.at < self._row.at:
                no_fix = self._evidence.no_fix()
                self._moved("no fix", one.source, update(self._p, no_fix), no_fix)
                self._counted[one.source] = one._replace(flags=(one.flags | NO_FIX) & ~OPEN)
            if one.until <= self._row.at:
                del self._counted[one.source]

    def _flags(self, source: str, until: int) -> int:
        one = self._counted.get(source)
        return one.flags if one is not None and one.until == until else 0


def _moving(row: Observation) -> bool | None:
    """Whether a report says that its tracker moves; None: it does not say."""
    if isinstance(row.what, Fix):
        return speed_tells(row.what)
    return status_tells(row.what) if isinstance(row.what, Values) else None


def _bucket_end(at: int, width_ms: float) -> int:
    width = max(1, round(width_ms))
    return (at // width + 1) * width


def plain(known: Standing) -> list[Any]:
    """A standing as JSON."""
    chain, tick, p, roles, counted, told, account = known
    return [
        chain,
        tick,
        b64encode(p).decode(),
        list(roles),
        [list(one) for one in counted],
        list(told),
        b64encode(account.sums).decode(),
        [list(line) for line in account.lines],
    ]


def standing(values: Sequence[Any]) -> Standing:
    """The inverse of `plain`."""
    chain, tick, p, roles, counted, told, sums, lines = values
    return Standing(
        chain,
        tick,
        b64decode(p),
        Roles(*roles),
        tuple(Counted(*one) for one in counted),
        Told(*told),
        Account(b64decode(sums), tuple(Line(*line) for line in lines)),
    )
