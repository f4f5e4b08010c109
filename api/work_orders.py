"""Work orders: repairs, services, dismantling; and which parts were in what."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Response
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter
from pydantic.config import JsonDict

from api.answers import created
from api.auth import TheCaller
from api.cursors import Cursor, Limit, Listing, Page, cut
from api.etags import show_version
from api.inspections import outcome_refused
from api.parameters import AssetId, Expected
from api.problems import BodyRefused, documented
from api.times import Moment, Time
from tracker import worldvalues
from tracker.facts import BadFacts
from tracker.places import Value
from tracker.process import Word
from tracker.queries import UnknownAsset, known_asset
from tracker.registry import Conflict, Unregistered
from tracker.work import BadWork, Done, Kin, Order, Result, Work
from tracker.working import UnknownOrder, change_order, close_order, open_order

router = APIRouter(prefix="/v1", tags=["lives"])

_orders = Listing("work-orders", TypeAdapter(tuple[str, str]))
_ORDER: JsonDict = {"asset": "drill-7", "kind": "repair", "route": "repair"}
OrderInPath = Annotated[
    worldvalues.AssetId,
    Path(description="Its id, which whoever opens it gives.", examples=["wo-118"]),
]


class WorkOrderBody(Value):
    """Work that begins."""

    model_config = ConfigDict(json_schema_extra={"examples": [_ORDER]})

    asset: worldvalues.AssetId = Field(description="On which asset.", examples=["drill-7"])
    kind: Work = Field(description="Which kind of work.", examples=["repair"])
    at: Moment | None = Field(
        default=None, description="When: ISO 8601 with an offset, or epoch ms; none: now."
    )
    plan: Word | None = Field(
        default=None, description="By which service of its class.", examples=["calibration"]
    )
    route: Word | None = Field(
        default=None, description="By which route of its class.", examples=["repair"]
    )
    done: Done = Field(default=Done(), description="What is known of it already.")


class Closing(Value):
    """How work ends."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"result": "done", "outcome": "ready"}]}
    )

    result: Result = Field(description="How it ended.", examples=["done"])
    at: Moment | None = Field(
        default=None, description="When: ISO 8601 with an offset, or epoch ms; none: now."
    )
    outcome: Word | None = Field(
        default=None, description="The stage that it goes to from here.", examples=["ready"]
    )


class WorkOrder(BaseModel):
    """Work on an asset."""

    id: str = Field(description="Its id.", examples=["wo-118"])
    asset: str = Field(description="The asset.", examples=["drill-7"])
    kind: str = Field(description="Which kind of work.", examples=["repair"])
    opened: Time = Field(description="When it began, UTC.")
    by: str = Field(description="Who opened it.", examples=["key k-1"])
    plan: str | None = Field(description="By which service.", examples=["calibration"])
    route: str | None = Field(description="By which route.", examples=["repair"])
    closed: Time | None = Field(description="When it ended, UTC; null: it is open.")
    result: str | None = Field(description="How it ended.", examples=["done"])
    trips: float | None = Field(description="How many trips it had done then.", examples=[41])
    spent: float = Field(description="What it cost, parts included.", examples=[105])
    done: Done = Field(description="What was done.")


class WorkOrderPage(Page[WorkOrder]):
    """Work orders by id."""


class Stay(BaseModel):
    """A part that is an asset of its own was in another one."""

    part: str = Field(description="The part.", examples=["motor-7"])
    asset: str = Field(description="In which asset.", examples=["drill-7"])
    since: Time | None = Field(description="From when on, UTC; null: nobody knows.")
    until: Time | None = Field(description="Until when, UTC; null: it is still.")
    work_order: str = Field(description="The last work order that says so.", examples=["wo-118"])


class LotAnswer(BaseModel):
    """Material that left an asset."""

    material: str = Field(description="What it is.", examples=["steel"])
    kg: float = Field(description="How much, kilograms.", examples=[3.2])
    receiver: str | None = Field(description="Who took it.", examples=["scrap-co"])
    certificate: str | None = Field(description="What proves it.", examples=["R-2026-118"])
    landfilled: bool = Field(description="Whether it was landfilled.", examples=[False])
    work_order: str = Field(description="By which work order.", examples=["wo-118"])
    at: Time | None = Field(description="When that ended, UTC; null: it is open.")


class Genealogy(BaseModel):
    """Which parts an asset had and has, what it was a part of, and which material left it."""

    asset: str = Field(description="The asset.", examples=["drill-7"])
    parts: list[Stay] = Field(description="Its parts, by part and time.")
    part_of: list[Stay] = Field(description="Where it was itself, in order of time.")
    lots: list[LotAnswer] = Field(description="The material that left it.")
    work_orders: list[WorkOrder] = Field(description="All work on it, in order of time.")


_Open = Annotated[
    bool | None,
    Query(alias="open", description="Only open ones, or only closed ones.", examples=[True]),
]


@router.get("/work-orders")
def list_work_orders(
    caller: TheCaller, is_open: _Open = None, limit: Limit = 100, cursor: Cursor = None
) -> WorkOrderPage:
    """Work orders by id."""
    after = _orders.position(cursor, is_open) or ""
    with caller.reading() as reader:
        rows, last = cut(reader.orders(is_open, after, limit + 1), limit)
    return WorkOrderPage(
        items=[_shown(one) for one in rows],
        next=_orders.cursor(last.id, is_open) if last else None,
    )


@router.get("/work-orders/{order}", responses=documented(UnknownOrder))
def get_work_order(caller: TheCaller, response: Response, order: OrderInPath) -> WorkOrder:
    """A work order."""
    with caller.reading() as reader:
        found = reader.order(order)
    if found is None:
        raise UnknownOrder(order)
    show_version(response, found.version)
    return _shown(found)


@router.put(
    "/work-orders/{order}",
    responses=created(WorkOrder) | documented(Unregistered, Conflict),
)
def put_work_order(
    caller: TheCaller, response: Response, order: OrderInPath, body: WorkOrderBody
) -> WorkOrder:
    """Begin work on an asset. The same again changes nothing."""
    with caller.writing() as (tx, act):
        known = tx.order(order)
        begun = known.opened if known is not None else act.now
        at = begun if body.at is None else body.at
        wanted = Order(order, body.asset, body.kind, at, act.by, body.done, body.plan, body.route)
        made, is_new = _tried(lambda: open_order(tx, wanted, act, caller.policy))
    if is_new:
        response.status_code = 201
    show_version(response, made.version)
    return _shown(made)


@router.put("/work-orders/{order}/done", responses=documented(UnknownOrder, Conflict, Unregistered))
def put_work_done(
    caller: TheCaller, response: Response, order: OrderInPath, body: Done, expected: Expected
) -> WorkOrder:
    """Tell what was done in an open order so far: parts, material, time and cost."""
    with caller.writing() as (tx, act):
        made = _tried(lambda: change_order(tx, order, body, act, expected))
    show_version(response, made.version)
    return _shown(made)


@router.post(
    "/work-orders/{order}/close", responses=documented(UnknownOrder, Conflict, Unregistered)
)
def close_work_order(
    caller: TheCaller, response: Response, order: OrderInPath, body: Closing, expected: Expected
) -> WorkOrder:
    """End work. Parts that were taken out become assets of their own; nothing is deleted. The same
    again changes nothing."""
    with caller.writing() as (tx, act):
        told = (body.result, body.at, body.outcome, act, caller.policy, expected)
        made = _tried(lambda: close_order(tx, order, *told))
    show_version(response, made.version)
    return _shown(made)


@router.get("/assets/{asset}/genealogy", responses=documented(UnknownAsset))
def get_genealogy(caller: TheCaller, asset: AssetId) -> Genealogy:
    """Which parts an asset had and has, what it was a part of, and what became of its material."""
    with caller.reading() as reader:
        known_asset(reader, asset)
        kin, orders = reader.kin_of([asset]), reader.orders_of([asset]).get(asset, [])
    return Genealogy(
        asset=asset,
        parts=[_stay(one) for one in kin if one.asset == asset],
        part_of=[_stay(one) for one in kin if one.part == asset],
        lots=[
            LotAnswer(**lot.model_dump(), work_order=one.id, at=one.closed)
            for one in orders
            for lot in one.done.lots
        ],
        work_orders=[_shown(one) for one in orders],
    )


def _tried(do: Any) -> Any:
    """Do something; what its body has wrong is told by its place."""
    try:
        return do()
    except BadWork as why:
        raise BodyRefused([(why.path, str(why))]) from None
    except BadFacts as bad:
        raise outcome_refused(bad) from None


def _shown(order: Order) -> WorkOrder:
    told = {name: value for name, value in order._asdict().items() if name != "version"}
    return WorkOrder(**told, spent=order.spent)


def _stay(one: Kin) -> Stay:
    told = {name: value for name, value in one._asdict().items() if name != "order"}
    return Stay(**told, work_order=one.order)
