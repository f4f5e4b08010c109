"""Runs over messages in arrival order: what is told of stages on the way, and how surely."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import BinaryIO, NamedTuple

import orjson

from commands.evaluate_alerts import Watch
from commands.evaluate_files import Line
from gateway.decoders import Undecodable, decoder_of
from tracker.audit import Act
from tracker.evidence import NEVER
from tracker.facts import FACT_KEYS, BadFact, FactConflict, fact_of, state
from tracker.forecast import Outlook, forecast, outlook
from tracker.importer import import_world
from tracker.judging import Calibration, Shown, Span, stage_at
from tracker.model import Fact, Message, Observation
from tracker.outages import suspects
from tracker.ports import Writer
from tracker.present import Now, Present, known, present, told_next
from tracker.process import Process, shipped
from tracker.record import first_heard, record, sift
from tracker.refold import refresh
from tracker.roll_call import call_roll
from tracker.stage import Told, begin
from tracker.stamps import HOUR, StampPolicy
from tracker.world import World

EPOCH = 0
ROLL_EVERY_MS = 60_000

Order = tuple[int, int, int, int]
"""When something is told: the time; lines before samples before ticks; which of them, and of
what in it."""
LINE, SAMPLE, TICK = range(3)


class Trial:
    """What all runs have in common: a world, what is counted, and what is shown of each asset,
    which goes into `timeline` as it changes."""

    def __init__(self, truth: Mapping[str, Sequence[Span]], timeline: BinaryIO | None) -> None:
        self.shown = defaultdict[str, list[Shown]](list)
        self.calibration = Calibration()
        self.counts = {"observations": 0, "duplicates": 0, "late": 0}
        self.counts |= {"undecodable": 0, "refused_facts": 0}
        self.truth = truth
        self.policy = StampPolicy()
        self.numbers = dict[str, int]()  # of the assets, for the order in which they are told
        self._timeline = timeline
        self._unwritten: list[tuple[Order, bytes]] = []
        self.seen = set[bytes]()
        self._newest = dict[str, int]()

    def arrange(self, tx: Writer, world: World, process: Process | None) -> None:
        """Register the world."""
        act = Act("retour evaluate", EPOCH, EPOCH)
        model = process or next(iter(shipped().values()))
        classes = sorted({asset.kind for asset in world.assets} | set(model.classes))
        tx.put_process(model.model_copy(update={"classes": classes}), EPOCH)
        # Its leases are looked at beside: whatever they say, stages are told without them.
        places = world.model_copy(update={"leases": [], "partners": []})
        import_world(tx, places, self.policy, act)
        self.numbers = {asset.id: n for n, asset in enumerate(world.assets)}

    def run(self, tx: Writer, lines: Sequence[Line]) -> None:
        """Take some lines."""
        raise NotImplementedError

    def finish(self, tx: Writer) -> None:
        """There are no more lines."""

    def decoded(self, line: Line) -> Message | None:
        """The message of a line; None: it cannot be decoded."""
        topic = line.fields.get("topic")
        if not isinstance(topic, str):
            raise line.error("neither a `topic` nor a `fact`")
        try:
            return decoder_of(topic)(topic, line.payload(), line.received)
        except Undecodable:
            self.counts["undecodable"] += 1
            return None

    def fact(self, line: Line) -> tuple[Fact, int] | None:
        """The fact of a line, and its event time; None: it is refused."""
        given = line.fields["fact"]
        if not isinstance(given, dict):
            raise line.error("`fact` is no JSON object")
        try:
            fact, at = fact_of({key: given[key] for key in given if key in FACT_KEYS})
        except BadFact:
            fact = None
        if fact is None or fact.asset not in self.numbers:
            self.counts["refused_facts"] += 1
            return None
        return fact, at

    def news(self, tx: Writer, message: Message) -> list[tuple[Observation, list[str]]]:
        """What a message says for the first time and is believed, with the assets that it is
        about. It is counted."""
        device = first_heard(tx, [message]).get(message.device)
        rows = sift(message, device, self.policy).rows if device is not None else []
        new = list({row.key: row for row in rows if row.key not in self.seen}.values())
        self.seen.update(row.key for row in new)
        self.counts["observations"] += len(new)
        self.counts["duplicates"] += len(rows) - len(new)
        bindings = tx.bindings({row.subject for row in new})
        news = [
            (row, sorted({b.asset for b in bindings.get(row.subject, ()) if b.holds_at(row.at)}))
            for row in new
        ]
        self._count_late(news)
        return news

    def _count_late(self, news: Sequence[tuple[Observation, list[str]]]) -> None:
        """Count what is older than what had come of the same asset."""
        for row, assets in news:
            for asset in assets:
                self.counts["late"] += row.at < self._newest.get(asset, row.at)
                self._newest[asset] = max(row.at, self._newest.get(asset, row.at))

    def show(self, asset: str, at: int, told: Told, order: Order, *, corrected: bool) -> None:
        """What is told of an asset from now on; to be written in this order."""
        changes = self.shown[asset]
        if (changes[-1].stage if changes else None) == told.stage:
            return
        changes.append(Shown(at, told.stage))
        if self._timeline is not None:
            line = {"asset": asset, "at": at, "stage": told.stage or "unknown", "p": told.p}
            text = orjson.dumps(line | {"correction": corrected}) + b"\n"
            self._unwritten.append((order, text))

    def write(self) -> None:
        """Write what was shown since."""
        if self._timeline is not None:
            self._timeline.writelines(text for _, text in sorted(self._unwritten))
        self._unwritten = []


class _Taken(NamedTuple):
    """A line, what it says, and the assets that it may touch."""

    line: Line
    says: Message | tuple[Fact, int]
    assets: list[str]


class FilterTrial(Trial):
    """The run of the filter: every line is recorded, every whole hour ticks all assets; every
    `every_s` seconds, probabilities are written to `posteriors`.

    But where readers are told to be down, no asset depends on another one. So lines are not
    recorded one by one, but in layers: the
    first line of every asset, the second of every asset, and so on, each asset's hours in
    between. That takes a fraction of the time; what is told is put into order afterwards, and
    is what comes of one line after the other.
    """

    def __init__(
        self,
        truth: Mapping[str, Sequence[Span]],
        timeline: BinaryIO | None,
        posteriors: BinaryIO | None,
        every_s: int,
        alerts: BinaryIO | None = None,
    ) -> None:
        super().__init__(truth, timeline)
        self._alerts = alerts
        self._watch: Watch | None = None
        self._posteriors = posteriors
        self._every = every_s * 1_000
        self._due = {asset: spans[0].since for asset, spans in truth.items()}
        self._first = min(self._due.values())
        self._hours = dict[str, int]()
        self._now = 0
        self._outlooks = dict[str, Outlook]()
        self._path = dict[str, Told]()
        self._sampled: list[tuple[Order, bytes]] = []
        self._judged: list[tuple[Order, dict[str, float], str]] = []

    def arrange(self, tx: Writer, world: World, process: Process | None) -> None:
        super().arrange(tx, world, process)
        if self._alerts is not None:
            self._watch = Watch(world, self._alerts)
        for asset, one in tx.presents(self.truth).items():
            since = self.truth[asset][0].since
            order = (since, TICK, self.numbers[asset], 0)
            self.show(asset, since, one.told, order, corrected=False)
        hour = self._first // HOUR * HOUR + HOUR
        self._hours = {asset.id: hour for asset in world.assets}

    def run(self, tx: Writer, lines: Sequence[Line]) -> None:
        for part in self._parts(tx, lines):
            for layer in _layers(part):
                self._take(tx, layer)
            self._call_roll(tx, part[-1].line)
        self._now = lines[-1].received
        self._go_on(tx, dict.fromkeys(self._hours, self._now))
        self.write()

    def finish(self, tx: Writer) -> None:
        self._go_on(tx, dict.fromkeys(self._hours, self._now + 1))
        last = self._now + self._every  # due then: just sampled
        begun = [asset for asset, spans in self.truth.items() if spans[0].since <= self._now]
        if self._posteriors is not None:
            self._sample(tx, [(a, self._now) for a in begun if self._due[a] != last])
        self.write()

    def write(self) -> None:
        super().write()
        if self._watch is not None:
            self._watch.write()
        if self._posteriors is not None:
            self._posteriors.writelines(text for _, text in sorted(self._sampled))
        for _, p, true in sorted(self._judged, key=lambda one: one[0]):
            self.calibration.add(p, true)
        self._sampled, self._judged = [], []

    # Lines

    def _parts(self, tx: Writer, lines: Sequence[Line]) -> Iterator[list[_Taken]]:
        """What lines say, parted within a minute of each that tells of a reader's outage: that
        may concern every asset."""
        part, due = list[_Taken](), NEVER
        for one in self._understood(tx, lines):
            if one.line.received >= due:
                yield part
                part, due = [], NEVER
            part.append(one)
            rows = one.says.observations if isinstance(one.says, Message) else ()
            if suspects(rows, tx.layout(), tx.inference().outages):
                due = min(due, one.line.received + ROLL_EVERY_MS)
        if part:
            yield part

    def _call_roll(self, tx: Writer, line: Line) -> None:
        """Let everything follow what a line has told of outages."""
        if not tx.suspects():
            return
        self._go_on(tx, dict.fromkeys(self._hours, line.received))
        stale = call_roll(tx, line.received)
        for asset in stale:
            refresh(tx, asset, line.received)
        self._outlooks.clear()
        for asset, one in tx.presents(stale).items():
            self._show_line(line, self.numbers[asset], one)
        self._look(tx, dict.fromkeys(stale, line.received))

    def _understood(self, tx: Writer, lines: Sequence[Line]) -> Iterator[_Taken]:
        """What lines say, in their order."""
        for line in lines:
            if "fact" in line.fields:
                if (told := self.fact(line)) is not None:
                    yield _Taken(line, told, [told[0].asset])
            elif (message := self.decoded(line)) is not None:
                self.news(tx, message)
                bindings = tx.bindings({row.subject for row in message.observations})
                assets = {binding.asset for bound in bindings.values() for binding in bound}
                yield _Taken(line, message, sorted(assets))

    def _take(self, tx: Writer, layer: Sequence[_Taken]) -> None:
        """Record lines about different assets, and show what comes of each."""
        self._go_on(tx, {asset: one.line.received for one in layer for asset in one.assets})
        messages = [one.says for one in layer if isinstance(one.says, Message)]
        record(tx, messages, [], self.policy)
        for one in layer:
            if not isinstance(one.says, Message):
                self._state(tx, one.line, *one.says)
        touched = [asset for one in layer for asset in one.assets]
        for asset in touched:
            self._outlooks.pop(asset, None)
        presents = tx.presents(touched)
        for line, _, assets in layer:
            for n, asset in enumerate(assets):
                if asset in presents:
                    self._show_line(line, n, presents[asset])
        scanned = {one.assets[0] for one in layer if not isinstance(one.says, Message)}
        ticks = {asset: one.line.received for one in layer for asset in one.assets}
        self._look(tx, ticks, scanned)

    def _look(self, tx: Writer, assets: Mapping[str, int], scanned: Collection[str] = ()) -> None:
        """Look at the leases of assets of which something was told, each at a time."""
        if self._watch is None:
            return
        ats = {asset: at for asset, at in assets.items() if asset in self._watch}
        presents = tx.presents(ats)
        for asset in ats:
            self._watch.tell(tx, asset, presents.get(asset), scanned=asset in scanned)
        self._look_at(tx, list(ats.items()))

    def _look_at(self, tx: Writer, moments: Sequence[tuple[str, int]]) -> None:
        assert self._watch is not None
        self._look_out(tx, [asset for asset, _ in moments])
        outlooks = [self._outlooks[asset] for asset, _ in moments]
        rows = forecast(outlooks, [at for _, at in moments])
        for (asset, at), one, q in zip(moments, outlooks, rows, strict=True):
            stages = one.setting.evidence.chain.stages
            self._watch.look(asset, at, dict(zip(stages, q[0].tolist(), strict=True)))

    def _look_until(self, tx: Writer, asset: str, end: int) -> None:
        """Look at an asset whenever time alone may have changed something, before a time."""
        if self._watch is None:
            return
        while (at := self._watch.due(asset)) is not None and at < end:
            self._look_at(tx, [(asset, at)])

    def _state(self, tx: Writer, line: Line, fact: Fact, at: int) -> None:
        try:
            (stated,) = state(tx, [(fact, at)], self.policy, line.received)
        except (BadFact, FactConflict):
            self.counts["refused_facts"] += 1
            return
        self.counts["observations" if stated.new else "duplicates"] += 1

    def _show_line(self, line: Line, n: int, one: Present) -> None:
        early = one.path.since < line.received - HOUR
        corrected = early and one.path != self._path.get(one.asset)
        self._path[one.asset] = one.path
        order = (line.received, LINE, line.number, n)
        self.show(one.asset, line.received, one.told, order, corrected=corrected)

    # Time

    def _go_on(self, tx: Writer, until: Mapping[str, int]) -> None:
        """Take the samples and the whole hours of assets that are due before a time each."""
        samples, ticks = list[tuple[str, int]](), list[tuple[str, int]]()
        for asset, end in until.items():
            if self._posteriors is not None and asset in self._due:
                samples += ((asset, at) for at in range(self._due[asset], end, self._every))
                self._due[asset] = _next(self._due[asset], end, self._every)
            ticks += ((asset, at) for at in range(self._hours[asset], end, HOUR))
            self._hours[asset] = _next(self._hours[asset], end, HOUR)
        self._sample(tx, samples)
        self._tick(tx, ticks)
        for asset, end in until.items():
            self._look_until(tx, asset, end)

    def _sample(self, tx: Writer, moments: Sequence[tuple[str, int]]) -> None:
        """Write what is believed of assets at times."""
        self._look_out(tx, [asset for asset, _ in moments])
        outlooks = [self._outlooks[asset] for asset, _ in moments]
        rows = forecast(outlooks, [at for _, at in moments])
        for (asset, at), one, q in zip(moments, outlooks, rows, strict=True):
            p = dict(zip(one.setting.evidence.chain.stages, q[0].tolist(), strict=True))
            text = orjson.dumps({"asset": asset, "at": at, "p": p}) + b"\n"
            self._sampled.append(((at, SAMPLE, self.numbers[asset], 0), text))

    def _tick(self, tx: Writer, moments: Sequence[tuple[str, int]]) -> None:
        """Show what whole hours make of assets, and judge how sure that is."""
        beliefs = tx.beliefs(dict.fromkeys(asset for asset, _ in moments))
        moments = [moment for moment in moments if moment[0] in beliefs]
        self._look_out(tx, [*beliefs])
        presents = tx.presents(beliefs)
        changed = dict[str, Now]()
        outlooks = [self._outlooks[asset] for asset, _ in moments]
        ats = [max(at, beliefs[asset].at) for asset, at in moments]
        rows = forecast(outlooks, ats)
        for (asset, hour), one, at, q in zip(moments, outlooks, ats, rows, strict=True):
            order = (hour, TICK, self.numbers[asset], 0)
            chain, old = one.setting.evidence.chain, presents.get(asset)
            told = told_next(one.standing, old, q, chain, at)
            if old is None or told.stage != old.told.stage:
                made = present(beliefs[asset], one.setting, old, hour)
                changed[asset], presents[asset] = made, made.present
                self.show(asset, hour, made.present.told, order, corrected=False)
                if self._watch is not None and asset in self._watch:
                    self._look_until(tx, asset, hour)
                    self._watch.tell(tx, asset, made.present)
            p = dict(zip(chain.stages, q[0].tolist(), strict=True))
            if self._watch is not None and asset in self._watch:
                self._look_until(tx, asset, hour)
                self._watch.look(asset, hour, p)
            if (true := stage_at(self.truth.get(asset, ()), hour)) is not None:
                self._judged.append((order, p, true))
        tx.save_presents([*changed.values()])

    def _look_out(self, tx: Writer, assets: Iterable[str]) -> None:
        """Know how assets go on from what is believed of them; of which there is nothing yet,
        from what may be expected."""
        unknown = [asset for asset in dict.fromkeys(assets) if asset not in self._outlooks]
        beliefs, settings = tx.beliefs(unknown), tx.settings(unknown)
        for asset in unknown:
            setting = settings[asset]
            if asset in beliefs:
                self._outlooks[asset] = outlook(known(beliefs[asset]), setting)
            else:
                never = begin(setting.evidence, setting.case, NEVER)
                self._outlooks[asset] = outlook(never, setting)


def _layers(lines: Iterable[_Taken]) -> list[list[_Taken]]:
    """Lines parted such that none shares an asset with another one of its layer, and that what
    an asset or a device has told stays in order."""
    layers: list[list[_Taken]] = []
    reached = defaultdict[str, int](lambda: -1)
    for one in lines:
        n = 1 + max((reached[f"asset {asset}"] for asset in one.assets), default=-1)
        if isinstance(one.says, Message):
            n = max(n, reached[f"device {one.says.device}"])
            reached[f"device {one.says.device}"] = n
        reached.update((f"asset {asset}", n) for asset in one.assets)
        if n == len(layers):
            layers.append([])
        layers[n].append(one)
    return layers


def _next(due: int, end: int, every: int) -> int:
    """The first time that is due at `end` or later."""
    return due + max(0, -((due - end) // every)) * every
