"""Use cases: work on assets begins, goes on and ends. Each in one transaction, one at a time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tracker.audit import Act, audited
from tracker.caring import believe, tell, tell_if_known
from tracker.living import used_of
from tracker.model import Fact
from tracker.parts import check_registered, move_parts
from tracker.ports import Reader, Writer
from tracker.registry import Conflict, Outdated, Unregistered
from tracker.stamps import StampPolicy
from tracker.work import BadWork, Done, Order, check_done
from tracker.worldfile import Names


class UnknownOrder(Exception):
    """No work order has that id."""

    def __init__(self, id: str) -> None:
        super().__init__(f"there is no work order {id!r:.100}")


def open_order(tx: Writer, order: Order, act: Act, policy: StampPolicy) -> tuple[Order, bool]:
    """Begin work on an asset; whether that is new. Raises Unregistered, BadWork, and Conflict where
    another order has the id."""
    tx.beliefs([order.asset])  # locked
    if tx.asset(order.asset) is None:
        raise Unregistered(f"no asset {order.asset} is registered")
    known = tx.order(order.id)
    if known is not None:
        if _head(known) != _head(order):
            raise Conflict(f"another work order has the id {order.id}, and says something else")
        return known, False
    believe(order.opened, act, policy)
    _check_named(tx, order)
    check_done(order.asset, order.done)
    check_registered(tx, order.done)
    tx.put_order(order)
    fact = Fact(order.asset, "work_started", order.kind, f"order:{order.id}:started")
    tell_if_known(tx, fact, order.opened, act, policy)
    audited(tx, act, "open", "work order", order.id, None, order_fields(order))
    return order, True


def _head(order: Order) -> tuple[object, ...]:
    """What of an order never changes."""
    return order.asset, order.kind, order.opened, order.plan, order.route


def _check_named(tx: Reader, order: Order) -> None:
    """Raise BadWork where an order names a service or route that its asset's class has not."""
    asset = tx.asset(order.asset)
    known = tx.class_book().get(asset.class_) if asset is not None else None
    plans = Names(plan.id for plan in known.class_.service) if known else Names(())
    routes = Names(route.id for route in known.class_.routes) if known else Names(())
    for what, name, names in (("plan", order.plan, plans), ("route", order.route, routes)):
        if name is not None and name not in names:
            raise BadWork((what,), f"its class has no {what} {name!r:.60}{names.hint(name)}")


def change_order(tx: Writer, id: str, done: Done, act: Act, expected: int | None = None) -> Order:
    """What an open order holds changes. Raises UnknownOrder, Outdated, BadWork."""
    before = _open(tx, id, expected)
    if before.done == done:
        return before
    check_done(before.asset, done)
    check_registered(tx, done)
    after = before._replace(done=done, version=before.version + 1)
    tx.put_order(after)
    audited(tx, act, "change", "work order", id, order_fields(before), order_fields(after))
    return after


def close_order(
    tx: Writer,
    id: str,
    result: str,
    at: int | None,
    outcome: str | None,
    act: Act,
    policy: StampPolicy,
    expected: int | None = None,
) -> Order:
    """End work at an event time (None: now). Parts that were taken out become assets of their own,
    those that were put in are in it from then on. Who ends it again in the same words has not heard
    the answer. Raises UnknownOrder, Outdated, BadWork; Conflict where it has ended otherwise."""
    known = tx.order(id)
    if known is not None and known.closed is not None:
        told_again = known.result == result and at in (None, known.closed)
        if told_again:
            return known
    before = _open(tx, id, expected)
    at = act.now if at is None else at
    if at < before.opened:
        raise BadWork(("at",), "work ends after it began")
    believe(at, act, policy)
    _, used = used_of(tx, before.asset, act.now)  # whatever is known of its class
    after = before._replace(
        closed=at,
        result=result,
        trips=float(used.trips),
        hours=used.in_use,
        version=before.version + 1,
    )
    tx.put_order(after)
    if result != "cancelled":
        move_parts(tx, after, at, act)
        ended = Fact(after.asset, "work_done", after.kind, f"order:{id}:done")
        tell_if_known(tx, ended, at, act, policy)
        if outcome is not None:  # after the work: facts of one moment come in any order
            fact = Fact(after.asset, "inspected", outcome, f"order:{id}:outcome")
            tell(tx, fact, at + 1, act, policy)
    audited(tx, act, "close", "work order", id, order_fields(before), order_fields(after))
    tx.set_timers({after.asset: act.now})
    return after


def _open(tx: Writer, id: str, expected: int | None) -> Order:
    order = tx.order(id)
    if order is None:
        raise UnknownOrder(id)
    tx.beliefs([order.asset])  # locked
    if expected is not None and expected != order.version:
        raise Outdated(f"work order {id}", order.version)
    if order.closed is not None:
        raise Conflict(f"the work order {id} is closed: open another one")
    return order


def order_fields(order: Order) -> Mapping[str, Any]:
    """An order, for the audit log."""
    told = order._asdict() | {"done": order.done.model_dump(mode="json", exclude_defaults=True)}
    return {name: value for name, value in told.items() if value is not None}
