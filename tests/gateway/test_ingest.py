"""Ingest: a bad message never stops its neighbours, and no store means nothing recorded."""

import json
import sqlite3
from contextlib import closing

import pytest

from gateway.decoders import DECODERS, Undecodable, decoder_of
from gateway.ingest import Ingest
from gateway.session import Delivery
from tracker.ports import StoreUnavailable
from tracker.stamps import StampPolicy

NOW = 1_790_000_000_000
TOPIC = "retour/v1/trk-1/events"
POLICY = StampPolicy()


def delivery(seq, topic=TOPIC, **fields):
    events = [{"at": NOW + seq, "status": {"moving": True}}]
    envelope = {"boot": "b1", "seq": seq, "events": events} | fields
    return Delivery(topic, json.dumps(envelope).encode(), NOW, 1, seq + 1, 1)


def crashing_at(*seqs, error=RuntimeError):
    """The decoders, but that they fail for some messages."""

    def decode(topic, payload, received):
        message = decoder_of(topic)(topic, payload, received)
        if message.seq in seqs:
            raise error("cannot cope")
        return message

    return dict.fromkeys(DECODERS, decode)


def counts(store):
    with store.reading() as tx:
        return tx.counts()


def letters(store):
    with store.reading() as tx:
        return [letter for _, letter in reversed(tx.dead_letters(None, 1_000))]


def greatest(receipts):
    return max((r.seq, r.missing) for r in receipts)


def test_a_batch_is_stored_and_receipted(store):
    receipts = Ingest(store, POLICY)([delivery(seq) for seq in range(100)])
    assert counts(store)["log"] == 100
    assert [(r.device, r.boot, r.seq, r.missing) for r in receipts] == [("trk-1", "b1", 99, [])]


def test_an_empty_batch_is_fine(store):
    assert Ingest(store, POLICY)([]) == []


@pytest.mark.parametrize("at", [0, 42, 99])
@pytest.mark.parametrize("error", [RuntimeError, RecursionError, MemoryError, KeyError])
def test_one_message_that_crashes_its_decoder_stops_no_other(store, at, error):
    receipts = Ingest(store, POLICY, crashing_at(at, error=error))(
        [delivery(seq) for seq in range(100)]
    )
    assert counts(store)["log"] == 99
    assert [letter.reason for letter in letters(store)] == ["handler_error"]
    assert letters(store)[0].payload == delivery(at).payload
    top, missing = greatest(receipts)
    assert top == (98 if at == 99 else 99)
    assert missing == ([] if at == 99 else [(at, at)])


def test_several_messages_that_crash_their_decoder_stop_no_other(store):
    bad = {0, 1, 50, 98}
    Ingest(store, POLICY, crashing_at(*bad))([delivery(seq) for seq in range(100)])
    assert counts(store)["log"] == 96
    assert {letter.payload for letter in letters(store)} == {delivery(n).payload for n in bad}


def test_a_message_that_crashes_the_recording_stops_no_other(store):
    """The database itself refuses its row, whatever the reason."""
    with closing(sqlite3.connect(store.path)) as other:
        other.execute(
            "CREATE TRIGGER crash BEFORE INSERT ON log WHEN new.seq = 7"
            " BEGIN SELECT RAISE(ABORT, 'cannot cope'); END"
        )
    Ingest(store, POLICY)([delivery(seq) for seq in range(10)])
    assert counts(store)["log"] == 9
    assert [letter.reason for letter in letters(store)] == ["handler_error"]


def test_a_crashing_message_that_comes_again_is_one_dead_letter(store):
    ingest = Ingest(store, POLICY, crashing_at(0))
    for _ in range(2):
        assert ingest([delivery(0)]) == []
    assert len(letters(store)) == 1


def test_a_message_that_works_the_second_time_is_stored(store):
    tries = []

    def decode(topic, payload, received):
        tries.append(topic)
        if len(tries) == 1:
            raise RuntimeError("not yet")
        return decoder_of(topic)(topic, payload, received)

    Ingest(store, POLICY, dict.fromkeys(DECODERS, decode))([delivery(0)])
    assert counts(store)["log"] == 1
    assert letters(store) == []


def test_what_cannot_be_decoded_is_a_dead_letter_in_the_same_batch(store):
    batch = [
        delivery(0),
        Delivery(TOPIC, b"\xff\x00", NOW, 1, 2, 1),
        delivery(1, device="trk-2"),
        delivery(2, topic="some/where"),
        delivery(3),
    ]
    receipts = Ingest(store, POLICY)(batch)
    assert [(r.seq, r.missing) for r in receipts] == [(3, [(1, 2)])]
    assert [(letter.device, letter.reason) for letter in letters(store)] == [
        ("trk-1", "not_json"),
        ("trk-1", "device_mismatch"),
        (None, "unknown_topic"),
    ]


def test_a_message_of_three_megabytes_is_kept_in_part(store):
    Ingest(store, POLICY)([Delivery(TOPIC, b"[" * 3_000_000, NOW, 1, 1, 1)])
    (letter,) = letters(store)
    assert (letter.reason, letter.size) == ("too_large", 3_000_000)
    assert len(letter.payload) == 256 * 1024


def test_a_decoder_may_refuse_any_topic_of_its_own(store):
    def refuse(topic, payload, received):
        raise Undecodable("encrypted", "no key for it")

    Ingest(store, POLICY, {"other/#": refuse})([delivery(0, topic="other/a/b")])
    assert [letter.reason for letter in letters(store)] == ["encrypted"]


def test_without_a_store_nothing_is_recorded_and_it_works_again_afterwards(store):
    ingest = Ingest(store, POLICY)
    batch = [delivery(seq) for seq in range(10)]
    with closing(sqlite3.connect(store.path)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreUnavailable):
            ingest(batch)
    assert set(counts(store).values()) == {0}
    assert greatest(ingest(batch)) == (9, [])


def test_a_store_that_fails_in_the_middle_of_a_batch_loses_nothing(store):
    """Messages before the failure may be stored; the batch comes again, with one effect."""
    failing = [True]

    def decode(topic, payload, received):
        message = decoder_of(topic)(topic, payload, received)
        if message.seq == 0:
            raise RuntimeError("cannot cope")
        if message.seq == 9 and failing:
            raise StoreUnavailable("gone")
        return message

    ingest = Ingest(store, POLICY, dict.fromkeys(DECODERS, decode))
    batch = [delivery(seq) for seq in range(10)]
    with pytest.raises(StoreUnavailable):
        ingest(batch)
    failing.clear()
    assert greatest(ingest(batch)) == (9, [(0, 0)])
    assert counts(store)["log"] == 9
    assert [letter.reason for letter in letters(store)] == ["handler_error"]


def test_a_damaged_database_makes_no_dead_letters(store):
    """It is the store that is bad, and not the messages."""
    ((size,), (page,)) = _page_of(store.path, "log")
    store.close()
    with store.path.open("r+b") as file:
        file.seek((page - 1) * size)
        file.write(b"\xff" * size)
    with pytest.raises(StoreUnavailable):
        Ingest(store, POLICY)([delivery(seq) for seq in range(3)])
    assert counts(store)["dead_letters"] == 0


def _page_of(path, table):
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        return (
            connection.execute("PRAGMA page_size").fetchone(),
            connection.execute(
                "SELECT rootpage FROM sqlite_master WHERE name = ?", [table]
            ).fetchone(),
        )
