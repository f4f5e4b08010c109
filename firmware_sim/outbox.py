"""A device's ring buffer and its rules for sending: a pure state machine, time is an argument.

A message stays until a receipt covers it. Until then it is sent again, with the same number
and the same stamps, on every reconnection and at growing intervals. Two things end that
without a receipt: a full buffer overwrites its oldest message, and a message that ten
sendings over a day did not get through, while later ones were, is given up. From then on every
message says in `first` what the device still holds, so that nobody waits for the rest.
"""

from __future__ import annotations

import heapq
import secrets
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import Any

import orjson

from firmware_sim.receipts import Receipt, Run, Runs

Event = dict[str, Any]

SECOND = 1_000
HOUR = 3_600 * SECOND

RESEND_MS = 60 * SECOND  # doubling to RESEND_MAX_MS
RESEND_MISSING_MS = 10 * SECOND  # likewise: it may lie in another gateway's open batch
RESEND_MAX_MS = HOUR
GIVE_UP_SENDINGS = 10
GIVE_UP_MS = 24 * HOUR
PER_CALL = 100  # messages that one call of `due` hands over at most


def new_boot() -> str:
    """A boot id from the operating system: two starts never share one, whatever their seed."""
    return secrets.token_hex(8)


@dataclass(frozen=True, slots=True)
class Message:
    """One message of the native wire. `sent` is epoch milliseconds of the device's clock,
    `events` the JSON array as it was written when the message was made.

    >>> Message("9f3a01c2", 7, 1790000000123, b'[{"at":1790000000000}]').payload()
    b'{"boot":"9f3a01c2","seq":7,"sent":1790000000123,"events":[{"at":1790000000000}]}'
    """

    boot: str
    seq: int
    sent: int
    events: bytes
    first: int | None = None

    def payload(self) -> bytes:
        """The JSON text to publish. All of it but `first` is the same at every sending."""
        body: dict[str, Any] = {"boot": self.boot, "seq": self.seq, "sent": self.sent}
        if self.first is not None:
            body["first"] = self.first
        body["events"] = orjson.Fragment(self.events)
        return orjson.dumps(body)


@dataclass(slots=True)
class _Held:
    """A message without a receipt yet, and when it is sent next (ms)."""

    sent: int
    events: bytes
    due: int
    sendings: int = 0
    first_sending: int = 0
    last_sending: int = 0
    delay: int = RESEND_MS  # from the next sending to the one after
    missing: bool = False  # a receipt has named it since the last connection


class Outbox:
    """The messages of one boot, at most `capacity` of them. `floor_ms` is the shortest time
    between two sendings of one message (a device on an accelerated clock needs one).

    >>> outbox = Outbox(capacity=100, boot="9f3a01c2")
    >>> outbox.append([{"at": 1000, "status": {"moving": True}}], now_ms=1005)
    >>> [message.seq for message in outbox.due(now_ms=1005)], outbox.next_due()
    ([0], 61005)
    >>> outbox.receipt(b'{"boot": "9f3a01c2", "seq": 0, "missing": []}')
    >>> list(outbox.receipted()), len(outbox)
    ([(0, 0)], 0)
    """

    def __init__(self, capacity: int, *, boot: str | None = None, floor_ms: int = 0) -> None:
        if capacity < 1:
            raise ValueError("a buffer holds at least one message")
        self.boot = boot or new_boot()
        self.next_seq = 0
        self._capacity = capacity
        self._floor = floor_ms
        self._held: OrderedDict[int, _Held] = OrderedDict()  # by number, oldest first
        self._schedule: list[tuple[int, int]] = []  # heap of (due, seq); stale where they differ
        self._receipted = Runs()
        self._highest_receipted = -1
        self._lost_any = False

    def __len__(self) -> int:
        """How many messages still lack a receipt."""
        return len(self._held)

    def receipted(self) -> tuple[Run, ...]:
        """The numbers that receipts have covered, as runs `(low, high)`, both inclusive."""
        return tuple(self._receipted)

    def append(self, events: Sequence[Event], now_ms: int) -> None:
        """Makes one message of `events`. Where the buffer is full the oldest one is lost."""
        if len(self._held) >= self._capacity:
            self._held.popitem(last=False)
            self._lost_any = True
        self._held[self.next_seq] = _Held(now_ms, orjson.dumps(events), due=now_ms)
        heapq.heappush(self._schedule, (now_ms, self.next_seq))
        self.next_seq += 1

    def due(self, now_ms: int, limit: int = PER_CALL) -> list[Message]:
        """The messages to publish now, at most `limit`; they count as sent."""
        sending: list[int] = []
        while len(sending) < limit and (due := self.next_due()) is not None and due <= now_ms:
            _, seq = heapq.heappop(self._schedule)
            if self._hopeless(seq, now_ms):
                del self._held[seq]
                self._lost_any = True
            else:
                self._count_sending(seq, now_ms)
                sending.append(seq)
        return [self._message(seq) for seq in sending]

    def next_due(self) -> int | None:
        """When the next message is due (ms), or None while there is none."""
        while self._schedule:
            due, seq = self._schedule[0]
            if seq in self._held and self._held[seq].due == due:
                return due
            heapq.heappop(self._schedule)
        return None

    def receipt(self, payload: bytes) -> None:
        """Drops what the receipt covers and hurries what it names as missing. Receipts come in
        any order: one that is older than another covers less, so it changes nothing. What is no
        receipt of this boot is ignored."""
        try:
            receipt = Receipt.parse(payload)
        except ValueError:
            return
        if receipt.boot != self.boot:
            return
        for seq in list(takewhile(lambda held: held <= receipt.seq, self._held)):
            if self._held[seq].sendings == 0:
                continue  # nobody can have stored it
            if receipt.misses(seq):
                self._hurry(seq)
            else:
                self._drop(seq)

    def reconnected(self) -> None:
        """All that was sent on the old connection is due at once, and the back-off starts anew."""
        for held in self._held.values():
            if held.sendings:
                held.due, held.delay, held.missing = 0, RESEND_MS, False
        self._schedule = [(held.due, seq) for seq, held in self._held.items()]
        heapq.heapify(self._schedule)

    def _message(self, seq: int) -> Message:
        held = self._held[seq]
        first = next(iter(self._held)) if self._lost_any else None
        return Message(self.boot, seq, held.sent, held.events, first)

    def _count_sending(self, seq: int, now_ms: int) -> None:
        held = self._held[seq]
        if held.sendings == 0:
            held.first_sending = now_ms
        held.sendings += 1
        held.last_sending = now_ms
        self._schedule_at(seq, now_ms + max(held.delay, self._floor))
        held.delay = min(2 * held.delay, RESEND_MAX_MS)

    def _hurry(self, seq: int) -> None:
        """The first receipt that names `seq` starts the shorter back-off; the next ones find it
        running."""
        held = self._held[seq]
        if held.missing:
            return
        held.missing = True
        held.delay = 2 * RESEND_MISSING_MS
        due = held.last_sending + max(RESEND_MISSING_MS, self._floor)
        self._schedule_at(seq, min(held.due, due))

    def _schedule_at(self, seq: int, due: int) -> None:
        self._held[seq].due = due
        heapq.heappush(self._schedule, (due, seq))

    def _drop(self, seq: int) -> None:
        del self._held[seq]
        self._receipted.add(seq)
        self._highest_receipted = max(self._highest_receipted, seq)

    def _hopeless(self, seq: int, now_ms: int) -> bool:
        held = self._held[seq]
        return (
            held.sendings >= GIVE_UP_SENDINGS
            and now_ms - held.first_sending >= GIVE_UP_MS
            and seq < self._highest_receipted
        )
