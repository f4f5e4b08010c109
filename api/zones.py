"""Zones: the parts of sites that readers watch."""

from __future__ import annotations

from fastapi import APIRouter, Response
from pydantic import ConfigDict, Field
from pydantic.config import JsonDict

from api import arranged
from api.answers import created
from api.auth import TheCaller
from api.cursors import Cursor, Limit, Page
from api.parameters import At, Expected, Since, Until, ZoneId
from api.problems import documented
from tracker.arrange import BadPlace
from tracker.places import PlaceId, Zone
from tracker.queries import UnknownPlace
from tracker.registry import BeforeEdge, Conflict, Unregistered

router = APIRouter(prefix="/v1/zones", tags=["zones"])

_zones = arranged.listing_of("zones")
_EXAMPLE: JsonDict = {"site": "depot", "stage": "inspection"}


class ZoneBody(Zone):
    """A zone as it shall be."""

    model_config = ConfigDict(json_schema_extra={"examples": [_EXAMPLE]})

    id: PlaceId | None = Field(  # type: ignore[assignment]  # the path has said it
        default=None, description="Its id; left out, or as in the path.", examples=["z_inspection"]
    )


class ZonePage(Page[Zone]):
    """Zones by id."""


class ZoneHistory(arranged.History[Zone]):
    """A zone's history."""


class ZoneChange(arranged.Change[Zone]):
    """What came of a zone's change."""


@router.get("")
def list_zones(
    caller: TheCaller, at: At = None, limit: Limit = 100, cursor: Cursor = None
) -> ZonePage:
    """The zones that there are, by id, or those that there were at a time."""
    with caller.reading() as reader:
        zones = reader.layout().zones(at)
    return ZonePage(**arranged.page_of(zones, cursor, limit, _zones, at))


@router.get("/{zone}", responses=documented(UnknownPlace))
def get_zone(caller: TheCaller, response: Response, zone: ZoneId) -> ZoneHistory:
    """A zone, with all that it ever was."""
    return ZoneHistory(**arranged.history(caller, response, "zone", zone))


@router.put(
    "/{zone}",
    responses=created(ZoneChange) | documented(Unregistered, BadPlace, BeforeEdge),
)
def put_zone(
    caller: TheCaller,
    response: Response,
    zone: ZoneId,
    body: ZoneBody,
    expected: Expected,
    since: Since = None,
    until: Until = None,
) -> ZoneChange:
    """Create a zone, or let it be otherwise for a time: from always, where `since` is left out.
    What was read in it is told anew."""
    arranged.refuse_other_id(body.id, zone, "id")
    value = Zone(**{**dict(body), "id": zone})
    return ZoneChange(**arranged.put(caller, response, value, since, until, expected))


@router.delete("/{zone}", responses=documented(UnknownPlace, Conflict, BeforeEdge))
def delete_zone(
    caller: TheCaller, response: Response, zone: ZoneId, expected: Expected, since: Since = None
) -> ZoneChange:
    """Give a zone up from a time on; without `since`, as if it had never been."""
    return ZoneChange(**arranged.remove(caller, response, "zone", zone, since, expected))
