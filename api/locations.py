"""Locations: the newest places of all assets within a part of the world, for a map."""

from __future__ import annotations

from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Query, Request, Response

from api.answers import FEATURES, LINK, link_next
from api.arranged import listing_of
from api.auth import TheCaller
from api.cursors import Cursor, PlacesLimit, cut
from api.problems import BadValue
from tracker.fold import Belief
from tracker.geofence import Box
from tracker.geojson import GEOJSON_TYPE, place_feature
from tracker.times import iso

router = APIRouter(prefix="/v1/locations", tags=["assets"])

_locations = listing_of("locations")
RULE = "write west,south,east,north in degrees, like 4.3,51.8,4.6,52.0"


@router.get(
    "",
    response_class=Response,
    responses={
        200: {"content": {GEOJSON_TYPE: {"schema": FEATURES}}, "headers": {"Link": LINK}},
    },
)
def list_locations(
    caller: TheCaller,
    request: Request,
    bbox: Annotated[
        str,
        Query(
            description="west,south,east,north in degrees, as in GeoJSON; where west is greater "
            "than east, the box crosses the antimeridian. Left out: the whole world.",
            examples=["4.3,51.8,4.6,52.0"],
        ),
    ] = "-180,-90,180,90",
    limit: PlacesLimit = 1_000,
    cursor: Cursor = None,
) -> Response:
    """Where the assets are that were last seen within a box, by asset, as GeoJSON."""
    box = box_of(bbox)
    filters = tuple(map(str, box))
    after = _locations.position(cursor, *filters) or ""
    with caller.reading() as reader:
        found, last = cut(reader.located(box, after, limit + 1), limit)
        stale = reader.stale_count()
    next = _locations.cursor(last.asset, *filters) if last else None
    page = {
        "type": "FeatureCollection",
        "features": [_feature(belief) for belief in found],
        "next": next,
        "stale": stale,
        "now": iso(caller.now()),
    }
    return Response(orjson.dumps(page), headers=link_next(request, next), media_type=GEOJSON_TYPE)


def _feature(belief: Belief) -> dict[str, Any]:
    assert belief.last is not None  # it was found by its place
    return place_feature(belief.last, {"asset": belief.asset, "site": belief.whereabouts.site})


def box_of(text: str) -> Box:
    """The box that a query means. Raises BadValue, which says what is wrong.

    >>> box_of("177,-19,-178,-16").contains(-17, 180)
    True
    >>> box_of("4.3,51.8,4.6")
    Traceback (most recent call last):
        ...
    api.problems.BadValue: '4.3,51.8,4.6' is no box: write west,south,east,north in degrees, ...
    """
    try:
        west, south, east, north = map(float, text.split(","))
    except ValueError:
        raise _bad(f"{text!r:.60} is no box: {RULE}") from None
    for name, value, most in (
        ("south", south, 90),
        ("north", north, 90),
        ("west", west, 180),
        ("east", east, 180),
    ):
        if not -most <= value <= most:
            hint = "; are latitude and longitude swapped?" if most == 90 else ""
            raise _bad(f"{name} {value:g} does not lie within ±{most}: {RULE}{hint}")
    if south > north:
        raise _bad(f"south {south:g} lies north of north {north:g}: {RULE}")
    return Box(south, west, north, east)


def _bad(detail: str) -> BadValue:
    return BadValue("bbox", detail)
