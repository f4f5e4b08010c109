"""How well stages are told: figures of a run against the truth.

The definitions are those of `docs/evaluate.md`. Times are epoch milliseconds.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from math import ceil, inf
from typing import Any, NamedTuple

from tracker.stamps import HOUR

QUIET = ("ready", "in_use")  # the stages that are not active
EARLY, LATE = HOUR // 2, 6 * HOUR
SHORT = HOUR
BINS = 10


class Span(NamedTuple):
    """An asset was in a stage from `since` up to `until`."""

    stage: str
    since: int
    until: int


class Shown(NamedTuple):
    """From `at` on, the emitted stage was this one (None: unknown)."""

    at: int
    stage: str | None


class Calibration:
    """How sure and how right one was, added up over samples: the expected calibration error of
    the likeliest stage (ten equal bins) and the Brier score over all stages; `overconfident` is
    how much surer it was than right, on the average.

    >>> told = Calibration()
    >>> told.add({"ready": 0.75, "outbound": 0.25}, "ready")
    >>> told.figures()
    {'ece': 0.25, 'brier': 0.125, 'overconfident': -0.25}
    """

    def __init__(self) -> None:
        self._sure, self._right, self._count = [0.0] * BINS, [0] * BINS, [0] * BINS
        self._brier = 0.0

    def add(self, p: Mapping[str, float], true: str) -> None:
        """A sample: the probabilities of stages where one stage was true."""
        best = max(p, key=lambda stage: p[stage])
        n = min(int(p[best] * BINS), BINS - 1)
        self._sure[n] += p[best]
        self._right[n] += best == true
        self._count[n] += 1
        self._brier += sum((share - (stage == true)) ** 2 for stage, share in p.items())
        self._brier += true not in p

    def add_all(self, other: Calibration) -> None:
        """The samples of another one."""
        for n in range(BINS):
            self._sure[n] += other._sure[n]
            self._right[n] += other._right[n]
            self._count[n] += other._count[n]
        self._brier += other._brier

    def figures(self) -> dict[str, float | None]:
        """What they come to; None: there was no sample."""
        every = sum(self._count)
        if not every:
            return {"ece": None, "brier": None, "overconfident": None}
        error = sum(abs(self._sure[n] - self._right[n]) for n in range(BINS))
        return {
            "ece": error / every,
            "brier": self._brier / every,
            "overconfident": (sum(self._sure) - sum(self._right)) / every,
        }


def figures(
    truth: Mapping[str, Sequence[Span]],
    shown: Mapping[str, Sequence[Shown]],
    calibration: Calibration | None = None,
) -> dict[str, Any]:
    """Accuracy, delays, false alarms and calibration of what was shown of each asset.

    >>> truth = {"A1": [Span("ready", 0, 10), Span("outbound", 10, 20)]}
    >>> found = figures(truth, {"A1": [Shown(0, "ready"), Shown(15, "outbound")]})
    >>> found["acc"], found["macro"], found["active"]
    (0.75, 0.75, 0.5)
    """
    visits = {asset: joined(spans) for asset, spans in truth.items()}
    right, whole = defaultdict[str, int](int), defaultdict[str, int](int)
    for asset, spans in visits.items():
        _share(spans, shown.get(asset, ()), right, whole)
    delays = _delays(visits, shown)
    every = sorted(delay for found in delays.values() for delay in found)
    active = [stage for stage in whole if stage not in QUIET]
    wrong = sum(_false(visits.get(asset, ()), changes) for asset, changes in shown.items())
    return {
        "acc": _part(sum(right.values()), sum(whole.values())),
        "macro": _part(sum(right[s] / whole[s] for s in whole), len(whole)),
        "active": _part(sum(right[s] for s in active), sum(whole[s] for s in active)),
        "delay_median_h": _quantile(every, 0.5),
        "delay_p90_h": _quantile(every, 0.9),
        "missed": _part(sum(delay == inf for delay in every), len(every)),
        "false_per_100": _part(100 * wrong, len(truth)),
        **(calibration or Calibration()).figures(),
        "per_stage": {
            stage: {
                "recall": _part(right[stage], whole[stage]),
                "share": _part(whole[stage], sum(whole.values())),
                "visits": len(delays[stage]),
                "delay_median_h": _quantile(sorted(delays[stage]), 0.5),
                "delay_p90_h": _quantile(sorted(delays[stage]), 0.9),
                "missed": _part(sum(d == inf for d in delays[stage]), len(delays[stage])),
            }
            for stage in sorted(whole)
        },
    }


def joined(spans: Sequence[Span]) -> list[Span]:
    """Spans in order, those that follow each other in one stage as one."""
    found: list[Span] = []
    for span in sorted(spans, key=lambda span: span.since):
        if found and found[-1].stage == span.stage and found[-1].until == span.since:
            found[-1] = found[-1]._replace(until=span.until)
        else:
            found.append(span)
    return found


def stage_at(spans: Sequence[Span], at: int) -> str | None:
    """The stage of an asset at a time, of spans in order; None: not told."""
    n = bisect_right(spans, at, key=lambda span: span.since) - 1
    return spans[n].stage if n >= 0 and at < spans[n].until else None


def _share(
    spans: Sequence[Span],
    changes: Sequence[Shown],
    right: defaultdict[str, int],
    whole: defaultdict[str, int],
) -> None:
    """Add up how long each stage lasted, and how long it was shown meanwhile."""
    for span in spans:
        if span.until > span.since:  # else it is no time, and no stage that occurs
            whole[span.stage] += span.until - span.since
        for change, end in _until(changes):
            if change.stage == span.stage:
                right[span.stage] += max(0, min(end, span.until) - max(change.at, span.since))


def _until(changes: Sequence[Shown]) -> Iterator[tuple[Shown, int]]:
    """What was shown, and until when."""
    ends = [change.at for change in changes]
    return zip(changes, [*ends[1:], 2**63], strict=False)


def _delays(
    visits: Mapping[str, Sequence[Span]], shown: Mapping[str, Sequence[Shown]]
) -> defaultdict[str, list[float]]:
    """Hours from entry to first emission, by stage; infinite where there was none."""
    delays = defaultdict[str, list[float]](list)
    for asset, spans in visits.items():
        for span in spans[1:]:
            if span.until - span.since >= SHORT:
                delays[span.stage].append(_delay(span, shown.get(asset, ())))
    return delays


def _delay(span: Span, changes: Sequence[Shown]) -> float:
    for change, end in _until(changes):
        if change.stage == span.stage and change.at < span.until and end > span.since:
            return max(0, change.at - span.since) / HOUR
    return inf


def _false(spans: Sequence[Span], changes: Sequence[Shown]) -> int:
    """How many emitted stages match no visit of their own."""
    free, wrong = list(spans), 0
    for change in changes:
        if change.stage is None:
            continue
        found = next((span for span in free if _matches(span, change)), None)
        if found is None:
            wrong += 1
        else:
            free.remove(found)
    return wrong


def _matches(span: Span, change: Shown) -> bool:
    return span.stage == change.stage and span.since - EARLY <= change.at <= span.until + LATE


def _part(of: float, whole: float) -> float | None:
    return of / whole if whole else None


def _quantile(ordered: Sequence[float], share: float) -> float | None:
    """The smallest value that so large a share does not exceed; None: infinite, or no value."""
    if not ordered:
        return None
    value = ordered[max(0, ceil(share * len(ordered)) - 1)]
    return None if value == inf else value
