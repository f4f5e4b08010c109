"""Use case: beliefs follow the log and the layout.

What comes in order is folded onto the belief. What comes late is folded again from the last
snapshot before it, until the fold meets a later snapshot in the same state: from there on all
would be as it was. What a change of the configuration touched is folded from there to the end.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from tracker.fold import Belief, Entry, Place, cut, fold, follows, kept, resumed
from tracker.inference import Setting
from tracker.log_ports import Line
from tracker.model import Fact, Observation
from tracker.news import Told, forgotten, news, told_by_time
from tracker.ports import Reader, Writer
from tracker.present import Now, present, unseen
from tracker.stage import Transition
from tracker.stage_points import queue_stages
from tracker.usage import NONE, Totals, Usage, summed
from tracker.whereabouts import Moment, Visit

SNAPSHOT_EVERY = 32  # observations: reading so many back and folding them takes about 3 ms
REFOLDED_AT_ONCE = 5  # assets of a batch, some 3 ms each; of the others a worker takes care
ALWAYS = -(2**63)  # an event time before every other
NOT_BEHIND: Mapping[bytes, int] = {}
NO_CLOCKS: Mapping[str, int] = {}


class Rerun(NamedTuple):
    """A fold that was done again: the belief it came to, the visits that ended, what was told
    of stages and the snapshots taken on the way, and the old snapshot that it `met` in the same
    state."""

    belief: Belief | None
    visits: list[Visit]
    transitions: list[Transition]
    snapshots: list[Belief]
    met: Belief | None = None

    @property
    def used(self) -> Totals:
        """What was counted on the way."""
        total: Totals = NONE
        for part in (*self.snapshots, *([] if self.belief is None else [self.belief])):
            total = summed(total, part.usage.tail)
        return total


def rerun(
    start: Belief | None,
    history: Iterable[Observation],
    setting: Setting,
    later: Iterable[Belief] = (),
) -> Rerun:
    """Fold a history, in order, onto `start`. `later` are snapshots of an earlier fold of a
    part of the same history in the same setting: the fold ends where it meets one of them."""
    belief, visits, snapshots = start, list[Visit](), list[Belief]()
    told = list[Transition]()
    ahead, chunk = iter(later), list[Observation]()
    old = next(ahead, None)
    for row in history:
        chunk.append(row)
        meets = old is not None and row.at == old.at and _moment(row) == old.moment
        if not meets and len(chunk) < (2 if old else 1) * SNAPSHOT_EVERY:
            continue
        belief, ended, transitions = fold(belief, chunk, setting)
        chunk = []
        assert belief is not None  # it has at least this row
        visits += ended
        told += transitions
        snapshots.append(kept(belief))
        belief = cut(belief)
        if meets:
            met, old = old, next(ahead, None)
            assert met is not None
            if _same_state(belief, met):
                return Rerun(belief, visits, told, snapshots, met)
    belief, ended, transitions = fold(belief, chunk, setting)
    return Rerun(belief, visits + ended, told + transitions, snapshots)


def refold_touched(
    tx: Writer,
    rows: Sequence[Observation],
    recorded: int,
    behind: Mapping[bytes, int] = NOT_BEHIND,
) -> None:
    """Bring the beliefs up to date that newly logged rows touch, and what is told of them now.
    `behind` is how far (ms) the clocks of recordings are behind, by the event keys of their
    rows. Where rows of many assets come late, as from gateways that share a long queue, most are
    left to be folded once for all that is late."""
    touched = _touched(tx, rows)
    before = tx.beliefs(touched)
    if facts := {row.what.asset: recorded for row in rows if isinstance(row.what, Fact)}:
        tx.set_timers(facts)  # a scan may close what no stage does
    stale = tx.stale(touched)
    settings = tx.settings(touched)
    beliefs, snapshots, entries = list[Belief](), list[Belief](), list[Entry]()
    visits, transitions = list[tuple[str, Visit]](), list[tuple[str, Transition]]()
    late = [a for a, fresh in touched.items() if a in stale or not follows(before.get(a), fresh)]
    left = {asset: touched.pop(asset)[0].at for asset in late[REFOLDED_AT_ONCE:]}
    again = frozenset(late)
    for asset, fresh in touched.items():
        old = before.get(asset)
        if asset in stale:
            changed = Moment(stale[asset], "")
            _replace(tx, asset, min(changed, _moment(fresh[0])), recorded)
            tx.freshened(asset)
        elif asset in again:
            _replace(tx, asset, _moment(fresh[0]), recorded, _moment(fresh[-1]))
        else:
            setting = settings[asset]
            belief, ended, told, kept, _ = _onto(old, fresh, setting)
            assert belief is not None  # it has at least the fresh rows
            beliefs.append(belief)
            visits += ((asset, visit) for visit in ended)
            transitions += ((asset, transition) for transition in told)
            snapshots += kept
            class_ = setting.case.asset.class_
            entries += news(Told(old, (), ()), Told(belief, ended, told), class_)
    tx.mark_stale(left)
    tx.save_beliefs(beliefs, tx.inference().revision)
    tx.add_visits(visits)
    tx.add_transitions(transitions)
    tx.save_snapshots(snapshots)
    _write(tx, entries, recorded)
    after = tx.beliefs(touched)
    clocks = _clocks(after, touched, behind)
    nows = {
        asset: max(row.received for row in fresh)
        for asset, fresh in touched.items()
        if clocks.get(asset) or not _tells_the_same(before.get(asset), after.get(asset))
    }
    tell_present(tx, nows, recorded, clocks)


def _tells_the_same(old: Belief | None, new: Belief | None) -> bool:
    """Whether what was told of an asset may stand: most of what comes within minutes says nothing
    new of its stage, and what time has changed meanwhile a sweep finds."""
    if old is None or new is None:
        return False
    return old.standing == new.standing and old.whereabouts.site == new.whereabouts.site


def tell_unseen(tx: Writer, assets: Iterable[str], now: int) -> None:
    """Tell what is told of assets that nothing has been observed of; of one whose initial stage
    is not known, or not any more, that is nothing."""
    wanted = list(assets)
    beliefs = tx.beliefs(wanted)
    settings = tx.settings([asset for asset in wanted if asset not in beliefs])
    before = tx.presents(settings)
    found = {id: unseen(setting, before.get(id), now) for id, setting in settings.items()}
    for asset in before:
        if found[asset] is None:
            tx.drop_belief(asset)
    tx.save_presents([one for one in found.values() if one is not None])


def _clocks(
    beliefs: Mapping[str, Belief],
    touched: Mapping[str, Sequence[Observation]],
    behind: Mapping[bytes, int],
) -> dict[str, int]:
    """How far behind the clocks of those assets are whose newest observation is a fresh one."""
    return {
        asset: behind.get(fresh[-1].key, 0)
        for asset, fresh in touched.items()
        if asset in beliefs and beliefs[asset].key == fresh[-1].key.hex()
    }


def tell_present(
    tx: Writer,
    assets: Mapping[str, int],
    recorded: int,
    behind: Mapping[str, int] = NO_CLOCKS,
) -> None:
    """Tell anew what is told of some assets, whose beliefs are up to date, each as it is at a
    time (epoch ms). `behind` are the clocks of some, as their newest observation tells them."""
    before, settings = tx.presents(assets), tx.settings(assets)
    told, entries = list[Now](), list[Entry]()
    for asset, belief in tx.beliefs(assets).items():
        old = before.get(asset)
        clock = behind.get(asset, old.behind if old is not None else 0)
        new = present(belief, settings[asset], old, assets[asset], clock)
        told.append(new)
        entries += told_by_time(old, new, settings[asset])
    tx.save_presents(told)
    _write(tx, entries, recorded)


def _onto(old: Belief | None, fresh: Sequence[Observation], setting: Setting) -> Rerun:
    """Fold rows onto the belief that they follow; mostly they are few."""
    if len(fresh) >= SNAPSHOT_EVERY:
        return rerun(old, fresh, setting)
    belief, visits, told = fold(old, fresh, setting)
    assert belief is not None  # it has at least the fresh rows
    before = old.observations if old is not None else 0
    if before // SNAPSHOT_EVERY == belief.observations // SNAPSHOT_EVERY:
        return Rerun(belief, visits, told, [])
    return Rerun(cut(belief), visits, told, [kept(belief)])


def _touched(tx: Writer, rows: Sequence[Observation]) -> dict[str, list[Observation]]:
    """The rows of each asset, in order."""
    touched: dict[str, list[Observation]] = defaultdict(list)
    bindings = tx.bindings({row.subject for row in rows})
    for row in rows:
        if isinstance(row.what, Fact):
            touched[row.what.asset].append(row)
            continue
        bound = bindings.get(row.subject, ())
        for asset in {binding.asset for binding in bound if binding.holds_at(row.at)}:
            touched[asset].append(row)
    for fresh in touched.values():
        fresh.sort(key=lambda row: (row.at, row.key))
    return touched


def refresh(tx: Writer, asset: str, recorded: int) -> None:
    """Bring a stale belief up to date: fold it again from where a change touched it."""
    tx.beliefs([asset])  # locked first: who has it may leave it stale from an earlier time on
    at = tx.stale([asset]).get(asset)
    if at is not None:
        _replace(tx, asset, Moment(at, ""), recorded)
        tx.freshened(asset)
        tell_present(tx, {asset: recorded}, recorded, _clock(tx, asset))
        tell_unseen(tx, [asset], recorded)


def _clock(tx: Writer, asset: str) -> dict[str, int]:
    """How far behind the clock of an asset is, as its newest observation tells, which may be
    another one since a binding has changed; nothing where the log does not hold it."""
    belief = tx.beliefs([asset]).get(asset)
    row = tx.logged(bytes.fromhex(belief.key)) if belief is not None else None
    if row is None:
        return {}
    heard = tx.device(row.device)  # `devices` would lock it, after its assets
    recording = heard is not None and heard.device.recording
    return {asset: row.received - row.at if recording else 0}


def refresh_some(tx: Writer, recorded: int, limit: int) -> int:
    """Bring some stale beliefs up to date; how many there were."""
    assets = tx.stale_assets(limit)
    tx.beliefs(assets)  # all locked at once: one by one, others could wait for us in a ring
    for asset in assets:
        refresh(tx, asset, recorded)
    return len(assets)


def _replace(
    tx: Writer, asset: str, touched: Moment, recorded: int, unchanged: Moment | None = None
) -> None:
    """Fold an asset again from the last snapshot before `touched`, store what comes of it, and
    tell the journal what has changed. From `unchanged` on (None: never) there are no rows but
    those that were there before, and the layout is as it was."""
    old = tx.beliefs([asset]).get(asset)
    start = _start(tx, asset, touched)
    since = start.moment if start else None
    later = () if unchanged is None else tx.snapshots_from(asset, unchanged)
    setting = tx.settings([asset])[asset]
    again = rerun(start, tx.history(asset, after=since), setting, later)
    until = again.met.moment if again.met else None
    old_visits = tx.visits(asset, since, until)
    old_told = tx.transitions(asset, since, until)
    class_ = setting.case.asset.class_
    if again.belief is None:
        if old is not None:
            told_last = tx.presents([asset]).get(asset)
            _write(tx, forgotten(told_last) if told_last is not None else [], recorded)
            tx.drop_belief(asset)
            _write(tx, news(Told(old, old_visits, old_told), Told(None, (), ()), class_), recorded)
        return
    told = Told(again.met or old, old_visits, old_told)
    belief = again.belief
    if again.met is not None and old is not None:
        more = belief.observations - again.met.observations
        first = belief.first if belief.first != again.met.first else None
        tx.shift_snapshots(asset, again.met.moment, more, first)
        belief = _shifted(old, more, first)
    if old is not None:
        belief = belief._replace(usage=_used(tx, old, again, since, belief.usage))
    tx.drop_visits(asset, since, until)
    tx.add_visits([(asset, visit) for visit in again.visits])
    tx.drop_transitions(asset, since, until)
    tx.add_transitions([(asset, transition) for transition in again.transitions])
    tx.drop_snapshots(asset, since, until)
    tx.save_snapshots(again.snapshots)
    tx.save_beliefs([belief], tx.inference().revision)
    now_told = Told(again.belief, again.visits, again.transitions)
    _write(tx, news(told, now_told, class_), recorded)


def _used(tx: Writer, old: Belief, again: Rerun, since: Moment | None, ending: Usage) -> Usage:
    """What an asset has been through after a part of its history was folded again, from `since`
    on: what the old fold counted there is taken off. `ending` is the newest that is known."""
    until = again.met.moment if again.met else None
    total = summed(old.usage.total, again.used)
    for gone in tx.used(old.asset, since, until):
        total = summed(total, gone, -1)
    if until is None:
        total = summed(total, old.usage.tail, -1)
    return ending._replace(total=total)


def _start(reader: Writer, asset: str, touched: Moment) -> Belief | None:
    """The snapshot to fold from: the last one before `touched`, but never one from before the
    log's edge, where a base belief stands for what is gone."""
    edge = reader.edge()
    if edge is not None:
        touched = max(touched, Moment(edge, ""))
    found = reader.snapshot_before(asset, touched)
    return None if found is None else resumed(found)


def from_nothing(reader: Reader, asset: str, as_of: int | None = None) -> Rerun:
    """What an asset's whole history comes to, as far as the log holds it, or as it was recorded
    by `as_of` with the layout of that time. Nothing is stored."""
    start, history = whole(reader, asset, as_of)
    return rerun(start, history, reader.settings([asset], as_of)[asset])


def whole(
    reader: Reader, asset: str, as_of: int | None = None
) -> tuple[Belief | None, Iterator[Observation]]:
    """An asset's history, as far as the log holds it or held it at `as_of`, and the belief that it
    goes on from (None: from nothing)."""
    edge = reader.edge()
    bases = [] if edge is None else [s for s in reader.snapshots(asset) if s.at < edge]
    start = resumed(bases[-1]) if bases else None
    return start, reader.history(asset, after=start.moment if start else None, as_of=as_of)


def _write(tx: Writer, entries: Sequence[Entry], recorded: int) -> None:
    """Write to the journal; a correction names the last line about the same thing. The
    time-series store is told of stages."""
    if not entries:
        return
    written = [
        e._replace(supersedes=tx.last_line(e.asset, e.about)) if _corrects(e) else e
        for e in entries
    ]
    tx.set_timers({one.asset: recorded for one in written})  # it is looked at anew
    numbers = tx.journal(written, recorded)
    told = (Line(number, recorded, e) for number, e in zip(numbers, written, strict=True))
    queue_stages(tx, told, recorded)


def _corrects(entry: Entry) -> bool:
    return entry.kind.endswith(".corrected")


def _same_state(one: Belief, other: Belief) -> bool:
    """Whether all that follows would change two beliefs in the same way."""
    return one[5:8] == other[5:8] and one.usage.seen == other.usage.seen


def _shifted(belief: Belief, more: int, first: Place | None) -> Belief:
    """A belief with more observations before it, whose first place is `first` (None: its own)."""
    return belief._replace(observations=belief.observations + more, first=first or belief.first)


def _moment(row: Observation) -> Moment:
    return Moment(row.at, row.key.hex())
