"""What a person has looked at again is kept somewhere, whatever comes of it."""

import orjson
import pytest

from gateway.decoders.native import decode_events
from tracker.audit import Act
from tracker.letters import dead_letter
from tracker.second_look import Again, discard_letters, retry_letters
from tracker.stamps import StampPolicy

NOW = 1_790_000_000_000
ME = Act("me", NOW, NOW)
POLICY = StampPolicy()


def decode(topic, payload, received, _event):
    return decode_events(topic, payload, received)


@pytest.fixture
def letters(db):
    """Two dead letters that can be read by now: of a registered device, and of a stranger."""
    db.register("trk-1", asset="A1")
    event = {"at": NOW, "fix": {"lat": 1.0, "lon": 2.0}}
    payload = orjson.dumps({"boot": "b", "seq": 0, "events": [event]})
    with db.store.writing() as tx:
        tx.dead_letter(
            dead_letter(f"retour/v1/{name}/events", payload, NOW, "handler_error", "then")
            for name in ("trk-1", "stranger")
        )
    return [1, 2]


def test_a_strangers_letter_stays_until_somebody_registers_it(db, letters):
    assert db.do(retry_letters, letters, decode, POLICY, ME) == Again(2, 1, 1)
    assert (db.count("log"), db.count("dead_letters"), db.count("quarantine")) == (1, 1, 0)
    db.register("stranger")
    assert db.do(retry_letters, letters, decode, POLICY, ME) == Again(1, 1, 0)
    assert (db.count("log"), db.count("dead_letters")) == (2, 0)


def test_a_letter_is_thrown_away_for_good(db, letters):
    assert db.do(discard_letters, [2, 9], ME) == Again(1, 0, 0)
    assert db.count("dead_letters") == 1
