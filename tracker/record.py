"""Use case: a batch of messages becomes durable, takes effect, and is accounted for.

All of it happens in the caller's one transaction: either the batch is logged, folded and
accounted for, or nothing of it is. An event is kept once, in the log or in quarantine, and its
first copy decides where: a later one with the same content is a duplicate, with another content
a dead letter.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from tracker import points
from tracker.alarms import sound
from tracker.audit import Act
from tracker.facts import ENDED, BadFact, check_stage
from tracker.inference import Setting
from tracker.lease_record import end_on_paper
from tracker.letters import conflict_letter, reject_letters
from tracker.log_ports import Boot
from tracker.model import DeadLetter, Device, Fact, Kind, Message, Observation, Quarantined, Values
from tracker.outages import suspects
from tracker.ports import Writer
from tracker.receipts import Progress, Receipt
from tracker.refold import refold_touched
from tracker.stamps import AHEAD_CORRECTED, Doubt, StampPolicy, ahead_by, doubt, earliest

UNKNOWN_DEVICE = "unknown_device"
STRANGER_HOLDS_AT_MOST = 10_000  # observations kept of one unknown device
VITALS = ("battery", "firmware", "temperature")
_TELLING = (Kind.SENSOR, Kind.STATUS)


@dataclass(slots=True)
class Recorded:
    """What became of a batch. Counts are of observations, `dead_lettered` of letters."""

    receipts: list[Receipt] = field(default_factory=list)
    stored: int = 0
    duplicates: int = 0
    quarantined: int = 0
    dead_lettered: int = 0
    before_edge: int = 0  # of those stored: older than the log's edge, without effect


class _Sifted(NamedTuple):
    """A known device's message, its observations parted into believed and doubted."""

    message: Message
    rows: list[Observation]
    held: list[Quarantined]


class _Copies:
    """The observations of a batch, by event key. A key's first copy is to be stored (`rows`) or
    held back (`held`); `later` are all other copies, each with its message."""

    def __init__(self, sifted: Sequence[_Sifted]) -> None:
        self.rows: dict[bytes, Observation] = {}
        self.held: dict[bytes, Quarantined] = {}
        self.later: list[tuple[Message, Observation]] = []
        self.owner: dict[bytes, int] = {}  # the place in the batch of the first copy's message
        self._sifted = sifted
        for n, (message, rows, held) in enumerate(sifted):
            for row in rows:
                if self.owner.setdefault(row.key, n) == n and row.key not in self.held:
                    self.rows[row.key] = row
                else:
                    self.later.append((message, row))
            for one in held:
                key = one.observation.key
                if self.owner.setdefault(key, n) == n:
                    self.held[key] = one
                else:
                    self.later.append((message, one.observation))

    def demote(self, kept: Iterable[bytes]) -> None:
        """The first copies of these keys are none: others have been kept before."""
        for key in kept:
            row = self.rows.pop(key) if key in self.rows else self.held.pop(key).observation
            self.later.append((self._sifted[self.owner[key]].message, row))

    def contradictions(self, kept: Mapping[bytes, bytes]) -> list[tuple[Message, Observation]]:
        """The later copies whose content differs from the one that is kept: from a batch
        before (its digest is in `kept`), or from this one."""
        return [
            (message, row)
            for message, row in self.later
            if row.digest != (kept.get(row.key) or self._first_digest(row.key))
        ]

    def _first_digest(self, key: bytes) -> bytes:
        return (self.rows[key] if key in self.rows else self.held[key].observation).digest


def record(
    tx: Writer,
    messages: Sequence[Message],
    letters: Sequence[DeadLetter],
    policy: StampPolicy,
    *,
    recorded: int | None = None,
    adopted: bool = False,
) -> Recorded:
    """Record decoded `messages` and the `letters` of what could not be decoded.

    `recorded` is now; by default, when the last message of the batch came in. `adopted`
    messages come out of quarantine: they may add rows under a sequence number that is
    accounted for already. What is older than the log's edge is logged and has no effect.
    """
    result = Recorded()
    if recorded is None:
        recorded = max((message.received for message in messages), default=0)
    devices = first_heard(tx, messages)
    strangers = [message for message in messages if message.device not in devices]
    sifted = [
        sift(message, devices[message.device], policy)
        for message in messages
        if message.device in devices
    ]
    sifted = _facts_sifted(tx, sifted)
    copies = _Copies(sifted)
    new, conflicts = _append(tx, copies, recorded)
    intruders = _account(tx, sifted, copies, new, result)
    edge = tx.edge()
    if intruders and not adopted:
        tx.remove(intruders)
        new = {key: number for key, number in new.items() if key not in intruders}
        # From before the edge they come a second time, only that the first row is gone.
        conflicts += [
            (message, copies.rows[key])
            for key, message in intruders.items()
            if edge is None or copies.rows[key].at >= edge
        ]

    held = [*copies.held.values(), *_hold_strangers(tx, strangers)]
    dead = [*letters]
    dead += [letter for message in messages for letter in reject_letters(message)]
    dead += [conflict_letter(message, row) for message, row in conflicts]
    if held:
        tx.quarantine(held)
    if dead:
        tx.dead_letter(dead)
    logged = [row for key, row in copies.rows.items() if key in new]
    telling = take_effect(tx, logged, devices, recorded)
    _close_lines(tx, telling, recorded)
    if logged and tx.projected():
        lines = [line for row in logged if (line := points.line(row, new[row.key]))]
        tx.queue_points(lines, recorded)

    result.before_edge = len(logged) - len(telling)
    result.stored, result.quarantined, result.dead_lettered = len(new), len(held), len(dead)
    came = sum(len(one.rows) + len(one.held) for one in sifted)
    result.duplicates = came - len(new) - len(copies.held) - len(conflicts)
    return result


def take_effect(
    tx: Writer, logged: list[Observation], devices: Mapping[str, Device], recorded: int
) -> list[Observation]:
    """Let what is believed and told follow newly logged rows of some `devices`; those rows that
    have an effect, for they are not older than the log's edge."""
    edge = tx.edge()
    telling = logged if edge is None else [row for row in logged if row.at >= edge]
    tx.note_vitals(_vitals(logged))
    tx.suspect(suspects(telling, tx.layout(), tx.inference().outages))
    refold_touched(tx, telling, recorded, _recordings(telling, devices))
    sound(tx, telling, recorded)
    return telling


def _close_lines(tx: Writer, rows: Iterable[Observation], recorded: int) -> None:
    """Close the lines of leases that ended, as scanners tell."""
    for row in rows:
        if isinstance(row.what, Fact) and row.what.kind == ENDED:
            act = Act(f"device {row.device}", recorded, recorded)
            end_on_paper(tx, act, [(row.what.asset, row.at)])


def _recordings(rows: Sequence[Observation], devices: Mapping[str, Device]) -> dict[bytes, int]:
    """How far behind (ms) the clocks of recordings are, by the event keys of their rows."""
    recording = {id for id, device in devices.items() if device.recording}
    return {row.key: row.received - row.at for row in rows if row.device in recording}


def first_heard(tx: Writer, messages: Sequence[Message]) -> dict[str, Device]:
    """The registered ones among the devices of a batch. The first message of each ever is
    noted, and counts for the whole batch."""
    devices = dict(tx.devices({message.device for message in messages}))
    first: dict[str, int] = {}
    for message in messages:
        device = devices.get(message.device)
        if device is not None and device.first_received is None:
            first[device.id] = min(message.received, first.get(device.id, message.received))
    for name, received in first.items():
        devices[name] = replace(devices[name], first_received=received)
    tx.first_heard(first)
    return devices


def sift(message: Message, device: Device, policy: StampPolicy) -> _Sifted:
    """Part a message's observations into those whose time is believed (corrected where the
    device's clock is known to be ahead) and those that are held back."""
    if policy.believes_all:
        return _Sifted(message, message.observations, [])
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


def _facts_sifted(tx: Writer, sifted: list[_Sifted]) -> list[_Sifted]:
    """Hold those facts back that speak of what is not registered."""
    facts = [r.what for one in sifted for r in one.rows if isinstance(r.what, Fact)]
    if not facts:
        return sifted
    settings = tx.settings({fact.asset for fact in facts})
    parted = []
    for message, rows, held in sifted:
        doubts = {row.key: _doubt_of(row, settings) for row in rows}
        held_facts = [Quarantined(row, *why) for row in rows if (why := doubts[row.key])]
        believed = [row for row in rows if doubts[row.key] is None]
        parted.append(_Sifted(message, believed, [*held, *held_facts]))
    return parted


def _doubt_of(row: Observation, settings: Mapping[str, Setting]) -> Doubt | None:
    if not isinstance(row.what, Fact):
        return None
    setting = settings.get(row.what.asset)
    if setting is None:
        return Doubt("unknown_asset", f"no asset {row.what.asset} is registered")
    try:
        check_stage(row.what, setting.case.asset, setting.evidence.chain.stages)
    except BadFact as why:
        return Doubt("bad_fact", str(why))
    return None


def _append(
    tx: Writer, copies: _Copies, recorded: int
) -> tuple[dict[bytes, int], list[tuple[Message, Observation]]]:
    """Log what is kept nowhere yet: the numbers of the new rows by key, and what contradicts
    what is kept."""
    kept = tx.held(list(copies.rows.values()))
    if copies.held:
        kept |= tx.held([one.observation for one in copies.held.values()])
        kept |= tx.digests(copies.held)
    copies.demote(kept)
    new = tx.append(list(copies.rows.values()), recorded)
    if len(new) < len(copies.rows):
        logged = tx.digests(key for key in copies.rows if key not in new)
        copies.demote(logged)
        kept |= logged
    return new, copies.contradictions(kept)


def _account(
    tx: Writer,
    sifted: Sequence[_Sifted],
    copies: _Copies,
    new: Mapping[bytes, int],
    result: Recorded,
) -> dict[bytes, Message]:
    """Move the receipt progress on, and return the new rows that came, against the rules,
    in a message that was accounted for before."""
    before = tx.progress({(one.message.device, one.message.boot or "") for one in sifted})
    progress: dict[Boot, Progress] = {}
    received: dict[Boot, int] = {}
    due: dict[Boot, None] = {}  # receipts; a presence brings none
    intruders: dict[bytes, Message] = {}
    for n, (message, rows, _) in enumerate(sifted):
        if message.boot is None:
            continue
        boot = (message.device, message.boot)
        at = progress.get(boot) or before.get(boot) or Progress()
        if message.seq is not None:
            due[boot] = None
            if at.covers(message.seq):
                came = [row.key for row in rows if row.key in new and copies.owner[row.key] == n]
                intruders.update(dict.fromkeys(came, message))
            at = at.account_message(message.seq, message.first, message.received)
        progress[boot] = at
        received[boot] = max(message.received, received.get(boot, message.received))
    tx.save_progress(progress, received)
    for device, boot_id in due:
        seq, missing = progress[(device, boot_id)].receipt()
        if seq >= 0:
            result.receipts.append(Receipt(device, boot_id, seq, missing))
    return intruders


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


def _vitals(rows: Iterable[Observation]) -> list[tuple[str, str, str, int, bytes]]:
    """What devices report of themselves: device, name, value, event time and key."""
    return [
        (row.device, name, str(values[name]), row.at, row.key)
        for row in rows
        if row.kind in _TELLING and (values := _values(row))
        for name in VITALS
        if name in values
    ]


def _values(row: Observation) -> Mapping[str, Any]:
    return row.what.values if isinstance(row.what, Values) else {}
