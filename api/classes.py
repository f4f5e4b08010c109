"""Classes of assets: what is known of their money, limits, wear and care."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Path, Response
from pydantic import BaseModel, ConfigDict, Field
from pydantic.config import JsonDict

from api import arranged
from api.answers import created
from api.auth import TheCaller
from api.cursors import Cursor, Limit, Page
from api.etags import show_version
from api.parameters import Expected
from api.problems import BodyRefused, documented
from api.times import Time
from tracker import asset_class, class_book
from tracker.asset_class import ClassId
from tracker.class_book import UnknownClass, class_of, drop_class
from tracker.class_files import contradictions
from tracker.life_ports import Fitted

router = APIRouter(prefix="/v1/classes", tags=["lives"])

_classes = arranged.listing_of("classes")
_EXAMPLE: JsonDict = {
    "price": 400,
    "margin_per_cycle": 12,
    "limits": {"cycles": 300},
    "wear": {"cycles": 120, "shape": 2.2},
    "routes": [
        {"id": "restock", "kind": "restock", "cost": 2, "days": 1},
        {"id": "recycle", "kind": "recycle", "cost": 3},
    ],
}
ClassInPath = Annotated[ClassId, Path(description="The class.", examples=["power_tool"])]


class AssetClass(asset_class.AssetClass):
    """What is known of a class of assets."""


class AssetClassBody(asset_class.AssetClass):
    """What shall be known of a class of assets."""

    model_config = ConfigDict(json_schema_extra={"examples": [_EXAMPLE]})

    id: ClassId | None = Field(  # type: ignore[assignment]  # the path has said it
        default=None, description="Its name; left out, or as in the path.", examples=["power_tool"]
    )


class AssetClassPage(Page[AssetClass]):
    """Classes by name."""


class CurvePoint(BaseModel):
    """Which share of assets lived after some cycles."""

    cycles: float = Field(description="After how many.", examples=[40])
    seen: float = Field(description="As was seen (Kaplan and Meier).", examples=[0.81])
    model: float = Field(description="By the model.", examples=[0.8])


class ReliabilityModel(BaseModel):
    """A model of when assets of a class fail, and how well it fits."""

    number: int = Field(description="Models of a class are counted.", examples=[3])
    made: Time = Field(description="When it was made, UTC.")
    b0: float = Field(description="Of the logarithm of the scale.", examples=[4.7])
    coefficients: dict[str, float] = Field(
        description="What each thing per cycle adds to it.", examples=[{"shock": -0.3}]
    )
    shape: float = Field(description="1: by chance; above: by wear.", examples=[2.1])
    lives: int = Field(description="On how many lives it rests.", examples=[1500])
    failures: int = Field(description="How many of them failed.", examples=[212])
    borrowed: float = Field(
        description="How many failures it has borrowed from the maker's word.", examples=[0]
    )
    largest_gap: float = Field(
        description="The largest distance between the two curves.", examples=[0.03]
    )
    curve: list[CurvePoint] = Field(description="Both curves.")


class Reliability(BaseModel):
    """When assets of a class fail, as was learned."""

    id: str = Field(description="The class.", examples=["power_tool"])
    models: list[ReliabilityModel] = Field(
        description="All models, the newest last; none: no inspection has found a failure yet."
    )


@router.get("")
def list_classes(caller: TheCaller, limit: Limit = 100, cursor: Cursor = None) -> AssetClassPage:
    """The classes of which anything is known, by name."""
    with caller.reading() as reader:
        found = {id: _shown(one.class_) for id, one in reader.class_book().items()}
    return AssetClassPage(**arranged.page_of(found, cursor, limit, _classes, None))


@router.get("/{class_id}", responses=documented(UnknownClass))
def get_class(caller: TheCaller, response: Response, class_id: ClassInPath) -> AssetClass:
    """What is known of a class."""
    with caller.reading() as reader:
        known = class_of(reader, class_id)
    show_version(response, known.version)
    return _shown(known.class_)


@router.put("/{class_id}", responses=created(AssetClass))
def put_class(
    caller: TheCaller,
    response: Response,
    class_id: ClassInPath,
    body: AssetClassBody,
    expected: Expected,
) -> AssetClass:
    """From now on this, and nothing else, is known of a class."""
    arranged.refuse_other_id(body.id, class_id, "id")
    told = body.model_dump(by_alias=True) | {"id": class_id}
    class_ = asset_class.AssetClass.model_validate(told)
    if found := [*contradictions(class_)]:
        raise BodyRefused(found)
    with caller.writing() as (tx, act):
        is_new = class_id not in tx.class_book()
        known = class_book.put_class(tx, class_, act, expected)
    if is_new:
        response.status_code = 201
    show_version(response, known.version)
    return _shown(known.class_)


@router.delete("/{class_id}", status_code=204, responses=documented(UnknownClass))
def delete_class(caller: TheCaller, class_id: ClassInPath, expected: Expected) -> Response:
    """Know nothing of a class any more. Inspections, decisions and work of its assets stay."""
    with caller.writing() as (tx, act):
        drop_class(tx, class_id, act, expected)
    return Response(status_code=204)


@router.get("/{class_id}/reliability", responses=documented(UnknownClass))
def get_reliability(caller: TheCaller, class_id: ClassInPath) -> Reliability:
    """When its assets fail, as inspections have taught; each model beside what was seen."""
    with caller.reading() as reader:
        class_of(reader, class_id)
        models = reader.models(class_id)
    return Reliability(id=class_id, models=[_model(one) for one in models])


def _model(one: Fitted) -> ReliabilityModel:
    model = one.model
    curve: list[Any] = [CurvePoint(**point._asdict()) for point in one.fit.curve]
    return ReliabilityModel(
        number=one.number,
        made=one.made,
        b0=model.b0,
        coefficients=dict(zip(one.rates, model.coefficients, strict=True)),
        shape=model.shape,
        lives=model.lives,
        failures=model.failures,
        borrowed=model.borrowed,
        largest_gap=one.fit.largest_gap,
        curve=curve,
    )


def _shown(class_: asset_class.AssetClass) -> AssetClass:
    return AssetClass.model_validate(class_.model_dump(by_alias=True))
