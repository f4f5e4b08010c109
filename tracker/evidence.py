"""What an observation tells of an asset's state: how likely each state makes it.

A *mark* is what counts: of the reads of a tag one for each zone and inventory cycle, of a
tracker's reports one for each half of its moving interval. `Lambda`, the rate of marks that each
state makes, counts the same, so that silence can be evidence; where no cadence is stated it is
left out, and only what comes tells something.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tracker.case import MOVING_S, REST_S, ROLES, Cadence, Case, Roles
from tracker.chain import Array, Chain, State
from tracker.filter import Powers
from tracker.layout import Layout, Standpoint
from tracker.model import Fix, Observation, Read, Values
from tracker.outages import NEVER_DOWN
from tracker.places import Site, Zone
from tracker.process import Rfid
from tracker.profile import Profile
from tracker.watch import HOUR_S, Watch, adjacent, density, looks_of, watch_of

ASTRAY_PER_H = 2e-4  # reads that nothing explains
DOWN_PER_H = 1e-4  # reports of a tracker that is down, or of an asset in the dark
AT_SITE, ELSEWHERE = 0.003, 0.02  # a fix at a site where the asset is not; anywhere else
MIXED = 0.05  # reads that look as if they were of the other sort
ON, ONWARD, ASIDE = 0.9, 0.6, 0.02  # who passes two portals: goes on to the second zone, or no
MOVES_FROM_M_S = 1.5  # a speed that tells of a journey
NEVER = 2**63
KEPT_AT_MOST = 100_000  # profiles of assets


class Mark(NamedTuple):
    """What counts of an observation: how likely each state makes it (one row), or, of a passage,
    from which state to which (states x states); and what it is in words of `explain`: a kind,
    and of what."""

    likelihood: Array
    kind: str
    what: str


class _Kept(NamedTuple):
    """The last profile of an asset: `profile` holds from `since` up to but not at `until`."""

    case: Case
    roles: Roles
    since: int
    until: int
    profile: Profile

    def holds(self, case: Case, roles: Roles, at: int) -> bool:
        return self.case is case and self.roles == roles and self.since <= at < self.until


class Evidence:
    """What the places of a `layout` make of observations, for the states of one `chain`."""

    def __init__(self, chain: Chain, layout: Layout) -> None:
        self.chain = chain
        self.layout = layout
        self._free = Powers(chain.rates)
        self._profiles: dict[int, Profile] = {}
        self._kept: dict[str, _Kept] = {}
        self._by_key: dict[Any, Profile] = {}
        self._zones: dict[tuple[str, int, frozenset[str]], list[Watch]] = {}
        self._watching: dict[Roles, tuple[str, ...]] = {}
        self._reads: dict[Any, tuple[Array, Array]] = {}
        self._lying: dict[Any, tuple[Array, Array]] = {}
        self._looks: dict[tuple[str, int], Rfid] = {}
        self._located: dict[Any, Array] = {}
        self._fixes = np.array([[state.fix for state in chain.states]])
        self._moving = np.array([[state.moving for state in chain.states]])

    # Places

    def role_of(self, site: Site, zone: Zone | None = None) -> str | None:
        """Which of an asset's sites one is: as what its zone means, else what it is itself."""
        if zone is not None and zone.stage in self.chain.number:
            n = self.chain.number[zone.stage]
            found = [s.at for s in self.chain.states if s.stage == n and s.at in ROLES]
            if found:
                return found[0]
        return site.kind if site.kind in ROLES else None

    def watches(self, site: str | None, at: int, down: frozenset[str] = frozenset()) -> list[Watch]:
        """The zones of a site that readers watch, those `down` left out."""
        if site is None:
            return []
        key = (site, self.layout.epoch(at), down)
        if key not in self._zones:
            watches = []
            for zone in self.layout.zones_at(site, at):
                readers = self.layout.readers_of(zone.id, at)
                watches.append(watch_of(zone, [r for r in readers if r.device not in down]))
            self._zones[key] = [watch for watch in watches if watch is not None]
        return self._zones[key]

    def _readers(self, roles: Roles) -> tuple[str, ...]:
        """The readers that ever watched one of an asset's sites."""
        if roles not in self._watching:
            sites = dict.fromkeys(site for site in roles if site is not None)
            readers = {device for site in sites for device in self.layout.watching(site)}
            self._watching[roles] = tuple(sorted(readers))
        return self._watching[roles]

    # The rates of marks

    def cuts(self, case: Case, roles: Roles, since: int, until: int) -> list[int]:
        """When, between two event times, an asset begins to tell of itself otherwise."""
        bounds = self.layout.boundaries
        cuts = bounds[bisect_right(bounds, since) : bisect_left(bounds, until)]
        others = [at for one in case.bindings for at in (one.since, one.until) if at is not None]
        others += self._downs(case, roles)
        if others:
            cuts = sorted({*cuts, *(at for at in others if since < at < until)})
        return cuts

    def _downs(self, case: Case, roles: Roles) -> list[int]:
        """When readers at an asset's sites went down or came back."""
        return case.outages.times(self._readers(roles)) if case.outages else NEVER_DOWN

    def profile(self, case: Case, roles: Roles, at: int) -> Profile:
        """How an asset tells of itself at an event time."""
        kept = self._kept.get(case.asset.id)
        if kept is not None and kept.holds(case, roles, at):
            return kept.profile
        profile = self._profile(case, roles, at)
        since = max(self.cuts(case, roles, -NEVER, at + 1), default=-NEVER)
        until = min(self.cuts(case, roles, at, NEVER), default=NEVER)
        if len(self._kept) >= KEPT_AT_MOST:
            self._kept.clear()
        self._kept[case.asset.id] = _Kept(case, roles, since, until, profile)
        return profile

    def _profile(self, case: Case, roles: Roles, at: int) -> Profile:
        readers = self._readers(roles) if case.outages else ()
        down = frozenset(device for device in readers if case.outages.down(device, at))
        key = (
            self.layout.epoch(at),
            roles,
            case.has_tag(at),
            down,
            *map(case.cadence, case.trackers_at(at)),
        )
        found = self._by_key.get(key)
        if found is None:
            heard, deaf = self._heard(case, roles, at, down)
            # Threads may share it: to all of them one profile is the same object.
            made = Profile(self.chain, heard, deaf, self._free)
            found = self._by_key[key] = self._profiles.setdefault(made.id, made)
        return found

    def _heard(
        self, case: Case, roles: Roles, at: int, down: frozenset[str]
    ) -> tuple[Array, Array]:
        """What is heard of an asset per hour (states x states): by all but the readers that are
        down, and by trackers alone."""
        rates = np.zeros(len(self.chain.states))
        unheard = np.ones_like(self.chain.rates)  # share of moves that no portal sees
        if case.has_tag(at):
            for site in dict.fromkeys(roles):  # one site may be two of them
                for watch in self.watches(site, at, down):
                    if watch.portal:
                        unheard[self._crossing(watch, roles)] *= watch.miss
                    elif watch.stated:
                        own, stray = self._of_zone(watch, roles, at)
                        rates += own + stray
        reports = np.zeros_like(rates)
        for device in case.trackers_at(at):
            cadence = case.cadence(device)
            if cadence.rest_s is not None or cadence.moving_s is not None:
                reports += self._report_rates(cadence)
        moves = self.chain.rates * (1 - unheard)
        return moves + np.diag(rates + reports), np.diag(reports)

    def _report_rates(self, cadence: Cadence) -> Array:
        """How often a tracker makes a mark, per state and hour."""
        rest = HOUR_S / (cadence.rest_s or REST_S)
        moving = HOUR_S / (cadence.moving_s or MOVING_S)
        return np.array(
            [
                DOWN_PER_H if not s.up or s.at == "dark" else moving if s.at == "road" else rest
                for s in self.chain.states
            ]
        )

    # Reads

    def read(self, row: Observation, what: Read, roles: Roles) -> tuple[Roles, Mark, Watch] | None:
        """What a read tells, and the asset's sites after it; None: nothing."""
        zone_id = self.layout.zone_of_read(row.device, what.antenna, row.at)
        zone = self.layout.zone(zone_id, row.at) if zone_id is not None else None
        site = self.layout.site(zone.site, row.at) if zone is not None else None
        if zone is None or site is None:
            return None
        role = self.role_of(site, zone)
        if role is None:
            return None
        roles = roles._replace(**{role: site.id})
        watch = next((w for w in self.watches(site.id, row.at) if w.zone.id == zone.id), None)
        if watch is None:
            return None
        own, stray = self._of_zone(watch, roles, row.at, role)
        if watch.portal:
            passage = self._passage(own, watch, roles)
            return roles, Mark(passage, "passage", zone.id), watch
        own_f, stray_f = self.looks_like(row, what)
        likelihood = own * own_f + stray * stray_f + ASTRAY_PER_H * max(own_f, stray_f)
        return roles, Mark(likelihood[None, :], "read", zone.id), watch

    def looks_like(self, row: Observation, what: Read) -> tuple[float, float]:
        """How likely a read looks as it does, of a tag of the reader's own zone, and astray."""
        rfid = self.looks(row.device, row.at)
        as_own, as_stray = density(what, rfid.own), density(what, rfid.stray)
        own_f = (1 - MIXED) * as_own + MIXED * as_stray
        stray_f = (1 - MIXED) * as_stray + MIXED * as_own
        return own_f, stray_f

    def looks(self, device: str, at: int) -> Rfid:
        """How a reader's reads look: by its own figures, else by the process's."""
        key = (device, self.layout.epoch(at))
        if key not in self._looks:
            reader, rfid = self.layout.reader(device, at), self.chain.process.rfid
            self._looks[key] = rfid if reader is None else looks_of(reader, rfid)
        return self._looks[key]

    def _of_zone(
        self, watch: Watch, roles: Roles, at: int, role: str | None = None
    ) -> tuple[Array, Array]:
        """How often each state makes a mark in a zone, per hour: of its own, and astray."""
        key = (watch.zone.id, roles, self.layout.epoch(at), role)
        if key not in self._reads:
            if watch.portal:
                passing = [self._passing(state, watch, roles) for state in self.chain.states]
                self._reads[key] = np.array(passing), np.zeros(len(passing))
            else:
                own, beside = self.lying(watch, roles, at)
                self._reads[key] = own * watch.own, beside * watch.stray
        return self._reads[key]

    def lying(self, watch: Watch, roles: Roles, at: int) -> tuple[Array, Array]:
        """What share of an asset in each state lies in a zone, and in zones beside it."""
        key = (watch.zone.id, roles, self.layout.epoch(at))
        if key not in self._lying:
            zones = {site: self.layout.zones_at(site, at) for site in set(roles) if site}
            own, beside = np.zeros((2, len(self.chain.states)))
            for n, state in enumerate(self.chain.states):
                own[n], beside[n] = self._of_state(state, watch, roles, zones)
            self._lying[key] = own, beside
        return self._lying[key]

    def _of_state(
        self, state: State, watch: Watch, roles: Roles, zones: dict[str, list[Zone]]
    ) -> tuple[float, float]:
        site = getattr(roles, state.at, None) if state.at in ROLES else None
        if watch.zone.stage not in self.chain.number:
            return (1.0, 0.0) if site == watch.zone.site else (0.0, 0.0)
        here = [
            zone
            for zone in zones.get(site or "", ())
            if zone.stage == self.chain.stages[state.stage]
        ]
        if not here:
            return 0.0, 0.0
        own = sum(zone.id == watch.zone.id for zone in here) / len(here)
        beside = sum(adjacent(zone, watch.zone) for zone in here) / len(here)
        return own, beside

    def _passage(self, passes: Array, watch: Watch, roles: Roles) -> Array:
        """How often each state passes a portal on its way to each other one, or stays what it is.

        A passage is the move itself, into the zone's stage or out of it (the marks of a Markovian
        arrival process; Neuts, 1979): so it comes at the rate of that move. Without one it is
        a reading of what has just come in, or goes about beside it."""
        inside = self._inside(watch, roles)
        crossing = self._crossing(watch, roles)
        moves = np.where(crossing, (1 - watch.miss) * self.chain.rates, 0.0)
        stays = np.where(inside, passes / 2, passes / 5) + ASTRAY_PER_H
        return np.ascontiguousarray(moves + np.diag(stays))

    def passage_on(self, before: Watch, watch: Watch, roles: Roles) -> Array:
        """From which state to which (states x states) an asset comes that passes a portal right
        after another one: most likely out of the zone of the one into that of the other."""
        left, entered = self._inside(before, roles), self._inside(watch, roles)
        kernel = np.diag(np.where(entered, 1.0, np.where(left, ON - ONWARD, ASIDE)))
        if watch.zone.stage in self.chain.number:
            into = self.chain.entered(self.chain.number[watch.zone.stage])
            kernel = kernel + np.where(left[:, None], ONWARD * into, 0.0)
        return np.ascontiguousarray(kernel)

    def _inside(self, watch: Watch, roles: Roles) -> NDArray[np.bool_]:
        """Which states are those of a zone."""
        if watch.zone.stage in self.chain.number:
            number = self.chain.number[watch.zone.stage]
            return np.array([state.stage == number for state in self.chain.states])
        site = watch.zone.site
        return np.array([getattr(roles, state.at, None) == site for state in self.chain.states])

    def _crossing(self, watch: Watch, roles: Roles) -> NDArray[np.bool_]:
        """Which moves lead into a zone or out of it (states x states)."""
        inside = self._inside(watch, roles)
        crossing: NDArray[np.bool_] = inside[:, None] != inside[None, :]
        return crossing

    def _passing(self, state: State, watch: Watch, roles: Roles) -> float:
        """How often a state passes a portal, per hour."""
        site = getattr(roles, state.at, None) if state.at in ROLES else None
        process = self.chain.process
        stage = self.chain.stages[state.stage]
        if watch.zone.stage not in self.chain.number:
            passes = 2 * (1 - watch.miss) / process.stages[stage].mean_h
            return passes if site == watch.zone.site else passes / 4 if state.at == "road" else 0.0
        passes = 2 * (1 - watch.miss) / process.stages[watch.zone.stage].mean_h
        if stage == watch.zone.stage:
            return passes
        neighbours = stage in process.stages[watch.zone.stage].next
        neighbours = neighbours or watch.zone.stage in process.stages[stage].next
        return passes / 4 if neighbours else 0.0

    # Trackers

    def reports(self, cadence: Cadence) -> Array:
        """That a tracker reports at all (one row)."""
        return self._report_rates(cadence)[None, :]

    def motion(self, moving: bool) -> Array:
        """That it says that it moves, or rests."""
        return self._moving if moving else 1 - self._moving

    def no_fix(self) -> Array:
        """That it has no fix."""
        return 1 - self._fixes

    def fix(self, what: Fix, at: int, roles: Roles) -> tuple[Roles, Mark]:
        """What a fix tells, and the asset's sites after it."""
        point = Standpoint(what.lat, what.lon, what.acc)
        inside = self.layout.site_around(point, at)
        site = self.layout.site(inside, at) if inside is not None else None
        stage = site.stage if site is not None and site.stage in self.chain.number else None
        role = self.role_of(site) if site is not None and stage is None else None
        if site is not None and role is not None:
            roles = roles._replace(**{role: site.id})
        shares = [self.layout.p_inside(place, point, at) if place else 0.0 for place in roles]
        shares.append(self.layout.p_inside(site.id, point, at) if site and stage else 0.0)
        total = max(1.0, sum(shares))
        weights = np.array([share / total for share in (*shares, total - sum(shares))])
        located = weights @ self._location(roles, stage, at)
        return roles, Mark((self._fixes[0] * located)[None, :], "fix", inside or "")

    def _location(self, roles: Roles, stage: str | None, at: int) -> Array:
        """How likely a fix is found at each role's site, at a site that means a stage, and
        anywhere else (rows), of an asset in each state."""
        key = (stage, self.layout.epoch(at), roles)
        if key not in self._located:
            fenced = [self.layout.is_fenced(kind, at) for kind in ROLES]
            workshops = {
                site.stage for site in self.layout.sites(at).values() if site.stage is not None
            }
            zones = (
                {z.stage for z in self.layout.zones_at(roles.depot, at)} if roles.depot else set()
            )
            table = np.full((5, len(self.chain.states)), AT_SITE)
            for n, state in enumerate(self.chain.states):
                name = self.chain.stages[state.stage]
                table[4, n] = ELSEWHERE
                if state.at not in ROLES:
                    table[4, n] = 1.0
                    continue
                k = ROLES.index(state.at)
                table[k, n] = 1.0
                if not fenced[k]:
                    table[4, n] = 1.0
                if name in workshops:
                    table[3, n] = 1.0 if name == stage else AT_SITE
                    if name not in zones:
                        table[k, n] = 0.1
            self._located[key] = table
        return self._located[key]


def speed_tells(what: Fix) -> bool | None:
    """Whether a fix says that its tracker moves; None: it does not say."""
    return None if what.speed is None else what.speed >= MOVES_FROM_M_S


def status_tells(what: Values) -> bool | None:
    """Whether a status says that its tracker moves; None: it does not say."""
    moving = what.values.get("moving")
    return moving if isinstance(moving, bool) else None
