"""Packets in any pieces: the messages come out whole and in order, the rest goes to paho."""

import socket
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.inlet import Inlet

CONNACK, PINGRESP, QOS_2_PUBLISH = 0x20, 0xD0, 0x34


def packet(head, body):
    length, left = b"", len(body)
    while True:
        left, low = divmod(left, 128)
        length += bytes([low | (0x80 if left else 0)])
        if not left:
            return bytes([head]) + length + body


def publish(topic, payload, qos, mid, *, mqtt5, dup=False):
    body = struct.pack("!H", len(topic.encode())) + topic.encode()
    if qos:
        body += struct.pack("!H", mid)
    if mqtt5:  # an expiry interval, and a user property that is longer than 127 bytes
        properties = b"\x02" + struct.pack("!I", 60) + b"\x26\x00\x01a\x00\x96" + b"x" * 150
        length = len(properties)
        body += bytes([length & 0x7F | 0x80, length >> 7]) + properties
    return packet(0x30 | dup << 3 | qos << 1, body + payload)


class Stream:
    """An inlet at the end of a connection; notes what comes out, in order."""

    def __init__(self, *, mqtt5=True):
        self.broker, ours = socket.socketpair()
        ours.setblocking(False)
        self.came = []
        self.inlet = Inlet(ours, lambda *message: self.came.append(message), mqtt5=mqtt5)

    def feed(self, data):
        if data:
            self.broker.sendall(data)
        self.inlet.receive()
        while self.inlet.sift():
            if not self.read_as_paho():
                return False
        return True

    def read_as_paho(self):
        data = b""
        try:
            while piece := self.inlet.recv(1):
                data += piece
        except BlockingIOError:
            self.came.append(data)
            return True
        return False

    def close(self):
        self.broker.close()
        self.inlet.close()


@pytest.fixture
def stream():
    one = Stream()
    yield one
    one.close()


TOPICS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=300)
PACKETS = st.lists(
    st.tuples(TOPICS, st.binary(max_size=500), st.sampled_from([0, 1]), st.integers(1, 65_535))
    | st.sampled_from([CONNACK, PINGRESP, QOS_2_PUBLISH]),
    max_size=8,
)


@given(PACKETS, st.booleans(), st.lists(st.integers(1, 400), max_size=20))
def test_whatever_the_pieces_everything_comes_in_order(packets, mqtt5, sizes):
    data, expected = b"", []
    for one in packets:
        if isinstance(one, int):
            data += packet(one, b"ab")
            expected.append(packet(one, b"ab"))
        else:
            topic, payload, qos, mid = one
            data += publish(topic, payload, qos, mid, mqtt5=mqtt5)
            expected.append((topic, payload, qos, mid if qos else 0))
    stream = Stream(mqtt5=mqtt5)
    try:
        for size in sizes:
            assert stream.feed(data[:size])
            data = data[size:]
        assert stream.feed(data)
        assert stream.came == expected
    finally:
        stream.close()


def test_a_message_of_megabytes(stream):
    payload = bytes(range(256)) * 12_000
    data = publish("t", payload, 1, 7, mqtt5=True, dup=True)
    for at in range(0, len(data), 50_000):
        stream.feed(data[at : at + 50_000])
    assert stream.came == [("t", payload, 1, 7)]


def test_what_came_before_the_end_is_not_lost(stream):
    stream.broker.sendall(publish("t", b"last", 0, 0, mqtt5=True))
    stream.broker.shutdown(socket.SHUT_WR)
    assert stream.feed(b"")
    assert not stream.feed(b"")
    assert stream.came == [("t", b"last", 0, 0)]
    assert stream.inlet.recv(1) == b""


@pytest.mark.parametrize(
    "broken",
    [
        b"\x30\xff\xff\xff\xff\x01",  # a length of five bytes
        packet(0x32, b"\x00\x09abc"),  # a topic that is longer than its packet
        packet(0x32, b"\x00\x01a\x00"),  # half a number
        packet(0x30, b"\x00\x01a\x7f"),  # properties that are longer than their packet
        packet(0x30, b"\x00\x01a\x80\x80\x80\x80\x01"),
        packet(0x30, b""),
    ],
)
def test_a_broken_packet_ends_the_connection(stream, broken):
    stream.broker.sendall(publish("t", b"good", 1, 1, mqtt5=True) + broken)
    stream.inlet.receive()
    assert stream.inlet.sift()
    with pytest.raises(OSError, match=r"a packet of|a message ends"):
        stream.inlet.recv(1)
    assert stream.came == [("t", b"good", 1, 1)]
