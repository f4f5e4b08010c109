"""Tracks and places as GeoJSON (RFC 7946) and as CSV (RFC 4180, but for plain line ends). Pure."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Mapping, Sequence
from io import StringIO
from math import copysign
from types import MappingProxyType
from typing import Any

from tracker.fold import Place
from tracker.times import iso

GEOJSON_TYPE, CSV_TYPE = "application/geo+json", "text/csv; charset=utf-8"
COLUMNS = ("at", "lat", "lon", "acc", "source", "device", "zone")
_NOTHING: Mapping[str, Any] = MappingProxyType({})

Position = tuple[float, float]
"""Longitude and latitude, degrees."""


def track_features(asset: str, places: Sequence[Place]) -> dict[str, Any]:
    """A track, in order of time, as a FeatureCollection: see `features`."""
    return {"type": "FeatureCollection", "features": list(features(asset, places))}


def features(asset: str, places: Sequence[Place]) -> Iterator[dict[str, Any]]:
    """The features of a track: first its line, where there are two places, then its places.

    >>> a, b = (Place(51.9, lon, 8.0, 0, "fix", "trk-1", "") for lon in (4.4, 4.5))
    >>> [one["geometry"]["type"] for one in features("A1", [a, b])]
    ['LineString', 'Point', 'Point']
    """
    if geometry := line(places):
        properties = {
            "asset": asset,
            "from": iso(places[0].at),
            "to": iso(places[-1].at),
            "places": len(places),
        }
        yield {"type": "Feature", "geometry": geometry, "properties": properties}
    for place in places:
        yield place_feature(place, {"asset": asset})


def place_feature(place: Place, properties: Mapping[str, Any] = _NOTHING) -> dict[str, Any]:
    """A place as a Feature; `properties` stand before its own.

    >>> place_feature(Place(51.9, 4.4, 8.0, 0, "fix", "trk-1", ""))["geometry"]
    {'type': 'Point', 'coordinates': (4.4, 51.9)}
    """
    own = place_fields(place)
    del own["lat"], own["lon"]
    return {
        "type": "Feature",
        "geometry": {"type": "Point", "coordinates": (place.lon, place.lat)},
        "properties": {**properties, **own},
    }


def place_fields(place: Place) -> dict[str, Any]:
    """A place as plain data, its time in ISO 8601: the columns of a CSV."""
    values = place._asdict() | {"at": iso(place.at)}
    return {name: values[name] for name in COLUMNS}


def line(places: Iterable[Place]) -> dict[str, Any] | None:
    """The geometry of the line through places: a LineString, or a MultiLineString where it is
    cut at the antimeridian; None where there are not two of them."""
    parts = line_parts(places)
    if len(parts) > 1:
        return {"type": "MultiLineString", "coordinates": parts}
    return {"type": "LineString", "coordinates": parts[0]} if parts else None


def line_parts(places: Iterable[Place]) -> list[list[Position]]:
    """The line through places, cut in two wherever it crosses the antimeridian. Between two
    places it takes the short way round.

    >>> fiji = (Place(-16.0, 179.0, None, 0, "", "", ""), Place(-18.0, -179.0, None, 1, "", "", ""))
    >>> line_parts(fiji)
    [[(179.0, -16.0), (180.0, -17.0)], [(-180.0, -17.0), (-179.0, -18.0)]]
    """
    parts: list[list[Position]] = [[]]
    for place in places:
        here = place.lon, place.lat
        part = parts[-1]
        if part and abs(here[0] - part[-1][0]) > 180:
            edge, lat = _crossing(part[-1], here)
            _add(part, (edge, lat))
            parts.append([(-edge, lat)])
            _add(parts[-1], here)
        else:
            part.append(here)
    return [part for part in parts if len(part) > 1]


def _crossing(here: Position, there: Position) -> Position:
    """Where the short way crosses the antimeridian, named by the side of `here`."""
    edge = copysign(180.0, here[0])
    way = there[0] + 2 * edge - here[0]
    share = (edge - here[0]) / way if way else 0.0
    return edge, here[1] + share * (there[1] - here[1])


def _add(part: list[Position], position: Position) -> None:
    """Go on to a position, unless the part is there already."""
    if part[-1] != position:
        part.append(position)


def csv_rows(places: Iterable[Place]) -> Iterator[str]:
    """The lines of a CSV, with their ends: the names of the columns, then a line a place.

    >>> print(*csv_rows([Place(51.9, 4.4, None, 0, "fix", "trk-1", "")]), sep="", end="")
    at,lat,lon,acc,source,device,zone
    1970-01-01T00:00:00.000Z,51.9,4.4,,fix,trk-1,
    """
    yield _csv(COLUMNS)
    for place in places:
        yield _csv(place_fields(place).values())


def _csv(cells: Iterable[Any]) -> str:
    text = StringIO()
    csv.writer(text, lineterminator="\n").writerow(cells)
    return text.getvalue()
