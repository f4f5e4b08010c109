"""The fold: from an asset's observations to what is believed of it. Pure.

A belief is a function of the set of stored observations alone, in (event time, key) order:
shuffled, doubled or late input ends in the same bits.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import orjson

from tracker import stage, usage
from tracker.inference import Setting
from tracker.layout import Layout, Standpoint
from tracker.model import Fix, Observation, Read
from tracker.stage import Standing, Transition
from tracker.usage import NONE, UNUSED, Seen, Usage
from tracker.whereabouts import NOWHERE_YET, Moment, Stay, Turn, Visit, Whereabouts, step


class Place(NamedTuple):
    """Where an asset was at `at`: degrees WGS 84, accuracy in metres, and from what evidence:
    its own `fix`, or a `read` of its tag by a reader whose place is known, in a `zone`."""

    lat: float
    lon: float
    acc: float | None
    at: int
    source: str
    device: str
    key: str
    zone: str | None = None


class Belief(NamedTuple):
    """What is believed of an asset after its last observation, `(at, key)`: its `first` and
    `last` place, at which site it stays, in which stage it is, and what it has been through."""

    asset: str
    observations: int
    at: int
    key: str
    first: Place | None
    last: Place | None
    whereabouts: Whereabouts = NOWHERE_YET
    standing: Standing | None = None
    usage: Usage = UNUSED

    @property
    def moment(self) -> Moment:
        """Up to where the log is folded."""
        return Moment(self.at, self.key)


class Folded(NamedTuple):
    """A belief, and on the way to it the visits that ended and what was told of stages."""

    belief: Belief | None
    visits: list[Visit]
    transitions: list[Transition]


class Entry(NamedTuple):
    """A line of the journal: something believed of an asset from `at` on. `about` says what it
    speaks of, `supersedes` is the number of the line that it corrects."""

    asset: str
    kind: str
    about: str
    at: int
    body: Mapping[str, Any]
    supersedes: int | None = None


def fold(belief: Belief | None, observations: Iterable[Observation], setting: Setting) -> Folded:
    """The belief after more observations, which must be in (event time, key) order and later
    than the belief's last one. Start from None to fold a whole history.

    >>> from tracker.inference import bare
    >>> from tracker.layout import EMPTY
    >>> from tracker.model import Kind
    >>> fix = Observation(b"k", b"d", Kind.FIX, "trk", "trk", "b", 0, 0, 7, 7, 7, 7, b"",
    ...                   Fix(50.1, 4.2, 8.0))
    >>> fold(None, [fix], bare("A1", EMPTY)).belief.last[:6]
    (50.1, 4.2, 8.0, 7, 'fix', 'trk')
    """
    last_seen: Observation | None = None
    count = belief.observations if belief else 0
    first = belief.first if belief else None
    last = belief.last if belief else None
    whereabouts = belief.whereabouts if belief else NOWHERE_YET
    standing = belief.standing if belief else None
    seen, more = belief.usage.seen if belief else None, Counter[str]()
    visits, transitions, layout = list[Visit](), list[Transition](), setting.layout
    for last_seen in observations:
        count += 1
        point = layout.standpoint(last_seen)
        if point is not None:
            last = _place(last_seen, point, layout)
            first = first or last
        whereabouts, visit = move(whereabouts, last_seen, point, layout)
        if visit is not None:
            visits.append(visit)
        standing, transition = stage.step(standing, last_seen, setting.case, setting.evidence)
        if transition is not None:
            transitions.append(transition)
        seen = _used(seen, last_seen, transition, more)
    if last_seen is None:
        return Folded(belief, [], [])
    key, asset = last_seen.key.hex(), setting.asset
    used = (belief.usage if belief else UNUSED).after(seen, more)
    known = Belief(asset, count, last_seen.at, key, first, last, whereabouts, standing, used)
    return Folded(known, visits, transitions)


def _used(
    seen: Seen | None, row: Observation, transition: Transition | None, more: Counter[str]
) -> Seen:
    """What has been seen of an asset's use after an observation; `more` is counted on."""
    seen = seen or Seen(row.at)
    if transition is not None:
        seen, counts = usage.told(seen, row.at, transition.was, transition.stage)
        more.update(counts)
    seen, found = usage.observed(seen, row)
    if found:
        more.update(found)
    return seen


def place_of(observation: Observation, layout: Layout) -> Place | None:
    """Where an observation says that its asset was, or None where it says nothing of that."""
    point = layout.standpoint(observation)
    return None if point is None else _place(observation, point, layout)


def _place(observation: Observation, point: Standpoint, layout: Layout) -> Place:
    what = observation.what
    zone = None
    if isinstance(what, Read):
        zone = layout.zone_of_read(observation.device, what.antenna, observation.at)
    return Place(
        *point,
        observation.at,
        str(observation.kind),
        observation.device,
        observation.key.hex(),
        zone,
    )


def move(
    known: Whereabouts, observation: Observation, point: Standpoint | None, layout: Layout
) -> tuple[Whereabouts, Visit | None]:
    """What is known of an asset's stays after an observation, made at `point`, and the visit
    that it ends."""
    what, at = observation.what, observation.at
    if isinstance(what, Read):
        site = layout.site_of_read(observation.device, what.antenna, at)
        if site is None:
            return known, None
        return step(known, site, Moment(at, observation.key.hex()), certain=True)
    if point is None or not isinstance(what, Fix):
        return known, None
    site = layout.site_around(point, at)
    if not _is_certain(known, site, point, at, layout):
        return known, None
    return step(known, site, Moment(at, observation.key.hex()))


def _is_certain(
    known: Whereabouts, site: str | None, point: Standpoint, at: int, layout: Layout
) -> bool:
    """Whether a fix tells for sure that its asset is at `site` now (None: at none): it may be
    too close to the border of where the asset is believed to be, or about to be."""
    here = known.stay.site if known.stay is not None else None
    there = known.turn.site if known.turn is not None else None
    if site is None and known.sure is None:
        return layout.surely_outside(None, point, at)
    for held in (here, there):
        if held is None or held == site or (site is not None and layout.smaller(site, held, at)):
            continue
        if not layout.surely_outside(held, point, at):
            return False
    return True


def follows(belief: Belief | None, observations: Sequence[Observation]) -> bool:
    """Whether ordered observations all come after a belief; otherwise it must be refolded."""
    if belief is None or not observations:
        return True
    earliest = observations[0]
    return (earliest.at, earliest.key.hex()) > belief.moment


def kept(belief: Belief) -> Belief:
    """A belief as a snapshot keeps it: of its use what came since the snapshot before."""
    return belief._replace(usage=belief.usage._replace(total=NONE))


def cut(belief: Belief) -> Belief:
    """A belief as the fold goes on with it where a snapshot has been taken."""
    return belief._replace(usage=belief.usage.cut())


def resumed(snapshot: Belief) -> Belief:
    """A snapshot as a fold goes on from it. A base has all that was used by then."""
    seen, _, tail = snapshot.usage
    return snapshot._replace(usage=Usage(seen, tail))


def encode(belief: Belief) -> bytes:
    """The belief's canonical JSON: equal beliefs are equal bytes. When snapshots were taken is no
    part of it."""
    asset, observations, at, key, first, last, whereabouts, standing, (seen, total, _) = belief
    return orjson.dumps(
        {
            "asset": asset,
            "observations": observations,
            "at": at,
            "key": key,
            "first": first and list(first),
            "last": last and list(last),
            "whereabouts": None if whereabouts is NOWHERE_YET else _whereabouts(whereabouts),
            "standing": standing and stage.plain(standing),
            "seen": usage.plain(seen),
            "used": dict(sorted(total.items())),
        }
    )


def _whereabouts(known: Whereabouts) -> list[Any]:
    sure, stay, turn = known
    return [sure, stay and [*stay[:4], list(stay.opened)], turn and list(turn)]


def decode(body: bytes | str) -> Belief:
    """The inverse of `encode`.

    >>> place = Place(50.1, 4.2, None, 7, "fix", "trk", "6b")
    >>> stay = Stay("depot", 7, "seen", 7, Moment(7, "6b"))
    >>> b = Belief("A1", 1, 7, "6b", None, place, Whereabouts(7, stay, None))
    >>> decode(encode(b)) == b
    True
    """
    fields = orjson.loads(body)
    for name in ("first", "last"):
        fields[name] = Place(*fields[name]) if fields[name] else None
    if (known := fields["whereabouts"]) is None:
        fields["whereabouts"] = NOWHERE_YET
    else:
        sure, stay, turn = known
        fields["whereabouts"] = Whereabouts(
            sure,
            stay and Stay(stay[0], stay[1], stay[2], stay[3], Moment(*stay[4])),
            turn and Turn(*turn),
        )
    known = fields.get("standing")
    fields["standing"] = stage.standing(known) if known is not None else None
    seen, used = usage.seen_of(fields.pop("seen", None)), fields.pop("used", {})
    fields["usage"] = Usage(seen, used) if seen or used else UNUSED
    return Belief(**fields)
