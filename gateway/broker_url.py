"""Where the broker is and how to sign in, from one URL."""

from __future__ import annotations

from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit


class BadBrokerUrl(ValueError):
    """The URL names no MQTT broker; the text says why."""


@dataclass(frozen=True, slots=True)
class BrokerUrl:
    """A broker's address. `ca` is a file of certificates to trust instead of the system's;
    `cert` and `key` are files of our own certificate, for brokers that ask for one."""

    host: str
    port: int
    tls: bool = False
    user: str | None = None
    password: str | None = field(default=None, repr=False)
    ca: str | None = None
    cert: str | None = None
    key: str | None = None

    @classmethod
    def parse(
        cls, url: str, ca: str | None = None, cert: str | None = None, key: str | None = None
    ) -> BrokerUrl:
        """From `mqtt://[user:password@]host[:1883]` or `mqtts://...[:8883]`.

        >>> BrokerUrl.parse("mqtts://gw:s%40cret@my.org")
        BrokerUrl(host='my.org', port=8883, tls=True, user='gw', ca=None, cert=None, key=None)
        """
        parts = urlsplit(url)
        if parts.scheme not in ("mqtt", "mqtts"):
            raise BadBrokerUrl(f"{url!r} does not begin with mqtt:// or mqtts://")
        try:
            port = parts.port
        except ValueError as error:
            raise BadBrokerUrl(f"{url!r}: {error}") from None
        if not parts.hostname:
            raise BadBrokerUrl(f"{url!r} names no host")
        tls = parts.scheme == "mqtts"
        if bool(cert) != bool(key):
            raise BadBrokerUrl("a certificate and its key belong together: set both or neither")
        if cert and not tls:
            raise BadBrokerUrl(f"{url!r} cannot show a certificate: only mqtts:// can")
        return cls(
            parts.hostname,
            port or (8883 if tls else 1883),
            tls,
            unquote(parts.username) if parts.username else None,
            unquote(parts.password) if parts.password else None,
            ca,
            cert,
            key,
        )

    def __str__(self) -> str:
        return f"{'mqtts' if self.tls else 'mqtt'}://{self.host}:{self.port}"
