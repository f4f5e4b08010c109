"""Several gateways share what devices publish, come and go, and lose nothing."""

import os
import re
import signal
import time

import httpx
import pytest

from gateway.mosquitto import free_port

GROUP = {"gateway_group": "fleet"}


@pytest.fixture
def three(mosquitto_world):
    """Three gateways that share the messages, each in a process of its own."""
    names = ["gw-1", "gw-2", "gw-3"]
    world = mosquitto_world
    return world, {name: world.ready_gateway(client_id=name, **GROUP) for name in names}


def taken_in(port):
    """How many messages the gateway has taken in that answers there."""
    text = httpx.get(f"http://127.0.0.1:{port}/metrics", timeout=10).text
    return float(re.search(r"^retour_messages_total (\S+)$", text, re.MULTILINE)[1])


def test_messages_are_shared_and_receipted_as_by_one(mosquitto_world):
    world = mosquitto_world
    ports = [free_port() for _ in range(3)]
    for port in ports:
        world.ready_gateway(client_id=f"gw-{port}", metrics_port=port, **GROUP)
    devices = [world.device(f"trk-{n}") for n in range(4)]
    for _ in range(20):
        for device in devices:
            device.publish(10)
    for device in devices:
        device.wait_for_receipts()
    assert world.count("log") == 4 * 200
    shares = [taken_in(port) for port in ports]
    assert sum(shares) == 80 * 10
    assert min(shares) > 200  # Mosquitto deals them out in turn
    world.assert_promise_kept()


def test_13_one_of_three_gateways_dies_and_returns(three):
    """What the broker gave it waits for it; the others go on with the rest."""
    world, gateways = three
    device = world.device()
    device.publish(100)
    gateways["gw-2"].stop(signal.SIGKILL)
    device.publish(300)
    world.wait_for(lambda: world.count("log") >= 266, "the others store their shares")
    world.ready_gateway(client_id="gw-2", **GROUP)
    device.wait_for_receipts()
    assert world.count("log") == 400
    world.assert_promise_kept()


def test_14_a_gateway_is_retired_for_good(three):
    """Drained: what the broker holds for it is taken in, and nothing more goes there."""
    world, gateways = three
    device = world.device()
    gateways["gw-3"].stop(signal.SIGKILL)
    device.publish(300)
    world.gateway(client_id="gw-3", drain=True, **GROUP).wait_until_dead(0)
    device.wait_for_receipts()
    assert world.count("log") == 300
    device.publish(300)
    device.wait_for_receipts()
    assert world.count("log") == 600
    world.assert_promise_kept()


def test_15_a_gateway_that_stood_still_stores_nothing_twice(mosquitto_world):
    """Stopped for longer than its keepalive, then woken in the middle of its work."""
    world = mosquitto_world
    sleeper = world.ready_gateway("short_keepalive", client_id="gw-1", **GROUP)
    world.ready_gateway(client_id="gw-2", **GROUP)
    device = world.device()
    os.kill(sleeper.process.pid, signal.SIGSTOP)
    try:
        device.publish(200)
        world.wait_for(lambda: "exceeded timeout" in log(world), "the broker gives it up")
        time.sleep(1)
    finally:
        os.kill(sleeper.process.pid, signal.SIGCONT)
    device.wait_for_receipts()
    assert world.count("log") == 200
    world.assert_promise_kept()


def test_15_a_gateway_frozen_in_a_transaction_holds_nobody_up(postgresql_world):
    """PostgreSQL takes away what it has locked: the same device goes on through another one."""
    world = postgresql_world
    frozen = world.ready_gateway("frozen_before_commit", client_id="gw-1", **GROUP)
    world.ready_gateway(client_id="gw-2", **GROUP)
    device = world.device()
    device.publish(100)
    try:
        world.wait_for(lambda: world.count("log") == 50, "the other one stores its share")
    finally:
        os.kill(frozen.process.pid, signal.SIGCONT)
    device.wait_for_receipts()
    assert world.count("log") == 100
    assert "takes nothing" in frozen.log.read_text()
    world.assert_promise_kept()


def log(world):
    return (world.folder / "mosquitto.log").read_text()
