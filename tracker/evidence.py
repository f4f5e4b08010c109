"""What an observation tells of an asset's state: how likely each state makes it.

A *mark* is what counts: of the reads of a tag one for each zone and inventory cycle, of a
tracker's reports one for each half of its moving interval. `Lambda`, the rate of marks that each
state makes, counts the same, so that silence can be evidence; where no cadence is stated it is
left out, and only what comes tells something.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from hashlib import blake2b
from math import exp, lgamma, log, sqrt, tau
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tracker.chain import TICKS_PER_H, Array, Chain, State
from tracker.filter import Powers, Silence
from tracker.layout import Layout, Standpoint
from tracker.model import Asset, Binding, Fix, Observation, Read, Values
from tracker.outages import NEVER_DOWN, NO_OUTAGES, Outages
from tracker.places import Reader, Site, Zone
from tracker.process import Reads, Rfid

HOUR_S = 3_600.0
CYCLE_S = 1_800.0  # of a reader that states none
REST_S, MOVING_S = 21_600.0, 3_600.0  # of a tracker that states none
MISS, STRAY = 0.2, 0.1  # of a reader that states none
ASTRAY_PER_H = 2e-4  # reads that nothing explains
OUTAGE_SHARE, OUTAGE_TICKS = 0.03, 6 * TICKS_PER_H  # of readers that do not say so
DOWN_PER_H = 1e-4  # reports of a tracker that is down, or of an asset in the dark
AT_SITE, ELSEWHERE = 0.003, 0.02  # a fix at a site where the asset is not; anywhere else
MIXED = 0.05  # reads that look as if they were of the other sort
ON, ONWARD, ASIDE = 0.9, 0.6, 0.02  # who passes two portals: goes on to the second zone, or no
MOVES_FROM_M_S = 1.5  # a speed that tells of a journey
ROLES = ("depot", "hub", "customer")
NEVER = 2**63
KEPT_AT_MOST = 100_000  # profiles of assets


class Roles(NamedTuple):
    """The sites that the stages of an asset mean, one of each kind (None: not known yet)."""

    depot: str | None = None
    hub: str | None = None
    customer: str | None = None


class Cadence(NamedTuple):
    """How often a tracker reports at rest and moving, seconds; None: not stated."""

    rest_s: float | None
    moving_s: float | None


UNSTATED = Cadence(None, None)


class Case(NamedTuple):
    """What is known of an asset besides what is observed. `cadences` are those of its
    trackers; `site` is where its lease says that it is used; `outages` are those of readers."""

    asset: Asset
    bindings: tuple[Binding, ...] = ()
    cadences: tuple[tuple[str, Cadence], ...] = ()
    site: str | None = None
    outages: Outages = NO_OUTAGES

    @property
    def trackers(self) -> list[str]:
        """Every device that has ever told about it."""
        return sorted({b.subject for b in self.bindings if not is_tag(b.subject)})

    def has_tag(self, at: int) -> bool:
        return any(is_tag(b.subject) and b.holds_at(at) for b in self.bindings)

    def cadence(self, device: str) -> Cadence:
        for name, cadence in self.cadences:
            if name == device:
                return cadence
        return UNSTATED

    def trackers_at(self, at: int) -> list[str]:
        """The devices that tell about it at an event time."""
        return sorted(
            {b.subject for b in self.bindings if not is_tag(b.subject) and b.holds_at(at)}
        )


def is_tag(subject: str) -> bool:
    """Whether what a binding binds is a tag, rather than a device."""
    return subject.startswith(("urn:", "tag:"))


class Mark(NamedTuple):
    """What counts of an observation: how likely each state makes it (one row), or, of a passage,
    from which state to which (states x states); and what it is in words of `explain`: a kind,
    and of what."""

    likelihood: Array
    kind: str
    what: str


class Profile:
    """How an asset goes on and how it tells of that, by what is `heard` of it per hour (states x
    states): on the diagonal marks in a state, beside it moves that make a mark. `silent`
    predicts over times without one, `free` as if nothing was to be heard. `id` is the same
    wherever process and figures are."""

    __slots__ = ("deaf", "free", "heard", "id", "process", "silent", "tracked")

    def __init__(self, chain: Chain, heard: Array, deaf: Array, free: Powers) -> None:
        self.process, self.tracked = chain.process.process, chain.tracked
        named = f"{self.process}\x1f{self.tracked}\x1f".encode() + heard.tobytes() + deaf.tobytes()
        self.id = int.from_bytes(blake2b(named, digest_size=7).digest())
        self.heard, self.deaf = heard, deaf
        self.free = free
        self.silent = silence(chain, heard, deaf, free)

    @property
    def rates(self) -> Array:
        """Marks per state and hour, without those of moves."""
        return self.heard.diagonal()


def silence(chain: Chain, heard: Array, deaf: Array, free: Powers) -> Powers | Silence:
    """How an asset goes on of which nothing is heard."""
    without = Powers(chain.rates - deaf) if deaf.any() else free
    if not (heard - deaf).any():
        return without
    return Silence(Powers(chain.rates - heard), without, OUTAGE_SHARE, OUTAGE_TICKS)


class _Kept(NamedTuple):
    """The last profile of an asset: `profile` holds from `since` up to but not at `until`."""

    case: Case
    roles: Roles
    since: int
    until: int
    profile: Profile

    def holds(self, case: Case, roles: Roles, at: int) -> bool:
        return self.case is case and self.roles == roles and self.since <= at < self.until


class Watch(NamedTuple):
    """A zone under inventory: how often a tag in it makes a mark (per hour), and one that lies
    in a zone beside it. `stated`: the cadence is known."""

    zone: Zone
    cycle_s: float
    own: float
    stray: float
    stated: bool
    portal: bool
    miss: float


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
                watches.append(_watch(zone, [r for r in readers if r.device not in down]))
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
        cuts = set[int]()
        for bounds in (self.layout.boundaries, self._downs(case, roles)):
            cuts.update(bounds[bisect_right(bounds, since) : bisect_left(bounds, until)])
        for binding in case.bindings:
            cuts.update(
                at for at in (binding.since, binding.until) if at is not None and since < at < until
            )
        return sorted(cuts)

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
        as_own, as_stray = _density(what, rfid.own), _density(what, rfid.stray)
        own_f = (1 - MIXED) * as_own + MIXED * as_stray
        stray_f = (1 - MIXED) * as_stray + MIXED * as_own
        return own_f, stray_f

    def looks(self, device: str, at: int) -> Rfid:
        """How a reader's reads look: by its own figures, else by the process's."""
        key = (device, self.layout.epoch(at))
        if key not in self._looks:
            reader, rfid = self.layout.reader(device, at), self.chain.process.rfid
            self._looks[key] = rfid if reader is None else _looks(reader, rfid)
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
        beside = sum(_adjacent(zone, watch.zone) for zone in here) / len(here)
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
        fenced = tuple(self.layout.is_fenced(kind, at) for kind in ROLES)
        key = (fenced, stage, self.layout.epoch(at), roles)
        if key not in self._located:
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


def looks_own(read: Read, rfid: Rfid) -> float:
    """How likely a read is one of the reader's own zone, if half of all are.

    >>> [round(looks_own(Read("tag", 1, rssi), Rfid()), 2) for rssi in (-55.0, -67.0)]
    [0.88, 0.12]
    """
    own, stray = _density(read, rfid.own), _density(read, rfid.stray)
    return own / (own + stray)


def _watch(zone: Zone, readers: Sequence[Reader]) -> Watch | None:
    """How a zone is watched by its readers."""
    if not readers:
        return None
    cycling = [reader for reader in readers if reader.mode == "cycle"]
    best = cycling or readers
    missed = 1.0
    for reader in best:
        missed *= MISS if reader.miss is None else reader.miss
    stated = [reader.cycle_s for reader in best if reader.cycle_s is not None]
    cycle = min(stated, default=CYCLE_S)
    strays = [STRAY if reader.stray is None else reader.stray for reader in best]
    per_h = HOUR_S / cycle
    stray = max(strays) * per_h / spread(zone)
    own = max(1 - missed, 1e-3) * per_h
    return Watch(zone, cycle, own, stray, bool(stated), not cycling, missed)


def spread(zone: Zone) -> int:
    """Over how many zones beside it a zone's stray reads are spread."""
    return max(1, len(set(zone.adjacent) - {zone.id}))


def _looks(reader: Reader, rfid: Rfid) -> Rfid:
    """The figures of a process, but for those that a reader has of its own."""
    own = {"rssi": reader.rssi, "count": reader.count}
    stray = {"rssi": reader.stray_rssi, "count": reader.stray_count}
    given = [{k: v for k, v in one.items() if v is not None} for one in (own, stray)]
    if not any(given):
        return rfid
    return Rfid(
        own=rfid.own.model_copy(update=given[0]), stray=rfid.stray.model_copy(update=given[1])
    )


def _adjacent(one: Zone, other: Zone) -> bool:
    return one.id != other.id and (one.id in other.adjacent or other.id in one.adjacent)


def _density(read: Read, looks: Reads) -> float:
    """How likely a read looks like that: Normal in signal strength, Poisson in answers."""
    density = 1.0
    if read.rssi is not None:
        mean, sd = looks.rssi
        density *= exp(-0.5 * ((read.rssi - mean) / sd) ** 2) / (sd * sqrt(tau))
    if read.count is not None:
        more, mean = max(read.count - 1, 0), max(looks.count - 1, 0.1)
        density *= exp(more * log(mean) - mean - lgamma(more + 1))
    return max(density, 1e-12)
