"""The `retour` command, put together: its commands, and the mistakes that it tells in one line.

What each command does is in `commands/`; start with `commands/run.py`.
"""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from commands import assets, bench, database, demo, devices, keys, replay, run
from commands.settings import Settings
from commands.show import UserError
from firmware_sim.replay import ReplayError
from gateway.broker_url import BadBrokerUrl
from gateway.session import BrokerRefused
from tracker.ports import StoreRefused, StoreUnavailable
from tracker.registry import Conflict

__all__ = ["Settings", "app", "main"]

app = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False, add_completion=False)

for command in (run.up, demo.demo, run.gateway, run.api, replay.replay, database.verify):
    app.command()(command)

for name, group in {
    "db": database.group,
    "key": keys.group,
    "device": devices.group,
    "asset": assets.group,
    "bench": bench.group,
}.items():
    app.add_typer(group, name=name)


@app.callback()
def root(
    debug: Annotated[bool, typer.Option("--debug", help="Show a trace back on errors.")] = False,
) -> None:
    """Retour tracks reusable assets on their way back."""
    # main() looks for --debug itself: an error may come before this is called


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
