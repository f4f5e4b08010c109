"""`retour evaluate`: inference judged against the truth, by the code that a gateway runs."""

from __future__ import annotations

import base64
import binascii
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from itertools import islice
from pathlib import Path
from typing import Annotated, Any, BinaryIO, NamedTuple

import orjson
import typer

from commands.show import UserError, show
from gateway.decoders import Undecodable, decoder_of
from tracker.audit import Act
from tracker.facts import BadFact, FactConflict, fact_of, state
from tracker.importer import import_world
from tracker.judging import Calibration, Shown, Span, figures, stage_at
from tracker.model import Observation
from tracker.ports import Writer
from tracker.present import Now, Present, known, present
from tracker.process import Process, read_process
from tracker.record import record
from tracker.stage import Told, begin, predicted
from tracker.stamps import HOUR, StampPolicy
from tracker.stores.sqlite import SqliteStore
from tracker.world import BadWorld, World, read_world

LINES_AT_ONCE = 2_000
EPOCH, NEVER = 0, 2**63


def evaluate(
    world: Annotated[Path, typer.Option(help="The world file.", show_default=False)],
    messages: Annotated[Path, typer.Option(help="What came, in order.", show_default=False)],
    truth: Annotated[Path, typer.Option(help="What was so.", show_default=False)],
    process: Annotated[
        Path | None, typer.Option(help="The stage model.", show_default="the shipped ones")
    ] = None,
    timeline: Annotated[
        Path | None, typer.Option(help="Write what was told, as it changed.", show_default=False)
    ] = None,
    posteriors: Annotated[
        Path | None, typer.Option(help="Write probabilities now and then.", show_default=False)
    ] = None,
    every: Annotated[int, typer.Option(min=1, help="Seconds between probabilities.")] = 3600,
) -> None:
    """Judge what is told of stages, and how surely, against the truth, and print figures.

    Example: retour evaluate --world world.yaml --messages messages.jsonl --truth truth.jsonl
    """
    began = time.monotonic()
    described = _read_world(world)
    process_used = _read_process(process) if process else None
    spans = read_truth(truth)
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="retour-evaluate-"))
        store = SqliteStore(Path(folder) / "retour.db")
        stack.callback(store.close)
        told = stack.enter_context(timeline.open("wb")) if timeline else None
        believed = stack.enter_context(posteriors.open("wb")) if posteriors else None
        trial = Trial(spans, told, believed, every)
        with store.writing() as tx:
            trial.arrange(tx, described, process_used)
        for lines in _chunks(messages):
            with store.writing() as tx:
                trial.run(tx, lines)
        with store.writing() as tx:
            trial.finish(tx)
    found = figures(spans, trial.shown, trial.calibration)
    show(found | trial.counts | {"seconds": round(time.monotonic() - began, 2)}, as_json=True)


class Line(NamedTuple):
    """A line of MESSAGES: its number, when it came, and what it holds."""

    number: int
    received: int
    fields: Mapping[str, Any]


class Trial:
    """A run over messages in arrival order, on an accelerated store: what is told and believed
    on the way."""

    def __init__(
        self,
        truth: Mapping[str, list[Span]],
        timeline: BinaryIO | None,
        posteriors: BinaryIO | None,
        every_s: int,
    ) -> None:
        self.shown = defaultdict[str, list[Shown]](list)
        self.calibration = Calibration()
        self.counts = {"observations": 0, "duplicates": 0, "late": 0, "undecodable": 0}
        self._truth = truth
        self._timeline, self._posteriors = timeline, posteriors
        self._every = every_s * 1_000
        self._due = {asset: spans[0].since for asset, spans in truth.items()}
        self._next_sample = min(self._due.values(), default=NEVER) if posteriors else NEVER
        first = min(self._due.values(), default=0)
        self._hour = first // HOUR * HOUR + HOUR
        self._now = 0
        self._assets: list[str] = []
        self._newest = dict[str, int]()
        self._path = dict[str, Told]()
        self._policy = StampPolicy()

    def arrange(self, tx: Writer, world: World, process: Process | None) -> None:
        """Register the world."""
        act = Act("retour evaluate", EPOCH, EPOCH)
        if process is not None:
            classes = sorted({asset.kind for asset in world.assets} | set(process.classes))
            tx.put_process(process.model_copy(update={"classes": classes}), EPOCH)
        import_world(tx, world, self._policy, act)
        self._assets = [asset.id for asset in world.assets]

    def run(self, tx: Writer, lines: list[Line]) -> None:
        """Take some lines."""
        for line in lines:
            self._go_on(tx, line.received)
            self._now = max(self._now, line.received)
            touched = self._take(tx, line)
            self._tell(tx, touched, line.received)

    def finish(self, tx: Writer) -> None:
        """Sample what is believed at the last line."""
        self._go_on(tx, self._now)
        if self._posteriors is not None:
            for asset in self._truth:
                self._write_sample(tx, asset, self._now)

    def _go_on(self, tx: Writer, until: int) -> None:
        """Tick whole hours and take samples that are due by a line."""
        while min(self._hour, self._next_sample) <= until:
            if self._next_sample <= self._hour:
                self._sample(tx, self._next_sample)
            else:
                self._tick(tx, self._hour)
                self._hour += HOUR

    def _tick(self, tx: Writer, now: int) -> None:
        beliefs = tx.beliefs(self._assets)
        before, settings = tx.presents(beliefs), tx.settings(beliefs)
        told = [present(b, settings[a], before.get(a), now) for a, b in beliefs.items()]
        tx.save_presents([one for one in told if _differs(one, before)])
        for one in told:
            asset = one.present.asset
            self._show(asset, now, one.present.told.stage, one.present.told.p, corrected=False)
            stages = settings[asset].evidence.chain.stages
            p = dict(zip(stages, one.stages[0].tolist(), strict=True))
            if (true := stage_at(self._truth.get(asset, ()), now)) is not None:
                self.calibration.add(p, true)

    def _take(self, tx: Writer, line: Line) -> set[str]:
        if "fact" in line.fields:
            return self._take_fact(tx, line)
        topic = line.fields.get("topic")
        if not isinstance(topic, str):
            raise UserError(f"line {line.number}: neither a `topic` nor a `fact`")
        try:
            message = decoder_of(topic)(topic, _payload(line), line.received)
        except Undecodable:
            self.counts["undecodable"] += 1
            return set()
        done = record(tx, [message], [], self._policy)
        self.counts["observations"] += done.stored
        self.counts["duplicates"] += done.duplicates
        return self._touched(tx, message.observations) if done.stored else set()

    def _take_fact(self, tx: Writer, line: Line) -> set[str]:
        try:
            fact, at = fact_of(line.fields["fact"])
            (stated,) = state(tx, [(fact, at)], self._policy, line.received)
        except (BadFact, FactConflict) as error:
            raise UserError(f"line {line.number}: {error}") from None
        self.counts["observations" if stated.new else "duplicates"] += 1
        return {fact.asset} if stated.new else set()

    def _touched(self, tx: Writer, rows: list[Observation]) -> set[str]:
        touched = set()
        bindings = tx.bindings({row.subject for row in rows})
        for row in rows:
            for binding in bindings.get(row.subject, ()):
                if binding.holds_at(row.at):
                    touched.add(binding.asset)
                    self.counts["late"] += row.at < self._newest.get(binding.asset, 0)
                    self._newest[binding.asset] = max(row.at, self._newest.get(binding.asset, 0))
        return touched

    def _sample(self, tx: Writer, at: int) -> None:
        """Write what is believed of the assets that are due, and set the next time."""
        for asset, due in self._due.items():
            if due == at:
                self._write_sample(tx, asset, at)
                self._due[asset] += self._every
        self._next_sample = min(self._due.values())

    def _write_sample(self, tx: Writer, asset: str, at: int) -> None:
        assert self._posteriors is not None  # else nothing is sampled
        setting = tx.settings([asset])[asset]
        case, evidence = setting
        belief = tx.beliefs([asset]).get(asset)
        standing = known(belief) if belief is not None else begin(evidence, case, at)
        q = evidence.chain.by_stage(predicted(standing, case, evidence, at))
        p = dict(zip(evidence.chain.stages, q[0].tolist(), strict=True))
        self._posteriors.write(orjson.dumps({"asset": asset, "at": at, "p": p}) + b"\n")

    def _tell(self, tx: Writer, assets: set[str], now: int) -> None:
        for asset, told in tx.presents(sorted(assets)).items():
            corrected = told.path.since < now - HOUR and told.path != self._path.get(asset)
            self._path[asset] = told.path
            self._show(asset, now, told.told.stage, told.told.p, corrected=corrected)

    def _show(self, asset: str, at: int, stage: str | None, p: float, *, corrected: bool) -> None:
        changes = self.shown[asset]
        if (changes[-1].stage if changes else None) == stage:
            return
        changes.append(Shown(at, stage))
        if self._timeline is not None:
            line = {"asset": asset, "at": at, "stage": stage or "unknown", "p": p}
            self._timeline.write(orjson.dumps(line | {"correction": corrected}) + b"\n")


def _differs(one: Now, before: Mapping[str, Present]) -> bool:
    old = before.get(one.present.asset)
    return old is None or old.told.stage != one.present.told.stage


def _payload(line: Line) -> bytes:
    fields = line.fields
    if "payload_base64" in fields:
        try:
            return base64.b64decode(fields["payload_base64"], validate=True)
        except (binascii.Error, TypeError, ValueError):
            raise UserError(f"line {line.number}: `payload_base64` is no base64") from None
    if "payload" not in fields:
        raise UserError(f"line {line.number}: a `topic` without a `payload`")
    return orjson.dumps(fields["payload"])


def _lines(path: Path) -> Iterator[Line]:
    """The lines of MESSAGES. Raises UserError where one is none."""
    with path.open("rb") as file:
        for number, text in enumerate(file, 1):
            if not text.strip():
                continue
            try:
                fields = orjson.loads(text)
                received = int(fields["received_at"])
            except (orjson.JSONDecodeError, KeyError, TypeError, ValueError):
                detail = "no JSON object with a `received_at` in epoch ms"
                raise UserError(f"{path}: line {number}: {detail}") from None
            yield Line(number, received, fields)


def _chunks(path: Path) -> Iterator[list[Line]]:
    lines = _lines(path)
    while some := list(islice(lines, LINES_AT_ONCE)):
        yield some


def read_truth(path: Path) -> dict[str, list[Span]]:
    """The lines of TRUTH, by asset, in order. Raises UserError where one is none."""
    found = defaultdict[str, list[Span]](list)
    with path.open("rb") as file:
        for number, text in enumerate(file, 1):
            if not text.strip():
                continue
            try:
                fields = orjson.loads(text)
                span = Span(str(fields["stage"]), int(fields["from"]), int(fields["to"]))
                found[str(fields["asset"])].append(span)
            except (orjson.JSONDecodeError, KeyError, TypeError, ValueError):
                detail = "no JSON object with `asset`, `stage`, `from` and `to`"
                raise UserError(f"{path}: line {number}: {detail}") from None
    return {asset: sorted(spans, key=lambda span: span.since) for asset, spans in found.items()}


def _read_world(path: Path) -> World:
    try:
        return read_world(path.read_bytes())
    except BadWorld as bad:
        raise UserError("\n".join(f"{path}: {fault}" for fault in bad.faults)) from None


def _read_process(path: Path) -> Process:
    try:
        return read_process(path.read_bytes())
    except BadWorld as bad:
        raise UserError("\n".join(f"{path}: {fault}" for fault in bad.faults)) from None
