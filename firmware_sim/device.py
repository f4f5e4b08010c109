"""One device on MQTT: a thin shell around its outbox and its world."""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence
from typing import Any, Protocol

import orjson
import paho.mqtt.client as mqtt

from firmware_sim.broker import Broker
from firmware_sim.clock import Clock
from firmware_sim.outbox import Event, Outbox
from firmware_sim.receipts import Run

BUFFER = 10_000  # messages
EVENTS_PER_MESSAGE = 100  # well below the wire's 256 KiB, and below what small brokers take
WINDOW = 100  # messages that the broker has not acknowledged
STEPS_PER_PUMP = 1_000  # a device that slept long catches up in several turns
FLOOR_S = 2.0  # real seconds between two sendings of a message, however fast the clock
GOODBYE_S = 2.0

log = logging.getLogger("firmware_sim")


class World(Protocol):
    """What a device senses. `step` is called when `next_due_ms` has come, and moves it on."""

    next_due_ms: int

    def step(self, now_ms: int) -> list[Event]:
        """The events at `now_ms` (epoch ms)."""
        ...


class Device:
    """A device with a client of its own. Its work is done by whoever calls `pump` (a `Fleet`
    does). Without a world it sends only what `report` hands to it."""

    def __init__(
        self,
        device_id: str,
        broker: Broker,
        clock: Clock,
        world: World | None = None,
        *,
        capacity: int = BUFFER,
    ) -> None:
        self.device_id = device_id
        self._broker = broker
        self._clock = clock
        self._world = world
        self._outbox = Outbox(capacity, floor_ms=clock.domain_ms(FLOOR_S))
        self._lock = threading.Lock()  # around the outbox; never held during a call to paho
        self._connected = False
        self._complained = False
        self._connections = 0
        self._flying: list[mqtt.MQTTMessageInfo] = []
        self._client = self._new_client()

    @property
    def boot(self) -> str:
        """This start's id."""
        return self._outbox.boot

    def start(self) -> None:
        """Connects in the background, and again whenever the connection is lost."""
        self._client.loop_start()

    def stop(self) -> None:
        """Says goodbye, in a bounded time, and disconnects. What lacks a receipt is lost with
        the memory it stands in."""
        if self._connected:
            goodbye = self._publish("presence", self._presence(online=False))
            try:
                goodbye.wait_for_publish(GOODBYE_S)
            except (RuntimeError, ValueError):
                log.debug("%s: the connection went before the goodbye", self.device_id)
        self._client.disconnect()
        self._client.loop_stop()

    def report(self, events: Sequence[Event]) -> None:
        """Puts events into the outbox, as many messages as they need."""
        now = self._clock.now_ms()
        with self._lock:
            for start in range(0, len(events), EVENTS_PER_MESSAGE):
                self._outbox.append(events[start : start + EVENTS_PER_MESSAGE], now)

    def pump(self) -> None:
        """Lets the world go on until now and publishes what is due."""
        now = self._clock.now_ms()
        for _ in range(STEPS_PER_PUMP):
            if self._world is None or self._world.next_due_ms > now:
                break
            self.report(self._world.step(self._world.next_due_ms))
        if not self._connected:
            return
        self._flying = [info for info in self._flying if _flies(info)]
        with self._lock:
            messages = self._outbox.due(now, WINDOW - len(self._flying))
        for message in messages:
            self._flying.append(self._publish("events", message.payload()))

    def idle_s(self) -> float:
        """Real seconds until `pump` has something to do; none to come is infinity."""
        dues = [self._world.next_due_ms] if self._world is not None else []
        with self._lock:
            due = self._outbox.next_due()
        if due is not None and self._connected:
            dues.append(due)
        if not dues:
            return float("inf")
        return max(0.0, self._clock.real_seconds(min(dues) - self._clock.now_ms()))

    def receipted(self) -> tuple[Run, ...]:
        """The numbers of this boot that have receipts, as runs `(low, high)`, inclusive."""
        with self._lock:
            return self._outbox.receipted()

    def pending(self) -> int:
        """How many messages lack a receipt."""
        with self._lock:
            return len(self._outbox)

    def _new_client(self) -> mqtt.Client:
        client = self._broker.client(self.device_id, clean_session=False, inflight=WINDOW)
        client.on_socket_open = self._on_socket_open
        client.on_connect = self._on_connect
        client.on_connect_fail = self._on_connect_fail
        client.on_disconnect = self._on_disconnect
        client.on_message = self._on_message
        return client

    def _on_socket_open(self, client: mqtt.Client, *_: Any) -> None:
        """A CONNECT is about to be sent. Each has a number of its own, also where its answer
        gets lost: the broker may still publish its will."""
        self._connections += 1
        client.will_set(self._topic("presence"), self._presence(online=False), qos=1)

    def _on_connect(
        self, client: mqtt.Client, _userdata: Any, _flags: Any, reason: Any, _properties: Any
    ) -> None:
        if reason.is_failure:
            self._complain(f"refused: {reason}")
            return
        self._complained = False
        log.info("%s: connected to %s (%d)", self.device_id, self._broker.url, self._connections)
        client.subscribe(self._topic("receipt"), qos=1)
        self._publish("presence", self._presence(online=True, at=self._clock.now_ms()))
        with self._lock:
            self._outbox.reconnected()
        self._connected = True

    def _on_connect_fail(self, *_: Any) -> None:
        self._complain("not reachable")

    def _on_disconnect(
        self, _client: mqtt.Client, _userdata: Any, _flags: Any, reason: Any, _properties: Any
    ) -> None:
        if self._connected:
            log.info("%s: disconnected (%s)", self.device_id, reason)
        self._connected = False

    def _on_message(self, _client: mqtt.Client, _userdata: Any, message: mqtt.MQTTMessage) -> None:
        with self._lock:
            self._outbox.receipt(bytes(message.payload))

    def _complain(self, trouble: str) -> None:
        """Once, until a connection succeeds: firmware goes on trying for months."""
        if not self._complained:
            log.warning(
                "%s: %s: %s; trying again for ever", self.device_id, self._broker.url, trouble
            )
        self._complained = True

    def _publish(self, leaf: str, payload: bytes) -> mqtt.MQTTMessageInfo:
        return self._client.publish(self._topic(leaf), payload, qos=1)

    def _presence(self, **facts: Any) -> bytes:
        return orjson.dumps({"boot": self.boot, "conn": self._connections} | facts)

    def _topic(self, leaf: str) -> str:
        return f"retour/v1/{self.device_id}/{leaf}"


def _flies(info: mqtt.MQTTMessageInfo) -> bool:
    """Whether the broker is still to acknowledge a message. What was published just as the
    connection went counts no more: it is sent again on the next one."""
    return info.rc == mqtt.MQTT_ERR_SUCCESS and not info.is_published()
