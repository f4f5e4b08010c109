"""Query parameters: what a route does not know is refused, for a misspelt filter is no filter."""

from __future__ import annotations

import re
from difflib import get_close_matches
from typing import Annotated, Any

from fastapi import Depends, Path, Query, Request
from fastapi.dependencies.models import Dependant
from pydantic import BeforeValidator, WithJsonSchema

from api.etags import expected_version
from api.problems import BadValue
from api.times import Moment
from tracker.places import DeviceId, PlaceId


async def only_declared(request: Request) -> None:
    """Refuse a query with a parameter that its route does not declare: a dependency of all
    routes."""
    asked = request.query_params.keys()
    if not asked:
        return
    known = _declared(request.scope["route"].dependant)
    for name in asked:
        if name not in known:
            raise BadValue(name, _unknown(name, sorted(known)))


def _declared(dependant: Dependant) -> set[str]:
    known = {parameter.alias for parameter in dependant.query_params}
    return known.union(*map(_declared, dependant.dependencies))


def _unknown(name: str, known: list[str]) -> str:
    """What is said of an unknown parameter.

    >>> _unknown("limt", ["cursor", "limit"])
    'there is no parameter `limt` here (did you mean `limit`?); there are: cursor, limit'
    """
    close = get_close_matches(name[:60], known, 1)
    hint = f" (did you mean `{close[0]}`?)" if close else ""
    there_are = f"there are: {', '.join(known)}" if known else "there are none at all"
    return f"there is no parameter `{name:.60}` here{hint}; {there_are}"


def _moment(description: str, example: str, alias: str | None = None) -> Any:
    return Query(alias=alias, description=description, examples=[example])


At = Annotated[
    Moment | None,
    _moment(
        "As it was at this event time: ISO 8601 with an offset, or epoch ms. Left out: as it is.",
        "2026-01-05T08:00:00Z",
    ),
]
AsOf = Annotated[
    Moment | None,
    _moment(
        "What was known at this time, of what had come in by then and with the configuration of "
        "then: ISO 8601 with an offset, or epoch ms. Left out: what is known.",
        "2026-01-05T12:00:00Z",
    ),
]
Since = Annotated[
    Moment | None,
    _moment(
        "From this event time on: ISO 8601 with an offset, or epoch ms. Left out: from always.",
        "2026-01-01T00:00:00Z",
    ),
]
Until = Annotated[
    Moment | None,
    _moment("Up to, not at, this event time. Left out: for ever.", "2027-01-01T00:00:00Z"),
]
From = Annotated[
    Moment | None,
    _moment(
        "From this event time on: ISO 8601 with an offset, or epoch ms.",
        "2026-01-05T08:00:00Z",
        alias="from",
    ),
]
To = Annotated[
    Moment | None,
    _moment(
        "Up to, not at, this event time: written like `from`.", "2026-01-06T08:00:00Z", alias="to"
    ),
]


_UNITS = {"s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
_SPAN = "^[1-9][0-9]{0,4}[smhd]$"


def _milliseconds(text: str) -> int:
    if not re.match(_SPAN, text):
        raise ValueError("a span of time is a number and one of s, m, h and d, like 15m")
    return int(text[:-1]) * _UNITS[text[-1]]


Resolution = Annotated[
    Annotated[
        int,
        BeforeValidator(_milliseconds),
        WithJsonSchema({"type": "string", "pattern": _SPAN}),
    ]
    | None,
    Query(
        description="In windows of so many seconds, minutes, hours or days, from the epoch on.",
        examples=["15m", "1h"],
    ),
]


def refuse_backwards(since: int | None, until: int | None) -> None:
    """Raise BadValue where `from` lies after `to`."""
    if since is not None and until is not None and since > until:
        raise BadValue("from", "from lies after to")


def _path_id(description: str, *examples: str) -> Any:
    return Path(description=description, examples=list(examples))


AssetId = Annotated[str, _path_id("The asset's id.", "pallet-1", "urn:epc:id:grai:0614141.12345.1")]
SiteId = Annotated[PlaceId, _path_id("The site's id.", "hub-1")]
ZoneId = Annotated[PlaceId, _path_id("The zone's id.", "z_inspection")]
ReaderId = Annotated[DeviceId, _path_id("The reader's device id.", "rdr-1")]
PartnerId = Annotated[PlaceId, _path_id("The partner's id.", "acme")]
LeaseId = Annotated[PlaceId, _path_id("The lease's id.", "L1")]
LineId = Annotated[PlaceId, _path_id("The line's id within the lease.", "1")]
DeviceName = Annotated[str, _path_id("The device's id.", "trk-1")]
Expected = Annotated[int | None, Depends(expected_version)]
