"""`retour report`: answers to keep, as pages and pictures that need nothing from elsewhere."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any

import typer

from commands.asking import AssetId, Since, Until, about, period
from commands.page import PAGE, STYLE
from commands.picture import draw, text_of
from commands.reliability_picture import report_reliability
from commands.report_fleet import report_fleet
from commands.show import UserError, count, lasting, legible, plain, say
from commands.stage_picture import draw as draw_stages
from commands.track import every_place
from commands.usage_picture import report_usage
from commands.visits import visit_words, visits_of
from tracker.fold import Place
from tracker.model import Asset
from tracker.places import Site
from tracker.queries import NotLocated, known_asset
from tracker.stages import course_of
from tracker.times import iso
from tracker.whereabouts import GAP_MS

SAMPLES = 430  # of a picture: two pixels apart

group = typer.Typer(no_args_is_help=True, help="Answers to keep.")


@group.callback()
def _group() -> None:
    """Answers to keep."""


group.command("usage")(report_usage)
group.command("fleet")(report_fleet)
group.command("reliability")(report_reliability)


@group.command("track")
def report_track(
    asset: AssetId,
    file: Annotated[
        Path | None, typer.Option("--out", help="The page to write; else ASSET.html.")
    ] = None,
    since: Since = None,
    until: Until = None,
) -> None:
    """Draw where an asset was, on a page that needs nothing from elsewhere.

    Example: retour report track pallet-1 --out pallet-1.html
    """
    period(since, until)
    with about(asset) as (reader, now):
        places = list(every_place(reader, asset, since, until))
        if not places:
            raise NotLocated(asset)
        sites = reader.layout().sites(places[-1].at)
        visits = visits_of(reader, asset, since, until)
        page = track_page(known_asset(reader, asset), places, sites, visits, now)
    file = file or Path(f"{asset}.html")
    file.write_text(page, encoding="utf-8")
    say(f"{file} shows {count(len(places), 'place')} of {asset}")


@group.command("stages")
def report_stages(
    asset: AssetId,
    file: Annotated[
        Path | None, typer.Option("--out", help="The SVG file to write; else ASSET-stages.svg.")
    ] = None,
    since: Since = None,
    until: Until = None,
) -> None:
    """Draw how likely each stage of an asset was over time, and which one was told.

    Example: retour report stages pallet-1 --out pallet-1-stages.svg
    """
    period(since, until)
    with about(asset) as (reader, _):
        samples = course_of(reader, asset, since, until, SAMPLES)
        if not samples:
            raise UserError(f"nothing was observed of {asset} by then: there is nothing to draw")
        known = known_asset(reader, asset)
        process = reader.inference().process_of(known.class_)
    file = file or Path(f"{asset}-stages.svg")
    title = f"{plain(known.name or asset)}, {process.process}"
    file.write_text(draw_stages(samples, process, title), encoding="utf-8")
    words = f"{file} shows {lasting(samples[-1].at - samples[0].at)} of {asset}"
    say(words)


def track_page(
    asset: Asset,
    places: Sequence[Place],
    sites: Mapping[str, Site],
    visits: Sequence[Mapping[str, Any]],
    now: int,
) -> str:
    """The page of a track of one place at least: its picture, what it spans, its visits."""
    title = text_of(asset.name or asset.id)
    facts = "".join(
        f"<div><dt>{name}</dt><dd>{text_of(value)}</dd></div>"
        for name, value in _facts(asset, places).items()
    )
    return PAGE.format(
        title=title,
        style=STYLE,
        facts=facts,
        picture=draw(places, sites.values()),
        visits=_visit_table(visits, sites),
        now=legible(iso(now)),
    )


def _facts(asset: Asset, places: Sequence[Place]) -> dict[str, str]:
    first, last = places[0].at, places[-1].at
    kinds = Counter(place.source for place in places)
    gaps = sum(after.at - before.at > GAP_MS for before, after in pairwise(places))
    return {
        "Asset": asset.id,
        "Class": asset.class_,
        "From": legible(iso(first)),
        "To": legible(iso(last)),
        "Time": lasting(last - first),
        "Fixes": f"{kinds['fix']:,}",
        "Reads": f"{kinds['read']:,}",
        "Gaps over a day": f"{gaps:,}",
    }


def _visit_table(visits: Sequence[Mapping[str, Any]], sites: Mapping[str, Site]) -> str:
    if not visits:
        return "<p>No visit to a site is known.</p>"
    head = "".join(
        f"<th>{name}</th>" for name in ("Site", "Came", "Last seen", "Went", "Stayed at least")
    )
    rows = "".join(_visit_line(visit, sites) for visit in visits)
    return f'<div class="wide"><table><tr>{head}</tr>{rows}</table></div>'


def _visit_line(visit: Mapping[str, Any], sites: Mapping[str, Site]) -> str:
    words = visit_words(visit)
    site = sites.get(visit["site"])
    name = site.name if site is not None and site.name else visit["site"]
    cells = (name, words["came"], words["last seen there"], words["went"], words["stayed at least"])
    row = "".join(f"<td>{text_of(cell or '')}</td>" for cell in cells)
    return f"<tr>{row}</tr>"
