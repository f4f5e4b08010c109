"""Devices on a real broker, with a gateway that answers or does not."""

from __future__ import annotations

import logging
import os
import socket
import subprocess
import sys
import time

import pytest

from firmware_sim.__main__ import main
from firmware_sim.broker import Broker
from firmware_sim.clock import Clock
from firmware_sim.device import EVENTS_PER_MESSAGE, Device
from firmware_sim.fleet import Fleet
from firmware_sim.geometry import Point
from firmware_sim.reader import Reader, Visit
from firmware_sim.tracker import Tracker, round_trip

WAIT_S = 15.0
EVENT = {"at": 1, "sensor": {"battery": 0.5}}


def wait_until(condition) -> None:
    end = time.monotonic() + WAIT_S
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


def fast() -> Clock:
    """A clock on which two real seconds, the shortest pause, are twenty minutes."""
    return Clock(time.time_ns() // 1_000_000, 600)


def presences(gateway, device: str) -> list[tuple[bool, int]]:
    return [(body["online"], body["conn"]) for who, body in gateway.presence if who == device]


def test_what_is_reported_is_stored_and_receipted(broker, gateway):
    with Fleet([device := Device("dev-1", broker, Clock())]):
        for _ in range(250):
            device.report([EVENT])
        wait_until(lambda: device.pending() == 0)
        assert device.receipted() == ((0, 249),)
    stored = gateway.stored["dev-1", device.boot]
    assert sorted(stored) == [*range(250)]
    assert all(body["events"] == [EVENT] for body in stored.values())


def test_a_connection_that_goes_unnoticed_costs_nothing(broker, gateway):
    """Published between the end of a connection and the word of it."""
    device = Device("dev-1", broker, Clock())
    device._connected = True  # as its thread still believes
    device.report([EVENT])
    device.pump()
    device.pump()
    with Fleet([device]):
        wait_until(lambda: device.receipted() == ((0, 0),))


def test_a_large_report_becomes_several_messages(broker, gateway):
    with Fleet([device := Device("dev-1", broker, Clock())]):
        device.report([EVENT] * (EVENTS_PER_MESSAGE + 1))
        wait_until(lambda: device.receipted() == ((0, 1),))


def test_presence_of_a_clean_life(broker, gateway):
    device = Device("dev-1", broker, Clock())
    with Fleet([device]):
        gateway.wait_for(lambda: presences(gateway, "dev-1") == [(True, 1)])
    gateway.wait_for(lambda: presences(gateway, "dev-1") == [(True, 1), (False, 1)])
    online, offline = (body for _, body in gateway.presence)
    assert set(online) == {"online", "boot", "conn", "at"}
    assert offline == {"online": False, "boot": device.boot, "conn": 1}


def test_a_lost_connection_leaves_a_will_and_the_next_has_its_own_number(broker, gateway):
    device = Device("dev-1", broker, Clock())
    with Fleet([device]):
        gateway.wait_for(lambda: presences(gateway, "dev-1") == [(True, 1)])
        device._client.socket().shutdown(socket.SHUT_RDWR)
        gateway.wait_for(lambda: len(presences(gateway, "dev-1")) == 3)
    assert presences(gateway, "dev-1")[:3] == [(True, 1), (False, 1), (True, 2)]


def test_what_the_gateway_lost_comes_again_under_the_same_number(broker, gateway):
    gateway.accepts = lambda device, body: gateway.received > 20 or body["seq"] % 5
    with Fleet([device := Device("dev-1", broker, fast())]):
        for _ in range(20):
            device.report([EVENT])
        wait_until(lambda: device.pending() == 0)
    assert device.receipted() == ((0, 19),)
    assert not gateway.conflicts


def test_a_new_connection_sends_again_what_has_no_receipt(broker, gateway):
    gateway.answers = False
    with Fleet([device := Device("dev-1", broker, Clock())]):
        for _ in range(20):
            device.report([EVENT])
        gateway.wait_for(lambda: gateway.received == 20)
        gateway.answers = True
        device._client.socket().shutdown(socket.SHUT_RDWR)
        wait_until(lambda: device.pending() == 0)
    assert not gateway.conflicts


def test_a_broker_that_is_not_there_yet_is_complained_of_once(nowhere, caplog):
    device = Device("dev-1", nowhere, Clock())
    with caplog.at_level(logging.INFO, "firmware_sim"), Fleet([device]):
        device.report([EVENT])
        wait_until(lambda: device._client._reconnect_delay == 2)  # a second attempt failed
    assert device.pending() == 1
    [record] = caplog.records
    assert "not reachable; trying again" in record.getMessage()


def test_a_fleet_of_trackers_and_readers(broker, gateway):
    clock = fast()
    start = clock.now_ms()
    places = [Point(51.92, 4.48), Point(51.95, 4.40)]
    trackers = [
        Device(f"trk-{n}", broker, clock, Tracker(round_trip(places, start), seed=n))
        for n in range(8)
    ]
    readers = [
        Device(f"rdr-{n}", broker, clock, Reader([Visit("AA")], start_ms=start, seed=n))
        for n in range(2)
    ]
    fleet = Fleet([*trackers, *readers])
    with fleet:
        for device in fleet.devices:
            wait_until(lambda device=device: device.receipted()[:1] >= ((0, 10),))
    for device in fleet.devices:
        for low, high in device.receipted():
            assert gateway.stored[device.device_id, device.boot].keys() >= set(range(low, high + 1))


@pytest.mark.parametrize(
    "arguments",
    [
        ["tracker", "--url", "http://127.0.0.1:1883"],
        ["tracker", "--url", "mqtt://"],
        ["tracker", "--url", "mqtt://127.0.0.1:99999"],
        ["tracker", "--url", "mqtts://127.0.0.1", "--ca", "no-such-file.pem"],
        ["tracker", "--url", "mqtt://127.0.0.1", "--route", "51.92"],
        ["tracker", "--url", "mqtt://127.0.0.1", "--moving-interval", "0"],
        ["tracker", "--url", "mqtt://127.0.0.1", "--buffer", "0"],
        ["reader", "--url", "mqtt://127.0.0.1"],
    ],
)
def test_a_bad_command_line_is_one_line_and_exit_2(arguments, capsys):
    with pytest.raises(SystemExit) as exit:
        main([arguments[0], "--device", "dev-1", *arguments[1:]])
    assert exit.value.code == 2
    assert "Traceback" not in (error := capsys.readouterr().err)
    assert ": error: " in error.splitlines()[-1]


def test_the_command(broker, gateway):
    command = [sys.executable, "-m", "firmware_sim", "reader", "--device", "rdr-1"]
    command += ["--url", broker.url, "--tags", "AA,bb", "--cycle", "30", "--duration", "1.5"]
    environment = os.environ | {"RETOUR_CLOCK": f"{time.time_ns() // 1_000_000}:100"}
    done = subprocess.run(
        command, env=environment, capture_output=True, text=True, timeout=WAIT_S, check=True
    )
    assert f"rdr-1: connected to {broker.url}" in done.stdout
    assert "messages receipted, 0 pending" in done.stdout
    [(_, stored)] = gateway.stored.items()
    tags = {event["read"]["epc"] for body in stored.values() for event in body["events"]}
    assert tags == {"AA", "BB"}


def test_a_broker_address_keeps_its_password_to_itself():
    broker = Broker.parse("mqtts://trk-1:s%40fe@[::1]", ca="ca.pem")
    assert (broker.host, broker.port, broker.user, broker.password) == (
        "::1",
        8883,
        "trk-1",
        "s@fe",
    )
    assert broker.url == "mqtts://[::1]:8883"
    assert "s@fe" not in repr(broker)
