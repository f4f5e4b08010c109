"""What RFID readers see of the tags that lie in their zones, and of those beside them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from random import Random
from typing import NamedTuple

from firmware_sim.outbox import Event
from firmware_sim.world.chance import poisson, random_of
from firmware_sim.world.places import Places, Reader
from firmware_sim.world.report import Report
from firmware_sim.world.scenario import Reads, Scenario

INVENTORY_MS = 20_000  # how long one takes
PASSAGE_MS = 10_000  # likewise through a portal
TAGS_PER_MESSAGE = 100  # below what small brokers take


class Presence(NamedTuple):
    """A tag lies in a zone for a time."""

    epc: str
    since: int
    until: int


Lying = Mapping[str, Sequence[Presence]]  # by zone


def reads(scenario: Scenario, places: Places, lying: Lying, reader: Reader) -> Iterator[Report]:
    """The messages of a reader, in order. A cycle reader reads each tag in its zone once an
    inventory, except for the share that it misses, and a tag in an adjacent zone with the
    probability of a stray read, which is spread over the adjacent zones. A portal sees tags
    enter and leave, and now and then one that passes beside it."""
    random = random_of(scenario.seed, "reader", reader.device)
    if reader.mode == "portal":
        return _passages(scenario, places, lying, reader, random)
    return _inventories(scenario, places, lying, reader, random)


def _inventories(
    scenario: Scenario, places: Places, lying: Lying, reader: Reader, random: Random
) -> Iterator[Report]:
    cycle = round(scenario.readers.cycle_s * 1_000)
    inventory = min(INVENTORY_MS, cycle // 2)
    first = scenario.start_ms + random.randrange(cycle)
    seen = defaultdict[int, list[Event]](list)
    for antenna, presence, probability, looks in _in_field(scenario, places, lying, reader):
        start = max(0, -((first - presence.since) // cycle))
        end = min(presence.until, scenario.end_ms)
        for at in range(first + start * cycle, end, cycle):
            if random.random() < probability:
                stamp = at + random.randrange(inventory)
                seen[at].append(_read(random, stamp, presence.epc, antenna, looks))
    for at in sorted(seen):
        yield from _messages(at + inventory, seen[at])


def _passages(
    scenario: Scenario, places: Places, lying: Lying, reader: Reader, random: Random
) -> Iterator[Report]:
    seen = []
    for antenna, presence, probability, looks in _in_field(scenario, places, lying, reader):
        # Out of one zone before into the next.
        for passage in (presence.since, presence.until - PASSAGE_MS):
            inside = scenario.start_ms < passage < scenario.end_ms
            if inside and random.random() < probability:
                stamp = passage + random.randrange(PASSAGE_MS)
                seen.append(_read(random, stamp, presence.epc, antenna, looks))
    for event in sorted(seen, key=lambda event: event["at"]):
        yield Report(event["at"], [event])


def _in_field(
    scenario: Scenario, places: Places, lying: Lying, reader: Reader
) -> Iterator[tuple[int, Presence, float, Reads]]:
    """The tags that an antenna can read, how likely it does at each chance, and how it looks."""
    given, rfid = scenario.readers, scenario.rfid
    for antenna, zone in reader.antennas.items():
        for presence in lying.get(zone, ()):
            yield antenna, presence, 1 - given.miss, rfid.own
        beside = places.zones[zone].adjacent
        for other in beside:
            for presence in lying.get(other, ()):
                yield antenna, presence, given.stray / len(beside), rfid.stray


def _read(random: Random, at: int, epc: str, antenna: int, looks: Reads) -> Event:
    return {
        "at": at,
        "read": {
            "epc": epc,
            "antenna": antenna,
            "rssi": round(random.gauss(*looks.rssi), 1),
            "count": 1 + poisson(random, looks.count - 1),
        },
    }


def _messages(at: int, events: Iterable[Event]) -> Iterator[Report]:
    ordered = sorted(events, key=lambda event: event["at"])
    for first in range(0, len(ordered), TAGS_PER_MESSAGE):
        yield Report(at, ordered[first : first + TAGS_PER_MESSAGE])
