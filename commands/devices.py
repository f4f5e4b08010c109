"""`retour device`: trackers and readers."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from commands.settings import load_settings
from commands.show import AsJson, UserError, iso, show
from tracker.arrange import arrange
from tracker.model import Asset, Device
from tracker.places import Reader, Standing
from tracker.registry import bind_device, register_asset, register_device

group = typer.Typer(no_args_is_help=True, help="Devices: trackers and readers.")


@group.command("create")
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
    device = Device(id, kind)
    with settings.store().writing() as tx:
        adopted = register_device(tx, device, settings.policy(settings.make_clock()))
        if place is not None:
            arrange(tx, Reader(device=id, place=parse_place(place, accuracy)))
        if asset is not None:
            register_asset(tx, tx.asset(asset) or Asset(asset))
            bind_device(tx, asset, id)
    show({"device": id, "asset": asset, "adopted": adopted}, as_json)


@group.command("list")
def device_list(as_json: AsJson = False) -> None:
    """List the devices with their receipts.

    Example: retour device list
    """
    rows: list[dict[str, Any]] = []
    with load_settings("warning").store().reading() as reader:
        after = ""
        while page := reader.device_list(after, 1_000):
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


def parse_place(text: str, accuracy: float) -> Standing:
    try:
        lat, lon = (float(part) for part in text.split(","))
    except ValueError:
        raise UserError(f"--place is {text!r}; write it as LAT,LON, like 51.92,4.48") from None
    if not (-90 <= lat <= 90 and -180 <= lon <= 180):
        raise UserError(f"--place is {text!r}; latitude comes first, -90 to 90, then longitude")
    return Standing(lat=lat, lon=lon, acc=accuracy)
