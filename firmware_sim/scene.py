"""The demo's small world: a depot and two customers, containers with trackers that drive
between them, pallets with tags that readers see at both ends. Not all goes well: one tracker
breaks, one reports nonsense, and one is registered nowhere."""

from __future__ import annotations

from dataclasses import dataclass

from firmware_sim.broker import Broker
from firmware_sim.clock import Clock
from firmware_sim.device import Device, World
from firmware_sim.geometry import Point
from firmware_sim.outbox import Event
from firmware_sim.reader import Reader, Visit
from firmware_sim.tracker import Tracker, round_trip

MINUTE_MS = 60_000
PLACES = {
    "depot": Point(51.9050, 4.4870),
    "bakery": Point(51.9550, 4.4050),
    "hospital": Point(51.8720, 4.5500),
}
CONTAINERS = 4
PALLETS = 6
ROUNDS = 100  # of a pallet: longer than anybody watches
STAY_MS, WAY_MS = 12 * MINUTE_MS, 6 * MINUTE_MS
STRANGER = "tracker-9"
BREAKS, BREAKS_AFTER_MS = "tracker-4", 5 * MINUTE_MS
CONFUSED = "tracker-2"
NEVER_MS = 2**53  # beyond every clock


@dataclass(frozen=True, slots=True)
class Scene:
    """What there is in the world: `trackers` by the container that they are mounted on, `tags`
    (EPC, hexadecimal) by the pallet that carries them, and the devices at work."""

    trackers: dict[str, str]
    tags: dict[str, str]
    devices: list[Device]

    @property
    def assets(self) -> list[str]:
        return [*self.trackers, *self.tags]


class Broken:
    """What a device senses until it breaks, at `until_ms`."""

    def __init__(self, world: World, until_ms: int) -> None:
        self._world, self._until_ms = world, until_ms
        self.next_due_ms = world.next_due_ms

    def step(self, now_ms: int) -> list[Event]:
        """The world's events at `now_ms`; none will follow those from `until_ms` on."""
        events = self._world.step(now_ms)
        self.next_due_ms = self._world.next_due_ms if now_ms < self._until_ms else NEVER_MS
        return events


def make_scene(broker: Broker, clock: Clock) -> Scene:
    """The world from the clock's present on, its devices not started yet."""
    start = clock.now_ms()
    trackers = {f"container-{n}": f"tracker-{n}" for n in range(1, CONTAINERS + 1)}
    tags = {f"pallet-{n}": f"3374257BF40C0E40{n:08X}" for n in range(1, PALLETS + 1)}
    devices = [
        Device(tracker, broker, clock, _tracker(tracker, n, start))
        for n, tracker in enumerate([*trackers.values(), STRANGER])
    ]
    for device in devices:
        if device.device_id == CONFUSED:
            device.report([{"at": start, "fix": {"lat": 519.05, "lon": 4.487}}])
    for n, name in enumerate(PLACES):
        visits = [v for p, epc in enumerate(tags.values()) for v in _visits(p, epc, start, name)]
        world = Reader(visits, start_ms=start, cycle_s=30, seed=n)
        devices.append(Device(f"reader-{name}", broker, clock, world))
    return Scene(trackers, tags, devices)


def _tracker(name: str, n: int, start: int) -> World:
    customer = ("bakery", "hospital")[n % 2]
    stops = round_trip([PLACES["depot"], PLACES[customer]], start, rest_s=120 + 60 * n)
    tracker = Tracker(stops, rest_interval_s=60, moving_interval_s=15, seed=n)
    return Broken(tracker, start + BREAKS_AFTER_MS) if name == BREAKS else tracker


def _visits(pallet: int, epc: str, start: int, place: str) -> list[Visit]:
    """When a pallet stands at a place: it goes from the depot to its customer and back."""
    customer = ("bakery", "hospital")[pallet % 2]
    visits = []
    for leg in range(ROUNDS):
        since = start + leg * (STAY_MS + WAY_MS) - pallet * 2 * MINUTE_MS
        if place == ("depot", customer)[leg % 2]:
            visits.append(Visit(epc, since, since + STAY_MS))
    return visits
