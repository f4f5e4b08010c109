"""The outbox keeps the native wire's rules, whatever the network does to its messages."""

from __future__ import annotations

import json
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from firmware_sim.outbox import HOUR, RESEND_MAX_MS, SECOND, Message, Outbox, new_boot

MINUTE = 60 * SECOND
EVENTS = [{"at": 0, "status": {"moving": True}}]


def receipt(outbox: Outbox, seq: int, *missing: list[int]) -> bytes:
    return json.dumps({"boot": outbox.boot, "seq": seq, "missing": missing}).encode()


def filled(count: int, capacity: int = 1_000) -> Outbox:
    outbox = Outbox(capacity)
    for _ in range(count):
        outbox.append(EVENTS, 0)
    return outbox


def sent(outbox: Outbox, now_ms: int) -> list[int]:
    return [message.seq for message in outbox.due(now_ms)]


def sending_times(outbox: Outbox, until_ms: int) -> list[int]:
    times = []
    while (due := outbox.next_due()) is not None and due <= until_ms:
        times += [due for _ in outbox.due(due)]
    return times


def test_every_start_has_a_boot_of_its_own():
    assert len({new_boot() for _ in range(1_000)}) == 1_000


def test_a_message_is_the_native_wire():
    outbox = Outbox(10, boot="9f3a01c2")
    outbox.append(EVENTS, 1_790_000_000_123)
    [message] = outbox.due(1_790_000_000_200)
    assert json.loads(message.payload()) == {
        "boot": "9f3a01c2",
        "seq": 0,
        "sent": 1_790_000_000_123,
        "events": EVENTS,
    }


def test_it_is_sent_again_after_a_minute_doubling_to_an_hour():
    times = sending_times(filled(1), 6 * HOUR)
    pauses = [after - before for before, after in pairwise(times)]
    assert pauses[:7] == [MINUTE * n for n in (1, 2, 4, 8, 16, 32, 60)]
    assert set(pauses[7:]) == {RESEND_MAX_MS}


def test_a_fast_clock_has_a_floor_for_every_pause():
    outbox = Outbox(10, floor_ms=4 * MINUTE)
    outbox.append(EVENTS, 0)
    assert sending_times(outbox, HOUR)[:4] == [0, 4 * MINUTE, 8 * MINUTE, 12 * MINUTE]


def test_a_fast_clock_has_a_floor_for_missing_ones():
    outbox = Outbox(10, floor_ms=30 * SECOND)
    for _ in range(2):
        outbox.append(EVENTS, 0)
    outbox.due(0)
    outbox.receipt(receipt(outbox, 1, [0, 0]))
    assert outbox.next_due() == 30 * SECOND


def test_a_missing_one_is_sent_again_after_ten_seconds_doubling():
    outbox = filled(2)
    outbox.due(0)
    outbox.receipt(receipt(outbox, 1, [0, 0]))
    times = []
    while (due := outbox.next_due()) <= 5 * MINUTE:
        assert sent(outbox, due) == [0]
        times.append(due // SECOND)
        outbox.receipt(receipt(outbox, 1, [0, 0]))  # naming it again hurries nothing
    assert times == [10, 30, 70, 150]


def test_a_reconnection_sends_what_was_under_way_at_once_and_in_order():
    outbox = filled(3)
    outbox.due(0)
    outbox.append(EVENTS, 5)
    outbox.receipt(receipt(outbox, 1, [0, 0]))
    outbox.reconnected()
    assert sent(outbox, 6) == [0, 2, 3]
    assert outbox.next_due() == 6 + MINUTE


def test_one_call_hands_over_a_bounded_number():
    outbox = filled(250)
    assert [len(outbox.due(0)) for _ in range(4)] == [100, 100, 50, 0]
    outbox.reconnected()
    assert [message.seq for message in outbox.due(0, limit=3)] == [0, 1, 2]
    assert outbox.due(0, limit=0) == []


def test_receipts_of_other_boots_and_what_is_no_receipt_change_nothing():
    outbox = filled(2)
    outbox.due(0)
    for payload in (b"", b"{}", b'{"boot": "another", "seq": 1, "missing": []}'):
        outbox.receipt(payload)
    assert len(outbox) == 2


def test_nobody_can_receipt_what_was_never_sent():
    outbox = filled(2)
    outbox.receipt(receipt(outbox, 99))
    assert sent(outbox, 0) == [0, 1]


def test_an_older_receipt_takes_nothing_back():
    outbox = filled(6)
    outbox.due(0)
    outbox.receipt(receipt(outbox, 4, [3, 3]))
    outbox.receipt(receipt(outbox, 3, [1, 2]))  # overtaken on its way: 3 was stored before 4
    assert outbox.receipted() == ((0, 4),)
    assert sent(outbox, MINUTE) == [5]


def test_a_full_buffer_overwrites_its_oldest_and_says_what_it_still_holds():
    outbox = filled(3, capacity=3)
    assert all(b"first" not in message.payload() for message in outbox.due(0))
    outbox.append(EVENTS, 1)
    [message] = outbox.due(1)
    assert (message.seq, message.first) == (3, 1)
    outbox.receipt(receipt(outbox, 2, [0, 0]))
    outbox.append(EVENTS, 2)
    assert [(m.seq, m.first) for m in outbox.due(2)] == [(4, 3)]
    outbox.reconnected()
    assert [(m.seq, m.sent, m.first) for m in outbox.due(3)] == [(3, 1, 3), (4, 2, 3)]


def test_it_gives_up_after_ten_sendings_and_a_day_while_later_ones_are_accounted_for():
    outbox = filled(2)
    outbox.due(0)
    outbox.receipt(receipt(outbox, 1, [0, 0]))
    times = sending_times(outbox, 48 * HOUR)
    assert len(times) >= 9
    assert 23 * HOUR <= times[-1] < 24 * HOUR
    assert len(outbox) == 0
    outbox.append(EVENTS, 49 * HOUR)
    [message] = outbox.due(49 * HOUR)
    assert (message.seq, message.first) == (2, 2)


def test_it_never_gives_up_while_nothing_later_gets_through():
    outbox = filled(2)
    assert len(sending_times(outbox, 240 * HOUR)) > 400
    assert len(outbox) == 2


def test_ten_sendings_within_a_day_are_no_reason_to_give_up():
    outbox = filled(2)
    outbox.due(0)
    outbox.receipt(receipt(outbox, 1, [0, 0]))
    for minute in range(50):
        outbox.reconnected()
        assert sent(outbox, minute * MINUTE) == [0]
    assert len(outbox) == 1


class Network(RuleBasedStateMachine):
    """A device, a gateway that stores whole messages, and a network between them that loses,
    doubles and reorders both ways. `first` tells the gateway what will never come."""

    @initialize(capacity=st.integers(1, 12))
    def start(self, capacity):
        self.now = 0
        self.outbox = Outbox(capacity)
        self.bodies: dict[int, tuple] = {}
        self.on_the_way: list[Message] = []
        self.stored: set[int] = set()
        self.first = 0
        self.receipts: list[bytes] = []
        self.covered: set[int] = set()

    @rule(ms=st.sampled_from([1, 3 * SECOND, 10 * SECOND, MINUTE, HOUR]))
    def time_passes(self, ms):
        self.now += ms

    @rule(count=st.integers(1, 5))
    def report(self, count):
        for _ in range(count):
            self.outbox.append([{"at": self.now, "seq": self.outbox.next_seq}], self.now)

    @rule(limit=st.integers(0, 8))
    def send(self, limit):
        messages = self.outbox.due(self.now, limit)
        assert len(messages) <= limit
        for message in messages:
            body = (message.boot, message.sent, message.events)
            assert self.bodies.setdefault(message.seq, body) == body
            assert message.seq not in self.covered
            self.on_the_way.append(message)

    @rule()
    def reconnect(self):
        self.outbox.reconnected()

    @precondition(lambda self: self.on_the_way)
    @rule(data=st.data(), lost=st.booleans(), doubled=st.booleans())
    def message_arrives(self, data, lost, doubled):
        at = data.draw(st.integers(0, len(self.on_the_way) - 1))
        message = self.on_the_way[at] if doubled else self.on_the_way.pop(at)
        if not lost:
            self.store(message)

    @precondition(lambda self: self.receipts)
    @rule(data=st.data(), doubled=st.booleans())
    def receipt_arrives(self, data, doubled):
        at = data.draw(st.integers(0, len(self.receipts) - 1))
        self.deliver(self.receipts[at] if doubled else self.receipts.pop(at))

    @invariant()
    def what_has_a_receipt_is_stored(self):
        for low, high in self.outbox.receipted():
            assert self.stored.issuperset(range(low, high + 1))

    def teardown(self):
        """A network that works again gets everything through that the device still holds."""
        for _ in range(100):
            if not len(self.outbox):
                return
            self.now = max(self.now, self.outbox.next_due())
            for message in self.outbox.due(self.now):
                self.store(message)
            self.deliver(self.receipts[-1])
        raise AssertionError("messages without a receipt")

    def store(self, message):
        self.stored.add(message.seq)
        self.first = max(self.first, message.first or 0)
        missing: list[list[int]] = []
        top = max(self.stored)
        for seq in range(self.first, top + 1):
            if seq in self.stored:
                continue
            if missing and missing[-1][1] == seq - 1:
                missing[-1][1] = seq
            elif len(missing) == 8:
                top = seq - 1
                break
            else:
                missing.append([seq, seq])
        self.receipts.append(receipt(self.outbox, top, *missing))

    def deliver(self, payload):
        self.outbox.receipt(payload)
        for low, high in self.outbox.receipted():
            self.covered.update(range(low, high + 1))


Network.TestCase.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
TestNetwork = Network.TestCase


@given(st.integers(max_value=0))
def test_a_buffer_holds_at_least_one_message(capacity):
    with pytest.raises(ValueError, match="at least one"):
        Outbox(capacity)
