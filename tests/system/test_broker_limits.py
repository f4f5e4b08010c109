"""A broker whose queue is too small for what comes while the gateway is away."""

import json
import urllib.error
import urllib.request

import pytest

from gateway.mosquitto import Mosquitto, free_port
from tests.system.conftest import running_world


@pytest.fixture
def world(mosquitto_installed, tmp_path):
    small = ["max_queued_messages 100", "max_inflight_messages 50", "sys_interval 1"]
    with (
        Mosquitto(tmp_path, ["allow_anonymous true", *small], plain=True) as broker,
        running_world(tmp_path, broker, "5") as one,
    ):
        yield one


def health(port):
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=10) as answer:
            return answer.status, json.load(answer)["problems"]
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)["problems"]


def metric(port, name):
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
        lines = answer.read().decode().splitlines()
    return next(float(line.split()[1]) for line in lines if line.startswith(f"{name} "))


def test_12_a_backlog_above_the_brokers_queue_limit(world):
    """It drops in silence. We say so, receipts show the gap, and the device sends it again."""
    port = free_port()
    gateway = world.ready_gateway(metrics_port=port)
    device = world.device()
    device.publish(10)
    device.wait_for_receipts()
    assert health(port) == (200, [])
    gateway.stop()
    device.publish(1_000)
    gateway = world.ready_gateway(metrics_port=port)
    world.wait_for(lambda: metric(port, "retour_broker_dropped") > 500, "the drops are counted")
    assert health(port) == (503, ["the broker drops messages: its queues are too small"])
    assert "the broker drops messages" in gateway.log.read_text()
    device.publish(1)
    world.wait_for(lambda: 1_010 in device.receipted(), "the newest is receipted")
    assert device.receipts[-1]["missing"][-1][1] == 1_009
    assert world.count("log") < 500
    device.wait_for_receipts(resend=True)
    assert world.count("log") == 1_011
    world.assert_promise_kept()


def test_dangerous_settings_are_told_at_the_start(world):
    log = world.ready_gateway().log.read_text()
    assert "the broker's settings are dangerous" in log
    assert "max_inflight_messages" in log
