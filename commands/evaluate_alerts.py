"""Which alerts about leases would have been raised on the way through a world's messages."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import BinaryIO

import orjson

from commands.evaluate_leases import leases_of
from tracker.alerts import Alert, Event, Subject
from tracker.leases import Lease, Line, Partner
from tracker.overdue import Entered, Glance, back
from tracker.past import entered_of, received_of
from tracker.ports import Reader
from tracker.present import Present
from tracker.reconcile import Paper, assess, governed
from tracker.rules import shipped
from tracker.watching import owners_of
from tracker.world import World

STATES = {"opened": "open", "reopened": "open", "resolved": "resolved", "retracted": "retracted"}


class Watch:
    """Looks at the assets of a world that are on a lease, whenever something ticks them, and
    writes what becomes of alerts to `out`: as the worker would, but without a database."""

    def __init__(self, world: World, out: BinaryIO) -> None:
        self._out = out
        self._rules = governed(shipped())
        self._classes = {asset.id: asset.kind for asset in world.assets}
        self._lines = defaultdict[str, list[tuple[Lease, Line]]](list)
        for lease in leases_of(world):
            for line in lease.lines:
                if line.asset is not None:
                    self._lines[line.asset].append((lease, line))
        partners = {one.id: Partner(one.id, sites=tuple(one.sites)) for one in world.partners}
        self._owners = owners_of(partners)
        self._alerts = defaultdict[str, dict[Subject, Alert]](dict)
        self._held: dict[str, Mapping[str, int]] = {}
        self._due = {
            asset: min(line.start_at for _, line in pairs) for asset, pairs in self._lines.items()
        }
        self._entered = dict[str, tuple[Entered, ...]]()
        self._received = dict[str, tuple[int, ...]]()
        self._sites = dict[str, str | None]()
        self._unwritten: list[tuple[int, int, bytes]] = []

    def __contains__(self, asset: str) -> bool:
        return asset in self._lines

    def due(self, asset: str) -> int | None:
        """When time alone may change something of an asset (None: never)."""
        return self._due.get(asset)

    def tell(
        self, reader: Reader, asset: str, told: Present | None, *, scanned: bool = False
    ) -> None:
        """Something was told of an asset, perhaps by a scan."""
        self._entered[asset] = entered_of(reader, asset, told)
        if scanned:
            self._received[asset] = received_of(reader, asset)
        self._sites[asset] = told.site if told is not None else None

    def look(self, asset: str, at: int, p: Mapping[str, float]) -> None:
        """Look at an asset."""
        entered, received = self._entered.get(asset, ()), self._received.get(asset, ())
        glance = Glance(at, p, entered, received, self._sites.get(asset))
        pairs, alerts = self._lines[asset], self._alerts[asset]
        class_ = self._classes[asset]
        paper = Paper(pairs, self._owners, class_, alerts, self._held.get(asset, {}))
        found = assess(asset, paper, glance, self._others(pairs, at), self._rules)
        alerts.update((Subject(*alert[:4]), alert) for alert in found.alerts)
        self._held[asset] = found.held
        self._due.pop(asset, None)
        if found.next_at is not None:
            self._due[asset] = max(found.next_at, at + 1)
        self._note(found.events, at)

    def write(self) -> None:
        """Write what became of alerts since, in order."""
        self._out.writelines(text for _, _, text in sorted(self._unwritten))
        self._unwritten = []

    def _others(
        self, pairs: Iterable[tuple[Lease, Line]], now: int
    ) -> dict[str, tuple[int | None, ...]]:
        found = {}
        for lease, line in pairs:
            others = [one for one in lease.lines if one.id != line.id]
            if others:
                found[line.name] = tuple(self._came(one, now) for one in others)
        return found

    def _came(self, line: Line, now: int) -> int | None:
        asset = line.asset or ""
        came = back(line, self._entered.get(asset, ()), self._received.get(asset, ()))
        return came.at if came is not None and came.at <= now else None

    def _note(self, events: Iterable[Event], at: int) -> None:
        for event in events:
            if (state := STATES.get(event.kind)) is not None:
                alert = event.alert
                line = {"asset": alert.asset, "lease": alert.lease, "rule": alert.rule}
                text = orjson.dumps(line | {"state": state, "at": at}) + b"\n"
                self._unwritten.append((at, len(self._unwritten), text))
