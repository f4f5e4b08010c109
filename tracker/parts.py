"""Which asset is a part of which: what work takes out and puts in. In the transaction of the work.

What is not written down may have been done all the same: a part that is taken out of an asset was
in it, whatever is known of how it came there.
"""

from __future__ import annotations

from tracker.audit import Act
from tracker.model import Asset
from tracker.ports import Reader, Writer
from tracker.registry import Conflict, register_asset
from tracker.times import iso
from tracker.work import BadWork, Done, Kin, Order, Taken


def check_registered(tx: Reader, done: Done) -> None:
    """Raise BadWork where something is put in that nobody knows."""
    for n, put in enumerate(done.put):
        if put.asset is not None and tx.asset(put.asset) is None:
            text = f"no asset {put.asset} is registered that could be put in"
            raise BadWork(("put", n, "asset"), text)


def move_parts(tx: Writer, order: Order, at: int, act: Act) -> None:
    """What was taken out becomes an asset of its own, what was put in is in there from then on.
    Raises Conflict where a part is elsewhere, BadWork where it was not there yet."""
    for taken in order.done.taken:
        if taken.asset is not None:
            _take_out(tx, order, taken, taken.asset, at, act)
    check_registered(tx, order.done)
    for put in order.done.put:
        if put.asset is not None:
            _put_in(tx, order, put.asset, at)


def _take_out(tx: Writer, order: Order, taken: Taken, part: str, at: int, act: Act) -> None:
    if tx.asset(part) is None:
        register_asset(tx, Asset(part, taken.class_ or taken.name, name=taken.name), act)
    stays = _stays(tx, part)
    last = stays[-1] if stays else None
    if last is None or last.until is not None:  # since when it was in there nobody has told
        since = last.until if last is not None else None
        _check_after(at, since, f"{part} was taken out")
        tx.put_kin(len(stays), Kin(part, order.asset, since, at, order.id))
        return
    if last.asset != order.asset:
        raise Conflict(f"{part} is in {last.asset}: it cannot be taken out of {order.asset}")
    _check_after(at, last.since, f"{part} was put in")
    tx.put_kin(len(stays) - 1, last._replace(until=at))


def _put_in(tx: Writer, order: Order, part: str, at: int) -> None:
    stays = _stays(tx, part)
    if stays and stays[-1].until is None:
        raise Conflict(f"{part} is in {stays[-1].asset}: take it out first")
    if part in _around(tx, order.asset):
        raise Conflict(f"{order.asset} is in {part}: that cannot be put into it")
    _check_after(at, stays[-1].until if stays else None, f"{part} was taken out")
    tx.put_kin(len(stays), Kin(part, order.asset, at, None, order.id))


def _stays(tx: Reader, part: str) -> list[Kin]:
    """What an asset was a part of, in order."""
    return [one for one in tx.kin_of([part]) if one.part == part]


def _around(tx: Reader, asset: str) -> list[str]:
    """What an asset is in now, and what that is in, and so on."""
    found = list[str]()
    while (stays := _stays(tx, asset)) and stays[-1].until is None:
        asset = stays[-1].asset
        found.append(asset)
    return found


def _check_after(at: int, before: int | None, what: str) -> None:
    if before is not None and at < before:
        raise BadWork(("at",), f"{what} at {iso(before)} only")
