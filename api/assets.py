"""Assets: which there are, and what is known of them."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Any
from urllib.parse import quote

from fastapi import APIRouter, Path, Query, Response
from pydantic import BaseModel, ConfigDict, Field
from pydantic.config import JsonDict

from api.answers import BeliefPage, created
from api.arranged import listing_of
from api.auth import TheCaller
from api.bindings import Binding
from api.cursors import Cursor, Limit, cut
from api.etags import TAGGED, show_version
from api.parameters import AsOf, AssetId, Expected
from api.places import Location, Place
from api.problems import BadValue, documented
from api.times import Time
from tracker import model, queries, registry, worldvalues
from tracker.asset_ports import AssetFilter
from tracker.fold import Belief
from tracker.places import Name, PlaceId
from tracker.present import Present
from tracker.queries import BeforeLog, NotLocated, UnknownAsset, UnknownPlace
from tracker.registry import Conflict, Unregistered

router = APIRouter(prefix="/v1/assets", tags=["assets"])

_assets = listing_of("assets")
_EXTERNAL = "/by-external-id/{system}/{external_id:path}"
_NEW = {
    "headers": {
        "Location": {"description": "The path of the new asset.", "schema": {"type": "string"}},
        **TAGGED["headers"],
    }
}
_WHOLE: JsonDict = {
    "class": "pallet",
    "name": "Blue 7",
    "attributes": {"color": "blue", "weight_kg": 25},
}


_FIELDS = frozenset({"class_", "name", "home", "initial_stage", "attributes", "external_ids"})

System = Annotated[
    str,
    Path(pattern=r"^[^\x00-\x1f\x7f/]{1,64}$", description="Who calls it so.", examples=["erp"]),
]
ExternalId = Annotated[
    str,
    Path(pattern=r"^[^\x00-\x1f\x7f]{1,256}$", description="What they call it.", examples=["4711"]),
]


class AssetBody(BaseModel):
    """An asset as it shall be."""

    model_config = ConfigDict(
        extra="forbid", populate_by_name=True, json_schema_extra={"examples": [_WHOLE]}
    )

    class_: worldvalues.Word = Field(
        default="asset", alias="class", description="What sort of thing it is.", examples=["pallet"]
    )
    name: Name = Field(default="", description="What people call it.", examples=["Blue 7"])
    home: PlaceId | None = Field(
        default=None, description="The site where it belongs.", examples=["depot"]
    )
    initial_stage: worldvalues.Word | None = Field(
        default=None, description="The stage of the flow that it begins in.", examples=["in_stock"]
    )
    attributes: dict[worldvalues.Word, worldvalues.Attribute] = Field(
        default={},
        description="Whatever else is to be said: texts, numbers, `true` and `false`.",
        examples=[{"color": "blue", "weight_kg": 25}],
    )
    external_ids: dict[worldvalues.Word, worldvalues.ExternalId] = Field(
        default={},
        description="What other systems call it, by system; no two assets share one.",
        examples=[{"erp": "4711"}],
    )

    def as_asset(self, id: str) -> model.Asset:
        """The domain's asset of that id."""
        return model.Asset(
            id,
            self.class_,
            self.name,
            self.home,
            self.initial_stage,
            self.attributes,
            self.external_ids,
        )


class NewAsset(AssetBody):
    """An asset that there is not yet."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"id": "pallet-2", **_WHOLE}]})

    id: worldvalues.AssetId = Field(
        description="Its id: 1 to 256 characters, no control characters and no /.",
        examples=["pallet-2"],
        min_length=1,
        max_length=256,
    )


class AssetPatch(BaseModel):
    """What is to be changed of an asset: what is left out stays, null takes away."""

    model_config = ConfigDict(
        extra="forbid",
        populate_by_name=True,
        json_schema_extra={"examples": [{"attributes": {"color": "red", "weight_kg": None}}]},
    )

    class_: worldvalues.Word | None = Field(
        default=None, alias="class", description="What sort of thing it is.", examples=["pallet"]
    )
    name: Name | None = Field(default=None, description="What people call it.")
    home: PlaceId | None = Field(
        default=None, description="The site where it belongs.", examples=["depot"]
    )
    initial_stage: worldvalues.Word | None = Field(
        default=None, description="The stage of the flow that it begins in.", examples=["in_stock"]
    )
    attributes: dict[worldvalues.Word, worldvalues.Attribute | None] | None = Field(
        default=None, description="Merged, one by one.", examples=[{"color": "red"}]
    )
    external_ids: dict[worldvalues.Word, worldvalues.ExternalId | None] | None = Field(
        default=None, description="Merged, one by one.", examples=[{"erp": "4711"}]
    )

    def of(self, known: model.Asset) -> model.Asset:
        """The asset that comes of one that is known."""
        said = {name: getattr(self, name) for name in self.model_fields_set & _FIELDS}
        blank = model.Asset(known.id)
        for name, value in said.items():
            if value is None:
                said[name] = getattr(blank, name)
            elif isinstance(value, dict):
                merged = {**getattr(known, name), **value}
                said[name] = {key: one for key, one in merged.items() if one is not None}
        return replace(known, **said)


class Upsert(AssetPatch):
    """An asset as another system knows it."""

    model_config = ConfigDict(json_schema_extra={"examples": [_WHOLE]})

    id: worldvalues.AssetId | None = Field(
        default=None,
        description="Its id, where it is new; left out: the system, `-`, and the external id.",
        examples=["pallet-3"],
    )


class Asset(BaseModel):
    """A reusable thing."""

    id: str = Field(description="Its id.", examples=["pallet-1"])
    class_: str = Field(alias="class", description="What sort of thing it is.", examples=["pallet"])
    name: str = Field(description="What people call it.", examples=["Blue 7"])
    home: str | None = Field(description="The site where it belongs.", examples=["depot"])
    initial_stage: str | None = Field(
        description="The stage of the flow that it began in.", examples=["in_stock"]
    )
    attributes: dict[str, str | int | float | bool] = Field(
        description="Whatever else was said.", examples=[{"color": "blue", "weight_kg": 25}]
    )
    external_ids: dict[str, str] = Field(
        description="What other systems call it, by system.", examples=[{"erp": "4711"}]
    )


_CREATED: dict[int | str, dict[str, Any]] = {201: created(Asset)[201] | _NEW}


class AssetDetail(Asset):
    """An asset, and what is known of it."""

    bindings: list[Binding] = Field(description="What tells about it.")
    last_observed: Time | None = Field(
        description="Event time of its newest observation of any sort, UTC; null: none yet."
    )
    first_seen: Place | None = Field(description="The first place known of it.")
    location: Location | None = Field(description="The newest place known of it.")


class ListedAsset(Asset):
    """An asset, and where it was last seen."""

    site: str | None = Field(
        description="The site where it is; null: at none that is known.", examples=["depot"]
    )
    at: Time | None = Field(
        description="When it was last seen somewhere: event time, UTC; null: never."
    )
    stage: str | None = Field(
        description="The stage that it is told to be in; null: none is sure enough.",
        examples=["inspection"],
    )
    stage_p: float | None = Field(
        description="How likely that is, as told last; where no stage is told, how likely the "
        "likeliest is. null: nothing has been observed yet.",
        examples=[0.97],
    )


class AssetPage(BeliefPage[ListedAsset]):
    """Assets by id, or, where words are searched for, as they were registered."""


@router.get("", responses=documented(UnknownPlace))
def list_assets(
    caller: TheCaller,
    q: Annotated[
        str | None,
        Query(
            max_length=256,
            description="Words that the id, class, name, attributes or external ids begin with.",
            examples=["blue pal"],
        ),
    ] = None,
    class_: Annotated[
        str | None, Query(alias="class", description="Their class.", examples=["pallet"])
    ] = None,
    site: Annotated[
        str | None, Query(description="The site where they are now.", examples=["depot"])
    ] = None,
    attribute: Annotated[
        list[str],
        Query(description="An attribute, as NAME:VALUE. May come again.", examples=["color:blue"]),
    ] = [],  # noqa: B006
    external_id: Annotated[
        str | None,
        Query(description="An external id, as SYSTEM:ID.", examples=["erp:4711"]),
    ] = None,
    stage: Annotated[
        str | None,
        Query(
            description="The stage that they are told to be in; `unknown`: none is sure enough.",
            examples=["inspection"],
        ),
    ] = None,
    p_min: Annotated[
        float | None,
        Query(ge=0, le=1, description="How likely that is at least.", examples=[0.9]),
    ] = None,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> AssetPage:
    """Assets: all, or those that fit everything that is asked for."""
    labels = [_label("is", "attribute", text) for text in attribute]
    if external_id is not None:
        labels.append(_label("id", "external_id", external_id))
    least = None if p_min is None else str(p_min)
    filters = (q, class_, site, stage, least, *map(":".join, labels))
    after = _assets.position(cursor, *filters) or ""
    with caller.reading_for() as reader:
        if site is not None:
            queries.known_place(reader, "site", site)
        wanted = AssetFilter(q, class_, site, tuple(labels), stage, p_min)
        rows, last = cut(reader.assets(wanted, after, limit + 1), limit)
        beliefs = reader.placed(row.id for row in rows)
        presents = reader.presents(row.id for row in rows)
        stale = reader.stale_count()
    return AssetPage(
        items=[_listed(row, beliefs.get(row.id), presents.get(row.id)) for row in rows],
        next=_assets.cursor(last.id, *filters) if last else None,
        stale=stale,
    )


@router.post(
    "",
    status_code=201,
    responses=documented(Conflict, Unregistered) | {201: _NEW},
)
def create_asset(caller: TheCaller, response: Response, body: NewAsset) -> Asset:
    """Register an asset; a conflict where there is one of that id."""
    with caller.writing() as (tx, act):
        if tx.asset(body.id) is not None:
            raise Conflict(f"asset {body.id} is registered already")
        saved = registry.save_asset(tx, body.as_asset(body.id), act)
    return _saved(response, saved, None)


@router.get(_EXTERNAL, responses=documented(UnknownAsset))
def get_asset_by_external_id(
    caller: TheCaller, response: Response, system: System, external_id: ExternalId
) -> AssetDetail:
    """The asset that another system calls so, and where it is."""
    with caller.reading() as reader:
        found = reader.labelled(f"id:{system}", external_id)
    if not found:
        raise UnknownAsset(f"{system}:{external_id}")
    return get_asset(caller, response, found[0])


@router.put(
    _EXTERNAL,
    responses=_CREATED | documented(Conflict, Unregistered),
)
def upsert_asset(
    caller: TheCaller,
    response: Response,
    system: System,
    external_id: ExternalId,
    body: Upsert,
    expected: Expected,
) -> Asset:
    """Register the asset that another system calls so, or change what is said of it here; what
    is left out stays. Doing it again changes nothing."""
    with caller.writing() as (tx, act):
        known = registry.asset_with_external_id(tx, system, external_id)
        id = body.id or (known.id if known else f"{system}-{external_id}")
        if known is not None and id != known.id:
            raise Conflict(f"{system} calls asset {known.id} so: its id cannot change to {id}")
        if known is None and tx.asset(id) is not None:
            raise Conflict(f"asset {id} is there, but {system} does not call it {external_id}")
        asset = body.of(known or model.Asset(id))
        asset = replace(asset, external_ids={**asset.external_ids, system: external_id})
        saved = registry.save_asset(tx, asset, act, expected)
    return _saved(response, saved, known)


@router.get("/{asset}", responses=documented(UnknownAsset, BeforeLog))
def get_asset(
    caller: TheCaller, response: Response, asset: AssetId, as_of: AsOf = None
) -> AssetDetail:
    """An asset, what tells about it, and where it is."""
    with caller.reading() if as_of is not None else caller.about_for(asset) as reader:
        status = queries.asset_status(reader, asset, caller.now(), as_of)
    show_version(response, status.asset.version)
    return AssetDetail(
        **_fields(status.asset),
        bindings=[Binding.of(one) for one in status.bindings],
        last_observed=status.observed,
        first_seen=Place.of(status.first) if status.first else None,
        location=Location.now(status.location) if status.location else None,
    )


@router.put("/{asset}", responses=_CREATED | documented(Conflict, Unregistered))
def put_asset(
    caller: TheCaller, response: Response, asset: AssetId, body: AssetBody, expected: Expected
) -> Asset:
    """Register an asset, or replace all that is said of it."""
    with caller.writing() as (tx, act):
        known = tx.asset(asset)
        saved = registry.save_asset(tx, body.as_asset(asset), act, expected)
    return _saved(response, saved, known)


@router.patch("/{asset}", responses=documented(UnknownAsset, Conflict, Unregistered))
def patch_asset(
    caller: TheCaller, response: Response, asset: AssetId, body: AssetPatch, expected: Expected
) -> Asset:
    """Change some of what is said of an asset: a merge patch (RFC 7396)."""
    with caller.writing() as (tx, act):
        known = queries.known_asset(tx, asset)
        saved = registry.save_asset(tx, body.of(known), act, expected)
    return _saved(response, saved, known)


@router.get("/{asset}/location", responses=documented(UnknownAsset, NotLocated, BeforeLog))
def get_asset_location(caller: TheCaller, asset: AssetId, as_of: AsOf = None) -> Location:
    """Where an asset is: the newest place known of it, how old that is, and at which site."""
    with caller.reading() if as_of is not None else caller.about_for(asset) as reader:
        located = queries.location(reader, asset, caller.now(), as_of)
    return Location.now(located)


def _label(kind: str, parameter: str, text: str) -> tuple[str, str]:
    name, colon, value = text.partition(":")
    if not colon:
        raise BadValue(parameter, f"{text!r:.60} has no colon between the name and the value")
    return f"{kind}:{name}", value


def _saved(response: Response, saved: model.Asset, known: model.Asset | None) -> Asset:
    show_version(response, saved.version)
    if known is None:
        response.status_code = 201
        response.headers["Location"] = f"/v1/assets/{quote(saved.id, safe=':')}"
    return _shown(saved)


def _shown(asset: model.Asset) -> Asset:
    return Asset(**_fields(asset))


def _listed(asset: model.Asset, belief: Belief | None, present: Present | None) -> ListedAsset:
    return ListedAsset(
        **_fields(asset),
        site=belief.whereabouts.site if belief else None,
        at=queries.last_seen(belief),
        stage=present.told.stage if present else None,
        stage_p=present.told.p if present else None,
    )


def _fields(asset: model.Asset) -> dict[str, Any]:
    return {"id": asset.id} | registry.asset_fields(asset)
