"""What of a device's boot is accounted for, and the receipt that says so.

A boot numbers its messages 0, 1, 2 ... Progress is kept as the greatest number accounted for
and the holes below it, so a lower number than before is normal and a receipt never claims a
message that has not been kept.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from typing import NamedTuple

import orjson

MISSING_AT_MOST = 8  # ranges named in one receipt
HOLES_AT_MOST = 1_000  # a number that would open one more is stored but not accounted for
LOST_AT_MOST = 1_000  # ranges remembered one by one; beyond, the oldest are joined
HOLE_EXPIRES = 7 * 86_400_000  # for devices that never say what they still hold


class Hole(NamedTuple):
    """Numbers `low` to `high` (inclusive) have not come; seen to be missing at `since` (ms)."""

    low: int
    high: int
    since: int


class Span(NamedTuple):
    """Numbers `low` to `high`, inclusive."""

    low: int
    high: int


class Progress(NamedTuple):
    """What of one (device, boot) is accounted for: all up to `top`, but for `holes` and
    for `lost`, what the device no longer holds. `first` is the oldest number it said it holds.

    >>> p = Progress().account(0, now=1).account(4, now=2)
    >>> p.receipt()
    (4, [Span(low=1, high=3)])
    >>> p.declare_first(3).lost
    (Span(low=1, high=2),)
    """

    top: int = -1
    holes: tuple[Hole, ...] = ()
    lost: tuple[Span, ...] = ()
    first: int | None = None

    def covers(self, seq: int) -> bool:
        """Whether the message `seq` is accounted for: stored, quarantined or dead-lettered."""
        return seq <= self.top and _find(self.holes, seq) is None and _find(self.lost, seq) is None

    def account_message(self, seq: int, first: int | None, now: int) -> Progress:
        """The progress once the message `seq` is kept, which says that its device holds nothing
        below `first`: at most all that comes before this very message."""
        at = self if first is None else self.declare_first(min(first, seq))
        return at.account(seq, now).expire(now)

    def account(self, seq: int, now: int) -> Progress:
        """The progress once `seq` is kept as well. Where that would open more holes than a
        device may have, nothing changes: the device will send it again."""
        if seq == self.top + 1:
            return Progress(seq, self.holes, self.lost, self.first)
        if seq > self.top:
            opened = (*self.holes, Hole(self.top + 1, seq - 1, now))
            return self._replace(top=seq)._with_holes(opened, self)
        if (i := _find(self.holes, seq)) is not None:
            return self._with_holes(_without_hole(self.holes, i, seq), self)
        if (i := _find(self.lost, seq)) is not None:
            return self._replace(lost=_bounded(_without_span(self.lost, i, seq)))
        return self

    def _with_holes(self, holes: tuple[Hole, ...], otherwise: Progress) -> Progress:
        """This progress with these holes, unless they are too many and more than before."""
        if len(holes) > max(HOLES_AT_MOST, len(otherwise.holes)):
            return otherwise
        return self._replace(holes=holes)

    def declare_first(self, first: int | None) -> Progress:
        """The device says that it holds nothing below `first`: holes there are lost."""
        if first is None or (self.first is not None and first <= self.first):
            return self
        gone = [Span(h.low, min(h.high, first - 1)) for h in self.holes if h.low < first]
        left = [h._replace(low=max(h.low, first)) for h in self.holes if h.high >= first]
        top = self.top
        if first - 1 > top:
            gone.append(Span(top + 1, first - 1))
            top = first - 1
        return Progress(top, tuple(left), _bounded(merged([*self.lost, *gone])), first)

    def expire(self, now: int) -> Progress:
        """A hole that has been open for 7 days is lost, unless the device says `first`."""
        if not self.holes or self.first is not None:
            return self
        old = [h for h in self.holes if now - h.since > HOLE_EXPIRES]
        if not old:
            return self
        left = tuple(h for h in self.holes if now - h.since <= HOLE_EXPIRES)
        return self._replace(
            holes=left, lost=_bounded(merged([*self.lost, *(Span(h.low, h.high) for h in old)]))
        )

    def receipt(self) -> tuple[int, list[Span]]:
        """The number up to which all is accounted for, and the ranges that are not."""
        missing = [Span(h.low, h.high) for h in self.holes[:MISSING_AT_MOST]]
        if len(self.holes) > MISSING_AT_MOST:
            return self.holes[MISSING_AT_MOST].low - 1, missing
        return self.top, missing

    def accounted(self) -> list[Span]:
        """The numbers accounted for, as ranges.

        >>> Progress().account(0, 1).account(1, 1).account(3, 1).accounted()
        [Span(low=0, high=1), Span(low=3, high=3)]
        """
        spans, low = [], 0
        for gap in sorted([*(Span(h.low, h.high) for h in self.holes), *self.lost]):
            if gap.low > low:
                spans.append(Span(low, gap.low - 1))
            low = gap.high + 1
        if low <= self.top:
            spans.append(Span(low, self.top))
        return spans


class Receipt(NamedTuple):
    """A receipt to publish: of one device's boot, what `receipt()` of its progress says."""

    device: str
    boot: str
    seq: int
    missing: list[Span]

    @property
    def topic(self) -> str:
        return f"retour/v1/{self.device}/receipt"

    @property
    def payload(self) -> bytes:
        """
        >>> Receipt("trk-1", "9f3a", 7, [Span(2, 3)]).payload
        b'{"boot":"9f3a","seq":7,"missing":[[2,3]]}'
        """
        missing = [[low, high] for low, high in self.missing]
        return orjson.dumps({"boot": self.boot, "seq": self.seq, "missing": missing})


def _find(spans: tuple[Hole, ...] | tuple[Span, ...], seq: int) -> int | None:
    i = bisect_right(spans, seq, key=lambda span: span.low) - 1
    return i if i >= 0 and spans[i].high >= seq else None


def _without_hole(holes: tuple[Hole, ...], i: int, seq: int) -> tuple[Hole, ...]:
    low, high, since = holes[i]
    parts = (Hole(low, seq - 1, since), Hole(seq + 1, high, since))
    return (*holes[:i], *(p for p in parts if p.low <= p.high), *holes[i + 1 :])


def _without_span(spans: tuple[Span, ...], i: int, seq: int) -> tuple[Span, ...]:
    low, high = spans[i]
    parts = (Span(low, seq - 1), Span(seq + 1, high))
    return (*spans[:i], *(p for p in parts if p.low <= p.high), *spans[i + 1 :])


def merged(spans: Iterable[Span]) -> tuple[Span, ...]:
    """The same numbers as few ranges, in order.

    >>> merged([Span(4, 9), Span(0, 1), Span(2, 5)])
    (Span(low=0, high=9),)
    """
    joined: list[Span] = []
    for span in sorted(spans):
        if joined and span.low <= joined[-1].high + 1:
            joined[-1] = Span(joined[-1].low, max(joined[-1].high, span.high))
        else:
            joined.append(span)
    return tuple(joined)


def _bounded(lost: tuple[Span, ...]) -> tuple[Span, ...]:
    """The oldest of too many lost ranges become one, with what came between them: it has its
    receipt, and a copy of it that came again would be known by its event key."""
    too_many = len(lost) - LOST_AT_MOST
    if too_many <= 0:
        return lost
    return (Span(lost[0].low, lost[too_many].high), *lost[too_many + 1 :])
