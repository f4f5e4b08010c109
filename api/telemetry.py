"""Telemetry: what devices measured on an asset, value by value or in windows of time."""

from __future__ import annotations

from itertools import islice
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field, TypeAdapter

from api.auth import TheCaller
from api.cursors import Cursor, Listing, Page, PlacesLimit, cut
from api.parameters import AssetId, From, Resolution, To, refuse_backwards
from api.past import Asked, told
from api.problems import documented
from api.times import MS_AT_MOST, Time
from tracker import telemetry, tracks
from tracker.ports import Reader, SeriesUnavailable
from tracker.queries import UnknownAsset
from tracker.whereabouts import Moment

router = APIRouter(prefix="/v1/assets", tags=["assets"])

_Ms = Annotated[int, Field(ge=-MS_AT_MOST, le=MS_AT_MOST)]
_Key = Annotated[str, Field(pattern="^[0-9a-f]{32}$")]
_values = Listing("telemetry", TypeAdapter(tuple[str, tuple[_Ms, _Key]]))
_windows = Listing("telemetry-windows", TypeAdapter(tuple[str, _Ms]))


class Measured(BaseModel):
    """A value, or with `resolution` what the numbers of a window come to."""

    at: Time = Field(description="When: event time, UTC; of a window its beginning.")
    device: str | None = Field(
        default=None,
        description="The device that measured it; not of a window.",
        examples=["trk-1"],
    )
    value: float | str | bool | None = Field(
        default=None, description="What it said; not of a window.", examples=[21.5]
    )
    count: int | None = Field(
        default=None, description="How many numbers: of a window.", examples=[12]
    )
    mean: float | None = Field(default=None, description="Their mean.", examples=[21.25])
    min: float | None = Field(default=None, description="The least of them.", examples=[20.5])
    max: float | None = Field(default=None, description="The greatest of them.", examples=[22.0])

    @classmethod
    def of(cls, one: telemetry.Value | telemetry.Sums) -> Measured:
        """From the domain's value or sums."""
        if isinstance(one, telemetry.Value):
            return cls(at=one.at, device=one.device, value=one.value)
        return cls(at=one.at, count=one.n, mean=one.mean, min=one.low, max=one.high)


class Telemetry(Page[Measured]):
    """What was measured, by event time."""


@router.get(
    "/{asset}/telemetry",
    response_model_exclude_unset=True,
    responses=documented(UnknownAsset, SeriesUnavailable),
)
def get_asset_telemetry(
    caller: TheCaller,
    asset: AssetId,
    name: Annotated[
        str,
        Query(min_length=1, max_length=256, description="Of what.", examples=["temperature"]),
    ],
    since: From = None,
    until: To = None,
    resolution: Resolution = None,
    limit: PlacesLimit = 1_000,
    cursor: Cursor = None,
) -> Telemetry:
    """What the devices on an asset measured by a name; with `resolution` how many numbers there
    were in each window, their mean, least and greatest."""
    refuse_backwards(since, until)
    query = (asset, name, since, until)
    if resolution is None:
        position = _values.position(cursor, *query)
        after = Moment(*position) if position else None
        some, last = cut(_single(caller, query, after, limit + 1), limit)
        next = _values.cursor((last.at, last.key), *query) if last else None
        return Telemetry(items=[Measured.of(one) for one in some], next=next)
    begins = _windows.position(cursor, *query, resolution)
    asked = (asset, name, since if begins is None else begins, until)
    windows, end = cut(_summed(caller, asked, resolution, limit + 1), limit)
    next = _windows.cursor(end.at + resolution, *query, resolution) if end else None
    return Telemetry(items=[Measured.of(one) for one in windows], next=next)


_Query = tuple[str, str, int | None, int | None]
"""An asset, a name, and a period."""


def _single(
    caller: TheCaller, query: _Query, after: Moment | None, limit: int
) -> list[telemetry.Value]:
    asset, name, since, until = query

    def of_series(asked: Asked) -> list[telemetry.Value]:
        found = asked.series.values(asked.bindings, name, asked.now, since, until, after)
        return list(islice(found, limit))

    def of_log(reader: Reader) -> list[telemetry.Value]:
        found = tracks.observed(reader, asset, since, until, after)
        return list(islice(telemetry.values_of(found, name), limit))

    return told(caller, asset, since, of_series, of_log)


def _summed(caller: TheCaller, query: _Query, resolution: int, limit: int) -> list[telemetry.Sums]:
    asset, name, since, until = query

    def of_series(asked: Asked) -> list[telemetry.Sums]:
        series, bindings, _, now = asked
        return series.sums(bindings, name, resolution, now, since, until, limit)

    def of_log(reader: Reader) -> list[telemetry.Sums]:
        found = tracks.observed(reader, asset, since, until, None)
        return list(islice(telemetry.summed(telemetry.values_of(found, name), resolution), limit))

    return told(caller, asset, since, of_series, of_log)
