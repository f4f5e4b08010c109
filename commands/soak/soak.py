"""The soak: load, faults, an end of the faults, and the account."""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from commands.soak.schedule import Planned, Step, plan, steps
from commands.soak.victims import faults_of
from commands.soak.world import LIVES_ON, World, running_world
from tracker.ports import Store
from tracker.telling import differences
from tracker.verify import verify

LOOK_EVERY_S = 0.2
CALM_S = 5.0  # before the first fault: everything is to run
DRAIN_WITHIN_S = 180.0
DROP_EVERY_S = 15.0
GROWTH_AT_MOST_MB = 32.0


class Watch:
    """Looks at what goes on: memory of the gateway that lives on, and how long no new receipt
    came. Times are s since the start."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._memory: list[tuple[float, float]] = []
        self._receipted = 0
        self._last_new = 0.0
        self.longest_silence_s = 0.0

    def look(self, at: float) -> None:
        self._world.tend()
        self._memory.append((at, self._world.commands[LIVES_ON].memory_mb()))
        receipted = self._world.fleet.receipted()
        if receipted > self._receipted:
            self._receipted, self._last_new = receipted, at
        self.longest_silence_s = max(self.longest_silence_s, at - self._last_new)

    def memory(self, ended: float) -> tuple[float, float]:
        """The most in the first third of the time, and the most in the last."""
        first = [mb for at, mb in self._memory if at <= ended / 3]
        last = [mb for at, mb in self._memory if at >= ended * 2 / 3]
        return round(max(first), 1), round(max(last), 1)


def soak(
    folder: Path, seconds: float, seed: int, *, postgresql: bool, tell: Callable[[str], None]
) -> dict[str, Any]:
    """Run everything for so long while faults happen as `seed` has it, let it come to rest, and
    account for every message. `tell` is told of each fault."""
    with running_world(folder, postgresql=postgresql) as world:
        chance = random.Random(seed)  # noqa: S311
        planned = plan(seed, seconds, faults_of(world, chance))
        watch = Watch(world)
        started = time.monotonic()
        for step in steps(planned):
            _until(started + CALM_S + step.at_s, started, watch)
            _take(step, tell)
        _until(started + CALM_S + seconds, started, watch)
        first, last = watch.memory(time.monotonic() - started)
        world.fleet.rest()
        drained_s = _drain(world, started, watch)
        return {
            "seed": seed,
            "store": "postgresql" if postgresql else "sqlite",
            "seconds": seconds,
            "faults": Counter(f"{p.fault.victim}: {p.fault.kind}" for p in planned),
            "faulty_s": _faulty(planned),
            **_account(world),
            "drained_s": drained_s,
            "longest_silence_s": round(watch.longest_silence_s, 1),
            "ended_by_themselves": sum(c.ended_by_itself for c in world.commands.values()),
            "memory_first_third_mb": first,
            "memory_last_third_mb": last,
        }


def kept(figures: dict[str, Any]) -> bool:
    """Whether the promise was kept, and memory flat."""
    grown = figures["memory_last_third_mb"] - figures["memory_first_third_mb"]
    sound = figures["verify"] == "sound" and not figures["lost"] and not figures["doubled"]
    told = not figures["pending"] and not figures["influx_differences"]
    return sound and told and bool(grown <= GROWTH_AT_MOST_MB)


def _faulty(planned: Sequence[Planned]) -> dict[str, float]:
    """For how long each victim was not itself, in all (s)."""
    total: dict[str, float] = {}
    for one in planned:
        total[one.fault.victim] = total.get(one.fault.victim, 0.0) + one.for_s
    return {victim: round(seconds, 1) for victim, seconds in total.items()}


def _until(moment: float, started: float, watch: Watch) -> None:
    while (left := moment - time.monotonic()) > 0:
        time.sleep(min(LOOK_EVERY_S, left))
        watch.look(time.monotonic() - started)


def _take(step: Step, tell: Callable[[str], None]) -> None:
    fault = step.planned.fault
    if step.begins:
        tell(f"{step.at_s:7.1f} s  {fault.victim}: {fault.kind}, for {step.planned.for_s:.1f} s")
    (fault.begin if step.begins else fault.end)()


def _drain(world: World, started: float, watch: Watch) -> float:
    """Wait until everything has a receipt and InfluxDB was told all of it, and say how long that
    took (s). Devices connect again now and then, for what a broker has lost they send again at
    once only then."""
    begun = now = time.monotonic()
    drop_at = begun + DROP_EVERY_S
    while now < begun + DRAIN_WITHIN_S and (world.fleet.pending() or _untold(world.store)):
        if now > drop_at:
            world.devices_to_broker.drop()
            drop_at = now + DROP_EVERY_S
        _until(now + LOOK_EVERY_S, started, watch)
        now = time.monotonic()
    return round(time.monotonic() - begun, 1)


def _account(world: World) -> dict[str, Any]:
    """What devices know to be receipted, against what the database holds of it."""
    fleet = world.fleet
    stored, lost = 0, 0
    held = _held(world.store)
    for device in fleet.devices:
        numbers = held.get((device.device_id, device.boot), set())
        covered = {n for low, high in device.receipted() for n in range(low, high + 1)}
        stored += len(numbers)
        lost += len(covered - numbers)
    with world.store.reading() as reader:
        report = verify(reader)
        rows = reader.counts()
        untold = differences(reader, world.series, time.time_ns() // 1_000_000)
    return {
        "sent": fleet.sent(),
        "receipted": fleet.receipted(),
        "pending": fleet.pending(),
        "stored": stored,
        "lost": lost,
        "doubled": report.duplicates,
        "influx_differences": len(untold) + _untold(world.store),
        "dead_letters": rows["dead_letters"],
        "quarantined": rows["quarantine"],
        "verify": "sound" if report.sound else "broken",
    }


def _held(store: Store) -> dict[tuple[str, str], set[int]]:
    with store.reading() as reader:
        return {boot: set(numbers) for boot, numbers in reader.kept()}


def _untold(store: Store) -> int:
    """How many points wait for InfluxDB."""
    with store.reading() as reader:
        return reader.backlog()
