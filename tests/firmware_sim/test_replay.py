"""A replay has a receipt for every message when it returns, and says so when it has not."""

from __future__ import annotations

import json
from types import MappingProxyType

import pytest

from firmware_sim.recordings import RecordedMessage, Recording
from firmware_sim.replay import Ledger, ReplayError, ReplayStalledError, replay


def recording(devices: int, each: int) -> Recording:
    messages = []
    for seq in range(each):
        for number in range(devices):
            device, at = f"bus-{number}", 1_000 * seq + number
            body = {"boot": "b0", "seq": seq, "sent": at, "events": [{"at": at, "status": {}}]}
            messages.append(RecordedMessage(device, "b0", seq, at, json.dumps(body).encode()))
    return Recording("test", devices * each, MappingProxyType({}), tuple(messages))


def test_everything_is_published_in_order_and_receipted(broker, gateway):
    told, done = [], []
    result = replay(
        recording(7, 100),
        broker,
        before_publish=told.append,
        progress=lambda *count: done.append(count),
    )
    assert (result.rows, result.published, result.receipted) == (700, 700, 700)
    assert result.boots == ("b0",)
    assert told == [message.at_ms for message in recording(7, 100)]
    assert done[0][1] == 700
    assert done[-1] == (700, 700)
    assert [len(stored) for stored in gateway.stored.values()] == [100] * 7
    assert [list(stored) for stored in gateway.stored.values()] == [[*range(100)]] * 7


def test_what_the_gateway_loses_is_published_again(broker, gateway):
    lost = set()

    def accepts(device, body):
        key = (device, body["seq"])
        fresh = body["seq"] % 7 == 3 and key not in lost
        lost.add(key)
        return not fresh

    gateway.accepts = accepts
    result = replay(recording(3, 50), broker, resend_s=0.3)
    assert result.receipted == 150
    assert not gateway.conflicts


def test_never_more_than_the_window_wait_for_receipts(broker, gateway):
    gateway.answers = False
    with pytest.raises(ReplayStalledError) as stalled:
        replay(recording(4, 50), broker, window=20, resend_s=0.2, give_up_s=0.5)
    assert stalled.value.unreceipted == 20
    assert stalled.value.device == "bus-0"
    assert "20 messages" in str(stalled.value)
    assert sum(len(stored) for stored in gateway.stored.values()) == 20


def test_a_broker_that_restarts_is_found_again(embedded, broker, gateway):
    def restart(at_ms):
        if at_ms == 50_000:
            embedded.stop()
            embedded.start()

    result = replay(recording(1, 100), broker, before_publish=restart, resend_s=1.0)
    assert result.receipted == 100


def test_a_broker_that_is_not_there(nowhere):
    with pytest.raises(ReplayError, match=f"mqtt://127.0.0.1:{nowhere.port}: .*refused"):
        replay(recording(1, 1), nowhere)


def test_an_empty_recording_is_done_at_once(broker):
    assert replay(recording(0, 0), broker).published == 0


def test_the_ledger_keeps_what_is_missing_and_ignores_what_is_not_its_own():
    ledger = Ledger()
    for message in recording(2, 10):
        ledger.published(message)
    ledger.receipt("bus-0", b'{"boot": "b0", "seq": 7, "missing": [[2, 3]]}')
    ledger.receipt("bus-0", b'{"boot": "b0", "seq": 5, "missing": [[2, 3]]}')
    ledger.receipt("bus-0", b'{"boot": "b1", "seq": 7, "missing": []}')
    ledger.receipt("bus-9", b'{"boot": "b0", "seq": 7, "missing": []}')
    ledger.receipt("bus-1", b"no receipt")
    assert (ledger.receipted, len(ledger)) == (6, 14)
    waiting = [message.seq for message in ledger.unreceipted() if message.device == "bus-0"]
    assert waiting == [2, 3, 8, 9]
