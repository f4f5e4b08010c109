"""What is overdue: in pages, and as a table."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field, TypeAdapter

from api.alerts import StateName
from api.auth import TheCaller
from api.cursors import Cursor, Limit, Listing, Page, cut
from api.problems import documented
from api.table import Table, table_of
from api.times import Time
from tracker.overdue_lines import Overdue, Sort, overdue_lines
from tracker.ports import Reader
from tracker.queries import UnknownLease, UnknownPlace, known_partner, known_place

router = APIRouter(prefix="/v1", tags=["alerts"])

_overdue = Listing("overdue", TypeAdapter(tuple[str, tuple[bool, float, str]]))
ROWS_AT_MOST = 10_000
_Sort = Annotated[
    Sort,
    Query(
        description="What comes first: what is overdue longest, worth most, or likeliest.",
        examples=["value"],
    ),
]
_Customer = Annotated[
    str | None, Query(description="Only what this customer has.", examples=["acme"])
]
_Class = Annotated[
    str | None,
    Query(alias="class", description="Only assets of this class.", examples=["pallet"]),
]
_Site = Annotated[
    str | None, Query(description="Only assets that stay at this site.", examples=["cust-1"])
]


class OverdueLine(BaseModel):
    """A lease line whose asset should be back and is likely still with the customer."""

    asset: str = Field(description="The asset.", examples=["pallet-1"])
    class_: str = Field(alias="class", description="What sort of thing it is.", examples=["pallet"])
    lease: str = Field(description="The lease.", examples=["L-17"])
    line: str = Field(description="The line of it.", examples=["1"])
    customer: str = Field(description="Who has it.", examples=["acme"])
    due: Time = Field(description="When it was due: the end of that day, UTC.")
    deadline: Time = Field(description="The same with the grace, UTC.")
    days: float = Field(description="How many days it is overdue: from `due`.", examples=[3.2])
    p: float | None = Field(
        description="How likely it is still there, as was found last.", examples=[0.93]
    )
    value: float | None = Field(
        description="What the asset is worth: its attribute `value`; null: it has none.",
        examples=[120.0],
    )
    currency: str | None = Field(
        description="In what: its attribute `currency`; null: that is not said.", examples=["EUR"]
    )
    level: int = Field(description="The alert's level.", examples=[2])
    state: StateName = Field(description="What the alert is in.", examples=["open"])
    alert: str = Field(description="The alert.", examples=["al_11596bf6a498e47d5236"])
    reason: str = Field(
        description="Why, in words.",
        examples=["Due 3.2 days ago; it is still with the customer at 93 %."],
    )
    reasons: list[str] = Field(
        description="Why that is thought, in sentences: by the lease, then by what is known of "
        "the asset's stage.",
        examples=[["It was due on 2026-01-02, with 24 h of grace, and has not come back since."]],
    )


class OverduePage(Page[OverdueLine]):
    """Overdue lines, as they were sorted."""


def _check_named(reader: Reader, customer: str | None, site: str | None) -> None:
    """Of what there is not nothing is overdue, which is no answer to a slip of the pen."""
    if customer is not None:
        known_partner(reader, customer)
    if site is not None:
        known_place(reader, "site", site)


@router.get("/overdue", responses=documented(UnknownLease, UnknownPlace))
def list_overdue(
    caller: TheCaller,
    sort: _Sort = Sort.DAYS,
    customer: _Customer = None,
    class_: _Class = None,
    site: _Site = None,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> OverduePage:
    """What should be back and is likely still with its customer: what is overdue longest, or
    worth most, or likeliest, first."""
    filters = (str(sort), customer, class_, site)
    after, now = _overdue.position(cursor, *filters), caller.now()
    with caller.reading_for() as reader:
        _check_named(reader, customer, site)
        found = overdue_lines(reader, now, limit + 1, sort, after, customer, class_, site)
    lines, last = cut(found, limit)
    return OverduePage(
        items=[_line(one) for one in lines],
        next=_overdue.cursor(last.place, *filters) if last else None,
    )


@router.get("/overdue.csv", response_class=Table, responses=documented(UnknownLease, UnknownPlace))
def table_of_overdue(
    caller: TheCaller,
    sort: _Sort = Sort.DAYS,
    customer: _Customer = None,
    class_: _Class = None,
    site: _Site = None,
    limit: Annotated[
        int,
        Query(ge=1, le=ROWS_AT_MOST, description="How many lines at most.", examples=[1000]),
    ] = ROWS_AT_MOST,
) -> Table:
    """The same as a table, of up to 10,000 lines."""
    now = caller.now()
    with caller.reading_for() as reader:
        _check_named(reader, customer, site)
        found = overdue_lines(reader, now, limit, sort, None, customer, class_, site)
    rows = (_line(one).model_dump(mode="json", by_alias=True) for one in found)
    return table_of(OverdueLine, (row | {"reasons": " ".join(row["reasons"])} for row in rows))


def _line(one: Overdue) -> OverdueLine:
    fields: dict[str, Any] = {"asset": one.asset.id, "class": one.asset.class_}
    return OverdueLine(
        **fields,
        lease=one.lease.id,
        line=one.line.id,
        customer=one.lease.customer,
        due=one.line.due_at,
        deadline=one.deadline,
        days=one.days,
        p=one.p,
        value=one.worth.value,
        currency=one.worth.currency,
        level=one.alert.level,
        state=one.alert.state.value,
        alert=one.alert.id,
        reason=one.reason,
        reasons=one.reasons,
    )
