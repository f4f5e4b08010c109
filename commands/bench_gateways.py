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
from pathlib import Path
from typing import Any

from commands.show import UserError
from gateway.bench import drain_bare, queue_up, subscribe
from gateway.bench_load import Load, publish_beside, register
from gateway.mosquitto import Mosquitto, free_port
from tracker.stores.local_postgresql import LocalPostgresql
from tracker.stores.postgresql import PostgresqlStore

GROUP = "bench"
WITHIN_S = 600
LOOK_EVERY_S = 0.05


def bench_gateways(messages: int, numbers: Sequence[int]) -> dict[str, Any]:
    """Messages a second of so many gateways together, and that to bare paho's."""
    load = Load(messages, devices=997, events=1, kind="fix")
    with (
        LocalPostgresql(free_port()) as server,
        tempfile.TemporaryDirectory() as folder,
        Mosquitto(Path(folder)) as broker,
    ):
        queue_up(broker, "bare", load)
        bare = drain_bare(broker, load)
        rates = {n: _drained(server, broker, load, n) for n in numbers}
    return {
        "bare_per_s": round(bare),
        **{f"gateways_{n}_per_s": round(rate) for n, rate in rates.items()},
        **{f"gateways_{n}_ratio": round(rate / bare, 3) for n, rate in rates.items()},
        "messages": messages,
    }


def _drained(server: LocalPostgresql, broker: Mosquitto, load: Load, gateways: int) -> float:
    url = server.create_database(f"bench_{gateways}")
    store = PostgresqlStore(url, migrate=True)
    register(store, load)
    names = [f"gateway-{gateways}-{n}" for n in range(gateways)]
    for name in names:
        subscribe(broker, name, group=f"{GROUP}-{gateways}")
    publish_beside(broker.port, load)
    try:
        with running_gateways(broker.url, url, f"{GROUP}-{gateways}", names):
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


def _rate(store: PostgresqlStore, messages: int) -> float:
    """Messages a second, from the first that a gateway has stored until the last is stored and
    what came late has been folded."""
    started, first, deadline = 0.0, 0, time.monotonic() + WITHIN_S
    while time.monotonic() < deadline:
        with store.reading() as reader:
            stored, stale = reader.counts()["log"], reader.stale_count()
        if stored and not started:
            started, first = time.monotonic(), stored
        if stored == messages and not stale:
            return (messages - first) / (time.monotonic() - started)
        time.sleep(LOOK_EVERY_S)
    raise UserError(f"only {stored} of {messages} messages were stored within {WITHIN_S} s")
