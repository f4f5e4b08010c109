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
    """The answer of the time-series store; of the log where there is none, or where it is away
    and the log holds everything from `since` on. Raises UnknownAsset, SeriesUnavailable."""
    if caller.series is not None:
        with caller.reading() as reader:
            queries.known_asset(reader, asset)
            edge = reader.edge()
            asked = Asked(caller.series, reader.bindings_of(asset), reader.layout(), caller.now())
        try:
            return of_series(asked)
        except SeriesUnavailable as error:
            if edge is not None and (since is None or since < edge):
                raise
            log.warning("answered from the log", asset=asset, error=str(error))
    with caller.reading() as reader:
        queries.known_asset(reader, asset)
        return of_log(reader)
