"""A scenario put to work: places, assets with their lives, and what each device has to say."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from heapq import merge

from firmware_sim.world import gps, radio
from firmware_sim.world.assets import Asset, Progress, lying, populate
from firmware_sim.world.facts import Fact, facts
from firmware_sim.world.mishaps import Condition, condition
from firmware_sim.world.places import Places, lay_out
from firmware_sim.world.report import Report
from firmware_sim.world.scenario import Scenario
from firmware_sim.world.wear import knocks


@dataclass(frozen=True, slots=True)
class Source:
    """A device, what it would report were it always well, and how it fares."""

    device: str
    reports: Iterator[Report]
    fares: Condition


@dataclass(frozen=True, slots=True)
class Simulation:
    """A world that has been lived through."""

    scenario: Scenario
    places: Places
    assets: list[Asset]

    def sources(self) -> Iterator[Source]:
        """Its devices; the reports of each can be read once."""
        scenario, places = self.scenario, self.places
        zones = lying(scenario, places, self.assets)
        for reader in places.readers:
            fares = condition(scenario, reader.device, is_reader=True)
            yield Source(reader.device, radio.reads(scenario, places, zones, reader), fares)
        for asset in self.assets:
            if asset.tracker is not None:
                fares = condition(scenario, asset.tracker, is_reader=False)
                reports = gps.reports(scenario, asset.tracker, asset.stays())
                if scenario.wear is not None:
                    felt = knocks(scenario, asset.id, asset.visits)
                    reports = merge(reports, felt, key=lambda report: report.at)
                yield Source(asset.tracker, reports, fares)

    def facts(self) -> list[Fact]:
        """What people write down, in the order in which it becomes known."""
        found = [fact for asset in self.assets for fact in facts(self.scenario, asset)]
        return sorted(found, key=lambda fact: fact.received_at)


def simulate(scenario: Scenario, progress: Progress) -> Simulation:
    """Live through a scenario; `progress` is called with the assets that are done, and all."""
    places = lay_out(scenario)
    return Simulation(scenario, places, populate(scenario, places, progress))
