"""What was: from the time-series store where there is one, else from the log."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple, TypeVar

import structlog

from api.auth import Caller
from tracker import queries
from tracker.layout import Layout
from tracker.model import Binding
from tracker.ports import Reader, Series, SeriesUnavailable

T = TypeVar("T")
BEHIND_MS = 60_000  # further behind than this it is not asked, if the log can answer
log = structlog.get_logger()


class Asked(NamedTuple):
    """What a time-series store must be told to answer about an asset."""

    series: Series
    bindings: Sequence[Binding]
    layout: Layout
    now: int


def told(
    caller: Caller,
    asset: str,
    since: int | None,
    of_series: Callable[[Asked], T],
    of_log: Callable[[Reader], T],
) -> T:
    """The answer of the time-series store; of the log where there is none, or where it is away or
    far behind and the log holds everything from `since` on. Raises UnknownAsset,
    SeriesUnavailable."""
    if caller.series is not None:
        with caller.reading() as reader:
            queries.known_asset(reader, asset)
            edge, behind, now = reader.edge(), reader.behind(), caller.wall()
            is_told = reader.projected() and (behind is None or behind > caller.now() - BEHIND_MS)
            asked = Asked(caller.series, reader.bindings_of(asset), reader.layout(), now)
        reaches = edge is None or (since is not None and since >= edge)
        try:
            if is_told or not reaches:
                return of_series(asked)
            log.warning("answered from the log", asset=asset, error="InfluxDB was not told all")
        except SeriesUnavailable as error:
            if not reaches:
                raise
            log.warning("answered from the log", asset=asset, error=str(error))
    with caller.reading() as reader:
        queries.known_asset(reader, asset)
        return of_log(reader)
