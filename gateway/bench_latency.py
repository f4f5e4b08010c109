"""From publishing to the receipt: at a steady rate, and while one device floods.

What is measured is published and timed in a process of its own, as devices are.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import orjson
import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion

from gateway.bench_load import Load, register
from gateway.broker_url import BrokerUrl
from gateway.gateway import Gateway
from gateway.limits import Limits
from gateway.mosquitto import Mosquitto
from gateway.running import Parts, Running
from tracker.clocks import SystemClock
from tracker.ports import Store
from tracker.stamps import StampPolicy

STEADY = Load(10_000, devices=1_000, events=1, kind="fix")
STEADY_PER_S = 1_000
NEIGHBOURS = Load(5_000, devices=200, events=1, kind="fix")
NEIGHBOURS_PER_S = 500
FLOOD = Load(1_000_000, devices=1, events=1, kind="fix", name="flood")  # ended with the others
BURST = 1_000
WITHIN_S = 60

OpenStore = Callable[[Path], Store]


def latency(open_store: OpenStore) -> dict[str, Any]:
    """1,000 devices at 1,000 messages a second."""
    with _gateway(open_store, STEADY) as (port, _):
        return _measured(port, STEADY, STEADY_PER_S)


def flood_latency(open_store: OpenStore) -> dict[str, Any]:
    """200 devices at 500 messages a second, while another sends as fast as it can."""
    with (
        _gateway(open_store, NEIGHBOURS, FLOOD) as (port, gateway),
        _flooding(port, gateway),
    ):
        before, started = _shed(gateway), time.monotonic()
        found = _measured(port, NEIGHBOURS, NEIGHBOURS_PER_S)
        shed, seconds = _shed(gateway) - before, time.monotonic() - started
    return found | {"shed": shed, "shed_per_s": round(shed / seconds)}


@contextmanager
def _gateway(open_store: OpenStore, *loads: Load) -> Iterator[tuple[int, Gateway]]:
    """A broker's port, and a gateway at work there that knows the loads' devices."""
    with tempfile.TemporaryDirectory() as name, Mosquitto(Path(name)) as broker:
        store, clock = open_store(Path(name) / "retour.db"), SystemClock()
        for load in loads:
            register(store, load)
        parts = Parts(store, clock, StampPolicy(), "gateway", Limits(burst=BURST))
        with Running(parts.gateway(BrokerUrl.parse(broker.url))) as running:
            running.wait_until_ready()
            yield broker.port, running.gateway


@contextmanager
def _flooding(port: int, gateway: Gateway) -> Iterator[None]:
    """One device sends as fast as it can, from when it is above its limit on. It comes after
    everybody else for the processor, for a real one has a processor of its own."""
    command = [
        "nice",
        "-n",
        "19",
        sys.executable,
        "-m",
        "gateway.bench_load",
        str(port),
        FLOOD.as_json(),
    ]
    flood = subprocess.Popen(command, stdin=subprocess.DEVNULL)  # noqa: S603
    try:
        deadline = time.monotonic() + WITHIN_S
        while not _shed(gateway):
            if time.monotonic() > deadline or flood.poll() is not None:
                raise TimeoutError("there is no flood")
            time.sleep(0.01)
        yield
    finally:
        flood.kill()
        flood.wait()


def _shed(gateway: Gateway) -> int:
    return gateway.shed().get(FLOOD.device(0), 0)


def _measured(port: int, load: Load, rate: int) -> dict[str, Any]:
    command = [sys.executable, "-m", "gateway.bench_latency", str(port), str(rate), load.as_json()]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, timeout=10 * WITHIN_S)  # noqa: S603
    times = sorted(orjson.loads(done.stdout))
    return {
        "rate_per_s": rate,
        "messages": len(times),
        "p50": round(times[len(times) // 2] * 1000, 1),
        "p99": round(times[len(times) * 99 // 100] * 1000, 1),
        "max": round(times[-1] * 1000, 1),
    }


def latencies(port: int, load: Load, rate: int) -> list[float]:
    """Publish at a rate (messages a second), and return the seconds until each receipt. None
    of these messages may be lost: a receipt covers all that its device sent before."""
    sent = {load.device(n): deque[tuple[int, float]]() for n in range(load.devices)}
    times: list[float] = []
    done = threading.Event()

    def on_message(_c: Any, _u: Any, message: paho.MQTTMessage) -> None:
        now = time.perf_counter()
        waiting = sent.get(message.topic.split("/")[2], ())
        seq = orjson.loads(message.payload)["seq"]
        while waiting and waiting[0][0] <= seq:
            times.append(now - waiting.popleft()[1])
        if len(times) == load.messages:
            done.set()

    client = paho.Client(CallbackAPIVersion.VERSION2)
    client.on_message = on_message
    client.max_inflight_messages_set(load.messages)  # as many devices, not as one that waits
    client.connect("127.0.0.1", port)
    client.subscribe("retour/v1/+/receipt", qos=1)
    client.loop_start()
    started = time.perf_counter()
    for n, (topic, payload) in enumerate(load.published()):
        if (early := started + n / rate - time.perf_counter()) > 0:
            time.sleep(early)
        seq, turn = divmod(n, load.devices)
        sent[load.device(turn)].append((seq, time.perf_counter()))
        client.publish(topic, payload, qos=1)
    if not done.wait(WITHIN_S):
        raise TimeoutError(f"{load.messages - len(times)} messages have no receipt")
    client.disconnect()
    client.loop_stop()
    return times


if __name__ == "__main__":
    found = latencies(int(sys.argv[1]), Load(**orjson.loads(sys.argv[3])), int(sys.argv[2]))
    sys.stdout.buffer.write(orjson.dumps(found))
