"""Mail, chats and other services, by the URLs of Apprise.

Apprise makes its connections itself, so the guard stands where they are made: Python asks an audit
hook before each, with the address that it goes to, whatever name or redirect led there.
"""

from __future__ import annotations

import logging
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from ipaddress import ip_address
from typing import Any

from gateway.addresses import Guard
from tracker.delivery_ports import ChannelRefused, Outcome
from tracker.notices import Message

CONNECTS = ("socket.connect", "socket.sendto", "socket.sendmsg")
STARTS = ("subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "_thread.start_new_thread")
ID_HEADER = "X-Retour-Delivery"
CANNOT_PARSE = "Apprise cannot read this URL; its manual tells how each service is written"


class _Here(threading.local):
    """Of a thread: the guard under which it sends, and why something was refused."""

    guard: Guard | None = None
    refusal: str | None = None


_here = _Here()


class Services:
    """Sends by Apprise. May be used by several threads."""

    def __init__(self, guard: Guard) -> None:
        self._guard = guard

    def check(self, url: str) -> None:
        """Raise ChannelRefused where Apprise cannot read a URL, or where it names an address that
        may not be reached. What hides behind a name is judged when something is sent: what
        stands in the place of a host is often a secret, which no name server should see."""
        plugin = _plugin(url)
        for host in (getattr(plugin, "host", None), getattr(plugin, "smtp_host", None)):
            if isinstance(host, str) and (host == "localhost" or _is_address(host)):
                self._guard.addresses(host.strip("[]"), 0)

    def send(self, url: str, message: Message) -> Outcome:
        """Send a message."""
        plugin = _plugin(url)
        if isinstance(getattr(plugin, "headers", None), dict):
            plugin.headers[ID_HEADER] = message.id
        with _guarded(self._guard):
            ok = bool(plugin.notify(body=message.text, title=message.title))
            refusal = _here.refusal
        if refusal is not None:
            return Outcome(False, refusal)
        return Outcome(ok, "sent" if ok else "the service did not take it")


def _plugin(url: str) -> Any:
    import apprise  # it takes a second

    found = apprise.Apprise.instantiate(url, asset=_asset())
    if found is None:
        raise ChannelRefused(CANNOT_PARSE)
    return found


@cache
def _asset() -> Any:
    import apprise

    # What it logs may hold secrets, and what receivers answer.
    logging.getLogger("apprise").setLevel(logging.CRITICAL + 1)
    return apprise.AppriseAsset(
        app_id="Retour", app_desc="Retour alerts", app_url="", async_mode=False
    )


def _is_address(host: str) -> bool:
    try:
        ip_address(host.strip("[]"))
    except ValueError:
        return False
    return True


@contextmanager
def _guarded(guard: Guard) -> Iterator[None]:
    """What this thread does meanwhile is judged by a guard."""
    _install()
    _here.guard, _here.refusal = guard, None
    try:
        yield
    finally:
        _here.guard = None


@cache
def _install() -> None:
    sys.addaudithook(_judge)  # it cannot be taken away again: installed where it is needed


def _judge(event: str, args: tuple[Any, ...]) -> None:
    if _here.guard is None or not (event in CONNECTS or event in STARTS):
        return
    try:
        if event in STARTS:
            raise ChannelRefused("a service may start no program and no thread")
        address = args[1]
        if address is None:  # of a connection that was judged
            return
        _here.guard.judge(str(address[0]) if isinstance(address, tuple) else "a local socket")
    except ChannelRefused as refusal:
        _here.refusal = str(refusal)
        raise ConnectionRefusedError(str(refusal)) from None
