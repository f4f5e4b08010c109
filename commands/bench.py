"""`retour bench`: benchmarks, each beside a bare reference."""

from __future__ import annotations

from typing import Annotated

import typer

from commands.process import calm_the_collector, configure_log
from commands.show import AsJson, show
from gateway.bench import bench_ingest
from tracker.stores.sqlite import SqliteStore

group = typer.Typer(no_args_is_help=True, help="Benchmarks, each beside a bare reference.")


@group.command("ingest")
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
