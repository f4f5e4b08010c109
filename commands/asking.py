"""What the commands that ask share: the database, one asset of it, and times."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from difflib import get_close_matches
from secrets import token_hex
from typing import Annotated

import typer

from commands.settings import load_settings
from commands.show import UserError, when
from tracker.asset_ports import AssetFilter
from tracker.places import Site
from tracker.ports import Reader, Store
from tracker.queries import UnknownLease, UnknownPlace, fresh, known_partner, known_place

EVERY = 2**31 - 1  # rows: of what is shown as a whole
COMPARED, DEVICES_COMPARED = 100, 1_000  # ids that may have been meant

AssetId = Annotated[str, typer.Argument(help="Its id.", show_default=False)]
RecordId = Annotated[
    str | None,
    typer.Option("--id", help="Its id: the same again changes nothing.", show_default="a new one"),
]
Since = Annotated[
    int | None,
    typer.Option("--from", parser=when, metavar="TIME", help="From this event time on."),
]
Until = Annotated[
    int | None,
    typer.Option("--to", parser=when, metavar="TIME", help="Up to, not at, this event time."),
]


def named(id: str | None) -> str:
    """The id of what is told, or else a new one."""
    return id or f"terminal-{token_hex(8)}"


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
            hint = did_you_mean(asset, _much_alike(reader, asset))
            raise UserError(f"no asset {asset} is registered{hint}")
        yield reader, now


def period(since: int | None, until: int | None) -> None:
    """UserError where a period ends before it begins."""
    if since is not None and until is not None and since > until:
        raise UserError("--from lies after --to")


def known_site(reader: Reader, site: str) -> None:
    """UserError where there never was a site of that id."""
    try:
        known_place(reader, "site", site)
    except UnknownPlace as unknown:
        raise UserError(f"{unknown}{did_you_mean(site, reader.layout().sites())}") from None


def known_customer(reader: Reader, partner: str) -> None:
    """UserError where there is no partner of that id."""
    try:
        known_partner(reader, partner)
    except UnknownLease as unknown:
        raise UserError(f"{unknown}{did_you_mean(partner, reader.partners())}") from None


def known_device(reader: Reader, device: str) -> None:
    """UserError where no device of that id is registered."""
    if reader.device(device) is None:
        registered = (status.device.id for status in reader.device_list("", DEVICES_COMPARED))
        hint = did_you_mean(device, registered)
        raise UserError(
            f"no device {device} is registered{hint or f'; run `retour device create {device}`'}"
        )


def did_you_mean(id: str, known: Iterable[str]) -> str:
    """A hint at the ids most alike; empty where none is.

    >>> did_you_mean("depto", ["depot", "hub"])
    '; did you mean depot?'
    """
    alike = get_close_matches(id, [*known])
    return f"; did you mean {' or '.join(alike)}?" if alike else ""


def _much_alike(reader: Reader, asset: str) -> list[str]:
    """Some of the assets whose ids begin with as much of this one as any does."""
    for length in range(len(asset), 1, -1):
        found = reader.assets(AssetFilter(text=asset[:length]), "", COMPARED)
        if found:
            return [one.id for one in found]
    return []


def titled(site: str | None, sites: Mapping[str, Site]) -> str | None:
    """A site's id, and its name where it has one."""
    if site is None or site not in sites or not sites[site].name:
        return site
    return f"{site} ({sites[site].name})"
