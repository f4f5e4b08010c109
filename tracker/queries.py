"""The read side: what is asked of the tracker, answered from one reading transaction."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

from tracker.asset_ports import Position
from tracker.fold import Belief, Place
from tracker.leases import Lease, Partner
from tracker.model import Asset, Binding, Device, Observation
from tracker.ports import Reader, Store
from tracker.refold import from_nothing, refresh
from tracker.setup_ports import DeviceStatus
from tracker.times import iso
from tracker.whereabouts import ENTERED, LEFT, SEEN, Visit, Whereabouts

LEASES_AT_ONCE = 1_000


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


class UnknownPlace(Exception):
    """There is no site, zone or reader of that id, and there never was."""

    def __init__(self, kind: str, id: str) -> None:
        super().__init__(f"there is no {kind} {id}")
        self.kind = kind


class UnknownLease(Exception):
    """There is no lease, or no partner, of that id."""

    def __init__(self, id: str, kind: str = "lease") -> None:
        super().__init__(f"there is no {kind} {id}")


class BeforeLog(Exception):
    """A time is asked about of which the log holds nothing any more."""

    def __init__(self, at: int, edge: int) -> None:
        super().__init__(
            f"the log begins at {iso(edge)}: what was known at {iso(at)} cannot be told"
        )


class Located(NamedTuple):
    """An asset's newest place, how old it is (ms) on the asset's own clock, and the site where
    it stays; `confirmed` is false while a single observation says otherwise."""

    place: Place
    age: int
    site: str | None
    confirmed: bool


class AssetStatus(NamedTuple):
    """An asset, what tells about it, and what is known of it; `first` is its first place."""

    asset: Asset
    bindings: list[Binding]
    observed: int | None
    first: Place | None
    location: Located | None
    whereabouts: Whereabouts


class Inside(NamedTuple):
    """An asset that is, or was, at a site: from `since` on, `last` seen there; `until` is when
    it was first seen elsewhere. `confirmed` is false while a single observation says so."""

    asset: str
    since: int
    last: int
    began: str
    confirmed: bool
    until: int | None = None
    ended: str | None = None


@contextmanager
def fresh(store: Store, asset: str, now: int) -> Iterator[Reader]:
    """A reading transaction in which what is believed of an asset follows the newest layout
    and bindings: where it does not it is folded again first."""
    with store.reading() as reader:
        if not reader.stale([asset]):
            yield reader
            return
    with store.recording() as tx:
        refresh(tx, asset, now)
    with store.reading() as reader:
        yield reader


def asset_status(reader: Reader, asset: str, now: int, as_of: int | None = None) -> AssetStatus:
    """What is known of an asset, or was known at `as_of`. Raises UnknownAsset, BeforeLog."""
    known = known_asset(reader, asset)
    belief = believed(reader, asset, as_of)
    return AssetStatus(
        known,
        reader.bindings_of(asset, as_of),
        belief.at if belief else None,
        belief.first if belief else None,
        located(reader, belief, now, as_of),
        belief.whereabouts if belief else Whereabouts(),
    )


def location(reader: Reader, asset: str, now: int, as_of: int | None = None) -> Located:
    """An asset's newest place, or the newest one known at `as_of`. Raises UnknownAsset,
    NotLocated, BeforeLog."""
    if as_of is not None:
        known_asset(reader, asset)
    belief = believed(reader, asset, as_of)
    if belief is None:  # of one that is believed in it need not be asked whether it is known
        known_asset(reader, asset)
    found = located(reader, belief, now, as_of)
    if found is None:
        raise NotLocated(asset)
    return found


def last_seen(belief: Belief | None) -> int | None:
    """When an asset was last seen somewhere: a reader may tell the site alone."""
    if belief is None:
        return None
    _, stay, turn = belief.whereabouts
    if belief.last is not None:
        return belief.last.at
    if stay is not None:
        return stay.last
    return turn.at if turn is not None and turn.site is not None else None


def believed(reader: Reader, asset: str, as_of: int | None) -> Belief | None:
    """What is believed of an asset, or was known at `as_of`. Raises BeforeLog."""
    if as_of is None:
        return reader.belief(asset)
    edge = reader.edge()
    if edge is not None and as_of < edge:
        raise BeforeLog(as_of, edge)
    return from_nothing(reader, asset, as_of).belief


def inside_now(reader: Reader, site: str, after: str, limit: int) -> list[Inside]:
    """The assets at a site, by id, after an id. Raises UnknownPlace."""
    known_place(reader, "site", site)
    return [standing(belief, site) for belief in reader.standing_at(site, after, limit)]


def standing(belief: Belief, site: str) -> Inside:
    """An asset's stay at the site where its belief says that it is, or seems to arrive."""
    _, stay, turn = belief.whereabouts
    if stay is not None and stay.site == site:
        return Inside(belief.asset, stay.since, stay.last, stay.began, confirmed=turn is None)
    assert turn is not None  # else it would not have been found here
    began = SEEN if turn.gap else ENTERED
    return Inside(belief.asset, turn.at, turn.at, began, confirmed=False)


def inside_at(reader: Reader, site: str, at: int, after: Position, limit: int) -> list[Inside]:
    """The assets that were at a site at a time, by when they came and by id; not confirmed of
    those last seen there before and first seen elsewhere after that time. Raises UnknownPlace."""
    found: list[Inside] = []
    while len(found) < limit and (page := visits_to(reader, site, at, at + 1, after, limit)):
        found += [_as_at(one, at) for one in page if _was_there(one, at)]
        after = Position(page[-1].since, page[-1].asset)
    return found[:limit]


def visits_to(
    reader: Reader,
    site: str,
    since: int | None,
    until: int | None,
    after: Position,
    limit: int,
) -> list[Inside]:
    """Visits to a site, over or not, that overlap a period, by beginning and asset. Raises
    UnknownPlace."""
    known_place(reader, "site", site)
    over = reader.visits_at(site, since, until, after, limit)
    found = [closed(one.asset, one.visit) for one in over]
    found += [standing(belief, site) for belief in reader.staying_at(site, until, after, limit)]
    return sorted(found, key=lambda one: (one.since, one.asset))[:limit]


def closed(asset: str, visit: Visit) -> Inside:
    """A visit that is over."""
    _site, since, began, last, until, ended, *_ = visit
    return Inside(asset, since, last, began, True, until, ended)


def _was_there(one: Inside, at: int) -> bool:
    """Whether an asset was inside at a time: after a visit that it was lost sight of on, that
    is known no longer than it was seen."""
    return one.since <= at and (one.ended is None or one.ended == LEFT or at <= one.last)


def _as_at(one: Inside, at: int) -> Inside:
    """A visit as it is told of a time: between its last sign and the first from elsewhere nobody
    knows when it ended."""
    return one._replace(confirmed=False) if one.ended is not None and at > one.last else one


def device_status(reader: Reader, device: str) -> DeviceStatus:
    """A device and its receipt positions. Raises UnknownDevice."""
    status = reader.device(device)
    if status is None:
        raise UnknownDevice(device)
    return status


def is_silent(device: Device, last_received: int | None, now: int) -> bool | None:
    """Whether a device has not been heard for three of its longest intervals; None where it
    states none, or has never been heard.

    >>> is_silent(Device("trk", "tracker", rest_interval_s=3600), 0, now=3 * 3_600_000 + 1)
    True
    """
    after = device.silent_after_ms
    if after is None or last_received is None:
        return None
    return now - last_received > after


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


def known_lease(reader: Reader, id: str) -> Lease:
    """A lease. Raises UnknownLease."""
    lease = reader.lease(id)
    if lease is None:
        raise UnknownLease(id)
    return lease


def every_lease(reader: Reader, customer: str | None = None) -> Iterator[Lease]:
    """All leases, or those of a customer, by id."""
    after = ""
    while page := reader.leases(after, LEASES_AT_ONCE, customer):
        yield from page
        after = page[-1].id


def known_partner(reader: Reader, id: str) -> Partner:
    """A partner. Raises UnknownLease."""
    partner = reader.partners().get(id)
    if partner is None:
        raise UnknownLease(id, "partner")
    return partner


def known_asset(reader: Reader, asset: str) -> Asset:
    """An asset. Raises UnknownAsset."""
    known = reader.asset(asset)
    if known is None:
        raise UnknownAsset(asset)
    return known


def known_place(reader: Reader, kind: str, id: str) -> None:
    """Raises UnknownPlace where there never was a site, zone or reader of that id."""
    if not reader.versions(kind, id):
        raise UnknownPlace(kind, id)


def located(
    reader: Reader, belief: Belief | None, now: int, as_of: int | None = None
) -> Located | None:
    """The newest place of a belief, as an answer; None where it has none."""
    if belief is None or belief.last is None:
        return None
    whereabouts = belief.whereabouts
    return Located(
        belief.last,
        # A device's clock may be a little ahead: nothing is seen before it happened.
        max(0, asset_clock(reader, belief, now, as_of) - belief.last.at),
        whereabouts.site,
        whereabouts.site is None or whereabouts.turn is None,
    )


def asset_clock(reader: Reader, belief: Belief, now: int, as_of: int | None = None) -> int:
    """The time on the clock of an asset now, or, of a belief of `as_of`, then."""
    if as_of is None:
        present = reader.presents([belief.asset]).get(belief.asset)
        return now - (present.behind if present is not None else 0)
    newest = reader.logged(bytes.fromhex(belief.key))
    status = reader.device(newest.device) if newest else None
    return own_time(as_of, newest, status is not None and status.device.recording)
