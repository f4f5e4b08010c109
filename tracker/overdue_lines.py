"""What is overdue: lease lines whose asset should be back and is likely still with the customer,
one for each open alert that says so, and why that is thought."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum
from heapq import nsmallest
from typing import NamedTuple

from tracker.alerts import DAY_MS, OVER, Alert, State
from tracker.lease_ports import OpenLine, OverdueFilter
from tracker.leases import Lease, Line
from tracker.model import Asset, Label
from tracker.overdue import Kind
from tracker.partner_view import sentences
from tracker.ports import Reader

OPEN = tuple(str(state) for state in State if state not in OVER)
Place = tuple[bool, float, str]  # whether nothing is known to sort by, the least first, the alert


class Sort(StrEnum):
    """What comes first: what is overdue longest, what is worth most, what is likeliest."""

    DAYS = "days"
    VALUE = "value"
    P = "p"


class Worth(NamedTuple):
    """What an asset is worth, by its attributes `value` and `currency` (None: not said)."""

    value: float | None = None
    currency: str | None = None

    @classmethod
    def of(cls, attributes: Mapping[str, Label]) -> Worth:
        """What attributes say.

        >>> Worth.of({"value": 120, "currency": "EUR"}), Worth.of({"value": "much"})
        (Worth(value=120.0, currency='EUR'), Worth(value=None, currency=None))
        """
        value, currency = attributes.get("value"), attributes.get("currency")
        if isinstance(value, bool) or not isinstance(value, int | float):
            return cls()
        return cls(float(value), currency if isinstance(currency, str) else None)


class Overdue(NamedTuple):
    """A line that is overdue at `now`: the alert that says so, and a sentence that says why its
    asset is thought to be where it is (None: nothing was observed of it)."""

    alert: Alert
    lease: Lease
    line: Line
    asset: Asset
    now: int
    sentence: str | None
    place: Place

    @property
    def days(self) -> float:
        """For how long, from the end of the due day on."""
        return round((self.now - self.line.due_at) / DAY_MS, 2)

    @property
    def deadline(self) -> int:
        """When it was due, with the grace."""
        return self.line.due_at + self.lease.grace_ms

    @property
    def p(self) -> float | None:
        """How likely it is still with the customer, as was found last."""
        return self.alert.why.get("p")

    @property
    def worth(self) -> Worth:
        return Worth.of(self.asset.attributes)

    @property
    def reason(self) -> str:
        """Why, in words."""
        there = f" at {self.p:.0%}".replace("%", " %") if self.p is not None else ""
        return f"Due {self.days:.1f} days ago; it is still with the customer{there}."

    @property
    def reasons(self) -> list[str]:
        """Why that is thought, in sentences: by the lease, then by what is known of the asset."""
        grace = f", with {self.lease.grace_h:g} h of grace" if self.lease.grace_h else ""
        paper = f"It was due on {self.line.due.isoformat()}{grace}, and has not come back since."
        return [self.reason, paper, *([f"{self.sentence}."] if self.sentence else [])]


def overdue_lines(
    reader: Reader,
    now: int,
    limit: int,
    sort: Sort = Sort.DAYS,
    after: Place | None = None,
    customer: str | None = None,
    class_: str | None = None,
    site: str | None = None,
) -> list[Overdue]:
    """The lines that are overdue, the greatest first by `sort`, after a place in that order: of a
    customer, of assets of a class, or of assets that stay at a site. What has no value, or no
    probability, comes last."""
    rules = tuple(rule.id for rule in reader.rules().lines() if rule.kind == Kind.OVERDUE)
    wanted = OverdueFilter(OPEN, rules, customer, class_, site)
    found = [(_place(one, sort), one.asset) for one in reader.open_lines(wanted)]
    rest = found if after is None else [one for one in found if one[0] > after]
    return _whole(reader, nsmallest(limit, rest), now)


def _place(one: OpenLine, sort: Sort) -> Place:
    if sort == Sort.DAYS:
        return False, float(one.due_at), one.alert
    key = one.why.get("p") if sort == Sort.P else Worth.of(one.attributes).value
    return key is None, 0.0 if key is None else -float(key), one.alert


def _whole(reader: Reader, chosen: Sequence[tuple[Place, str]], now: int) -> list[Overdue]:
    """All that is told of some, in their order."""
    ids = sorted({asset for _, asset in chosen})
    alerts = {one.id: one for some in reader.alerts_of(ids).values() for one in some}
    leases = reader.leases_by_id(alerts[place[-1]].lease or "" for place, _ in chosen)
    assets, why = reader.assets_by_id(ids), sentences(reader, ids, now)
    found = list[Overdue]()
    for place, asset in chosen:
        alert = alerts[place[-1]]
        lease = leases[alert.lease or ""]
        line = next(one for one in lease.lines if one.id == alert.line)
        found.append(Overdue(alert, lease, line, assets[asset], now, why.get(asset), place))
    return found
