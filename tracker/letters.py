"""Dead letters: what came and cannot be stored, kept with the reason.

The key of a letter is what it says, never when it was sent, so that the same thing sent again
makes no second one. Of a message that was understood in part, a letter keeps the part that was
not: else one message with a thousand bad events would be written a thousand times.
"""

from __future__ import annotations

from hashlib import blake2b

import orjson

from tracker.model import DeadLetter, Message, Observation

KEY_CONFLICT = "key_conflict"
PAYLOAD_KEPT = 256 * 1024  # bytes of a payload that a letter keeps


def reject_letters(message: Message) -> list[DeadLetter]:
    """The letters of a message's events that could not be read."""
    return [
        _event_letter(message, reject.event, reject.reason, reject.detail, reject.content)
        for reject in message.rejects
    ]


def conflict_letter(message: Message, row: Observation) -> DeadLetter:
    """The letter of an event whose key has another content already."""
    detail = f"event {row.event} ({row.kind}) differs from the one kept under its number"
    events = orjson.dumps([{"at": row.stamp, row.kind.value: orjson.Fragment(row.body)}])
    return _event_letter(message, row.event, KEY_CONFLICT, detail, events)


def _event_letter(
    message: Message, event: int, reason: str, detail: str, events: bytes
) -> DeadLetter:
    """A letter that holds what would be a message of these events alone."""
    envelope = {"boot": message.boot, "seq": message.seq, "sent": message.sent}
    return dead_letter(
        message.topic,
        orjson.dumps({**envelope, "events": orjson.Fragment(events)}),
        message.received,
        reason,
        detail,
        device=message.device,
        boot=message.boot,
        seq=message.seq,
        event=event,
        content=events,
    )


def dead_letter(
    topic: str,
    payload: bytes,
    received: int,
    reason: str,
    detail: str,
    *,
    device: str | None = None,
    boot: str | None = None,
    seq: int | None = None,
    event: int | None = None,
    content: bytes | None = None,
) -> DeadLetter:
    """A letter with a payload, whose identity is its `content` (default: all of the payload)
    under its topic, number and reason."""
    place = f"{topic}\x1f{boot}\x1f{seq}\x1f{event}\x1f{reason}\x1f"
    said = place.encode("utf-8", "surrogateescape") + (payload if content is None else content)
    return DeadLetter(
        key=blake2b(said, digest_size=16).digest(),
        received=received,
        topic=topic,
        device=device,
        boot=boot,
        seq=seq,
        event=event,
        reason=reason,
        detail=detail,
        payload=payload[:PAYLOAD_KEPT],
        size=len(payload),
    )
