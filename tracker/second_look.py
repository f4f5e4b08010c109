"""Use cases: a person looks again at what was refused, and has it retried, believed, or thrown
away."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import NamedTuple

from tracker.audit import Act, audited
from tracker.model import DeadLetter, Message
from tracker.ports import Writer
from tracker.record import record
from tracker.registry import ingest_again
from tracker.stamps import StampPolicy

Decode = Callable[[str, bytes, int, int], Message]
"""Reads a message again: its topic, payload, when it was received, and the place in it of its
first event. Raises ValueError where it cannot be read."""


class Again(NamedTuple):
    """What became of things that were looked at again: how many there were, how many
    observations of them are `stored` now, and how many things are refused as before."""

    found: int
    stored: int
    refused: int


def retry_letters(
    tx: Writer, numbers: Sequence[int], decode: Decode, policy: StampPolicy, act: Act
) -> Again:
    """Read dead letters again, and record what can be read now. What cannot, and what comes
    from devices that nobody registered, stays."""
    stored = refused = 0
    letters = tx.letters_by_number(numbers)
    for number, letter in letters:
        message = _read_again(letter, decode)
        if message is None or not tx.devices([message.device]):
            refused += 1
            continue
        tx.bury([number])
        done = record(tx, [message], [], policy, recorded=act.now, adopted=True)
        stored += done.stored
        refused += done.dead_lettered > 0
        for receipt in done.receipts:
            tx.enqueue(receipt.topic, receipt.payload)
    _audit(tx, act, "retry", "dead letters", [number for number, _ in letters])
    return Again(len(letters), stored, refused)


def _read_again(letter: DeadLetter, decode: Decode) -> Message | None:
    if letter.size > len(letter.payload):
        return None  # it was not kept whole
    try:
        return decode(letter.topic, letter.payload, letter.received, letter.event or 0)
    except ValueError:
        return None


def discard_letters(tx: Writer, numbers: Sequence[int], act: Act) -> Again:
    """Throw dead letters away, for good."""
    found = [number for number, _ in tx.letters_by_number(numbers)]
    tx.bury(found)
    _audit(tx, act, "discard", "dead letters", found)
    return Again(len(found), 0, 0)


def retry_held(
    tx: Writer, numbers: Sequence[int], policy: StampPolicy, act: Act, *, believe: bool = False
) -> Again:
    """Record what is in quarantine by today's rules, or (`believe`) whatever its stamps say.
    What is still doubted, and what comes from devices that nobody registered, stays."""
    held = [one.observation for one in tx.held_by_number(numbers)]
    if believe:
        policy = replace(policy, believes_all=True)
    stored = ingest_again(tx, held, policy, act) if held else 0
    _audit(tx, act, "believe" if believe else "retry", "quarantine", numbers)
    return Again(len(held), stored, len(tx.held(held)))


def discard_held(tx: Writer, numbers: Sequence[int], act: Act) -> Again:
    """Throw away what is in quarantine, for good."""
    held = tx.held_by_number(numbers)
    tx.release(one.observation.key for one in held)
    _audit(tx, act, "discard", "quarantine", numbers)
    return Again(len(held), 0, 0)


def _audit(tx: Writer, act: Act, action: str, kind: str, numbers: Sequence[int]) -> None:
    if numbers:
        audited(tx, act, action, kind, f"{len(numbers)}", None, {"numbers": list(numbers)})
