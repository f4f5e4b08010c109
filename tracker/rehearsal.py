"""Use case: what a database has recorded happens once more in an empty one, under other rules.

Rows, and what was agreed about leases, become known when they did; what time alone does happens in
between. The clock goes by the minute: whatever came in one minute is folded together, and looked at
at its end. What time alone makes of stages, and what readers that went down do, is told every ten
minutes. To the source nothing is written.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import groupby

from tracker.asset_ports import AssetFilter
from tracker.audit import PROGRAM
from tracker.govern import govern
from tracker.lease_book import Calendar
from tracker.lease_past import Told, as_told
from tracker.log_ports import Arrival
from tracker.model import Device
from tracker.ports import Reader, Store, Writer
from tracker.queries import every_lease
from tracker.record import take_effect
from tracker.refold import refresh_some, tell_present, tell_unseen
from tracker.roll_call import call_roll
from tracker.rules import Rules
from tracker.sweep import Foresight
from tracker.versions import Version
from tracker.watching import look_at_due

MINUTE_MS = 60_000
SWEEP_MS = 10 * MINUTE_MS
AT_ONCE = 1_000
ROWS_AT_ONCE = 5_000  # in a transaction
NEVER = 2**63

Progress = Callable[[int], None]  # rows done


class EmptyLog(Exception):
    """There is nothing to rehearse."""

    def __init__(self) -> None:
        super().__init__("the log is empty: there is nothing to try rules on")


def rehearse(
    source: Store, stage: Store, rules: Rules, until: int, progress: Progress = lambda _done: None
) -> int:
    """Let everything that a source recorded up to a time (epoch ms) happen once more in an empty
    store, the `stage`, where alerts are raised by `rules`; when it began. Raises EmptyLog where it
    holds nothing, and Unregistered where a rule names a stage or site that there is not."""
    with source.reading() as reader:
        first = reader.arrivals(0, 1)
        if not first:
            raise EmptyLog
        edge = reader.edge()
        began = _minute(first[0].recorded if edge is None else min(edge, first[0].recorded))
        with stage.writing() as tx:
            devices = _furnish(reader, tx, began)
            govern(tx, rules, PROGRAM)
            told = _leases(reader, tx)
    run = _Run(stage, devices, told, began)
    after = 0
    while page := _page(source, after):
        known = [one for one in page if one.recorded <= until]
        run.rows(known)
        progress(len(known))
        if len(known) < len(page):
            break
        after = page[-1].number
    run.until(until)
    return began


def _page(source: Store, after: int) -> list[Arrival]:
    with source.reading() as reader:
        return reader.arrivals(after, ROWS_AT_ONCE)


def _minute(at: int) -> int:
    """The end of the minute that a time lies in."""
    return -(-at // MINUTE_MS) * MINUTE_MS


class _Run:
    """A rehearsal on its way."""

    def __init__(
        self, stage: Store, devices: Mapping[str, Device], told: Sequence[Told], began: int
    ) -> None:
        self._stage, self._devices = stage, devices
        self._told = list(reversed(told))  # what comes next stands last
        self._now = self._swept = began
        self._foresight: Foresight | None = None

    def rows(self, arrivals: Sequence[Arrival]) -> None:
        """Let rows of the log come in, minute by minute."""
        with self._stage.recording() as tx:
            for minute, some in groupby(arrivals, key=lambda one: _minute(one.recorded)):
                now = max(minute, self._now)
                self._go_on(tx, now)
                rows = [one.row for one in some]
                tx.append(rows, now)
                take_effect(tx, rows, self._devices, now)
                self._tick(tx, now)

    def until(self, end: int) -> None:
        """Let time go by, up to a time."""
        with self._stage.recording() as tx:
            self._go_on(tx, end)

    def _go_on(self, tx: Writer, until: int) -> None:
        """Do what time alone brings before a time."""
        while (at := max(_minute(self._next(tx)), self._now)) < until:
            self._tick(tx, at)

    def _next(self, tx: Writer) -> int:
        """When there is something to do next."""
        first = tx.timers(NEVER - 1, 1)
        looks = tx.timers_of(first).values()
        told = self._told[-1].recorded if self._told else NEVER
        return min([*looks, self._swept + SWEEP_MS, told])

    def _tick(self, tx: Writer, now: int) -> None:
        """Do what is due."""
        self._now = now
        self._tell_leases(tx)
        if now >= self._swept + SWEEP_MS:
            if tx.suspects():
                call_roll(tx, now)
            while refresh_some(tx, now, AT_ONCE):
                pass
            self._sweep(tx)
        while tx.timers(now, 1):  # a look at nothing costs as much as one at a few
            look_at_due(tx, now, AT_ONCE)

    def _tell_leases(self, tx: Writer) -> None:
        while self._told and self._told[-1].recorded <= self._now:
            lease = self._told.pop().lease
            tx.put_lease(lease)
            assets = {line.asset for line in lease.lines if line.asset is not None}
            tx.set_timers(dict.fromkeys(sorted(assets), self._now))

    def _sweep(self, tx: Writer) -> None:
        """Tell of stages what time alone has made of them."""
        self._swept, after, profiles = self._now, "", tx.profiles()
        self._foresight = self._foresight or Foresight(tx.inference())
        while (waiting := tx.waiting(after, AT_ONCE)).asset:
            due = self._foresight.due(waiting, profiles, self._now)
            tell_present(tx, dict.fromkeys(due, self._now), self._now)
            after = waiting.asset[-1]


def _leases(source: Reader, tx: Writer) -> list[Told]:
    """All that was agreed about leases, as it was told, in that order."""
    calendar = Calendar(tx.layout().sites())
    told = (
        one
        for lease in every_lease(source)
        for one in as_told(lease, source.agreements(lease.id), calendar)
    )
    return sorted(told, key=lambda one: one.recorded)


def _furnish(source: Reader, tx: Writer, began: int) -> dict[str, Device]:
    """Register in an empty store what is registered in a source now, and what was believed at its
    log's edge; the devices."""
    devices = {one.id: one for page in _devices(source) for one in page}
    tx.put_devices([*devices.values()])
    assets = list[str]()
    while page := source.assets(AssetFilter(), assets[-1] if assets else "", AT_ONCE):
        tx.put_assets(page)
        assets += (asset.id for asset in page)
    tx.add_bindings(
        [
            Version[str](0, "binding", one.subject, one.since, one.until, began, one.asset)
            for one in source.every_binding()
        ]
    )
    for kind in ("site", "zone", "reader"):
        for version in source.versions(kind):
            tx.add_place(version)
    for process in source.inference().own.values():
        tx.put_process(process, began)
    for partner in source.partners().values():
        tx.put_partner(partner)
    _found_on_bases(source, tx, assets, began)
    tell_unseen(tx, assets, began)
    return devices


def _devices(source: Reader) -> Iterator[list[Device]]:
    after = ""
    while page := source.device_list(after, AT_ONCE):
        yield [status.device for status in page]
        after = page[-1].device.id


def _found_on_bases(source: Reader, tx: Writer, assets: Sequence[str], began: int) -> None:
    """Begin where the log does: with what was believed at its edge, and told up to there."""
    edge = source.edge()
    if edge is None:
        return
    tx.add_edge(edge, began)
    revision = tx.inference().revision
    for asset in assets:
        kept = [one for one in source.snapshots(asset) if one.at < edge]
        if kept:
            tx.save_snapshots(kept[-1:], base=True)
            tx.save_beliefs(kept[-1:], revision)
            moment = kept[-1].moment
            tx.add_visits([(asset, one) for one in source.visits(asset, None, moment)])
            tx.add_transitions([(asset, one) for one in source.transitions(asset, None, moment)])
            tell_present(tx, {asset: began}, began)
