"""What an asset has been through: trips, hours in each stage, metres, knocks, heat. Pure.

All of it is counted in whole numbers as the log tells it, in (event time, key) order: sums that are
the same in any order of arrival, and that a late row changes by what it adds or takes away. What
counts as a knock or as too hot is not decided here: values are counted by bins, so that a class may
change its mind without the log being read again (`tracker.wear`).

Distance: a fix counts as a move from the last `anchor` where the two lie further apart than 50 m
and twice their accuracies, and only when the next fix is nearer to it than to the anchor: so
neither trembling nor a single outlier makes a metre.

Values that last (temperature, humidity) hold until the next one, for 12 hours at the most. Those
that do not (a knock, a tilt) may be told several times, by a sensor and again in a status: of those
of one moment the greatest counts, once.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from math import floor, isfinite
from types import MappingProxyType
from typing import Any, NamedTuple

from tracker.geofence import ACC_UNKNOWN_M, distance_m
from tracker.model import Fix, Kind, Observation, Values
from tracker.overdue import OUT, at_home

Totals = Mapping[str, int]
NONE: Totals = MappingProxyType({})

TRIPS, METRES, DOOR = "trips", "metres", "door"
STAGE, ENTERED = "in:", "into:"  # ms in a stage, and how often it was entered
UNKNOWN = "unknown"
COUNTED, SUM = "#", "+"  # of a value's bin: how often (or ms), and the sum of thousandths

MOVED_M = 50.0
HOLDS_MS = 12 * 3_600_000
STEPS = {"shock": 0.5, "tilt": 1.0, "temperature": 1.0, "humidity": 5.0}  # how wide a bin is
LASTING = ("temperature", "humidity")
OPEN = "door_open"
BINS = 400  # to each side of nought: what lies beyond counts as the last one
MOST = 5_000.0  # what lies beyond counts as this: so much for 58 years, in ms, is what 64 bits hold


class Point(NamedTuple):
    """A fix: degrees, and how exact it is (metres)."""

    lat: float
    lon: float
    acc: float


class Felt(NamedTuple):
    """The last value of a sensor that lasts, or the greatest of this very moment of one that does
    not: thousandths, at an event time."""

    name: str
    at: int
    value: int


class Seen(NamedTuple):
    """What must be known of the past to go on counting: since when the stage is told, whether the
    asset has been `away` since it was last back, the `anchor` of its last move and the `leap`
    from there that is not sure yet, the values that were `felt`, and whether its door stands
    open."""

    since: int
    away: bool = False
    anchor: Point | None = None
    leap: Point | None = None
    felt: tuple[Felt, ...] = ()
    open: bool = False


class Usage(NamedTuple):
    """What was `seen`, the `total` since ever, and what of it came since the last snapshot (its
    `tail`; in a snapshot: since the one before it)."""

    seen: Seen | None = None
    total: Totals = NONE
    tail: Totals = NONE

    def after(self, seen: Seen | None, more: Totals) -> Usage:
        """The same after more has been counted."""
        if not more:
            return self if seen == self.seen else self._replace(seen=seen)
        return Usage(seen, summed(self.total, more), summed(self.tail, more))

    def cut(self) -> Usage:
        """The same where a snapshot has been taken."""
        return self._replace(tail=NONE) if self.tail else self


UNUSED = Usage()


def summed(one: Totals, other: Totals, sign: int = 1) -> dict[str, int]:
    """The sum (or, with `sign` -1, the difference) of totals; what is nought is left out.

    >>> summed({"trips": 2, "door": 1}, {"trips": 1, "door": 1}, -1)
    {'trips': 1}
    """
    made = dict(one)
    for name, count in other.items():
        made[name] = made.get(name, 0) + sign * count
    return {name: count for name, count in made.items() if count}


def told(seen: Seen, at: int, was: str | None, stage: str | None) -> tuple[Seen, Counter[str]]:
    """What is counted where another stage is told at an event time: the time in the one that `was`
    told, and a trip where an asset that was away is home again.

    >>> seen, more = told(Seen(0), 3_600_000, "in_use", "received")
    >>> more["trips"], more["in:in_use"], seen.away
    (1, 3600000, False)
    """
    more = Counter({f"{STAGE}{was or UNKNOWN}": at - seen.since})
    if stage is not None:
        more[f"{ENTERED}{stage}"] += 1
    away = seen.away or was in OUT or stage in OUT
    if away and stage is not None and at_home(stage):
        more[TRIPS] += 1
        away = False
    return seen._replace(since=at, away=away), +more


def observed(seen: Seen, row: Observation) -> tuple[Seen, Mapping[str, int]]:
    """What is counted of an observation.

    >>> from tracker.model import Observation, Values
    >>> row = Observation(b"k", b"d", Kind.SENSOR, "t", "t", "b", 0, 0, 7, 7, 7, 7, b"",
    ...                   Values({"shock": 3.2}))
    >>> observed(Seen(0), row)[1] == {"shock:3.0#": 1, "shock:3.0+": 3200}
    True
    """
    what, felt = row.what, seen.felt
    if any(one.at < row.at and one.name not in LASTING for one in felt):
        over = tuple(one for one in felt if one.at == row.at or one.name in LASTING)
        seen = seen._replace(felt=over)
    if isinstance(what, Fix):
        return _moved(seen, Point(what.lat, what.lon, _exact(what.acc)))
    if isinstance(what, Values) and row.kind in (Kind.SENSOR, Kind.STATUS):
        return _felt(seen, row.at, what.values)
    return seen, NONE


def _exact(acc: float | None) -> float:
    return ACC_UNKNOWN_M if acc is None else acc


def _moved(seen: Seen, here: Point) -> tuple[Seen, Mapping[str, int]]:
    anchor, leap = seen.anchor, seen.leap
    if anchor is None:
        return seen._replace(anchor=here), NONE
    if (away := _apart(anchor, here)) is None:
        return (seen if leap is None else seen._replace(leap=None)), NONE
    if leap is None:
        return seen._replace(leap=here), NONE
    onward = distance_m(*leap[:2], *here[:2])
    if onward >= away:
        return seen._replace(leap=here), NONE
    metres = round(distance_m(*anchor[:2], *leap[:2]))
    more = None if _apart(leap, here) is None else here
    return seen._replace(anchor=leap, leap=more), {METRES: metres}


def _apart(one: Point, other: Point) -> float | None:
    """How far two fixes are apart; None: no further than they may err."""
    if abs(one.lat - other.lat) < 1e-5 and abs(one.lon - other.lon) < 1e-5:
        return None
    metres = distance_m(*one[:2], *other[:2])
    return metres if metres > max(MOVED_M, 2 * (one.acc + other.acc)) else None


def _felt(seen: Seen, at: int, values: Mapping[str, Any]) -> tuple[Seen, Mapping[str, int]]:
    more = Counter[str]()
    for name, step in STEPS.items():
        value = values.get(name)
        if value is None or isinstance(value, bool) or not isinstance(value, (int, float)):
            continue
        if not isfinite(value):
            continue
        thousandths = round(min(max(value, -MOST), MOST) * 1_000)
        if name in LASTING:
            seen = _lasts(seen, Felt(name, at, thousandths), more)
        elif value >= step:
            seen = _strikes(seen, Felt(name, at, thousandths), more)
    if isinstance(is_open := values.get(OPEN), (bool, int)) and bool(is_open) != seen.open:
        seen = seen._replace(open=bool(is_open))
        if is_open:
            more[DOOR] += 1
    return seen, more


def _strikes(seen: Seen, new: Felt, more: Counter[str]) -> Seen:
    """A value that does not last; none but those of the same moment are `felt` of it."""
    others = []
    for old in seen.felt:
        if old.name != new.name:
            others.append(old)
        elif old.value >= new.value:
            return seen
        else:
            _binned(more, old.name, old.value, -1)
    _binned(more, new.name, new.value, 1)
    return seen._replace(felt=tuple(sorted((*others, new))))


def _lasts(seen: Seen, new: Felt, more: Counter[str]) -> Seen:
    """A value that lasted until a new one came."""
    others = []
    for old in seen.felt:
        if old.name != new.name:
            others.append(old)
        elif new.at > old.at:
            _binned(more, old.name, old.value, min(new.at - old.at, HOLDS_MS))
    return seen._replace(felt=tuple(sorted((*others, new))))


def _binned(more: Counter[str], name: str, thousandths: int, weight: int) -> None:
    step = STEPS[name]
    bin_ = min(max(floor(thousandths / 1_000 / step), -BINS), BINS)
    more[f"{name}:{bin_ * step}{COUNTED}"] += weight
    more[f"{name}:{bin_ * step}{SUM}"] += weight * thousandths


class Bin(NamedTuple):
    """Values from `low` on up to the next bin: how often there was one (of one that lasts: how
    many ms), and their sum."""

    low: float
    times: int
    sum: float


def bins(total: Totals, name: str) -> list[Bin]:
    """What was felt by one sensor, the lowest bin first.

    >>> bins({"shock:3.0#": 2, "shock:3.0+": 6500, "shock:0.5#": 1, "shock:0.5+": 700}, "shock")
    [Bin(low=0.5, times=1, sum=0.7), Bin(low=3.0, times=2, sum=6.5)]
    """
    begin = f"{name}:"
    lows = {float(key[len(begin) : -1]): key[:-1] for key in total if key.startswith(begin)}
    return [
        Bin(low, total.get(f"{key}{COUNTED}", 0), total.get(f"{key}{SUM}", 0) / 1_000)
        for low, key in sorted(lows.items())
    ]


def plain(seen: Seen | None) -> list[Any] | None:
    """What was seen, as JSON."""
    if seen is None:
        return None
    since, away, anchor, leap, felt, is_open = seen
    points = (anchor and list(anchor), leap and list(leap))
    return [since, away, *points, [list(one) for one in felt], is_open]


def seen_of(values: list[Any] | None) -> Seen | None:
    """The inverse of `plain`."""
    if values is None:
        return None
    since, away, anchor, leap, felt, is_open = values
    return Seen(
        since,
        away,
        Point(*anchor) if anchor else None,
        Point(*leap) if leap else None,
        tuple(Felt(*one) for one in felt),
        is_open,
    )
