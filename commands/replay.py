"""`retour replay`: recorded data, published as its devices would have."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer

from commands.process import configure_log
from commands.settings import load_settings
from commands.show import AsJson, UserError, progress_bar, say, show
from firmware_sim.broker import Broker
from firmware_sim.recordings import Recording, read_capmetro, read_schenker
from firmware_sim.replay import replay as publish
from gateway.running import Parts, embedded_gateway
from tracker.clocks import ReplayClock
from tracker.model import Asset, Device
from tracker.ports import Store
from tracker.registry import bind_device, register_asset, save_device

FORMATS = {"schenker": "container", "capmetro": "vehicle"}  # and what the assets in them are
SKIPPED = {
    "empty": "without anything to report",
    "bad_time": "without a time that can be read",
    "bad_row": "with other columns than the first, or a number that is none",
}


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
    settings = load_settings()
    configure_log("warning")
    recording = read_recording(files, format)
    if not embedded and not settings.mqtt_url:
        raise UserError("no broker to publish to: add --embedded, or set RETOUR_MQTT_URL")
    store = settings.store()
    with store.reading() as reader:
        clock = ReplayClock(reader.newest_reception() or 0)
    parts = Parts(store, clock, settings.policy(clock), settings.client_id)
    register_recording(parts, recording, FORMATS[format])
    boots = {message.boot for message in recording}
    before = messages_stored(store, boots)
    with progress_bar("Replaying") as progress:
        if embedded:
            with embedded_gateway(parts) as (url, _):
                result = publish(
                    recording, Broker.parse(url), before_publish=clock.advance, progress=progress
                )
        else:
            broker = Broker.parse(settings.mqtt_url, ca=settings.mqtt_ca)
            result = publish(recording, broker, progress=progress)
    summary = {
        "rows": result.rows,
        "published": result.published,
        "receipted": result.receipted,
        "stored": messages_stored(store, boots) - before,
        "skipped": dict(result.skipped),
        "seconds": round(result.seconds, 2),
    }
    if as_json:
        show(summary, as_json)
    else:
        tell(summary, format)


def tell(summary: Mapping[str, Any], format: str) -> None:
    """Print what a replay did, for people."""
    show(
        {
            "rows read": f"{summary['rows']:,}",
            **{f"skipped, {SKIPPED[why]}": f"{n:,}" for why, n in summary["skipped"].items()},
            "messages published": f"{summary['published']:,}",
            "receipted by the gateway": f"{summary['receipted']:,}",
            "new in the database": f"{summary['stored']:,}",
            "seconds": summary["seconds"],
        },
        as_json=False,
    )
    say(f"Its devices and assets are called {format}-...: `retour assets` lists them")


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


def register_recording(parts: Parts, recording: Recording, kind: str) -> None:
    """A device, marked as a recording's, and an asset of the same name for each in it; those that
    are registered already stay what else they are."""
    with parts.store.writing() as tx:
        for id in sorted({message.device for message in recording}):
            known = tx.devices([id]).get(id) or Device(id, "tracker")
            save_device(tx, replace(known, recording=True), parts.policy)
            register_asset(tx, tx.asset(id) or Asset(id, kind))
            bind_device(tx, id, id)


def messages_stored(store: Store, boots: set[str]) -> int:
    with store.reading() as reader:
        return reader.messages(boots)
