"""Where assets were: their tracks, and tracks with fewer points that look the same."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from math import cos, radians

import shapely

from tracker.cells import METRES_PER_DEGREE
from tracker.fold import Place, place_of
from tracker.layout import Layout
from tracker.model import Observation
from tracker.ports import Reader
from tracker.telemetry import last_of_each
from tracker.whereabouts import Moment

PAGE = 1_000  # observations read at once: no answer holds more of them in memory


def track(
    reader: Reader,
    asset: str,
    since: int | None,
    until: int | None,
    after: Moment | None,
    limit: int,
) -> list[Place]:
    """At most `limit` places of an asset in (event time, key) order: from `since` up to but
    not at `until`, after a moment."""
    found = observed(reader, asset, since, until, after)
    return list(islice(places(found, reader.layout()), limit))


def places(
    observations: Iterable[Observation], layout: Layout, every: int | None = None
) -> Iterator[Place]:
    """Where observations say that their asset was; the last place alone of each window of
    `every` milliseconds."""
    found = (place for o in observations if (place := place_of(o, layout)) is not None)
    return found if every is None else last_of_each(found, every)


def observed(
    reader: Reader, asset: str, since: int | None, until: int | None, after: Moment | None
) -> Iterator[Observation]:
    """All of an asset's history, read page by page as far as it is asked for."""
    while True:
        page = list(reader.history(asset, since, until, after, PAGE))
        yield from page
        if len(page) < PAGE:
            return
        after = Moment(page[-1].at, page[-1].key.hex())


def unwrapped(lons: Sequence[float]) -> list[float]:
    """Longitudes that go on beyond 180 degrees where a track crosses the antimeridian.

    >>> unwrapped([179.0, -179.0, 178.0])
    [179.0, 181.0, 178.0]
    """
    straight: list[float] = []
    for lon in lons:
        turns = round((straight[-1] - lon) / 360) if straight else 0
        straight.append(lon + 360 * turns)
    return straight


def simplified(places: Sequence[Place], tolerance_m: float) -> list[Place]:
    """Some of the places, first and last included, such that the line through them passes all
    others within about `tolerance_m` metres (Douglas and Peucker 1973, through shapely).

    >>> way = [Place(0.0, lon / 1000, None, lon, "fix", "trk", "") for lon in range(5)]
    >>> [place.at for place in simplified(way, 10)]
    [0, 4]
    """
    if len(places) < 3:
        return list(places)
    middle = cos(radians(sum(place.lat for place in places) / len(places)))
    lons = unwrapped([place.lon for place in places])
    points = [
        (METRES_PER_DEGREE * middle * lon, METRES_PER_DEGREE * place.lat, n)
        for n, (lon, place) in enumerate(zip(lons, places, strict=True))
    ]
    line = shapely.LineString(points).simplify(tolerance_m, preserve_topology=False)
    kept = {round(n) for _, _, n in shapely.get_coordinates(line, include_z=True)}
    return [place for n, place in enumerate(places) if n in kept]
