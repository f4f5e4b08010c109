"""`retour simulate`: a whole world of assets on their way out and back, to files or live."""

from __future__ import annotations

import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from commands.process import configure_log, stop_signal
from commands.settings import load_settings
from commands.show import AsJson, UserError, count, progress_bar, show
from firmware_sim.broker import Broker
from firmware_sim.clock import Clock
from firmware_sim.world.files import write_files, write_truth, write_world
from firmware_sim.world.live import Scribe, publish
from firmware_sim.world.scenario import BadScenario, Scenario, read_scenario, shipped
from firmware_sim.world.simulation import simulate as live_through


def simulate(
    scenario: Annotated[
        str, typer.Argument(help="A scenario file, or the name of a shipped one.")
    ] = "",
    list_: Annotated[bool, typer.Option("--list", help="List the shipped scenarios.")] = False,
    seed: Annotated[int | None, typer.Option(min=0, help="Another world of that sort.")] = None,
    assets: Annotated[int | None, typer.Option(min=1, help="So many assets.")] = None,
    days: Annotated[float | None, typer.Option(min=0.01, help="So long.")] = None,
    folder: Annotated[
        Path | None, typer.Option("--out", metavar="FOLDER", help="Where the files go.")
    ] = None,
    url: Annotated[str, typer.Option(help="Publish live to this broker.")] = "",
    rate: Annotated[float, typer.Option(min=0.01, help="Live: how fast time passes.")] = 1.0,
    api: Annotated[str, typer.Option(help="Live: the API that facts are posted to.")] = "",
    key: Annotated[str, typer.Option(help="The API key for that.")] = "",
    as_json: AsJson = False,
) -> None:
    """Simulate a world of assets, and write what comes of it and what is true, or publish it.

    Example: retour simulate pallets-nl --seed 7 --out world
    """
    if list_:
        show_shipped(as_json=as_json)
        return
    given = chosen(scenario, seed, assets, days)
    if url:
        show(run_live(given, url, rate, folder, Scribe(api, key)), as_json)
        return
    if folder is None:
        raise UserError("where to? add --out FOLDER, or --url mqtt://HOST to publish live")
    with progress_bar("Living") as progress:
        world = live_through(given, progress)
    with progress_bar("Writing") as progress:
        counts = write_files(world, folder, progress)
    told = {"scenario": given.name, "seed": given.seed, "days": given.days}
    show({**told, **counts}, as_json)


def show_shipped(*, as_json: bool) -> None:
    """Print which scenarios there are."""
    rows = []
    for name, text in shipped().items():
        scenario = read_scenario(text, name)
        rows.append(
            {
                "scenario": name,
                "what": scenario.name,
                "for": scenario.purpose,
                "assets": scenario.assets.count,
                "days": scenario.days,
            }
        )
    show(rows, as_json)


def chosen(name: str, seed: int | None, assets: int | None, days: float | None) -> Scenario:
    """The scenario of a file or of a shipped name, with what else was asked for. UserError where
    there is none, or it makes no sense."""
    texts = shipped()
    path = Path(name)
    if not name or (name not in texts and not path.is_file()):
        raise UserError(f"no scenario {name!r}: write a file, or one of {', '.join(texts)}")
    source, text = (name, texts[name]) if name in texts else (str(path), path.read_bytes())
    try:
        scenario = read_scenario(text, path.stem)
    except BadScenario as bad:
        for fault in bad.faults:
            print(f"{source}: {fault}", file=sys.stderr)  # noqa: T201
        raise UserError(f"{source} is no scenario: {count(len(bad.faults), 'fault')}") from None
    herd = (
        scenario.assets if assets is None else scenario.assets.model_copy(update={"count": assets})
    )
    return scenario.with_(seed=seed, days=days, assets=herd)


def run_live(
    scenario: Scenario, url: str, rate: float, folder: Path | None, scribe: Scribe
) -> dict[str, int]:
    """Publish a scenario that begins now, until it ends or is interrupted; what became of it."""
    settings = load_settings()
    configure_log("warning")
    stopped = stop_signal()
    try:
        broker = Broker.parse(url, ca=settings.mqtt_ca)
        now = time.time_ns() // 1_000_000
        clock = Clock.parse(settings.clock) if settings.clock else Clock(now, rate)
    except ValueError as error:
        raise UserError(str(error)) from None
    with progress_bar("Living") as progress:
        start = datetime.fromtimestamp(clock.now_ms() / 1_000, UTC)
        world = live_through(scenario.with_(start=start), progress)
    if folder is not None:
        write_world(world, folder)
        write_truth(world, folder)
    with progress_bar("Publishing") as progress:
        return publish([world], clock, broker, scribe, stopped, progress).counts()
