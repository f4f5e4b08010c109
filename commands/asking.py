"""What the commands that ask share: the database, one asset of it, and times."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from difflib import get_close_matches
from typing import Annotated

import typer

from commands.settings import load_settings
from commands.show import UserError, when
from tracker.places import Site
from tracker.ports import AssetFilter, Reader, Store
from tracker.queries import fresh

EVERY = 2**31 - 1  # rows: of what is shown as a whole
COMPARED = 100  # ids that may have been meant

AssetId = Annotated[str, typer.Argument(help="Its id.", show_default=False)]
Since = Annotated[
    int | None,
    typer.Option("--from", parser=when, metavar="TIME", help="From this event time on."),
]
Until = Annotated[
    int | None,
    typer.Option("--to", parser=when, metavar="TIME", help="Up to, not at, this event time."),
]


def opened() -> tuple[Store, int]:
    """The database of the settings, which must be there, and the time on their clock."""
    settings = load_settings()
    return settings.store(must_exist=True), settings.make_clock().now()


@contextmanager
def about(asset: str) -> Iterator[tuple[Reader, int]]:
    """A reading transaction in which what is believed of an asset is fresh, and the time.
    UserError where there is no such asset."""
    store, now = opened()
    with fresh(store, asset, now) as reader:
        if reader.asset(asset) is None:
            raise UserError(f"no asset {asset} is registered{_did_you_mean(reader, asset)}")
        yield reader, now


def period(since: int | None, until: int | None) -> None:
    """UserError where a period ends before it begins."""
    if since is not None and until is not None and since > until:
        raise UserError("--from lies after --to")


def _did_you_mean(reader: Reader, asset: str) -> str:
    """A hint at the ids most alike, among those that begin with as much of it as any does."""
    for length in range(len(asset), 1, -1):
        found = reader.assets(AssetFilter(text=asset[:length]), "", COMPARED)
        if found:
            alike = get_close_matches(asset, [one.id for one in found])
            return f"; did you mean {' or '.join(alike)}?" if alike else ""
    return ""


def titled(site: str | None, sites: Mapping[str, Site]) -> str | None:
    """A site's id, and its name where it has one."""
    if site is None or site not in sites or not sites[site].name:
        return site
    return f"{site} ({sites[site].name})"
