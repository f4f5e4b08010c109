"""Use case: business facts, what people and other systems know of assets.

A fact is an observation like others, about the asset itself: it stands in the log under its own
id, is folded in its order, and what contradicts a fact of the same id is refused.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, get_args

from tracker.audit import Act, Change
from tracker.inference import Setting
from tracker.lease_record import end_on_paper
from tracker.model import (
    ASSET_ID_RULE,
    Asset,
    Fact,
    Kind,
    Observation,
    body_of,
    content_digest,
    event_key,
    fact_subject,
    is_asset_id,
)
from tracker.places import storable
from tracker.ports import Writer
from tracker.process import TOLD, FactKind
from tracker.refold import refold_touched
from tracker.stamps import DAY, FUTURE_TOLERATED, StampPolicy
from tracker.times import iso

KINDS = get_args(FactKind)
FACT_KEYS = {"id", "asset", "kind", "at", "by", "note", *TOLD.values()}
ENDED = "lease_ended"
PEOPLE = ""  # the device of what no device has told
TEXT_AT_MOST = 1_024  # characters


class BadFact(Exception):
    """A fact that cannot be: `key` is the part of it that is wrong."""

    def __init__(self, key: str, text: str) -> None:
        super().__init__(text)
        self.key = key


class BadFacts(BadFact):
    """Of many facts some cannot be: `refused` says which (by their places), and why."""

    def __init__(self, refused: Sequence[tuple[int, BadFact]]) -> None:
        super().__init__(refused[0][1].key, "; ".join(str(why) for _, why in refused))
        self.refused = refused


class FactConflict(Exception):
    """Another fact has the same id."""


@dataclass(frozen=True, slots=True)
class Stated:
    """What came of a fact: its event time (epoch ms) and key, and whether it was `new`."""

    fact: Fact
    at: int
    key: bytes
    new: bool


def fact_of(fields: Mapping[str, Any]) -> tuple[Fact, int]:
    """A fact from the fields of its JSON form, and its event time (epoch ms). Raises BadFact.

    >>> fact_of({"id": "f-1", "asset": "A1", "kind": "inspected", "outcome": "repair", "at": 7})[0]
    Fact(asset='A1', kind='inspected', stage='repair', id='f-1', by=None, note=None)
    """
    kind = str(fields.get("kind", ""))
    if kind not in KINDS:
        raise BadFact("kind", f"{kind!r:.60} is no kind of fact: {', '.join(KINDS)}")
    for key in ("id", "asset"):
        if not _is_text(fields.get(key)) or not is_asset_id(fields[key]):
            raise BadFact(key, f"`{key}` is missing, or breaks the rule: {ASSET_ID_RULE}")
    at = fields.get("at")
    if not isinstance(at, int) or isinstance(at, bool):
        raise BadFact("at", "`at` is missing, or no time in epoch ms")
    unknown = set(fields) - FACT_KEYS
    if unknown:
        raise BadFact(min(unknown), f"unknown key `{min(unknown)}`")
    told = [key for key in dict.fromkeys(TOLD.values()) if key in fields]
    wanted = TOLD.get(kind)
    if told != ([wanted] if wanted else []):
        needs = f"needs `{wanted}` and" if wanted else "names"
        raise BadFact(wanted or told[0], f"a fact of the kind {kind} {needs} no other stage")
    stage = fields[wanted] if wanted else None
    for key in ("by", "note", *told):
        if not _is_text(fields.get(key, "")):
            raise BadFact(key, f"`{key}` is no text of at most 1,024 characters")
    fact = Fact(fields["asset"], kind, stage, fields["id"], fields.get("by"), fields.get("note"))
    return fact, at


def _is_text(given: Any) -> bool:
    if not isinstance(given, str) or len(given) > TEXT_AT_MOST:
        return False
    try:
        return storable(given) == given
    except ValueError:
        return False


def fact_name(id: str) -> str:
    """What the event key of a fact with an id of its own is made of, whoever states it."""
    return f"fact\x1f{id}"


def observed(fact: Fact, at: int, received: int) -> Observation:
    """A fact as a row of the log.

    >>> observed(Fact("A1", "received", id="f-1"), 7, 9).subject
    'fact:A1'
    """
    body = body_of(fact)
    key = event_key(fact_name(fact.id or ""))
    digest = content_digest(at, body)
    subject = fact_subject(fact.asset)
    return Observation(
        key, digest, Kind.FACT, subject, PEOPLE, None, None, 0, at, at, None, received, body, fact
    )


def state(
    tx: Writer, facts: Sequence[tuple[Fact, int]], policy: StampPolicy, received: int
) -> list[Stated]:
    """Log facts, each with its event time (epoch ms), and fold them. The same fact again changes
    nothing. Raises BadFacts or FactConflict, and then nothing of it is stored."""
    settings = tx.settings({fact.asset for fact, _ in facts})
    refused = [
        (place, why)
        for place, (fact, at) in enumerate(facts)
        if (why := _refusal(fact, at, settings.get(fact.asset), policy, received)) is not None
    ]
    if refused:
        raise BadFacts(refused)
    rows = {row.key: row for row in (observed(fact, at, received) for fact, at in facts)}
    known = tx.digests(rows)
    for fact, at in facts:
        row = observed(fact, at, received)
        if known.get(row.key, rows[row.key].digest) != row.digest:
            raise FactConflict(f"another fact has the id {fact.id}, and says something else")
    new = tx.append([row for key, row in rows.items() if key not in known], received)
    edge = tx.edge()
    telling = [rows[key] for key in new if edge is None or rows[key].at >= edge]
    refold_touched(tx, telling, received)
    return [Stated(row.what, row.at, row.key, row.key in new) for row in rows.values()]  # type: ignore[arg-type]  # they are facts


def note(tx: Writer, act: Act, stated: Sequence[Stated]) -> None:
    """Write the new ones of stated facts into the audit log; where they say that a lease has
    ended, close its line on paper."""
    lines = []
    for one in stated:
        if one.new:
            told = {"at": one.at} | one.fact._asdict()
            said = {name: value for name, value in told.items() if value is not None}
            subject = one.fact.id or ""
            lines.append(Change(act.wall, act.by, "state", "fact", subject, None, said))
    tx.audit(lines)
    ends = [(one.fact.asset, one.at) for one in stated if one.new and one.fact.kind == ENDED]
    end_on_paper(tx, act, ends)


def _refusal(
    fact: Fact, at: int, setting: Setting | None, policy: StampPolicy, received: int
) -> BadFact | None:
    """Why a fact cannot be; None where it can."""
    if setting is None:
        return BadFact("asset", f"no asset {fact.asset} is registered")
    try:
        check_stage(fact, setting.case.asset, setting.evidence.chain.stages)
        check_time(at, received, policy)
    except BadFact as why:
        return why
    return None


def check_stage(fact: Fact, asset: Asset, stages: Sequence[str]) -> None:
    """Raise BadFact where a fact names a stage that its asset's process does not know, or none
    where it must."""
    key = TOLD.get(fact.kind)
    if key is None and fact.stage is not None:
        raise BadFact("stage", f"a fact of the kind {fact.kind} names no stage")
    if key is not None and fact.stage not in stages:
        named = f"there is no stage {fact.stage!r}" if fact.stage else f"`{key}` is missing"
        raise BadFact(key, f"{named}: a {asset.class_} may be in {', '.join(stages)}")


def check_time(at: int, received: int, policy: StampPolicy) -> None:
    """Raise BadFact where nothing that a person says can be of that time."""
    if policy.believes_all:
        return
    latest = received + policy.tolerance(FUTURE_TOLERATED)
    earliest = max(policy.floor, received - policy.history_days * DAY)
    if not earliest <= at <= latest:
        believed = f"what is believed now lies from {iso(earliest)} to {iso(latest)}"
        raise BadFact("at", f"{iso(at)} lies too far back, or in the future: {believed}")
