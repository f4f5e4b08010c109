"""The gateway: deliveries from the session, in micro-batches, through ingest.

Everything happens in one thread. Handing batches to a second one costs more, in waits for the
interpreter and wake-ups for every acknowledgement, than it gains.
"""

from __future__ import annotations

from collections.abc import Callable

import structlog

from gateway import metrics
from gateway.ingest import Ingest
from gateway.session import Delivery, Session
from tracker.clocks import Clock
from tracker.ports import Store, StoreUnavailable
from tracker.receipts import Receipt
from tracker.refold import refresh_some

BATCH_AT_MOST = 1_000
IDLE_S = 0.1
GATHER_S = 0.004  # how long a batch waits for company
STORE_RETRY_S = (0.1, 0.2, 0.5, 1, 2, 5)
OUTBOX_EVERY_S = 1.0
OUTBOX_AT_ONCE = 500
REFOLD_EVERY_S = 1.0
REFOLD_AT_ONCE = 5  # assets in a transaction
REFOLD_FOR_S = 0.02  # at a time, for messages wait meanwhile
REFOLD_AGAIN_S = 60.0  # after a failure
STALLED_S = 30.0
LATE_S = 30.0  # a message that waits longer to be stored: the promise is at risk
QUIET_S = 3.0  # without a message: a broker sends what it holds at once

log = structlog.get_logger()


class Gateway:
    """Runs until it is told to stop, in the thread that calls `run`."""

    def __init__(self, session: Session, ingest: Ingest, store: Store, clock: Clock) -> None:
        self._session = session
        self._ingest = ingest
        self._store = store
        self._clock = clock
        self._stopping = False
        self._failures = 0
        self._store_error = ""
        self._next_try = 0.0
        self._next_outbox = 0.0
        self._next_refold = 0.0
        self._oldest: int | None = None  # when the oldest message not acknowledged yet came
        self._beat = self._busy = clock.mono()

    def run(self, ready: Callable[[], None] = lambda: None) -> None:
        """Serve until `stop`, then store and acknowledge what is waiting. `ready` is called
        once, when the subscription stands.

        Raises BrokerRefused where the broker can never be used.
        """
        metrics.OLDEST.set_function(self._oldest_age_s)
        announced = False
        while not self._stopping:
            self._turn()
            if not announced and self._session.connected:
                announced = True
                ready()
        self._end()

    def retire(self) -> bool:
        """Take in what the broker still holds for a session that is leaving, and have it
        forgotten there; whether that came to its end before `stop`."""
        while not self._stopping and self._clock.mono() - self._busy < QUIET_S:
            self._turn()
        done = not self._stopping
        self._end(forget=done)
        return done

    def stop(self) -> None:
        """Make `run` return soon. May be called from another thread or a signal handler."""
        self._stopping = True

    def health(self) -> tuple[str, ...]:
        """What keeps the gateway from its work, in words; nothing where all is well."""
        problems = []
        if self._clock.mono() - self._beat > STALLED_S:
            problems.append("the gateway's loop stands still")
        if not self._session.connected:
            problems.append("the gateway is not connected to the broker")
        if self._store_error:
            problems.append(f"the gateway cannot store: {self._store_error}")
        if (age := self._oldest_age_s()) > LATE_S:
            problems.append(f"a message has waited for {age:.0f} s to be stored")
        if self._session.dropped.lately(self._clock.mono()):
            problems.append("the broker drops messages: its queues are too small")
        return tuple(problems)

    def _oldest_age_s(self) -> float:
        """How many real seconds the oldest message has waited to be stored. May be called from
        another thread, also while a batch is stuck in the store."""
        oldest = self._oldest
        return 0.0 if oldest is None else (self._clock.now() - oldest) / 1_000 / self._clock.rate

    def shed(self) -> dict[str, int]:
        """How many messages were shed of each device above its limit, since the start; of very
        many devices only those that it last happened to. May be called from another thread."""
        return dict(self._session.shed.messages)

    def _turn(self) -> None:
        """Take in what has come, gather a moment for more, store it."""
        self._beat = self._clock.mono()
        waiting = self._session.waiting
        if not waiting or self._next_try > self._beat:
            idle_until = min(self._beat + IDLE_S, self._next_refold)
            self._session.serve(timeout=max(idle_until - self._beat, 0.0))
        gather_until = self._clock.mono() + GATHER_S
        while waiting and len(waiting) < BATCH_AT_MOST and self._next_try <= self._beat:
            left = gather_until - self._clock.mono()
            before = len(waiting)
            if left <= 0:
                break
            self._session.serve(timeout=left)
            if len(waiting) == before:
                break
        metrics.WAITING.set(len(waiting))
        self._oldest = waiting[0].received if waiting else None
        if waiting or not self._session.connected:
            self._busy = self._clock.mono()
        if waiting and self._next_try <= self._clock.mono():
            self._flush()
        if self._clock.mono() >= self._next_outbox:
            self._empty_outbox()
        if self._clock.mono() >= self._next_refold:
            self._refold_stale()

    def _flush(self) -> None:
        """A batch's way, in order. Nothing is acknowledged that has not been committed, but for
        what is shed."""
        waiting = self._session.waiting
        batch = [waiting.popleft() for _ in range(min(len(waiting), BATCH_AT_MOST))]
        wanted = [delivery for delivery in batch if not delivery.shed]
        try:
            receipts = self._store_batch(wanted)
        except StoreUnavailable as error:
            waiting.extendleft(reversed(batch))
            self._store_failed(str(error))
            return
        metrics.LAG.observe(self._oldest_age_s())
        self._oldest = waiting[0].received if waiting else None
        self._session.acknowledge(batch)
        self._publish(receipts)
        self._session.flush()
        metrics.SHED.inc(len(batch) - len(wanted))

    def _store_batch(self, batch: list[Delivery]) -> list[Receipt]:
        if not batch:
            return []
        started = self._clock.mono()
        receipts = self._ingest(batch)
        metrics.COMMIT.observe(self._clock.mono() - started)
        self._store_works()
        metrics.MESSAGES.inc(len(batch))
        metrics.BATCH.observe(len(batch))
        return receipts

    def _publish(self, receipts: list[Receipt]) -> None:
        for receipt in receipts:
            self._session.publish(receipt.topic, receipt.payload)
        metrics.RECEIPTS.inc(len(receipts))

    def _store_failed(self, error: str) -> None:
        pause = STORE_RETRY_S[min(self._failures, len(STORE_RETRY_S) - 1)]
        if not self._failures:
            log.error("the store takes nothing; nothing is acknowledged until it does", error=error)
        self._failures += 1
        self._store_error = error
        self._next_try = self._clock.mono() + pause
        metrics.STORE_FAILURES.inc()

    def _store_works(self) -> None:
        if self._failures:
            log.info("the store works again", failed_attempts=self._failures)
        self._failures = 0
        self._store_error = ""

    def _empty_outbox(self) -> None:
        """Publish what other processes left to be published."""
        self._next_outbox = self._clock.mono() + OUTBOX_EVERY_S
        if not self._session.connected or self._failures:
            return
        try:
            with self._store.recording() as tx:
                if not (messages := tx.outbox(OUTBOX_AT_ONCE)):
                    return
                sent = [m.id for m in messages if self._session.publish(m.topic, m.payload)]
                self._session.flush()
                tx.sent(sent)
        except StoreUnavailable as error:
            self._store_failed(str(error))

    def _refold_stale(self) -> None:
        """Fold some assets again that a change of the configuration has touched."""
        started = self._clock.mono()
        self._next_refold = started + REFOLD_EVERY_S
        if self._failures:
            return
        try:
            while True:
                with self._store.recording() as tx:
                    done = refresh_some(tx, self._clock.now(), REFOLD_AT_ONCE)
                metrics.REFOLDED.inc(done)
                if done < REFOLD_AT_ONCE:
                    return
                if self._clock.mono() - started > REFOLD_FOR_S:
                    self._next_refold = self._clock.mono()  # messages first, then on
                    return
        except StoreUnavailable as error:
            self._store_failed(str(error))
        except Exception:
            log.exception("stale assets cannot be folded again")
            self._next_refold = started + REFOLD_AGAIN_S

    def _end(self, *, forget: bool = False) -> None:
        while self._session.waiting and not self._failures:
            self._flush()
        self._session.close(forget=forget)
        log.info("gateway stopped")
