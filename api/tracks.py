"""Tracks: where an asset was, as JSON, GeoJSON or CSV."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice
from typing import Annotated, Any, Literal

import orjson
from fastapi import APIRouter, Query, Request, Response
from pydantic import Field, TypeAdapter

from api.answers import FEATURES, LINK, link_next
from api.auth import TheCaller
from api.cursors import Cursor, Listing, Page, PlacesLimit, cut
from api.parameters import AssetId, From, Resolution, To, refuse_backwards
from api.past import Asked, told
from api.places import Place
from api.problems import documented
from api.times import MS_AT_MOST
from tracker import fold, tracks, whereabouts
from tracker.geojson import CSV_TYPE, GEOJSON_TYPE, csv_rows, track_features
from tracker.ports import Reader, SeriesUnavailable
from tracker.queries import UnknownAsset

router = APIRouter(prefix="/v1/assets", tags=["assets"])

_Ms = Annotated[int, Field(ge=-MS_AT_MOST, le=MS_AT_MOST)]
_Key = Annotated[str, Field(pattern="^[0-9a-f]{32}$")]
_track = Listing("track", TypeAdapter(tuple[str, tuple[_Ms, _Key]]))

Format = Literal["json", "geojson", "csv"]
_FORMATS: dict[str, Format] = {
    "application/json": "json",
    "application/geo+json": "geojson",
    "text/csv": "csv",
}
_CONTENT: dict[int | str, dict[str, Any]] = {
    200: {
        "content": {
            GEOJSON_TYPE: {"schema": FEATURES},
            "text/csv": {"schema": {"type": "string"}},
        },
        "headers": {"Link": LINK},
    }
}


class Track(Page[Place]):
    """Places of an asset by event time."""


@router.get(
    "/{asset}/track",
    response_model=Track,
    responses=_CONTENT | documented(UnknownAsset, SeriesUnavailable),
)
def get_asset_track(
    caller: TheCaller,
    request: Request,
    asset: AssetId,
    since: From = None,
    until: To = None,
    format: Annotated[
        Format | None,
        Query(
            description="How to write it; left out: as `Accept` has it, else `json`.",
            examples=["geojson"],
        ),
    ] = None,
    simplify: Annotated[
        float | None,
        Query(
            gt=0,
            le=100_000,
            description="Leave out places as long as the line stays within so many metres of "
            "all, page by page.",
            examples=[25],
        ),
    ] = None,
    resolution: Resolution = None,
    limit: PlacesLimit = 1_000,
    cursor: Cursor = None,
) -> Response:
    """Where an asset was, by event time: from its fixes, and from reads by fixed readers; with
    `resolution` the last place of each window."""
    refuse_backwards(since, until)
    position = _track.position(cursor, asset, since, until, resolution)
    after = whereabouts.Moment(*position) if position else None

    def of_series(asked: Asked) -> list[fold.Place]:
        series, bindings, layout, now = asked
        found = series.history(bindings, now, since, until, after, resolution)
        return list(islice(tracks.places(found, layout, resolution), limit + 1))

    def of_log(reader: Reader) -> list[fold.Place]:
        found = tracks.observed(reader, asset, since, until, after)
        return list(islice(tracks.places(found, reader.layout(), resolution), limit + 1))

    places, last = cut(told(caller, asset, since, of_series, of_log), limit)
    if simplify is not None:
        places = tracks.simplified(places, simplify)
    at = (last.at, last.key) if last else None
    next = _track.cursor(at, asset, since, until, resolution) if at else None
    written, media_type = _written(format or _accepted(request), asset, places, next)
    return Response(written, headers=link_next(request, next), media_type=media_type)


def _accepted(request: Request) -> Format:
    """The first format that a client accepts, in the order in which it names them."""
    for media in request.headers.get("accept", "").split(","):
        if format := _FORMATS.get(media.partition(";")[0].strip().lower()):
            return format
    return "json"


def _written(
    format: Format, asset: str, places: Sequence[fold.Place], next: str | None
) -> tuple[str | bytes, str]:
    """A page of a track, and its media type."""
    if format == "csv":
        return "".join(csv_rows(places)), CSV_TYPE
    if format == "geojson":
        return orjson.dumps(track_features(asset, places) | {"next": next}), GEOJSON_TYPE
    page = Track(items=[Place.of(place) for place in places], next=next)
    return page.model_dump_json(), "application/json"
