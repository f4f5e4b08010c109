"""`retour up`, `gateway`, `worker`, `api`: what runs until it is interrupted."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Annotated

import structlog
import typer
from fastapi import FastAPI

from api.app import create_app
from api.server import serving
from commands.influx import opened_series
from commands.metrics import serving_metrics
from commands.process import calm_the_collector, configure_log, on_stop, stop_signal
from commands.settings import Settings, load_settings
from commands.show import UserError, say
from gateway.ageing import Ageing
from gateway.coarsening import Coarsening
from gateway.decoders import decode_again
from gateway.delivering import Delivering
from gateway.projection import Projection
from gateway.retention import DeliveryRetention, Retention
from gateway.roll_calling import RollCall
from gateway.running import Beside, Parts, Running, embedded_gateway
from gateway.sweeping import Sweep
from gateway.watching import Watching, WatchingReaders
from gateway.worker import Job, Worker
from tracker.clocks import Clock
from tracker.ports import Series, SeriesUnavailable, Store

log = structlog.get_logger()


def up() -> None:
    """Run gateway, worker and API in one process, from the settings, until interrupted.

    Example: RETOUR_API_PORT=8080 retour up
    """
    settings = load_settings()
    configure_log(settings.log_level)
    stopped = stop_signal()
    calm_the_collector()
    parts = settings.parts()
    series = checked_series(settings)
    with ExitStack() as running:
        url, gateway = running.enter_context(broker_and_gateway(settings, parts, stopped.set))
        health = [gateway.health]
        worker = Worker(worker_jobs(settings, series, parts.store, parts.clock), parts.clock)
        running.enter_context(Beside(worker, stopped.set, "worker"))
        health.append(worker.health)
        app = make_app(
            settings, parts.store, parts.clock, series, lambda: [w for h in health for w in h()]
        )
        with serving(app, settings.api_host, settings.api_port) as api_url:
            say(f"Devices publish to {url}; questions go to {api_url}/v1")
            hint_at_key(parts.store)
            stopped.wait()


def make_app(
    settings: Settings,
    store: Store,
    clock: Clock,
    series: Series | None,
    health: Callable[[], Sequence[str]] = lambda: (),
) -> FastAPI:
    """The API as the settings have it."""
    policy = settings.policy(clock)
    channels = settings.channels(clock)
    return create_app(store, clock, health, policy, decode_again, settings.rate(), series, channels)


def checked_series(settings: Settings) -> Series | None:
    """The time-series store of the settings, if there is one; it may be away just now. Raises
    StoreRefused where it can never be used."""
    series = settings.series()
    if series is not None:
        try:
            series.check()
        except SeriesUnavailable as error:
            log.warning("the time-series store does not answer yet", error=str(error))
    return series


@contextmanager
def broker_and_gateway(
    settings: Settings, parts: Parts, on_end: Callable[[], None]
) -> Iterator[tuple[str, Running]]:
    """The gateway of `up`: on the broker of the settings, else on an embedded one."""
    if not settings.mqtt_url:
        with embedded_gateway(parts, settings.mqtt_port, on_end) as url_and_gateway:
            yield url_and_gateway
        return
    with Running(settings.gateway(parts), on_end) as running:
        yield str(settings.broker()), running


def hint_at_key(store: Store) -> None:
    with store.reading() as reader:
        if not reader.api_keys():
            say("There is no API key yet: run `retour key create NAME --scope read`")


def gateway(
    drain: Annotated[
        bool,
        typer.Option(
            help="Take in what the broker still holds for this gateway, then end for good."
        ),
    ] = False,
) -> None:
    """Run a gateway alone: broker to database. It answers /metrics and /health on
    RETOUR_METRICS_PORT, where one is set.

    Example: RETOUR_MQTT_URL=mqtt://127.0.0.1:1883 retour gateway
    """
    settings = load_settings()
    configure_log(settings.log_level)
    calm_the_collector()
    running = settings.gateway(settings.parts(), leaving=drain)
    on_stop(running.stop)
    with serving_metrics(settings.metrics_host, settings.metrics_port, running.health):
        if not drain:
            running.run(lambda: log.info("gateway ready"))
        elif not running.retire():
            raise UserError("interrupted: the broker may still hold messages; run it again")


def worker() -> None:
    """Run a worker alone: it tells what time makes of stages, delivers alerts, tells InfluxDB what
    waits for it, and gives up the log's oldest part. Any number may run. It answers /metrics and
    /health on RETOUR_METRICS_PORT, where one is set.

    Example: RETOUR_INFLUX_URL=http://127.0.0.1:8086 retour worker
    """
    settings = load_settings()
    configure_log(settings.log_level)
    store, clock = settings.store(), settings.make_clock()
    jobs = worker_jobs(settings, opened_series(settings), store, clock)
    running = Worker(jobs, clock)
    on_stop(running.stop)
    with serving_metrics(settings.metrics_host, settings.metrics_port, running.health):
        running.run(lambda: log.info("worker ready"))


def worker_jobs(settings: Settings, series: Series | None, store: Store, clock: Clock) -> list[Job]:
    """What there is to do with no message arriving. UserError where the database does not know
    of the time-series store."""
    jobs: list[Job] = [Sweep(store, clock), RollCall(store, clock), Watching(store, clock)]
    jobs += [WatchingReaders(store, clock), Ageing(store, clock)]
    jobs.append(Delivering(store, settings.channels(clock), clock))
    if series is not None:
        with store.reading() as reader:
            if not reader.projected():
                raise UserError(
                    "the database tells no time-series store: run `retour influx setup`"
                )
        jobs += [Projection(store, series, clock), Coarsening(store, series, clock)]
    if settings.deliveries_days:
        jobs.append(DeliveryRetention(store, settings.deliveries_days, clock))
    if settings.retention_days:
        jobs.append(Retention(store, settings.retention_days, clock))
    return jobs


def api() -> None:
    """Run the API alone.

    Example: RETOUR_API_PORT=8080 retour api
    """
    settings = load_settings()
    configure_log(settings.log_level)
    stopped = stop_signal()
    series = checked_series(settings)
    app = make_app(settings, settings.store(), settings.make_clock(), series)
    with serving(app, settings.api_host, settings.api_port) as url:
        say(f"Questions go to {url}/v1")
        stopped.wait()
