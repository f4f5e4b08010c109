"""Facts that scanners at a bench publish over MQTT."""

import orjson
import pytest

from gateway.decoders.native import decode_events
from tracker.facts import fact_of, state
from tracker.model import Asset, Device, Fact
from tracker.record import record
from tracker.registry import register_asset, register_device
from tracker.stamps import StampPolicy
from tracker.stores.sqlite import SqliteStore
from tracker.verify import verify

NOW = 1_790_000_000_000
POLICY = StampPolicy()
RECEIVED = {"asset": "A1", "kind": "received"}


@pytest.fixture
def bench(tmp_path):
    store = SqliteStore(tmp_path / "retour.db")
    with store.writing() as tx:
        register_device(tx, Device("scan-1", "scanner"), POLICY)
        register_asset(tx, Asset("A1", "pallet"))
    yield store
    store.close()


def decoded(fact, seq=0):
    events = [{"at": NOW, "fact": fact}]
    payload = orjson.dumps({"boot": "b", "seq": seq, "events": events})
    return decode_events("retour/v1/scan-1/events", payload, NOW + 9)


def taken(store, fact, seq=0):
    with store.writing() as tx:
        return record(tx, [decoded(fact, seq)], [], POLICY)


def test_a_fact_is_stored_folded_and_receipted(bench):
    done = taken(bench, RECEIVED)
    assert (done.stored, [receipt.seq for receipt in done.receipts]) == (1, [0])
    with bench.reading() as tx:
        (row,) = tx.history("A1")
        assert row.what == Fact("A1", "received")
        assert tx.presents(["A1"])["A1"].told.stage == "received"
        assert verify(tx).sound
    assert taken(bench, RECEIVED).duplicates == 1


@pytest.mark.parametrize(
    ("fact", "reason"),
    [
        (RECEIVED | {"asset": "A9"}, "unknown_asset"),
        ({"asset": "A1", "kind": "inspected", "outcome": "mars"}, "bad_fact"),
    ],
)
def test_what_is_not_registered_is_held_back_with_its_reason(bench, fact, reason):
    done = taken(bench, fact)
    assert (done.stored, done.quarantined, len(done.receipts)) == (0, 1, 1)
    with bench.reading() as tx:
        ((_, held),) = tx.held_back(None, 9)
    assert held.reason == reason


@pytest.mark.parametrize(
    ("fact", "said"),
    [
        ({"asset": "A1", "kind": "sold"}, "fact.kind: 'sold' is no kind of fact"),
        ({"kind": "received"}, "fact.asset: `asset` is missing"),
        (RECEIVED | {"at": NOW}, "fact.at: the event has a time already"),
        (RECEIVED | {"stage": "repair"}, "fact.stage: a fact of the kind received names no"),
        ([], "fact is no JSON object"),
    ],
)
def test_what_is_no_fact_is_a_dead_letter_with_its_reason(fact, said):
    (reject,) = decoded(fact).rejects
    assert (reject.reason, reject.detail[: len(said)]) == ("bad_event", said)


def test_an_id_is_one_fact_whoever_states_it(bench):
    fact = RECEIVED | {"id": "f-1"}
    with bench.writing() as tx:
        state(tx, [fact_of(fact | {"at": NOW})], POLICY, NOW)
    assert taken(bench, fact).duplicates == 1
    other = taken(bench, fact | {"kind": "collected"}, seq=1)
    assert (other.stored, other.dead_lettered) == (0, 1)
