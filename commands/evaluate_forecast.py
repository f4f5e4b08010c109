"""`retour evaluate --forecast`: how well it is foretold which lines come back late."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from commands.evaluate_files import Line as Said
from commands.evaluate_leases import leases_of
from commands.evaluate_trial import Trial
from tracker.evidence import NEVER
from tracker.facts import BadFact, FactConflict, state
from tracker.foretold import Foretold, figures
from tracker.judging import Span
from tracker.late_lines import late_lines, learn
from tracker.leases import HOUR_MS, Lease, Line
from tracker.model import Message
from tracker.overdue import WITH_CUSTOMER, at_home
from tracker.ports import Writer
from tracker.process import Process
from tracker.record import record
from tracker.refold import refresh_some
from tracker.roll_call import call_roll
from tracker.world import World

LEADS_D = (7, 2)  # days before a line is due
EVERY = 1_000_000  # assets
DAY_MS = 24 * HOUR_MS


class ForecastTrial(Trial):
    """The run of the forecast: of every lease line so many days before it is due, from what had
    come by then, and by what the lines that had begun by then taught."""

    def __init__(self, truth: Mapping[str, Sequence[Span]]) -> None:
        super().__init__(truth, None)
        self.foretold = defaultdict[int, list[Foretold]](list)
        self._lines: list[tuple[Lease, Line]] = []
        self._moments: list[int] = []
        self._waiting: list[Said] = []
        self._end = max(spans[-1].until for spans in truth.values())

    def arrange(self, tx: Writer, world: World, process: Process | None) -> None:
        super().arrange(tx, world, process)
        for lease in leases_of(world):
            tx.put_lease(lease)
            known = (line for line in lease.lines if line.due_at + lease.grace_ms <= self._end)
            self._lines += ((lease, line) for line in known if line.asset in self.truth)
        due = {line.due_at for _, line in self._lines}
        self._moments = sorted({at - days * DAY_MS for at in due for days in LEADS_D})

    def run(self, tx: Writer, lines: Sequence[Said]) -> None:
        for line in lines:
            while self._moments and line.received >= self._moments[0]:
                self._foretell(tx, self._moments.pop(0))
            self._waiting.append(line)
        self._take(tx, lines[-1].received)

    def finish(self, tx: Writer) -> None:
        for moment in self._moments:
            self._foretell(tx, moment)

    def _take(self, tx: Writer, now: int) -> None:
        """Record what came by now."""
        messages = list[Message]()
        for line in self._waiting:
            if "fact" in line.fields:
                self._state(tx, line)
            elif (message := self.decoded(line)) is not None:
                messages.append(message)
        self._waiting = []
        record(tx, messages, [], self.policy)
        call_roll(tx, now)
        refresh_some(tx, now, EVERY)

    def _state(self, tx: Writer, line: Said) -> None:
        if (told := self.fact(line)) is None:
            return
        try:
            state(tx, [told], self.policy, line.received)
        except (BadFact, FactConflict):
            self.counts["refused_facts"] += 1

    def _foretell(self, tx: Writer, now: int) -> None:
        self._take(tx, now)
        found = {one.line.name: one for one in late_lines(tx, now, learn(tx, now))}
        for lease, line in self._lines:
            days, rest = divmod(line.due_at - now, DAY_MS)
            if rest or days not in LEADS_D or line.start_at > now:
                continue
            one = found.get(line.name)
            late = _came(self.truth[line.asset or ""], line) > line.due_at + lease.grace_ms
            p = one.p if one is not None else 0.0
            self.foretold[days].append(Foretold(p, late, under_way=one is not None))


def judged_lines(trials: Sequence[Mapping[int, Sequence[Foretold]]]) -> dict[str, Any]:
    """The figures over the lines of some trials, by how long before they were due."""
    return {
        f"{days} days before": figures([one for trial in trials for one in trial.get(days, ())])
        for days in LEADS_D
    }


def _came(spans: Sequence[Span], line: Line) -> int:
    """When the asset of a line truly came back: to the first depot stage after it was in use."""
    used = False
    for span in spans:
        if used and at_home(span.stage):
            return span.since
        used = used or (span.until > line.start_at and span.stage == WITH_CUSTOMER[0])
    return NEVER
