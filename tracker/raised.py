"""Which alerts were raised in a time, and which ones of two histories are the same. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import NamedTuple

from tracker.alerts import Alert, Subject
from tracker.ports import Reader

EVENTS_AT_ONCE = 5_000


class Pair(NamedTuple):
    """An alert as it was raised in one history and in another one (None: there it was not)."""

    one: Alert | None
    other: Alert | None

    @property
    def alert(self) -> Alert:
        """The one that there is."""
        alert = self.one or self.other
        assert alert is not None
        return alert


def raised(reader: Reader, since: int, until: int) -> list[Alert]:
    """The alerts that were opened from `since` up to but not at `until` (epoch ms), as they were
    then, by when they were opened."""
    last, number = dict[str, Alert](), 0
    while page := reader.alert_events_after(number, EVENTS_AT_ONCE):
        last |= {one.event.alert.id: one.event.alert for one in page if one.event.at < until}
        number = page[-1].number
    return sorted(
        (alert for alert in last.values() if since <= alert.opened),
        key=lambda alert: (alert.opened, alert.id),
    )


def paired(some: Sequence[Alert], others: Sequence[Alert]) -> list[Pair]:
    """Two histories side by side, by when alerts were opened. Alerts about the same subject are
    the same where they were open at one time; of several the first ones.

    >>> from tracker.alerts import State
    >>> late = Alert("A", "L", "1", "late", 1, State.RESOLVED, "info", 1, 0, 10, 20, 10)
    >>> paired([late], [late._replace(opened=15)])[0].other.opened
    15
    >>> [pair.other for pair in paired([late], [])]
    [None]
    """
    left = defaultdict[Subject, list[Alert]](list)
    for other in others:
        left[Subject(*other[:4])].append(other)
    pairs = list[Pair]()
    for one in some:
        same = left[Subject(*one[:4])]
        found = next((other for other in same if _meet(one, other)), None)
        if found is not None:
            same.remove(found)
        pairs.append(Pair(one, found))
    pairs += (Pair(None, other) for same in left.values() for other in same)
    return sorted(pairs, key=lambda pair: (pair.alert.opened, pair.alert.id))


def _meet(one: Alert, other: Alert) -> bool:
    return not (_ended_before(one, other) or _ended_before(other, one))


def _ended_before(one: Alert, other: Alert) -> bool:
    return one.over and one.changed < other.opened
