"""`retour sites`, `inside`, `visits`: who is at a site, and who was there and for how long."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import typer

from commands.asking import EVERY, Since, Until, about, known_site, opened, period
from commands.show import AsJson, UserError, iso, lasting, legible, show, show_rows, when, yes_no
from tracker import queries
from tracker.asset_ports import Position
from tracker.places import Circle, Site
from tracker.ports import Reader
from tracker.queries import Inside
from tracker.refold import ALWAYS

BEGINNING = Position(ALWAYS, "")


def sites(as_json: AsJson = False) -> None:
    """List the sites, and how many assets are at each.

    Example: retour sites
    """
    store, _ = opened()
    with store.reading() as reader:
        rows = [site_row(site, reader) for site in reader.layout().sites().values()]
    show(rows, as_json, none="there is no site")


def site_row(site: Site, reader: Reader) -> dict[str, Any]:
    fence = site.geofence
    return {
        "id": site.id,
        "name": site.name,
        "kind": site.kind,
        "fence": fence and ("circle" if isinstance(fence, Circle) else "polygon"),
        "inside": len(reader.standing_at(site.id, "", EVERY)),
    }


def inside(
    site: Annotated[str, typer.Argument(help="The site's id.", show_default=False)],
    at: Annotated[
        int | None,
        typer.Option(parser=when, metavar="TIME", help="Who was there then; else who is now."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """List the assets that are at a site, or were at a time, and since when.

    Example: retour inside depot --at 2026-01-05T08:00:00Z
    """
    store, _ = opened()
    with store.reading() as reader:
        known_site(reader, site)
        if at is None:
            found = queries.inside_now(reader, site, "", EVERY)
        else:
            found = queries.inside_at(reader, site, at, BEGINNING, EVERY)
    none = f"nothing {'is' if at is None else 'was'} at {site}{'' if at is None else ' then'}"
    show_rows([visit_row(one, site) for one in found], visit_words, as_json, none)


def visits(
    asset: Annotated[str | None, typer.Argument(help="Its id.", show_default=False)] = None,
    site: Annotated[str | None, typer.Option(help="Who visited this site.")] = None,
    since: Since = None,
    until: Until = None,
    as_json: AsJson = False,
) -> None:
    """List the visits of an asset, or to a site, the oldest first.

    Example: retour visits pallet-1, or retour visits --site depot
    """
    period(since, until)
    if asset is not None and site is None:
        with about(asset) as (reader, _):
            rows = visits_of(reader, asset, since, until)
    elif site is not None and asset is None:
        store, _ = opened()
        with store.reading() as reader:
            known_site(reader, site)
            found = queries.visits_to(reader, site, since, until, BEGINNING, EVERY)
        rows = [visit_row(one, site) for one in found]
    else:
        raise UserError("say either an asset or a --site")
    show_rows(rows, visit_words, as_json, "no visit is known")


def visits_of(
    reader: Reader, asset: str, since: int | None = None, until: int | None = None
) -> list[dict[str, Any]]:
    """The visits of an asset that reach into a period, the one that is not over included."""
    found = [(one.site, queries.closed(asset, one)) for one in reader.visits(asset)]
    belief = reader.belief(asset)
    if belief is not None and (stay := belief.whereabouts.stay) is not None:
        sure = belief.whereabouts.turn is None
        here = Inside(asset, stay.since, stay.last, stay.began, confirmed=sure)
        found.append((stay.site, here))
    return [
        visit_row(one, site)
        for site, one in found
        if (until is None or one.since < until)
        and (since is None or one.until is None or one.until > since)
    ]


def visit_row(one: Inside, site: str) -> dict[str, Any]:
    """A visit: `until` and `ended` are null while it lasts, `dwell_s` is how long the asset is
    known to have been there: when it went, between `last` and `until`, is not."""
    return {
        "asset": one.asset,
        "site": site,
        "since": iso(one.since),
        "began": one.began,
        "last": iso(one.last),
        "until": iso(one.until),
        "ended": one.ended,
        "dwell_s": (one.last - one.since) / 1000,
        "confirmed": one.confirmed,
    }


def visit_words(row: Mapping[str, Any]) -> dict[str, Any]:
    """A visit for people."""
    ended = row["ended"] and f"{row['ended'].replace('_', ' ')} {legible(row['until'])}"
    return {
        "asset": row["asset"],
        "site": row["site"],
        "came": f"{row['began']} {legible(row['since'])}",
        "last seen there": legible(row["last"]),
        "went": ended,
        "stayed at least": lasting(round(row["dwell_s"] * 1000)),
        "confirmed": yes_no(row["confirmed"]),
    }
