"""Benchmarks of the gateway, each beside bare paho in the same run."""

from __future__ import annotations

import json
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from gateway.broker_url import BrokerUrl
from gateway.gateway import Gateway
from gateway.ingest import Ingest
from gateway.mosquitto import Mosquitto
from gateway.session import Session
from tracker.clocks import SystemClock
from tracker.ports import Store
from tracker.stamps import StampPolicy

TOPICS = ("retour/v1/+/events", "retour/v1/+/presence")
WINDOW = 1_000
WITHIN_S = 600


@dataclass(frozen=True, slots=True)
class Load:
    """Messages to drain: `devices` take turns, each message has `events` of a kind."""

    messages: int
    devices: int
    events: int
    kind: str


def drain_bare(broker: Mosquitto, load: Load) -> float:
    """Messages a second that paho alone receives and acknowledges."""
    client = _client("bare", broker, manual_ack=True)
    seen, started, ended = 0, 0.0, 0.0

    def on_message(c: paho.Client, _u: Any, message: paho.MQTTMessage) -> None:
        nonlocal seen, started, ended
        if not seen:
            started = time.perf_counter()
        seen += 1
        c.ack(message.mid, message.qos)
        if seen == load.messages:
            ended = time.perf_counter()

    client.on_message = on_message
    deadline = time.monotonic() + WITHIN_S
    while not ended and time.monotonic() < deadline:
        client.loop(0.1)
    client.disconnect()
    return load.messages / (ended - started)


def drain_tuned(broker: Mosquitto, load: Load) -> float:
    """The same, with paho driven as the gateway drives it: all that has come, then the acks."""
    session = Session(BrokerUrl.parse(broker.url), "tuned", TOPICS, SystemClock(), window=WINDOW)
    left = load.messages
    started = 0.0
    while left:
        session.serve(0.1, WINDOW)
        if session.waiting and not started:
            started = time.perf_counter()
        batch = list(session.waiting)
        session.waiting.clear()
        session.acknowledge(batch)
        session.flush()
        left -= len(batch)
    session.close()
    return load.messages / (time.perf_counter() - started)


class _Counted:
    """An Ingest that notes when the first batch came and the last was committed."""

    def __init__(self, ingest: Ingest, messages: int, done: Callable[[], None]) -> None:
        self._ingest, self._left, self._done = ingest, messages, done
        self.first = 0.0

    def __call__(self, deliveries: Any) -> Any:
        receipts = self._ingest(deliveries)
        self._left -= len(deliveries)
        if self._left <= 0:
            self._done()
        return receipts


def drain_gateway(broker: Mosquitto, load: Load, store: Store) -> float:
    """Messages a second through the whole gateway: stored, folded, acknowledged, receipted."""
    clock = SystemClock()
    session = Session(BrokerUrl.parse(broker.url), "gateway", TOPICS, clock, window=WINDOW)
    counted = _Counted(Ingest(store, StampPolicy()), load.messages, lambda: gateway.stop())
    gateway = Gateway(session, counted, store, clock)  # type: ignore[arg-type]
    started = 0.0

    def ready() -> None:
        nonlocal started
        started = time.perf_counter()

    gateway.run(ready)
    return load.messages / (time.perf_counter() - started)


def queue_up(broker: Mosquitto, client_id: str, load: Load) -> None:
    """Make a session at the broker, leave it, and publish the load into its queue."""
    client = _client(client_id, broker, manual_ack=True)
    done = False

    def subscribed(*_: Any) -> None:
        nonlocal done
        done = True

    client.on_subscribe = subscribed
    deadline = time.monotonic() + 10
    while not client.is_connected() and time.monotonic() < deadline:
        client.loop(0.1)
    client.subscribe([(topic, 1) for topic in TOPICS])
    while not done and time.monotonic() < deadline:
        client.loop(0.1)
    client.disconnect()
    command = [sys.executable, "-m", "gateway.bench", str(broker.port), json.dumps(vars_of(load))]
    subprocess.run(command, check=True, timeout=WITHIN_S)  # noqa: S603


def vars_of(load: Load) -> dict[str, Any]:
    return {n: getattr(load, n) for n in ("messages", "devices", "events", "kind")}


def _client(client_id: str, broker: Mosquitto, manual_ack: bool) -> paho.Client:
    client = paho.Client(
        CallbackAPIVersion.VERSION2,
        client_id=client_id,
        protocol=MQTTProtocolVersion.MQTTv5,
        manual_ack=manual_ack,
    )
    properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
    properties.SessionExpiryInterval = 3600
    properties.ReceiveMaximum = WINDOW
    client.connect("127.0.0.1", broker.port, clean_start=False, properties=properties)
    return client


def publish_load(port: int, load: Load) -> None:
    client = paho.Client(CallbackAPIVersion.VERSION2, protocol=MQTTProtocolVersion.MQTTv5)
    client.max_inflight_messages_set(1000)
    left = load.messages

    def on_publish(*_: Any) -> None:
        nonlocal left
        left -= 1

    client.on_publish = on_publish
    client.connect("127.0.0.1", port)
    client.loop_start()
    base = time.time_ns() // 1_000_000 - 3_600_000
    what: dict[str, Any] = {"lat": 50.1, "lon": 4.2, "acc": 7.5, "speed": 1.2, "heading": 90}
    if load.kind == "read":
        what = {"epc": "3374257BF40C0E400000162E", "antenna": 1, "rssi": -54.0, "count": 6}
    for n in range(load.messages):
        seq, device = divmod(n, load.devices)
        events = []
        for e in range(load.events):
            if load.kind == "read":
                what["epc"] = f"3374257BF40C0E40{e:08X}"
            events.append({"at": base + n + e, load.kind: dict(what)})
        payload = {"boot": "b", "seq": seq, "sent": base + n, "events": events}
        while n - (load.messages - left) > 5000:
            time.sleep(0.001)
        client.publish(f"retour/v1/dev-{device}/events", json.dumps(payload), qos=1)
    while left:
        time.sleep(0.01)
    client.disconnect()


if __name__ == "__main__":
    publish_load(int(sys.argv[1]), Load(**json.loads(sys.argv[2])))
