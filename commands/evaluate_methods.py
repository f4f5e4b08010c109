"""What the filter is compared with, run over the same messages: simple rules, and the smoother
that knows what comes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import Any, BinaryIO

from commands.evaluate_files import Line
from commands.evaluate_trial import LINE, Trial
from tracker.baselines.debounced import debounced
from tracker.baselines.last_zone import last_zone
from tracker.baselines.rule import rule
from tracker.facts import observed
from tracker.inference import Setting
from tracker.judging import Span
from tracker.model import Observation
from tracker.ports import Writer
from tracker.smoother import smoothed
from tracker.stage import Told

Step = Callable[[Any, Observation, Setting], Any]
RULES: Mapping[str, Step] = {"last-zone": last_zone, "debounced": debounced, "rule": rule}


class PlainTrial(Trial):
    """A run without a record of beliefs: each new observation is taken for its assets."""

    def run(self, tx: Writer, lines: Sequence[Line]) -> None:
        for line in lines:
            for n, (row, assets) in enumerate(self._rows(tx, line)):
                for asset, setting in tx.settings(assets).items():
                    self.take(asset, setting, row, (line.received, LINE, line.number, n))
        self.write()

    def take(self, asset: str, setting: Setting, row: Observation, order: Any) -> None:
        """Take an observation of an asset."""
        raise NotImplementedError

    def _rows(self, tx: Writer, line: Line) -> list[tuple[Observation, list[str]]]:
        """What a line says for the first time."""
        if "fact" not in line.fields:
            message = self.decoded(line)
            return self.news(tx, message) if message is not None else []
        told = self.fact(line)
        if told is None:
            return []
        fact, at = told
        row = observed(fact, at, line.received)
        known = row.key in self.seen
        self.seen.add(row.key)
        self.counts["duplicates" if known else "observations"] += 1
        return [] if known else [(row, [fact.asset])]


class RuleTrial(PlainTrial):
    """The run of a simple rule, which tells something where something comes, and is as sure as
    can be."""

    def __init__(
        self, truth: Mapping[str, Sequence[Span]], timeline: BinaryIO | None, step: Step
    ) -> None:
        super().__init__(truth, timeline)
        self._step = step
        self._known = dict[str, Any]()

    def take(self, asset: str, setting: Setting, row: Observation, order: Any) -> None:
        known = self._known[asset] = self._step(self._known.get(asset), row, setting)
        self.show(asset, order[0], Told(known.told, order[0], 1.0), order, corrected=False)


class SmootherTrial(PlainTrial):
    """The run of the smoother, which tells what it does at the time of the event."""

    def __init__(self, truth: Mapping[str, Sequence[Span]], timeline: BinaryIO | None) -> None:
        super().__init__(truth, timeline)
        self._rows_of = defaultdict[str, list[Observation]](list)

    def take(self, asset: str, setting: Setting, row: Observation, order: Any) -> None:  # noqa: ARG002
        self._rows_of[asset].append(row)

    def finish(self, tx: Writer) -> None:
        for asset, spans in self.truth.items():
            setting = tx.settings([asset])[asset]
            stages = setting.evidence.chain.stages
            rows = sorted(self._rows_of[asset], key=lambda row: (row.at, row.key))
            since = min([spans[0].since, *(row.at for row in rows[:1])])
            for at, q, *_ in smoothed(rows, setting, since, spans[-1].until):
                best = int(q[0].argmax())
                told = Told(stages[best], at, float(q[0, best]))
                self.show(asset, at, told, (at, LINE, self.numbers[asset], 0), corrected=False)
        self.write()
