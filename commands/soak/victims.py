"""Who may suffer what in the soak. A further server, network or command of ours is started in
`world.py`, and what may happen to it is added to `faults_of`; commands are there by themselves."""

from __future__ import annotations

import random
import signal
import sqlite3
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Protocol

from commands.soak.schedule import AT_LEAST_S, Fault
from commands.soak.world import LIVES_ON, World
from gateway.proxy import Proxy

DOWN_S = 6.0  # at most
FROZEN_S = 12.0


class Process(Protocol):
    """What is started and ended."""

    def start(self) -> object: ...

    def stop(self, with_signal: signal.Signals) -> object: ...


class Freezable(Protocol):
    """What takes signals."""

    def send_signal(self, number: signal.Signals) -> object: ...


def faults_of(world: World, chance: random.Random) -> list[Fault]:
    """Every fault that may be."""
    faults: list[Fault] = []
    for name, command in world.commands.items():
        faults += frozen(name, command)
        faults += ended(name, command) if name != LIVES_ON else ()
    faults += ended("broker", world.broker)
    faults += network("devices to broker", world.devices_to_broker)
    faults += network("gateways to broker", world.gateways_to_broker)
    faults += ended("InfluxDB", world.influx)
    faults += frozen("InfluxDB", world.influx)
    faults += network("workers to InfluxDB", world.workers_to_influx)
    if world.postgresql is not None:
        # SIGTERM would have it wait until everybody has left.
        faults += ended("database", world.postgresql, signal.SIGINT)
        faults += frozen("database", world.postgresql)
    if world.to_database is not None:
        faults += network("gateways to database", world.to_database)
    if world.file is not None:
        faults += locked("database", world.file)
    mischief = world.fleet.mischief
    faults.append(once("devices", "sent again in any order", partial(mischief.repeat, chance)))
    faults.append(once("devices", "bad messages", partial(mischief.publish_bad, chance)))
    faults.append(once("devices", "wrong clocks", partial(mischief.publish_skewed, chance)))
    return faults


def ended(victim: str, process: Process, word: signal.Signals = signal.SIGTERM) -> Iterator[Fault]:
    """Killed, or told to end by a `word`."""
    for kind, number in (("killed", signal.SIGKILL), ("ended", word)):
        yield Fault(victim, kind, partial(process.stop, number), process.start, DOWN_S)


def frozen(victim: str, process: Freezable) -> Iterator[Fault]:
    stop, go_on = (partial(process.send_signal, s) for s in (signal.SIGSTOP, signal.SIGCONT))
    yield Fault(victim, "frozen", stop, go_on, FROZEN_S)


def network(victim: str, proxy: Proxy) -> Iterator[Fault]:
    yield Fault(victim, "cut", proxy.cut, proxy.mend, DOWN_S)
    yield Fault(victim, "stalled", proxy.stall, proxy.mend, FROZEN_S)
    yield once(victim, "dropped", proxy.drop)


def locked(victim: str, path: Path) -> Iterator[Fault]:
    """Another process writes to a SQLite file, and takes its time."""
    other = sqlite3.connect(path, isolation_level=None, timeout=30)
    begin, end = (partial(other.execute, word) for word in ("BEGIN IMMEDIATE", "ROLLBACK"))
    yield Fault(victim, "locked", begin, end, FROZEN_S)


def once(victim: str, kind: str, act: Callable[[], object]) -> Fault:
    """What is over as soon as it has begun."""
    return Fault(victim, kind, act, lambda: None, 2 * AT_LEAST_S)
