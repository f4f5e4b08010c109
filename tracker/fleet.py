"""A fleet's report: every figure of all of it, or by class, site or partner, with the curve of its
returns and the time in its stages."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from enum import StrEnum
from typing import Any, NamedTuple

from tracker.fleet_outcomes import outcomes_of
from tracker.fleet_past import gather
from tracker.fleet_records import Period, Records, StageTime
from tracker.kaplan_meier import Curve
from tracker.kpi import Figure, figures, return_curve
from tracker.ports import Reader


class By(StrEnum):
    """What figures are told by."""

    CLASS = "class"
    SITE = "site"
    PARTNER = "partner"


class Asked(NamedTuple):
    """Of which period (`since` None: from the first observation on), class, site and partner (None:
    all) figures are asked for, `by` what, and with a safety stock of so many assets."""

    until: int
    since: int | None = None
    class_: str | None = None
    site: str | None = None
    partner: str | None = None
    by: By | None = None
    safety: float = 0


class Group(NamedTuple):
    """The figures of all (`key` None), or of those of a class, site or partner; of which share was
    back by which age, and for how long (ms) assets were in which stage (None: not known)."""

    key: str | None
    figures: Sequence[Figure]
    curve: Curve
    stages: Sequence[tuple[str | None, int]]


class Report(NamedTuple):
    """What was asked for, of which period it is, the records that it rests on, and how many beliefs
    are out of date."""

    asked: Asked
    period: Period
    groups: Sequence[Group]
    records: Records
    stale: int

    def classes(self) -> Sequence[Group]:
        """The same by class, however it was asked."""
        by_class = self.asked.by == By.CLASS
        return (
            self.groups
            if by_class
            else _groups(self.records, By.CLASS, self.period, self.asked.safety)
        )


def fleet_report(reader: Reader, asked: Asked) -> Report:
    """The figures that are asked for. Those that rest on what became of assets are not known where
    nobody has told that."""
    told = outcomes_of(reader)
    period, all_ = gather(reader, asked.since, asked.until, asked.class_, told)
    records = chosen(all_, asked.site, asked.partner)
    groups = _groups(records, asked.by, period, asked.safety)
    return Report(asked, period, groups, records, reader.stale_count())


def _groups(records: Records, by: By | None, period: Period, safety: float) -> list[Group]:
    return [_group(key, some, period, safety) for key, some in grouped(records, by)]


def chosen(records: Records, site: str | None, partner: str | None) -> Records:
    """Those records that concern a site and a partner; of the pool none do.

    >>> chosen(Records(members=[]), None, None).members, chosen(Records(), "hub-1", None).members
    ([], None)
    """
    if site is None and partner is None:
        return records

    def wanted(some: Sequence[Any]) -> Any:
        return [one for one in some if site in (None, one.site) and partner in (None, one.partner)]

    trips, stays = wanted(records.trips), wanted(records.stays)
    return Records(trips, stays, wanted(records.lines), wanted(records.outcomes), None, None)


def grouped(records: Records, by: By | None) -> list[tuple[str | None, Records]]:
    """Records by class, site or partner, by name; what is of none is in no group.

    >>> from tracker.fleet_records import Trip
    >>> trips = [Trip("A", "keg", "pub", None, 0), Trip("B", "keg", None, None, 0)]
    >>> [(key, len(some.trips)) for key, some in grouped(Records(trips), By.SITE)]
    [('pub', 1)]
    """
    if by is None:
        return [(None, records)]
    field = "class_" if by == By.CLASS else str(by)
    told = records if by == By.CLASS else records._replace(members=None, stage_times=None)
    parts = [_parted(some, field) for some in told]
    keys = sorted({key for part in parts if part is not None for key in part})
    return [
        (key, Records._make(None if part is None else part.get(key, []) for part in parts))
        for key in keys
    ]


def _parted(some: Sequence[Any] | None, field: str) -> dict[str, list[Any]] | None:
    if some is None:
        return None
    parts = defaultdict[str, list[Any]](list)
    for one in some:
        if (key := getattr(one, field)) is not None:
            parts[key].append(one)
    return parts


def _group(key: str | None, records: Records, period: Period, safety: float) -> Group:
    curve = return_curve(records.trips, period)
    stages = _by_stage(records.stage_times or ())
    return Group(key, figures(records, period, safety, curve), curve, stages)


def _by_stage(times: Sequence[StageTime]) -> list[tuple[str | None, int]]:
    """How long in each stage, the longest first."""
    lengths = defaultdict[str | None, int](int)
    for one in times:
        lengths[one.stage] += one.ms
    return sorted(lengths.items(), key=lambda one: -one[1])
