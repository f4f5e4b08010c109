"""`retour bench influx`: how far InfluxDB lags behind, and how fast it catches up.

- *lag*: devices publish at a rate to a Mosquitto, a gateway stores, a worker tells an InfluxDB:
  each a process of its own, but for the worker, which is timed here.
- *catch-up*: a worker tells what an outage has left in the queue; *bare* is influxdb-client writing
  the same lines from memory.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from commands.bench_gateways import running_gateways
from commands.show import UserError
from gateway.bench import subscribe
from gateway.bench_load import Load, publish_beside, register
from gateway.mosquitto import Mosquitto, free_port
from gateway.projection import Projection
from gateway.running import Beside
from gateway.worker import Worker
from tracker.audit import Act
from tracker.clocks import SystemClock
from tracker.points import at_of, time_ns
from tracker.ports import Store
from tracker.project import project
from tracker.stores.influx import Influx
from tracker.stores.influx_setup import set_up
from tracker.stores.local_influx import LocalInflux
from tracker.telling import LINES_IN_REQUEST

GATEWAY, GROUP = "gateway", "bench"
DEVICES = 1_000
LINES_IN_ROW = 100  # as a gateway gathers them at that rate
WITHIN_S = 200

Database = tuple[Store, str]
"""A store, and its URL."""


class _Timed(Influx):
    """Notes how long ago what it takes was observed."""

    def __init__(self, server: LocalInflux) -> None:
        at = server.at("bench")
        super().__init__(at._replace(token=set_up(at, 0, 0)))
        self.lags: list[int] = []

    def write(self, lines: Sequence[bytes]) -> None:
        super().write(lines)
        now = time.time_ns() // 1_000_000
        self.lags += [now - at_of(line) for line in lines]


def bench_influx(
    open_database: Callable[[Path], Database], rate: int, seconds: int, lines: int
) -> dict[str, Any]:
    """The lag (s) at so many messages a second for so long, and the lines a second of catching up
    with a queue of so many."""
    with LocalInflux(free_port()) as server, tempfile.TemporaryDirectory() as folder:
        series = _Timed(server)
        return {
            "lag": _lag(open_database(Path(folder) / "lag.db"), series, rate, seconds),
            "catch_up": _catch_up(open_database(Path(folder) / "queue.db")[0], series, lines),
        }


def _lag(database: Database, series: _Timed, rate: int, seconds: int) -> dict[str, Any]:
    store, url = database
    load, probe = (
        Load(messages, devices, events=1, kind="fix", name=name)
        for messages, devices, name in ((rate * seconds, DEVICES, "dev"), (1, 1, "probe"))
    )
    register(store, load)
    register(store, probe)
    _begin(store)
    with (
        tempfile.TemporaryDirectory() as folder,
        Mosquitto(Path(folder)) as broker,
        _telling(store, series),
    ):
        subscribe(broker, GATEWAY, group=GROUP)
        publish_beside(broker.port, probe)
        with running_gateways(broker.url, url, GROUP, [GATEWAY]):
            _wait_for(lambda: bool(series.lags))
            series.lags.clear()
            started = time.monotonic()
            publish_beside(broker.port, load, rate)
            published = time.monotonic() - started
            _wait_for(lambda: len(series.lags) >= load.messages)
    lags = sorted(series.lags)
    return {
        "published_per_s": round(load.messages / published),
        "messages": load.messages,
        **{f"p{p}_s": lags[len(lags) * p // 100] / 1000 for p in (50, 99)},
        "max_s": lags[-1] / 1000,
    }


@contextmanager
def _telling(store: Store, series: Influx) -> Iterator[None]:
    """A worker beside."""
    worker = Worker([Projection(store, series, SystemClock())], SystemClock())
    with Beside(worker, lambda: None, "worker"):
        yield


def _begin(store: Store) -> None:
    with store.writing() as tx:
        project(tx, True, Act("retour bench", 0, 0))


def _wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + WITHIN_S
    while not condition():
        if time.monotonic() > deadline:
            raise UserError(f"InfluxDB was not told everything within {WITHIN_S} s")
        time.sleep(0.05)


def _catch_up(store: Store, series: Influx, lines: int) -> dict[str, Any]:
    _begin(store)
    clock = SystemClock()
    made = list(_lines(clock.now(), lines))
    started = time.monotonic()
    for start in range(0, lines, LINES_IN_REQUEST):
        series.write(made[start : start + LINES_IN_REQUEST])
    bare = lines / (time.monotonic() - started)
    for start in range(0, lines, LINES_IN_ROW * 100):
        with store.recording() as tx:
            for row in range(start, min(start + LINES_IN_ROW * 100, lines), LINES_IN_ROW):
                tx.queue_points(made[row : row + LINES_IN_ROW], clock.now())
    del made
    projection = Projection(store, series, clock)
    started = time.monotonic()
    while _waiting(store):
        projection.turn()
    told = lines / (time.monotonic() - started)
    return {
        "lines": lines,
        "bare_per_s": round(bare),
        "worker_per_s": round(told),
        "ratio": round(told / bare, 3),
    }


def _lines(now: int, count: int) -> Iterator[bytes]:
    """Fixes of some devices, a millisecond apart."""
    for n in range(count):
        at = now - count + n
        fix = f"lat=50.1,lon=4.2{n % 100:02d},acc=7.5,speed=1.2,heading=90.0"
        yield f"fix,device=dev-{n % DEVICES} {fix} {time_ns(at, n)}".encode()


def _waiting(store: Store) -> int:
    with store.reading() as reader:
        return reader.backlog()
