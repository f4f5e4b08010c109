"""The load of the ingest benchmark, published from a process of its own."""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from itertools import islice
from typing import Any

import orjson
import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion

from tracker.model import Asset, Device
from tracker.ports import Store
from tracker.registry import bind_device, bind_tag, register_asset, register_device
from tracker.stamps import StampPolicy

SLICE_S = 0.01
AHEAD_AT_MOST = 200  # not yet acknowledged by the broker: paho walks through all for each
WITHIN_S = 1_800


@dataclass(frozen=True, slots=True)
class Load:
    """So many messages, from devices that take turns; each of some events of one kind. A device
    has something to tell `every_s`."""

    messages: int
    devices: int
    events: int
    kind: str
    name: str = "dev"
    every_s: float = 1.0

    def device(self, n: int) -> str:
        return f"{self.name}-{n}"

    def epcs(self) -> list[str]:
        return [
            f"3374257BF40C0E40{n:08X}" for n in range(self.events if self.kind == "read" else 0)
        ]

    def as_json(self) -> str:
        return orjson.dumps(asdict(self)).decode()

    def published(self, *, live: bool = False) -> Iterator[tuple[str, bytes]]:
        """Topics and payloads, the last of them stamped now; or `live`, each when it is asked
        for."""
        now = time.time_ns() // 1_000_000
        events = [self._event(n) for n in range(self.events)]
        for n in range(self.messages):
            seq, turn = divmod(n, self.devices)
            before = (self.messages - n) * self.every_s * 1_000 / self.devices
            at = time.time_ns() // 1_000_000 if live else now - int(before)
            stamped = [{"at": at, **event} for event in events]
            body = {"boot": "bench", "seq": seq, "sent": at, "events": stamped}
            yield f"retour/v1/{self.device(turn)}/events", orjson.dumps(body)

    def _event(self, n: int) -> dict[str, Any]:
        if self.kind == "read":
            epc = self.epcs()[n]
            return {"read": {"epc": epc, "antenna": 1, "rssi": -54.0, "count": 6}}
        return {"fix": {"lat": 50.1, "lon": 4.2, "acc": 7.5, "speed": 1.2, "heading": 90}}


def register(store: Store, load: Load) -> None:
    """Every device on an asset of its own; where tags are read, they are bound as well."""
    with store.writing() as tx:
        for n in range(load.devices):
            device = load.device(n)
            register_device(tx, Device(device, "tracker"), StampPolicy())
            register_asset(tx, Asset(f"on-{device}"))
            bind_device(tx, f"on-{device}", device)
        for n, epc in enumerate(load.epcs()):
            bind_tag(tx, f"on-{load.device(n)}", epc)


def publish(port: int, load: Load) -> None:
    """Publish a load as fast as the broker takes it, and wait until it has taken all."""
    client = paho.Client(CallbackAPIVersion.VERSION2)
    client.max_inflight_messages_set(AHEAD_AT_MOST)
    room = threading.Semaphore(AHEAD_AT_MOST)
    client.on_publish = lambda *_: room.release()
    client.connect("127.0.0.1", port)
    client.loop_start()
    for topic, payload in load.published():
        room.acquire()
        client.publish(topic, payload, qos=1)
    for _ in range(AHEAD_AT_MOST):
        room.acquire()
    client.disconnect()
    client.loop_stop()


def publish_live(port: int, load: Load, rate: float) -> None:
    """Publish a load as it is observed, so many messages a second, and wait until the broker has
    taken all. Not through paho: devices have processors of their own, which it would take of
    those that are measured."""
    with socket.create_connection(("127.0.0.1", port), WITHIN_S) as broker:
        broker.sendall(b"\x10\x10\x00\x04MQTT\x04\x02\x00\x00\x00\x04live")
        answers = broker.makefile("rb")
        assert answers.read(4) == b"\x20\x02\x00\x00", "the broker refuses the load"
        taken = threading.Thread(target=lambda: answers.read(4 * load.messages))
        taken.start()
        messages = enumerate(load.published(live=True), 1)
        started, sent = time.perf_counter(), 0
        while sent < load.messages:
            time.sleep(SLICE_S)
            due = min(load.messages, int((time.perf_counter() - started) * rate))
            broker.sendall(b"".join(_packet(*one) for one in islice(messages, due - sent)))
            sent = due
        taken.join()


def _packet(number: int, message: tuple[str, bytes]) -> bytes:
    """A PUBLISH of MQTT 3.1.1 at QoS 1."""
    topic, payload = message[0].encode(), message[1]
    number = number % 65_535 + 1
    rest = len(topic).to_bytes(2, "big") + topic + number.to_bytes(2, "big") + payload
    length, more = bytearray(), len(rest)
    while more > 127:
        length.append(more % 128 | 128)
        more //= 128
    return b"\x32" + bytes([*length, more]) + rest


def publish_beside(port: int, load: Load, rate: float | None = None) -> None:
    """Publish a load from a process of its own, and wait for its end."""
    command = [sys.executable, "-m", "gateway.bench_load", str(port), load.as_json()]
    command += [] if rate is None else [str(rate)]
    subprocess.run(command, check=True, timeout=WITHIN_S)  # noqa: S603


if __name__ == "__main__":
    given = Load(**orjson.loads(sys.argv[2]))
    if len(sys.argv) > 3:
        publish_live(int(sys.argv[1]), given, float(sys.argv[3]))
    else:
        publish(int(sys.argv[1]), given)
