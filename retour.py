"""The `retour` command: settings, wiring, and what each command does.

This is the one file that knows every room; everything else is given what it needs from here.
"""

from __future__ import annotations

import gc
import json
import logging
import os
import signal
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import structlog
import typer
from pydantic import Field, ValidationError
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)
from rich.console import Console
from rich.progress import Progress as ProgressBar
from rich.table import Table

from api.app import create_app
from api.server import serving
from firmware_sim.broker import Broker
from firmware_sim.clock import Clock as FirmwareClock
from firmware_sim.fleet import Fleet
from firmware_sim.recordings import Recording, read_capmetro, read_schenker
from firmware_sim.replay import ReplayError
from firmware_sim.replay import replay as publish
from firmware_sim.scene import Scene, make_scene
from firmware_sim.watch import Api, watch
from gateway.bench import bench_ingest
from gateway.broker_url import BadBrokerUrl, BrokerUrl
from gateway.gateway import Gateway
from gateway.running import Parts, Running, embedded_gateway
from gateway.session import BrokerRefused
from tracker.access import SCOPES, new_key
from tracker.clocks import Clock, ReplayClock, SystemClock
from tracker.model import Asset, Device, ReaderPlace
from tracker.ports import Boot, Store, StoreRefused, StoreUnavailable
from tracker.registry import Conflict, bind_device, bind_tag, register_asset, register_device
from tracker.stamps import DAY, StampPolicy
from tracker.stores.sqlite import SqliteStore
from tracker.verify import verify as audit

DEMO_RATE = 60.0
FORMATS = ("schenker", "capmetro")


class UserError(Exception):
    """Something that the user can put right; the text says how."""


class Settings(BaseSettings):
    """From the environment (`RETOUR_*`), else from the TOML file that RETOUR_CONFIG names."""

    model_config = SettingsConfigDict(env_prefix="RETOUR_", extra="forbid")

    database: str = Field(default="sqlite:///retour.db", description="Where everything is stored.")
    mqtt_url: str = Field(default="", description="The broker; empty: `up` starts an embedded one.")
    mqtt_ca: str | None = Field(default=None, description="Certificates to trust, for mqtts://.")
    mqtt_version: str = Field(default="5", pattern=r"^(5|3\.1\.1)$", description="5 or 3.1.1.")
    mqtt_port: int = Field(default=1883, description="Where the embedded broker of `up` listens.")
    client_id: str = Field(
        default="retour-gateway", min_length=1, description="The session's name."
    )
    api_host: str = Field(default="127.0.0.1", description="The address where the API listens.")
    api_port: int = Field(default=8000, description="The port where the API listens.")
    clock: str = Field(
        default="", description="ANCHOR:RATE of an accelerated clock; empty: real time."
    )
    earliest: datetime = Field(
        default=datetime(2020, 1, 1, tzinfo=UTC), description="Stamps before this are not believed."
    )
    history_days: int = Field(
        default=400, description="Days before its first message a device may tell of."
    )
    log_level: str = Field(default="info", description="debug, info, warning or error.")

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """The environment before the file; nothing else."""
        file = os.environ.get("RETOUR_CONFIG")
        if file is None:
            return init_settings, env_settings
        return init_settings, env_settings, TomlConfigSettingsSource(settings_cls, Path(file))

    def make_clock(self) -> SystemClock:
        try:
            return SystemClock.parse(self.clock)
        except ValueError:
            raise UserError(
                f"RETOUR_CLOCK is {self.clock!r}; write it as ANCHOR:RATE, like 1790000000000:60"
            ) from None

    def policy(self, clock: Clock) -> StampPolicy:
        floor = round(self.earliest.timestamp() * 1000)
        return StampPolicy(floor, self.history_days, clock.rate)

    def store(self) -> SqliteStore:
        scheme, _, path = self.database.partition(":///")
        if scheme != "sqlite" or not path:
            raise UserError(f"RETOUR_DATABASE is {self.database!r}; try sqlite:///retour.db")
        return SqliteStore(Path(path))

    def parts(self) -> Parts:
        clock = self.make_clock()
        return Parts(self.store(), clock, self.policy(clock), self.client_id)

    def gateway(self, parts: Parts) -> Gateway:
        return parts.gateway(self.broker(), mqtt5=self.mqtt_version == "5")

    def broker(self) -> BrokerUrl:
        if not self.mqtt_url:
            raise UserError("RETOUR_MQTT_URL is not set; try mqtt://127.0.0.1:1883")
        return BrokerUrl.parse(self.mqtt_url, self.mqtt_ca)


def calm_the_collector() -> None:
    """Let Python's cycle collector rest: batches are thousands of values without cycles, and
    looking through them again and again costs a seventh of the gateway's time."""
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)


def on_stop(act: Callable[[], None]) -> None:
    """Act on SIGINT and SIGTERM."""
    for one in (signal.SIGINT, signal.SIGTERM):
        signal.signal(one, lambda *_: act())


def stop_signal() -> threading.Event:
    """An event that SIGINT and SIGTERM set."""
    stopped = threading.Event()
    on_stop(stopped.set)
    return stopped


def configure_log(level: str) -> None:
    levels = logging.getLevelNamesMapping()
    if level.upper() not in levels:
        raise UserError(f"RETOUR_LOG_LEVEL is {level!r}; try debug, info, warning or error")
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso"),
            structlog.processors.format_exc_info,
            structlog.dev.ConsoleRenderer()
            if sys.stderr.isatty()
            else structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(levels[level.upper()]),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )


# --- commands -----------------------------------------------------------------------------

app = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False, add_completion=False)
db_app = typer.Typer(no_args_is_help=True, help="The database.")
key_app = typer.Typer(no_args_is_help=True, help="Keys for the API.")
device_app = typer.Typer(no_args_is_help=True, help="Devices: trackers and readers.")
asset_app = typer.Typer(no_args_is_help=True, help="Assets, and what tells about them.")
bench_app = typer.Typer(no_args_is_help=True, help="Benchmarks, each beside a bare reference.")
for name, sub in {
    "db": db_app,
    "key": key_app,
    "device": device_app,
    "asset": asset_app,
    "bench": bench_app,
}.items():
    app.add_typer(sub, name=name)

out = Console()
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.callback()
def root(
    debug: Annotated[bool, typer.Option("--debug", help="Show a trace back on errors.")] = False,
) -> None:
    """Retour tracks reusable assets on their way back."""
    # main() looks for --debug itself: an error may come before this is called


@app.command()
def up() -> None:
    """Run gateway and API in one process, from the settings, until interrupted.

    Example: RETOUR_API_PORT=8080 retour up
    """
    settings = load_settings()
    stopped = stop_signal()
    calm_the_collector()
    parts = settings.parts()
    with broker_and_gateway(settings, parts, stopped.set) as (url, running):
        app = create_app(parts.store, parts.clock, running.health)
        with serving(app, settings.api_host, settings.api_port) as api_url:
            out.print(f"Devices publish to {url}; questions go to {api_url}/v1")
            hint_at_key(parts.store)
            stopped.wait()


@contextmanager
def broker_and_gateway(
    settings: Settings, parts: Parts, on_end: Callable[[], None]
) -> Iterator[tuple[str, Running]]:
    """The gateway of `up`: on the broker of the settings, else on an embedded one."""
    if not settings.mqtt_url:
        with embedded_gateway(parts, settings.mqtt_port, on_end) as url_and_gateway:
            yield url_and_gateway
        return
    with Running(settings.gateway(parts), on_end) as running:
        yield str(settings.broker()), running


def hint_at_key(store: Store) -> None:
    with store.reading() as reader:
        if not reader.api_keys():
            out.print("There is no API key yet: run `retour key create NAME --scope read`")


@app.command()
def demo(
    exit: Annotated[bool, typer.Option("--exit", help="End with the scenario.")] = False,
    seconds: Annotated[int, typer.Option(help="How long the scenario takes.")] = 30,
) -> None:
    """Show a small world at work: broker, gateway, API, and devices that really publish, an
    hour of theirs in a minute. What it stores is thrown away at the end.

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
            register_scene(parts, scene)
            key = make_key(store, clock, "demo", ["read"], None)["key"]
            app = create_app(store, clock, running.health)
            with serving(app, "127.0.0.1", 0) as api_url, Fleet(scene.devices):
                introduce(url, api_url, key)
                watch(Api(api_url, key), scene.assets, stopped, seconds if exit else None)
                receipted = {(d.device_id, d.boot): d.receipted() for d in scene.devices}
                check_receipted(store, receipted)
        store.close()


def register_scene(parts: Parts, scene: Scene) -> None:
    """What the demo's world consists of."""
    with parts.store.writing() as tx:
        for name, place in scene.readers.items():
            reader_place = ReaderPlace(place.lat, place.lon, 15)
            register_device(tx, Device(name, "reader", place=reader_place), parts.policy)
        for asset, tracker in scene.trackers.items():
            register_device(tx, Device(tracker, "tracker"), parts.policy)
            register_asset(tx, Asset(asset, "container"))
            bind_device(tx, asset, tracker)
        for asset, epc in scene.tags.items():
            register_asset(tx, Asset(asset, "pallet"))
            bind_tag(tx, asset, epc)


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


@app.command()
def gateway() -> None:
    """Run a gateway alone: broker to database.

    Example: RETOUR_MQTT_URL=mqtt://127.0.0.1:1883 retour gateway
    """
    settings = load_settings()
    calm_the_collector()
    running = settings.gateway(settings.parts())
    on_stop(running.stop)
    running.run(lambda: structlog.get_logger().info("gateway ready"))


@app.command()
def api() -> None:
    """Run the API alone.

    Example: RETOUR_API_PORT=8080 retour api
    """
    settings = load_settings()
    stopped = stop_signal()
    app = create_app(settings.store(), settings.make_clock())
    with serving(app, settings.api_host, settings.api_port) as url:
        out.print(f"Questions go to {url}/v1")
        stopped.wait()


@db_app.command("upgrade")
def db_upgrade() -> None:
    """Create or migrate the database.

    Example: retour db upgrade
    """
    settings = load_settings("warning")
    settings.store().close()
    out.print(f"{settings.database} is up to date")


@db_app.command("check")
def db_check(as_json: AsJson = False) -> None:
    """Say what the database holds; fails where it cannot be used.

    Example: retour db check --json
    """
    store = load_settings("warning").store()
    with store.reading() as reader:
        show(dict(reader.counts()), as_json)


@key_app.command("create")
def key_create(
    name: str,
    scope: Annotated[list[str], typer.Option(help="read, write or admin.")] = ["read"],  # noqa: B006
    days: Annotated[int | None, typer.Option(help="Days until it expires.")] = None,
    as_json: AsJson = False,
) -> None:
    """Create an API key and show it, this once.

    Example: retour key create console --scope read --days 90
    """
    if wrong := set(scope).difference(SCOPES):
        raise UserError(f"no such scope: {', '.join(wrong)}; there are {', '.join(SCOPES)}")
    settings = load_settings("warning")
    show(make_key(settings.store(), settings.make_clock(), name, scope, days), as_json)


def make_key(
    store: Store, clock: Clock, name: str, scopes: list[str], days: int | None
) -> dict[str, str]:
    """Create a key; the secret in the answer is nowhere else."""
    wall = clock.wall()
    expires = None if days is None else wall + days * DAY
    secret, key = new_key(name, tuple(scopes), wall, expires)
    with store.writing() as tx:
        tx.add_key(key)
    return {"id": key.id, "name": name, "key": secret}


@key_app.command("list")
def key_list(as_json: AsJson = False) -> None:
    """List the API keys, never their secrets.

    Example: retour key list
    """
    with load_settings("warning").store().reading() as reader:
        keys = [
            {
                "id": key.id,
                "name": key.name,
                "scopes": " ".join(key.scopes),
                "created": iso(key.created),
                "expires": iso(key.expires),
                "revoked": iso(key.revoked),
            }
            for key in reader.api_keys()
        ]
    show(keys, as_json)


@key_app.command("revoke")
def key_revoke(id: str) -> None:
    """Revoke an API key at once.

    Example: retour key revoke key_3f2a9c0d1e4b
    """
    settings = load_settings("warning")
    with settings.store().writing() as tx:
        if not tx.revoke_key(id, settings.make_clock().wall()):
            raise UserError(f"there is no key {id} in force; see `retour key list`")
    out.print(f"{id} is revoked")


@device_app.command("create")
def device_create(
    id: str,
    kind: Annotated[str, typer.Option(help="tracker or reader.")] = "tracker",
    place: Annotated[str | None, typer.Option(help="A reader's LAT,LON.")] = None,
    accuracy: Annotated[float, typer.Option(help="How far its reads may be off, in metres.")] = 10,
    asset: Annotated[str | None, typer.Option(help="The asset it is mounted on.")] = None,
    as_json: AsJson = False,
) -> None:
    """Register a device; what it sent before is taken out of quarantine.

    Example: retour device create trk-1 --asset pallet-1
    """
    settings = load_settings("warning")
    device = Device(id, kind, place=parse_place(place, accuracy) if place else None)
    with settings.store().writing() as tx:
        adopted = register_device(tx, device, settings.policy(settings.make_clock()))
        if asset is not None:
            register_asset(tx, tx.asset(asset) or Asset(asset))
            bind_device(tx, asset, id)
    show({"device": id, "asset": asset, "adopted": adopted}, as_json)


@device_app.command("list")
def device_list(as_json: AsJson = False) -> None:
    """List the devices with their receipts.

    Example: retour device list
    """
    rows: list[dict[str, Any]] = []
    with load_settings("warning").store().reading() as reader:
        after = ""
        while page := reader.devices(after, 1_000):
            after = page[-1].device.id
            for status in page:
                boot, progress = status.boots[0] if status.boots else (None, None)
                seq, missing = progress.receipt() if progress else (None, [])
                rows.append(
                    {
                        "device": status.device.id,
                        "kind": status.device.kind,
                        "last seen": iso(status.last_received),
                        "boot": boot,
                        "receipted": seq,
                        "missing": " ".join(f"{low}-{high}" for low, high in missing),
                    }
                )
    show(rows, as_json)


@asset_app.command("create")
def asset_create(
    id: str,
    kind: Annotated[str, typer.Option(help="What sort of thing it is.")] = "asset",
    tag: Annotated[list[str], typer.Option(help="An RFID tag on it: hexadecimal or URN.")] = [],  # noqa: B006
    tracker: Annotated[list[str], typer.Option(help="A device on it.")] = [],  # noqa: B006
) -> None:
    """Register an asset, and the tags and trackers that tell about it.

    Example: retour asset create pallet-1 --kind pallet --tag 3374257BF40C0E400000162E
    """
    with load_settings("warning").store().writing() as tx:
        register_asset(tx, Asset(id, kind))
        for epc in tag:
            bind_tag(tx, id, epc)
        for device in tracker:
            bind_device(tx, id, device)
    out.print(f"{id} is registered")


@app.command()
def replay(
    files: Annotated[list[Path], typer.Argument(help="The recording, plain or gzipped.")],
    format: Annotated[str, typer.Option(help=f"One of {', '.join(FORMATS)}.")],
    embedded: Annotated[
        bool, typer.Option("--embedded", help="On a broker and a gateway of its own.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Publish recorded data through MQTT as its devices would have, and wait for every receipt.

    Example: retour replay containers.csv --format schenker --embedded
    """
    settings = load_settings("warning")
    recording = read_recording(files, format)
    store = settings.store()
    with store.reading() as reader:
        clock = ReplayClock(reader.newest_reception() or 0)
    parts = Parts(store, clock, settings.policy(clock), settings.client_id)
    register_recording(parts, recording)
    boots = {message.boot for message in recording}
    before = messages_stored(store, boots)
    with progress_bar("Replaying") as progress:
        if embedded:
            with embedded_gateway(parts) as (url, _):
                result = publish(
                    recording, Broker.parse(url), before_publish=clock.advance, progress=progress
                )
        else:
            broker = Broker.parse(str(settings.mqtt_url), ca=settings.mqtt_ca)
            result = publish(recording, broker, progress=progress)
    summary = {
        "rows": result.rows,
        "published": result.published,
        "receipted": result.receipted,
        "stored": messages_stored(store, boots) - before,
        "skipped": dict(result.skipped),
        "seconds": round(result.seconds, 2),
    }
    show(summary, as_json)


def read_recording(files: list[Path], format: str) -> Recording:
    """The recording in these files. UserError where they are not of that format."""
    if format not in FORMATS:
        raise UserError(f"no format {format!r}; there are {', '.join(FORMATS)}")
    if format == "schenker" and len(files) > 1:
        raise UserError("a schenker recording is one file")
    try:
        return read_schenker(files[0]) if format == "schenker" else read_capmetro(files)
    except (ValueError, EOFError) as error:
        raise UserError(f"cannot read the recording: {error}") from None


def register_recording(parts: Parts, recording: Recording) -> None:
    """A device, marked as a recording's, and an asset of the same name for each in it."""
    with parts.store.writing() as tx:
        for id in sorted({message.device for message in recording}):
            register_device(tx, Device(id, "tracker", recording=True), parts.policy)
            register_asset(tx, Asset(id))
            bind_device(tx, id, id)


def messages_stored(store: Store, boots: set[str]) -> int:
    with store.reading() as reader:
        return reader.messages(boots)


@app.command()
def verify(as_json: AsJson = False) -> None:
    """Audit the promise: refold everything from nothing and compare, look for what is missing.

    Exits 1 on any difference. Example: retour verify --json
    """
    store = load_settings("warning").store()
    with store.reading() as reader, progress_bar("Refolding") as progress:
        report = audit(reader, progress)
    show(report.as_dict(), as_json)
    if not report.sound:
        raise typer.Exit(1)


@bench_app.command("ingest")
def bench_ingest_command(
    messages: Annotated[int, typer.Option(help="Messages to drain in each round.")] = 40_000,
    rounds: Annotated[int, typer.Option(help="Rounds; medians are printed.")] = 3,
    waiting: Annotated[int, typer.Option(help="Also measure memory with so many queued.")] = 0,
    as_json: AsJson = False,
) -> None:
    """Drain queued messages from a Mosquitto: bare paho against the whole gateway.

    Example: retour bench ingest --messages 20000 --json
    """
    configure_log("error")
    calm_the_collector()
    show(bench_ingest(SqliteStore, messages, rounds, waiting), as_json)


# --- what the commands share --------------------------------------------------------------


def load_settings(level: str | None = None) -> Settings:
    """The settings, and a log as they say (or at least as quiet as `level`)."""
    try:
        settings = Settings()
    except ValidationError as error:
        first = error.errors()[0]
        where = "RETOUR_" + "_".join(str(part) for part in first["loc"]).upper()
        raise UserError(f"{where}: {first['msg']}") from None
    configure_log(level or settings.log_level)
    return settings


def show(data: Any, as_json: bool) -> None:
    """Print an object or a list of them: as JSON, or for people."""
    if as_json:
        print(json.dumps(data, indent=2))  # noqa: T201
        return
    rows = data if isinstance(data, list) else [{"": k, " ": v} for k, v in data.items()]
    table = Table(box=None, show_header=isinstance(data, list))
    for column in rows[0] if rows else ():
        table.add_column(column)
    for row in rows:
        table.add_row(*("" if value is None else str(value) for value in row.values()))
    out.print(table)


@contextmanager
def progress_bar(what: str) -> Iterator[Callable[[int, int], None]]:
    """A bar on a terminal, nothing elsewhere; call it with done and all."""
    with ProgressBar(console=Console(stderr=True), disable=not sys.stderr.isatty()) as bar:
        task = bar.add_task(what, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def iso(ms: int | None) -> str | None:
    if ms is None:
        return None
    return datetime.fromtimestamp(ms / 1000, UTC).isoformat(timespec="milliseconds")


def parse_place(text: str, accuracy: float) -> ReaderPlace:
    try:
        lat, lon = (float(part) for part in text.split(","))
    except ValueError:
        raise UserError(f"--place is {text!r}; write it as LAT,LON, like 51.92,4.48") from None
    if not (-90 <= lat <= 90 and -180 <= lon <= 180):
        raise UserError(f"--place is {text!r}; latitude comes first, -90 to 90, then longitude")
    return ReaderPlace(lat, lon, accuracy)


KNOWN_ERRORS = (
    UserError,
    Conflict,
    StoreRefused,
    StoreUnavailable,
    BrokerRefused,
    BadBrokerUrl,
    ReplayError,
    OSError,
)


def main() -> None:
    """Run a command; what the user can put right is told in one line."""
    try:
        app()
    except KNOWN_ERRORS as error:
        if "--debug" in sys.argv:
            raise
        print(f"retour: {error}", file=sys.stderr)  # noqa: T201
        sys.exit(1)


if __name__ == "__main__":
    main()
