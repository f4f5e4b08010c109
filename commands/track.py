"""`retour track`: where an asset was, for people, programs, maps and spreadsheets."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from enum import StrEnum
from typing import Annotated

import orjson
import typer

from commands.asking import AssetId, Since, Until, about, period
from commands.show import legible, plain
from tracker.fold import Place
from tracker.geojson import csv_rows, features, place_fields
from tracker.ports import Reader
from tracker.times import iso
from tracker.tracks import PAGE, simplified, track
from tracker.whereabouts import Moment


class Format(StrEnum):
    """How a track is written."""

    TABLE = "table"
    JSON = "json"
    GEOJSON = "geojson"
    CSV = "csv"


def track_command(
    asset: AssetId,
    since: Since = None,
    until: Until = None,
    format: Annotated[Format, typer.Option(help="How it is written.")] = Format.TABLE,
    simplify: Annotated[
        float | None,
        typer.Option(min=0, metavar="METRES", help="Leave out what lies so close to the line."),
    ] = None,
) -> None:
    """Tell where an asset was, the oldest place first.

    Example: retour track pallet-1 --from 2026-01-05T08:00:00Z --format geojson --simplify 50
    """
    period(since, until)
    with about(asset) as (reader, _):
        places: Iterable[Place] = every_place(reader, asset, since, until)
        if simplify is not None:
            places = simplified(list(places), simplify)
        sys.stdout.writelines(written(asset, places, format))


def every_place(
    reader: Reader, asset: str, since: int | None = None, until: int | None = None
) -> Iterator[Place]:
    """All places of a period, read page by page."""
    after = None
    while page := track(reader, asset, since, until, after, PAGE):
        yield from page
        after = Moment(page[-1].at, page[-1].key)


def written(asset: str, places: Iterable[Place], format: Format) -> Iterator[str]:
    """A track's text, piece by piece. Only GeoJSON holds all places: its line has them all."""
    match format:
        case Format.TABLE:
            return table(places)
        case Format.CSV:
            return csv_rows(places)
        case Format.JSON:
            return json_array("[\n", map(place_fields, places), "\n]\n")
        case Format.GEOJSON:
            head = '{"type":"FeatureCollection","features":[\n'
            return json_array(head, features(asset, list(places)), "\n]}\n")


def json_array(head: str, items: Iterable[object], tail: str) -> Iterator[str]:
    """JSON with an array, an item a line."""
    yield head
    for n, item in enumerate(items):
        yield (",\n" if n else "") + orjson.dumps(item).decode()
    yield tail


def table(places: Iterable[Place]) -> Iterator[str]:
    """Columns of a fixed width: a table that fits itself would wait for the last place."""
    yield f"{'at':20}  {'latitude':>9}  {'longitude':>10}  {'± m':>6}  source\n"
    for place in places:
        acc = "" if place.acc is None else f"{place.acc:.0f}"
        zone = "" if place.zone is None else f" in {place.zone}"
        yield (
            f"{legible(iso(place.at)):20}  {place.lat:9.5f}  {place.lon:10.5f}  {acc:>6}  "
            f"{place.source} by {plain(place.device)}{zone}\n"
        )
