"""Whether a rule about an asset holds, since when, and when time alone will make it hold. Pure.

Each kind is one short function of what is known of the asset. It tells since when the rule
holds, or will hold if nothing else happens: what lies ahead is a matter of time alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

from tracker.alerts import Holding
from tracker.end_of_life import next_time as life_time
from tracker.end_of_life import triggers, words
from tracker.life import Life
from tracker.process import LOST
from tracker.rule_kinds import (
    AssetRule,
    Dwell,
    EndOfLife,
    ForbiddenSite,
    LeftWithoutLease,
    LostRising,
    LowBattery,
    OfTold,
    ReaderDown,
    Shock,
    Silence,
    StageEntered,
    Temperature,
)

BATTERY, SHOCK, TEMPERATURE = "battery", "shock", "temperature"
SENSORS = (BATTERY, SHOCK, TEMPERATURE)
"""What rules look at of what devices measure."""


class Source(NamedTuple):
    """A device whose word about an asset is waited for: a tracker of its own, or a reader in
    whose reach it stays. `since` when: since it was heard last (event time), and not before it
    was bound or came back from an outage. `interval_ms` is the longest that it states (None: it
    states none), `power` what it runs on."""

    device: str
    since: int
    interval_ms: int | None = None
    power: str | None = None


class Reading(NamedTuple):
    """What a device measured at an event time, under the name of one of `SENSORS`."""

    sensor: str
    device: str
    at: int
    value: float


class AssetLook(NamedTuple):
    """What is known of an asset at `now`, by its own clock (epoch ms).

    The stage that is told of it (None: unknown) since an event time, and the probabilities of
    all; the site where it stays, not one of which there is a first sign alone (None: nowhere, or
    not known), since when; when it `left` a depot the last time, as far as that was seen.
    `leased`: an open line names it; `line_ended` is when the last one that did was over. `newest`
    has the last reading of each sensor and device, `highest` the highest of each that came since
    the last look. `readers_down` are the readers that are away. `life` is what its end is judged
    by (None: nothing is known of its class, or nobody asks)."""

    now: int
    class_: str = ""
    stage: str | None = None
    stage_since: int = 0
    p: Mapping[str, float] = {}
    site: str | None = None
    site_since: int = 0
    left: int | None = None
    leased: bool = False
    line_ended: int | None = None
    sources: tuple[Source, ...] = ()
    newest: tuple[Reading, ...] = ()
    highest: tuple[Reading, ...] = ()
    readers_down: frozenset[str] = frozenset()
    life: Life | None = None


class ReaderLook(NamedTuple):
    """A reader at `now`: at which sites it watches zones, and since when it has been away (None:
    it is there)."""

    device: str
    sites: frozenset[str]
    away: int | None


def holds(rule: AssetRule, look: AssetLook, before: Holding | None = None) -> Holding | None:
    """That a rule holds of an asset now. `before` is what was found of it at the last look: some
    rules need more to begin than to go on.

    >>> rule = Dwell(id="late", kind="dwell", stages=["repair"], after="2 d")
    >>> holds(rule, AssetLook(200_000_000, stage="repair", stage_since=1_000)).since
    172801000
    """
    found = _found(rule, look, before)
    return found if found is not None and found.since <= look.now else None


def next_time(rule: AssetRule, look: AssetLook, before: Holding | None = None) -> int | None:
    """When time alone will make a rule hold of an asset, or hold no more (epoch ms); None: never.
    Probabilities change with time too, but as their filter says.

    >>> rule = Dwell(id="late", kind="dwell", stages=["repair"], after="2 d")
    >>> next_time(rule, AssetLook(5_000, stage="repair", stage_since=1_000))
    172801000
    """
    found = _found(rule, look, before)
    if found is None:
        return None
    if isinstance(rule, Shock):
        return look.now + 1  # it is over at once, which somebody has to see
    return found.since if found.since > look.now else None


def reader_holds(rule: ReaderDown, look: ReaderLook) -> Holding | None:
    """That a rule holds of a reader."""
    if look.away is None or not rule.concerns(None, look.sites):
        return None
    return Holding(look.away, {"reader": look.device})


def _found(rule: AssetRule, look: AssetLook, before: Holding | None) -> Holding | None:
    if not rule.concerns(look.class_, () if look.site is None else (look.site,)):
        return None
    if isinstance(rule, OfTold) and rule.leased not in (None, look.leased):
        return None
    return CONDITIONS[rule.kind](rule, look, before)


def _silence(rule: Silence, look: AssetLook, _: Holding | None) -> Holding | None:
    """One device that is heard is enough. Readers that are down are not waited for, and without
    any other nobody is. What states no interval has that of the others."""
    awaited = [source for source in look.sources if source.device not in look.readers_down]
    longest = max((source.interval_ms or 0 for source in awaited), default=0)
    if not longest:
        return None
    patience = (
        rule.by_power.get(source.power or "", rule.intervals) * (source.interval_ms or longest)
        for source in awaited
    )
    ends = [source.since + round(ms) for source, ms in zip(awaited, patience, strict=True)]
    heard = max(awaited, key=lambda source: source.since)
    return Holding(max(ends), {"device": heard.device, "heard": heard.since})


def _dwell(rule: Dwell, look: AssetLook, _: Holding | None) -> Holding | None:
    began = list[int]()
    if rule.stages:
        if look.stage not in rule.stages:
            return None
        began.append(look.stage_since)
    if rule.sites or not rule.stages:
        if look.site is None:
            return None
        began.append(look.site_since)
    since = max(began)
    return Holding(since + rule.after, {"stage": look.stage, "site": look.site, "entered": since})


def _stage_entered(rule: StageEntered, look: AssetLook, _: Holding | None) -> Holding | None:
    if look.stage not in rule.stages:
        return None
    return Holding(look.stage_since, {"stage": look.stage, "p": look.p.get(look.stage or "")})


def _lost_rising(rule: LostRising, look: AssetLook, before: Holding | None) -> Holding | None:
    p = look.p.get(LOST, 0.0)
    return Holding(_since(before, look.now), {"p": p}) if p >= rule.p else None


def _left_without_lease(
    rule: LeftWithoutLease, look: AssetLook, _: Holding | None
) -> Holding | None:
    """What was never seen in a depot has not left one: a first fix elsewhere tells nothing. Nor
    has one left without a lease whose line was over later."""
    if look.leased or look.left is None or look.stage not in rule.stages:
        return None
    if look.line_ended is not None and look.line_ended >= look.left:
        return None
    return Holding(max(look.left, look.stage_since), {"stage": look.stage, "left": look.left})


def _forbidden_site(_: ForbiddenSite, look: AssetLook, __: Holding | None) -> Holding | None:
    return Holding(look.site_since, {"site": look.site})  # it is one of the rule's sites


def _low_battery(rule: LowBattery, look: AssetLook, before: Holding | None) -> Holding | None:
    """One alert for an asset, whichever of its devices it is; the one that it began with must
    be charged beyond `clear_above`."""
    first = before.why.get("device") if before is not None else None

    def is_low(one: Reading) -> bool:
        return one.value < rule.below or (one.device == first and one.value <= rule.clear_above)

    low = [one for one in _readings(look.newest, BATTERY) if is_low(one)]
    return _worst(low, look, before, {one: -one.value for one in low})


def _shock(rule: Shock, look: AssetLook, before: Holding | None) -> Holding | None:
    hard = [one for one in _readings(look.highest, SHOCK) if one.value > rule.above]
    return _worst(hard, look, before, {one: one.value for one in hard})


def _temperature(rule: Temperature, look: AssetLook, before: Holding | None) -> Holding | None:
    outside = dict[Reading, float]()
    for one in _readings(look.newest, TEMPERATURE):
        colder = 0 if rule.at_least is None else rule.at_least - one.value
        warmer = 0 if rule.at_most is None else one.value - rule.at_most
        if (by := max(colder, warmer)) > 0:
            outside[one] = by
    return _worst([*outside], look, before, outside)


def _end_of_life(rule: EndOfLife, look: AssetLook, before: Holding | None) -> Holding | None:
    """One alert for all that a rule looks for; what it found is told anew at each look."""
    if look.life is None:
        return None
    named = before.why.get("names", ()) if before is not None else ()
    found = [one for one in triggers(look.life, named) if one.kind in rule.found]
    if not found:
        at = life_time(look.life)
        return Holding(at, {}) if at is not None else None
    times = [one.since for one in found]
    since = _since(before, min(look.now if at is None else at for at in times))
    figures = [{"found": one.kind, "by": one.what, **one.figures} for one in found]
    told = " ".join(words(one) for one in found)
    return Holding(since, {"told": told, "names": [o.name for o in found], "figures": figures})


def _readings(readings: Iterable[Reading], sensor: str) -> list[Reading]:
    return [one for one in readings if one.sensor == sensor]


def _worst(
    found: list[Reading], look: AssetLook, before: Holding | None, badness: Mapping[Reading, float]
) -> Holding | None:
    """That the worst of what was found of an asset's devices holds."""
    if not found:
        return None
    worst = max(found, key=lambda one: (badness[one], one.device))
    since = _since(before, min(worst.at, look.now))
    return Holding(since, {"device": worst.device, "value": worst.value, "at": worst.at})


def _since(before: Holding | None, otherwise: int) -> int:
    return before.since if before is not None else otherwise


CONDITIONS: dict[str, Callable[[Any, AssetLook, Holding | None], Holding | None]] = {
    "silence": _silence,
    "dwell": _dwell,
    "stage_entered": _stage_entered,
    "lost_rising": _lost_rising,
    "left_without_lease": _left_without_lease,
    "forbidden_site": _forbidden_site,
    "low_battery": _low_battery,
    "shock": _shock,
    "temperature": _temperature,
    "end_of_life": _end_of_life,
}
