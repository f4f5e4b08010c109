"""The read side: what is asked of the tracker, answered from one reading transaction."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import NamedTuple

from tracker.fold import Belief, Place, place_of
from tracker.model import Asset, Binding, Observation
from tracker.ports import DeviceStatus, Position, Reader

PAGE = 1_000  # observations read at once: no answer holds more of them in memory


class UnknownAsset(Exception):
    """No asset of that id is registered."""

    def __init__(self, asset: str) -> None:
        super().__init__(f"no asset {asset} is registered")
        self.asset = asset


class NotLocated(Exception):
    """Nothing observed of an asset says where it was."""

    def __init__(self, asset: str) -> None:
        super().__init__(f"nothing observed of asset {asset} says where it was")
        self.asset = asset


class UnknownDevice(Exception):
    """No device of that id is registered."""

    def __init__(self, device: str) -> None:
        super().__init__(f"no device {device} is registered")
        self.device = device


class Located(NamedTuple):
    """An asset's newest place, and how old it is (ms) on the asset's own clock."""

    place: Place
    age: int


class AssetStatus(NamedTuple):
    """An asset, what tells about it, and what is known of it; `first` is its first place."""

    asset: Asset
    bindings: list[Binding]
    observed: int | None
    first: Place | None
    location: Located | None


def asset_status(reader: Reader, asset: str, now: int) -> AssetStatus:
    """What is known of an asset. Raises UnknownAsset."""
    known = _known(reader, asset)
    belief = reader.belief(asset)
    return AssetStatus(
        known,
        reader.bindings_of(asset),
        belief.at if belief else None,
        belief.first if belief else None,
        _located(reader, belief, now),
    )


def location(reader: Reader, asset: str, now: int) -> Located:
    """An asset's newest place. Raises UnknownAsset, NotLocated."""
    _known(reader, asset)
    located = _located(reader, reader.belief(asset), now)
    if located is None:
        raise NotLocated(asset)
    return located


def track(
    reader: Reader,
    asset: str,
    since: int | None,
    until: int | None,
    after: Position | None,
    limit: int,
) -> list[Place]:
    """At most `limit` places of an asset in (event time, key) order: from `since` up to but
    not at `until`, after a position. Raises UnknownAsset."""
    _known(reader, asset)
    readers = reader.places()
    places = (place_of(o, readers) for o in _history(reader, asset, since, until, after))
    return list(islice((place for place in places if place is not None), limit))


def device_status(reader: Reader, device: str) -> DeviceStatus:
    """A device and its receipt positions. Raises UnknownDevice."""
    status = reader.device(device)
    if status is None:
        raise UnknownDevice(device)
    return status


def own_time(now: int, newest: Observation | None, recording: bool) -> int:
    """The time on an asset's own clock: now, but while a recording is played of it, the time
    to which its `newest` observation has brought the recording.

    >>> from tracker.model import Fix, Kind
    >>> fix = Observation(b"k", b"d", Kind.FIX, "trk", "trk", "b", 0, 0, stamp=500, at=500,
    ...                   sent=None, received=9_000, body=b"", what=Fix(50.1, 4.2))
    >>> own_time(9_100, fix, recording=True)
    600
    >>> own_time(9_100, fix, recording=False)
    9100
    """
    if newest is None or not recording:
        return now
    return now - (newest.received - newest.at)


def _known(reader: Reader, asset: str) -> Asset:
    known = reader.asset(asset)
    if known is None:
        raise UnknownAsset(asset)
    return known


def _located(reader: Reader, belief: Belief | None, now: int) -> Located | None:
    if belief is None or belief.last is None:
        return None
    newest = reader.logged(bytes.fromhex(belief.key))
    status = reader.device(newest.device) if newest else None
    recording = status is not None and status.device.recording
    # A device's clock may be a little ahead: nothing is seen before it happened.
    return Located(belief.last, max(0, own_time(now, newest, recording) - belief.last.at))


def _history(
    reader: Reader, asset: str, since: int | None, until: int | None, after: Position | None
) -> Iterator[Observation]:
    """All of an asset's history, read page by page as far as it is asked for."""
    while True:
        page = list(reader.history(asset, since, until, after, PAGE))
        yield from page
        if len(page) < PAGE:
            return
        after = Position(page[-1].at, page[-1].key.hex())
