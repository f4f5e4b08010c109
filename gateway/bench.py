"""`retour bench ingest`: the gateway beside bare paho, both draining one queue of one broker.

- *bare*: paho alone, its own loop, every message acknowledged by hand.
- *session*: our session alone, every message acknowledged and forgotten.
- *gateway*: everything: decoded, logged, folded, committed, acknowledged, receipted.
"""

from __future__ import annotations

import resource
import statistics
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from gateway.bench_latency import OpenStore, flood_latency, latency
from gateway.bench_load import WITHIN_S, Load, publish_beside, register
from gateway.broker_url import BrokerUrl
from gateway.decoders import DECODERS
from gateway.gateway import Gateway
from gateway.ingest import Ingest
from gateway.limits import Limits
from gateway.mosquitto import Mosquitto
from gateway.session import Delivery, Session, shared
from tracker.clocks import SystemClock
from tracker.ports import Store
from tracker.receipts import Receipt
from tracker.stamps import StampPolicy

WINDOW = 1_000


@dataclass(frozen=True, slots=True)
class Round:
    """Messages a second, three ways, of one round."""

    bare: float
    session: float
    gateway: float


def bench_ingest(open_store: OpenStore, messages: int, rounds: int, waiting: int) -> dict[str, Any]:
    """Medians over some rounds, for one event a message from 1,000 devices, each second and every
    ten minutes, where most messages say something of the stage; and for 50 reads a message; then
    the latency from publishing to the receipt, at a steady rate and while one device floods; and,
    where `waiting` is given, the memory used with so many messages queued."""
    single = Load(messages, devices=1_000, events=1, kind="fix")
    apart = replace(single, every_s=600)
    many = Load(max(messages // 20, 100), devices=1_000, events=50, kind="read")
    # Memory first: what is measured is the most that the process has ever used.
    memory = {"waiting": _memory(open_store, waiting)} if waiting else {}
    return {
        **_drained(open_store, single, rounds),
        "ten_minutes_apart": _drained(open_store, apart, rounds),
        "reads_50": _drained(open_store, many, rounds),
        "latency_ms": latency(open_store),
        "flood_latency_ms": flood_latency(open_store),
        **memory,
    }


def _drained(open_store: OpenStore, load: Load, rounds: int) -> dict[str, Any]:
    done = [_round(open_store, load) for _ in range(rounds)]
    return {
        "ratio": _median(r.gateway / r.bare for r in done),
        "events_ratio": _median(r.gateway * load.events / r.bare for r in done),
        "ratio_to_session": _median(r.gateway / r.session for r in done),
        "bare_per_s": _median(r.bare for r in done),
        "session_per_s": _median(r.session for r in done),
        "gateway_per_s": _median(r.gateway for r in done),
        "messages": load.messages,
        "events_per_message": load.events,
        "rounds": rounds,
    }


def _round(open_store: OpenStore, load: Load) -> Round:
    with tempfile.TemporaryDirectory() as name, Mosquitto(Path(name)) as broker:
        queue_up(broker, "bare", load)
        bare = drain_bare(broker, load)
        queue_up(broker, "session", load)
        session = drain_session(broker, load)
        queue_up(broker, "gateway", load)
        store = open_store(Path(name) / "retour.db")
        register(store, load)
        return Round(bare, session, drain_gateway(broker, load, store))


def drain_bare(broker: Mosquitto, load: Load) -> float:
    """Messages a second that paho alone receives and acknowledges."""
    client = _client("bare", broker)
    seen, started, ended = 0, 0.0, 0.0

    def on_message(_c: paho.Client, _u: Any, message: paho.MQTTMessage) -> None:
        nonlocal seen, started, ended
        if not seen:
            started = time.perf_counter()
        seen += 1
        client.ack(message.mid, message.qos)
        if seen == load.messages:
            ended = time.perf_counter()

    client.on_message = on_message
    _loop_until(client, lambda: bool(ended))
    client.disconnect()
    return load.messages / (ended - started)


def drain_session(broker: Mosquitto, load: Load) -> float:
    """Messages a second that our session alone receives and acknowledges."""
    session = Session(_url(broker), "session", DECODERS, SystemClock(), window=WINDOW)
    left, started = load.messages, 0.0
    while left:
        session.serve(0.1)
        if session.waiting and not started:
            started = time.perf_counter()
        batch = list(session.waiting)
        session.waiting.clear()
        session.acknowledge(batch)
        session.flush()
        left -= len(batch)
    ended = time.perf_counter()
    session.close()
    return load.messages / (ended - started)


class _Timed(Ingest):
    """An ingest that notes when its first message came, and ends when it has stored so many."""

    def __init__(self, store: Store, messages: int) -> None:
        super().__init__(store, StampPolicy())
        self.left = messages
        self.started = 0  # epoch ms
        self.when_done: Callable[[], None] = lambda: None

    def __call__(self, deliveries: Sequence[Delivery]) -> list[Receipt]:
        self.started = self.started or deliveries[0].received
        receipts = super().__call__(deliveries)
        self.left -= len(deliveries)
        if self.left <= 0:
            self.when_done()
        return receipts


def drain_gateway(broker: Mosquitto, load: Load, store: Store) -> float:
    """Messages a second through the whole gateway."""
    clock = SystemClock()
    session = Session(_url(broker), "gateway", DECODERS, clock, window=WINDOW, limits=Limits())
    ingest = _Timed(store, load.messages)
    gateway = Gateway(session, ingest, store, clock)
    ingest.when_done = gateway.stop
    gateway.run()
    return load.messages / (clock.now() - ingest.started) * 1_000


def queue_up(broker: Mosquitto, client_id: str, load: Load) -> None:
    """Make a session at the broker, leave it, and publish the load into its queue."""
    subscribe(broker, client_id)
    publish_beside(broker.port, load)


def subscribe(broker: Mosquitto, client_id: str, group: str = "") -> None:
    """Make a session at the broker, perhaps one that shares with a group, and leave it."""
    client = _client(client_id, broker)
    subscribed: list[bool] = []
    client.on_subscribe = lambda *_: subscribed.append(True)
    _loop_until(client, client.is_connected)
    client.subscribe([(shared(topic, group), 1) for topic in DECODERS])
    _loop_until(client, lambda: bool(subscribed))
    client.disconnect()


def _memory(open_store: OpenStore, waiting: int) -> dict[str, Any]:
    """The most memory this process has used, once it has drained so many queued messages."""
    load = Load(waiting, devices=1_000, events=1, kind="fix")
    with tempfile.TemporaryDirectory() as name, Mosquitto(Path(name)) as broker:
        queue_up(broker, "gateway", load)
        store = open_store(Path(name) / "retour.db")
        register(store, load)
        rate = drain_gateway(broker, load, store)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return {"messages": waiting, "peak_mb": round(peak / 1024), "per_s": round(rate)}


def _client(client_id: str, broker: Mosquitto) -> paho.Client:
    client = paho.Client(
        CallbackAPIVersion.VERSION2,
        client_id=client_id,
        protocol=MQTTProtocolVersion.MQTTv5,
        manual_ack=True,
    )
    properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
    properties.SessionExpiryInterval = 3_600
    properties.ReceiveMaximum = WINDOW
    client.connect("127.0.0.1", broker.port, clean_start=False, properties=properties)
    return client


def _loop_until(client: paho.Client, done: Callable[[], bool]) -> None:
    deadline = time.monotonic() + WITHIN_S
    while not done():
        if time.monotonic() > deadline:
            raise TimeoutError("the broker did not deliver")
        client.loop(0.1)


def _url(broker: Mosquitto) -> BrokerUrl:
    return BrokerUrl.parse(broker.url)


def _median(values: Iterable[float]) -> float:
    return round(statistics.median(values), 3)
