"""The session with the broker: paho-mqtt, driven from one thread without a loop of its own.

A message is acknowledged when we say so, not when paho has it. Sessions persist: what the
broker holds for us while we are away it delivers when we return. After a session is lost the
broker uses its message numbers anew, so every message carries the connection's epoch, and an
acknowledgement from an older epoch is dropped: the broker will deliver that message again.
"""

from __future__ import annotations

import select
import socket
import ssl
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple, NoReturn

import paho.mqtt.client as paho
import structlog
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from gateway import metrics
from gateway.broker_check import DROPPED_TOPIC, Dropped, dangers, refusals
from gateway.broker_url import BrokerUrl
from gateway.inlet import Inlet, Take
from gateway.limits import Limits, Shed, device_of
from tracker.clocks import Clock

KEEPALIVE_S = 60
SESSION_EXPIRY_S = 7 * 86_400  # longer than the worst outage, or the broker forgets its queue
CONNECT_TIMEOUT_S = 5
RETRY_S = (0.2, 0.5, 1, 2, 5, 10)  # between attempts to connect; the last one repeats
WAITING_AT_MOST = 20_000  # messages held; a broker without a window stops here at the socket

log = structlog.get_logger()


class BrokerRefused(Exception):
    """The broker cannot be used as it is set up; the text says what to change."""


class Delivery(NamedTuple):
    """A message as it came: `received` by the domain's clock (epoch ms), `mid` the broker's
    number for it within the connection `epoch`. One that is `shed` is above its device's limit:
    it is only to be acknowledged, and its payload is gone."""

    topic: str
    payload: bytes
    received: int
    qos: int
    mid: int
    epoch: int
    shed: bool = False


class Session:
    """A persistent session of one client id. Not thread-safe: one thread calls everything."""

    def __init__(
        self,
        broker: BrokerUrl,
        client_id: str,
        topics: Iterable[str],
        clock: Clock,
        *,
        window: int,
        mqtt5: bool = True,
        limits: Limits | None = None,
        group: str = "",
        leaving: bool = False,
    ) -> None:
        """`window` is how many messages the broker may send ahead of our acknowledgements. The
        members of a `group` share the messages. One that is `leaving` ends its subscriptions,
        and takes in what the broker still holds for it.
        """
        if not client_id:
            raise BrokerRefused("a session needs a client id, or the broker forgets its queue")
        self.waiting: deque[Delivery] = deque()
        self.connected = False  # and subscribed
        self.shed = Shed()
        self.dropped = Dropped()
        self._broker = broker
        self._group = group
        self._warned: set[str] = set()
        self._counts_mid: int | None = None  # of the subscription to what the broker drops
        self._topics = [shared(topic, group) for topic in topics]
        self._leaving = leaving
        self._clock = clock
        self._window = window
        self._limits = limits
        self._epoch = 0
        self._online = False  # between CONNACK and disconnection; `connected` is subscribed
        self._attempts = 0
        self._next_attempt = 0.0
        self._failed: str | None = None
        self._mqtt5 = mqtt5
        self._client = self._make_client(client_id)

    def _make_client(self, client_id: str) -> paho.Client:
        client = _Client(
            CallbackAPIVersion.VERSION2,
            client_id=client_id,
            clean_session=None if self._mqtt5 else False,
            protocol=MQTTProtocolVersion.MQTTv5 if self._mqtt5 else MQTTProtocolVersion.MQTTv311,
            manual_ack=True,
        )
        client.connect_timeout = CONNECT_TIMEOUT_S
        if self._broker.user:
            client.username_pw_set(self._broker.user, self._broker.password)
        if self._broker.tls:
            self._use_tls(client)
        client.on_connect = self._on_connect
        client.on_subscribe = self._on_subscribe
        client.on_unsubscribe = lambda *_: self._set_connected()
        client.take = self._take
        client.on_disconnect = self._on_disconnect
        # Says that we watch the socket: else paho writes each packet by itself, at once.
        client.on_socket_register_write = lambda *_: None
        return client

    def _use_tls(self, client: paho.Client) -> None:
        try:
            context = ssl.create_default_context(cafile=self._broker.ca)
        except (OSError, ssl.SSLError) as error:
            raise BrokerRefused(
                f"cannot read the certificates {self._broker.ca}: {error}"
            ) from None
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        if self._broker.cert:
            try:
                context.load_cert_chain(self._broker.cert, self._broker.key, password=_no_password)
            except (OSError, ssl.SSLError) as error:
                raise BrokerRefused(
                    f"cannot use the certificate {self._broker.cert} with the key "
                    f"{self._broker.key}: {error}"
                ) from None
        client.tls_set_context(context)

    def serve(self, timeout: float) -> None:
        """Wait up to `timeout` seconds for traffic and handle it: take in the messages that
        have come, answer pings, connect again where the connection is gone.

        Raises BrokerRefused where trying again cannot help.
        """
        if self._failed:
            self._refuse()
        inlet: Any = self._client.socket()
        if inlet is None:
            self._connect_when_due(timeout)
            return
        reads = [inlet] if len(self.waiting) < WAITING_AT_MOST else []
        writes = [inlet] if self._client.want_write() else []
        try:
            readable, writable, _ = select.select(reads, writes, [], timeout)
        except (OSError, ValueError):
            readable = writable = []
        # Reading comes first: a write to a broker that has just said why it leaves would lose that.
        if readable:
            self._read(inlet)
        if writable and self._client.socket() is not None:
            self._client.loop_write()
        self._client.loop_misc()
        if self._failed:
            self._refuse()

    def _read(self, inlet: Inlet) -> None:
        inlet.receive()
        if isinstance(inlet.end, ssl.SSLError) and "CERTIFICATE_REQUIRED" in str(inlet.end):
            self._failed = (
                f"{self._broker} asks for a certificate; set RETOUR_MQTT_CERT and RETOUR_MQTT_KEY"
            )
        while inlet.sift():
            if self._client.loop_read() != MQTTErrorCode.MQTT_ERR_SUCCESS:
                return

    def acknowledge(self, deliveries: Sequence[Delivery]) -> None:
        """Acknowledge messages in the order in which they came, unless the connection that
        brought them is gone."""
        stale = 0
        for delivery in deliveries:
            if delivery.epoch != self._epoch or not self._online:
                stale += 1
            elif delivery.qos:
                self._client.ack(delivery.mid, delivery.qos)
        if stale:
            metrics.STALE_ACKS.inc(stale)
            log.info("acknowledgements dropped: the connection is a newer one", messages=stale)

    def publish(self, topic: str, payload: bytes) -> bool:
        """Publish at QoS 0; False where there is no connection to publish on."""
        return self._online and self._client.publish(topic, payload).rc == 0

    def flush(self) -> None:
        """Write out what is queued, in as few segments as the network takes."""
        sock = self._client.socket()
        if sock is None or not self._client.want_write():
            return
        _cork(sock, True)
        self._client.loop_write()
        if (sock := self._client.socket()) is not None:
            _cork(sock, False)

    def close(self, *, forget: bool = False) -> None:
        """Leave the broker. The session, and what the broker queues for it, stays; unless the
        broker is to `forget` it, which MQTT 3.1.1 has no word for."""
        if self._client.socket() is None:
            return
        self.flush()
        self.connected = False  # so that nobody is warned of what we do ourselves
        properties = None
        if forget and self._mqtt5:
            properties = Properties(PacketTypes.DISCONNECT)  # type: ignore[no-untyped-call]
            properties.SessionExpiryInterval = 0
        self._client.disconnect(properties=properties)
        self._client.loop_write()

    def _connect_when_due(self, timeout: float) -> None:
        wait = self._next_attempt - self._clock.mono()
        if wait > 0:
            select.select([], [], [], min(wait, timeout))
            return
        pause = RETRY_S[min(self._attempts, len(RETRY_S) - 1)]
        try:
            self._connect()
        except (OSError, ValueError) as error:
            if self._attempts == 0:
                log.warning(
                    "no connection to the broker", broker=str(self._broker), error=str(error)
                )
            if isinstance(error, ssl.SSLCertVerificationError):
                self._failed = f"{self._broker} shows a certificate that is not trusted: {error}"
        self._attempts += 1
        self._next_attempt = self._clock.mono() + pause

    def _connect(self) -> None:
        if self._epoch or self._attempts:
            self._client.reconnect()
            return
        options: dict[str, Any] = {}
        if self._mqtt5:
            properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
            properties.SessionExpiryInterval = SESSION_EXPIRY_S
            properties.ReceiveMaximum = self._window
            # paho's default wipes the session with the first CONNECT of every process
            options = {"clean_start": False, "properties": properties}
        self._client.connect(self._broker.host, self._broker.port, KEEPALIVE_S, **options)

    def _on_connect(
        self, _c: Any, _u: Any, flags: Any, reason: ReasonCode, properties: Properties | None
    ) -> None:
        if reason.is_failure:
            self._on_refusal(reason)
            return
        self._epoch += 1
        self._attempts = 0
        self._online = True
        if flags.session_present:
            self.waiting.clear()  # the broker delivers these again, with numbers that count
        said = {} if properties is None else properties.json()  # type: ignore[no-untyped-call]
        if not self._suits(said):
            return
        sock: Any = self._client.socket()
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self._leaving:
            self._client.unsubscribe(self._topics)
        else:
            self._client.subscribe([(topic, 1) for topic in self._topics])
            if self._mqtt5:  # an older broker may end the connection of who may not read this
                _, self._counts_mid = self._client.subscribe(DROPPED_TOPIC, 0)
        log.info("connected", broker=str(self._broker), session_present=flags.session_present)

    def _suits(self, said: Mapping[str, Any]) -> bool:
        """Whether the broker can be used; told once where that is dangerous."""
        if found := refusals(said, self._group):
            self._failed = f"{self._broker} cannot be used: {found[0]}"
            return False
        for danger in dangers(said, SESSION_EXPIRY_S):
            if danger not in self._warned:
                self._warned.add(danger)
                log.warning("the broker's settings are dangerous", danger=danger)
        return True

    def _on_refusal(self, reason: ReasonCode) -> None:
        text = str(reason)
        if text in ("Unsupported protocol version", "Client identifier not valid"):
            self._failed = f"{self._broker}: {text}; try RETOUR_MQTT_VERSION=3.1.1"
        elif text in ("Bad user name or password", "Not authorized", "Banned"):
            self._failed = f"{self._broker}: {text}; see RETOUR_MQTT_URL"
        else:
            log.warning("the broker refuses the connection", reason=text)

    def _on_subscribe(self, _c: Any, _u: Any, mid: int, reasons: list[ReasonCode], _p: Any) -> None:
        if mid == self._counts_mid:
            if reasons[0].is_failure:
                log.info("the broker does not tell what it drops", reason=str(reasons[0]))
            return
        refused = [t for t, reason in zip(self._topics, reasons, strict=False) if reason.is_failure]
        if refused:
            self._failed = f"{self._broker} refuses the subscription to {', '.join(refused)}"
            return
        self._set_connected()

    def _set_connected(self) -> None:
        self.connected = True
        metrics.CONNECTED.set(1)

    def _take(self, topic: str, payload: bytes, qos: int, mid: int) -> None:
        if not qos and topic == DROPPED_TOPIC:
            self._hear_of_drops(payload)
            return
        shed = self._limits is not None and self._is_flood(self._limits, topic, len(payload))
        self.waiting.append(
            Delivery(
                topic, b"" if shed else payload, self._clock.now(), qos, mid, self._epoch, shed
            )
        )

    def _hear_of_drops(self, payload: bytes) -> None:
        if more := self.dropped.tell(payload, self._clock.mono()):
            log.error("the broker drops messages: its queues are too small", messages=more)
        metrics.BROKER_DROPPED.set(self.dropped.total or 0)

    def _is_flood(self, limits: Limits, topic: str, size: int) -> bool:
        device, mono = device_of(topic), self._clock.mono()
        if limits.allows(device, size, mono):
            return False
        if self.shed.add(device, mono):
            log.warning(
                "messages shed: the device sends more than it may",
                device=device,
                messages=self.shed.messages[device],
            )
        return True

    def _on_disconnect(self, _c: Any, _u: Any, _f: Any, reason: ReasonCode, _p: Any) -> None:
        if self.connected:
            log.warning("disconnected", broker=str(self._broker), reason=str(reason))
        self.connected = self._online = False
        metrics.CONNECTED.set(0)

    def _refuse(self) -> NoReturn:
        raise BrokerRefused(self._failed)


def shared(topic: str, group: str) -> str:
    """What the members of a group subscribe to; without a group the topic itself."""
    return f"$share/{group}/{topic}" if group else topic


class _Client(paho.Client):
    """paho's client, but for the messages: those go to `take`."""

    take: Take

    def _create_socket(self) -> Any:
        mqtt5 = self._protocol == MQTTProtocolVersion.MQTTv5
        return Inlet(super()._create_socket(), self.take, mqtt5=mqtt5)


def _no_password() -> str:
    """Nobody is there to be asked for the password of a key."""
    raise OSError("the key is encrypted; a gateway starts alone and needs a plain one")


def _cork(sock: Any, on: bool) -> None:
    """Hold segments back while many small packets are written (Linux); a hint, no need."""
    if hasattr(socket, "TCP_CORK"):
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, int(on))
