"""Whatever comes is decoded or refused, and whatever is decoded can be recorded."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.decoders import DECODERS, Undecodable
from gateway.ingest import Ingest
from gateway.session import Delivery
from tracker.model import Device, body_of, what_of
from tracker.record import record
from tracker.registry import register_device
from tracker.stamps import StampPolicy

RECEIVED = 1_790_000_001_000
POLICY = StampPolicy()
TOPICS = ["retour/v1/trk-1/events", "retour/v1/trk-1/presence", "retour/v1/nobody/events"]
NAMES = ["boot", "seq", "sent", "first", "device", "events", "at", "fix", "read", "sensor"]
NAMES += ["status", "lat", "lon", "acc", "epc", "count", "battery", "moving", "online", "conn"]

texts = st.text() | st.sampled_from(["\x00", "E280", "2026-01-01T00:00:00Z", "b1", "ﬀ", "\ud800"])
numbers = st.integers() | st.sampled_from([0, -1, 2**53, 2**63, 2**64, 1_790_000_000_000])
scalars = st.none() | st.booleans() | numbers | st.floats() | texts
values = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(NAMES) | texts, inner, max_size=4)
    ),
    max_leaves=12,
)
events = st.fixed_dictionaries(
    {"at": numbers | texts},
    optional=dict.fromkeys(("fix", "read", "sensor", "status", "x", "\x00"), values),
)
messages = st.fixed_dictionaries(
    {
        "boot": texts,
        "seq": st.integers(0, 2**53),
        "events": st.lists(events | values, max_size=3),
        "online": st.booleans(),
        "conn": st.integers(0, 9),
    },
    optional={"sent": numbers, "first": st.integers(0, 2**53), "x": values},
)
TOKENS = [b"null", b"true", b"1e999", b"-1", b'"', b"[", b"}", b"\\u0000", b"\\ud800", b"9" * 20]
edits = st.lists(
    st.tuples(
        st.integers(0, 1_000), st.integers(0, 8), st.binary(max_size=4) | st.sampled_from(TOKENS)
    ),
    min_size=1,
    max_size=4,
)
payloads = st.binary() | (messages | values).map(lambda value: json.dumps(value).encode())


@pytest.fixture(scope="module")
def shared(new_store):
    made = new_store()
    yield made
    made.close()


def decode_and_record(store, decoder, topic, payload):
    try:
        message = decoder(topic, payload, RECEIVED)
    except Undecodable:
        return
    for o in message.observations:
        assert what_of(o.kind, o.body) == o.what
        assert body_of(o.what) == o.body
    with store.writing() as tx:
        record(tx, [message], [], POLICY)
    with store.reading() as tx:
        tx.held_back(None, 10)
        tx.dead_letters(None, 10)


@settings(deadline=None)
@given(st.sampled_from(sorted(DECODERS)), payloads)
def test_any_payload_is_decoded_or_refused(shared, topics, payload):
    decode_and_record(shared, DECODERS[topics], topics.replace("+", "trk-1"), payload)


@settings(deadline=None)
@given(st.integers(0, 10_000), edits)
def test_any_captured_message_with_bytes_changed_is_decoded_or_refused(
    shared, captured, number, edits
):
    payload = bytearray(captured(number))
    for at, length, instead in edits:
        at %= len(payload) + 1
        payload[at : at + length] = instead
    for topics, decoder in DECODERS.items():
        decode_and_record(shared, decoder, topics.replace("+", "trk-1"), bytes(payload))


@settings(deadline=None, max_examples=50)
@given(st.lists(st.tuples(st.sampled_from(TOPICS), payloads), max_size=6))
def test_any_batch_is_ingested_without_a_handler_error(shared, batch):
    deliveries = [
        Delivery(topic, payload, RECEIVED, 1, mid, 1) for mid, (topic, payload) in enumerate(batch)
    ]
    Ingest(shared, POLICY)(deliveries)
    with shared.reading() as tx:
        letters = [letter for _, letter in tx.dead_letters(None, 1_000)]
    assert "handler_error" not in {letter.reason for letter in letters}


def test_what_any_device_sent_can_be_adopted(shared):
    """The device of the batches above is registered at last."""
    with shared.writing() as tx:
        register_device(tx, Device("nobody", "tracker"), POLICY)
