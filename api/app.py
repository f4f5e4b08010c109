"""The API: its routes, put together."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib.metadata import version
from typing import Any

from fastapi import Depends, FastAPI
from fastapi.routing import APIRoute

from api import (
    alerts,
    assets,
    audit,
    bindings,
    bulk,
    classes,
    dead_letters,
    deliveries,
    described,
    devices,
    facts,
    forecast,
    health,
    inspections,
    keys,
    kpi,
    lease_lines,
    leases,
    lives,
    locations,
    overdue,
    partners,
    problems,
    quarantine,
    readers,
    recipients,
    rules,
    sites,
    stages,
    stream,
    telemetry,
    tracks,
    usage,
    visits,
    work_orders,
    zones,
)
from api.auth import Guarded
from api.backend import Backend
from api.bodies import only_json
from api.etags import Conditional
from api.feed import Feed
from api.limits import Rate, RateLimited, SizeLimited
from api.observe import Observed
from api.parameters import only_declared
from tracker.clocks import Clock
from tracker.delivery_ports import Channels
from tracker.ports import Series, Store
from tracker.second_look import Decode
from tracker.stamps import StampPolicy

DESCRIPTION = """Tracks reusable assets on their way back: where each one is and where it was.

Times are UTC. Errors are problem details (RFC 9457). Listings come in pages: ask again with
`cursor` set to the `next` of the page before, until it is null.
"""
ROUTERS = (
    assets.router,
    bindings.router,
    tracks.router,
    telemetry.router,
    visits.router,
    locations.router,
    bulk.router,
    facts.router,
    stages.router,
    rules.router,
    alerts.router,
    overdue.router,
    forecast.router,
    kpi.router,
    sites.router,
    zones.router,
    readers.router,
    devices.router,
    partners.router,
    leases.router,
    lease_lines.router,
    dead_letters.router,
    quarantine.router,
    stream.router,
    classes.router,
    usage.router,
    lives.router,
    inspections.router,
    work_orders.router,
    recipients.router,
    deliveries.router,
    audit.router,
    keys.router,
)
WATCHED = health.router  # without a key


class _Documented(FastAPI):
    def openapi(self) -> dict[str, Any]:
        if self.openapi_schema is None:
            described.complete(super().openapi())
        assert self.openapi_schema is not None
        return self.openapi_schema


def create_app(
    store: Store,
    clock: Clock,
    health: Callable[[], Sequence[str]] = lambda: (),
    policy: StampPolicy | None = None,
    decode: Decode | None = None,
    rate: Rate | None = None,
    series: Series | None = None,
    channels: Channels | None = None,
) -> FastAPI:
    """The API on a store. `health` tells what ails the process's other parts, in words;
    nothing where all is well. `policy` and `decode` are for what is recorded again on request;
    without `decode` dead letters cannot be. `rate` is how often a client may ask; None: as
    often as it likes. Tracks and telemetry come from `series`, where there is one. Without
    `channels` nobody can be enlisted who is to be told of alerts."""
    app = _Documented(
        title="Retour",
        version=version("retour"),
        description=DESCRIPTION,
        openapi_url="/v1/openapi.json",
        docs_url=None,  # FastAPI's pages load scripts from elsewhere
        redoc_url=None,
        redirect_slashes=False,
        generate_unique_id_function=_operation_id,
    )
    app.state.backend = Backend(
        store, clock, health, policy or StampPolicy(), decode, series, channels
    )
    app.state.feed = Feed(store)
    _add_middleware(app, rate)
    problems.handle_problems(app)
    guards = [Depends(only_declared), Depends(only_json)]
    everywhere = problems.documented(*problems.EVERYWHERE)
    for router in ROUTERS:
        app.include_router(router, dependencies=guards, responses=everywhere)
    app.include_router(WATCHED, dependencies=guards)
    return app


def _add_middleware(app: FastAPI, rate: Rate | None) -> None:
    """From the innermost to the outermost."""
    app.add_middleware(Conditional)
    app.add_middleware(Guarded)
    app.add_middleware(SizeLimited)
    if rate is not None:
        app.add_middleware(RateLimited, rate=rate)
    app.add_middleware(Observed)


def _operation_id(route: APIRoute) -> str:
    return route.name
