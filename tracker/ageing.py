"""Use cases: models of when assets fail are made anew, and how much of their lives all assets have
spent is looked at."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence

import orjson

from tracker.learning import Story, learned, lives, thinned
from tracker.life import renewals
from tracker.life_ports import Fitted, Inspected, Known
from tracker.living import models_of
from tracker.ports import Reader
from tracker.reliability import Life
from tracker.spending import Scales, Swept, sweep
from tracker.wear import Worn, worn
from tracker.work import Order

AT_ONCE = 2_000  # assets: of many more the collector of garbage makes much
Used = tuple[str, str | None]
"""An asset, and its totals (JSON)."""


def learn(reader: Reader, now: int) -> list[Fitted]:
    """The models that inspections and work have taught since the last ones were made."""
    book = reader.class_book()
    before = {one.class_: one for one in reader.models()}
    found = defaultdict[str, list[Inspected]](list)
    for one in reader.every_inspection():
        found[one.asset].append(one)
    if not any(one.judged.failed for some in found.values() for one in some):
        return []
    done = _orders(reader)
    used = defaultdict[str, list[Used]](list)
    for id, uses in reader.uses(AT_ONCE):
        used[id] += zip(uses.asset, uses.total, strict=True)
    rows = [row for id, some in used.items() for row in _lives(book[id], some, found, done)]
    return learned({id: known.class_ for id, known in book.items()}, rows, before, now)


def _lives(
    known: Known,
    used: Sequence[Used],
    found: Mapping[str, Sequence[Inspected]],
    done: Mapping[str, Sequence[Order]],
) -> list[Life]:
    """The rows of a class: of all assets with a story, and some of the others."""
    told, others = list[Story](), list[Used]()
    for asset, text in used:
        if asset in found or asset in done:
            borne = _borne(known, text)
            told.append(Story(asset, found.get(asset, ()), done.get(asset, ()), borne))
        else:
            others.append((asset, text))
    some, weight = thinned(others)
    living = (Story(asset, (), (), _borne(known, text)) for asset, text in some)
    return [*lives(known.class_, told), *lives(known.class_, living, weight)]


def _borne(known: Known, total: str | None) -> Worn:
    return worn(orjson.loads(total), known.class_.stress) if total else Worn()


def age(reader: Reader, now: int) -> Iterator[Swept]:
    """What has changed of how much of their lives assets have spent, some at a time."""
    book, done = reader.class_book(), _orders(reader)
    models = models_of(book, reader.models())
    scales = {id: Scales.of(known.class_, models.get(id)) for id, known in book.items()}
    for id, uses in reader.uses(AT_ONCE):
        worked = done.keys() & uses.asset
        renewed = {asset: renewals(done[asset], book[id].class_) for asset in worked}
        yield sweep(scales[id], uses, renewed, now)


def _orders(reader: Reader) -> dict[str, list[Order]]:
    done = defaultdict[str, list[Order]](list)
    for order in reader.every_order():
        done[order.asset].append(order)
    return done
