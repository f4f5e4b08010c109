"""What the broker sends, with the messages taken out on the way to paho.

paho reads every packet with several calls to the operating system and makes several objects
of it; at a gateway nearly all packets are messages. So these are cut out of what one call
reads, and handed on as they are; everything else, and so the protocol, is left to paho.
The packets: MQTT 3.1.1, sections 2.2 and 3.3; MQTT 5, sections 2.1 and 3.3.
"""

from __future__ import annotations

import ssl
from collections.abc import Callable
from typing import Any

READ_BYTES = 64 * 1024
PUBLISH, QOS_1, QOS_2 = 0x30, 0x02, 0x04
NUMBER_BYTES = 4

Take = Callable[[str, bytes, int, int], None]


class Malformed(OSError):
    """The broker breaks the protocol: the connection is of no use any more."""


class Inlet:
    """A connected socket for paho, without the messages of QoS 0 and 1: those go to `take`,
    as topic, payload, QoS and the broker's number for it (0 at QoS 0).

    `mqtt5` says whether messages carry properties; they are passed over.
    """

    def __init__(self, sock: Any, take: Take, *, mqtt5: bool) -> None:
        self._sock = sock
        self._take = take
        self._mqtt5 = mqtt5
        self._buffer = bytearray()
        self._for_paho = bytearray()
        self.end: OSError | None = None  # what broke the connection
        self._ended = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._sock, name)

    def receive(self) -> None:
        """Read what has come, as much as one call gives."""
        try:
            data = self._sock.recv(READ_BYTES)
        except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
            return
        except OSError as error:
            self._ended, self.end = True, error
            return
        self._ended = not data
        self._buffer += data

    def sift(self) -> bool:
        """Hand on the messages up to the next other packet; True where there is one, or the
        end of the connection, for paho to read before the rest is sifted."""
        buffer, at = self._buffer, 0
        try:
            while (bounds := _bounds(buffer, at)) is not None:
                head, (body, after), before = buffer[at], bounds, at
                at = after
                if head & 0xF0 != PUBLISH or head & QOS_2:
                    self._for_paho += buffer[before:after]
                    return True
                self._take(*_message(head, bytes(buffer[body:after]), self._mqtt5))
        except Malformed as error:
            self._ended, self.end = True, error
        finally:
            del buffer[:at]
        return self._ended

    def recv(self, size: int) -> bytes:
        """What is for paho: at most `size` bytes of it; none at the end of the connection.
        Raises BlockingIOError where there is nothing, OSError where the connection broke."""
        if self._for_paho:
            data = bytes(self._for_paho[:size])
            del self._for_paho[:size]
            return data
        if self.end is not None:
            raise self.end
        if self._ended:
            return b""
        raise BlockingIOError


def _bounds(buffer: bytearray, at: int) -> tuple[int, int] | None:
    """Where the body of a packet begins and ends; None where not all of it has come."""
    try:
        length, body = _number(buffer, at + 1)
    except IndexError:
        return None
    after = body + length
    return (body, after) if after <= len(buffer) else None


def _message(head: int, packet: bytes, mqtt5: bool) -> tuple[str, bytes, int, int]:
    """The topic, payload, QoS and number of a PUBLISH packet, given without its length."""
    try:
        topic_end = at = 2 + (packet[0] << 8 | packet[1])
        mid = 0
        if head & QOS_1:
            mid = packet[at] << 8 | packet[at + 1]
            at += 2
        if mqtt5:
            length, at = _number(packet, at)
            at += length
    except IndexError:
        raise Malformed("a message ends within its head") from None
    if at > len(packet):
        raise Malformed("a message ends within its head")
    return packet[2:topic_end].decode(errors="replace"), packet[at:], head >> 1 & 1, mid


def _number(data: bytes | bytearray, at: int) -> tuple[int, int]:
    """A number of one to four bytes, the lowest seven bits first, and where it ends.

    >>> _number(bytes([0x80, 0x01, 9]), 0), _number(b"\x7f", 0)
    ((128, 2), (127, 1))
    """
    value = 0
    for n in range(NUMBER_BYTES):
        byte = data[at + n]
        value |= (byte & 0x7F) << 7 * n
        if byte < 0x80:
            return value, at + n + 1
    raise Malformed("a packet of impossible length")
