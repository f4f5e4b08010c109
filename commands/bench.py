"""`retour bench`: benchmarks, each beside a bare reference."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from commands.bench_deliveries import bench_deliveries
from commands.bench_filter import bench_filter
from commands.bench_fuzz import bench_fuzz
from commands.bench_gateways import bench_gateways
from commands.bench_influx import bench_influx
from commands.bench_query import bench_query, on_postgresql, on_sqlite
from commands.bench_refold import bench_refold
from commands.bench_soak import bench_soak
from commands.bench_sweep import bench_sweep
from commands.process import calm_the_collector, configure_log
from commands.show import AsJson, progress_bar, show
from commands.soak.soak import kept
from gateway.bench import bench_ingest
from gateway.mosquitto import free_port
from tracker.ports import Store
from tracker.stores.local_postgresql import LocalPostgresql
from tracker.stores.postgresql import PostgresqlStore
from tracker.stores.sqlite import SqliteStore

group = typer.Typer(no_args_is_help=True, help="Benchmarks, each beside a bare reference.")


class Kind(StrEnum):
    """Of database."""

    SQLITE = "sqlite"
    POSTGRESQL = "postgresql"


@contextmanager
def filling() -> Iterator[Callable[[int, int], None]]:
    """What a benchmark of a filled database runs in: a quiet log, a calm collector, a bar."""
    configure_log("error")
    calm_the_collector()
    with progress_bar("Filling") as progress:
        yield progress


@group.command("ingest")
def bench_ingest_command(
    messages: Annotated[int, typer.Option(help="Messages to drain in each round.")] = 40_000,
    rounds: Annotated[int, typer.Option(help="Rounds; medians are printed.")] = 3,
    waiting: Annotated[int, typer.Option(help="Also measure memory with so many queued.")] = 0,
    store: Annotated[
        Kind, typer.Option(help="Into PostgreSQL: one round each of 1, 2 and 4 gateways.")
    ] = Kind.SQLITE,
    as_json: AsJson = False,
) -> None:
    """Drain queued messages from a Mosquitto: bare paho against the whole gateway.

    Example: retour bench ingest --messages 20000 --json
    """
    configure_log("error")
    calm_the_collector()
    if store is Kind.POSTGRESQL:
        show(bench_gateways(messages, (1, 2, 4)), as_json)
    else:
        show(bench_ingest(SqliteStore, messages, rounds, waiting), as_json)


@group.command("influx")
def bench_influx_command(
    rate: Annotated[int, typer.Option(min=1, help="Messages a second, for the lag.")] = 5_000,
    seconds: Annotated[int, typer.Option(min=1, help="For how long.")] = 30,
    lines: Annotated[int, typer.Option(min=1, help="Lines in the queue to catch up.")] = 600_000,
    store: Annotated[Kind, typer.Option(help="The database beside it.")] = Kind.SQLITE,
    as_json: AsJson = False,
) -> None:
    """Tell an InfluxDB what devices publish, and what an outage has left in the queue.

    Example: retour bench influx --rate 1000 --lines 100000 --json
    """
    configure_log("error")
    calm_the_collector()
    with databases(store) as open_database:
        show(bench_influx(open_database, rate, seconds, lines), as_json)


@group.command("filter")
def bench_filter_command(as_json: AsJson = False) -> None:
    """What a step of the filter costs: of one asset alone, and of many together.

    Example: retour bench filter --json
    """
    show(bench_filter(), as_json)


@group.command("sweep")
def bench_sweep_command(
    assets: Annotated[int, typer.Option(min=1, help="Assets in the database.")] = 1_000_000,
    as_json: AsJson = False,
) -> None:
    """Advance the stage of every asset to now, as a worker does it each minute.

    Example: retour bench sweep --assets 100000 --json
    """
    configure_log("error")
    calm_the_collector()
    with progress_bar("assets") as progress:
        figures = bench_sweep(assets, progress)
    show(figures, as_json)


@group.command("deliveries")
def bench_deliveries_command(
    deliveries: Annotated[int, typer.Option(min=1, help="Webhooks to be sent.")] = 20_000,
    store: Annotated[Kind, typer.Option(help="Of database.")] = Kind.SQLITE,
    as_json: AsJson = False,
) -> None:
    """Deliver alerts to a receiver by webhooks, while another one is slow.

    Example: retour bench deliveries --deliveries 5000 --json
    """
    configure_log("error")
    calm_the_collector()
    with databases(store) as open_database:
        show(bench_deliveries(open_database, deliveries), as_json)


@contextmanager
def databases(kind: Kind) -> Iterator[Callable[[Path], tuple[Store, str]]]:
    """Makes empty databases, by the path that one of SQLite has, and tells their URLs."""
    if kind is Kind.SQLITE:
        yield lambda path: (SqliteStore(path), f"sqlite:///{path}")
        return
    with LocalPostgresql(free_port()) as server:

        def make(path: Path) -> tuple[Store, str]:
            url = server.create_database(path.stem)
            return PostgresqlStore(url, migrate=True), url

        yield make


@group.command("query")
def bench_query_command(
    assets: Annotated[int, typer.Option(help="Assets in the database.")] = 1_000_000,
    database: Annotated[
        str, typer.Option(help="Keep it in this file (or at this URL), use what it holds already.")
    ] = "",
    store: Annotated[Kind, typer.Option(help="Of database.")] = Kind.SQLITE,
    as_json: AsJson = False,
) -> None:
    """Ask a database of many assets: the latest place, boxes, who is inside, searches.

    Example: retour bench query --assets 100000 --database bench.db --json
    """
    with ExitStack() as stack:
        if store is Kind.POSTGRESQL:
            url = database or stack.enter_context(LocalPostgresql(free_port())).url
            opened = stack.enter_context(on_postgresql(url))
        else:
            folder = stack.enter_context(tempfile.TemporaryDirectory())
            opened = stack.enter_context(on_sqlite(Path(database or f"{folder}/bench.db")))
        figures = bench_query(opened, assets, stack.enter_context(filling()))
    show(figures, as_json)


@group.command("refold")
def bench_refold_command(
    observations: Annotated[int, typer.Option(help="Length of the asset's history.")] = 100_000,
    times: Annotated[int, typer.Option(help="Late rows at each place; medians are shown.")] = 9,
    as_json: AsJson = False,
) -> None:
    """Record rows that come late for an asset with a long history, with snapshots and without.

    Example: retour bench refold --observations 20000 --json
    """
    with filling() as progress:
        figures = bench_refold(observations, times, progress)
    show(figures, as_json)


@group.command("fuzz")
def bench_fuzz_command(
    count: Annotated[int, typer.Option(help="Payloads.")] = 1_000_000,
    seed: Annotated[int, typer.Option(help="The same seed makes the same payloads.")] = 1,
    as_json: AsJson = False,
) -> None:
    """Decode, record and import messages and world files with accidents. Exits 1 if any crashes.

    Example: retour bench fuzz --count 100000 --seed 2 --json
    """
    configure_log("critical")
    with progress_bar("Fuzzing") as progress:
        figures = bench_fuzz(count, seed, progress)
    show(figures, as_json)
    if figures["crashed"]:
        raise typer.Exit(1)


@group.command("soak")
def bench_soak_command(
    minutes: Annotated[float, typer.Option(help="How long faults happen.")] = 3,
    seed: Annotated[int, typer.Option(help="The same seed makes the same faults.")] = 1,
    store: Annotated[Kind, typer.Option(help="Which database.")] = Kind.POSTGRESQL,
    as_json: AsJson = False,
) -> None:
    """Kill, stop and cut off gateways, servers and networks while devices publish, then account
    for every message. Exits 1 if the promise is broken.

    Example: retour bench soak --minutes 30 --seed 7 --json
    """
    figures = bench_soak(minutes, seed, postgresql=store is Kind.POSTGRESQL)
    show(figures, as_json)
    if not kept(figures):
        raise typer.Exit(1)
