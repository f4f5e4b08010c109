"""The native wire at its limits: size, depth, number."""

import json
import tracemalloc

import pytest

from gateway.decoders import Undecodable
from gateway.decoders.native import EVENTS_AT_MOST, SIZE_AT_MOST, decode_events, decode_presence

TOPIC = "retour/v1/trk-1/events"
AT = 1_790_000_000_000
STATUS = {"at": AT, "status": {"moving": True}}
DEEP = "DEEP"


def decode(depth=0, **fields):
    """Decode a message; lists in lists, so many deep, stand where DEEP stands."""
    envelope = {"boot": "b1", "seq": 0, "events": [STATUS]} | fields
    text = json.dumps(envelope).replace(f'"{DEEP}"', "[" * depth + "]" * depth)
    return decode_events(TOPIC, text.encode(), AT)


def padded(size):
    empty = json.dumps({"boot": "b1", "seq": 0, "events": [STATUS], "x": ""})
    return empty.replace('"x": ""', f'"x": "{"x" * (size - len(empty))}"').encode()


def test_a_payload_of_the_greatest_size_is_decoded():
    assert len(decode_events(TOPIC, padded(SIZE_AT_MOST), AT).observations) == 2


@pytest.mark.parametrize("size", [SIZE_AT_MOST + 1, 3_000_000])
@pytest.mark.parametrize("decoder", [decode_events, decode_presence])
def test_a_greater_payload_is_refused(decoder, size):
    with pytest.raises(Undecodable) as refusal:
        decoder(TOPIC, padded(size), AT)
    assert refusal.value.reason == "too_large"


@pytest.mark.parametrize("opening", [b"[", b'{"a":', b'{"boot":"b1","seq":0,"events":['])
@pytest.mark.parametrize("decoder", [decode_events, decode_presence])
def test_deep_json_is_refused(decoder, opening):
    payload = opening + b"[" * 100_000
    with pytest.raises(Undecodable):
        decoder(TOPIC, payload, AT)
    with pytest.raises(Undecodable):
        decoder(TOPIC, payload + b"]" * 100_000, AT)


@pytest.mark.parametrize("depth", [100, 260, 990, 1020])
@pytest.mark.parametrize(
    "fields",
    [
        {"x": DEEP},
        {"events": [STATUS | {"x": DEEP}]},
        {"events": [{"at": AT, "sensor": {"x": DEEP}}]},
        {"events": [{"at": AT, "fix": {"lat": 1, "lon": 2, "x": DEEP}}]},
        {"events": [{"at": AT, "fix": {"lat": DEEP, "lon": 2}}]},
        {"events": [{"at": AT, "fix": DEEP}]},
        {"events": [{"at": DEEP, "fix": {"lat": 1, "lon": 2}}]},
        {"events": [DEEP]},
        {"boot": DEEP},
        {"seq": DEEP},
        {"sent": DEEP},
        {"device": DEEP},
    ],
    ids=[
        *("envelope", "event", "sensor", "fix", "latitude", "whole fix", "time", "whole event"),
        *("boot", "seq", "sent", "device"),
    ],
)
def test_a_deep_value_is_kept_or_refused(fields, depth):
    """Deep enough that some parts of the machinery can read it, and others cannot."""
    try:
        message = decode(depth, **fields)
    except Undecodable:
        return
    assert len(message.observations) + len(message.rejects) > 0


def test_a_deep_event_costs_its_neighbours_nothing():
    message = decode(500, events=[{"at": AT, "x": DEEP}, STATUS])
    assert "status" in [o.kind for o in message.observations]


@pytest.mark.parametrize(("count", "kept"), [(EVENTS_AT_MOST, True), (EVENTS_AT_MOST + 1, False)])
def test_a_message_carries_a_limited_number_of_events(count, kept):
    message = decode(events=[STATUS] * count)
    assert len(message.observations) == (count if kept else 0)
    assert [reject.reason for reject in message.rejects] == ([] if kept else ["bad_event_count"])


@pytest.mark.parametrize(
    "place",
    [
        lambda n: {"boot": f"{n}" * 20_000},
        lambda n: {"device": f"{n}" * 20_000},
        lambda n: {"events": [{"at": AT, "read": {"epc": f"{n}" * 20_000}}]},
        lambda n: {"events": [{"at": f"{n}" * 20_000, "status": {"x": 1}}]},
    ],
    ids=["boot", "device", "epc", "at"],
)
def test_long_values_are_not_remembered(place):
    """What a decoder keeps to be faster must not grow with what devices send."""
    tracemalloc.start()
    try:
        for n in range(1000, 1100):
            try:
                decode(**place(n))
            except Undecodable:
                continue
        kept, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert kept < 1_000_000


@pytest.mark.parametrize(
    "fields",
    [
        {"boot": "b" * 200_000},
        {"device": "d" * 200_000},
        {"seq": "1" * 200_000},
        {"sent": "s" * 200_000},
    ],
    ids=["boot", "device", "seq", "sent"],
)
def test_the_reason_of_a_refusal_is_short(fields):
    with pytest.raises(Undecodable) as refusal:
        decode(**fields)
    assert len(refusal.value.detail) < 1_000


@pytest.mark.parametrize("epc", ["x" * 200_000, "tag:" + "x" * 200_000])
def test_the_reason_of_an_unreadable_event_is_short(epc):
    (reject,) = decode(events=[{"at": AT, "read": {"epc": epc}}]).rejects
    assert len(reject.detail) < 1_000


def test_an_events_own_key_is_not_lost_to_the_envelopes():
    message = decode(events=[STATUS | {"note": "the event's"}], note="the envelope's")
    kept = json.dumps([o.what.values for o in message.observations if o.kind == "other"])
    assert "the event's" in kept
    assert "the envelope's" in kept


def test_the_envelopes_keys_are_kept_when_the_first_event_is_unreadable():
    message = decode(events=[{}, STATUS], fw="1.2")
    assert [o.what.values for o in message.observations if o.kind == "other"] == [{"fw": "1.2"}]
