"""Stages: where in the flow assets are, why, and how they came there."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field, TypeAdapter

from api.auth import TheCaller
from api.cursors import Cursor, Limit, Listing, Page, cut
from api.parameters import AsOf, AssetId
from api.problems import documented
from api.times import MS_AT_MOST, Time
from tracker import explain, partner_view, queries, stages
from tracker.asset_ports import Crowd
from tracker.log_ports import Line
from tracker.model import Fact, Observation
from tracker.queries import BeforeLog, UnknownAsset, UnknownPlace
from tracker.stage import Transition
from tracker.stages import Group, Happened, StageStatus, Writing

router = APIRouter(prefix="/v1", tags=["stages"])

_Ms = Annotated[int, Field(ge=-MS_AT_MOST, le=MS_AT_MOST)]
_Key = Annotated[str, Field(pattern="^[0-9a-f]{0,64}$")]
_Number = Annotated[int, Field(ge=0, le=2**63 - 1)]
_timeline = Listing("timeline", TypeAdapter(tuple[str, tuple[_Ms, _Key, _Number]]))
_P = Annotated[float, Field(ge=0, le=1)]


class Term(BaseModel):
    """Something that moved the odds."""

    what: str = Field(description="What, in words.", examples=["read 6 times at z_inspection"])
    effect: str = Field(description="What it did, in words.", examples=["60 times likelier"])
    weight: float = Field(
        description="By how much it moved the logarithm of the odds.", examples=[4.1]
    )


class Explanation(BaseModel):
    """Why a stage is believed rather than another one."""

    sentence: str = Field(
        description="Why, in a sentence.",
        examples=[
            "At z_inspection since 09:40 CET: read 6 times; a stray read is 60 times less likely"
        ],
    )
    stage: str = Field(description="The stage.", examples=["inspection"])
    instead: str = Field(description="The one it is compared with.", examples=["received"])
    total: float = Field(
        description="The logarithm of the odds between the two: what all terms sum to.",
        examples=[3.5],
    )
    terms: list[Term] = Field(
        description="What these odds consist of: the five weightiest, everything before, the rest."
    )

    @classmethod
    def of(cls, told: explain.Explanation) -> Explanation:
        terms = [Term(what=one.what, effect=one.effect, weight=one.weight) for one in told.terms]
        return cls(**(told._asdict() | {"terms": terms}))


class RunnerUp(BaseModel):
    """The likeliest other stage."""

    stage: str = Field(description="The stage.", examples=["received"])
    p: _P = Field(description="How likely it is.", examples=[0.03])


class Sites(BaseModel):
    """The sites that an asset's stages mean."""

    depot: str | None = Field(description="Its depot.", examples=["depot"])
    hub: str | None = Field(description="The hub it passed last.", examples=["hub-1"])
    customer: str | None = Field(description="Its customer's.", examples=["cust-1"])


class StageAnswer(BaseModel):
    """In which stage an asset is."""

    asset: str = Field(description="The asset.", examples=["pallet-1"])
    class_: str = Field(alias="class", description="What sort of thing it is.", examples=["pallet"])
    at: Time = Field(description="The time that is told of, on the asset's clock, UTC.")
    stage: str | None = Field(
        description="The stage; null: none is sure enough.", examples=["inspection"]
    )
    since: Time | None = Field(
        description="Since when that is told, UTC; null: nothing has been observed yet."
    )
    p: _P = Field(
        description="How likely it is; where none is told, how likely the likeliest is.",
        examples=[0.97],
    )
    sentence: str | None = Field(
        description="Why, in a sentence: the newer one of the two explanations that has something "
        "to say.",
        examples=[
            "In use since 09:40 CET: located 3 times at Customer 1; outbound is 5 times less likely"
        ],
    )
    stages: dict[str, _P] = Field(
        description="How likely each stage is.", examples=[{"inspection": 0.97, "received": 0.03}]
    )
    runner_up: RunnerUp = Field(description="What else it may be, most likely.")
    sites: Sites = Field(description="The sites that these stages mean.")
    why: Explanation | None = Field(
        description="What it was told for, against the runner-up of then; null: nothing has been "
        "observed yet."
    )
    now: Explanation | None = Field(
        description="What speaks for it now, against the runner-up of now."
    )


class Entry(BaseModel):
    """Something that happened to an asset, or was told of it."""

    what: Literal["fact", "stage", "correction"] = Field(
        description="`fact`: somebody stated something. `stage`: from here on another stage was "
        "told, as it is known today. `correction`: what was told before came to be known better.",
        examples=["stage"],
    )
    at: Time = Field(description="When: event time, UTC.")
    stage: str | None = Field(
        description="The stage from then on (null: none is sure enough), or that a fact names.",
        examples=["inspection"],
    )
    was: str | None = Field(default=None, description="The stage before.", examples=["received"])
    p: _P | None = Field(
        default=None, description="How likely the stage was then.", examples=[0.97]
    )
    sentence: str | None = Field(
        default=None, description="Why, in a sentence.", examples=["Received since 08:00 CET: ..."]
    )
    fact: str | None = Field(default=None, description="What was stated.", examples=["inspected"])
    id: str | None = Field(default=None, description="The fact's id.", examples=["wms-4711"])
    by: str | None = Field(default=None, description="Who stated it.", examples=["inspector 3"])
    note: str | None = Field(
        default=None, description="What else was said.", examples=["one board broken"]
    )
    recorded: Time | None = Field(
        default=None, description="When it was stated or corrected, UTC; null: as it came in."
    )
    withdrawn: bool | None = Field(
        default=None, description="Of a correction: there was no such change.", examples=[False]
    )
    line: int | None = Field(
        default=None, description="Of a correction: its line in the journal.", examples=[17]
    )
    supersedes: int | None = Field(
        default=None, description="Of a correction: the line that it corrects.", examples=[12]
    )


class TimelinePage(Page[Entry]):
    """What happened to an asset, the oldest first."""


class Part(BaseModel):
    """How many assets of a class are in a stage at a site."""

    class_: str = Field(alias="class", description="Their class.", examples=["pallet"])
    site: str | None = Field(
        description="Where they are; null: at no known site.", examples=["depot"]
    )
    assets: int = Field(description="How many.", examples=[12])
    mean_dwell_s: float = Field(description="For how long on average, seconds.", examples=[14400])


class StageCount(BaseModel):
    """How many assets are in a stage."""

    stage: str | None = Field(
        description="The stage; null: none is sure enough.", examples=["inspection"]
    )
    assets: int = Field(description="How many.", examples=[12])
    mean_dwell_s: float = Field(description="For how long on average, seconds.", examples=[14400])
    parts: list[Part] = Field(description="The same by class and site.")


class Funnel(BaseModel):
    """How many assets are in which stage, in the order of the flow."""

    stages: list[StageCount] = Field(description="The stages that any are in.")
    stale: int = Field(
        description="How many assets, of all, were touched by a change of the configuration and "
        "have not been folded again: what is said of them may be out of date.",
        examples=[0],
    )


@router.get("/assets/{asset}/stage", responses=documented(UnknownAsset, BeforeLog))
def get_asset_stage(caller: TheCaller, asset: AssetId, as_of: AsOf = None) -> StageAnswer:
    """In which stage of the flow an asset is, how likely each is, and why."""
    with caller.reading() if as_of is not None else caller.about_for(asset) as reader:
        status = partner_view.stage_of(reader, asset, caller.now(), as_of)
    return _answer(status)


@router.get("/assets/{asset}/timeline", responses=documented(UnknownAsset))
def get_asset_timeline(
    caller: TheCaller, asset: AssetId, limit: Limit = 100, cursor: Cursor = None
) -> TimelinePage:
    """What happened to an asset, the oldest first: its stages, facts, and corrections."""
    after = _timeline.position(cursor, asset)
    with caller.about(asset) as reader:
        found, last = cut(stages.timeline(reader, asset, after, limit + 1), limit)
        writing = stages.writing(reader, asset, caller.now())
    return TimelinePage(
        items=[_entry(one, writing) for one in found],
        next=_timeline.cursor(last[:3], asset) if last else None,
    )


@router.get("/stages", responses=documented(UnknownPlace))
def get_stages(
    caller: TheCaller,
    class_: Annotated[
        str | None, Query(alias="class", description="Of this class.", examples=["pallet"])
    ] = None,
    site: Annotated[str | None, Query(description="At this site.", examples=["depot"])] = None,
) -> Funnel:
    """How many assets are in which stage, by class and site, and for how long on average."""
    with caller.reading() as reader:
        if site is not None:
            queries.known_place(reader, "site", site)
        groups = stages.funnel(reader, class_, site)
        stale = reader.stale_count()
    now = caller.now()
    return Funnel(stages=[_count(group, now) for group in groups], stale=stale)


def _answer(status: StageStatus) -> StageAnswer:
    told = status.told
    return StageAnswer(
        **{"class": status.class_},
        asset=status.asset,
        at=status.at,
        stage=told.stage,
        since=told.since if status.seen else None,
        p=told.p,
        sentence=status.sentence,
        stages=status.stages,
        runner_up=RunnerUp(**status.runner_up._asdict()),
        sites=Sites(**status.sites._asdict()),
        why=Explanation.of(status.why) if status.why else None,
        now=Explanation.of(status.now) if status.now else None,
    )


def _entry(one: Happened, writing: Writing) -> Entry:
    what = one.what
    if isinstance(what, Line):
        return _correction(what)
    if isinstance(what, Transition):
        sentence = writing.sentence(what)
        return Entry(
            what="stage", at=what.at, stage=what.stage, was=what.was, p=what.p, sentence=sentence
        )
    return _fact(what)


def _fact(row: Observation) -> Entry:
    fact = row.what
    assert isinstance(fact, Fact)  # its subject is an asset
    return Entry(
        what="fact",
        at=row.at,
        stage=fact.stage,
        fact=fact.kind,
        id=fact.id,
        by=fact.by,
        note=fact.note,
        recorded=row.received,
    )


def _correction(line: Line) -> Entry:
    body = line.entry.body
    return Entry(
        what="correction",
        at=line.entry.at,
        stage=body["stage"],
        was=body["was"],
        p=body.get("p"),
        recorded=line.recorded,
        withdrawn=body.get("withdrawn", False),
        line=line.number,
        supersedes=line.entry.supersedes,
    )


def _count(group: Group, now: int) -> StageCount:
    return StageCount(
        stage=group.stage,
        assets=group.assets,
        mean_dwell_s=_dwell_s(group.since, now),
        parts=[_part(one, now) for one in group.parts],
    )


def _part(one: Crowd, now: int) -> Part:
    fields: dict[str, Any] = {"class": one.class_}
    dwell = _dwell_s(one.since, now)
    return Part(**fields, site=one.site, assets=one.assets, mean_dwell_s=dwell)


def _dwell_s(since: float, now: int) -> float:
    return max(0.0, now - since) / 1000
