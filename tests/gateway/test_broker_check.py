"""What a broker says of itself, as properties and over a real connection."""

import socket
import threading

import pytest
import structlog

from gateway.broker_check import PACKET_BYTES, Dropped, dangers, refusals
from gateway.broker_url import BrokerUrl
from gateway.session import SESSION_EXPIRY_S, BrokerRefused, Session
from tracker.clocks import SystemClock

WEEK = SESSION_EXPIRY_S


@pytest.mark.parametrize(
    ("said", "group", "word"),
    [
        ({"SessionExpiryInterval": 0}, "", "keeps no sessions"),
        ({"MaximumQoS": 0}, "", "QoS 0 only"),
        ({"WildcardSubscriptionAvailable": 0}, "", "wildcards"),
        ({"SharedSubscriptionAvailable": 0}, "fleet", "RETOUR_GATEWAY_GROUP"),
    ],
)
def test_what_breaks_the_promise_is_refused(said, group, word):
    (found,) = refusals(said, group)
    assert word in found


@pytest.mark.parametrize(
    "said",
    [
        {},
        {"SessionExpiryInterval": WEEK, "MaximumQoS": 1, "ReceiveMaximum": 1000},
        {"MaximumPacketSize": PACKET_BYTES, "ServerKeepAlive": 60, "TopicAliasMaximum": 10},
        {"SharedSubscriptionAvailable": 0},
    ],
)
def test_a_broker_that_suits_is_let_be(said):
    assert refusals(said, "") == dangers(said, WEEK) == []


@pytest.mark.parametrize(
    ("said", "word"),
    [
        ({"SessionExpiryInterval": 7200}, "after 7200 s away"),
        ({"ReceiveMaximum": 20}, "max_inflight_messages"),
        ({"MaximumPacketSize": 65_536}, "65536 bytes at most"),
        ({"ServerKeepAlive": 5}, "after 7.5 s of silence"),
    ],
)
def test_what_is_dangerous_is_said_with_what_to_do(said, word):
    (found,) = dangers(said, WEEK)
    assert word in found
    assert "allow" in found


@pytest.mark.parametrize(
    ("counts", "more", "lately"),
    [
        ([b"0", b"0"], [0, 0], False),
        ([b"5"], [5], True),
        ([b"0", b"3", b"9"], [0, 3, 6], True),
        ([b"9", b"2"], [9, 2], True),  # it has started again
        ([b"none", b""], [0, 0], False),
    ],
)
def test_drops_are_counted_as_the_broker_counts_them(counts, more, lately):
    dropped = Dropped()
    assert [dropped.tell(count, mono=1.0) for count in counts] == more
    assert dropped.lately(2.0) is lately
    assert dropped.lately(602.0) is False


@pytest.fixture
def broker_saying():
    """A listener that answers one CONNECT with these properties, as bytes; gives its URL."""
    servers = []

    def start(properties):
        server = socket.create_server(("127.0.0.1", 0))
        server.settimeout(10)

        def answer():
            with server.accept()[0] as client:
                client.settimeout(10)
                client.recv(1024)
                client.sendall(bytes([0x20, 3 + len(properties), 0, 0, len(properties)]))
                client.sendall(properties)
                client.recv(1024)

        thread = threading.Thread(target=answer)
        thread.start()
        servers.append((server, thread))
        return BrokerUrl.parse(f"mqtt://127.0.0.1:{server.getsockname()[1]}")

    yield start
    for server, thread in servers:
        thread.join(20)
        server.close()


def session_at(broker, group=""):
    return Session(broker, "gw", ["retour/v1/+/events"], SystemClock(), window=10, group=group)


def serve_until(session, done):
    for _ in range(100):
        session.serve(timeout=0.1)
        if done():
            return
    pytest.fail("the broker has not been heard")


def test_a_group_at_a_broker_without_shared_subscriptions_is_refused(broker_saying):
    session = session_at(broker_saying(bytes([0x2A, 0])), group="fleet")
    with pytest.raises(BrokerRefused, match="no shared subscriptions"):
        serve_until(session, lambda: False)
    session.close()


def test_a_danger_is_told_when_the_broker_lets_us_in(broker_saying):
    session = session_at(broker_saying(bytes([0x21, 0, 20])))
    with structlog.testing.capture_logs() as lines:
        serve_until(session, lambda: lines)
    session.close()
    (danger,) = [one for one in lines if one["event"] == "the broker's settings are dangerous"]
    assert "max_inflight_messages" in danger["danger"]
