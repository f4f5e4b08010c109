"""Ingest: a batch of deliveries is decoded and recorded, in one transaction.

A message that makes the handler fail never stops the line: the batch is halved until it
stands alone, and after some tries it becomes a dead letter; its neighbours flow.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress

import structlog

from gateway import metrics
from gateway.decoders import DECODERS, Decoder, Undecodable, decoder_of
from gateway.session import Delivery
from tracker.letters import dead_letter
from tracker.model import DeadLetter, Message
from tracker.ports import Store, StoreContended, StoreUnavailable
from tracker.receipts import Receipt
from tracker.record import record
from tracker.stamps import StampPolicy

TRIES = 3
CONTENDED_TRIES = 5

log = structlog.get_logger()


class Ingest:
    """What happens to a batch between reception and acknowledgement."""

    def __init__(
        self,
        store: Store,
        policy: StampPolicy,
        decoders: Mapping[str, Decoder] = DECODERS,
    ) -> None:
        self._store = store
        self._policy = policy
        self._decoders = decoders

    def __call__(self, deliveries: Sequence[Delivery]) -> list[Receipt]:
        """Record a batch and return the receipts to publish. Committed when this returns.

        Raises StoreUnavailable where the store takes nothing now: the same batch may be given
        again then, for what was recorded of it already are duplicates.
        """
        for attempt in range(1, TRIES + 1):
            try:
                return self._record_uncontended(deliveries)
            except StoreContended:
                if len(deliveries) == 1:
                    raise
                break  # the smaller a batch, the fewer others it meets
            except StoreUnavailable:
                raise
            except Exception:
                log.exception("a batch failed", messages=len(deliveries), attempt=attempt)
                if len(deliveries) > 1:
                    break
        else:
            return self._give_up(deliveries[0])
        half = len(deliveries) // 2
        return [*self(deliveries[:half]), *self(deliveries[half:])]

    def _record_uncontended(self, deliveries: Sequence[Delivery]) -> list[Receipt]:
        """Record a batch, again where other gateways were in its way."""
        for _ in range(CONTENDED_TRIES - 1):
            with suppress(StoreContended):
                return self._record(deliveries)
        return self._record(deliveries)

    def _record(self, deliveries: Sequence[Delivery]) -> list[Receipt]:
        messages: list[Message] = []
        letters: list[DeadLetter] = []
        for topic, payload, received, *_ in deliveries:
            try:
                messages.append(decoder_of(topic, self._decoders)(topic, payload, received))
            except Undecodable as error:
                letters.append(_letter(topic, payload, received, error))
        with self._store.recording() as tx:
            recorded = record(tx, messages, letters, self._policy)
        for outcome in ("stored", "duplicates", "quarantined", "before_edge"):
            metrics.OBSERVATIONS.labels(outcome).inc(getattr(recorded, outcome))
        metrics.DEAD_LETTERS.inc(recorded.dead_lettered)
        return recorded.receipts

    def _give_up(self, delivery: Delivery) -> list[Receipt]:
        error = Undecodable("handler_error", f"failed {TRIES} times; the gateway's log says how")
        letter = _letter(delivery.topic, delivery.payload, delivery.received, error)
        with self._store.recording() as tx:
            tx.dead_letter([letter])
        metrics.DEAD_LETTERS.inc()
        return []


def _letter(topic: str, payload: bytes, received: int, error: Undecodable) -> DeadLetter:
    if error.reason in ("device_mismatch", "handler_error"):
        log.warning("message refused", topic=topic, reason=error.reason, detail=error.detail)
    parts = topic.split("/")
    device = parts[2] if topic.startswith("retour/v1/") and len(parts) > 2 else None
    return dead_letter(topic, payload, received, error.reason, error.detail, device=device)
