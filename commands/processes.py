"""`retour process`, `retour refold`: through which stages assets pass, as a file says it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from commands.asking import did_you_mean, opened
from commands.faults import told
from commands.flowchart import draw, dwelling, mermaid, percent, whereabouts
from commands.settings import load_settings
from commands.show import AsJson, UserError, count, say, show
from commands.world import refold
from tracker.chain import shortest_h
from tracker.follow import follow
from tracker.process import Process, Stage, as_json, read_process, shipped
from tracker.worldfile import BadWorld, Fault, locate, parse

group = typer.Typer(no_args_is_help=True, help="Processes: the stages that assets pass through.")

ProcessFile = Annotated[Path, typer.Argument(help="The process's file.", show_default=False)]


@group.command("check")
def process_check(file: ProcessFile, as_json: AsJson = False) -> None:
    """Say whether a process's file is fine; else every fault of it, by line.

    Example: retour process check crates.yaml
    """
    process = _read(file)
    if as_json:
        show(_summary(process), as_json=True)
        return
    ends = [name for name, stage in process.stages.items() if not stage.next]
    say(
        f"{file} is fine: {process.process}, {count(len(process.stages), 'stage')} "
        f"({count(len(ends), 'end')}), {count(len(process.facts), 'fact')}, followed by "
        f"{_classes(process)}"
    )


@group.command("show")
def process_show(
    what: Annotated[
        str | None,
        typer.Argument(metavar="[FILE|NAME]", help="A file, or a process by its name."),
    ] = None,
    as_mermaid: Annotated[
        bool, typer.Option("--mermaid", help="Print a Mermaid state diagram.")
    ] = False,
    svg: Annotated[
        Path | None, typer.Option("--svg", metavar="FILE", help="Write a picture of it.")
    ] = None,
    json: AsJson = False,
) -> None:
    """Show the stages of a process: where, for how long, what comes next.

    Example: retour process show pallet-pool --svg pallet-pool.svg
    """
    process = _found(what or next(iter(shipped())))
    if svg is not None:
        svg.write_text(draw(process), encoding="utf-8")
        say(f"{svg} shows {process.process}")
    elif as_mermaid:
        print(mermaid(process), end="")  # noqa: T201
    elif json:
        show(as_json(process), as_json=True)
    else:
        say(f"{process.process}, followed by {_classes(process)}")
        show([_row(name, stage) for name, stage in process.stages.items()], as_json=False)


def _row(name: str, stage: Stage) -> dict[str, Any]:
    ahead = sorted(stage.next.items(), key=lambda move: -move[1])
    return {
        "stage": name,
        "where": whereabouts(stage),
        "mean": dwelling(stage.mean_h) if stage.next else None,
        "next": ", ".join(
            f"{to} {percent(share)}{' if announced' if to in stage.announced else ''}"
            for to, share in ahead
        )
        or "the end",
    }


@group.command("list")
def process_list(as_json: AsJson = False) -> None:
    """List the processes: the own ones in use, then those that are shipped.

    Example: retour process list
    """
    known, own = _known()
    rows = [{**_summary(p), "own": name in own} for name, p in known.items()]
    words = [
        {
            "process": row["process"],
            "from": "a file" if row["own"] else "shipped",
            "stages": row["stages"],
            "facts": row["facts"],
            "classes": ", ".join(row["classes"]),
        }
        for row in rows
    ]
    show(rows if as_json else words, as_json)


@group.command("use")
def process_use(file: ProcessFile, as_json: AsJson = False) -> None:
    """Let the classes that a file names follow its process, from now on and always before.

    Example: retour process use crates.yaml
    """
    process = _read(file)
    settings = load_settings()
    act, store = settings.act(), settings.store()
    with store.writing() as tx:
        touched = follow(tx, process, act)
    if touched is not None:
        refold(store, act.now)
    if as_json:
        changed = {"process": process.process, "changed": touched is not None}
        show({**changed, "refolded": touched or {}}, as_json=True)
    elif touched is None:
        say(f"{process.process} is in use already, just so")
    else:
        again = count(sum(touched.values()), "asset")
        told = f"{process.process} is in use: {_classes(process)}; {again} folded again"
        say(told)


def refold_command(as_json: AsJson = False) -> None:
    """Bring up to date what is believed of assets that a change of the configuration touched.

    Example: retour refold
    """
    store, now = opened()
    with store.reading() as reader:
        stale = reader.stale_count()
    refold(store, now)
    if as_json:
        show({"refolded": stale}, as_json=True)
    else:
        say(f"{count(stale, 'asset')} folded again; all is up to date")


def _read(file: Path) -> Process:
    """The process of a file. UserError where it has faults, which are printed."""
    content = file.read_bytes()
    with told(file, "process"):
        process = read_process(content)
        if too_long := [*_too_long(content, process)]:
            raise BadWorld(too_long)
    return process


def _too_long(content: bytes, process: Process) -> Iterator[Fault]:
    """The stages that cannot be over as soon as they say."""
    tree, _ = parse(content)
    for name, stage in process.stages.items():
        least = shortest_h(stage)
        if least >= stage.mean_h:
            detail = f"the parts alone take {dwelling(least)} on average"
            yield Fault(*locate(tree, ("stages", name, "mean_h")), detail)


def _found(what: str) -> Process:
    """A process by its name, or the one that a file describes."""
    if what.endswith((".yaml", ".yml")) or Path(what).is_file():
        return _read(Path(what))
    known, _ = _known()
    if what not in known:
        raise UserError(f"there is no process {what}{did_you_mean(what, known)}")
    return known[what]


def _known() -> tuple[Mapping[str, Process], Mapping[str, Process]]:
    """All processes, and among them the own ones; without a database there are none of these."""
    settings = load_settings()
    try:
        store = settings.store(must_exist=True)
    except UserError:
        return shipped(), {}
    with store.reading() as reader:
        inference = reader.inference()
    return inference.processes, inference.own


def _summary(process: Process) -> dict[str, Any]:
    return {
        "process": process.process,
        "stages": len(process.stages),
        "facts": len(process.facts),
        "classes": process.classes,
    }


def _classes(process: Process) -> str:
    if not process.classes:
        return "no class"
    return f"the class{'es' if len(process.classes) > 1 else ''} {', '.join(process.classes)}"
