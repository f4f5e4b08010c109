"""Use cases: register devices and assets, and say what tells about what.

A device's messages count from its registration on; what an unknown device sent before waits
in quarantine and is adopted here. A binding claims what was observed before it was made.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import groupby
from typing import Any

from tracker.audit import PROGRAM, Act, audited
from tracker.case import is_tag
from tracker.epc import tag_id
from tracker.model import (
    ASSET_ID_RULE,
    DEVICE_ID_RULE,
    Asset,
    Binding,
    Device,
    Message,
    Observation,
    is_asset_id,
    is_device_id,
)
from tracker.ports import Writer
from tracker.record import UNKNOWN_DEVICE, record
from tracker.refold import ALWAYS, refresh, tell_unseen
from tracker.stamps import StampPolicy
from tracker.times import iso


class Conflict(Exception):
    """What is asked for contradicts what is registered."""


class Outdated(Exception):
    """Somebody has changed the thing since it was read: read it again first."""

    def __init__(self, what: str, version: int) -> None:
        super().__init__(f"{what} has been changed: it is at version {version} now")
        self.version = version


class Unregistered(Exception):
    """What is asked for speaks of something that is not registered."""


class BeforeEdge(Exception):
    """What is asked for reaches back to before the log's edge, where nothing is held any more."""

    def __init__(self, since: int, edge: int) -> None:
        super().__init__(
            f"{iso(since)} lies before {iso(edge)}, where the log begins: what was observed before "
            "is gone; leave `since` out, or choose a later one"
        )
        self.edge = edge


def refuse_before_edge(tx: Writer, since: int | None) -> None:
    """Raise BeforeEdge where a change would hold from before the log's edge on."""
    edge = tx.edge()
    if since is not None and edge is not None and since < edge:
        raise BeforeEdge(since, edge)


def register_device(tx: Writer, device: Device, policy: StampPolicy, act: Act = PROGRAM) -> int:
    """Register a device and ingest what it sent before; the number of observations adopted.

    Doing it again changes nothing. Raises Conflict where the device is registered otherwise.
    """
    known = tx.devices([device.id]).get(device.id)
    if known is None:
        return save_device(tx, device, policy, act)
    if _profile(known) != _profile(device):
        raise Conflict(f"device {device.id} is registered already, as {_as_words(known)}")
    return 0


def save_device(
    tx: Writer,
    device: Device,
    policy: StampPolicy,
    act: Act = PROGRAM,
    expected: int | None = None,
) -> int:
    """Register a device, or change it; the number of observations adopted.

    Raises Outdated where its version is not the `expected` one (0: that there is none).
    """
    if not is_device_id(device.id):
        raise Conflict(f"{device.id!r} is no device id: {DEVICE_ID_RULE}")
    known = tx.devices([device.id]).get(device.id)
    _expect(f"device {device.id}", known, expected)
    if known is None:
        tx.put_device(replace(device, version=1))
        audited(tx, act, "create", "device", device.id, None, _profile(device))
        return _adopt(tx, device.id, policy, act)
    if _profile(known) != _profile(device):
        tx.put_device(replace(device, version=known.version + 1))
        if _cadence(known) != _cadence(device):
            tx.mark_stale(dict.fromkeys(tx.bound_to([device.id]), ALWAYS))
        audited(tx, act, "change", "device", device.id, _profile(known), _profile(device))
    return 0


def _cadence(device: Device) -> tuple[float | None, float | None]:
    return device.rest_interval_s, device.moving_interval_s


def register_asset(tx: Writer, asset: Asset, act: Act = PROGRAM) -> None:
    """Register an asset. Doing it again changes nothing; Conflict where its class differs."""
    known = tx.asset(asset.id)
    if known is None:
        save_asset(tx, asset, act)
    elif known.class_ != asset.class_:
        raise Conflict(f"asset {asset.id} is registered already, as a {known.class_}")


def save_asset(tx: Writer, asset: Asset, act: Act = PROGRAM, expected: int | None = None) -> Asset:
    """Register an asset, or change it; as it is then.

    Raises Outdated where its version is not the `expected` one (0: that there is none), and
    Conflict where an external id is another asset's.
    """
    if not is_asset_id(asset.id):
        raise Conflict(f"{asset.id!r} is no asset id: {ASSET_ID_RULE}")
    known = tx.asset(asset.id)
    _expect(f"asset {asset.id}", known, expected)
    for system, id in asset.external_ids.items():
        if others := [a for a in tx.labelled(f"id:{system}", id) if a != asset.id]:
            raise Conflict(f"{system} calls asset {others[0]} {id!r} already")
    if asset.home is not None and asset.home not in tx.layout().sites():
        raise Unregistered(f"there is no site {asset.home} to be the home of asset {asset.id}")
    version = 1 if known is None else known.version + 1
    saved = replace(asset, version=version)
    if known is not None and replace(known, version=version) == saved:
        return known
    tx.put_asset(saved)
    if known is not None and concerns_stage(known, saved) and tx.belief(saved.id):
        tx.mark_stale({saved.id: ALWAYS})
    tell_unseen(tx, [saved.id], act.now)
    if known is not None:
        if known.class_ != saved.class_:
            tx.save_spent([], [saved.id])  # by what its class was
        tx.set_timers({saved.id: act.now})  # its days may have come, or its class be another
    before = None if known is None else asset_fields(known)
    action = "create" if known is None else "change"
    audited(tx, act, action, "asset", asset.id, before, asset_fields(saved))
    return saved


def concerns_stage(before: Asset, after: Asset) -> bool:
    """Whether a changed asset is one of which something else is believed."""
    return (before.class_, before.home, before.initial_stage) != (
        after.class_,
        after.home,
        after.initial_stage,
    )


def asset_with_external_id(tx: Writer, system: str, id: str) -> Asset | None:
    """The asset that another system calls so."""
    found = tx.labelled(f"id:{system}", id)
    return tx.asset(found[0]) if found else None


def bind_device(
    tx: Writer,
    asset: str,
    device: str,
    since: int | None = None,
    until: int | None = None,
    act: Act = PROGRAM,
    *,
    moves: bool = False,
) -> None:
    """Let a registered device tell about an asset from `since` up to but not at `until`; None:
    from always, for ever. See `bind`."""
    if not tx.devices([device]):
        raise Unregistered(
            f"device {device} is not registered: run `retour device create {device}`"
        )
    bind(tx, Binding(asset, device, since, until), act, moves=moves)


def bind_tag(
    tx: Writer,
    asset: str,
    epc: str,
    since: int | None = None,
    until: int | None = None,
    act: Act = PROGRAM,
    *,
    moves: bool = False,
) -> None:
    """Let a tag, by its hexadecimal number or its URN, tell about an asset. See `bind`."""
    try:
        tag = tag_id(epc)
    except ValueError as error:
        raise Conflict(str(error)) from None
    bind(tx, Binding(asset, tag, since, until), act, moves=moves)


def bind(tx: Writer, binding: Binding, act: Act = PROGRAM, *, moves: bool = False) -> None:
    """Let a subject tell about an asset in a period. Doing it again changes nothing.

    Raises Conflict where it tells about another asset in that period, unless it `moves`: then
    it does so no more.
    """
    asset, subject, since, until = binding.asset, binding.subject, binding.since, binding.until
    if tx.asset(asset) is None:
        raise Unregistered(f"asset {asset} is not registered: run `retour asset create {asset}`")
    if since is not None and until is not None and since >= until:
        raise Conflict(f"the binding of {subject} would end before it begins")
    refuse_before_edge(tx, since)
    known = tx.bindings([subject])[subject]
    met = [other for other in known if other.overlaps(since, until)]
    if any(other.asset == asset and other.covers(since, until) for other in met):
        return
    foreign = {other.asset for other in met if other.asset != asset}
    if foreign and not moves:
        raise Conflict(f"{subject} is bound to asset {min(foreign)} already in that period")
    tx.add_binding(subject, asset, since, until, act.now)
    _audited(tx, act, "bind", subject, known)
    _follow(tx, subject, {asset, *foreign}, since, act)


def unbind(
    tx: Writer, asset: str, subject: str, since: int | None = None, act: Act = PROGRAM
) -> None:
    """From `since` on (None: as if it had never done so) a subject tells about an asset no
    more. Raises Unregistered where it does not anyway."""
    refuse_before_edge(tx, since)
    known = tx.bindings([subject])[subject]
    met = [b for b in known if b.asset == asset and b.overlaps(since, None)]
    if not met:
        raise Unregistered(f"{subject} is not bound to asset {asset} then")
    for binding in met:
        begins = [at for at in (since, binding.since) if at is not None]
        tx.add_binding(subject, None, max(begins, default=None), binding.until, act.now)
    _audited(tx, act, "unbind", subject, known)
    _follow(tx, subject, {asset}, since, act)


def _audited(tx: Writer, act: Act, action: str, subject: str, before: Sequence[Binding]) -> None:
    after = tx.bindings([subject])[subject]
    audited(tx, act, action, "binding", subject, bindings_fields(before), bindings_fields(after))


def _follow(tx: Writer, subject: str, assets: set[str], since: int | None, act: Act) -> None:
    """Fold the assets again that a changed binding touches, if there is anything to fold."""
    folded = {asset for asset in assets if tx.observed([subject]) or tx.belief(asset)}
    tx.mark_stale(dict.fromkeys(folded, touched_from(subject, since)))
    for asset in sorted(folded):
        refresh(tx, asset, act.now)


def touched_from(subject: str, since: int | None) -> int:
    """From which event time on a changed binding touches a belief: a tracker, or none, makes it
    another one from the beginning."""
    return since if since is not None and is_tag(subject) else ALWAYS


def _adopt(tx: Writer, device: str, policy: StampPolicy, act: Act) -> int:
    held = tx.quarantine_of(device, UNKNOWN_DEVICE)
    return ingest_again(tx, held, policy, act) if held else 0


def ingest_again(tx: Writer, held: Sequence[Observation], policy: StampPolicy, act: Act) -> int:
    """Take observations out of quarantine and record them as they were received; how many of
    them are stored now."""
    tx.release(observation.key for observation in held)
    messages = [
        _message(list(of_message))
        for _, of_message in groupby(held, key=lambda o: (o.device, o.boot, o.seq, o.received))
    ]
    adopted = record(tx, messages, [], policy, recorded=act.now, adopted=True)
    for receipt in adopted.receipts:
        tx.enqueue(receipt.topic, receipt.payload)
    return adopted.stored


def _message(observations: list[Observation]) -> Message:
    one = observations[0]
    return Message(
        one.device, one.boot, one.seq, None, one.sent, one.received, observations, [], "", b""
    )


def _expect(what: str, known: Asset | Device | None, expected: int | None) -> None:
    version = 0 if known is None else known.version
    if expected is not None and version != expected:
        raise Outdated(what, version)


def _profile(device: Device) -> dict[str, Any]:
    """What people say of a device."""
    names = ("kind", "recording", "name", "rest_interval_s", "moving_interval_s", "power")
    return {name: getattr(device, name) for name in names}


def asset_fields(asset: Asset) -> dict[str, Any]:
    """What people say of an asset."""
    return {
        "class": asset.class_,
        "name": asset.name,
        "home": asset.home,
        "initial_stage": asset.initial_stage,
        "attributes": dict(asset.attributes),
        "external_ids": dict(asset.external_ids),
    }


def bindings_fields(bindings: Sequence[Binding]) -> Mapping[str, Any]:
    """What a tag or device tells about, and when."""
    return {"bindings": [{"asset": b.asset, "since": b.since, "until": b.until} for b in bindings]}


def _as_words(device: Device) -> str:
    return f"{'recorded ' if device.recording else ''}{device.kind}"
