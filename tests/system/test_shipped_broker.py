"""Mosquitto with the configuration that is shipped."""

import subprocess
from contextlib import ExitStack, contextmanager
from pathlib import Path

import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from gateway.mosquitto import Mosquitto
from tests.system.conftest import WITHIN_S, FieldDevice, running_world, wait_for
from tracker.notices import leave, trial

SHIPPED = Path(__file__).parents[2] / "deploy" / "mosquitto"
PASSWORD = "not-for-use"


@pytest.fixture
def world(mosquitto_installed, tmp_path):
    """A world around it: the same lines, with this test's folder, port and passwords."""
    lines = (SHIPPED / "retour.conf").read_text().replace("/etc/mosquitto", str(tmp_path))
    kept = [line for line in lines.splitlines() if line and not line.startswith(("#", "listener"))]
    rules = (SHIPPED / "retour.acl").read_text().replace("#user", "user").replace("#topic", "topic")
    (tmp_path / "retour.acl").write_text(rules)
    passwords = tmp_path / "retour.passwd"
    passwords.touch(0o600)
    for user in ("retour-gateway", "trk-1", "trk-2", "night-shift"):
        subprocess.run(["mosquitto_passwd", "-b", passwords, user, PASSWORD], check=True)
    broker = Mosquitto(tmp_path, kept, plain=True)
    with broker, running_world(tmp_path, broker, "5") as one:
        one.url = f"mqtt://retour-gateway:{PASSWORD}@127.0.0.1:{broker.port}"
        one.passwords = passwords
        yield one


def logged_in(world, name):
    world.register(name)
    device = FieldDevice(world, name, password=PASSWORD)
    world.devices.append(device)
    return device


@contextmanager
def connected(world, **login):
    """A client of no device's; gives it and what the broker answered to its CONNECT."""
    answers = []
    client = paho.Client(CallbackAPIVersion.VERSION2)
    if login:
        client.username_pw_set(**login)
    client.on_connect = lambda _c, _u, _f, reason, _p: answers.append(reason.is_failure)
    client.connect("127.0.0.1", world.port)
    client.loop_start()
    try:
        wait_for(lambda: answers, "the broker answers", WITHIN_S)
        yield client, answers
    finally:
        client.disconnect()
        client.loop_stop()


def test_23_each_device_speaks_for_itself_alone(world):
    """What trk-2 publishes as trk-1 the broker gives to nobody; it may end the connection."""
    world.ready_gateway(gateway_group="fleet")
    one, other = logged_in(world, "trk-1"), logged_in(world, "trk-2")
    with connected(world, username="trk-2", password=PASSWORD) as (forger, refused):
        assert refused == [False]
        forger.publish("retour/v1/trk-1/events", b'{"boot":"forged","seq":0,"events":[]}', qos=1)
        one.publish(20)
        other.publish(20)
        one.wait_for_receipts()
        other.wait_for_receipts()
    assert world.count("log") == 40
    assert world.count("dead_letters") == world.count("quarantine") == 0
    assert {receipt["boot"] for receipt in one.receipts} == {"b1"}
    world.assert_promise_kept()


@pytest.mark.parametrize("login", [{}, {"username": "trk-1", "password": "guessed"}])
def test_who_nobody_knows_does_not_come_in(world, login):
    with connected(world, **login) as (_, refused):
        assert refused == [True]


def test_alerts_reach_those_who_may_hear_them_alone(world):
    world.ready_gateway()
    heard, subscribed = {"night-shift": [], "trk-1": []}, []
    with ExitStack() as stack:
        for name, got in heard.items():
            login = {"username": name, "password": PASSWORD}
            client, _ = stack.enter_context(connected(world, **login))
            client.on_message = lambda _c, _u, message, got=got: got.append(message.topic)
            client.on_subscribe = lambda *_: subscribed.append(True)
            client.subscribe("retour/alerts/+", 1)
        world.wait_for(lambda: len(subscribed) == 2, "both listen")
        with world.store.writing() as tx:
            for n in range(3):
                leave(tx, "overdue", trial("ops", n))
        world.wait_for(lambda: len(heard["night-shift"]) == 3, "the alerts come")
    assert heard == {"night-shift": ["retour/alerts/overdue"] * 3, "trk-1": []}


def test_what_is_queued_for_an_absent_gateway_survives_a_restart(world):
    gateway = world.ready_gateway()
    device = logged_in(world, "trk-1")
    gateway.stop()
    device.publish(3_000)
    world.broker.stop()
    world.broker.start()
    world.ready_gateway()
    device.wait_for_receipts()
    assert world.count("log") == 3_000
    world.assert_promise_kept()


def lets_in(world, **login):
    with connected(world, **login) as (_, refused):
        return refused == [False]


def test_a_device_is_created_with_a_password_of_its_own(world):
    """Created, told to Mosquitto, it publishes and has its receipts: under its own name alone."""
    world.ready_gateway()
    made = world.command("device", "create", "trk-3", mqtt_passwords=world.passwords)
    login = {"username": "trk-3", "password": made["password"]}
    assert not lets_in(world, **login)
    world.broker.reload()
    world.wait_for(lambda: lets_in(world, **login), "Mosquitto reads the password")
    assert not lets_in(world, username="trk-3", password="guessed")
    assert not lets_in(world, username="trk-1", password=made["password"])
    device = FieldDevice(world, "trk-3", password=made["password"])
    world.devices.append(device)
    device.publish(5)
    device.wait_for_receipts()
    with connected(world, **login) as (forger, _):
        forger.publish("retour/v1/trk-1/events", b'{"boot":"b","seq":0,"events":[]}', qos=1)
        other = logged_in(world, "trk-1")
        other.publish(1)
        other.wait_for_receipts()
    assert world.count("log") == 6
    assert world.count("dead_letters") == 0


def test_a_renewed_password_ends_the_old_one(world):
    made = world.command("device", "create", "trk-3", mqtt_passwords=world.passwords)
    again = world.command("device", "create", "trk-3", mqtt_passwords=world.passwords)
    renewed = world.command("device", "password", "trk-3", mqtt_passwords=world.passwords)
    assert "password" not in again
    world.broker.reload()
    new = {"username": "trk-3", "password": renewed["password"]}
    world.wait_for(lambda: lets_in(world, **new), "Mosquitto reads the password")
    assert not lets_in(world, username="trk-3", password=made["password"])
    secrets = {made["password"], renewed["password"]}
    files = [*world.folder.glob("retour.db*")]
    assert world.store.path in files
    written = b"".join(file.read_bytes() for file in files)
    assert not any(secret.encode() in written for secret in secrets)
