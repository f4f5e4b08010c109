"""An embedded broker, and a gateway small enough to be obviously right."""

from __future__ import annotations

import json
import socket
import threading
from collections import defaultdict

import iotcore
import paho.mqtt.client as mqtt
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from firmware_sim.broker import Broker

WAIT_S = 15.0


def embedded_broker(port: int) -> iotcore.Broker:
    return iotcore.Broker(port=port, listen="127.0.0.1", max_payload_size=262_144)


@pytest.fixture
def nowhere() -> Broker:
    """An address where no broker listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return Broker("127.0.0.1", probe.getsockname()[1])


@pytest.fixture
def embedded(nowhere):
    """A broker of one's own, to be stopped and started again."""
    with embedded_broker(nowhere.port) as running:
        yield running


@pytest.fixture
def broker(embedded) -> Broker:
    return Broker("127.0.0.1", embedded.port)


class FakeGateway:
    """Stores what `accepts` lets through, and receipts it; `answers` = False keeps it silent.
    Receipts go out from paho's thread, one per message."""

    def __init__(self, broker: Broker) -> None:
        self.accepts = lambda device, body: True
        self.answers = True
        self.stored: dict[tuple[str, str], dict[int, dict]] = defaultdict(dict)
        self.conflicts: list[dict] = []
        self.presence: list[tuple[str, dict]] = []
        self.received = 0
        self._change = threading.Condition()
        self._ready = False
        self._client = mqtt.Client(CallbackAPIVersion.VERSION2, "fake-gateway")
        self._client.on_connect = lambda client, *_: client.subscribe("retour/v1/#", qos=1)
        self._client.on_subscribe = self._subscribed
        self._client.on_message = self._message
        self._client.connect(broker.host, broker.port)
        self._client.loop_start()
        self.wait_for(lambda: self._ready)

    def wait_for(self, condition) -> None:
        with self._change:
            assert self._change.wait_for(condition, WAIT_S)

    def receipt(self, device: str, boot: str) -> None:
        stored = self.stored[device, boot]
        missing, top = [], max(stored, default=-1)
        for seq in range(top + 1):
            if seq in stored:
                continue
            if missing and missing[-1][1] == seq - 1:
                missing[-1][1] = seq
            elif len(missing) == 8:
                top = seq - 1
                break
            else:
                missing.append([seq, seq])
        body = json.dumps({"boot": boot, "seq": top, "missing": missing})
        self._client.publish(f"retour/v1/{device}/receipt", body, qos=1)

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def _subscribed(self, *_) -> None:
        with self._change:
            self._ready = True
            self._change.notify_all()

    def _message(self, _client, _userdata, message) -> None:
        _, _, device, leaf = message.topic.split("/")
        if leaf == "receipt":
            return
        body = json.loads(message.payload)
        with self._change:
            if leaf == "presence":
                self.presence.append((device, body))
            else:
                self._event(device, body)
            self._change.notify_all()

    def _event(self, device: str, body: dict) -> None:
        self.received += 1
        if not self.accepts(device, body):
            return
        body.pop("first", None)
        if self.stored[device, body["boot"]].setdefault(body["seq"], body) != body:
            self.conflicts.append(body)
        if self.answers:
            self.receipt(device, body["boot"])


@pytest.fixture
def gateway(broker):
    fake = FakeGateway(broker)
    yield fake
    fake.close()
