"""What is known of assets' lives, gathered from a store."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from tracker.disposition import model_of
from tracker.fold import Belief
from tracker.leases import Line
from tracker.life import Life, dates_of
from tracker.life_ports import Fitted, Known
from tracker.model import Asset
from tracker.ports import Reader
from tracker.present import Present
from tracker.process import LOST
from tracker.queries import known_asset
from tracker.reliability import Model
from tracker.used import Used, total_at, used
from tracker.wear import RATES, Worn, worn


def lives_of(
    reader: Reader,
    assets: Mapping[str, Asset],
    beliefs: Mapping[str, Belief],
    told: Mapping[str, Present],
    lines: Mapping[str, Iterable[Line]],
    now: int,
) -> dict[str, Life]:
    """The lives of some assets at `now`, each by its own clock, as far as their classes are
    known."""
    book = reader.class_book()
    wanted = {id: asset for id, asset in assets.items() if asset.class_ in book}
    if not wanted:
        return {}
    models = models_of(book, reader.models())
    inspections, orders = reader.inspections_of(wanted), reader.orders_of(wanted)
    decisions = reader.decisions_of(wanted)
    lives = {}
    for id, asset in wanted.items():
        present = told.get(id)
        here = now - (present.behind if present is not None else 0)
        lives[id] = Life(
            asset=asset,
            class_=book[asset.class_].class_,
            now=here,
            worn=_worn(book[asset.class_], beliefs.get(id), present, here),
            model=models.get(asset.class_),
            dates=dates_of(asset.attributes),
            inspections=tuple(inspections.get(id, ())),
            decisions=tuple(decisions.get(id, ())),
            orders=tuple(orders.get(id, ())),
            due=_due(lines.get(id, ()), here),
            lost_since=_lost_since(present),
        )
    return lives


def life_of(reader: Reader, id: str, now: int) -> Life | None:
    """The life of one asset; None where it, or its class, is not known."""
    asset = reader.asset(id)
    if asset is None:
        return None
    belief = reader.belief(id)
    beliefs = {} if belief is None else {id: belief}
    lines = reader.lines_of([id])
    return lives_of(reader, {id: asset}, beliefs, reader.presents([id]), lines, now).get(id)


def used_of(reader: Reader, id: str, now: int) -> tuple[int, Used]:
    """What an asset has been through until now, and when that is by its own clock. Raises
    UnknownAsset."""
    asset, told = known_asset(reader, id), reader.presents([id]).get(id)
    known = reader.class_book().get(asset.class_)
    stress = known.class_.stress if known is not None else None
    here = now - (told.behind if told is not None else 0)
    return here, used(reader.belief(id), told, stress, here)


def models_of(book: Mapping[str, Known], fitted: Iterable[Fitted]) -> dict[str, Model]:
    """The models of classes: those that failures have taught, else what the makers say."""
    models = {}
    for id, known in book.items():
        model = model_of(known.class_, len(RATES))
        if model is not None:
            models[id] = model
    return models | {one.class_: one.model for one in fitted if one.class_ in book}


def _worn(known: Known, belief: Belief | None, told: Present | None, now: int) -> Worn:
    if belief is None:
        return Worn()
    return worn(total_at(belief, told, now), known.class_.stress)


def _due(lines: Iterable[Line], now: int) -> int | None:
    """When the open line is due, on which the asset is."""
    begun = [line for line in lines if line.ended is None and line.start_at <= now]
    return max((line.due_at for line in begun), default=None)


def _lost_since(told: Present | None) -> int | None:
    return told.told.since if told is not None and told.told.stage == LOST else None
