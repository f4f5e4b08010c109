"""The `retour` command, put together: its commands, and the mistakes that it tells in one line.

What each command does is in `commands/`; start with `commands/run.py`.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Annotated

import typer

from commands import (
    ask,
    assets,
    bench,
    database,
    demo,
    devices,
    keys,
    replay,
    report,
    run,
    track,
    troubles,
    visits,
    world,
)
from commands.settings import Settings
from commands.show import UserError
from firmware_sim.replay import ReplayError
from gateway.broker_url import BadBrokerUrl
from gateway.session import BrokerRefused
from tracker.ports import StoreRefused, StoreUnavailable
from tracker.queries import BeforeLog, NotLocated, UnknownPlace
from tracker.registry import BeforeEdge, Conflict, Unregistered

__all__ = ["Settings", "app", "main"]

app = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False, add_completion=False)

COMMANDS: dict[str, dict[str, Callable[..., None]]] = {
    "Run": {
        "up": run.up,
        "demo": demo.demo,
        "gateway": run.gateway,
        "api": run.api,
        "replay": replay.replay,
    },
    "Ask": {
        "assets": ask.assets,
        "where": ask.where,
        "track": track.track_command,
        "visits": visits.visits,
        "sites": visits.sites,
        "inside": visits.inside,
        "devices": devices.device_list,
    },
    "Check": {
        "dead-letters": troubles.dead_letters,
        "quarantine": troubles.quarantine,
        "verify": database.verify,
    },
    "Set up": {"import": world.import_command, "export": world.export_command},
}
GROUPS = {
    "Ask": {"report": report.group},
    "Check": {"bench": bench.group},
    "Set up": {
        "asset": assets.group,
        "device": devices.group,
        "key": keys.group,
        "db": database.group,
    },
}
for panel, named in COMMANDS.items():
    for name, command in named.items():
        app.command(name, rich_help_panel=panel)(command)
for panel, groups in GROUPS.items():
    for name, group in groups.items():
        app.add_typer(group, name=name, rich_help_panel=panel)


@app.callback()
def root(
    debug: Annotated[bool, typer.Option("--debug", help="Show a trace back on errors.")] = False,
) -> None:
    """Retour tracks reusable assets on their way back."""
    # main() looks for --debug itself: an error may come before this is called


KNOWN_ERRORS = (
    UserError,
    Conflict,
    Unregistered,
    BeforeEdge,
    UnknownPlace,
    NotLocated,
    BeforeLog,
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
