"""The fleet's figures: with their formulas, and as a table."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, Field

from api.auth import Caller, TheCaller
from api.parameters import From, To, refuse_backwards
from api.problems import documented
from api.table import Table
from api.times import Time
from tracker import fleet, fleet_table, kpi
from tracker.alerts import DAY_MS
from tracker.fleet import Asked, By, fleet_report
from tracker.queries import UnknownLease, UnknownPlace, known_partner, known_place

router = APIRouter(prefix="/v1", tags=["figures"])

_Class = Annotated[
    str | None,
    Query(alias="class", description="Only of assets of this class.", examples=["pallet"]),
]
_Site = Annotated[
    str | None, Query(description="Only of trips to this site, stays there.", examples=["cust-1"])
]
_Partner = Annotated[str | None, Query(description="Only of this partner.", examples=["acme"])]
_By = Annotated[By | None, Query(description="A group for each of these.", examples=["class"])]
_Safety = Annotated[
    float,
    Query(ge=0, le=1e9, description="Safety stock in the fleet size, assets.", examples=[20]),
]


async def _asked(
    caller: TheCaller,
    since: From = None,
    until: To = None,
    class_: _Class = None,
    site: _Site = None,
    partner: _Partner = None,
    by: _By = None,
    safety_stock: _Safety = 0,
) -> Asked:
    now = caller.now()
    until = now if until is None else min(until, now)  # nothing has happened after now
    refuse_backwards(since, until)
    return Asked(until, since, class_, site, partner, by, safety_stock)


_TheAsked = Annotated[Asked, Depends(_asked)]


class Figure(BaseModel):
    """A figure, and what it rests on."""

    name: str = Field(description="Which one.", examples=["return_rate"])
    value: float | None = Field(
        description="The figure; null: it cannot be told.", examples=[0.9375]
    )
    unit: str = Field(description="In what: `share` is of 1.", examples=["share"])
    formula: str = Field(
        description="How it is worked out.",
        examples=["returned by the period's end / sent out in the period"],
    )
    numerator: float | None = Field(
        description="What the formula divides; null: it is not known.", examples=[150]
    )
    denominator: float | None = Field(
        description="What it divides by; null: it is not known.", examples=[160]
    )
    why: str | None = Field(
        description="Why it cannot be told; null: it can.",
        examples=["nothing was sent out in the period"],
    )


class Step(BaseModel):
    """An age at which something came back."""

    days: float = Field(description="The age, from being sent out.", examples=[12.5])
    share: float = Field(description="The share that is back by then.", examples=[0.4])
    back: int = Field(description="How many came back at that age.", examples=[1])
    at_risk: int = Field(description="How many had been out for so long.", examples=[90])


class InStage(BaseModel):
    """The time that assets were in a stage."""

    stage: str | None = Field(description="The stage; null: not known.", examples=["in_use"])
    days: float = Field(description="Days of assets within the period.", examples=[412.5])


class FigureGroup(BaseModel):
    """The figures of all, or of a class, site or partner."""

    key: str | None = Field(
        description="Which class, site or partner; null: all.", examples=["pallet"]
    )
    figures: list[Figure] = Field(description="Every figure, in the same order always.")
    curve: list[Step] = Field(
        description="The pool return rate by age: of what was sent out in the period, by Kaplan "
        "and Meier."
    )
    stages: list[InStage] = Field(
        description="Time in each stage, the longest first; none of a site or partner."
    )


class Figures(BaseModel):
    """The figures of a period."""

    from_: Time = Field(
        alias="from",
        description="When the period begins, UTC: not before the first observation.",
    )
    to: Time = Field(description="When it ends, UTC: as of then it is looked at.")
    groups: list[FigureGroup] = Field(description="All in one, or one for each, by name.")
    stale: int = Field(
        description="How many assets wait to be folded again: their past may change.", examples=[0]
    )


@router.get("/kpi", responses=documented(UnknownPlace, UnknownLease))
def get_figures(caller: TheCaller, asked: _TheAsked) -> Figures:
    """The fleet's figures of a period: return rates, times, turns, losses, recovery, each with its
    formula and counts. From the first observation up to now, where no period is given."""
    report = _report(caller, asked)
    fields: dict[str, Any] = {"from": report.period.since}
    groups = [_group(one) for one in report.groups]
    return Figures(**fields, to=report.period.until, groups=groups, stale=report.stale)


@router.get("/kpi.csv", response_class=Table, responses=documented(UnknownPlace, UnknownLease))
def table_of_figures(caller: TheCaller, asked: _TheAsked) -> Table:
    """The same as a table: a row for each figure of each group."""
    return Table(fleet_table.as_csv(_report(caller, asked)))


def _report(caller: Caller, asked: Asked) -> fleet.Report:
    with caller.reading() as reader:
        if asked.site is not None:
            known_place(reader, "site", asked.site)
        if asked.partner is not None:
            known_partner(reader, asked.partner)
        return fleet_report(reader, asked)


def _group(group: fleet.Group) -> FigureGroup:
    return FigureGroup(
        key=group.key,
        figures=[_figure(one) for one in group.figures],
        curve=[
            Step(days=one.age / DAY_MS, share=one.share, back=one.back, at_risk=one.at_risk)
            for one in group.curve.steps
        ],
        stages=[InStage(stage=stage, days=ms / DAY_MS) for stage, ms in group.stages],
    )


def _figure(one: kpi.Figure) -> Figure:
    name, formula, unit = one.measure
    return Figure(
        name=name,
        value=one.value,
        unit=unit,
        formula=formula,
        numerator=one.numerator,
        denominator=one.denominator,
        why=one.why,
    )
