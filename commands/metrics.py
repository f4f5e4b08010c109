"""What a gateway alone counts, and what ails it, for whoever watches this machine."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import orjson
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from commands.show import UserError


@contextmanager
def serving_metrics(host: str, port: int, health: Callable[[], Sequence[str]]) -> Iterator[None]:
    """Answer `GET /metrics` and `GET /health` on a port of this address; nowhere where it is 0.
    Nobody needs a key. `health` tells what does not work, in words; with any of that the answer
    is a 503."""
    if not port:
        yield
        return
    try:
        server = _Server(host, port, health)
    except OSError as error:
        raise UserError(
            f"RETOUR_METRICS_PORT: cannot listen on {host}:{port}: {error.strerror}"
        ) from None
    thread = threading.Thread(target=server.serve_forever, name="metrics")
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class _Server(ThreadingHTTPServer):
    def __init__(self, host: str, port: int, health: Callable[[], Sequence[str]]) -> None:
        super().__init__((host, port), _Handler)
        self.health = health


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    timeout = 10  # for who connects and asks nothing

    def do_GET(self) -> None:
        match self.path.partition("?")[0]:
            case "/metrics":
                self._answer(HTTPStatus.OK, CONTENT_TYPE_LATEST, generate_latest())
            case "/health":
                problems = self.server.health()
                status = HTTPStatus.SERVICE_UNAVAILABLE if problems else HTTPStatus.OK
                answer = {"ready": not problems, "problems": problems}
                self._answer(status, "application/json", orjson.dumps(answer))
            case _:
                self.send_error(HTTPStatus.NOT_FOUND)

    def _answer(self, status: HTTPStatus, content_type: str, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing: being asked is no event."""
