"""Simulated worlds in which devices really publish, on a clock that may run faster than ours."""

from __future__ import annotations

import json
import sys
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

from firmware_sim.broker import Broker
from firmware_sim.clock import Clock
from firmware_sim.device import Device
from firmware_sim.fleet import Fleet
from firmware_sim.outbox import Event
from firmware_sim.receipts import Run
from firmware_sim.world.assets import Progress
from firmware_sim.world.facts import Fact
from firmware_sim.world.mishaps import NEVER_MS, Condition, felt
from firmware_sim.world.report import Report
from firmware_sim.world.simulation import Simulation

ANSWER_WITHIN_S = 10.0
TURN_S = 0.2
PATIENCE_S = 30.0  # for receipts, when the world has ended


class Feed:
    """What a device senses, as its world says it beforehand; while it is offline it keeps that.

    >>> at_once = Condition.well()
    >>> feed = Feed([Report(5, [{"at": 4}]), Report(9, [{"at": 8}])], at_once)
    >>> feed.next_due_ms, feed.step(5), feed.next_due_ms
    (5, [{'at': 4}], 9)
    """

    def __init__(self, reports: Iterable[Report], fares: Condition) -> None:
        self._ahead = iter(felt(reports, fares))
        self._offline = fares.offline
        self._events: list[Event] = []
        self.next_due_ms = 0
        self._go_on()

    def step(self, now_ms: int) -> list[Event]:  # noqa: ARG002  all are due that were to come
        """The events that are due; sets `next_due_ms`."""
        events = self._events
        self._go_on()
        return events

    def _go_on(self) -> None:
        report = next(self._ahead, None)
        if report is None:
            self._events, self.next_due_ms = [], NEVER_MS
        else:
            self._events = report.events
            self.next_due_ms = self._offline.end(report.at) or report.at


@dataclass(frozen=True, slots=True)
class Scribe:
    """Tells facts: to the API at a base URL, with a key, or on standard output."""

    api: str = ""
    key: str = ""

    def tell(self, fact: Fact) -> str | None:
        """Why a fact was not taken; None: it was."""
        text = json.dumps(fact.body)
        if not self.api:
            print(text, flush=True)  # noqa: T201
            return None
        headers = {"Authorization": f"Bearer {self.key}", "Content-Type": "application/json"}
        url = f"{self.api.rstrip('/')}/v1/facts"
        request = Request(url, text.encode(), headers, method="POST")  # noqa: S310
        try:
            with urlopen(request, timeout=ANSWER_WITHIN_S):  # noqa: S310
                return None
        except HTTPError as error:
            return f"{error.code} {error.read(500).decode(errors='replace')}"
        except (URLError, OSError) as error:
            return str(error)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of worlds that were published: of each device and its boot the numbers that
    have `receipts`; how many messages have none, and how many facts were taken or not."""

    receipts: Mapping[tuple[str, str], Sequence[Run]]
    pending: int
    facts: int
    facts_refused: int

    def counts(self) -> dict[str, int]:
        """In numbers alone."""
        runs = [run for runs in self.receipts.values() for run in runs]
        return {
            "devices": len(self.receipts),
            "receipted": sum(high - low + 1 for low, high in runs),
            "pending": self.pending,
            "facts": self.facts,
            "facts_refused": self.facts_refused,
        }


class _Facts:
    """What is still to be told of facts, and how many were taken or not."""

    def __init__(self, facts: Iterable[Fact], scribe: Scribe) -> None:
        self._ahead = sorted(facts, key=lambda fact: fact.received_at, reverse=True)
        self._scribe = scribe
        self.told = self.refused = 0

    def tell(self, now: int) -> int:
        """Tell what is due; when the next one is."""
        while self._ahead and self._ahead[-1].received_at <= now:
            fact = self._ahead.pop()
            why = self._scribe.tell(fact)
            self.told, self.refused = self.told + (why is None), self.refused + (why is not None)
            if why is not None:
                print(f"{fact.body['id']} is not taken: {why}", file=sys.stderr)  # noqa: T201
        return self._ahead[-1].received_at if self._ahead else NEVER_MS


def publish(
    worlds: Sequence[Simulation],
    clock: Clock,
    broker: Broker,
    scribe: Scribe,
    stopped: threading.Event,
    progress: Progress,
) -> Outcome:
    """Let worlds that begin now on `clock` happen, until they end or are `stopped`. `progress` is
    called with the seconds of it that are over, and all."""
    start = min(world.scenario.start_ms for world in worlds)
    end = max(world.scenario.end_ms for world in worlds)
    sources = [source for world in worlds for source in world.sources()]
    feeds = [Feed(source.reports, source.fares) for source in sources]
    devices = [
        Device(source.device, broker, clock, feed)
        for source, feed in zip(sources, feeds, strict=True)
    ]
    facts = _Facts([fact for world in worlds for fact in world.facts()], scribe)
    with Fleet(devices) as fleet:
        while not stopped.is_set() and (now := clock.now_ms()) < end:
            progress((now - start) // 1_000, (end - start) // 1_000)
            due = min(end, facts.tell(now))
            stopped.wait(min(TURN_S, max(0.0, clock.real_seconds(due - clock.now_ms()))))
        _wait_for_receipts(fleet, feeds, end, stopped)
        pending = fleet.pending()
    receipts = {(device.device_id, device.boot): device.receipted() for device in devices}
    return Outcome(receipts, pending, facts.told, facts.refused)


def _wait_for_receipts(
    fleet: Fleet, feeds: Sequence[Feed], end: int, stopped: threading.Event
) -> None:
    """Until all that was sensed before `end` has a receipt, or patience is at its end."""
    patient_until = time.monotonic() + PATIENCE_S
    while not stopped.is_set() and time.monotonic() < patient_until:
        behind = any(feed.next_due_ms < end for feed in feeds)
        if not behind and not fleet.pending():
            return
        stopped.wait(TURN_S)
