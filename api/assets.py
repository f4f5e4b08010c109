"""Assets: which there are, where they are, where they were."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query
from pydantic import BaseModel, Field, TypeAdapter

from api.auth import TheCaller
from api.cursors import BadCursor, Cursor, Limit, Listing, Page, cut
from api.places import Location, Place
from api.problems import EVERYWHERE, BadValue, documented
from api.times import MS_AT_MOST, Moment, Time
from tracker import queries, tracks, whereabouts
from tracker.ports import AssetFilter
from tracker.queries import NotLocated, UnknownAsset

router = APIRouter(prefix="/v1/assets", tags=["assets"], responses=documented(*EVERYWHERE))

_Ms = Annotated[int, Field(ge=-MS_AT_MOST, le=MS_AT_MOST)]
_Key = Annotated[str, Field(pattern="^[0-9a-f]{32}$")]
_assets = Listing("assets", TypeAdapter(tuple[str, str]))
_track = Listing("track", TypeAdapter(tuple[str, tuple[_Ms, _Key]]))

AssetId = Annotated[
    str,
    Path(description="The asset's id.", examples=["pallet-1", "urn:epc:id:grai:0614141.12345.1"]),
]


class Asset(BaseModel):
    """A reusable thing."""

    id: str = Field(description="Its id.", examples=["pallet-1"])
    kind: str = Field(description="What sort of thing it is.", examples=["pallet"])


class Binding(BaseModel):
    """What tells about an asset, and when."""

    subject: str = Field(
        description="A tag's id or a device.", examples=["urn:epc:id:grai:0614141.12345.5678"]
    )
    since: Time | None = Field(description="From this event time on, UTC; null: from always.")
    until: Time | None = Field(description="Up to, not at, this time, UTC; null: for ever.")


class AssetDetail(Asset):
    """An asset, and what is known of it."""

    bindings: list[Binding] = Field(description="What tells about it.")
    last_observed: Time | None = Field(
        description="Event time of its newest observation of any sort, UTC; null: none yet."
    )
    first_seen: Place | None = Field(description="The first place known of it.")
    location: Location | None = Field(description="The newest place known of it.")


class AssetPage(Page[Asset]):
    """Assets by id."""


class Track(Page[Place]):
    """Places of an asset by event time."""


@router.get("", responses=documented(BadCursor))
def list_assets(caller: TheCaller, limit: Limit = 100, cursor: Cursor = None) -> AssetPage:
    """All assets, by id."""
    after = _assets.position(cursor) or ""
    with caller.reading() as reader:
        rows, last = cut(reader.assets(AssetFilter(), after, limit + 1), limit)
    return AssetPage(
        items=[Asset(id=row.id, kind=row.class_) for row in rows],
        next=_assets.cursor(last.id) if last else None,
    )


@router.get("/{asset}", responses=documented(UnknownAsset))
def get_asset(caller: TheCaller, asset: AssetId) -> AssetDetail:
    """An asset, what tells about it, and where it is."""
    with caller.reading() as reader:
        status = queries.asset_status(reader, asset, caller.now())
    return _detail(status)


@router.get("/{asset}/location", responses=documented(UnknownAsset, NotLocated))
def get_asset_location(caller: TheCaller, asset: AssetId) -> Location:
    """Where an asset is: the newest place known of it, and how old that is."""
    with caller.reading() as reader:
        located = queries.location(reader, asset, caller.now())
    return Location.now(located)


@router.get("/{asset}/track", responses=documented(UnknownAsset, BadCursor))
def get_asset_track(
    caller: TheCaller,
    asset: AssetId,
    since: Annotated[
        Moment | None,
        Query(
            alias="from",
            description="Places from this event time on: ISO 8601 with an offset, or epoch ms.",
            examples=["2026-01-05T08:00:00Z"],
        ),
    ] = None,
    until: Annotated[
        Moment | None,
        Query(
            alias="to",
            description="Places up to, not at, this event time: written like `from`.",
            examples=["2026-01-06T08:00:00Z"],
        ),
    ] = None,
    limit: Annotated[
        int,
        Query(ge=1, le=10_000, description="How many places a page has at most.", examples=[1000]),
    ] = 1_000,
    cursor: Cursor = None,
) -> Track:
    """Where an asset was, by event time: from its fixes, and from reads by fixed readers."""
    if since is not None and until is not None and since > until:
        raise BadValue("from", "from lies after to")
    position = _track.position(cursor, asset, since, until)
    after = whereabouts.Moment(*position) if position else None
    with caller.reading() as reader:
        queries.known_asset(reader, asset)
        found = tracks.track(reader, asset, since, until, after, limit + 1)
    places, last = cut(found, limit)
    return Track(
        items=[Place.of(place) for place in places],
        next=_track.cursor((last.at, last.key), asset, since, until) if last else None,
    )


def _detail(status: queries.AssetStatus) -> AssetDetail:
    return AssetDetail(
        id=status.asset.id,
        kind=status.asset.class_,
        bindings=[
            Binding(subject=one.subject, since=one.since, until=one.until)
            for one in status.bindings
        ],
        last_observed=status.observed,
        first_seen=Place.of(status.first) if status.first else None,
        location=Location.now(status.location) if status.location else None,
    )
