"""A fleet's figures, each with its formula."""

from __future__ import annotations

import csv
from io import StringIO
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from api.auth import Caller, TheCaller
from api.overdue import Table
from api.parameters import From, To
from api.problems import BadValue
from api.times import Time
from tracker import kpi
from tracker.kpi import Period
from tracker.stamps import DAY
from tracker.stories import Asked, By, stories_of, told

router = APIRouter(prefix="/v1", tags=["lives"])

USUAL_DAYS = 90
_By = Annotated[By | None, Query(description="Apart for each of these.", examples=["class"])]
_Class = Annotated[
    str | None, Query(alias="class", description="Only of this class.", examples=["pallet"])
]
_Site = Annotated[
    str | None, Query(description="Only of assets whose home it is.", examples=["depot"])
]
_Partner = Annotated[
    str | None, Query(description="Only what this partner had on lease.", examples=["acme"])
]
_Stock = Annotated[float, Query(ge=0, le=1e9, description="Assets kept in reserve.", examples=[20])]


class FleetFigure(BaseModel):
    """A figure, and what it comes from."""

    name: str = Field(description="Its name.", examples=["return_rate"])
    value: float | None = Field(description="Null: it cannot be told.", examples=[0.94])
    unit: str = Field(description="In what; empty: a share.", examples=["days"])
    formula: str = Field(description="How it is worked out.", examples=["returned / shipped"])
    of: float = Field(description="How many it rests on.", examples=[311])
    but: str | None = Field(
        description="Why it cannot be told; null: it can.", examples=["nothing was sent out"]
    )


class FleetGroup(BaseModel):
    """The figures of a class, a site, a partner, or of all."""

    group: str = Field(description="Which.", examples=["pallet"])
    figures: list[FleetFigure] = Field(description="Its figures.")


class Kpi(BaseModel):
    """A fleet's figures in a period."""

    since: Time = Field(description="From when on, UTC.")
    until: Time = Field(description="Up to, not at, UTC.")
    groups: list[FleetGroup] = Field(description="By what was asked for.")


@router.get("/kpi")
def get_kpi(
    caller: TheCaller,
    since: From = None,
    until: To = None,
    by: _By = None,
    class_: _Class = None,
    site: _Site = None,
    partner: _Partner = None,
    safety_stock: _Stock = 0,
) -> Kpi:
    """A fleet's figures in a period (the last 90 days), each with its formula and with what it
    rests on. All assets that are asked for are looked at: a second for 10,000 of them."""
    period = _period(caller, since, until)
    found = _found(caller, period, by, Asked(class_, site, partner), safety_stock)
    return Kpi(since=period.since, until=period.until, groups=found)


@router.get("/kpi.csv", response_class=Table)
def table_of_kpi(
    caller: TheCaller,
    since: From = None,
    until: To = None,
    by: _By = None,
    class_: _Class = None,
    site: _Site = None,
    partner: _Partner = None,
    safety_stock: _Stock = 0,
) -> Table:
    """The same as a table."""
    period = _period(caller, since, until)
    out = StringIO()
    table = csv.DictWriter(out, ["group", *FleetFigure.model_fields])
    table.writeheader()
    for group in _found(caller, period, by, Asked(class_, site, partner), safety_stock):
        table.writerows({"group": group.group, **one.model_dump()} for one in group.figures)
    return Table(out.getvalue())


def _period(caller: Caller, since: int | None, until: int | None) -> Period:
    until = caller.now() if until is None else until
    since = until - USUAL_DAYS * DAY if since is None else since
    if since >= until:
        raise BadValue("from", "from lies at or after to")
    return Period(since, until)


def _found(
    caller: Caller, period: Period, by: By | None, asked: Asked, stock: float
) -> list[FleetGroup]:
    with caller.reading() as reader:
        stories = [*stories_of(reader, asked)]
    return [
        FleetGroup(group=name, figures=[_figure(one) for one in figures])
        for name, figures in told(stories, period, by, stock).items()
    ]


def _figure(one: kpi.Figure) -> FleetFigure:
    return FleetFigure(**one._asdict())
