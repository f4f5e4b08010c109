"""The `retour` command, put together: its commands, and the mistakes that it tells in one line.

What each command does is in `commands/`; start with `commands/run.py`.
"""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from commands.lazy import Entry, lazy_group

__all__ = ["app", "main"]

RUN, ASK, CHECK, SET_UP = "Run", "Ask", "Check", "Set up"
INDEX = {
    "up": Entry(RUN, "run:up", "Run broker, gateway and API in one process."),
    "demo": Entry(RUN, "demo:demo", "Show a small world at work, and some answers."),
    "gateway": Entry(RUN, "run:gateway", "Run a gateway alone: broker to database."),
    "worker": Entry(RUN, "run:worker", "Run a worker alone: what happens by itself."),
    "api": Entry(RUN, "run:api", "Run the API alone."),
    "replay": Entry(RUN, "replay:replay", "Publish a recording as its devices would have."),
    "simulate": Entry(RUN, "simulate:simulate", "Simulate a world of assets, to files or live."),
    "assets": Entry(ASK, "ask:assets", "List assets, and where each was seen."),
    "where": Entry(ASK, "ask:where", "Tell where an asset is, since when, and from what."),
    "track": Entry(ASK, "track:track_command", "Tell where an asset was, the oldest place first."),
    "visits": Entry(ASK, "visits:visits", "List the visits of an asset, or to a site."),
    "sites": Entry(ASK, "visits:sites", "List the sites, and how many assets are at each."),
    "inside": Entry(ASK, "visits:inside", "List the assets at a site, now or at a time."),
    "stage": Entry(ASK, "stages:stage", "Tell in which stage an asset is, and why."),
    "stages": Entry(ASK, "stages:stages", "Count the assets in each stage of the flow."),
    "timeline": Entry(ASK, "stages:timeline", "Tell how an asset came to where it is."),
    "overdue": Entry(ASK, "alerts:overdue", "List what should be back and is not."),
    "alerts": Entry(ASK, "alerts:alerts", "List what needs attention."),
    "alert": Entry(ASK, "alert:group", "One alert, and what is done about it."),
    "forecast": Entry(ASK, "forecast:forecast", "Tell which lease lines may come back late."),
    "devices": Entry(ASK, "devices:device_list", "List the devices, and which are silent."),
    "leases": Entry(ASK, "leases:group", "Leases: who has what until when, and what came back."),
    "report": Entry(ASK, "report:group", "Answers to keep, as pages."),
    "dead-letters": Entry(CHECK, "troubles:dead_letters", "List what could not be understood."),
    "deliveries": Entry(CHECK, "recipients:deliveries", "List what was told of alerts, to whom."),
    "quarantine": Entry(CHECK, "troubles:quarantine", "List unknown devices, and what is held."),
    "evaluate": Entry(CHECK, "evaluate:evaluate", "Judge what is told of stages by the truth."),
    "usage": Entry(CHECK, "lives:usage", "What assets have been through."),
    "life": Entry(CHECK, "lives:life", "How far an asset is from its end, and what it is worth."),
    "end-of-life": Entry(CHECK, "lives:end_of_life", "Which assets have served their time."),
    "reliability": Entry(CHECK, "reliability:group", "When assets fail, from a table of lives."),
    "disposition": Entry(CHECK, "disposition:disposition", "What an asset's routes are worth."),
    "verify": Entry(CHECK, "database:verify", "Audit the promise: refold everything, compare."),
    "bench": Entry(CHECK, "bench:group", "Benchmarks, each beside a bare reference."),
    "import": Entry(SET_UP, "world:import_command", "Register what a world file says."),
    "export": Entry(SET_UP, "world:export_command", "Write what is registered as a world file."),
    "process": Entry(SET_UP, "processes:group", "Processes: the stages that assets pass through."),
    "class": Entry(SET_UP, "classes:group", "Classes: what assets are worth, and how they wear."),
    "rules": Entry(SET_UP, "rules:group", "Rules: which alerts are raised, and when."),
    "refold": Entry(SET_UP, "processes:refold_command", "Fold again what a change has touched."),
    "calibrate": Entry(SET_UP, "calibrate:calibrate_command", "Estimate devices' figures anew."),
    "asset": Entry(SET_UP, "assets:group", "Assets, and what tells about them."),
    "inspect": Entry(SET_UP, "care:inspect_command", "Tell what was found of an asset."),
    "decide": Entry(SET_UP, "care:decide_command", "Decide what becomes of an asset."),
    "fact": Entry(SET_UP, "stages:fact", "State what somebody knows of an asset."),
    "device": Entry(SET_UP, "devices:group", "Devices: trackers and readers."),
    "recipients": Entry(SET_UP, "recipients:group", "Who is told of alerts, and how."),
    "key": Entry(SET_UP, "keys:group", "Keys for the API."),
    "influx": Entry(SET_UP, "influx:group", "InfluxDB, the time-series store."),
    "db": Entry(SET_UP, "database:group", "The database."),
}

app = typer.Typer(
    cls=lazy_group(INDEX),
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)


@app.callback()
def root(
    debug: Annotated[bool, typer.Option("--debug", help="Show a trace back on errors.")] = False,
) -> None:
    """Retour tracks reusable assets on their way back."""
    # main() looks for --debug itself: an error may come before this is called


def known_errors() -> tuple[type[Exception], ...]:
    """What the user can put right, told in one line. Imported where there is an error only."""
    from commands.show import UserError
    from firmware_sim.replay import ReplayError
    from gateway.broker_url import BadBrokerUrl
    from gateway.passwords import NoUserName
    from gateway.session import BrokerRefused
    from tracker.alert_book import AlertIsOver, AlreadyPast, UnknownAlert
    from tracker.class_book import UnknownClass
    from tracker.delivery_ports import ChannelRefused
    from tracker.enlist import NotParked, UnknownDelivery, UnknownRecipient
    from tracker.lease_lines import UnknownLine
    from tracker.ports import SeriesUnavailable, StoreRefused, StoreUnavailable
    from tracker.queries import BeforeLog, NotLocated, UnknownLease, UnknownPlace
    from tracker.registry import BeforeEdge, Conflict, Unregistered

    return (
        UserError,
        Conflict,
        Unregistered,
        BeforeEdge,
        UnknownClass,
        UnknownPlace,
        UnknownLease,
        UnknownLine,
        NotLocated,
        BeforeLog,
        StoreRefused,
        StoreUnavailable,
        SeriesUnavailable,
        BrokerRefused,
        BadBrokerUrl,
        NoUserName,
        ReplayError,
        ChannelRefused,
        UnknownAlert,
        AlertIsOver,
        AlreadyPast,
        UnknownRecipient,
        UnknownDelivery,
        NotParked,
        OSError,
    )


def in_words(error: Exception) -> str:
    """An error in a line, without the numbers of an operating system.

    >>> in_words(FileNotFoundError(2, "No such file or directory", "rules.yaml"))
    'rules.yaml: No such file or directory'
    """
    if isinstance(error, OSError) and error.filename is not None and error.strerror:
        return f"{error.filename}: {error.strerror}"
    return str(error)


def main() -> None:
    """Run a command; what the user can put right is told in one line."""
    try:
        app()
    except Exception as error:
        if "--debug" in sys.argv or not isinstance(error, known_errors()):
            raise
        print(f"retour: {in_words(error)}", file=sys.stderr)  # noqa: T201
        sys.exit(1)


if __name__ == "__main__":
    main()
