"""What is asked of stages: of one asset now or as of a time, why, how it came to that, and how
many assets are in which stage. Answered from one reading transaction."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, tzinfo
from typing import NamedTuple
from zoneinfo import ZoneInfo

from tracker import queries
from tracker.account import Explained, Reason
from tracker.asset_ports import Crowd
from tracker.case import Roles
from tracker.chain import TICK_MS, Array, Chain
from tracker.course import Sample, course
from tracker.explain import Explanation, explanation, happened
from tracker.explain import Told as Explaining
from tracker.fold import Belief, Entry
from tracker.inference import Setting
from tracker.layout import Layout
from tracker.log_ports import Line
from tracker.model import Observation
from tracker.news import BY_TIME, STAGE_CORRECTED
from tracker.ports import Reader
from tracker.present import known, present, told_at
from tracker.refold import whole
from tracker.stage import Standing, Told, Transition, begin, explained_at, predicted
from tracker.whereabouts import Moment

FACT, STAGE = 0, 1  # the order of what happened at one moment; a correction stands behind them


class Likely(NamedTuple):
    """A stage, and its probability."""

    stage: str
    p: float


class StageStatus(NamedTuple):
    """In which stage an asset is told to be (None: unknown), since when, and how likely each
    stage is at `at`, on the asset's clock. `why` is what it was told for, against the runner-up
    of then; `now` what the odds against the runner-up of now consist of. The `sentence` is that
    of the newer one of the two that has something to say. Without an observation there is no
    reason, and nothing is `seen`."""

    asset: str
    class_: str
    at: int
    told: Told
    stages: dict[str, float]
    runner_up: Likely
    sites: Roles
    why: Explanation | None
    now: Explanation | None
    sentence: str | None
    seen: bool = True


class Happened(NamedTuple):
    """Something on an asset's way, in the order of `at`, `key` and `n`: a fact, a change of
    what is told, or a correction."""

    at: int
    key: str
    n: int
    what: Observation | Transition | Line


def stage_of(reader: Reader, asset: str, now: int, as_of: int | None = None) -> StageStatus:
    """In which stage an asset is, or was believed to be at `as_of`, of what had been recorded
    by then. Raises UnknownAsset, BeforeLog."""
    queries.known_asset(reader, asset)
    belief = queries.believed(reader, asset, as_of)
    setting = reader.settings([asset], as_of)[asset]
    if belief is None:
        return _unseen(setting, now if as_of is None else as_of)
    at = max(queries.asset_clock(reader, belief, now, as_of), belief.at)
    if as_of is None:
        before = reader.presents([asset]).get(asset)
        told = present(belief, setting, before, at).present.told
        why = _reason(reader, asset, told)
    else:
        first = Told(None, known(belief).told.since, 0.0)
        recorded, why = _told_then(reader.stage_lines(asset, as_of=as_of), first)
        told = _moved(recorded, belief, setting, at)
        why = why if told.since == recorded.since else None
    return _status(belief, setting, told, why, at)


def sentences(reader: Reader, assets: Sequence[str], now: int) -> dict[str, str]:
    """Why some assets are told to be in their stages, in a sentence each; of those of which
    nothing was observed there is none."""
    beliefs = reader.beliefs(assets)
    settings, presents = reader.settings(sorted(beliefs)), reader.presents(beliefs)
    seen = dict[str, tuple[Told, int]]()
    for asset, belief in beliefs.items():
        before = presents.get(asset)
        at = max(now - (before.behind if before else 0), belief.at)
        seen[asset] = present(belief, settings[asset], before, at).present.told, at
    changes = reader.transitions_at({asset: told.since for asset, (told, _) in seen.items()})
    found = dict[str, str]()
    for asset, (told, at) in seen.items():
        why = _told_for(changes.get(asset, ()), told)
        sentence = _status(beliefs[asset], settings[asset], told, why, at).sentence
        found |= {asset: sentence} if sentence else {}
    return found


def _status(
    belief: Belief, setting: Setting, told: Told, why: Explained | None, at: int
) -> StageStatus:
    (case, evidence), standing = setting, known(belief)
    q = _stages(standing, setting, at)
    lately = explained_at(standing, case, evidence, at, told.stage)
    zone = zone_of(belief, evidence.layout, at)
    asked = Explaining(told.stage is not None, told.since, at, zone)
    reason = explanation(why or lately, asked, evidence.layout)
    current = explanation(lately, asked, evidence.layout)
    return StageStatus(
        belief.asset,
        case.asset.class_,
        at,
        told._replace(p=_p(told, q, evidence.chain)),
        _named(q, evidence.chain),
        _runner_up(q, told, evidence.chain),
        standing.roles,
        reason,
        current,
        (current if happened(lately) else reason).sentence,
    )


def _unseen(setting: Setting, at: int) -> StageStatus:
    """Of an asset of which nothing was observed yet: what its registration says."""
    case, evidence = setting
    standing = begin(evidence, case, at)
    q, told = evidence.chain.by_stage(standing.row()), standing.told
    return StageStatus(
        setting.asset,
        case.asset.class_,
        at,
        told._replace(p=_p(told, q, evidence.chain)),
        _named(q, evidence.chain),
        _runner_up(q, told, evidence.chain),
        standing.roles,
        None,
        None,
        None,
        seen=False,
    )


def _stages(standing: Standing, setting: Setting, at: int) -> Array:
    case, evidence = setting
    return evidence.chain.by_stage(predicted(standing, case, evidence, at))


def _reason(reader: Reader, asset: str, told: Told) -> Explained | None:
    """What a stage was told for by an observation; None where time alone has told it."""
    return _told_for(reader.transitions_at({asset: told.since}).get(asset, ()), told)


def _told_for(changes: Iterable[Transition], told: Told) -> Explained | None:
    return next((one.why for one in changes if one.stage == told.stage), None)


def _told_then(lines: Sequence[Line], first: Told) -> tuple[Told, Explained | None]:
    """What the journal had told of an asset's stage last, by these lines, and what for; `first`
    where nothing was told."""
    newest = {line.entry.about: line.entry for line in lines}  # in the order of their numbers
    standing = [entry for entry in newest.values() if not entry.body.get("withdrawn")]
    if not standing:
        return first, None
    last = max(standing, key=lambda entry: (entry.at, entry.about))
    return Told(last.body["stage"], last.at, last.body["p"]), _why(last)


def _why(entry: Entry) -> Explained:
    """The reason that a line of the journal gives."""
    why = entry.body["why"]
    return Explained(**why | {"reasons": [Reason(**reason) for reason in why["reasons"]]})


def _moved(told: Told, belief: Belief, setting: Setting, at: int) -> Told:
    """What time alone has made of what was told. A stage that the process of then did not know
    is none."""
    if told.stage is not None and told.stage not in setting.evidence.chain.number:
        told = Told(None, told.since, told.p)
    standing, since = known(belief), max(told.since, belief.at)
    return told_at(standing, setting, told, since, at, _stages(standing, setting, at))


def _p(told: Told, q: Array, chain: Chain) -> float:
    return float(q.max() if told.stage is None else q[0, chain.number[told.stage]])


def _named(q: Array, chain: Chain) -> dict[str, float]:
    return dict(zip(chain.stages, q[0].tolist(), strict=True))


def _runner_up(q: Array, told: Told, chain: Chain) -> Likely:
    """The likeliest stage but the one that is told; where none is, but the likeliest."""
    ranked = sorted(_named(q, chain).items(), key=lambda one: -one[1])
    own = told.stage or ranked[0][0]
    return next(Likely(*one) for one in ranked if one[0] != own)


def zone_of(belief: Belief | None, layout: Layout, at: int) -> tzinfo:
    """The time zone of where an asset is, else of its depot; else UTC."""
    if belief is None:
        return UTC
    for id in (belief.whereabouts.site, known(belief).roles.depot):
        site = layout.site(id, at) if id is not None else None
        if site is not None and site.timezone is not None:
            return ZoneInfo(site.timezone)
    return UTC


def timeline(
    reader: Reader, asset: str, after: tuple[int, str, int] | None, limit: int
) -> list[Happened]:
    """What happened to an asset, in order of event time, after a position in it. Raises
    UnknownAsset."""
    queries.known_asset(reader, asset)
    moment = Moment(*after[:2]) if after is not None else None
    facts = reader.facts(asset, moment, limit)
    found = [Happened(row.at, row.key.hex(), FACT, row) for row in facts]
    # What stands at the very moment of the position may still be to come.
    before = Moment(moment.at - 1, "~") if moment is not None else None
    told = reader.transitions(asset, before)
    found += [Happened(one.at, one.key, STAGE, one) for one in told]
    for line in reader.stage_lines(asset, moment.at if moment is not None else None):
        at, about = line.entry.at, line.entry.about
        if line.entry.kind == STAGE_CORRECTED:
            key = about.rpartition(" ")[2]
            found.append(Happened(at, key, STAGE + line.number, line))
        elif about == BY_TIME:
            found.append(Happened(at, BY_TIME, STAGE + line.number, _told_by_time(line.entry)))
    found.sort(key=lambda one: one[:3])
    return [one for one in found if after is None or one[:3] > after][:limit]


def _told_by_time(entry: Entry) -> Transition:
    """What time alone has told, as a line of the journal has it."""
    body = entry.body
    told = (body["stage"], body["was"], body["p"], body["chain"])
    return Transition(entry.at, BY_TIME, *told, _why(entry))


class Writing(NamedTuple):
    """What it takes to write of the past of an asset: the places' names, the time now, and in
    which time zone to tell it."""

    layout: Layout
    now: int
    zone: tzinfo

    def sentence(self, transition: Transition) -> str:
        """Why another stage was told."""
        told = Explaining(transition.stage is not None, transition.at, self.now, self.zone)
        return explanation(transition.why, told, self.layout).sentence


def writing(reader: Reader, asset: str, now: int) -> Writing:
    """What it takes to write of the past of an asset."""
    layout = reader.inference().layout
    return Writing(layout, now, zone_of(reader.belief(asset), layout, now))


def course_of(
    reader: Reader, asset: str, since: int | None, until: int | None, samples: int
) -> list[Sample]:
    """What was believed of an asset's stages from `since` (else its first observation) until
    `until` (else its last one), at so many times about, and wherever something else was told.
    Empty where nothing was observed of it, or `since` is not before the end. Raises
    UnknownAsset."""
    queries.known_asset(reader, asset)
    belief = reader.belief(asset)
    if belief is None:
        return []
    until = belief.at if until is None else until
    start, history = whole(reader, asset)
    rows = [row for row in history if row.at <= until]
    if since is None:
        since = start.at if start is not None else rows[0].at if rows else until
    if since >= until:
        return []
    every = max(TICK_MS, (until - since) // samples)
    setting = reader.settings([asset])[asset]
    first = known(start) if start is not None else None
    return [*course(rows, setting, since, until, every, first)]


class Group(NamedTuple):
    """How many assets are in a stage (None: unknown), and since when on average (epoch ms)."""

    stage: str | None
    assets: int
    since: float
    parts: list[Crowd]


def funnel(reader: Reader, class_: str | None = None, site: str | None = None) -> list[Group]:
    """How many assets are in which stage, in the order of the flow; those of which no stage is
    told come last. The parts are by class and site."""
    flow = {
        name: None for process in reader.inference().processes.values() for name in process.stages
    }
    place = {name: n for n, name in enumerate(flow)}
    by_stage: dict[str | None, list[Crowd]] = {}
    for crowd in reader.crowds(class_, site):
        by_stage.setdefault(crowd.stage, []).append(crowd)
    groups = []
    for stage, parts in by_stage.items():
        assets = sum(one.assets for one in parts)
        since = sum(one.assets * one.since for one in parts) / assets
        parts.sort(key=lambda one: (one.class_, one.site is None, one.site or ""))
        groups.append(Group(stage, assets, since, parts))
    last = len(place)
    return sorted(groups, key=lambda one: last if one.stage is None else place.get(one.stage, last))
