"""`retour assets`, `retour where`: which assets there are, and where one of them is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import typer

from commands.asking import AssetId, about, known_site, opened, titled
from commands.show import AsJson, ago, iso, legible, show, show_rows, when, yes_no
from tracker.asset_ports import AssetFilter
from tracker.model import Asset
from tracker.places import Site
from tracker.ports import Reader
from tracker.queries import AssetStatus, NotLocated, asset_status
from tracker.whereabouts import Whereabouts


def assets(
    search: Annotated[
        str | None, typer.Option(help="Words that its id or name has, or beginnings of them.")
    ] = None,
    class_: Annotated[str | None, typer.Option("--class", help="What it is.")] = None,
    site: Annotated[str | None, typer.Option(help="The site where it is now.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="How many at most.")] = 100,
    as_json: AsJson = False,
) -> None:
    """List assets: what they are, where they are, and how long ago that was seen.

    Example: retour assets --search pallet --site depot
    """
    store, now = opened()
    with store.reading() as reader:
        if site is not None:
            known_site(reader, site)
        found = reader.assets(AssetFilter(search, class_, site), "", limit + 1)
        rows = [asset_row(asset, reader, now) for asset in found[:limit]]
    show_rows(rows, asset_words, as_json, "no asset is found")
    if len(found) > limit:
        typer.echo(f"there are more than {limit}: ask for them with --limit", err=True)


def asset_row(asset: Asset, reader: Reader, now: int) -> dict[str, Any]:
    """An asset in a list; what is not known of it is null."""
    status = asset_status(reader, asset.id, now)
    seen = sighting(status, now)
    return {
        "id": asset.id,
        "class": asset.class_,
        "name": asset.name,
        **{name: seen and seen[name] for name in ("site", "at", "age_s", "confirmed")},
    }


def asset_words(row: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "id": row["id"],
        "class": row["class"],
        "name": row["name"],
        "site": row["site"],
        "last seen": ago(row["age_s"]),
        "confirmed": yes_no(row["confirmed"]),
    }


def where(
    asset: AssetId,
    as_of: Annotated[
        int | None,
        typer.Option("--as-of", parser=when, metavar="TIME", help="As it was known at this time."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Tell where an asset is, since when that is known, and from what.

    Exits 1 where that is not known. Example: retour where pallet-1 --json
    """
    with about(asset) as (reader, now):
        status = asset_status(reader, asset, now, as_of)
        sites = reader.layout(as_of).sites()
    seen = sighting(status, now if as_of is None else as_of)
    if seen is None:
        raise NotLocated(asset)
    show(seen if as_json else where_words(seen, sites), as_json)


def sighting(status: AssetStatus, now: int) -> dict[str, Any] | None:
    """Where an asset is: its newest place, else the site where a reader without a known place
    saw it; None where neither is known."""
    answer = {"asset": status.asset.id}
    if (located := status.location) is not None:
        place, age, site, confirmed = located
        return answer | {
            "lat": place.lat,
            "lon": place.lon,
            "acc": place.acc,
            "at": iso(place.at),
            "age_s": age / 1000,
            "site": site,
            "source": place.source,
            "zone": place.zone,
            "device": place.device,
            "confirmed": confirmed,
        }
    if (at := _last_at_site(status.whereabouts)) is None:
        return None
    return answer | {
        "lat": None,
        "lon": None,
        "acc": None,
        "at": iso(at),
        "age_s": max(0, now - at) / 1000,
        "site": status.whereabouts.site,
        "source": "read",
        "zone": None,
        "device": None,
        "confirmed": status.whereabouts.turn is None,
    }


def _last_at_site(known: Whereabouts) -> int | None:
    """When an asset was last seen at the site where it is; None where it is at none."""
    if known.stay is not None:
        return known.stay.last
    return known.turn.at if known.site is not None and known.turn is not None else None


def where_words(seen: Mapping[str, Any], sites: Mapping[str, Site]) -> dict[str, Any]:
    acc = "" if seen["acc"] is None else f" ± {seen['acc']:.0f} m"
    position = None if seen["lat"] is None else f"{seen['lat']:.5f}, {seen['lon']:.5f}{acc}"
    device = "" if seen["device"] is None else f" by {seen['device']}"
    words = {
        "asset": seen["asset"],
        "site": titled(seen["site"], sites) or "none",
        "zone": seen["zone"],
        "position": position,
        "seen": f"{ago(seen['age_s'])}, at {legible(seen['at'])}",
        "source": f"{seen['source']}{device}",
        "confirmed": yes_no(seen["confirmed"]),
    }
    return {name: word for name, word in words.items() if word is not None}
