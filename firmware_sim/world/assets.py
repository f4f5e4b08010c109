"""The assets of a world: their lives, and the tags and trackers on them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import NamedTuple

from firmware_sim.world.chance import random_of
from firmware_sim.world.journeys import Stay, Visit, journey
from firmware_sim.world.places import Place, Places
from firmware_sim.world.radio import Lying, Presence
from firmware_sim.world.scenario import Scenario
from firmware_sim.world.wear import Ageing, Check

EPC_PREFIX = "3374257BF4"  # a GRAI-96 of the standard's example company
FOREIGN_PREFIX = "E2801160"  # a tag number that its chip has from the factory
REBOUND_FROM, REBOUND_TO = 0.25, 0.6  # of the world's time: when tags are changed
PAUSE_MS = 24 * 3_600_000  # that a tag lies in a drawer before it is on another asset

Progress = Callable[[int, int], object]


class Tag(NamedTuple):
    """A tag on an asset, from `since` up to `until` (None: from always on, for ever)."""

    epc: str
    since: int | None = None
    until: int | None = None


@dataclass(frozen=True, slots=True)
class Asset:
    """An asset, its life and what tells about it."""

    id: str
    home: Place
    visits: tuple[Visit, ...]
    tags: tuple[Tag, ...] = ()
    tracker: str | None = None
    checks: tuple[Check, ...] = ()

    def stays(self) -> Iterator[Stay]:
        """Where it is, in order."""
        for visit in self.visits:
            yield from visit.stays


def populate(scenario: Scenario, places: Places, progress: Progress) -> list[Asset]:
    """The assets of a scenario, their lives lived."""
    given, depots = scenario.assets, places.of("depot")
    assets = []
    for n in range(1, given.count + 1):
        id, home = f"{given.id}-{n}", depots[(n - 1) % len(depots)]
        ageing = Ageing(scenario.wear, scenario.seed, id) if scenario.wear else None
        visits = journey(scenario, places, home, random_of(scenario.seed, "asset", n), ageing)
        tags = (Tag(_epc(scenario.seed, n)),) if given.tags else ()
        tracker = f"{given.tracker_id}-{n}" if given.trackers else None
        checks = tuple(ageing.checks) if ageing is not None else ()
        assets.append(Asset(id, home, tuple(visits), tags, tracker, checks))
        progress(n, given.count)
    return _rebound(scenario, assets) if given.tags else assets


def lying(scenario: Scenario, places: Places, assets: Sequence[Asset]) -> Lying:
    """When which tags lie in each zone, also those that nobody bound."""
    found = defaultdict[str, list[Presence]](list)
    for asset in assets:
        for stay in asset.stays():
            if stay.zone is None:
                continue
            for tag in asset.tags:
                since = max(stay.since, tag.since or stay.since)
                until = min(stay.until, tag.until or stay.until)
                if since < until:
                    found[stay.zone].append(Presence(tag.epc, since, until))
    random = random_of(scenario.seed, "foreign")
    for n in range(scenario.mishaps.foreign_tags if places.zones else 0):
        since = random.randrange(scenario.start_ms, scenario.end_ms)
        until = since + random.randrange(PAUSE_MS)
        epc = f"{FOREIGN_PREFIX}{random.getrandbits(32):08X}{n:08X}"
        found[random.choice([*places.zones])].append(Presence(epc, since, until))
    return found


def _epc(seed: int, number: int) -> str:
    return f"{EPC_PREFIX}{seed % 2**16:04X}00{number:08X}"


def _rebound(scenario: Scenario, assets: list[Asset]) -> list[Asset]:
    """Some assets get another tag; every second of the old ones goes on to the next of them."""
    random = random_of(scenario.seed, "rebound")
    span = scenario.end_ms - scenario.start_ms
    chosen = [n for n in range(len(assets)) if random.random() < scenario.mishaps.rebound]
    changed = [*assets]
    for n in chosen:
        at = scenario.start_ms + round(span * random.uniform(REBOUND_FROM, REBOUND_TO))
        old = assets[n].tags[0]
        tags = (Tag(old.epc, None, at), Tag(_epc(scenario.seed, len(assets) + n + 1), at))
        changed[n] = replace(assets[n], tags=tags)
    for giver, taker in [*pairwise(chosen)][::2]:
        old = changed[giver].tags[0]
        assert old.until is not None
        again = Tag(old.epc, old.until + PAUSE_MS)
        changed[taker] = replace(changed[taker], tags=(*changed[taker].tags, again))
    return changed
