"""What became of assets that came back, as inspections, decisions and work orders tell it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any, NamedTuple, TypeVar

from tracker.asset_class import AssetClass
from tracker.fleet_records import Outcome
from tracker.leases import Line
from tracker.life import dates_of
from tracker.life_ports import Decision, Inspected
from tracker.model import Asset
from tracker.ports import Reader
from tracker.stamps import DAY
from tracker.work import RENEWING, Order

_Of = TypeVar("_Of", Inspected, Decision, Order)
LANDFILL = "dispose"
FOR_EVER = 2**63 - 1


class Told(NamedTuple):
    """What was told of an asset: its class (None: nothing is known of it), what was found, decided
    and done, each in order, and to whom it was on lease since when."""

    asset: Asset
    class_: AssetClass | None
    inspections: Sequence[Inspected] = ()
    decisions: Sequence[Decision] = ()
    orders: Sequence[Order] = ()
    customers: Sequence[tuple[int, str]] = ()


def outcomes_of(reader: Reader) -> list[Outcome]:
    """What became of all assets of which anything was told."""
    found, decided = _by_asset(reader.every_inspection()), _by_asset(reader.every_decision())
    done = _by_asset(reader.every_order())
    ids = {*found, *decided, *done}
    assets, lines, book = reader.assets_by_id(ids), reader.lines_of(ids), reader.class_book()
    leases = reader.leases_by_id({one.lease for some in lines.values() for one in some})
    customers = {id: lease.customer for id, lease in leases.items()}
    outcomes = []
    for id, asset in sorted(assets.items()):
        known = book.get(asset.class_)
        told = Told(
            asset,
            known.class_ if known is not None else None,
            found.get(id, ()),
            decided.get(id, ()),
            done.get(id, ()),
            _customers(lines.get(id, ()), customers),
        )
        outcomes += outcomes_told(told)
    return outcomes


def outcomes_told(told: Told) -> list[Outcome]:
    """An asset's outcomes: of each decision, of repairs that nobody had decided, and of inspections
    that no decision came after."""
    spans = [*pairwise([*(one.at for one in told.decisions), FOR_EVER])]
    made = [_decided(told, one, span) for one, span in zip(told.decisions, spans, strict=True)]
    first = told.decisions[0].at if told.decisions else FOR_EVER
    for order in _repairs(told.orders, -FOR_EVER, first):
        passed = _passed(told, order)
        made.append(_outcome(told, order.closed or 0, kind=order.kind, passed=passed))
    named = {one.inspection for one in told.decisions}
    for inspected in told.inspections:
        if inspected.id not in named:
            made.append(_outcome(told, inspected.at, defect=_is_bad(inspected)))
    return sorted(made, key=lambda one: one.at)


def _decided(told: Told, decision: Decision, span: tuple[int, int]) -> Outcome:
    seen = next((one for one in told.inspections if one.id == decision.inspection), None)
    repairs = _repairs(told.orders, *span)
    order = next(repairs, None) if decision.kind in RENEWING else None
    made = dates_of(told.asset.attributes).made
    worth = None
    if told.class_ is not None and made is not None:
        trips = seen.trips if seen is not None else 0.0
        worth = told.class_.worth(trips, max(decision.at - made, 0) / DAY)
    return _outcome(
        told,
        decision.at,
        kind=decision.kind,
        # A decision keeps the net value of its route, in which the cost is taken off already.
        proceeds=decision.value,
        cost=None if decision.value is None else 0.0,
        book_value=worth,
        currency=told.class_.currency if told.class_ is not None else None,
        defect=None if seen is None else _is_bad(seen),
        passed=None if order is None else _passed(told, order),
        landfilled=decision.kind == LANDFILL,
    )


def _outcome(told: Told, at: int, **known: Any) -> Outcome:
    """An outcome on account of who had the asset last."""
    had = [customer for since, customer in told.customers if since <= at]
    base = Outcome(told.asset.id, told.asset.class_, None, had[-1] if had else None, at)
    return base._replace(**known)


def _repairs(orders: Sequence[Order], since: int, until: int) -> Iterator[Order]:
    return (one for one in orders if one.renews and since <= (one.closed or 0) < until)


def _passed(told: Told, order: Order) -> bool | None:
    """Whether the first inspection after work found that the asset works."""
    after = [one for one in told.inspections if one.at >= (order.closed or 0)]
    return not after[0].judged.failed if after else None


def _is_bad(inspected: Inspected) -> bool:
    return inspected.judged.failed or bool(inspected.judged.because)


def _customers(lines: Sequence[Line], names: Mapping[str, str]) -> list[tuple[int, str]]:
    return sorted((line.start_at, names[line.lease]) for line in lines if line.lease in names)


def _by_asset(some: Iterable[_Of]) -> dict[str, list[_Of]]:
    made = defaultdict[str, list[_Of]](list)
    for one in some:
        made[one.asset].append(one)
    return made
