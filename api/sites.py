"""Sites: where assets stay, with their fences and their history."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Response
from pydantic import ConfigDict, Field, field_validator
from pydantic.config import JsonDict

from api import arranged
from api.answers import created
from api.auth import TheCaller
from api.cursors import Cursor, Limit, Page
from api.parameters import At, Expected, Since, SiteId, Until
from api.problems import documented
from tracker.arrange import BadPlace
from tracker.places import Circle, PlaceId, Polygon, Site
from tracker.queries import UnknownPlace
from tracker.registry import BeforeEdge, Conflict, Unregistered

router = APIRouter(prefix="/v1/sites", tags=["sites"])

_sites = arranged.listing_of("sites")
_EXAMPLE: JsonDict = {
    "name": "Depot Rotterdam",
    "kind": "depot",
    "geofence": {"center": [4.48, 51.92], "radius_m": 120},
}


class SiteBody(Site):
    """A site as it shall be."""

    model_config = ConfigDict(json_schema_extra={"examples": [_EXAMPLE]})

    id: PlaceId | None = Field(  # type: ignore[assignment]  # the path has said it
        default=None, description="Its id; left out, or as in the path.", examples=["depot"]
    )

    @field_validator("geofence", mode="before")
    @classmethod
    def _of_one_kind(cls, fence: Any) -> Any:
        """Read it as what it means to be: that it is none of the other kind is no fault."""
        if fence is None:
            return None
        is_polygon = isinstance(fence, dict) and fence.keys() & {"polygon", "holes"}
        return (Polygon if is_polygon else Circle).model_validate(fence)


class SitePage(Page[Site]):
    """Sites by id."""


class SiteHistory(arranged.History[Site]):
    """A site's history."""


class SiteChange(arranged.Change[Site]):
    """What came of a site's change."""


@router.get("")
def list_sites(
    caller: TheCaller, at: At = None, limit: Limit = 100, cursor: Cursor = None
) -> SitePage:
    """The sites that there are, by id, or those that there were at a time."""
    with caller.reading() as reader:
        sites = reader.layout().sites(at)
    return SitePage(**arranged.page_of(sites, cursor, limit, _sites, at))


@router.get("/{site}", responses=documented(UnknownPlace))
def get_site(caller: TheCaller, response: Response, site: SiteId) -> SiteHistory:
    """A site, with all that it ever was."""
    return SiteHistory(**arranged.history(caller, response, "site", site))


@router.put(
    "/{site}",
    responses=created(SiteChange) | documented(Unregistered, BadPlace, BeforeEdge),
)
def put_site(
    caller: TheCaller,
    response: Response,
    site: SiteId,
    body: SiteBody,
    expected: Expected,
    since: Since = None,
    until: Until = None,
) -> SiteChange:
    """Create a site, or let it be otherwise for a time: from always, where `since` is left out.
    Visits are told anew where that touches them."""
    arranged.refuse_other_id(body.id, site, "id")
    value = Site(**{**dict(body), "id": site})
    return SiteChange(**arranged.put(caller, response, value, since, until, expected))


@router.delete("/{site}", responses=documented(UnknownPlace, Conflict, BeforeEdge))
def delete_site(
    caller: TheCaller, response: Response, site: SiteId, expected: Expected, since: Since = None
) -> SiteChange:
    """Give a site up from a time on; without `since`, as if it had never been."""
    return SiteChange(**arranged.remove(caller, response, "site", site, since, expected))
