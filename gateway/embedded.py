"""The embedded broker: rumqttd in a child process, for the demo, replays, tests, and small
depots. It listens on the loopback address only and keeps its queues in memory: what it loses
with its process, devices send again, for they have no receipt."""

from __future__ import annotations

from iotcore import Broker

from gateway.mosquitto import free_port

PAYLOAD_AT_MOST = 4 * 1024 * 1024  # larger than we take, so that too large is a dead letter
WINDOW = 100  # messages that it sends ahead of acknowledgements


def embedded_broker(port: int | None = None) -> Broker:
    """A broker to start with `with`, on a port of 127.0.0.1 (default: any free one)."""
    return Broker(
        port=port or free_port(),
        listen="127.0.0.1",
        max_payload_size=PAYLOAD_AT_MOST,
        max_inflight_count=WINDOW,
    )
