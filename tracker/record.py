"""Use case: a batch of messages becomes durable, takes effect, and is accounted for.

All of it happens in the caller's one transaction: either the batch is logged, folded and
accounted for, or nothing of it is.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import NamedTuple

from tracker.fold import CORRECTED, Belief, Entry, fold, follows, transition
from tracker.model import (
    DeadLetter,
    Device,
    Message,
    Observation,
    Quarantined,
    ReaderPlace,
)
from tracker.ports import Boot, Writer
from tracker.receipts import Progress, Receipt
from tracker.stamps import AHEAD_CORRECTED, Doubt, StampPolicy, ahead_by, doubt, earliest

UNKNOWN_DEVICE = "unknown_device"
KEY_CONFLICT = "key_conflict"
STRANGER_HOLDS_AT_MOST = 10_000  # observations kept of one unknown device
PAYLOAD_KEPT = 256 * 1024  # bytes of a payload that a dead letter keeps


@dataclass(slots=True)
class Recorded:
    """What became of a batch. Counts are of observations, `dead_lettered` of letters."""

    receipts: list[Receipt] = field(default_factory=list)
    stored: int = 0
    duplicates: int = 0
    quarantined: int = 0
    dead_lettered: int = 0


class _Sifted(NamedTuple):
    """A known device's message, its observations parted into believed and doubted."""

    message: Message
    rows: list[Observation]
    held: list[Quarantined]


def record(
    tx: Writer,
    messages: Sequence[Message],
    letters: Sequence[DeadLetter],
    policy: StampPolicy,
    *,
    adopted: bool = False,
) -> Recorded:
    """Record decoded `messages` and the `letters` of what could not be decoded.

    `adopted` messages come out of quarantine: they may add rows under a sequence number that
    is accounted for already.
    """
    result = Recorded()
    devices = tx.devices({message.device for message in messages})
    strangers = [message for message in messages if message.device not in devices]
    sifted = [
        sift(message, devices[message.device], policy)
        for message in messages
        if message.device in devices
    ]
    _note_first_heard(tx, sifted, devices)

    rows = _first_copies(sifted)
    new = tx.append(list(rows.values()))
    conflicts = _other_contents(tx, sifted, rows, new)
    intruders = _account(tx, sifted, rows, new, result)
    if intruders and not adopted:
        conflicts += _take_back(tx, intruders, rows, new)

    held = [quarantined for one in sifted for quarantined in one.held]
    held += _hold_strangers(tx, strangers)
    dead = [*letters, *(letter for message in messages for letter in rejected(message))]
    dead += [conflict_letter(message, row) for message, row in conflicts]
    if held:
        tx.quarantine(held)
    if dead:
        tx.dead_letter(dead)
    refold_touched(tx, [rows[key] for key in rows if key in new])

    result.stored = len(new)
    result.duplicates = sum(len(one.rows) for one in sifted) - len(new) - len(conflicts)
    result.quarantined = len(held)
    result.dead_lettered = len(dead)
    return result


def sift(message: Message, device: Device, policy: StampPolicy) -> _Sifted:
    """Part a message's observations into those whose time is believed (corrected where the
    device's clock is known to be ahead) and those that are held back."""
    received = message.received
    ahead = ahead_by(message.sent, received, policy)
    if ahead > AHEAD_CORRECTED:
        reason = Doubt("clock_ahead", f"sent {ahead} ms after it was received")
        return _Sifted(message, [], [Quarantined(o, *reason) for o in message.observations])
    floor = earliest(device, received, policy)
    rows, held = [], []
    for observation in message.observations:
        corrected = observation._replace(at=observation.stamp - ahead) if ahead else observation
        doubted = doubt(corrected.at, received, floor, policy)
        if doubted is None:
            rows.append(corrected)
        else:
            held.append(Quarantined(corrected, *doubted))
    return _Sifted(message, rows, held)


def _note_first_heard(tx: Writer, sifted: Sequence[_Sifted], devices: Mapping[str, Device]) -> None:
    for one in sifted:
        if devices[one.message.device].first_received is None:
            tx.first_heard(one.message.device, one.message.received)


def _first_copies(sifted: Sequence[_Sifted]) -> dict[bytes, Observation]:
    rows: dict[bytes, Observation] = {}
    for one in sifted:
        for row in one.rows:
            rows.setdefault(row.key, row)
    return rows


def _other_contents(
    tx: Writer,
    sifted: Sequence[_Sifted],
    rows: Mapping[bytes, Observation],
    new: set[bytes],
) -> list[tuple[Message, Observation]]:
    """The observations whose key is taken by another content. First come, first stored."""
    count = sum(len(one.rows) for one in sifted)
    if count == len(new):
        return []
    logged = tx.digests(key for key in rows if key not in new)
    return [
        (one.message, row)
        for one in sifted
        for row in one.rows
        if row.digest != logged.get(row.key, rows[row.key].digest)
    ]


def _account(
    tx: Writer,
    sifted: Sequence[_Sifted],
    rows: Mapping[bytes, Observation],
    new: set[bytes],
    result: Recorded,
) -> dict[bytes, Message]:
    """Move the receipt progress on, and return the new rows that came, against the rules,
    in a message that was accounted for before."""
    boots = {(one.message.device, one.message.boot or "") for one in sifted}
    before = tx.progress(boots)
    progress: dict[Boot, Progress] = {}
    due: set[Boot] = set()  # receipts; a presence brings none
    intruders: dict[bytes, Message] = {}
    for message, own, _ in sifted:
        if message.boot is None:
            continue
        boot = (message.device, message.boot)
        at = progress.get(boot) or before.get(boot) or Progress()
        if message.seq is not None:
            due.add(boot)
            if at.covers(message.seq):
                came = [row.key for row in own if row.key in new and rows[row.key] is row]
                intruders.update(dict.fromkeys(came, message))
            if message.first is not None:
                at = at.declare_first(message.first)
            at = at.account(message.seq, message.received).expire(message.received)
        progress[boot] = at
    tx.save_progress(progress, max((one.message.received for one in sifted), default=0))
    for device, boot_id in due:
        seq, missing = progress[(device, boot_id)].receipt()
        if seq >= 0:
            result.receipts.append(Receipt(device, boot_id, seq, missing))
    return intruders


def _take_back(
    tx: Writer,
    intruders: Mapping[bytes, Message],
    rows: Mapping[bytes, Observation],
    new: set[bytes],
) -> list[tuple[Message, Observation]]:
    """A message that is accounted for may add no row. Those that stand in quarantine came
    with the first copy, the others contradict it."""
    tx.remove(intruders)
    new.difference_update(intruders)
    held = tx.held(intruders)
    return [
        (message, rows[key])
        for key, message in intruders.items()
        if held.get(key) != rows[key].digest
    ]


def _hold_strangers(tx: Writer, strangers: Sequence[Message]) -> list[Quarantined]:
    """Hold back what unregistered devices send: whole messages, up to a number for each."""
    held: list[Quarantined] = []
    counts: dict[str, int] = {}
    for message in strangers:
        name = message.device
        if name not in counts:
            counts[name] = tx.quarantined(name, UNKNOWN_DEVICE)
        if counts[name] + len(message.observations) <= STRANGER_HOLDS_AT_MOST:
            counts[name] += len(message.observations)
            held += [
                Quarantined(row, UNKNOWN_DEVICE, f"no device {name} is registered")
                for row in message.observations
            ]
    return held


def refold_touched(tx: Writer, rows: Sequence[Observation]) -> None:
    """Bring the beliefs up to date that newly stored rows touch."""
    touched: dict[str, list[Observation]] = defaultdict(list)
    bindings = tx.bindings({row.subject for row in rows})
    for row in rows:
        for binding in bindings.get(row.subject, ()):
            if binding.holds_at(row.at):
                touched[binding.asset].append(row)
    before = tx.beliefs(touched)
    readers = places_of(tx.devices({row.device for row in rows}))
    beliefs, entries = [], []
    for asset, fresh in touched.items():
        fresh.sort(key=_order)
        old = before.get(asset)
        in_order = follows(old, fresh)
        belief = fold(old, asset, fresh, readers) if in_order else refolded(tx, asset)
        assert belief is not None  # it has at least the fresh rows
        beliefs.append(belief)
        entries += _entries(tx, old, belief)
    tx.save_beliefs(beliefs)
    if entries:
        tx.journal(entries)


def refold(tx: Writer, asset: str) -> None:
    """Fold an asset's whole history again, for its bindings have changed."""
    old = tx.beliefs([asset]).get(asset)
    belief = refolded(tx, asset)
    if belief is None:
        tx.drop_belief(asset)
    else:
        tx.save_beliefs([belief])
    if entries := _entries(tx, old, belief):
        tx.journal(entries)


def refolded(tx: Writer, asset: str) -> Belief | None:
    """The belief of an asset, folded from nothing."""
    history = list(tx.history(asset))
    readers = places_of(tx.devices({row.device for row in history}))
    return fold(None, asset, history, readers)


def places_of(devices: Mapping[str, Device]) -> dict[str, ReaderPlace]:
    """The places of those devices that stand somewhere."""
    return {id: device.place for id, device in devices.items() if device.place is not None}


def _entries(tx: Writer, before: Belief | None, after: Belief | None) -> list[Entry]:
    entry = transition(before, after)
    if entry is None:
        return []
    if entry.kind == CORRECTED:
        entry = entry._replace(supersedes=tx.last_entry(entry.asset))
    return [entry]


def _order(row: Observation) -> tuple[int, bytes]:
    return row.at, row.key


def rejected(message: Message) -> list[DeadLetter]:
    """The dead letters of a message's events that could not be read."""
    return [
        letter_of(message, reject.event, reject.reason, reject.detail) for reject in message.rejects
    ]


def conflict_letter(message: Message, row: Observation) -> DeadLetter:
    """The dead letter of an event whose key has another content already."""
    detail = f"event {row.event} ({row.kind}) differs from the one stored under its number"
    return letter_of(message, row.event, KEY_CONFLICT, detail)


def letter_of(message: Message, event: int | None, reason: str, detail: str) -> DeadLetter:
    """A dead letter of a decoded message, or of one event of it."""
    return dead_letter(
        message.topic,
        message.payload,
        message.received,
        reason,
        detail,
        device=message.device,
        boot=message.boot,
        seq=message.seq,
        event=event,
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
) -> DeadLetter:
    """A dead letter. Its key is its content and reason, so that a redelivered message makes
    no second one."""
    identity = f"{topic}\x1f{event}\x1f{reason}\x1f".encode("utf-8", "surrogateescape") + payload
    return DeadLetter(
        key=blake2b(identity, digest_size=16).digest(),
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
