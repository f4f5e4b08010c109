"""`retour influx`: the time-series store set up, told everything again, left."""

from __future__ import annotations

from typing import Annotated

import typer

from commands.settings import Settings, load_settings
from commands.show import AsJson, UserError, count, progress_bar, say, show
from tracker.ports import Series, SeriesUnavailable
from tracker.project import project
from tracker.telling import rebuild

Days = Annotated[
    int | None,
    typer.Option(min=0, help="Keep points so many days; 0: for ever; left out: as it is."),
]
CoarseDays = Annotated[int | None, typer.Option(min=0, help="The same for one an hour.")]

group = typer.Typer(no_args_is_help=True, help="InfluxDB, the time-series store.")


@group.command("setup")
def influx_setup(
    keep_days: Days = None, keep_coarse_days: CoarseDays = None, as_json: AsJson = False
) -> None:
    """Make buckets, the task for coarser points and a token with the least rights, where they
    are missing; from then on InfluxDB is told of what is logged.

    RETOUR_INFLUX_TOKEN must hold a token that may make all that; put the printed one in its place.
    Example: retour influx setup --keep-days 90
    """
    from tracker.stores.influx_setup import set_up

    settings = load_settings()
    at = settings.influx_at()
    token = set_up(at, keep_days, keep_coarse_days)
    with settings.store().writing() as tx:
        begun = project(tx, True, settings.act())
        logged = tx.counts()["log"] if begun else 0
    told = {"bucket": at.bucket, "coarser": at.coarse_bucket, "token": token}
    if as_json:
        show({**told, "begun": begun}, as_json)
        return
    show(told, as_json)
    say("Set RETOUR_INFLUX_TOKEN to this token for gateway, worker and API")
    if logged:
        say("What is logged already is told by `retour influx rebuild`")


@group.command("rebuild")
def influx_rebuild(as_json: AsJson = False) -> None:
    """Tell InfluxDB all of the log, and what was told of stages, again: what it has already stays
    as it is.

    Example: retour influx rebuild
    """
    settings = load_settings()
    store = settings.store(must_exist=True)
    with progress_bar("Telling") as progress:
        try:
            done = rebuild(store, needed_series(settings), settings.make_clock().wall(), progress)
        except SeriesUnavailable as error:
            raise UserError(f"{error}; run it again: nothing is told twice") from None
    refused = len(done.refused)
    if as_json:
        show({"told": done.told, "expired": done.expired, "refused": refused}, as_json)
    else:
        say(f"{count(done.told, 'point')} told")
        if done.expired:
            say(f"{count(done.expired, 'point')} left out: older than the bucket keeps")
        for line, reason in done.refused[:10]:
            say(f"refused: {line[:200].decode(errors='replace')}: {reason}")
    if refused:
        raise UserError(f"InfluxDB has refused {count(refused, 'point')}")


@group.command("off")
def influx_off() -> None:
    """Tell InfluxDB no more; what waits to be told is forgotten. What it has stays there.

    Example: retour influx off
    """
    settings = load_settings()
    with settings.store(must_exist=True).writing() as tx:
        project(tx, False, settings.act())
    say("InfluxDB is told no more; unset RETOUR_INFLUX_URL for worker and API")


def opened_series(settings: Settings) -> Series | None:
    """The time-series store of the settings, if there is one: it must be usable."""
    series = settings.series()
    if series is not None:
        series.check()
    return series


def needed_series(settings: Settings) -> Series:
    """The same; UserError where there is none."""
    if (series := opened_series(settings)) is None:
        raise UserError("RETOUR_INFLUX_URL is not set; try http://127.0.0.1:8086")
    return series
