"""The forecast: which lease lines are likely to come back late, and when they will be back."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field, TypeAdapter

from api.answers import BeliefPage
from api.auth import TheCaller
from api.cursors import Cursor, Limit, Listing, cut
from api.problems import documented
from api.times import MS_AT_MOST, Time
from tracker.late_lines import Expected
from tracker.queries import UnknownLease, known_partner

router = APIRouter(prefix="/v1", tags=["leases"])

_Ms = Annotated[int, Field(ge=-MS_AT_MOST, le=MS_AT_MOST)]
_forecast = Listing("forecast", TypeAdapter(tuple[str, tuple[_Ms, float, str]]))
_P = Annotated[float, Field(ge=0, le=1)]


class Back(BaseModel):
    """When an asset is back; null: not within four months, perhaps never."""

    earliest: Time | None = Field(description="Before that with a probability of .1, UTC.")
    expected: Time | None = Field(description="Before that with a probability of .5, UTC.")
    latest: Time | None = Field(description="Before that with a probability of .9, UTC.")


class LineForecast(BaseModel):
    """What is to be expected of a lease line under way."""

    lease: str = Field(description="The lease.", examples=["L-1042"])
    line: str = Field(description="Its line.", examples=["1"])
    customer: str = Field(description="The partner who has it.", examples=["acme"])
    asset: str = Field(description="The asset.", examples=["pallet-1"])
    due: Time = Field(description="When it is due, UTC.")
    late_from: Time = Field(description="From when on it is late, UTC: with the grace.")
    p_late: _P = Field(description="How likely it comes back later than that.", examples=[0.31])
    back: Back = Field(description="When it is back.")
    stage: str | None = Field(
        description="The stage that its asset is told to be in; null: none was told yet.",
        examples=["in_use"],
    )
    since: Time | None = Field(description="Since when, UTC.")
    customer_rate: float = Field(
        description="How many times as late as expected the customer's lines are, by those that "
        "fell due; 1: like others, or none has.",
        examples=[1.4],
    )
    sentence: str = Field(
        description="Why, in a sentence.",
        examples=[
            "In use since 8 January 2026, 09:40 CET; late from 30 January 2026, 00:00 CET on, "
            "probably back by 24 January 2026, 14:00 CET; 5 of 12 lines of acme that fell due "
            "were late, where 3.1 were to be expected"
        ],
    )


class ForecastPage(BeliefPage[LineForecast]):
    """Lines under way, the likeliest to be late first."""

    at: Time = Field(
        description="The time of which this tells, UTC: that of the first page; it is worked out "
        "anew after half a minute, or ten times as long as that took."
    )


@router.get("/forecast", responses=documented(UnknownLease))
def list_forecast(
    caller: TheCaller,
    customer: Annotated[
        str | None, Query(description="Lines of this customer.", examples=["acme"])
    ] = None,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> ForecastPage:
    """How likely each lease line under way comes back late, the likeliest first, and when it will
    be back. All pages tell of the time of the first one."""
    position = _forecast.position(cursor, customer)
    now, after = (None, None) if position is None else (position[0], position[1:])
    with caller.reading_for() as reader:
        if customer is not None:
            known_partner(reader, customer)
        found = caller.foresight(reader, now, customer)
    items, last = cut(found.page(after, limit + 1, customer), limit)
    return ForecastPage(
        items=[_line(one) for one in items],
        next=_forecast.cursor((found.now, *last.place), customer) if last else None,
        stale=found.stale,
        at=found.now,
    )


def _line(one: Expected) -> LineForecast:
    earliest, expected, latest = one.back
    fields: dict[str, Any] = {"lease": one.lease.id, "line": one.line.id, "asset": one.line.asset}
    return LineForecast(
        **fields,
        customer=one.lease.customer,
        due=one.line.due_at,
        late_from=one.deadline,
        p_late=one.p,
        back=Back(earliest=earliest, expected=expected, latest=latest),
        stage=one.stage,
        since=one.since,
        customer_rate=one.customer.mean,
        sentence=one.sentence,
    )
