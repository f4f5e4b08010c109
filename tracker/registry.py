"""Use cases: register devices and assets, and say what tells about what.

A device's messages count from its registration on; what an unknown device sent before waits
in quarantine and is adopted here. A binding claims what was observed before it was made.
"""

from __future__ import annotations

from itertools import groupby

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
from tracker.record import UNKNOWN_DEVICE, record, refold
from tracker.stamps import StampPolicy


class Conflict(Exception):
    """What is asked for contradicts what is registered."""


def register_device(tx: Writer, device: Device, policy: StampPolicy) -> int:
    """Register a device and ingest what it sent before; the number of observations adopted.

    Doing it again changes nothing. Raises Conflict where the device is registered otherwise.
    """
    if not is_device_id(device.id):
        raise Conflict(f"{device.id!r} is no device id: {DEVICE_ID_RULE}")
    known = tx.devices([device.id]).get(device.id)
    if known is None:
        tx.add_device(device)
        return _adopt(tx, device.id, policy)
    if (known.kind, known.recording, known.place) != (device.kind, device.recording, device.place):
        raise Conflict(f"device {device.id} is registered already, as {_as_words(known)}")
    return 0


def register_asset(tx: Writer, asset: Asset) -> None:
    """Register an asset. Doing it again changes nothing; Conflict where its kind differs."""
    if not is_asset_id(asset.id):
        raise Conflict(f"{asset.id!r} is no asset id: {ASSET_ID_RULE}")
    known = tx.asset(asset.id)
    if known is None:
        tx.add_asset(asset)
    elif known != asset:
        raise Conflict(f"asset {asset.id} is registered already, as a {known.kind}")


def bind_device(tx: Writer, asset: str, device: str) -> None:
    """Let a registered device tell about an asset, from always on."""
    if not tx.devices([device]):
        raise Conflict(f"device {device} is not registered: run `retour device create {device}`")
    _bind(tx, Binding(asset, device))


def bind_tag(tx: Writer, asset: str, epc: str) -> None:
    """Let a tag, by its hexadecimal number or its URN, tell about an asset, from always on."""
    try:
        tag = tag_id(epc)
    except ValueError as error:
        raise Conflict(str(error)) from None
    _bind(tx, Binding(asset, tag))


def _bind(tx: Writer, binding: Binding) -> None:
    if tx.asset(binding.asset) is None:
        raise Conflict(
            f"asset {binding.asset} is not registered: run `retour asset create {binding.asset}`"
        )
    for other in tx.bindings([binding.subject])[binding.subject]:
        if other.asset != binding.asset:
            raise Conflict(f"{binding.subject} is bound to asset {other.asset} already")
        return
    tx.add_binding(binding)
    refold(tx, binding.asset)


def _adopt(tx: Writer, device: str, policy: StampPolicy) -> int:
    held = tx.quarantine_of(device, UNKNOWN_DEVICE)
    if not held:
        return 0
    tx.release(observation.key for observation in held)
    messages = [
        _message(list(of_message))
        for _, of_message in groupby(held, key=lambda o: (o.boot, o.seq, o.received))
    ]
    adopted = record(tx, messages, [], policy, adopted=True)
    for receipt in adopted.receipts:
        tx.enqueue(receipt.topic, receipt.payload)
    return adopted.stored


def _message(observations: list[Observation]) -> Message:
    one = observations[0]
    return Message(
        one.device, one.boot, one.seq, None, one.sent, one.received, observations, [], "", b""
    )


def _as_words(device: Device) -> str:
    place = f" at {device.place.lat},{device.place.lon}" if device.place else ""
    return f"{'recorded ' if device.recording else ''}{device.kind}{place}"
