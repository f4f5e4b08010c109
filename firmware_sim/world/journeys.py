"""The lives of assets: which stages they pass, how long, and where they are meanwhile.

A semi-Markov process: how long a stage lasts is drawn from its own distribution (not an
exponential one), what comes next by its branching. Times are epoch milliseconds, true ones.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from math import cos, pi, sin, sqrt
from random import Random
from typing import NamedTuple, Protocol

from firmware_sim.geometry import Point
from firmware_sim.world.chance import SHORTEST_MS, gamma_ms, lognormal_ms
from firmware_sim.world.places import Place, Places
from firmware_sim.world.scenario import Scenario, Where

FAR_KM = 300.0  # how far what is lost gets


class Stay(NamedTuple):
    """A time at one sort of place, from `start` to `end` in a straight line; in a zone or not."""

    where: Where
    since: int
    until: int
    start: Point
    end: Point
    site: str | None = None
    zone: str | None = None

    def place(self, at: int) -> Point:
        """Where it is at a time.

        >>> Stay("road", 0, 100, Point(0, 0), Point(0, 1)).place(25).lon
        0.25
        """
        if self.start == self.end:
            return self.start
        return self.start.towards(self.end, (at - self.since) / (self.until - self.since))


class Visit(NamedTuple):
    """A stage, from entering up to leaving it."""

    stage: str
    since: int
    until: int
    stays: tuple[Stay, ...]


class Fate(Protocol):
    """What else than chance decides what comes next."""

    def next(self, visit: Visit, drawn: str | None, choices: Iterable[str]) -> str | None:
        """What comes after a visit, where by chance it would be `drawn`."""


def journey(
    scenario: Scenario, places: Places, home: Place, random: Random, fate: Fate | None = None
) -> list[Visit]:
    """An asset's life through the scenario's time, visits in order and without a gap. The last
    one may reach beyond the end."""
    traveller = _Traveller(scenario, places, home, random)
    shares = scenario.assets.initial
    stage: str | None = _drawn(random, shares)
    at = scenario.start_ms
    visits = []
    while at < scenario.end_ms and stage is not None:
        choices = scenario.stages[stage].next
        after = _drawn(random, choices)
        visit = traveller.visit(stage, at, ends=after is not None)
        visits.append(visit)
        if fate is not None:
            after = fate.next(visit, after, choices)
        stage, at = after, visit.until
    return visits


def _drawn(random: Random, shares: dict[str, float]) -> str | None:
    return random.choices([*shares], [*shares.values()])[0] if shares else None


class _Traveller:
    """Where an asset is, what it belongs to, and where its stages take it."""

    def __init__(self, scenario: Scenario, places: Places, home: Place, random: Random) -> None:
        self._scenario, self._places, self._random = scenario, places, random
        self._ways = scenario.ways
        self._customers = places.of("customer")
        self._home = self._depot = home
        self._customer = random.choice(self._customers)
        self._spot = home.spot(random)

    def visit(self, stage: str, since: int, *, ends: bool) -> Visit:
        """A visit of a stage; of one that never ends up to the world's end."""
        until = since + self._dwell(stage)
        if not ends:
            until = max(until, self._scenario.end_ms)
        stays = tuple(self._stays(stage, since, until))
        return Visit(stage, since, stays[-1].until, stays)

    def _dwell(self, name: str) -> int:
        stage = self._scenario.stages[name]
        dwell = stage.dwell or self._scenario.dwell
        if dwell.lognormal is not None:
            return lognormal_ms(self._random, stage.mean_h, dwell.lognormal)
        return gamma_ms(self._random, stage.mean_h, dwell.gamma or 1.0)

    def _stays(self, name: str, since: int, until: int) -> Iterator[Stay]:
        match self._scenario.stages[name].at:
            case "depot":
                return self._in_depot(name, since, until)
            case "customer":
                return self._at_customer(since, until)
            case "outward":
                return self._outward(name, since, until)
            case "use":
                return self._in_use(since, until)
            case "homeward":
                return self._homeward(since, until)
            case "gone":
                return self._gone(since, until)

    def _in_depot(self, name: str, since: int, until: int) -> Iterator[Stay]:
        workshop = self._places.workshop(name)
        zone = self._places.zone_of(self._depot.id, name)
        if zone is None and workshop is not None:
            yield from self._in_workshop(workshop, since, until)
            return
        self._spot = self._depot.spot(self._random)
        yield Stay("depot", since, until, self._spot, self._spot, self._depot.id, zone)

    def _in_workshop(self, workshop: Place, since: int, until: int) -> Iterator[Stay]:
        """To a partner's and back, all of it in the time of the work."""
        depot, bench = self._depot.center, workshop.spot(self._random)
        drive = self._drive(depot, bench)
        until = max(until, since + 3 * drive)
        yield Stay("road", since, since + drive, depot, bench)
        yield Stay("partner", since + drive, until - drive, bench, bench, workshop.id)
        yield Stay("road", until - drive, until, bench, depot)

    def _at_customer(self, since: int, until: int) -> Iterator[Stay]:
        self._spot = self._customer.spot(self._random)
        yield Stay("customer", since, until, self._spot, self._spot, self._customer.id)

    def _outward(self, name: str, since: int, until: int) -> Iterator[Stay]:
        wait = min(gamma_ms(self._random, self._ways.dock_h), (until - since) // 2)
        zone = self._places.zone_of(self._depot.id, name)
        dock = self._depot.spot(self._random)
        leaves = since + wait
        yield Stay("dock", since, leaves, dock, dock, self._depot.id, zone)
        self._customer = self._random.choice(self._customers)
        self._spot = self._customer.spot(self._random)
        until = max(until, leaves + self._drive(dock, self._spot))
        yield Stay("road", leaves, until, dock, self._spot)

    def _in_use(self, since: int, until: int) -> Iterator[Stay]:
        """At the customer, and away now and then; where it ends, it is at the customer."""
        ways = self._ways
        at = since
        while True:
            leaves = at + gamma_ms(self._random, ways.away_every_h)
            back = leaves + gamma_ms(self._random, ways.away_h)
            yield from self._at_customer(at, until if back >= until else leaves)
            if back >= until:
                return
            turn = (leaves + back) // 2
            reach_km = self._scenario.speed_m_s * (turn - leaves) / 1e6
            far = self._spot.shifted(*_somewhere(self._random, min(ways.away_km, reach_km)))
            yield Stay("road", leaves, turn, self._spot, far)
            yield Stay("road", turn, back, far, self._spot)
            at = back

    def _homeward(self, since: int, until: int) -> Iterator[Stay]:
        here = self._spot
        self._depot = self._next_depot()
        gate = self._depot.center
        hub = self._hub_between(here, gate) if self._random.random() < self._ways.via_hub else None
        if hub is None:
            yield Stay("road", since, max(until, since + self._drive(here, gate)), here, gate)
            return
        halt = hub.spot(self._random)
        wait = min(gamma_ms(self._random, self._ways.hub_h), (until - since) * 3 // 5)
        legs = here.metres_to(halt), halt.metres_to(gate)
        first = round((until - since - wait) * legs[0] / max(sum(legs), 1.0))
        arrives = since + max(first, self._drive(here, halt))
        leaves = arrives + wait
        ends = max(until, leaves + self._drive(halt, gate))
        yield Stay("road", since, arrives, here, halt)
        yield Stay("hub", arrives, leaves, halt, halt, hub.id)
        yield Stay("road", leaves, ends, halt, gate)

    def _gone(self, since: int, until: int) -> Iterator[Stay]:
        at = since
        far = self._spot.shifted(*_somewhere(self._random, FAR_KM))
        if self._random.random() < self._ways.elsewhere:
            at = min(until, since + gamma_ms(self._random, self._ways.elsewhere_h))
            yield Stay("elsewhere", since, at, far, far)
        if at < until:
            yield Stay("dark", at, until, far, far)

    def _next_depot(self) -> Place:
        """The asset's own, or another one."""
        others = [depot for depot in self._places.of("depot") if depot != self._home]
        if not others or self._random.random() < self._scenario.assets.home_share:
            return self._home
        return self._random.choice(others)

    def _hub_between(self, here: Point, there: Point) -> Place | None:
        """The hub that makes the way the least longer; None where there are no hubs."""
        hubs: Sequence[Place] = self._places.of("hub")
        by = {hub: here.metres_to(hub.center) + hub.center.metres_to(there) for hub in hubs}
        return min(by, key=lambda hub: by[hub]) if by else None

    def _drive(self, here: Point, there: Point) -> int:
        """How long the straight way takes at the least (ms)."""
        seconds = here.metres_to(there) / self._scenario.speed_m_s
        return max(SHORTEST_MS, round(seconds * 1_000))


def _somewhere(random: Random, within_km: float) -> tuple[float, float]:
    """Metres north and east, evenly over a disc."""
    far, turn = 1_000 * within_km * sqrt(random.random()), 2 * pi * random.random()
    return far * cos(turn), far * sin(turn)
