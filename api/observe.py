"""What is done around every request: counted, timed, logged, given its headers."""

from __future__ import annotations

from time import perf_counter
from urllib.parse import quote

import structlog
from prometheus_client import Counter, Histogram
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.problems import answer_to, is_known

REQUESTS = Counter("retour_api_requests", "Requests answered", ["route", "method", "status"])
SECONDS = Histogram(
    "retour_api_request_seconds", "Time from a request to the end of its answer", ["route"]
)
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
log = structlog.get_logger()


class Observed:
    """ASGI middleware; the outermost, so that it sees what the client gets."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = perf_counter()
        status = 0

        async def send_observed(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message["headers"], *_headers(scope, message)]
            await send(message)

        try:
            await self._app(scope, receive, send_observed)
        except Exception as error:
            if status or not is_known(error):
                log.exception("request failed", path=quote(scope["path"]))
            if status:
                raise  # half an answer is out: only a broken connection tells
            await answer_to(error, scope["path"])(scope, receive, send_observed)
        finally:
            _note(scope, status, perf_counter() - started)


def _headers(scope: Scope, start: Message) -> list[tuple[bytes, bytes]]:
    headers = [(b"x-content-type-options", b"nosniff")]
    said = any(name == b"cache-control" for name, _ in start["headers"])
    if scope["path"].startswith("/v1/") and not said:
        headers.append((b"cache-control", b"no-store"))
    return headers


def _note(scope: Scope, status: int, seconds: float) -> None:
    # The route's template: a label for every path or method anyone invents would never end.
    route = getattr(scope.get("route"), "path", "none")
    method = scope["method"] if scope["method"] in METHODS else "other"
    REQUESTS.labels(route, method, status).inc()
    SECONDS.labels(route).observe(seconds)
    log.info(
        "request",
        method=scope["method"],
        path=quote(scope["path"]),  # which may hold anything, line ends too
        status=status,
        ms=round(seconds * 1000, 1),
        key=scope.get("state", {}).get("key"),
    )
