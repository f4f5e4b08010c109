"""Classes, inspections, decisions, work and models: the second half of an asset's life."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from itertools import compress
from typing import Any, TypeVar

import orjson
from sqlalchemy import Row, Table, and_, delete, func, insert, or_, select, tuple_

from tracker.asset_class import AssetClass
from tracker.goodness import Fit, Point
from tracker.inspection import Inspection, Judged
from tracker.life_ports import Decision, Fitted, Inspected, Known, LifeFilter, Spent, Uses
from tracker.reliability import Model
from tracker.stores import rows, schema, sql
from tracker.work import Done, Kin, Order

_T = TypeVar("_T")
_classes, _models, _lives = schema.classes, schema.models, schema.lives
_inspections, _decisions, _orders = schema.inspections, schema.decisions, schema.orders


class LifeReads(sql.Speaks):
    """The part of a `tracker.ports.Reader` that concerns lives."""

    def class_book(self) -> dict[str, Known]:
        found = self._db.execute(select(_classes).order_by(_classes.c.id))
        return {row.id: Known(_class(row.body), row.version) for row in found}

    def inspection(self, id: str) -> Inspected | None:
        row = self._db.execute(select(_inspections).where(_inspections.c.id == id)).first()
        return _inspected(row) if row else None

    def inspections_of(self, assets: Iterable[str]) -> dict[str, list[Inspected]]:
        return _by_asset(map(_inspected, self._of(_inspections, "at", assets)))

    def every_inspection(self) -> Iterator[Inspected]:
        yield from map(_inspected, self._all(_inspections, "at"))

    def decision(self, id: str) -> Decision | None:
        row = self._db.execute(select(_decisions).where(_decisions.c.id == id)).first()
        return _decision(row) if row else None

    def decisions_of(self, assets: Iterable[str]) -> dict[str, list[Decision]]:
        return _by_asset(map(_decision, self._of(_decisions, "number", assets)))

    def every_decision(self) -> Iterator[Decision]:
        yield from map(_decision, self._all(_decisions, "number"))

    def order(self, id: str) -> Order | None:
        row = self._db.execute(select(_orders).where(_orders.c.id == id)).first()
        return _order(row) if row else None

    def orders_of(self, assets: Iterable[str]) -> dict[str, list[Order]]:
        return _by_asset(map(_order, self._of(_orders, "opened", assets)))

    def every_order(self) -> Iterator[Order]:
        yield from map(_order, self._all(_orders, "opened"))

    def orders(self, is_open: bool | None, after: str, limit: int) -> list[Order]:
        query = select(_orders).where(_orders.c.id > after)
        if is_open is not None:
            closed = _orders.c.closed
            query = query.where(closed.is_(None) if is_open else closed.is_not(None))
        return [_order(r) for r in self._db.execute(query.order_by(_orders.c.id).limit(limit))]

    def kin_of(self, assets: Iterable[str]) -> list[Kin]:
        table, found = schema.kin, list[Kin]()
        for some in sql.chunks([*assets]):
            theirs = or_(table.c.part.in_(some), table.c.asset.in_(some))
            query = select(table).where(theirs).order_by(table.c.part, table.c.number)
            found += [Kin(r.part, r.asset, r.since, r.until, r.order_id) for r in self._rows(query)]
        return found

    def models(self, class_: str | None = None) -> list[Fitted]:
        query = select(_models)
        if class_ is None:
            of_class = _models.c["class"]
            newest = select(of_class, func.max(_models.c.number)).group_by(of_class)
            query = query.where(tuple_(of_class, _models.c.number).in_(newest))
        else:
            query = query.where(_models.c["class"] == class_)
        ordered = query.order_by(_models.c["class"], _models.c.number)
        return [_fitted(row) for row in self._db.execute(ordered)]

    def spent(self, wanted: LifeFilter, after: tuple[float, str] | None, limit: int) -> list[Spent]:
        query = select(_lives)
        if wanted.class_ is not None:
            query = query.where(_lives.c["class"] == wanted.class_)
        if wanted.because is not None:
            query = query.where(_lives.c.because == wanted.because)
        if wanted.least is not None:
            query = query.where(_lives.c.spent >= wanted.least)
        if after is not None:
            spent, asset = after
            same = and_(_lives.c.spent == spent, _lives.c.asset < asset)
            query = query.where(_lives.c.spent <= spent, or_(_lives.c.spent < spent, same))
        query = query.order_by(_lives.c.spent.desc(), _lives.c.asset.desc()).limit(limit)
        return [Spent._make(row) for row in self._db.execute(query)]

    def uses(self, at_once: int) -> Iterator[tuple[str, Uses]]:
        streamed = {"yield_per": at_once}
        found = self._db.exec_driver_sql(self._sql.uses, execution_options=streamed)
        for some in found.partitions(at_once):
            classes, *columns = zip(*some, strict=True)
            for class_ in {*classes}:
                mine = [one == class_ for one in classes]
                theirs = columns if all(mine) else [[*compress(one, mine)] for one in columns]
                yield class_, Uses(*theirs)

    def _of(self, table: Table, order: str, assets: Iterable[str]) -> Iterator[Row[Any]]:
        for some in sql.chunks([*assets]):
            query = select(table).where(table.c.asset.in_(some))
            yield from self._db.execute(
                query.order_by(table.c.asset, table.c[order], *table.primary_key)
            )

    def _all(self, table: Table, order: str) -> Iterator[Row[Any]]:
        yield from self._db.execute(
            select(table).order_by(table.c.asset, table.c[order], *table.primary_key)
        )

    def _rows(self, query: Any) -> list[Row[Any]]:
        return [*self._db.execute(query)]


class LifeWrites(LifeReads):
    """The part of a `tracker.ports.Writer` that concerns lives."""

    def put_class(self, known: Known) -> None:
        self.drop_class(known.class_.id)
        body = known.class_.model_dump_json(exclude_defaults=True, by_alias=True)
        values = (known.class_.id, body, known.version)
        self._db.execute(insert(_classes).values(values))

    def drop_class(self, id: str) -> None:
        self._db.execute(delete(_classes).where(_classes.c.id == id))

    def add_inspection(self, inspected: Inspected) -> None:
        id, asset, at, recorded, by, found, judged, trips, rates, flags = inspected
        body = {
            "found": found.model_dump(mode="json", exclude_defaults=True),
            "judged": [*judged[:2], [*judged.because]],
            "trips": trips,
            "rates": dict(rates),
            "flags": [*flags],
        }
        self._db.execute(
            insert(_inspections).values((id, asset, at, recorded, by, rows.json(body)))
        )

    def add_decision(self, decision: Decision) -> None:
        values = (*decision[:6], rows.json([*decision[6:]]))
        self._db.execute(insert(_decisions).values(values))

    def put_order(self, order: Order) -> None:
        self._db.execute(delete(_orders).where(_orders.c.id == order.id))
        done = order.done.model_dump(mode="json", exclude_defaults=True, by_alias=True)
        said = [order.kind, order.by, done, order.plan, order.route, order.result, order.trips]
        body = rows.json([*said, order.hours])
        values = (order.id, order.asset, order.opened, order.closed, body, order.version)
        self._db.execute(insert(_orders).values(values))

    def put_kin(self, number: int, kin: Kin) -> None:
        table = schema.kin
        self._db.execute(delete(table).where(table.c.part == kin.part, table.c.number == number))
        values = (kin.part, number, kin.asset, kin.since, kin.until, kin.order)
        self._db.execute(insert(table).values(values))

    def add_model(self, fitted: Fitted) -> None:
        class_, number, made, model, rates, fit = fitted
        curve = [[*point] for point in fit.curve]
        body = rows.json({"model": [*model], "rates": [*rates], "fit": [fit.largest_gap, curve]})
        self._db.execute(insert(_models).values((class_, number, made, body)))

    def save_spent(self, spent: Sequence[Spent], gone: Iterable[str]) -> None:
        for some in sql.chunks([*gone]):
            self._db.execute(delete(_lives).where(_lives.c.asset.in_(some)))
        self._many(self._sql.save_spent, [tuple(one) for one in spent])

    def forget_spent(self, classes: Iterable[str]) -> None:
        self._db.execute(delete(_lives).where(_lives.c["class"].not_in([*classes])))


@lru_cache(maxsize=256)  # classes are asked for at every look, and change seldom
def _class(body: str) -> AssetClass:
    return AssetClass.model_validate_json(body)


def _by_asset(found: Iterable[_T]) -> dict[str, list[_T]]:
    made = defaultdict[str, list[_T]](list)
    for one in found:
        made[one.asset].append(one)  # type: ignore[attr-defined]  # all of them have one
    return dict(made)


def _inspected(row: Row[Any]) -> Inspected:
    body = orjson.loads(row.body)
    grade, failed, because = body["judged"]
    found, judged = Inspection.model_validate(body["found"]), Judged(grade, failed, tuple(because))
    more = (body["trips"], body["rates"], tuple(body["flags"]))
    return Inspected(row.id, row.asset, row.at, row.recorded, row.by, found, judged, *more)


def _decision(row: Row[Any]) -> Decision:
    return Decision._make((*row[:6], *orjson.loads(row.body)))


def _order(row: Row[Any]) -> Order:
    kind, by, done, plan, route, result, trips, *more = orjson.loads(row.body)
    return Order(
        row.id,
        row.asset,
        kind,
        row.opened,
        by,
        Done.model_validate(done),
        plan,
        route,
        row.closed,
        result,
        trips,
        row.version,
        *more,  # of an older version no hours
    )


def _fitted(row: Row[Any]) -> Fitted:
    body = orjson.loads(row.body)
    b0, coefficients, *rest = body["model"]
    model = Model(b0, tuple(coefficients), *rest)
    gap, curve = body["fit"]
    fit = Fit([Point._make(point) for point in curve], gap)
    return Fitted(row[0], row.number, row.made, model, tuple(body["rates"]), fit)
