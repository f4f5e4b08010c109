"""An asset's life: all that its end is judged by, gathered from what is known of it. Pure.

Dates of an asset are attributes that people give it: `made`, `retire_by`, and papers that run out,
whose names end in `_until` (`warranty_until`, ...), each a day like 2026-01-05.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from typing import NamedTuple

from tracker.asset_class import AssetClass, Condition
from tracker.life_ports import Decision, Inspected
from tracker.model import Asset, Label
from tracker.reliability import Model
from tracker.stamps import DAY
from tracker.wear import Renewal, Worn, worn_trips
from tracker.work import Order

MADE, RETIRE_BY, UNTIL = "made", "retire_by", "_until"


class Paper(NamedTuple):
    """Something that runs out at the end of a day (epoch ms, UTC)."""

    name: str
    until: int


class Dates(NamedTuple):
    """The days of an asset (epoch ms, UTC): when it was made, when a rule ends its life, which
    papers run out, and which attributes should be days and are not."""

    made: int | None = None
    retire_by: int | None = None
    papers: tuple[Paper, ...] = ()
    unreadable: tuple[str, ...] = ()


class Life(NamedTuple):
    """What is known of an asset's life at `now` (epoch ms): what it has borne, when such assets
    fail (None: nobody knows), its days, what was found of it, decided and done, each in order; by
    when its open lease line is due, and since when it is told to be lost."""

    asset: Asset
    class_: AssetClass
    now: int
    worn: Worn
    model: Model | None = None
    dates: Dates = Dates()
    inspections: tuple[Inspected, ...] = ()
    decisions: tuple[Decision, ...] = ()
    orders: tuple[Order, ...] = ()
    due: int | None = None
    lost_since: int | None = None

    @property
    def age_days(self) -> float | None:
        return None if self.dates.made is None else (self.now - self.dates.made) / DAY

    @property
    def renewals(self) -> list[Renewal]:
        """The work that took wear away, in order."""
        return renewals(self.orders, self.class_)

    @property
    def rates(self) -> dict[str, float]:
        """What wears it, per trip."""
        return self.worn.rates(len(self.renewals))

    @property
    def found(self) -> Inspected | None:
        """The last inspection, unless work was done since."""
        last = self.inspections[-1] if self.inspections else None
        worked = [one for one in self.orders if one.renews]
        after = last is not None and any((one.closed or 0) >= last.at for one in worked)
        return None if after else last

    @property
    def worn_trips(self) -> float:
        """After how many trips a new one would be as worn."""
        return worn_trips(self.worn.trips, self.renewals)

    def condition(self) -> Condition:
        """How it is, as a choice of its route wants it."""
        found, retire = self.found, self.dates.retire_by
        return Condition(
            id=self.asset.id[:128],
            cycles=self.worn.trips,
            worn=self.worn_trips,
            age_days=max(self.age_days or 0.0, 0.0),
            failed=found is not None and found.judged.failed,
            grade=None if found is None else found.judged.grade,
            rates=self.rates,
            retire_by_days=None if retire is None else (retire - self.now) / DAY,
        )


def renewals(orders: Sequence[Order], class_: AssetClass) -> list[Renewal]:
    """What work took away of the wear: as its order says, else as the class says of its route."""
    by_kind: dict[str, float] = {route.kind: route.taken_away for route in class_.routes}
    by_id = {route.id: route.taken_away for route in class_.routes}
    found = []
    for one in sorted(orders, key=lambda one: one.closed or 0):
        if not one.renews:
            continue
        share = one.done.restores
        if share is None:
            share = by_id.get(one.route or "", by_kind.get(one.kind, 0.0))
        found.append(Renewal(one.trips or 0.0, share, one.closed or 0))
    return found


def dates_of(attributes: Mapping[str, Label] | Mapping[str, object]) -> Dates:
    """The days among an asset's attributes.

    >>> found = dates_of({"made": "2024-01-01", "warranty_until": "2026-01-05", "retire_by": "?"})
    >>> found.made, found.papers[0].name, found.unreadable
    (1704067200000, 'warranty_until', ('retire_by',))
    """
    days, bad = dict[str, int](), list[str]()
    for name, value in sorted(attributes.items()):
        if name not in (MADE, RETIRE_BY) and not name.endswith(UNTIL):
            continue
        try:
            day = date.fromisoformat(str(value))
        except ValueError:
            bad.append(name)
            continue
        days[name] = int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp() * 1_000)
    papers = tuple(Paper(name, at + DAY) for name, at in days.items() if name.endswith(UNTIL))
    return Dates(days.get(MADE), days.get(RETIRE_BY), papers, tuple(bad))
