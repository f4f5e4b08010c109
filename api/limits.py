"""How much a client may send: requests a second, and bytes a request."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Container
from math import ceil

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.auth import header, secret_in
from api.backend import Backend
from tracker.access import digest_of

CLIENTS_AT_MOST = 10_000
BODY_AT_MOST = 1024 * 1024  # bytes
BULK_BODY_AT_MOST = 8 * BODY_AT_MOST
BULK = "/v1/bulk/"


class TooMany(Exception):
    """A client asks faster than it may. `wait` is when it may ask again, in seconds."""

    def __init__(self, wait: float) -> None:
        self.headers = {"Retry-After": str(max(1, ceil(wait)))}
        super().__init__(f"ask again in {self.headers['Retry-After']} s, and less often")


class TooLarge(HTTPException):  # FastAPI lets no other exception pass while it reads a body
    """A request's body is larger than what is taken here."""

    def __init__(self, at_most: int) -> None:
        super().__init__(413, f"a request to this path has at most {at_most} bytes")

    def __str__(self) -> str:
        return self.detail


class Rate:
    """A token bucket for each client: it holds `burst` requests and gains `a_second`. Of very
    many clients, those that have not asked for longest are forgotten.

    Time is an argument: seconds that never step.

    >>> rate = Rate(a_second=1, burst=2)
    >>> [rate.wait("key", mono=0.0) for _ in range(4)]
    [0.0, 0.0, 1.0, 1.0]
    >>> rate.wait("another key", mono=0.5), rate.wait("key", mono=1.0)
    (0.0, 0.0)
    """

    def __init__(self, a_second: float, burst: float) -> None:
        if a_second <= 0 or burst < 1:
            raise ValueError(f"no rate: {a_second} requests a second, {burst} at once")
        self._request_s = 1 / a_second
        self._depth_s = burst / a_second
        # Of each bucket only when it will be full again: what it lacks is that much times the rate.
        self._full_at: OrderedDict[str, float] = OrderedDict()

    def wait(self, client: str, mono: float) -> float:
        """How long a client must wait (s) to make a request. It is made where that is 0."""
        full_at = max(mono, self._full_at.pop(client, mono))
        wait = full_at + self._request_s - mono - self._depth_s
        if wait < 1e-6:  # who waited as long as was said is not sent away for a rounding error
            wait = 0.0
        self._full_at[client] = full_at if wait else full_at + self._request_s
        if len(self._full_at) > CLIENTS_AT_MOST:
            self._full_at.popitem(last=False)
        return wait


class RateLimited:
    """ASGI middleware: raises TooMany. Only `/v1` is limited: who watches the process may."""

    def __init__(self, app: ASGIApp, rate: Rate) -> None:
        self._app = app
        self._rate = rate

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or raise TooMany."""
        if scope["type"] == "http" and scope["path"].startswith("/v1/"):
            backend: Backend = scope["app"].state.backend
            wait = self._rate.wait(_client(scope, backend.admitted), backend.clock.mono())
            if wait:
                raise TooMany(wait)
        await self._app(scope, receive, send)


def _client(scope: Scope, admitted: Container[bytes]) -> str:
    """Who asks: whoever holds a key that is known to be one, else an address: to invent keys
    makes nobody another client."""
    secret = secret_in(scope)
    if secret is not None and (digest := digest_of(secret)) in admitted:
        return digest.hex()
    address: tuple[str, int] | None = scope.get("client")
    return address[0] if address else ""


class SizeLimited:
    """ASGI middleware: raises TooLarge, before the body is read or while it is."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or raise TooLarge."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        at_most = BULK_BODY_AT_MOST if scope["path"].startswith(BULK) else BODY_AT_MOST
        stated = header(scope, b"content-length")
        if stated is not None and stated.isdigit() and int(stated) > at_most:
            raise TooLarge(at_most)
        came = 0

        async def receive_counted() -> Message:
            nonlocal came
            message = await receive()
            came += len(message.get("body", b""))
            if came > at_most:
                raise TooLarge(at_most)
            return message

        await self._app(scope, receive_counted, send)
