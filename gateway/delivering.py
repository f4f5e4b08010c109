"""Delivering: who is to be told of alerts is told.

What is due is claimed, sent by threads, and noted. A worker that dies between sending and noting
leaves its claims: they come due again, and are sent again under the same ids. A recipient has few
threads, a failing one rests, and who was served longest ago comes first, so that one that is slow
or away delays no other.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from queue import Empty, SimpleQueue
from typing import NamedTuple

import structlog

from gateway import metrics
from tracker.clocks import Clock
from tracker.delivery_ports import Channels, Outcome
from tracker.notices import (
    LEFT,
    Attempt,
    Delivery,
    State,
    by_lead,
    gathered,
    leave,
    message,
    noted,
    put_off,
    quiet_of,
)
from tracker.ports import Store, Writer
from tracker.recipients import TO_MQTT, Recipient

THREADS = 16
THREADS_EACH = 2  # of one recipient
CLAIMED_AT_ONCE = 100
CLAIMED_FOR_MS = 60_000  # then another worker may send them: longer than what follows
SEND_FOR_S = 5.0  # of one claim: what is left of it then is left to the next
LOOK_EVERY_S = 1.0
AWAIT_S = 0.02  # what is under way, within a turn: the worker's other jobs wait as long
RESTS_S = (1, 5, 15, 60)  # after so many claims in a row of which none was sent
MEASURED_EVERY_S = 10.0

log = structlog.get_logger()


class Sent(NamedTuple):
    """What became of a claim: what was tried, and what there was no time for."""

    recipient: str
    tried: list[tuple[list[Delivery], Attempt]]
    left: list[Delivery]


class Delivering:
    """A worker's job. Any number of workers may do it on one store."""

    def __init__(self, store: Store, channels: Channels, clock: Clock) -> None:
        self._store = store
        self._channels = channels
        self._clock = clock
        self._threads = ThreadPoolExecutor(THREADS, "deliver")
        self._ended = SimpleQueue[Sent]()
        self._unnoted = list[Sent]()
        self._busy = dict[str, int]()  # how many threads each recipient has
        self._served = dict[str, float]()  # when each was given one last
        self._failures = dict[str, int]()
        self._rests_until = dict[str, float]()
        self._stopped = threading.Event()
        self._measured = -MEASURED_EVERY_S

    def turn(self) -> float:
        """Note what was sent, send more of what is due; in how many seconds to go on. Raises
        StoreUnavailable."""
        self._collect(AWAIT_S if self._busy else 0.0)
        self._note()
        self._measure()
        begun = self._begin()
        return 0.0 if begun or self._busy else LOOK_EVERY_S

    def health(self) -> tuple[str, ...]:
        """Nothing: who cannot be told is told later, and listed."""
        return ()

    def close(self) -> None:
        """Let what is being sent end, and note it."""
        self._stopped.set()
        self._threads.shutdown()
        self._channels.close()
        self._collect(0.0)
        self._note()

    def _collect(self, wait_s: float) -> None:
        """Take what threads have ended, waiting for the first."""
        try:
            sent = self._ended.get(timeout=wait_s) if wait_s else self._ended.get_nowait()
            while True:
                self._unnoted.append(sent)
                self._release(sent)
                sent = self._ended.get_nowait()
        except Empty:
            pass

    def _release(self, sent: Sent) -> None:
        id = sent.recipient
        self._busy[id] -= 1
        if not self._busy[id]:
            del self._busy[id]
        if all(attempt.ok for _, attempt in sent.tried):
            self._failures.pop(id, None)
            self._rests_until.pop(id, None)
            return
        was_sent = any(attempt.ok for _, attempt in sent.tried)
        failures = self._failures[id] = 1 if was_sent else self._failures.get(id, 0) + 1
        rest = RESTS_S[min(failures, len(RESTS_S)) - 1]
        self._rests_until[id] = self._clock.mono() + rest

    def _note(self) -> None:
        """Store what became of claims; where that fails it is tried again."""
        if not self._unnoted:
            return
        with self._store.recording() as tx:
            changed = [*self._changes(tx)]
            tx.save_deliveries(changed)
        for sent in self._unnoted:
            for parts, attempt in sent.tried:
                metrics.DELIVERIES.labels("sent" if attempt.ok else "failed").inc(len(parts))
        parked = [one for one in changed if one.state == State.PARKED]
        metrics.DELIVERIES.labels("parked").inc(len(parked))
        for one in parked:
            log.error("a delivery is given up", delivery=one.id, recipient=one.recipient)
        self._unnoted.clear()

    def _changes(self, tx: Writer) -> Iterator[Delivery]:
        """What becomes of deliveries; what is sent again is not sent in quiet hours."""
        recipients, quiet = tx.recipients(), quiet_of(tx)
        for sent in self._unnoted:
            recipient = recipients.get(sent.recipient)  # None: it was removed meanwhile
            for parts, attempt in sent.tried:
                for one in noted(parts, attempt, self._clock.rate):
                    waits = one.state == State.WAITING
                    yield put_off(one, parts, recipient, quiet) if waits and recipient else one
            yield from (one._replace(due=self._clock.now()) for one in sent.left)

    def _measure(self) -> None:
        if self._clock.mono() - self._measured < MEASURED_EVERY_S:
            return
        self._measured = self._clock.mono()
        now = self._clock.now()
        with self._store.reading() as reader:
            backlog = reader.delivery_backlog(now)
        metrics.DELIVERIES_WAITING.set(backlog.waiting)
        metrics.DELIVERIES_PARKED.set(backlog.parked)
        lag = 0 if backlog.due_since is None else now - backlog.due_since
        metrics.DELIVERIES_LAG.set(lag / 1_000)

    def _begin(self) -> bool:
        """Claim some of what is due and let threads send it; whether there was any."""
        now = self._clock.now()
        with self._store.reading() as reader:
            due = reader.due_recipients(now)
            recipients = reader.recipients() if due else {}
        free = THREADS - sum(self._busy.values())
        mono = self._clock.mono()
        waiting = [
            recipients[id]
            for id in sorted(due, key=lambda id: self._served.get(id, 0.0))
            if self._may_serve(recipients[id], mono)
        ][:free]
        if not waiting:
            return False
        until = now + round(CLAIMED_FOR_MS * self._clock.rate)
        with self._store.recording() as tx:
            claims = [(one, claim(tx, one, now, until)) for one in waiting]
        for recipient, groups in claims:
            self._served[recipient.id] = mono
            if groups:
                self._busy[recipient.id] = self._busy.get(recipient.id, 0) + 1
                self._threads.submit(self._send, recipient, groups)
        return True

    def _may_serve(self, recipient: Recipient, mono: float) -> bool:
        id = recipient.id
        is_free = self._busy.get(id, 0) < THREADS_EACH
        return recipient.enabled and is_free and self._rests_until.get(id, 0.0) <= mono

    def _send(self, recipient: Recipient, groups: Sequence[list[Delivery]]) -> None:
        """In a thread: send until the first that fails, or for as long as a claim may take."""
        until = self._clock.mono() + SEND_FOR_S
        tried = list[tuple[list[Delivery], Attempt]]()
        for parts in groups:
            outcome = self._try(recipient, parts)
            tried.append((parts, Attempt(self._clock.now(), outcome.ok, outcome.told)))
            if not outcome.ok or self._clock.mono() >= until or self._stopped.is_set():
                break
        left = [parts[0] for parts in groups[len(tried) :]]
        self._ended.put(Sent(recipient.id, tried, left))

    def _try(self, recipient: Recipient, parts: Sequence[Delivery]) -> Outcome:
        try:
            return self._channels.send(recipient, message(parts))
        except Exception as error:
            log.exception("a channel fails", recipient=recipient.id)
            return Outcome(False, f"Retour failed: {type(error).__name__}")


def claim(tx: Writer, recipient: Recipient, now: int, until: int) -> list[list[Delivery]]:
    """What of a recipient's is due, by what travels together, and what it is to be sent by a
    thread: what goes to MQTT is left in the outbox at once."""
    claimed = tx.claim_deliveries(recipient.id, now, until, CLAIMED_AT_ONCE)
    of = by_lead(tx.travelling_with([one.id for one in claimed if one.lead is not None]))
    groups = gathered(recipient, claimed, of)
    if recipient.url != TO_MQTT:
        new = {one.id for one in claimed if one.lead is None}
        tx.save_deliveries([one for parts in groups for one in parts if one.id in new])
        return groups
    for parts in groups:
        leave(tx, parts[0].notice.data["rule"], message(parts))
        tx.save_deliveries(noted(parts, Attempt(now, True, LEFT)))
        metrics.DELIVERIES.labels("sent").inc(len(parts))
    return []
