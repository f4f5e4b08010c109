"""Inspections of returned assets, and decisions on what becomes of them."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Response
from pydantic import BaseModel, ConfigDict, Field
from pydantic.config import JsonDict

from api.answers import created
from api.auth import Caller, TheCaller
from api.parameters import AssetId
from api.problems import BodyRefused, documented
from api.times import Moment, Time
from tracker import inspection as inspections
from tracker import life_ports, worldvalues
from tracker.caring import NoRoute, decide, inspect
from tracker.class_book import UnknownClass
from tracker.facts import BadFacts
from tracker.inspection import BadFinding, Note
from tracker.process import Word
from tracker.queries import UnknownAsset, known_asset
from tracker.registry import Conflict, Unregistered

router = APIRouter(prefix="/v1", tags=["lives"])

_INSPECTION: JsonDict = {
    "asset": "drill-7",
    "at": "2026-01-05T08:00:00Z",
    "checked": [{"item": "insulation", "value": False}],
    "outcome": "repair",
}
_DECISION: JsonDict = {"route": "repair", "after": 0, "reason": "the customer wants this very one"}
RecordId = Annotated[
    worldvalues.AssetId,
    Path(description="Its id, which whoever tells it gives.", examples=["insp-4711"]),
]


class InspectionBody(inspections.Inspection):
    """What somebody found of an asset."""

    model_config = ConfigDict(json_schema_extra={"examples": [_INSPECTION]})

    asset: worldvalues.AssetId = Field(description="The asset.", examples=["drill-7"])
    at: Moment | None = Field(
        default=None, description="When: ISO 8601 with an offset, or epoch ms; none: now."
    )


class InspectionAnswer(BaseModel):
    """An inspection, and what follows from it."""

    id: str = Field(description="Its id.", examples=["insp-4711"])
    asset: str = Field(description="The asset.", examples=["drill-7"])
    at: Time = Field(description="When it was inspected, UTC.")
    by: str = Field(description="Who has told it.", examples=["key k-1"])
    found: inspections.Inspection = Field(description="What was found.")
    grade: str = Field(description="The grade that is left.", examples=["C"])
    failed: bool = Field(description="Whether it does not work.", examples=[True])
    because: list[str] = Field(
        description="The items that were bad, and the codes of defects.", examples=[["insulation"]]
    )
    trips: float = Field(description="How many trips it had done.", examples=[41])
    flags: list[str] = Field(
        description="What is odd about it.", examples=[["elsewhere: by telemetry it is at cust-1"]]
    )


class Inspections(BaseModel):
    """All that was found of an asset."""

    asset: str = Field(description="The asset.", examples=["drill-7"])
    inspections: list[InspectionAnswer] = Field(description="In order of time.")


class DecisionBody(BaseModel):
    """What shall become of an asset."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [_DECISION]})

    route: Word = Field(description="The route, of its class.", examples=["repair"])
    after: int = Field(
        ge=0,
        description="The number of the last decision about it that was seen; 0: there is none. "
        "Refused (409) where there is a later one.",
        examples=[0],
    )
    reason: Note | None = Field(
        default=None,
        description="Why, where another route is recommended.",
        examples=["the customer wants this very one"],
    )


class DecisionAnswer(BaseModel):
    """What was decided of an asset."""

    id: str = Field(description="Its id.", examples=["dec-12"])
    asset: str = Field(description="The asset.", examples=["drill-7"])
    number: int = Field(description="Decisions about an asset are counted.", examples=[1])
    at: Time = Field(description="When, UTC.")
    by: str = Field(description="Who.", examples=["key k-1"])
    route: str = Field(description="The route.", examples=["repair"])
    kind: str = Field(description="What kind of route it is.", examples=["repair"])
    recommended: str | None = Field(
        description="Which one was recommended; null: none could be.", examples=["repair"]
    )
    overrides: bool = Field(description="Whether another one was taken.", examples=[False])
    value: float | None = Field(description="What the route is worth.", examples=[31.5])
    best: float | None = Field(description="What the recommended one is.", examples=[31.5])
    reason: str | None = Field(description="Why another one was taken.", examples=[None])
    inspection: str | None = Field(description="After which inspection.", examples=["insp-4711"])


class Decisions(BaseModel):
    """All that was decided of an asset."""

    asset: str = Field(description="The asset.", examples=["drill-7"])
    decisions: list[DecisionAnswer] = Field(description="In order.")


class Override(BaseModel):
    """How often people knew better than what was recommended, of one class."""

    class_: str = Field(alias="class", description="The class.", examples=["power_tool"])
    decisions: int = Field(description="How many decisions there were.", examples=[120])
    overridden: int = Field(description="How many took another route.", examples=[6])
    rate: float = Field(description="The share of those.", examples=[0.05])
    given_away: float = Field(
        description="What the recommended routes would have been worth more, in all.",
        examples=[41.2],
    )
    reasons: dict[str, int] = Field(
        description="Why, and how often.", examples=[{"the customer wants it": 4}]
    )


class Overrides(BaseModel):
    """The same of all classes."""

    classes: list[Override] = Field(description="By class.")


@router.put(
    "/inspections/{inspection}",
    responses=created(InspectionAnswer) | documented(Unregistered, UnknownClass, Conflict),
)
def put_inspection(
    caller: TheCaller, response: Response, inspection: RecordId, body: InspectionBody
) -> InspectionAnswer:
    """Tell what was found of an asset. The same again changes nothing. Where telemetry says that
    the asset is elsewhere, it is taken all the same, and flagged."""
    found = inspections.Inspection.model_validate(body.model_dump(exclude={"asset", "at"}))
    at = body.at
    with caller.writing() as (tx, act):
        known = tx.inspection(inspection)
        if at is None:
            at = known.at if known is not None else act.now
        try:
            made, is_new = inspect(tx, inspection, body.asset, at, found, act, caller.policy)
        except BadFinding as why:
            raise BodyRefused([*why.faults]) from None
        except BadFacts as bad:
            raise outcome_refused(bad) from None
    if is_new:
        response.status_code = 201
    return _inspection(made)


@router.get("/assets/{asset}/inspections", responses=documented(UnknownAsset))
def list_inspections(caller: TheCaller, asset: AssetId) -> Inspections:
    """All that was found of an asset, in order of time."""
    with caller.reading() as reader:
        known_asset(reader, asset)
        found = reader.inspections_of([asset]).get(asset, [])
    return Inspections(asset=asset, inspections=[_inspection(one) for one in found])


@router.put(
    "/assets/{asset}/decisions/{decision}",
    responses=created(DecisionAnswer) | documented(Unregistered, UnknownClass, Conflict, NoRoute),
)
def put_decision(
    caller: TheCaller,
    response: Response,
    asset: AssetId,
    decision: RecordId,
    body: DecisionBody,
) -> DecisionAnswer:
    """Decide what becomes of an asset: as is recommended, or otherwise with a reason. Of two
    decisions at once the second is refused (409)."""
    with caller.writing() as (tx, act):
        made, is_new = decide(
            tx, decision, asset, body.route, body.after, body.reason, act, caller.policy
        )
    if is_new:
        response.status_code = 201
    return _decision(made)


@router.get("/assets/{asset}/decisions", responses=documented(UnknownAsset))
def list_decisions(caller: TheCaller, asset: AssetId) -> Decisions:
    """All that was decided of an asset, in order."""
    with caller.reading() as reader:
        known_asset(reader, asset)
        found = reader.decisions_of([asset]).get(asset, [])
    return Decisions(asset=asset, decisions=[_decision(one) for one in found])


@router.get("/overrides")
def list_overrides(caller: TheCaller) -> Overrides:
    """How often people knew better than what was recommended, and why."""
    return Overrides(classes=_overrides(caller))


def outcome_refused(bad: BadFacts) -> BodyRefused:
    """A body whose outcome, or the time of it, is no fact."""
    return BodyRefused([(("at",) if bad.key == "at" else ("outcome",), str(bad))])


def _overrides(caller: Caller) -> list[Override]:
    by_class = dict[str, list[life_ports.Decision]]()
    with caller.reading() as reader:
        decisions = [*reader.every_decision()]
        assets = reader.assets_by_id({one.asset for one in decisions})
    for one in decisions:
        if one.asset in assets:
            by_class.setdefault(assets[one.asset].class_, []).append(one)
    return [_override(class_, some) for class_, some in sorted(by_class.items())]


def _override(class_: str, decisions: list[life_ports.Decision]) -> Override:
    others = [one for one in decisions if one.overrides]
    reasons = [one.reason or "" for one in others]
    less = sum(max((one.best or 0) - (one.value or 0), 0) for one in others)
    return Override(
        **{"class": class_},
        decisions=len(decisions),
        overridden=len(others),
        rate=len(others) / len(decisions),
        given_away=less,
        reasons={reason: reasons.count(reason) for reason in sorted({*reasons})},
    )


def _inspection(one: life_ports.Inspected) -> InspectionAnswer:
    return InspectionAnswer(
        id=one.id,
        asset=one.asset,
        at=one.at,
        by=one.by,
        found=one.found,
        grade=one.judged.grade,
        failed=one.judged.failed,
        because=[*one.judged.because],
        trips=one.trips,
        flags=[*one.flags],
    )


def _decision(one: life_ports.Decision) -> DecisionAnswer:
    told = {name: value for name, value in one._asdict().items() if name != "recorded"}
    return DecisionAnswer(**told, overrides=one.overrides)
