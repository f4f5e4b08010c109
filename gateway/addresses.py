"""Which addresses a recipient's channel may lead to: public ones, and those that are allowed.

Somebody who may name a webhook must not reach with it what this machine alone can reach.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Sequence
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)

from tracker.delivery_ports import ChannelRefused

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network
Resolve = Callable[[str, int], Sequence[str]]
TRIED_AT_MOST = 3  # addresses of one name
NAT64 = IPv6Network("64:ff9b::/96")


def system_resolver(host: str, port: int) -> list[str]:
    """The addresses of a name, as the system has them. Raises OSError."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


def networks(text: str) -> tuple[Network, ...]:
    """The networks of a list with commas. ValueError where one is none.

    >>> networks("10.0.0.0/8, ::1")
    (IPv4Network('10.0.0.0/8'), IPv6Network('::1/128'))
    """
    return tuple(ip_network(part.strip()) for part in text.split(",") if part.strip())


class Guard:
    """Judges addresses. `allow` are networks that are not public and may be reached all the
    same."""

    def __init__(self, allow: Sequence[Network] = (), resolve: Resolve = system_resolver) -> None:
        self._allow = allow
        self._resolve = resolve

    def addresses(self, host: str, port: int) -> list[str]:
        """The addresses of a host: connect to these and look no other up, for a second look may
        find others. Raises ChannelRefused where it has none, or one that may not be reached."""
        try:
            found = self._resolve(host, port)
        except (OSError, UnicodeError):
            found = []
        if not found:
            raise ChannelRefused(f"the host {host!r:.100} has no address")
        for address in found:
            self.judge(address)
        return [*found[:TRIED_AT_MOST]]

    def judge(self, address: str) -> None:
        """Raise ChannelRefused where an address may not be reached.

        >>> Guard().judge("::ffff:127.0.0.1")  # doctest: +ELLIPSIS
        Traceback (most recent call last):
        ...
        tracker.delivery_ports.ChannelRefused: ::ffff:127.0.0.1 is not a public address; ...
        """
        try:
            meant = meant_by(ip_address(address))
        except ValueError:
            raise ChannelRefused(f"{address!r:.100} is no address") from None
        allowed = any(meant in network for network in self._allow)
        if not allowed and (not meant.is_global or meant.is_multicast):
            raise ChannelRefused(f"{address} is not a public address; see RETOUR_WEBHOOKS_ALLOW")


def meant_by(address: Address) -> Address:
    """The address to which packets go in the end: IPv6 has many ways to write one of IPv4.

    >>> meant_by(ip_address("64:ff9b::7f00:1"))
    IPv4Address('127.0.0.1')
    """
    if isinstance(address, IPv4Address):
        return address
    if address in NAT64:
        return IPv4Address(int(address) & 0xFFFF_FFFF)
    teredo = address.teredo[1] if address.teredo else None
    return address.ipv4_mapped or address.sixtofour or teredo or address
