"""`retour bench ingest --store postgresql`: gateways that share the messages.

A Mosquitto queues a load for the sessions of some gateways; then they are started, each a
process of its own, and drain it. Bare paho drains the same load in the same run.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from commands.show import UserError
from gateway.bench import drain_bare, queue_up, subscribe
from gateway.bench_load import Load, publish_beside, register
from gateway.mosquitto import Mosquitto, free_port
from tracker.stores.local_postgresql import LocalPostgresql
from tracker.stores.postgresql import PostgresqlStore

GROUP = "bench"
WITHIN_S = 600
LOOK_EVERY_S = 0.05


class Rate(NamedTuple):
    """Messages a second, from the first that a gateway has stored until all are stored and
    receipted, and until what came late has been folded as well."""

    stored: float
    folded: float


def bench_gateways(messages: int, numbers: Sequence[int]) -> dict[str, Any]:
    """Messages a second of so many gateways together, and that to bare paho's: where the broker
    gives each device's messages to one of them, as one that hashes topics does, and where it
    spreads them over all."""
    # Mosquitto takes turns: of 1,000 devices that do so too each comes to the same gateway.
    by_device = Load(messages, devices=1_000, events=1, kind="fix")
    spread = replace(by_device, devices=997)
    with (
        LocalPostgresql(free_port()) as server,
        tempfile.TemporaryDirectory() as folder,
        Mosquitto(Path(folder)) as broker,
    ):
        queue_up(broker, "bare", by_device)
        bare = drain_bare(broker, by_device)
        whole = {n: _drained(server, broker, by_device, n) for n in numbers}
        mixed = {n: _drained(server, broker, spread, n) for n in numbers if n > 1}
    return {
        "bare_per_s": round(bare),
        "by_device": {n: _compared(rate, bare) for n, rate in whole.items()},
        "spread": {n: _compared(rate, bare) for n, rate in mixed.items()},
        "messages": messages,
    }


def _compared(rate: Rate, bare: float) -> dict[str, float]:
    return {
        "stored_per_s": round(rate.stored),
        "folded_per_s": round(rate.folded),
        "ratio": round(rate.stored / bare, 3),
    }


def _drained(server: LocalPostgresql, broker: Mosquitto, load: Load, gateways: int) -> Rate:
    group = f"{GROUP}-{gateways}-{load.devices}"
    url = server.create_database(group.replace("-", "_"))
    store = PostgresqlStore(url, migrate=True)
    register(store, load)
    names = [f"{group}-{n}" for n in range(gateways)]
    for name in names:
        subscribe(broker, name, group=group)
    publish_beside(broker.port, load)
    try:
        with running_gateways(broker.url, url, group, names):
            return _rate(store, load.messages)
    finally:
        store.close()


@contextmanager
def running_gateways(
    broker: str, database: str, group: str, names: Sequence[str]
) -> Iterator[None]:
    """A `retour gateway` process for each name."""
    others = {name: value for name, value in os.environ.items() if not name.startswith("RETOUR_")}
    processes = []
    try:
        for name in names:
            settings = {
                "RETOUR_MQTT_URL": broker,
                "RETOUR_DATABASE": database,
                "RETOUR_GATEWAY_GROUP": group,
                "RETOUR_CLIENT_ID": name,
                "RETOUR_LOG_LEVEL": "error",
            }
            processes.append(
                subprocess.Popen(
                    [sys.executable, "-m", "retour", "gateway"],
                    env=others | settings,
                    stdin=subprocess.DEVNULL,
                )
            )
        yield
    finally:
        for process in processes:
            process.send_signal(signal.SIGTERM)
        for process in processes:
            process.wait(30)


def _rate(store: PostgresqlStore, messages: int) -> Rate:
    started, first, stored_after = 0.0, 0, 0.0
    deadline = time.monotonic() + WITHIN_S
    while time.monotonic() < deadline:
        with store.reading() as reader:
            stored, stale = reader.counts()["log"], reader.stale_count()
        now = time.monotonic()
        if stored and not started:
            started, first = now, stored
        if stored == messages:
            stored_after = stored_after or now - started
            if not stale:
                return Rate((messages - first) / stored_after, (messages - first) / (now - started))
        time.sleep(LOOK_EVERY_S)
    raise UserError(
        f"within {WITHIN_S} s only {stored} of {messages} messages were stored; {stale} assets wait"
    )
