"""`retour asset`: assets, and what tells about them."""

from __future__ import annotations

from typing import Annotated

import typer

from commands.asking import known_device
from commands.settings import load_settings
from commands.show import say
from tracker.epc import tag_id
from tracker.model import Asset
from tracker.registry import bind_device, bind_tag, register_asset

group = typer.Typer(no_args_is_help=True, help="Assets, and what tells about them.")


@group.command("create")
def asset_create(
    id: str,
    kind: Annotated[str, typer.Option(help="What sort of thing it is.")] = "asset",
    tag: Annotated[list[str], typer.Option(help="An RFID tag on it: hexadecimal or URN.")] = [],  # noqa: B006
    tracker: Annotated[list[str], typer.Option(help="A device on it.")] = [],  # noqa: B006
) -> None:
    """Register an asset, and the tags and trackers that tell about it.

    Example: retour asset create pallet-1 --kind pallet --tag 3374257BF40C0E400000162E
    """
    settings = load_settings()
    act = settings.act()
    with settings.store().writing() as tx:
        register_asset(tx, Asset(id, kind), act)
        for epc in tag:
            bind_tag(tx, id, epc, act=act)
        for device in tracker:
            known_device(tx, device)
            bind_device(tx, id, device, act=act)
    say(f"{id} is registered")
    for epc in tag:
        if tag_id(epc).startswith("tag:"):
            say(f"mind that {epc} is no EPC that is known: is it written right?")
