"""Use cases: the log gives up what lies before an event time, its edge; or what is older than
it is to be kept, by the span.

What is believed of an asset at the edge stays as its base belief: later observations are folded
onto it. Visits that are over, the journal, and which messages are accounted for stay as well.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from tracker.audit import Act, audited
from tracker.fold import Belief, resumed
from tracker.ports import Reader, Writer
from tracker.refold import refresh, rerun
from tracker.registry import Conflict
from tracker.stamps import DAY
from tracker.times import iso
from tracker.usage import NONE, Totals, summed
from tracker.whereabouts import Moment

ASSETS_AT_ONCE = 1_000


class BadEdge(Conflict):
    """An edge that the log cannot have."""


class Trimmed(NamedTuple):
    """What trimming did: the log begins at `edge` now (None: with the first row ever), `rows`
    are gone, and `assets` have a base belief that stands for them."""

    edge: int | None
    rows: int
    assets: int


def trim(
    tx: Writer,
    edge: int,
    act: Act,
    progress: Callable[[int, int], None] = lambda _done, _all: None,
) -> Trimmed:
    """Give up what was observed before `edge` (epoch ms, event time). `progress` is told assets
    done and assets in all. Raises BadEdge where that lies in the future or before the present
    edge."""
    before = tx.edge()
    if edge > act.now:
        raise BadEdge(f"{iso(edge)} lies in the future: the log would hold nothing")
    if before is not None and edge < before:
        raise BadEdge(f"the log begins at {iso(before)}: what was before {iso(edge)} is gone")
    if edge == before:
        return Trimmed(edge, 0, 0)
    # Facts are stated of assets that nothing was ever bound to, too.
    assets = sorted({*tx.bound_assets(), *tx.believed()})
    for asset in tx.stale(assets):
        refresh(tx, asset, act.now)
    based = 0
    for start in range(0, len(assets), ASSETS_AT_ONCE):
        some = assets[start : start + ASSETS_AT_ONCE]
        bases = [base for belief in tx.beliefs(some).values() if (base := _at(tx, belief, edge))]
        tx.save_snapshots(bases, base=True)
        based += len(bases)
        progress(start + len(some), len(assets))
    rows = tx.add_edge(edge, act.now)
    began = None if before is None else {"edge": iso(before)}
    audited(tx, act, "trim", "log", "edge", began, {"edge": iso(edge), "rows": rows})
    return Trimmed(edge, rows, based)


def retain(
    tx: Writer,
    days: int,
    act: Act,
    progress: Callable[[int, int], None] = lambda _done, _all: None,
) -> Trimmed:
    """Give up the oldest spans of the log in which nothing was recorded for so many days. The
    edge is the end of the newest one that goes: so none goes before an older one, and none
    before it is over. What came for before the present edge keeps no span from going, for it has
    no effect."""
    edge = edge_due(tx, days, act.now)
    return Trimmed(tx.edge(), 0, 0) if edge is None else trim(tx, edge, act, progress)


def edge_due(reader: Reader, days: int, now: int) -> int | None:
    """Where the log would begin then; None where nothing would go."""
    before, edge = reader.edge(), None
    for span in reader.log_spans():
        if before is not None and span.end <= before:
            continue
        if span.end > now or span.newest >= now - days * DAY:
            break
        edge = span.end
    return edge


def _at(tx: Writer, belief: Belief, edge: int) -> Belief | None:
    """What was believed of an asset at the edge; None where nothing was known yet."""
    asset = belief.asset
    if belief.at < edge:
        tx.take_off(asset, belief.moment, belief.usage.tail)
        return _whole(belief, belief.usage.total)
    start = tx.snapshot_before(asset, Moment(edge, ""))
    since = start.moment if start else None
    rows = tx.history(asset, until=edge, after=since)
    again = rerun(start and resumed(start), rows, tx.settings([asset])[asset])
    if again.belief is None:
        return None
    used = again.used
    tx.take_off(asset, again.belief.moment, used)
    for before in tx.used(asset, None, since) if since else ():
        used = summed(used, before)
    return _whole(again.belief, used)


def _whole(belief: Belief, used: Totals) -> Belief:
    """A belief as a base, which has all that was used by then."""
    return belief._replace(usage=belief.usage._replace(total=NONE, tail=used))
