"""What the journal says of a changed belief: news, and corrections of what it said before.

The journal tells what was believed in the order in which we came to believe it. A line about
the same thing as an earlier one that no longer holds is a correction and names that line.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from tracker.account import Explained
from tracker.fold import Belief, Entry, Place
from tracker.inference import Setting
from tracker.present import Now, Present
from tracker.stage import Transition, explained_at
from tracker.whereabouts import LEFT, Moment, Stay, Visit

LOCATED, RELOCATED = "location.first", "location.corrected"
VISIT_CORRECTED = "visit.corrected"
FIRST_PLACE = "first place"
BY_TIME = "stage by time"
STAGE_CHANGED, STAGE_CORRECTED = "stage.changed", "stage.corrected"


class Told(NamedTuple):
    """What the journal has told of an asset, as far as it may have changed: its belief, the ends
    of its visits, and its stages."""

    belief: Belief | None
    visits: Sequence[Visit]
    transitions: Sequence[Transition] = ()


def news(before: Told, after: Told, class_: str) -> list[Entry]:
    """The lines to write of an asset of a class, without the numbers of the lines that they
    correct: a line whose kind ends in `.corrected` corrects the last one about the same thing."""
    asset = (after.belief or before.belief).asset  # type: ignore[union-attr]  # one is there
    return [
        *_first_place(asset, before, after),
        *_visits(asset, before, after),
        *_stages(asset, before, after, class_),
    ]


def _first_place(asset: str, before: Told, after: Told) -> list[Entry]:
    old = before.belief.first if before.belief else None
    new = after.belief.first if after.belief else None
    if new == old:
        return []
    body = _of_place(new) if new is not None else {}
    kind = LOCATED if old is None else RELOCATED
    return [Entry(asset, kind, FIRST_PLACE, (new or old).at, body)]  # type: ignore[union-attr]


def _of_place(place: Place) -> dict[str, Any]:
    return place._asdict()


def _visits(asset: str, before: Told, after: Told) -> list[Entry]:
    old, new = _by_opening(before), _by_opening(after)
    entries = []
    for opened in sorted(old.keys() | new.keys()):
        entries += _of_visit(asset, old.get(opened), new.get(opened))
    return entries


def _of_visit(asset: str, old: Visit | Stay | None, new: Visit | Stay | None) -> list[Entry]:
    if new is None:
        assert old is not None
        return [_entry(asset, VISIT_CORRECTED, old, {"site": old.site, "withdrawn": True})]
    if old is None:
        begins = _entry(asset, f"visit.{new.began}", new, _beginning(new), new.since)
        return [begins, _ending(asset, new)] if isinstance(new, Visit) else [begins]
    if _beginning(old) == _beginning(new) and isinstance(old, Stay):
        return [_ending(asset, new)] if isinstance(new, Visit) else []
    if _whole(old) == _whole(new):  # another observation may have decided it
        return []
    return [_entry(asset, VISIT_CORRECTED, new, _whole(new))]


def _ending(asset: str, visit: Visit) -> Entry:
    kind = f"visit.{visit.ended}"
    at = visit.until if visit.ended == LEFT else visit.last
    return _entry(asset, kind, visit, _whole(visit), at)


def _entry(
    asset: str, kind: str, visit: Visit | Stay, body: dict[str, Any], at: int | None = None
) -> Entry:
    return Entry(asset, kind, about(visit.opened), visit.since if at is None else at, body)


def about(opened: Moment) -> str:
    """How the journal names a visit: by the observation that decided its beginning.

    >>> about(Moment(7, "6b"))
    'visit 7 6b'
    """
    return f"visit {opened.at} {opened.key}"


def _beginning(visit: Visit | Stay) -> dict[str, Any]:
    return {"site": visit.site, "since": visit.since, "began": visit.began}


def _whole(visit: Visit | Stay) -> dict[str, Any]:
    if isinstance(visit, Stay):
        return _beginning(visit)
    ended = {"last": visit.last, "until": visit.until, "ended": visit.ended}
    return _beginning(visit) | ended


def _stages(asset: str, before: Told, after: Told, class_: str) -> list[Entry]:
    old = {one[:2]: one for one in before.transitions}
    new = {one[:2]: one for one in after.transitions}
    entries = []
    for moment in sorted(old.keys() | new.keys()):
        was, now = old.get(moment), new.get(moment)
        kind = STAGE_CHANGED if was is None else STAGE_CORRECTED
        if now is None:
            body = {"stage": was.stage, "was": was.was, "withdrawn": True}  # type: ignore[union-attr]  # one is there
        elif was is None or (was.stage, was.was) != (now.stage, now.was):
            body = of_transition(now) | {"class": class_}
        else:
            continue  # its probability alone may have changed
        entries.append(Entry(asset, kind, "stage {} {}".format(*moment), moment[0], body))
    return entries


def told_by_time(old: Present | None, new: Now, setting: Setting) -> list[Entry]:
    """What the journal says of a stage that no observation tells, but time alone: or that no
    longer does. What observations tell is said by `news`."""
    asset, told = new.present.asset, new.present.told
    before = old.told if old is not None and _by_time(old) else None
    if not _by_time(new.present):
        return forgotten(old, told.stage, new.present.at) if old is not None else []
    if before is not None and before.stage == told.stage:
        return []
    was = before.stage if before is not None else new.present.path.stage
    why = explained_at(new.standing, *setting, new.present.at, told.stage)
    chain, class_ = new.standing.chain, setting.case.asset.class_
    body = {"stage": told.stage, "was": was, "p": told.p}
    reason = {"chain": chain, "class": class_, "why": of_explained(why)}
    return [Entry(asset, STAGE_CHANGED, BY_TIME, told.since, body | reason)]


def forgotten(old: Present, stage: str | None = None, at: int | None = None) -> list[Entry]:
    """What the journal says where time alone has told a stage, and no longer does."""
    if not _by_time(old):
        return []
    body = {"stage": stage, "was": old.told.stage, "withdrawn": True}
    return [Entry(old.asset, STAGE_CORRECTED, BY_TIME, old.at if at is None else at, body)]


def _by_time(told: Present) -> bool:
    """Whether time alone tells another stage than the observations do."""
    return told.told.stage != told.path.stage


def of_explained(why: Explained) -> dict[str, Any]:
    """An explanation as JSON."""
    return why._asdict() | {"reasons": [reason._asdict() for reason in why.reasons]}


def of_transition(transition: Transition) -> dict[str, Any]:
    """What the journal says of a transition."""
    return {
        "stage": transition.stage,
        "was": transition.was,
        "p": transition.p,
        "chain": transition.chain,
        "why": of_explained(transition.why),
    }


def _by_opening(told: Told) -> dict[Moment, Visit | Stay]:
    found: dict[Moment, Visit | Stay] = {visit.opened: visit for visit in told.visits}
    stay = told.belief.whereabouts.stay if told.belief else None
    if stay is not None:
        found[stay.opened] = stay
    return found
