"""Devices that publish at a steady rate, and somebody who repeats and forges messages."""

from __future__ import annotations

import random
import time
from collections import deque
from collections.abc import Sequence
from typing import Any

import orjson
import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion

from firmware_sim.broker import Broker
from firmware_sim.clock import Clock
from firmware_sim.device import Device
from firmware_sim.fleet import Fleet
from firmware_sim.outbox import Event
from tracker.model import Asset
from tracker.model import Device as Registered
from tracker.ports import Store
from tracker.registry import bind_device, register_asset, register_device
from tracker.stamps import StampPolicy

DEVICES = 20
INTERVAL_MS = 200
FORGED = "soak-forged"  # the device in whose name messages with wrong clocks are published
REMEMBERED = 2_000
AT_ONCE = 200
MINUTE = 60_000
YEAR = 365 * 24 * 60 * MINUTE
BAD = (
    b"",
    b"\xff\xfe",
    b"[1, 2]",
    b"[" * 2_000,
    b'{"boot": "b", "seq": 0, "events": [{"at": NaN}]}',
)
WRONG_CLOCKS = (10 * MINUTE, 10 * YEAR, -60 * YEAR, -MINUTE)  # ms ahead


class Steady:
    """A world in which a tracker moves a little and says so, again and again, until it rests."""

    def __init__(self, number: int, start_ms: int) -> None:
        self._number = number
        self.told = 0
        self.resting = False
        self.next_due_ms = start_ms + number * INTERVAL_MS // DEVICES

    def step(self, now_ms: int) -> list[Event]:
        self.next_due_ms = now_ms + INTERVAL_MS
        if self.resting:
            return []
        self.told += 1
        lat = 50 + self._number / 10 + self.told % 1_000 / 1e5
        return [{"at": now_ms, "fix": {"lat": round(lat, 6), "lon": 4.2, "acc": 7.5}}]


class SoakFleet:
    """The devices and the mischief, on the broker at a port."""

    def __init__(self, port: int) -> None:
        broker, clock = Broker("127.0.0.1", port), Clock()
        self._worlds = [Steady(n, clock.now_ms()) for n in range(DEVICES)]
        self.devices = [
            Device(f"soak-{n}", broker, clock, world) for n, world in enumerate(self._worlds)
        ]
        self._fleet = Fleet(self.devices)
        self.mischief = Mischief(port)

    def start(self) -> None:
        self.mischief.start()
        self._fleet.start()

    def rest(self) -> None:
        """Tell nothing new any more; what has no receipt is sent on."""
        for world in self._worlds:
            world.resting = True

    def stop(self) -> None:
        self._fleet.stop()
        self.mischief.stop()

    def sent(self) -> int:
        """How many messages there were."""
        return sum(world.told for world in self._worlds)

    def pending(self) -> int:
        """How many messages lack a receipt."""
        return self._fleet.pending()

    def receipted(self) -> int:
        """How many messages have receipts."""
        return sum(high - low + 1 for device in self.devices for low, high in device.receipted())


class Mischief:
    """Hears what devices publish, and publishes what they would not."""

    def __init__(self, port: int) -> None:
        self._heard: deque[tuple[str, bytes]] = deque(maxlen=REMEMBERED)
        self._seq = 0
        self._client = paho.Client(CallbackAPIVersion.VERSION2, client_id="soak-mischief")
        self._client.on_connect = lambda client, *_: client.subscribe("retour/v1/+/events")
        self._client.on_message = lambda _c, _u, m: self._heard.append((m.topic, bytes(m.payload)))
        self._client.reconnect_delay_set(1, 1)
        self._client.connect_async("127.0.0.1", port)

    def start(self) -> None:
        self._client.loop_start()

    def stop(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def repeat(self, chance: random.Random) -> None:
        """Copies of some of the last messages, in any order."""
        heard = list(self._heard)
        self._publish(chance.sample(heard, min(AT_ONCE, len(heard))))

    def publish_bad(self, chance: random.Random) -> None:
        """What no decoder takes, in the name of devices, and of one that nobody knows."""
        of = f"soak-{chance.randrange(DEVICES)}"
        self._publish([(f"retour/v1/{of}/events", bad) for bad in BAD])
        self._publish([("retour/v1/soak-unknown/events", self._message(0))])
        self._publish([(f"retour/v1/{of}/events", self._message(0, device="soak-other"))])

    def publish_skewed(self, chance: random.Random) -> None:
        """Messages of a device whose clock is wrong, one way or another."""
        ahead = [chance.choice(WRONG_CLOCKS) for _ in range(20)]
        self._publish([(f"retour/v1/{FORGED}/events", self._message(ms)) for ms in ahead])

    def _message(self, ahead: int, **more: Any) -> bytes:
        self._seq += 1
        at = time.time_ns() // 1_000_000 + ahead
        event = {"at": at, "fix": {"lat": 50, "lon": 5}}
        return orjson.dumps(
            {"boot": "forged", "seq": self._seq, "sent": at, "events": [event], **more}
        )

    def _publish(self, messages: Sequence[tuple[str, bytes]]) -> None:
        for topic, payload in messages:
            self._client.publish(topic, payload, qos=1)


def register(store: Store) -> None:
    """Every device, each on an asset of its own; but for the unknown one."""
    with store.writing() as tx:
        for device in [*(f"soak-{n}" for n in range(DEVICES)), FORGED]:
            register_device(tx, Registered(device, "tracker"), StampPolicy())
            register_asset(tx, Asset(f"on-{device}"))
            bind_device(tx, f"on-{device}", device)
