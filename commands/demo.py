"""`retour demo`: assets on their way out and back, and whether its promise was kept."""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from importlib.resources import files
from pathlib import Path
from typing import Annotated

import typer

from api.app import create_app
from api.server import serving
from commands.demo_check import check_promise, count_alerts, told_truly
from commands.demo_watch import Api, Watch
from commands.keys import make_key
from commands.process import configure_log, stop_signal
from commands.show import UserError
from commands.tour import tour
from firmware_sim.broker import Broker
from firmware_sim.clock import Clock as FirmwareClock
from firmware_sim.device import Device
from firmware_sim.fleet import Fleet
from firmware_sim.world.files import world_text
from firmware_sim.world.live import Outcome, Scribe, publish
from firmware_sim.world.scenario import Scenario, read_scenario
from firmware_sim.world.simulation import Simulation, simulate
from gateway.decoders import decode_again
from gateway.roll_calling import RollCall
from gateway.running import Beside, Parts, embedded_gateway
from gateway.sweeping import Sweep
from gateway.watching import Watching
from gateway.worker import Job, Worker
from tracker.audit import Act
from tracker.clocks import SystemClock
from tracker.importer import import_world
from tracker.stamps import DAY, StampPolicy
from tracker.stores.sqlite import SqliteStore
from tracker.world import read_world

DEMO_RATE = 21_600.0  # a day in four seconds
SCENARIOS = ("demo_pallets.yaml", "demo_containers.yaml")
STRANGER = "trk-99"


def demo(
    exit: Annotated[bool, typer.Option("--exit", help="End after some seconds.")] = False,
    seconds: Annotated[int, typer.Option(min=5, help="How many.")] = 48,
) -> None:
    """Show assets on their way out and back: broker, gateway, worker, API, and devices that really
    publish, a day of theirs in four seconds. In the end some answers, and whether they are true.
    What it stores is thrown away then.

    Example: retour demo --exit
    """
    configure_log("warning")
    stopped = stop_signal()
    # Its clock is that of the wall when it ends: all that it shows has been by then.
    clock = SystemClock(SystemClock().wall() + 1_000 * seconds, DEMO_RATE)
    with tempfile.TemporaryDirectory(prefix="retour-demo-") as folder, ExitStack() as last:
        store = SqliteStore(Path(folder) / "retour.db")
        last.callback(store.close)
        parts = Parts(store, clock, StampPolicy(rate=clock.rate), "retour-demo")
        worlds = living(clock.now(), seconds if exit else None)
        register(parts, worlds)
        with running(parts, stopped) as (mqtt_url, api_url):
            key = make_key(store, clock, "demo", ["read"], None)["key"]
            introduce(mqtt_url, api_url, key)
            watch = Watch(Api(api_url, key), clock)
            scribe = Scribe(api_url, make_key(store, clock, "people", ["write"], None)["key"])
            theirs = FirmwareClock(clock.anchor, clock.rate), Broker.parse(mqtt_url)
            with published(worlds, *theirs, scribe, stopped) as outcome:
                watch.until(outcome.done)
        now = clock.now()
        with store.reading() as reader:
            tour(reader, "depot", now)
        check_promise(store, outcome.result().receipts)
        count_alerts(store)
        if not told_truly(store, watch.looks, worlds) and exit:  # else it may have just begun
            raise UserError("no true change of a stage was told: please report this")


def living(now: int, seconds: int | None) -> list[Simulation]:
    """The worlds of the demo, lived through from now on (epoch ms); they last for some real
    seconds, or as long as their files say."""
    start = datetime.fromtimestamp(now / 1_000, UTC)
    days = None if seconds is None else 1_000 * seconds * DEMO_RATE / DAY
    return [simulate(scenario.with_(start=start, days=days), nobody) for scenario in scenarios()]


def scenarios() -> list[Scenario]:
    """What the demo shows, from the files that ship with it."""
    return [read_scenario((files("commands") / name).read_bytes()) for name in SCENARIOS]


def register(parts: Parts, worlds: Sequence[Simulation]) -> None:
    """Register what there is in the worlds; what two of them have in common is the same."""
    act = Act("retour demo", parts.clock.now(), parts.clock.wall())
    for world in worlds:
        with parts.store.writing() as tx:
            import_world(tx, read_world(world_text(world).encode()), parts.policy, act)


@contextmanager
def running(parts: Parts, stopped: threading.Event) -> Iterator[tuple[str, str]]:
    """Broker, gateway, worker and API: the URLs of the first and of the last."""
    with embedded_gateway(parts, on_end=stopped.set) as (mqtt_url, gateway):
        store, clock = parts.store, parts.clock
        jobs: list[Job] = [Sweep(store, clock), RollCall(store, clock), Watching(store, clock)]
        worker = Worker(jobs, parts.clock)
        app = create_app(parts.store, parts.clock, gateway.health, parts.policy, decode_again)
        with Beside(worker, stopped.set, "worker"), serving(app, "127.0.0.1", 0) as api_url:
            yield mqtt_url, api_url


def introduce(mqtt_url: str, api_url: str, key: str) -> None:
    """Say where one can ask."""
    print(  # noqa: T201  not through rich: it would break the lines that people copy
        f"Devices publish to {mqtt_url}, a day in four seconds. Ask where assets are, and why:\n\n"
        f"  curl -H 'Authorization: Bearer {key}' {api_url}/v1/assets/pallet-1/stage\n"
        f"  curl -H 'Authorization: Bearer {key}' {api_url}/v1/stages\n"
        f"  curl -H 'Authorization: Bearer {key}' {api_url}/v1/overdue\n",
        flush=True,
    )


@contextmanager
def published(
    worlds: Sequence[Simulation],
    clock: FirmwareClock,
    broker: Broker,
    scribe: Scribe,
    stopped: threading.Event,
) -> Iterator[Future[Outcome]]:
    """The worlds' devices publish and their people tell facts, until the worlds end or are
    stopped; beside them a device that nobody registered, of whose fixes one has lost its point."""
    stranger = Device(STRANGER, broker, clock)
    for position in ({"lat": 51.905, "lon": 4.487}, {"lat": 51905, "lon": 4.487}):
        stranger.report([{"at": clock.now_ms(), "fix": position}])
    with Fleet([stranger]), ThreadPoolExecutor(1) as pool:
        task = pool.submit(publish, worlds, clock, broker, scribe, stopped, nobody)
        try:
            yield task
        except BaseException:
            stopped.set()
            raise


def nobody(done: int, of: int) -> None:
    """Watches the progress."""
