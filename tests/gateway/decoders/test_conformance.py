"""What every decoder must do, over captured messages (see conftest.py)."""

import pytest

from gateway.decoders import Undecodable
from tracker.model import body_of, what_of
from tracker.record import record
from tracker.stamps import StampPolicy


def as_in_the_table(o):
    what = {name: value for name, value in o.what._asdict().items() if value is not None}
    return {"kind": o.kind, "subject": o.subject, "stamp": o.stamp, "what": what}


def test_what_is_no_message_is_refused_with_its_reason(refused):
    with pytest.raises(Undecodable) as refusal:
        refused.decoded()
    assert refusal.value.reason == refused.expected["refused"]
    assert refusal.value.detail


def test_a_message_is_decoded_as_expected(readable):
    message, expected = readable.decoded(), readable.expected
    envelope = {name: getattr(message, name) for name in expected["message"]}
    assert envelope == expected["message"]
    observations = [as_in_the_table(o) for o in message.observations]
    assert observations == expected.get("observations", [])
    assert [reject.reason for reject in message.rejects] == expected.get("rejects", [])


def test_decoding_again_gives_the_same(readable):
    assert readable.decoded() == readable.decoded()


def test_keys_and_digests_do_not_depend_on_the_reception(readable):
    at_once, later = (readable.decoded(readable.RECEIVED + wait) for wait in (0, 60_000))
    identities = [(o.key, o.digest) for o in at_once.observations]
    assert [(o.key, o.digest) for o in later.observations] == identities
    assert len(dict(identities)) == len(identities)


def test_an_observation_carries_its_message_and_its_content(readable):
    message = readable.decoded()
    assert (message.topic, message.payload) == (readable.topic, readable.payload)
    for o in message.observations:
        assert (o.device, o.boot, o.seq) == (message.device, message.boot, message.seq)
        assert (o.sent, o.received, o.at) == (message.sent, readable.RECEIVED, o.stamp)
        assert o.body == body_of(o.what)
        assert what_of(o.kind, o.body) == o.what
        assert len(o.key) == len(o.digest) == 16


def test_what_is_decoded_can_be_recorded_and_read_back(store, readable):
    message = readable.decoded()
    with store.writing() as tx:
        record(tx, [message], [], StampPolicy())
    with store.reading() as tx:
        held = {held.observation.key: held.observation for _, held in tx.held_back(None, 100)}
        stored = [tx.logged(o.key) or held[o.key] for o in message.observations]
    assert stored == message.observations
