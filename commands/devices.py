"""`retour device`: trackers and readers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any

import typer

from commands.asking import known_device, opened
from commands.settings import load_settings
from commands.show import AsJson, UserError, ago, iso, say, show, show_rows, yes_no
from gateway.passwords import refuse_user_name
from tracker import ports
from tracker.arrange import arrange
from tracker.audit import audited
from tracker.model import Asset, Device
from tracker.places import Reader, Standing
from tracker.queries import is_silent
from tracker.receipts import Progress
from tracker.registry import bind_device, register_asset, register_device
from tracker.setup_ports import DeviceStatus

PAGE = 1_000
KINDS = ("tracker", "reader")
TELL_MOSQUITTO = (
    "The password is shown this once. Mosquitto reads it on SIGHUP: systemctl reload mosquitto"
)

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
    if kind not in KINDS:
        raise UserError(f"--kind is {kind!r}; write {' or '.join(KINDS)}")
    settings = load_settings()
    act, passwords = settings.act(), settings.passwords()
    if passwords is not None:
        refuse_user_name(id)
    password = None
    with settings.store().writing() as tx:
        adopted = register_device(tx, Device(id, kind), settings.policy(settings.make_clock()), act)
        if place is not None:
            arrange(tx, Reader(device=id, place=parse_place(place, accuracy)), act=act)
        if asset is not None:
            register_asset(tx, tx.asset(asset) or Asset(asset), act)
            bind_device(tx, asset, id, act=act)
        if passwords is not None and not passwords.has(id):
            password = passwords.renew(id)  # last: where it fails nothing is registered
    made = {"device": id, "asset": asset, "adopted": adopted}
    show(made if password is None else {**made, "password": password}, as_json)
    if password is not None and not as_json:
        say(TELL_MOSQUITTO)


@group.command("password")
def device_password(
    id: Annotated[str, typer.Argument(help="Its id.", show_default=False)], as_json: AsJson = False
) -> None:
    """Give a device a new password at Mosquitto; the old one ends when Mosquitto reads it.

    Example: retour device password trk-1
    """
    settings = load_settings()
    passwords = settings.passwords()
    if passwords is None:
        raise UserError("RETOUR_MQTT_PASSWORDS is not set; name Mosquitto's password file there")
    refuse_user_name(id)
    with settings.store(must_exist=True).writing() as tx:
        known_device(tx, id)
        audited(tx, settings.act(), "renew", "password", id, None, None)
        password = passwords.renew(id)
    show({"device": id, "password": password}, as_json)
    if not as_json:
        say(TELL_MOSQUITTO)


@group.command("list")
def device_list(
    silent: Annotated[bool, typer.Option("--silent", help="Only those that are silent.")] = False,
    as_json: AsJson = False,
) -> None:
    """The devices: when they were last heard, and what of theirs is accounted for.

    Example: retour devices --silent, which is short for retour device list --silent
    """
    store, now = opened()
    with store.reading() as reader:
        rows = [
            row
            for status in every_device(reader)
            if (row := device_row(status, now))["silent"] or not silent
        ]
    none = "no device is silent" if silent else "no device is registered"
    show_rows(rows, device_words, as_json, none)


def every_device(reader: ports.Reader) -> Iterator[DeviceStatus]:
    after = ""
    while page := reader.device_list(after, PAGE):
        yield from page
        after = page[-1].device.id


def device_row(status: DeviceStatus, now: int) -> dict[str, Any]:
    """What is known of a device: what is receipted of its newest boot, how many messages of all
    its boots are missing or lost."""
    device, heard = status.device, status.last_received
    battery, firmware = (status.vitals.get(name) for name in ("battery", "firmware"))
    boot, newest = status.boots[0] if status.boots else (None, Progress())
    receipted, missing = newest.receipt()
    progress = [one for _, one in status.boots]
    return {
        "id": device.id,
        "kind": device.kind,
        "recording": device.recording,
        "last_heard": iso(heard),
        "age_s": None if heard is None else max(0, now - heard) / 1000,
        "silent": is_silent(device, heard, now),
        "battery": battery.value if battery else None,
        "firmware": firmware.value if firmware else None,
        "boot": boot,
        "receipted": receipted if receipted >= 0 else None,
        "receipt_missing": [[low, high] for low, high in missing],
        "missing": sum(hole.high - hole.low + 1 for one in progress for hole in one.holes),
        "lost": sum(span.high - span.low + 1 for one in progress for span in one.lost),
    }


def device_words(row: Mapping[str, Any]) -> dict[str, Any]:
    """A device's row for people: a recording was heard when it was recorded, not lately."""
    recorded = row["recording"] and row["last_heard"] is not None
    heard = row["last_heard"][:10] if recorded else ago(row["age_s"])
    names = ("battery", "firmware", "receipted", "missing", "lost")
    return {
        "id": row["id"],
        "kind": row["kind"],
        "last heard": heard,
        "silent": yes_no(row["silent"]),
        **{name: row[name] for name in names},
    }


def parse_place(text: str, accuracy: float) -> Standing:
    try:
        lat, lon = (float(part) for part in text.split(","))
    except ValueError:
        raise UserError(f"--place is {text!r}; write it as LAT,LON, like 51.92,4.48") from None
    if not (-90 <= lat <= 90 and -180 <= lon <= 180):
        raise UserError(f"--place is {text!r}; latitude comes first, -90 to 90, then longitude")
    return Standing(lat=lat, lon=lon, acc=accuracy)
