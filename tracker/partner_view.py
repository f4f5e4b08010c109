"""What a partner may see: its own leases, and the assets that it has on them, while it has them.

A view stands in the place of a reader, and knows no question but those that are written here: what
nobody has thought of is refused. What it answers of an asset begins with the line that it is on:
what was before may be of another partner. What a partner may not see is as if it were not there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, NoReturn

from tracker import late_lines, stages
from tracker.alerts import Alert
from tracker.asset_ports import AssetFilter
from tracker.case import Roles
from tracker.fold import Belief
from tracker.late_lines import Expected, Learned
from tracker.lease_ports import AlertEvent, AlertFilter, OpenLine, OverdueFilter
from tracker.leases import Agreement, Lease, Line, Partner
from tracker.model import Asset, Binding
from tracker.overdue import Kind, back
from tracker.past import came_back, received_in, told_to_enter
from tracker.ports import Reader
from tracker.present import Present
from tracker.punctuality import Customers
from tracker.queries import UnknownAsset
from tracker.rules import Rules
from tracker.stages import StageStatus
from tracker.whereabouts import Whereabouts

AT_ONCE = 500  # assets
# Those that hold only while a line is open, and tell nothing of anybody else's sites.
TOLD = (
    Kind.OVERDUE,
    Kind.LATE_IN_TRANSIT,
    Kind.LOST,
    Kind.RETURNED_UNRECORDED,
    Kind.LEFT_BEHIND,
)
WHY = ("p", "due", "deadline", "back", "others")
AMONG_US = "commented"  # an event of an alert that is nothing but a word among colleagues


class NotForPartners(Exception):
    """A partner's key asks for what no partner may see."""

    def __init__(self) -> None:
        super().__init__("a partner's key reads what that partner has on lease, and nothing else")


class PartnerView:
    """What a partner may see at a time: those questions of a `tracker.ports.Reader` that are for
    partners. Any other raises NotForPartners."""

    def __init__(self, reader: Reader, partner: Partner, now: int) -> None:
        self._all, self._partner, self._now = reader, partner, now
        self._known = dict[str, Line | None]()  # the line that an asset is on, None: on none

    def __getattr__(self, name: str) -> NoReturn:
        raise NotForPartners

    def asset(self, id: str) -> Asset | None:
        return self._all.asset(id) if self._held([id]) else None

    def assets(self, wanted: AssetFilter, after: str, limit: int) -> list[Asset]:
        """By id always, from lines to assets: what it costs does not grow with others' assets."""
        site, wanted, found = wanted.site, wanted._replace(site=None), list[Asset]()
        ids = [id for id in self._leased() if id > after]
        for n in range(0, len(ids), AT_ONCE):
            some = self._all.assets_among(self._held(ids[n : n + AT_ONCE]), wanted)
            if site is not None:
                some = self._at(site, some)
            found += some
            if len(found) >= limit:
                break
        return found[:limit]

    def belief(self, asset: str) -> Belief | None:
        line = self._held([asset]).get(asset)
        known = self._all.belief(asset) if line is not None else None
        return known_since(line.start_at, known) if line is not None and known is not None else None

    def placed(self, assets: Iterable[str]) -> dict[str, Belief]:
        held = self._held(assets)
        found = {
            id: known_since(held[id].start_at, one) for id, one in self._all.placed(held).items()
        }
        return {id: one for id, one in found.items() if one is not None}

    def presents(self, assets: Iterable[str]) -> dict[str, Present]:
        held = self._held(assets)
        found = dict[str, Present]()
        for id, one in self._all.presents(held).items():
            told = one.told._replace(since=max(one.told.since, held[id].start_at))
            found[id] = one._replace(told=told, path=told, site=None)
        return found

    def bindings_of(self, asset: str, as_of: int | None = None) -> list[Binding]:  # noqa: ARG002
        return []  # they tell of all times

    def stale_count(self) -> int:
        return len(self._all.stale(self._leased()))

    def versions(self, kind: str, id: str) -> Sequence[object]:
        """Of a site where the partner or one of its assets is; others are not there."""
        return self._all.versions(kind, id) if kind == "site" and id in self._sites() else []

    def partners(self) -> dict[str, Partner]:
        return {self._partner.id: self._partner}

    def lease(self, id: str) -> Lease | None:
        return self.leases_by_id([id]).get(id)

    def leases_by_id(self, ids: Iterable[str]) -> dict[str, Lease]:
        found = self._all.leases_by_id(ids)
        return {id: one for id, one in found.items() if one.customer == self._partner.id}

    def leases(self, after: str, limit: int, customer: str | None = None) -> list[Lease]:
        return self._all.leases(after, limit, self._partner.id) if self._is_own(customer) else []

    def agreements(self, lease: str) -> list[Agreement]:
        """Without who wrote them down, and what was noted beside."""
        if self.lease(lease) is None:
            return []
        return [
            one._replace(by="", body={k: v for k, v in one.body.items() if k != "note"})
            for one in self._all.agreements(lease)
        ]

    def rules(self) -> Rules:
        return self._all.rules()

    def alert(self, id: str) -> Alert | None:
        found = self._all.alert(id)
        if found is None or found.lease is None or found.rule not in self._told():
            return None
        return _without_names(found) if self.lease(found.lease) is not None else None

    def alerts(self, wanted: AlertFilter, after: tuple[int, str], limit: int) -> list[Alert]:
        rules = self._told()
        if not rules:
            return []
        own = wanted._replace(rules=rules, customer=self._partner.id)
        return [_without_names(one) for one in self._all.alerts(own, after, limit)]

    def alerts_of(self, assets: Iterable[str]) -> dict[str, list[Alert]]:
        """Those about own leases."""
        found = dict[str, list[Alert]]()
        for asset, some in self._all.alerts_of(assets).items():
            own = self.leases_by_id(one.lease for one in some if one.lease is not None)
            seen = [one for one in some if one.lease in own and one.rule in self._told()]
            found[asset] = [_without_names(one) for one in seen]
        return found

    def open_lines(self, wanted: OverdueFilter) -> list[OpenLine]:
        """Of what the partner has now; by a site only where it or its assets are."""
        if not self._is_own(wanted.customer):
            return []
        if wanted.site is not None and wanted.site not in self._sites():
            return []
        rules = tuple(rule for rule in wanted.rules if rule in self._told())
        own = wanted._replace(rules=rules, customer=self._partner.id)
        found = self._all.open_lines(own)
        held = self._held({one.asset for one in found})
        return [one for one in found if one.asset in held]

    def assets_by_id(self, ids: Iterable[str]) -> dict[str, Asset]:
        return self._all.assets_by_id(self._held(ids))

    def alert_events(self, alert: str) -> list[AlertEvent]:
        """Without who did it, and what was said."""
        events = self._all.alert_events(alert) if self.alert(alert) is not None else []
        return [
            one._replace(event=one.event._replace(by=None, note=None))
            for one in events
            if one.event.kind != AMONG_US
        ]

    def stage_of(self, asset: str, now: int) -> StageStatus:
        """In which stage an asset is; not why, for that may lie before the line."""
        line = self._held([asset]).get(asset)
        if line is None:
            raise UnknownAsset(asset)
        found, sites = stages.stage_of(self._all, asset, now), self._sites()
        told = found.told._replace(since=max(found.told.since, line.start_at))
        roles = Roles(*(site if site in sites else None for site in found.sites))
        return found._replace(told=told, sites=roles, why=None, now=None, sentence=None)

    def late_lines(
        self, now: int, learn: Callable[[Reader], Learned], customer: str | None
    ) -> list[Expected]:
        """The forecast of what the partner has; not how punctual it is beside others."""
        if not self._is_own(customer):
            return []
        own, held = self._partner.id, self._held(self._leased())
        return [
            one._replace(
                since=None if one.since is None else max(one.since, one.line.start_at),
                customer=Customers().of(own),
            )
            for one in late_lines.late_lines(self._all, now, learn(self._all), own)
            if held.get(one.line.asset or "") == one.line
        ]

    def seen_back(self, lease: Lease) -> dict[str, int]:
        """Those of lines whose assets were back before they were on another one."""
        found = seen_back(self._all, lease)
        lines = self._all.lines_of({one.asset for one in lease.lines if one.asset is not None})
        for line in lease.lines:
            next_ = [
                one.start_at
                for one in lines.get(line.asset or "", ())
                if one.start_at > line.start_at
            ]
            if next_ and found.get(line.id, 0) >= min(next_):
                del found[line.id]
        return found

    def _at(self, site: str, assets: Sequence[Asset]) -> list[Asset]:
        """Those that were seen at a site on their lines, and are there."""
        there = self.placed(one.id for one in assets)
        return [a for a in assets if a.id in there and there[a.id].whereabouts.site == site]

    def _is_own(self, customer: str | None) -> bool:
        return customer in (None, self._partner.id)

    def _leased(self) -> list[str]:
        """Every asset that the partner has on paper."""
        lines = self._all.lines_held(self._partner.id, self._now)
        return sorted({line.asset for line in lines if line.asset is not None})

    def _held(self, assets: Iterable[str]) -> dict[str, Line]:
        """The lines by which the partner has some assets, by asset: of each the one that began
        last of all, if it is the partner's, is open and the asset has not come back from it."""
        wanted = {*assets}
        if new := wanted - self._known.keys():
            self._known.update(dict.fromkeys(new) | self._look(new))
        found = ((asset, self._known[asset]) for asset in sorted(wanted))
        return {asset: line for asset, line in found if line is not None}

    def _look(self, assets: Iterable[str]) -> dict[str, Line | None]:
        lines = self._all.lines_held(self._partner.id, self._now, sorted(assets))
        own = {line.asset: line for line in lines if line.asset is not None}
        every, changes = self._all.lines_of(own), self._all.entered(own)
        told, facts = self._all.presents(own), self._all.facts_of(own)
        held = dict[str, Line | None]()
        for asset, line in own.items():
            entered = told_to_enter(changes.get(asset, []), told.get(asset))
            others = [one for one in every[asset] if one.name != line.name]
            if any(self._follows(one, line) for one in others):
                continue
            if back(line, entered, received_in(facts.get(asset, ())), others) is None:
                held[asset] = line
        return held

    def _follows(self, other: Line, line: Line) -> bool:
        """Whether another line of its asset has taken the place of a line that is open."""
        if other.ended is not None and other.ended.how == "cancelled":
            return False
        began = line.start_at < other.start_at <= self._now
        return began or (other.start_at == line.start_at and other.ended is None)

    def _sites(self) -> set[str]:
        """The partner's own, those of its leases, and those where its assets are."""
        lines = self._all.lines_held(self._partner.id, self._now)
        leases = self._all.leases_by_id({line.lease for line in lines}).values()
        sites = {*self._partner.sites, *(site for one in leases for site in one.sites)}
        sites |= {one.return_to for one in leases if one.return_to is not None}
        placed = self.placed({line.asset for line in lines if line.asset is not None})
        return sites | {b.whereabouts.site for b in placed.values() if b.whereabouts.site}

    def _told(self) -> tuple[str, ...]:
        """The rules whose alerts partners may see."""
        return tuple(rule.id for rule in self._all.rules().lines() if rule.kind in TOLD)


def is_partner_view(reader: Reader) -> bool:
    """Whether a reader sees only what a partner may."""
    view: Any = reader
    return isinstance(view, PartnerView)


def stage_of(reader: Reader, asset: str, now: int, as_of: int | None = None) -> StageStatus:
    """In which stage an asset is, as far as its reader may see that."""
    view: Any = reader
    if isinstance(view, PartnerView):
        return view.stage_of(asset, now)
    return stages.stage_of(reader, asset, now, as_of)


def sentences(reader: Reader, assets: Sequence[str], now: int) -> dict[str, str]:
    """Why assets are told to be in their stages, as far as the reader may see that: to a partner
    it is not told, for it may lie before the line."""
    return {} if is_partner_view(reader) else stages.sentences(reader, assets, now)


def expected(
    reader: Reader, now: int, learn: Callable[[Reader], Learned], customer: str | None
) -> list[Expected]:
    """The forecast of lines (of a customer), as far as its reader may see that."""
    view: Any = reader
    if isinstance(view, PartnerView):
        return view.late_lines(now, learn, customer)
    return late_lines.late_lines(reader, now, learn(reader), customer)


def seen_back(reader: Reader, lease: Lease) -> dict[str, int]:
    """When the assets of a lease's lines were back (event time), by line."""
    view: Any = reader
    if isinstance(view, PartnerView):
        return view.seen_back(lease)
    found = {line.id: came_back(reader, line) for line in lease.lines}
    return {id: one.at for id, one in found.items() if one is not None}


def known_since(start: int, belief: Belief) -> Belief | None:
    """What of a belief is known from a time on; None: nothing."""
    if belief.at < start:
        return None
    last, (sure, stay, turn) = belief.last, belief.whereabouts
    if stay is not None:
        stay = stay._replace(since=max(stay.since, start)) if stay.last >= start else None
    return belief._replace(
        first=None,
        last=last if last is not None and last.at >= start else None,
        whereabouts=Whereabouts(sure, stay, turn if turn and turn.at >= start else None),
        standing=None,
    )


def _without_names(alert: Alert) -> Alert:
    """An alert without who has taken it on, and until when."""
    why = {name: value for name, value in alert.why.items() if name in WHY}
    return alert._replace(by=None, until=None, why=why)
