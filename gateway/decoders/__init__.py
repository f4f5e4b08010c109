"""Decoders: from a topic and a payload to a message of observations.

A decoder is a pure function. It raises Undecodable, and nothing else, for whatever a device
may send; it is registered here by the topics that it understands.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Protocol

from paho.mqtt.client import topic_matches_sub

from gateway.decoders import native
from gateway.decoders.undecodable import Undecodable
from tracker.model import Message


class Decoder(Protocol):
    """From a topic, a payload and its reception (epoch ms) to a message."""

    def __call__(self, topic: str, payload: bytes, received: int) -> Message: ...


DECODERS: Mapping[str, Decoder] = {
    "retour/v1/+/events": native.decode_events,
    "retour/v1/+/presence": native.decode_presence,
}

TOPIC_AT_MOST = 300


def decoder_of(topic: str, decoders: Mapping[str, Decoder] = DECODERS) -> Decoder:
    """The decoder for a topic. Raises Undecodable where there is none."""
    found = None
    if len(topic) <= TOPIC_AT_MOST:  # longer ones would fill the memory of the next function
        found = decoders.get(_filter_of(topic, tuple(decoders)))
    if found is None:
        raise Undecodable("unknown_topic", f"no decoder for the topic {topic:.100}")
    return found


@lru_cache(maxsize=100_000)
def _filter_of(topic: str, filters: tuple[str, ...]) -> str:
    return next((one for one in filters if topic_matches_sub(one, topic)), "")


def decode_again(topic: str, payload: bytes, received: int, first_event: int) -> Message:
    """Decode what a dead letter keeps of a message: its events from `first_event` on. Raises
    Undecodable."""
    decoder = decoder_of(topic)
    if decoder is native.decode_events:
        return native.decode_events(topic, payload, received, first_event)
    return decoder(topic, payload, received)


__all__ = ["DECODERS", "Decoder", "Undecodable", "decode_again", "decoder_of"]
