"""What people and other systems write down of what happens: not all of it, and not at once."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from random import Random
from typing import Any, NamedTuple

from firmware_sim.world.assets import Asset
from firmware_sim.world.chance import HOUR_MS, gamma_ms, random_of
from firmware_sim.world.journeys import Visit
from firmware_sim.world.scenario import FactKind, Scenario

SOON_MS = 10 * 60_000  # until what is written down in time is known
END_OF_LIFE = ("dismantle", "recycle", "dispose")
NO_WORK = ("ready", "received", "inspection", *END_OF_LIFE)


class Fact(NamedTuple):
    """A fact as others are told of it at `received_at` (epoch ms): the body of a request."""

    received_at: int
    body: dict[str, Any]


class Happened(NamedTuple):
    """What could be written down: its true time, and the stage that it names under `key`."""

    kind: FactKind
    at: int
    key: str = ""
    stage: str = ""


def facts(scenario: Scenario, asset: Asset) -> Iterator[Fact]:
    """The facts about an asset, in the order in which they happened."""
    random = random_of(scenario.seed, "facts", asset.id)
    number = 0
    for before, visit in pairwise(asset.visits):
        for one in _happened(scenario, before, visit, random):
            known = scenario.start_ms <= one.at < scenario.end_ms
            if not known or random.random() >= scenario.facts.told.get(one.kind, 0.0):
                continue
            number += 1
            body = {"id": f"f-{asset.id}-{number}", "asset": asset.id, "kind": one.kind}
            yield _told(scenario, one, body, random)


def _happened(
    scenario: Scenario, before: Visit, visit: Visit, random: Random
) -> Iterator[Happened]:
    """What happens as an asset goes from one stage to the next."""
    at, stage = visit.since, visit.stage
    if _is_work(scenario, before.stage):
        yield Happened("work_done", at, "stage", before.stage)
    if before.stage == "inspection":
        yield Happened("inspected", at, "outcome", stage)
    elif stage in END_OF_LIFE:
        yield Happened("retired", at, "route", stage)
    if _is_work(scenario, stage):
        yield Happened("work_started", at, "stage", stage)
    match stage:
        case "outbound":
            yield Happened("dispatched", at)
        case "in_use":
            kinds: dict[str, FactKind] = {"lost": "found", "return_requested": "return_cancelled"}
            yield Happened(kinds.get(before.stage, "lease_started"), at)
        case "return_requested":
            yield Happened("return_requested", at)
        case "return_transit":
            yield Happened("collected", at)
        case "received":
            yield Happened("received", at)
            yield Happened("lease_ended", at)
        case "lost":
            noticed = at + gamma_ms(random, scenario.facts.reported_lost_after_h)
            if noticed < visit.until:
                yield Happened("reported_lost", noticed)


def _is_work(scenario: Scenario, stage: str) -> bool:
    """Whether somebody works on the asset in a stage."""
    return scenario.stages[stage].at == "depot" and stage not in NO_WORK


def _told(scenario: Scenario, one: Happened, body: dict[str, Any], random: Random) -> Fact:
    """A fact with the time that people remember, and when it is entered: never before that."""
    given = scenario.facts
    at = max(scenario.start_ms, one.at + round(random.gauss(0, given.error_min * 60_000)))
    delay = random.randrange(SOON_MS)
    if random.random() < given.late_share:
        delay = random.randrange(round(given.late_at_most_h * HOUR_MS))
    received = max(one.at, at) + delay
    return Fact(received, body | ({one.key: one.stage} if one.key else {}) | {"at": at})
