"""What leases and alerts need of a store: parts of the protocols in `tracker.ports`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

from tracker.alerts import Alert, Event
from tracker.conditions import Reading
from tracker.leases import Agreement, Lease, Line, Partner
from tracker.model import Label


class AlertEvent(NamedTuple):
    """An event of an alert as it is stored: events are numbered in the order in which they were
    recorded."""

    number: int
    recorded: int
    event: Event


class AlertFilter(NamedTuple):
    """Which alerts are asked for; None and () ask nothing. `rules`: of any of these; `customer`:
    about leases of that partner."""

    states: tuple[str, ...] = ()
    rule: str | None = None
    asset: str | None = None
    lease: str | None = None
    severity: str | None = None
    rules: tuple[str, ...] = ()
    customer: str | None = None


class OverdueFilter(NamedTuple):
    """The lines of which alerts are asked for: in which states and of which rules, of a customer,
    of assets of a class, of assets that stay at a site (None: of any)."""

    states: tuple[str, ...]
    rules: tuple[str, ...]
    customer: str | None = None
    class_: str | None = None
    site: str | None = None


class OpenLine(NamedTuple):
    """The lease line that an alert is about: as much as it takes to put it in its place."""

    alert: str
    asset: str
    due_at: int
    why: Mapping[str, Any]
    attributes: Mapping[str, Label]


class LeaseReader(Protocol):
    """What is read of leases."""

    def partners(self) -> dict[str, Partner]:
        """Every partner, by id."""

    def lease(self, id: str) -> Lease | None: ...

    def leases_by_id(self, ids: Iterable[str]) -> dict[str, Lease]:
        """The known ones among `ids`, with all their lines."""

    def leases(self, after: str, limit: int, customer: str | None = None) -> list[Lease]:
        """Leases by id, after an id."""

    def lines_of(self, assets: Iterable[str]) -> dict[str, list[Line]]:
        """All lines, open or ended, of some assets, by when they begin."""

    def lines_held(
        self, customer: str, now: int, assets: Iterable[str] | None = None
    ) -> list[Line]:
        """The lines of a customer that have begun by `now`, are open on paper and have an asset:
        all of them, or those of some assets."""

    def agreements(self, lease: str) -> list[Agreement]:
        """All that was ever agreed about a lease, in the order in which it was recorded."""


class LeaseWriter(LeaseReader, Protocol):
    """What is written of leases."""

    def put_partner(self, partner: Partner) -> None:
        """Add or change a partner."""

    def put_lease(self, lease: Lease) -> None:
        """Add or change a lease: it has these lines and no others."""

    def lock_leases(self) -> None:
        """Nobody else who records changes a lease until the transaction ends."""

    def agree(self, agreements: Sequence[Agreement]) -> None:
        """Note what was agreed; nothing of it is ever changed."""


class AlertReader(Protocol):
    """What is read of alerts."""

    def alert(self, id: str) -> Alert | None: ...

    def alerts_of(self, assets: Iterable[str]) -> dict[str, list[Alert]]:
        """All alerts of some assets, the episodes of a subject in order."""

    def alerts(self, wanted: AlertFilter, after: tuple[int, str], limit: int) -> list[Alert]:
        """Those that are asked for, by `since` and id, after a position."""

    def open_lines(self, wanted: OverdueFilter) -> list[OpenLine]:
        """The lines that such alerts are about, in no order: of registered assets, as long as
        they are in their lease."""

    def alert_events(self, alert: str) -> list[AlertEvent]:
        """What happened to an alert, in order."""

    def alert_events_after(self, number: int, limit: int) -> list[AlertEvent]:
        """What happened to any alert after an event of this number, in order."""

    def timers(self, until: int, limit: int) -> list[str]:
        """The assets to be looked at by a time, those that are due longest first."""

    def timers_of(self, assets: Iterable[str]) -> dict[str, int]:
        """When some assets are to be looked at."""

    def held_of(self, assets: Iterable[str]) -> dict[str, dict[str, int]]:
        """Since when which conditions have held of some assets, without having become an alert."""

    def hits_of(self, assets: Iterable[str]) -> dict[str, list[Reading]]:
        """The hardest hit that each device of some assets has felt since they were looked at."""


class AlertWriter(AlertReader, Protocol):
    """What is written of alerts."""

    def save_alerts(self, alerts: Sequence[Alert]) -> None:
        """Add or change alerts."""

    def add_alert_events(self, events: Sequence[Event], recorded: int) -> list[int]:
        """Note what happened to alerts; the numbers of the events."""

    def set_timers(self, timers: Mapping[str, int | None]) -> None:
        """When some assets are to be looked at next (None: not by time alone)."""

    def look_at_all(self, now: int, at_once: int, class_: str | None = None) -> None:
        """Have every asset (of a class) looked at, so many in each second from `now` on, or when
        its time comes if that is sooner."""

    def note_hits(self, hits: Sequence[tuple[str, Reading]]) -> None:
        """Keep hits that devices of assets have felt until they are looked at."""

    def forget_hits(self, assets: Iterable[str]) -> None:
        """The hits of some assets have been looked at."""

    def set_held(self, held: Mapping[str, Mapping[str, int]]) -> None:
        """Since when which conditions hold of some assets."""
