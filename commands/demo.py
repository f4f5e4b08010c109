"""`retour demo`: a small world at work, and whether its promise was kept."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Annotated

import typer

from api.app import create_app
from api.server import serving
from commands.keys import make_key
from commands.process import configure_log, stop_signal
from commands.show import UserError, show
from commands.tour import tour
from commands.visits import BEGINNING
from firmware_sim.broker import Broker
from firmware_sim.clock import Clock as FirmwareClock
from firmware_sim.fleet import Fleet
from firmware_sim.scene import make_scene
from firmware_sim.watch import Api, watch
from gateway.decoders import decode_again
from gateway.running import Parts, embedded_gateway
from tracker import queries
from tracker.audit import Act
from tracker.clocks import SystemClock
from tracker.importer import import_world
from tracker.ports import Boot, Store
from tracker.stamps import StampPolicy
from tracker.stores.sqlite import SqliteStore
from tracker.verify import verify as audit
from tracker.world import read_world

DEMO_RATE = 60.0


def demo(
    exit: Annotated[bool, typer.Option("--exit", help="End with the scenario.")] = False,
    seconds: Annotated[int, typer.Option(help="How long the scenario takes.")] = 30,
) -> None:
    """Show a small world at work: broker, gateway, API, and devices that really publish, an
    hour of theirs in a minute, and some answers at the end. What it stores is thrown away then.

    Example: retour demo --exit
    """
    configure_log("warning")
    stopped = stop_signal()
    clock = SystemClock(SystemClock().wall(), DEMO_RATE)
    with tempfile.TemporaryDirectory(prefix="retour-demo-") as folder:
        store = SqliteStore(Path(folder) / "retour.db")
        parts = Parts(store, clock, StampPolicy(rate=clock.rate), "retour-demo")
        with embedded_gateway(parts, on_end=stopped.set) as (url, running):
            scene = make_scene(Broker.parse(url), FirmwareClock(clock.anchor, clock.rate))
            import_demo_world(parts)
            key = make_key(store, clock, "demo", ["read"], None)["key"]
            app = create_app(store, clock, running.health, parts.policy, decode_again)
            with serving(app, "127.0.0.1", 0) as api_url, Fleet(scene.devices):
                introduce(url, api_url, key)
                watch(Api(api_url, key), scene.assets, stopped, seconds if exit else None)
                receipted = {(d.device_id, d.boot): d.receipted() for d in scene.devices}
                with store.reading() as reader:
                    tour(reader, "depot", "container-1", clock.now())
                check_receipted(store, receipted)
                check_visited(store)
        store.close()


def import_demo_world(parts: Parts) -> None:
    """What the demo's world consists of, from the file that ships with it."""
    text = (files("commands") / "demo_world.yaml").read_bytes()
    act = Act("retour demo", parts.clock.now(), parts.clock.wall())
    with parts.store.writing() as tx:
        import_world(tx, read_world(text), parts.policy, act)


def introduce(mqtt_url: str, api_url: str, key: str) -> None:
    print(  # noqa: T201  not through rich: it would break the lines that people copy
        f"Devices publish to {mqtt_url}. Ask where things are:\n\n"
        f"  curl -H 'Authorization: Bearer {key}' {api_url}/v1/assets/container-1/location\n"
        f"  curl -H 'Authorization: Bearer {key}' {api_url}/v1/assets/pallet-1/track\n",
        flush=True,
    )


def check_receipted(store: Store, receipted: Mapping[Boot, Sequence[tuple[int, int]]]) -> None:
    """Compare what devices have receipts for with what is stored, and audit the database.
    UserError where the promise is broken."""
    with store.reading() as reader:
        kept = {boot: set(numbers) for boot, numbers in reader.kept()}
        report = audit(reader)
    numbers = {
        boot: {n for low, high in runs for n in range(low, high + 1)}
        for boot, runs in receipted.items()
    }
    missing = sum(len(own - kept.get(boot, set())) for boot, own in numbers.items())
    show(
        {
            "messages receipted": sum(map(len, numbers.values())),
            "receipted but missing": missing,
            "observations stored": report.observations,
            "beliefs that a refold contradicts": len(report.differences),
        },
        as_json=False,
    )
    if missing or not report.sound:
        raise UserError("the promise is broken: please report this")


def check_visited(store: Store) -> None:
    """UserError where nothing was ever inside a site: the demo shows nothing then."""
    with store.reading() as reader:
        sites = reader.layout().sites()
        found = [queries.visits_to(reader, site, None, None, BEGINNING, 1) for site in sites]
    if not any(found):
        raise UserError("no asset was ever inside a site: please report this")
