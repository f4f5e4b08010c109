"""Webhooks: signed messages to an address that was checked.

Signed as Standard Webhooks has it, over the delivery's id, the time and the body. A name is looked
up once for each connection, and the connection goes to the address that was judged; redirects are
not followed, for they could lead elsewhere. What a receiver answers is read only so far that the
connection can be used again, and is never kept: it might show what only this machine can see.
"""

from __future__ import annotations

import ssl
import threading
import time
from collections.abc import Iterable
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

import httpcore
import httpx
import orjson
from standardwebhooks import Webhook

from gateway.addresses import Guard
from tracker.delivery_ports import ChannelRefused, Outcome
from tracker.notices import Message

WITHIN_S = 15.0  # all of a send, from the connection to the end of the answer
READ_AT_MOST = 64 * 1024  # bytes of an answer
KEPT_OPEN = 20
URL_AT_MOST, PORT_AT_MOST = 2_048, 65_535


class Webhooks:
    """Sends webhooks. May be used by several threads."""

    def __init__(
        self, guard: Guard, trust: ssl.SSLContext | None = None, within_s: float = WITHIN_S
    ) -> None:
        self._guard = guard
        self._within_s = within_s
        self._deadline = Deadline()
        self._pool = httpcore.ConnectionPool(
            ssl_context=trust or ssl.create_default_context(),
            max_connections=None,  # those who send are few
            max_keepalive_connections=KEPT_OPEN,
            keepalive_expiry=30,
            network_backend=_Pinned(guard, self._deadline),
        )

    def close(self) -> None:
        """Close the connections that are kept open."""
        self._pool.close()

    def check(self, url: str) -> None:
        """Raise ChannelRefused where a webhook cannot or may not be sent there."""
        asked = parsed(url)
        self._guard.addresses(asked.raw_host.decode(), asked.port or 443)

    def send(self, url: str, secret: str, message: Message, wall: int) -> Outcome:
        """Send a message, signed as of `wall` (epoch ms)."""
        self._deadline.set(self._within_s)
        try:
            status = self._post(url, secret, message, wall)
        except (ChannelRefused, httpcore.ConnectError) as error:
            return Outcome(False, str(error))
        except httpcore.TimeoutException:
            return Outcome(False, f"no answer within {self._within_s:g} s")
        except httpcore.ProtocolError:
            return Outcome(False, "what was answered is no HTTP")
        except httpcore.NetworkError:
            return Outcome(False, "the connection broke")
        if 300 <= status < 400:
            return Outcome(False, f"HTTP {status}: redirects are not followed")
        return Outcome(200 <= status < 300, f"HTTP {status}")

    def _post(self, url: str, secret: str, message: Message, wall: int) -> int:
        body = orjson.dumps(message.body)
        headers = signed(secret, message.id, body, wall)
        with self._pool.stream("POST", target_of(url), headers=headers, content=body) as answer:
            read = 0
            for part in answer.iter_stream():
                read += len(part)
                if read > READ_AT_MOST:
                    break  # and the connection is closed
            return answer.status


def parsed(url: str) -> httpx.URL:
    """A webhook's URL. Raises ChannelRefused where it cannot be one."""
    try:
        found = httpx.URL(url) if len(url) <= URL_AT_MOST else None
    except httpx.InvalidURL:
        found = None
    known = found is not None and found.scheme in ("http", "https") and found.host
    if found is None or not known or (found.port or 0) > PORT_AT_MOST:
        raise ChannelRefused("this is no URL of a webhook: write it like https://host/path")
    if found.userinfo:
        raise ChannelRefused("a webhook has no user and no password: its signature tells who sends")
    return found


@lru_cache(maxsize=1_000)
def target_of(url: str) -> httpcore.URL:
    """A webhook's URL as it is asked for. Raises ChannelRefused."""
    asked = parsed(url)
    return httpcore.URL(
        scheme=asked.raw_scheme, host=asked.raw_host, port=asked.port, target=asked.raw_path
    )


def signed(secret: str, id: str, body: bytes, wall: int) -> list[tuple[bytes, bytes]]:
    """The headers of a message."""
    at = datetime.fromtimestamp(wall // 1_000, UTC)
    headers = {
        "content-type": "application/json",
        "user-agent": "retour",
        "webhook-id": id,
        "webhook-timestamp": str(wall // 1_000),
        "webhook-signature": Webhook(secret).sign(id, at, body.decode()),
    }
    return [(name.encode(), value.encode()) for name, value in headers.items()]


class Deadline(threading.local):
    """Until when what a thread does on the network must be done."""

    until = 0.0

    def set(self, within_s: float) -> None:
        self.until = time.monotonic() + within_s

    def left(self) -> float:
        """Seconds. Raises httpcore.ReadTimeout where it is over: whoever sends a byte now and
        then must not have all the time there is."""
        left = self.until - time.monotonic()
        if left <= 0:
            raise httpcore.ReadTimeout("the time is over")
        return left


class _Pinned(httpcore.NetworkBackend):
    """Connects to addresses that were judged."""

    def __init__(self, guard: Guard, deadline: Deadline) -> None:
        self._guard = guard
        self._deadline = deadline
        self._network = httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ARG002  # the deadline tells
        local_address: str | None = None,  # noqa: ARG002
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.NetworkStream:
        *others, last = self._guard.addresses(host, port)
        for address in others:
            try:
                return self._connected(address, port, socket_options)
            except httpcore.ConnectError:
                continue
        return self._connected(last, port, socket_options)

    def _connected(self, address: str, port: int, options: Any) -> httpcore.NetworkStream:
        stream = self._network.connect_tcp(
            address, port, self._deadline.left(), socket_options=options
        )
        return _Bounded(stream, self._deadline)


class _Bounded(httpcore.NetworkStream):
    """A connection on which nothing outlasts the deadline of whoever uses it. What is written
    leaves when an answer is read, head and body together: that is a fifth faster."""

    def __init__(self, stream: httpcore.NetworkStream, deadline: Deadline) -> None:
        self._stream = stream
        self._deadline = deadline
        self._held = b""

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ARG002
        held, self._held = self._held, b""
        self._stream.write(held, self._deadline.left())
        return self._stream.read(max_bytes, self._deadline.left())

    def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ARG002
        self._held += buffer

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ARG002
    ) -> httpcore.NetworkStream:
        left = self._deadline.left()
        return _Bounded(self._stream.start_tls(ssl_context, server_hostname, left), self._deadline)

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)
