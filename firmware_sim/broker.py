"""Where the MQTT broker is, and a paho client that can reach it."""

from __future__ import annotations

from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

_PORTS = {"mqtt": 1883, "mqtts": 8883}
_KEEPALIVE_S = 30


@dataclass(frozen=True, slots=True)
class Broker:
    """An MQTT broker's address and the credentials for it. `ca` is a PEM file; without one,
    `mqtts` trusts the system's authorities.

    >>> Broker.parse("mqtts://mqtt.example.org", user="trk-1", password="s3cret").url
    'mqtts://mqtt.example.org:8883'
    """

    host: str
    port: int
    tls: bool = False
    user: str | None = None
    password: str | None = field(default=None, repr=False)
    ca: str | None = None

    @classmethod
    def parse(
        cls,
        url: str,
        *,
        user: str | None = None,
        password: str | None = None,
        ca: str | None = None,
    ) -> Broker:
        """Reads `mqtt[s]://[user[:password]@]host[:port]`; arguments win over what the URL says.
        Raises ValueError with what is wrong."""
        parts = urlsplit(url)
        if parts.scheme not in _PORTS or not parts.hostname or parts.path not in ("", "/"):
            raise ValueError(f"{url!r} is no broker: write mqtt://HOST[:PORT] or mqtts://...")
        return cls(
            host=parts.hostname,
            port=parts.port or _PORTS[parts.scheme],
            tls=parts.scheme == "mqtts",
            user=user or (unquote(parts.username) if parts.username else None),
            password=password or (unquote(parts.password) if parts.password else None),
            ca=ca,
        )

    @property
    def url(self) -> str:
        """The address without credentials, fit for a log."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'mqtts' if self.tls else 'mqtt'}://{host}:{self.port}"

    def client(self, client_id: str, *, clean_session: bool, inflight: int) -> mqtt.Client:
        """A client for this broker that has not connected yet and may have `inflight` messages
        that the broker has not acknowledged. MQTT 3.1.1, because every broker speaks it and none
        limits that number. Raises OSError where the CA file cannot be read."""
        client = mqtt.Client(
            CallbackAPIVersion.VERSION2,
            client_id=client_id,
            clean_session=clean_session,
            protocol=mqtt.MQTTv311,
        )
        if self.user is not None:
            client.username_pw_set(self.user, self.password)
        if self.tls:
            client.tls_set(ca_certs=self.ca)
        client.max_inflight_messages_set(inflight)
        client.reconnect_delay_set(min_delay=1, max_delay=30)
        client.connect_async(self.host, self.port, keepalive=_KEEPALIVE_S)
        return client
