"""The faults that an event must survive, each with real processes and real signals.

The numbers are those of the table in docs/reliability.md. After each fault nothing receipted
is lost, every event has one effect, and `retour verify` finds the beliefs as folded from nothing.
"""

import json
import signal
import time
from threading import Thread

import pytest

from gateway.broker_url import BrokerUrl
from gateway.limits import Limits
from gateway.running import Parts, Running
from tracker.clocks import SystemClock
from tracker.stamps import StampPolicy

KILLED = -signal.SIGKILL


@pytest.mark.parametrize("fault", ["before_commit", "before_ack"])
def test_1_and_2_gateway_killed_before_commit_or_before_ack(world, fault):
    """The broker delivers again, and there is one effect."""
    world.register("trk-1")
    gateway = world.ready_gateway(fault)
    device = world.device()
    device.publish(50)
    gateway.wait_until_dead(KILLED)

    world.ready_gateway()
    device.wait_for_receipts()
    assert world.count("log") == 50
    assert world.count("journal") == 1
    world.assert_promise_kept()


def test_3_gateway_killed_between_commit_and_receipt(world):
    """The broker has its acknowledgement, so only the device's second copy brings a receipt."""
    gateway = world.ready_gateway("before_receipt")
    device = world.device()
    device.publish(1)
    gateway.wait_until_dead(KILLED)
    assert world.count("log") == 1

    world.ready_gateway()
    device.send([0])
    device.wait_for_receipts()
    assert world.count("log") == 1
    world.assert_promise_kept()


def test_4_gateway_restarted_with_10_000_queued(mosquitto_world):
    world = mosquitto_world
    device = world.device()
    world.ready_gateway().stop()
    device.publish(10_000)

    world.ready_gateway()
    device.wait_for_receipts()
    assert world.count("log") == 10_000
    world.assert_promise_kept()


@pytest.mark.parametrize("with_signal", [signal.SIGTERM, signal.SIGKILL])
def test_5_and_6_broker_ends_under_load(mosquitto_world, with_signal):
    """Told to end it loses nothing; killed it loses what has no receipt, which is sent again."""
    world = mosquitto_world
    world.ready_gateway()
    device = world.device()
    device.publish(500)
    for seq in range(500, 3_000):
        device.sent[seq] = {**device.sent[0], "seq": seq}
    device.send(range(500, 1_500), wait=False)
    world.broker.stop(with_signal)
    device.send(range(1_500, 2_000), wait=False)
    world.broker.start()
    device.send(range(2_000, 3_000), wait=False)
    device.wait_for_receipts(resend=True)
    assert world.count("log") == 3_000
    world.assert_promise_kept()


def test_7_session_lost_while_a_batch_is_in_flight(mosquitto_world, tmp_path):
    """A broker that has forgotten everything uses its message numbers anew: acknowledging an
    old batch would acknowledge new messages that nobody has stored."""
    world = mosquitto_world
    gateway = world.ready_gateway()
    device = world.device()
    world.register("trk-2")
    with world.database.stalled():
        device.publish(20)
        world.wait_for(lambda: "takes nothing" in gateway.log.read_text(), "the store stalls")
        world.broker.stop(signal.SIGKILL)
        (tmp_path / "mosquitto.db").unlink(missing_ok=True)
        world.broker.start()
        world.wait_for(lambda: gateway.log.read_text().count('"connected"') == 2, "reconnection")
        late = world.device("trk-2", register=False)
        late.publish(20)
    late.wait_for_receipts()
    assert "acknowledgements dropped" in gateway.log.read_text()
    device.wait_for_receipts(resend=True)
    assert world.count("log") == 40

    gateway.stop()
    world.ready_gateway()  # what was acknowledged by mistake would be missing, what was not, here
    late.publish(1)
    late.wait_for_receipts()
    assert world.count("log") == 41
    world.assert_promise_kept()


def test_a_stalled_store_costs_no_acknowledgement(mosquitto_world):
    """Nothing is acknowledged meanwhile, the connection lives on past its keepalive, and
    everything is stored once when the store is back."""
    world = mosquitto_world
    gateway = world.ready_gateway("short_keepalive")
    device = world.device()
    with world.database.stalled():
        device.publish(200)
        time.sleep(10)
        assert world.count("log") == 0
        assert not device.receipts
    device.wait_for_receipts()
    assert world.count("log") == 200
    assert gateway.log.read_text().count('"connected"') == 1
    world.assert_promise_kept()


def test_16_same_event_twice_and_two_gateways_at_once(world):
    world.ready_gateway(client_id="one")
    world.ready_gateway(client_id="two")
    device = world.device()
    device.publish(100)
    device.send(range(100))
    device.wait_for_receipts()
    assert world.count("log") == 100
    assert world.count("dead_letters") == 0
    world.assert_promise_kept()


def test_17_two_events_of_one_asset_at_one_time(mosquitto_world):
    world = mosquitto_world
    world.ready_gateway()
    device = world.device()
    device.publish(2, at=time.time_ns() // 1_000_000)
    device.wait_for_receipts()
    assert world.count("log") == 2
    world.assert_promise_kept()


def test_18_any_order_ends_in_the_same_belief(mosquitto_world):
    world = mosquitto_world
    world.ready_gateway()
    device = world.device()
    now = time.time_ns() // 1_000_000
    for seq in range(300):
        fix = {"lat": seq / 10, "lon": 4.2, "acc": 5}
        event = {"at": now - (seq * 7_919 % 300) * 1_000, "fix": fix}
        device.sent[seq] = {"boot": "b1", "seq": seq, "sent": now, "events": [event]}
    for start in range(100):
        device.send(range(299 - start, -1, -100))
    device.wait_for_receipts()
    (belief,) = world.rows("SELECT body FROM beliefs")[0]
    newest = max(device.sent.values(), key=lambda message: message["events"][0]["at"])
    assert json.loads(belief)["last"][0] == newest["events"][0]["fix"]["lat"]
    world.assert_promise_kept()


def test_20_stamps_that_cannot_be_believed(mosquitto_world):
    """Quarantined with their reason, or corrected visibly; they advance nothing."""
    world = mosquitto_world
    world.ready_gateway()
    device = world.device()
    now = time.time_ns() // 1_000_000
    year = 365 * 86_400_000
    stamps = [now, 0, now + 10 * year, now // 1_000]
    for seq, at in enumerate(stamps):
        event = {"at": at, "fix": {"lat": seq, "lon": 0}}
        device.sent[seq] = {"boot": "b1", "seq": seq, "events": [event]}
    ahead = {"at": now + 600_000, "fix": {"lat": 4, "lon": 0}}
    device.sent[4] = {"boot": "b1", "seq": 4, "sent": now + 600_000, "events": [ahead]}
    back = {"at": now - 86_400_000, "fix": {"lat": 5, "lon": 0}}
    device.sent[5] = {"boot": "b1", "seq": 5, "sent": now - 86_400_000, "events": [back]}
    device.send(range(6))
    device.wait_for_receipts()

    assert world.rows("SELECT seq, reason FROM quarantine ORDER BY seq") == [
        (1, "stamp_too_old"),
        (2, "stamp_in_future"),
        (3, "stamp_too_old"),
    ]
    assert world.rows("SELECT seq FROM log ORDER BY seq") == [(0,), (4,), (5,)]
    ((stamp, at),) = world.rows("SELECT stamp, at FROM log WHERE seq = 4")
    assert stamp == now + 600_000
    assert at <= time.time_ns() // 1_000_000
    world.assert_promise_kept()


BAD = {
    "bad_utf8": b'{"boot": "\xff\xfe"}',
    "nan": b'{"boot": "b1", "seq": 0, "events": [{"at": 1, "fix": {"lat": NaN, "lon": 0}}]}',
    "deep": b"[" * 100_000 + b"]" * 100_000,
    "empty": b"",
    "three_megabytes": b'{"boot": "' + b"x" * 3_000_000 + b'"}',
    "no_object": b"[1, 2]",
    "other_device": b'{"device": "trk-9", "boot": "b1", "seq": 0, "events": []}',
}


def test_21_what_is_no_message_at_all(mosquitto_world):
    """Each becomes one dead letter, is acknowledged once, and the line lives on."""
    world = mosquitto_world
    gateway = world.ready_gateway()
    device = world.device()
    for payload in BAD.values():
        device.raw(payload)
    device.publish(1)
    device.wait_for_receipts()
    assert world.count("dead_letters") == len(BAD)
    assert world.count("log") == 1

    gateway.stop()
    world.ready_gateway()  # whatever was not acknowledged would come again
    device.publish(1)
    device.wait_for_receipts()
    assert world.count("dead_letters") == len(BAD)
    world.assert_promise_kept()


def test_22_a_message_that_crashes_the_handler(mosquitto_world):
    world = mosquitto_world
    device = world.device()
    world.ready_gateway().stop()
    device.publish(50)
    device.raw(json.dumps({**device.sent[0], "seq": 50, "word": "poison"}).encode())
    device.sent[51] = {**device.sent[0], "seq": 51}
    device.send([51])

    gateway = world.ready_gateway("bad_handler")
    world.wait_for(lambda: world.count("log") == 51, "the neighbours are stored")
    assert world.rows("SELECT reason FROM dead_letters") == [("handler_error",)]
    assert device.receipted() == {*range(50), 51}
    assert gateway.process.poll() is None
    world.assert_promise_kept()


def test_23_who_speaks_for_another_or_is_unknown(mosquitto_world):
    """What only the broker's access rules could prevent is at least refused where it shows, and
    told; who is not registered gets no receipt."""
    world = mosquitto_world
    gateway = world.ready_gateway()
    honest, liar = world.device("trk-1"), world.device("trk-2")
    stranger = world.device("stranger", register=False)
    honest.publish(1)
    liar.publish(1, device="trk-1")
    stranger.publish(1)
    honest.wait_for_receipts()
    world.wait_for(lambda: world.count("quarantine") == 1, "the stranger is quarantined")
    world.wait_for(lambda: world.count("dead_letters") == 1, "the lie is kept")

    honest.publish(1)
    honest.wait_for_receipts()
    assert world.rows("SELECT DISTINCT device FROM log") == [("trk-1",)]
    assert world.rows("SELECT device, reason FROM quarantine") == [("stranger", "unknown_device")]
    assert world.rows("SELECT device, reason FROM dead_letters") == [("trk-2", "device_mismatch")]
    assert not liar.receipts
    assert not stranger.receipts
    refused = [line for line in gateway.log.read_text().splitlines() if "refused" in line]
    assert [json.loads(line)["topic"] for line in refused] == ["retour/v1/trk-2/events"]
    world.assert_promise_kept()


def test_24_published_before_any_gateway_ever_subscribed(mosquitto_world):
    """The broker accepts and forgets it; without a receipt the device sends again."""
    world = mosquitto_world
    device = world.device()
    device.publish(10)
    world.ready_gateway()
    device.wait_for_receipts(resend=True)
    assert world.count("log") == 10
    world.assert_promise_kept()


def test_25_one_device_floods(mosquitto_world):
    """The flood is shed, and the others do not notice; once it is over, all of it comes in."""
    world = mosquitto_world
    limits = Limits(rate=200, burst=400)
    parts = Parts(world.store, SystemClock(), StampPolicy(), "gateway", limits)
    flooder = world.device("flooder")
    others = [world.device(f"trk-{n}") for n in range(3)]
    with Running(parts.gateway(BrokerUrl.parse(world.url))) as running:
        running.wait_until_ready()
        flood = Thread(target=flooder.publish, args=[2_000])
        flood.start()
        for _ in range(10):
            for device in others:
                device.publish(5)
        for device in others:
            device.wait_for_receipts()
        flood.join()
        world.wait_for(running.gateway.shed, "the flood is shed")
        assert running.gateway.shed().keys() == {"flooder"}
        assert flooder.client.is_connected()
        flooder.wait_for_receipts(resend=True)
        assert running.health() == ()
    assert world.count("log") == 2_000 + 3 * 50
    assert world.count("dead_letters") == 0
    world.assert_promise_kept()


def test_an_unknown_device_waits_in_quarantine_until_it_is_registered(mosquitto_world):
    world = mosquitto_world
    world.ready_gateway()
    device = world.device("stranger", register=False)
    device.publish(10)
    world.wait_for(lambda: world.count("quarantine") == 10, "it is quarantined")
    assert not device.receipts
    world.register("stranger")
    device.wait_for_receipts()
    assert world.count("quarantine") == 0
    assert world.count("log") == 10
    world.assert_promise_kept()


def test_random_kills_under_load(mosquitto_world):
    """Five gateways killed at any moment, while a device publishes all the time."""
    world = mosquitto_world
    device = world.device()
    for round in range(5):
        gateway = world.ready_gateway()
        device.publish(400)
        time.sleep(0.05 * round)
        gateway.stop(signal.SIGKILL)
    world.ready_gateway()
    device.wait_for_receipts(resend=True)
    assert world.count("log") == 2_000
    world.assert_promise_kept()
