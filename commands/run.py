"""`retour up`, `gateway`, `api`: what runs until it is interrupted."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Annotated

import structlog
import typer
from fastapi import FastAPI

from api.app import create_app
from api.server import serving
from commands.metrics import serving_metrics
from commands.process import calm_the_collector, configure_log, on_stop, stop_signal
from commands.settings import Settings, load_settings
from commands.show import UserError, out
from gateway.decoders import decode_again
from gateway.running import Parts, Running, embedded_gateway
from tracker.clocks import Clock
from tracker.ports import Store


def up() -> None:
    """Run gateway and API in one process, from the settings, until interrupted.

    Example: RETOUR_API_PORT=8080 retour up
    """
    settings = load_settings()
    configure_log(settings.log_level)
    stopped = stop_signal()
    calm_the_collector()
    parts = settings.parts()
    with broker_and_gateway(settings, parts, stopped.set) as (url, running):
        app = make_app(settings, parts.store, parts.clock, running.health)
        with serving(app, settings.api_host, settings.api_port) as api_url:
            out.print(f"Devices publish to {url}; questions go to {api_url}/v1", soft_wrap=True)
            hint_at_key(parts.store)
            stopped.wait()


def make_app(
    settings: Settings,
    store: Store,
    clock: Clock,
    health: Callable[[], Sequence[str]] = lambda: (),
) -> FastAPI:
    """The API as the settings have it."""
    policy = settings.policy(clock)
    return create_app(store, clock, health, policy, decode_again, settings.rate())


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
            out.print("There is no API key yet: run `retour key create NAME --scope read`")


def gateway(
    drain: Annotated[
        bool,
        typer.Option(
            help="Take in what the broker still holds for this gateway, then end for good."
        ),
    ] = False,
) -> None:
    """Run a gateway alone: broker to database. It answers /metrics and /health on
    RETOUR_METRICS_PORT of this machine, where one is set.

    Example: RETOUR_MQTT_URL=mqtt://127.0.0.1:1883 retour gateway
    """
    settings = load_settings()
    configure_log(settings.log_level)
    calm_the_collector()
    running = settings.gateway(settings.parts(), leaving=drain)
    on_stop(running.stop)
    with serving_metrics(settings.metrics_port, running.health):
        if not drain:
            running.run(lambda: structlog.get_logger().info("gateway ready"))
        elif not running.retire():
            raise UserError("interrupted: the broker may still hold messages; run it again")


def api() -> None:
    """Run the API alone.

    Example: RETOUR_API_PORT=8080 retour api
    """
    settings = load_settings()
    configure_log(settings.log_level)
    stopped = stop_signal()
    app = make_app(settings, settings.store(), settings.make_clock())
    with serving(app, settings.api_host, settings.api_port) as url:
        out.print(f"Questions go to {url}/v1")
        stopped.wait()
