"""The stories of assets that a fleet's figures are told of, gathered from a store."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from enum import StrEnum
from typing import NamedTuple

from tracker.asset_ports import AssetFilter
from tracker.kpi import Due, Figure, Period, Spell, Story, figures
from tracker.leases import Lease, Line
from tracker.life import dates_of
from tracker.life_ports import Decision, Known
from tracker.model import Asset
from tracker.overdue import back
from tracker.past import Past, pasts_of
from tracker.ports import Reader
from tracker.stamps import DAY

AT_ONCE = 2_000  # assets


class By(StrEnum):
    """By what figures are told apart."""

    CLASS = "class"
    SITE = "site"
    PARTNER = "partner"


class Asked(NamedTuple):
    """Of which assets figures are asked for: of a class, whose home is a site, on lease to a
    partner (None: of all)."""

    class_: str | None = None
    site: str | None = None
    partner: str | None = None


def stories_of(reader: Reader, asked: Asked) -> Iterator[Story]:
    """The stories of all assets that are asked for, by asset. Of a partner's it is told what was
    from the beginning of one of its lines until the next one of somebody else."""
    book, after = reader.class_book(), ""
    while assets := reader.assets(AssetFilter(class_=asked.class_), after, AT_ONCE):
        after = assets[-1].id
        some = {a.id: a for a in assets if asked.site is None or a.home == asked.site}
        for story in _stories(reader, some, book):
            if asked.partner is None:
                yield story
            elif any(line.customer == asked.partner for line in story.lines):
                yield with_partner(story, asked.partner)


def _stories(
    reader: Reader, assets: Mapping[str, Asset], book: Mapping[str, Known]
) -> Iterator[Story]:
    pasts, lines, placed = pasts_of(reader, assets), reader.lines_of(assets), reader.placed(assets)
    leases = reader.leases_by_id({one.lease for some in lines.values() for one in some})
    inspections, orders = reader.inspections_of(assets), reader.orders_of(assets)
    decisions = reader.decisions_of(assets)
    for id, asset in assets.items():
        first = placed[id].first if id in placed else None
        yield Story(
            asset=id,
            class_=asset.class_,
            home=asset.home,
            spells=_spells(pasts[id], first.at if first is not None else None),
            lines=tuple(_dues(lines.get(id, ()), leases, pasts[id])),
            inspections=tuple(inspections.get(id, ())),
            decisions=tuple(decisions.get(id, ())),
            orders=tuple(orders.get(id, ())),
            worth=tuple(_worth(asset, decisions.get(id, ()), book)),
        )


def _spells(past: Past, first: int | None) -> tuple[Spell, ...]:
    """An asset's stages, one after the other. The one that it was first in began, as far as anybody
    knows, with its first place."""
    begins = [one.at if n else first for n, one in enumerate(past.entered)]
    spells = []
    for n, (one, since) in enumerate(zip(past.entered, begins, strict=True)):
        until = begins[n + 1] if n + 1 < len(begins) else None
        if since is not None and (until is None or until > since):
            spells.append(Spell(one.stage, since, until))
    return tuple(spells)


def _dues(lines: Sequence[Line], leases: Mapping[str, Lease], past: Past) -> Iterator[Due]:
    for line in lines:
        came = back(line, *past, lines)
        at = came.at if came is not None else (line.ended.at if line.ended is not None else None)
        yield Due(leases[line.lease].customer, line.start_at, line.due_at, at)


def _worth(
    asset: Asset, decisions: Sequence[Decision], book: Mapping[str, Known]
) -> Iterator[tuple[int, float]]:
    """What an asset was worth when each decision was taken, by its age: where that is known."""
    known = book.get(asset.class_)
    made = dates_of(asset.attributes).made
    if known is None or made is None:
        return
    for one in decisions:
        worth = known.class_.worth(0, max(one.at - made, 0) / DAY)
        if worth:
            yield one.number, worth


def with_partner(story: Story, partner: str) -> Story:
    """The part of a story that an asset spent on account of a partner."""
    spells, lines = list[Spell](), sorted(story.lines, key=lambda line: line.since)
    for n, line in enumerate(lines):
        if line.customer != partner:
            continue
        until = lines[n + 1].since if n + 1 < len(lines) else None
        spells += _clipped(story.spells, line.since, until)
    own = tuple(line for line in story.lines if line.customer == partner)
    return story._replace(spells=tuple(spells), lines=own)


def _clipped(spells: Sequence[Spell], since: int, until: int | None) -> Iterator[Spell]:
    for spell in spells:
        begins, ends = max(spell.since, since), spell.until
        if until is not None:
            ends = until if ends is None else min(ends, until)
        if ends is None or ends > begins:
            yield Spell(spell.stage, begins, ends)


def grouped(stories: Sequence[Story], by: By | None) -> dict[str, list[Story]]:
    """Stories by class, home or partner; by nothing they are one group."""
    groups = defaultdict[str, list[Story]](list)
    for story in stories:
        if by is By.PARTNER:
            for partner in sorted({line.customer for line in story.lines}):
                groups[partner].append(with_partner(story, partner))
        else:
            names = {By.CLASS: story.class_, By.SITE: story.home or "no home", None: "all"}
            groups[names[by]].append(story)
    return dict(sorted(groups.items()))


def told(
    stories: Sequence[Story], period: Period, by: By | None, safety_stock: float
) -> dict[str, list[Figure]]:
    """The figures of each group."""
    groups = grouped(stories, by)
    return {name: figures(some, period, safety_stock) for name, some in groups.items()}
