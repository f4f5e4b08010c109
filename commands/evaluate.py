"""`retour evaluate`: inference judged against the truth, by the code that a gateway runs."""

from __future__ import annotations

import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from enum import StrEnum
from itertools import islice, repeat
from multiprocessing import get_context
from pathlib import Path
from typing import Annotated, Any, BinaryIO, NamedTuple

import typer

from commands.evaluate_files import (
    Line,
    read_messages,
    read_process_file,
    read_truth,
    read_world_file,
)
from commands.evaluate_forecast import ForecastTrial, judged_lines
from commands.evaluate_methods import RULES, RuleTrial, SmootherTrial
from commands.evaluate_trial import FilterTrial, Trial
from commands.show import UserError, progress_bar, show
from tracker.judging import Calibration, Shown, Span, figures
from tracker.process import Process
from tracker.stores.sqlite import SqliteStore

LINES_AT_ONCE = 5_000
Progress = Callable[[int, int], None]  # done, of all


class Method(StrEnum):
    """What is judged."""

    FILTER = "filter"
    LAST_ZONE = "last-zone"
    DEBOUNCED = "debounced"
    RULE = "rule"
    SMOOTHER = "smoother"


def evaluate(
    world: Annotated[Path | None, typer.Option(help="The world file.")] = None,
    messages: Annotated[Path | None, typer.Option(help="What came, in order.")] = None,
    truth: Annotated[Path | None, typer.Option(help="What was so.")] = None,
    pool: Annotated[
        list[Path] | None,
        typer.Option(help="A folder with WORLD.yaml, MESSAGES.jsonl, TRUTH.jsonl; repeatable."),
    ] = None,
    method: Annotated[
        Method, typer.Option(help="What is judged: what Retour does, or what to compare it with.")
    ] = Method.FILTER,
    process: Annotated[
        Path | None,
        typer.Option(help="The stage model of all classes.", show_default="pallet-pool"),
    ] = None,
    timeline: Annotated[
        Path | None, typer.Option(help="Write what was told, as it changed.", show_default=False)
    ] = None,
    posteriors: Annotated[
        Path | None, typer.Option(help="Write probabilities now and then.", show_default=False)
    ] = None,
    every: Annotated[int, typer.Option(min=1, help="Seconds between probabilities.")] = 3600,
    alerts: Annotated[
        Path | None, typer.Option(help="Write what became of alerts.", show_default=False)
    ] = None,
    forecast: Annotated[
        bool, typer.Option("--forecast", help="Judge which lease lines are foretold to be late.")
    ] = False,
    jobs: Annotated[int, typer.Option(min=1, help="Worlds judged at a time.")] = 1,
) -> None:
    """Judge what is told of stages, and how surely, against the truth, and print figures.

    Example: retour evaluate --world world.yaml --messages messages.jsonl --truth truth.jsonl
    """
    began = time.monotonic()
    given = [_read(files) for files in _files(world, messages, truth, pool or [])]
    if len(given) > 1 and (timeline or posteriors or alerts):
        raise UserError("--timeline, --posteriors and --alerts are of one world: give one")
    if method != Method.FILTER and (posteriors or alerts):
        raise UserError("--posteriors and --alerts are the filter's: others tell stages alone")
    model = read_process_file(process) if process else None
    if forecast:
        if timeline or posteriors or method != Method.FILTER or jobs > 1:
            raise UserError("--forecast goes with --process alone: it judges leases, not stages")
        show(_forecasts(given, model) | _took(began), as_json=True)
        return
    with ExitStack() as stack:
        told = stack.enter_context(timeline.open("wb")) if timeline else None
        believed = stack.enter_context(posteriors.open("wb")) if posteriors else None
        raised = stack.enter_context(alerts.open("wb")) if alerts else None
        progress = stack.enter_context(progress_bar("Judging"))
        trials = [_trial(method, one, told, believed, raised, every) for one in given]
        if jobs > 1 and len(given) > 1:
            judged = _side_by_side(trials, given, model, jobs, progress)
        else:
            judged = _one_by_one(trials, given, model, progress)
    found = _pooled(judged)
    found |= _took(began)
    if pool:
        names = [str(one.files.world.parent) for one in given]
        found["worlds"] = dict(zip(names, map(Judged.figures, judged), strict=True))
    show(found, as_json=True)


def _took(began: float) -> dict[str, float]:
    return {"seconds": round(time.monotonic() - began, 2)}


def _forecasts(given: Sequence[Given], process: Process | None) -> dict[str, Any]:
    """How well it was foretold which lines of some worlds come back late."""
    trials = [ForecastTrial(one.truth) for one in given]
    with progress_bar("Judging") as progress:
        _run_all(trials, given, process, progress)
    found = judged_lines([trial.foretold for trial in trials])
    names = (str(one.files.world.parent) for one in given)
    each = (judged_lines([trial.foretold]) for trial in trials)
    return found | {"worlds": dict(zip(names, each, strict=True))}


class Files(NamedTuple):
    """The files of a world."""

    world: Path
    messages: Path
    truth: Path


class Given(NamedTuple):
    """The files of a world, and what was so there."""

    files: Files
    truth: dict[str, list[Span]]

    @property
    def size(self) -> int:
        """How much there is to read of messages, bytes."""
        return self.files.messages.stat().st_size


def _files(
    world: Path | None, messages: Path | None, truth: Path | None, pool: Sequence[Path]
) -> list[Files]:
    found = [Files(one / "WORLD.yaml", one / "MESSAGES.jsonl", one / "TRUTH.jsonl") for one in pool]
    if pool and not (world or messages or truth):
        return found
    if pool or world is None or messages is None or truth is None:
        raise UserError("give --world, --messages and --truth, or folders as --pool")
    return [Files(world, messages, truth)]


def _read(files: Files) -> Given:
    """What was so in a world, which is checked and read again when it is run."""
    world, truth = read_world_file(files.world), read_truth(files.truth)
    unknown = sorted(truth.keys() - {asset.id for asset in world.assets})
    if unknown:
        raise UserError(f"{files.truth}: there is no asset {unknown[0]} in {files.world}")
    if not truth:
        raise UserError(f"{files.truth}: holds no line")
    return Given(files, truth)


def _trial(
    method: Method,
    given: Given,
    told: BinaryIO | None,
    believed: BinaryIO | None,
    raised: BinaryIO | None,
    every: int,
) -> Trial:
    if method in RULES:
        return RuleTrial(given.truth, told, RULES[method])
    if method == Method.SMOOTHER:
        return SmootherTrial(given.truth, told)
    return FilterTrial(given.truth, told, believed, every, raised)


class Judged(NamedTuple):
    """What came of a trial."""

    truth: Mapping[str, Sequence[Span]]
    shown: Mapping[str, Sequence[Shown]]
    calibration: Calibration
    counts: Mapping[str, int]

    @classmethod
    def of(cls, trial: Trial) -> Judged:
        return cls(trial.truth, trial.shown, trial.calibration, trial.counts)

    def figures(self) -> dict[str, Any]:
        return figures(self.truth, self.shown, self.calibration) | dict(self.counts)


def _one_by_one(
    trials: Sequence[Trial], given: Sequence[Given], process: Process | None, progress: Progress
) -> list[Judged]:
    _run_all(trials, given, process, progress)
    return [Judged.of(trial) for trial in trials]


def _run_all(
    trials: Sequence[Trial], given: Sequence[Given], process: Process | None, progress: Progress
) -> None:
    sizes = [one.size for one in given]
    for n, (trial, one) in enumerate(zip(trials, given, strict=True)):
        for read in run(trial, one.files.world, one.files.messages, process):
            progress(sum(sizes[:n]) + read, sum(sizes))


def _side_by_side(
    trials: Sequence[Trial],
    given: Sequence[Given],
    process: Process | None,
    jobs: int,
    progress: Progress,
) -> list[Judged]:
    """The same, each in a process of its own, so many at a time."""
    judged = []
    with ProcessPoolExecutor(jobs, get_context("spawn")) as workers:
        for one in workers.map(_whole, trials, given, repeat(process)):
            judged.append(one)
            progress(len(judged), len(given))
    return judged


def _whole(trial: Trial, given: Given, process: Process | None) -> Judged:
    for _ in run(trial, given.files.world, given.files.messages, process):
        pass
    return Judged.of(trial)


def run(trial: Trial, world: Path, messages: Path, process: Process | None) -> Iterator[int]:
    """Put a trial through the messages of a world, in a database of its own; yields how much
    of them it has read (bytes)."""
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="retour-evaluate-"))
        store = SqliteStore(Path(folder) / "retour.db")
        stack.callback(store.close)
        with store.writing() as tx:
            trial.arrange(tx, read_world_file(world), process)
        for lines in _chunks(read_messages(messages)):
            with store.writing() as tx:
                trial.run(tx, lines)
            yield lines[-1].end
        with store.writing() as tx:
            trial.finish(tx)


def _chunks(lines: Iterator[Line]) -> Iterator[list[Line]]:
    while some := list(islice(lines, LINES_AT_ONCE)):
        yield some


def _pooled(judged: Sequence[Judged]) -> dict[str, Any]:
    """The figures over the assets of all worlds, which may have the same names."""
    truth, shown = dict[str, Sequence[Span]](), dict[str, Sequence[Shown]]()
    calibration, counts = Calibration(), Counter[str]()
    for n, one in enumerate(judged):
        truth |= _numbered(n, one.truth)
        shown |= _numbered(n, one.shown)
        calibration.add_all(one.calibration)
        counts.update(one.counts)
    return Judged(truth, shown, calibration, counts).figures()


def _numbered(n: int, of: Mapping[str, Any]) -> dict[str, Any]:
    return {f"{n}/{asset}": value for asset, value in of.items()}
