"""Visits: at which sites an asset was, and which assets were at a site."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter
from pydantic import BaseModel, Field, TypeAdapter

from api.answers import BeliefPage
from api.auth import TheCaller
from api.cursors import Cursor, Limit, Listing, Page, cut
from api.parameters import AssetId, At, From, SiteId, To, refuse_backwards
from api.problems import documented
from api.times import MS_AT_MOST, Time
from tracker import queries
from tracker.asset_ports import Position
from tracker.queries import Inside, UnknownAsset, UnknownPlace
from tracker.whereabouts import Moment

router = APIRouter(prefix="/v1", tags=["visits"])

_Ms = Annotated[int, Field(ge=-MS_AT_MOST, le=MS_AT_MOST)]
_Moment = tuple[_Ms, Annotated[str, Field(pattern="^[0-9a-f]{32}$")]]
_of_asset = Listing("visits-of-asset", TypeAdapter(tuple[str, _Moment]))
_of_site = Listing("visits-of-site", TypeAdapter(tuple[str, tuple[_Ms, str]]))
_inside = Listing("inside", TypeAdapter(tuple[str, tuple[_Ms, str]]))
BEGINNING = Position(-MS_AT_MOST - 1, "")


class Stay(BaseModel):
    """Being at a site for a while."""

    since: Time = Field(description="First observed there, UTC.")
    began: Literal["entered", "seen"] = Field(
        description="`entered`: it came then. `seen`: it may have been there before, for nothing "
        "certain was known for long.",
        examples=["entered"],
    )
    last: Time = Field(description="Last observed there, UTC.")
    dwell_s: float = Field(
        description="Seconds from the first to the last observation there.", examples=[5400]
    )
    until: Time | None = Field(
        description="First observed elsewhere, UTC; null: it is still there."
    )
    ended: Literal["left", "lost_sight"] | None = Field(
        description="`left`: it went between `last` and `until`. `lost_sight`: nothing certain "
        "was known for long, so it is unknown when. null: it is still there.",
        examples=["left"],
    )
    confirmed: bool = Field(
        description="False while a single observation says that it has arrived or left; of a time "
        "between `last` and `until`: it may have gone before."
    )


class _OfSite(BaseModel):
    site: str = Field(description="The site.", examples=["depot"])


class _OfAsset(BaseModel):
    asset: str = Field(description="The asset.", examples=["pallet-1"])


class Visit(Stay, _OfSite):
    """A stay of an asset at a site."""


class Guest(Stay, _OfAsset):
    """A stay at a site by an asset."""


class VisitPage(Page[Visit]):
    """Visits of an asset, in order of time."""


class GuestPage(BeliefPage[Guest]):
    """Visits to a site."""


@router.get("/assets/{asset}/visits", responses=documented(UnknownAsset))
def list_asset_visits(
    caller: TheCaller, asset: AssetId, limit: Limit = 100, cursor: Cursor = None
) -> VisitPage:
    """The visits of an asset, oldest first; the last one may still go on."""
    position = _of_asset.position(cursor, asset)
    with caller.about(asset) as reader:
        queries.known_asset(reader, asset)
        over = reader.visits(asset, Moment(*position) if position else None)
        belief = reader.belief(asset)
    visits = [Visit(site=one.site, **_stay(queries.closed(asset, one))) for one in over]
    if belief is not None and (site := belief.whereabouts.site) is not None:
        visits.append(Visit(site=site, **_stay(queries.standing(belief, site))))
    items, last = cut(visits[: limit + 1], limit)
    return VisitPage(
        items=list(items),
        next=_of_asset.cursor((*over[limit - 1].closed,), asset) if last else None,
    )


@router.get("/sites/{site}/inside", responses=documented(UnknownPlace))
def list_inside(
    caller: TheCaller, site: SiteId, at: At = None, limit: Limit = 100, cursor: Cursor = None
) -> GuestPage:
    """The assets that are at a site, by id, or that were there at a time, by when they came."""
    position = _inside.position(cursor, site, at)
    after = Position(*position) if position else BEGINNING
    with caller.reading() as reader:
        if at is None:
            found = queries.inside_now(reader, site, after.key, limit + 1)
        else:
            found = queries.inside_at(reader, site, at, after, limit + 1)
        stale = reader.stale_count()
    guests, last = cut(found, limit)
    return GuestPage(
        items=[_guest(one) for one in guests],
        next=_inside.cursor((last.since, last.asset), site, at) if last else None,
        stale=stale,
    )


@router.get("/sites/{site}/visits", responses=documented(UnknownPlace))
def list_site_visits(
    caller: TheCaller,
    site: SiteId,
    since: From = None,
    until: To = None,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> GuestPage:
    """The visits to a site that overlap a period, over or not, by when they began."""
    refuse_backwards(since, until)
    position = _of_site.position(cursor, site, since, until)
    after = Position(*position) if position else BEGINNING
    with caller.reading() as reader:
        found = queries.visits_to(reader, site, since, until, after, limit + 1)
        stale = reader.stale_count()
    guests, last = cut(found, limit)
    return GuestPage(
        items=[_guest(one) for one in guests],
        next=_of_site.cursor((last.since, last.asset), site, since, until) if last else None,
        stale=stale,
    )


def _guest(one: Inside) -> Guest:
    return Guest(asset=one.asset, **_stay(one))


def _stay(one: Inside) -> dict[str, Any]:
    fields = one._asdict() | {"dwell_s": (one.last - one.since) / 1000}
    del fields["asset"]
    return fields
