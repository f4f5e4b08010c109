"""The ends of lives: what speaks for one, and what an asset is worth on each route."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from api.auth import TheCaller
from api.cursors import Cursor, Limit, Listing, Page, cut
from api.parameters import AssetId
from api.problems import documented
from api.table import Table, table_of
from api.times import Time
from tracker import disposition, life_ports
from tracker.asset_class import Condition
from tracker.class_book import UnknownClass
from tracker.disposition import Choice, choose
from tracker.end_of_life import Trigger, p_fail, remaining, triggers, words
from tracker.life import Life
from tracker.life_ports import Because, LifeFilter
from tracker.living import life_of
from tracker.ports import Reader
from tracker.queries import UnknownAsset, known_asset
from tracker.sensitivity import turns
from tracker.stamps import DAY
from tracker.wear import shares

router = APIRouter(prefix="/v1", tags=["lives"])

_spent = Listing("end-of-life", TypeAdapter(tuple[str, tuple[float, str]]))
ROWS_AT_MOST = 10_000
HORIZONS = (1.0, 5.0, 20.0)
LIKELY_LEFT = (0.1, 0.5, 0.9)  # of assets that will have failed: the ends and the middle
TURNS_SHOWN = 3
_P = Annotated[float, Field(ge=0, le=1)]
_Class = Annotated[
    str | None, Query(alias="class", description="Only of this class.", examples=["keg"])
]
_Because = Annotated[
    Because | None,
    Query(description="Only where this is what ends it.", examples=["limit_age"]),
]
_Least = Annotated[
    float | None,
    Query(ge=0, le=1e6, description="Only of those that have spent so much.", examples=[0.8]),
]


class Found(BaseModel):
    """Something that speaks for the end of a life, or for a service."""

    model_config = ConfigDict(extra="allow")

    kind: str = Field(description="What was found.", examples=["limit_reached"])
    by: str = Field(description="By which limit, service or paper.", examples=["cycles"])
    sentence: str = Field(
        description="The same in words, with its figures.",
        examples=["Its limit of 120 cycles is reached: it has done 120."],
    )
    figures: dict[str, Any] = Field(
        description="The figures it rests on.", examples=[{"trips": 120, "limit": 120}]
    )


class Left(BaseModel):
    """After how many more trips such assets will have failed."""

    low: float = Field(description="One in ten of them.", examples=[8])
    middle: float = Field(description="Half of them.", examples=[41])
    high: float = Field(description="Nine in ten of them.", examples=[96])


class EndOfLife(BaseModel):
    """What is known of how far an asset is from the end of its life."""

    asset: str = Field(description="The asset.", examples=["drill-7"])
    class_: str = Field(alias="class", description="Its class.", examples=["power_tool"])
    at: Time = Field(description="The time that is told of, on the asset's clock, UTC.")
    found: list[Found] = Field(description="What was found; none: nothing ends it yet.")
    trips: float = Field(description="How many trips it has done.", examples=[41])
    worn_trips: float = Field(
        description="After how many a new one would be as worn: repairs took some away.",
        examples=[33],
    )
    age_days: float | None = Field(
        description="How old it is; null: no attribute `made` says so.", examples=[700]
    )
    borne: dict[str, float] = Field(
        description="Which share it has borne of what it can bear.", examples=[{"cycles": 0.4}]
    )
    p_fail: dict[str, _P] = Field(
        description="How likely it fails within so many trips; none: nobody knows when such assets "
        "fail.",
        examples=[{"1": 0.01, "5": 0.06, "20": 0.31}],
    )
    remaining: Left | None = Field(description="How many trips are left; null: nobody knows.")
    missing: list[str] = Field(
        description="What is not known, and what it would tell.",
        examples=[["made: how old it is is not known"]],
    )


class RouteValue(BaseModel):
    """What a route is worth."""

    route: str = Field(description="The route.", examples=["repair"])
    kind: str = Field(description="What kind of route it is.", examples=["repair"])
    value: float | None = Field(description="Its net value; null: not known.", examples=[31.5])
    terms: dict[str, float] = Field(
        description="What that is the sum of.", examples=[{"service": 90, "cost": -60}]
    )
    excluded: str | None = Field(
        description="Why it must not be; null: it may.", examples=["its limit is reached"]
    )
    dear: bool = Field(
        description="A repair that costs more than half of what it brings.", examples=[False]
    )


class TurnAnswer(BaseModel):
    """A figure that alone would change what is recommended."""

    figure: str = Field(description="Which.", examples=["repair.cost"])
    now: float = Field(description="What it is.", examples=[60])
    at: float = Field(description="From what on it changes.", examples=[82.4])
    then: str | None = Field(description="What would be recommended.", examples=["harvest"])


class AtReturn(BaseModel):
    """The same when the asset is due back: a trip later."""

    at: Time = Field(description="When, UTC.")
    recommended: str | None = Field(description="The best route then.", examples=["restock"])
    value: float | None = Field(description="What it is worth then.", examples=[28.1])


class Disposition(BaseModel):
    """What should become of an asset."""

    asset: str = Field(description="The asset.", examples=["drill-7"])
    class_: str = Field(alias="class", description="Its class.", examples=["power_tool"])
    currency: str = Field(description="Of all values.", examples=["EUR"])
    condition: Condition = Field(description="How it is, as far as is known.")
    recommended: str | None = Field(
        description="The route of the greatest value; null: none may be, or none can be valued.",
        examples=["repair"],
    )
    margin: float | None = Field(
        description="By what share of it the next one is behind.", examples=[0.22]
    )
    ask_a_person: bool = Field(description="Whether that is too close.", examples=[False])
    routes: list[RouteValue] = Field(description="All routes, the best first.")
    turns: list[TurnAnswer] = Field(description="What would change the answer, the nearest first.")
    at_return: AtReturn | None = Field(description="When it is due back; null: it is on no lease.")
    missing: list[str] = Field(
        description="What is not known, and what it would tell.",
        examples=[["grade: no inspection says how good it is"]],
    )


class SpentLife(BaseModel):
    """How much of its life an asset has spent."""

    asset: str = Field(description="The asset.", examples=["drill-7"])
    class_: str = Field(alias="class", description="Its class.", examples=["power_tool"])
    spent: float = Field(description="Which share of its life; 1: all.", examples=[0.93])
    because: str = Field(description="By what.", examples=["limit_age"])
    trips: float = Field(description="How many trips it has done.", examples=[41])
    p_fail: float | None = Field(
        description="How likely it fails on the next trip; null: nobody knows.", examples=[0.02]
    )
    remaining: float | None = Field(
        description="After how many more trips half of such assets have failed.", examples=[41]
    )


class SpentPage(Page[SpentLife]):
    """Assets by how much of their lives they have spent, as a worker has last found."""


@router.get("/assets/{asset}/end-of-life", responses=documented(UnknownAsset, UnknownClass))
def get_end_of_life(caller: TheCaller, asset: AssetId) -> EndOfLife:
    """How far an asset is from the end of its life, and what speaks for that."""
    with caller.about(asset) as reader:
        life = _life(reader, asset, caller.now())
    told: dict[str, Any] = {"asset": asset, "class": life.class_.id}
    left = [remaining(life, share) for share in LIKELY_LEFT]
    chances = {f"{h:g}": p for h in HORIZONS if (p := p_fail(life, h)) is not None}
    low, middle, high = left
    return EndOfLife(
        **told,
        at=life.now,
        found=[_found(one) for one in triggers(life)],
        trips=life.worn.trips,
        worn_trips=life.worn_trips,
        age_days=life.age_days,
        borne=dict(shares(life.worn, life.class_.budget, life.renewals)),
        p_fail=chances,
        remaining=None
        if low is None or middle is None or high is None
        else Left(low=low, middle=middle, high=high),
        missing=_missing(life),
    )


@router.get("/assets/{asset}/disposition", responses=documented(UnknownAsset, UnknownClass))
def get_disposition(caller: TheCaller, asset: AssetId) -> Disposition:
    """What should become of an asset: the net value of every route, term by term."""
    with caller.about(asset) as reader:
        life = _life(reader, asset, caller.now())
    class_, condition = life.class_, life.condition()
    choice = choose(class_, condition, life.model)
    would = turns(class_, condition, life.model)[:TURNS_SHOWN]
    told: dict[str, Any] = {"asset": asset, "class": class_.id}
    return Disposition(
        **told,
        currency=class_.currency,
        condition=condition,
        recommended=choice.recommended,
        margin=choice.margin,
        ask_a_person=choice.ask,
        routes=[_route(one) for one in choice.routes],
        turns=[TurnAnswer(**one._asdict()) for one in would],
        at_return=_at_return(life, condition),
        missing=[*choice.missing],
    )


@router.get("/end-of-life")
def list_end_of_life(
    caller: TheCaller,
    class_: _Class = None,
    because: _Because = None,
    at_least: _Least = None,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> SpentPage:
    """Assets of known classes, those first that have spent the most of their lives."""
    filters = (class_, because, None if at_least is None else str(at_least))
    after = _spent.position(cursor, *filters)
    with caller.reading() as reader:
        found = reader.spent(LifeFilter(class_, because, at_least), after, limit + 1)
    rows, last = cut(found, limit)
    return SpentPage(
        items=[_row(one) for one in rows],
        next=_spent.cursor((last.spent, last.asset), *filters) if last else None,
    )


@router.get("/end-of-life.csv", response_class=Table)
def table_of_end_of_life(
    caller: TheCaller,
    class_: _Class = None,
    because: _Because = None,
    at_least: _Least = None,
    limit: Annotated[
        int, Query(ge=1, le=ROWS_AT_MOST, description="How many at most.", examples=[1000])
    ] = ROWS_AT_MOST,
) -> Table:
    """The same as a table, of up to 10,000 assets."""
    with caller.reading() as reader:
        found = reader.spent(LifeFilter(class_, because, at_least), None, limit)
    rows = (_row(one).model_dump(mode="json", by_alias=True) for one in found)
    return table_of(SpentLife, rows)


def _life(reader: Reader, asset: str, now: int) -> Life:
    known = known_asset(reader, asset)
    life = life_of(reader, asset, now)
    if life is None:
        raise UnknownClass(known.class_)
    return life


def _found(one: Trigger) -> Found:
    return Found(kind=one.kind, by=one.what, sentence=words(one), figures=dict(one.figures))


def _route(one: disposition.Valued) -> RouteValue:
    return RouteValue(**(one._asdict() | {"terms": dict(one.terms)}))


def _row(one: life_ports.Spent) -> SpentLife:
    told = one._asdict()
    return SpentLife(**(told | {"class": told.pop("class_")}))


def _at_return(life: Life, condition: Condition) -> AtReturn | None:
    """The best route when the asset is due back, a trip older."""
    if life.due is None or life.due <= life.now:
        return None
    days = (life.due - life.now) / DAY
    retire = condition.retire_by_days
    then = condition.model_copy(
        update={
            "cycles": condition.cycles + 1,
            "worn": (condition.worn or 0.0) + 1,
            "age_days": condition.age_days + days if condition.age_days else 0.0,
            "retire_by_days": None if retire is None else retire - days,
        }
    )
    choice = choose(life.class_, then, life.model)
    return AtReturn(at=life.due, recommended=choice.recommended, value=_best(choice))


def _best(choice: Choice) -> float | None:
    return next((one.value for one in choice.routes if one.route == choice.recommended), None)


def _missing(life: Life) -> list[str]:
    """What is not known of a life, and what it would tell."""
    class_, said = life.class_, list[str]()
    if life.dates.made is None:
        said.append("made: how old it is is not known")
    said += [f"{name}: it is no day like 2026-01-05" for name in life.dates.unreadable]
    if life.model is None:
        said.append("wear, or failures that inspections find: when it fails is not known")
    if not class_.budget.model_dump(exclude_none=True):
        said.append("budget: how worn it is is not known")
    if class_.limits.cycles is None and class_.limits.age_days is None:
        said.append("limits: what it must not be used beyond is not known")
    return said
