"""`retour import`, `retour export`: a world file becomes what is registered, and back."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from commands.asking import opened
from commands.process import calm_the_collector
from commands.settings import load_settings
from commands.show import AsJson, UserError, count, progress_bar, say, show
from commands.trial import trial
from tracker.audit import Act
from tracker.exporter import export_world
from tracker.importer import Difference, import_world, known_of
from tracker.ports import Store
from tracker.refold import refresh_some
from tracker.world import BadWorld, read_world, write_world

ROWS_AT_MOST = 1_000  # of the table: nobody reads more, and to lay it out takes minutes
REFOLD_AT_ONCE = 100


def import_command(
    file: Annotated[Path, typer.Argument(help="The world file.", show_default=False)],
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only say what it would change.")
    ] = False,
    verbose: Annotated[
        bool, typer.Option("--verbose", "-v", help="Show all, also what stays the same.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Register and change what a world file says: all of it, or nothing and every fault.

    Example: retour import world.yaml --dry-run
    """
    settings = load_settings()
    calm_the_collector()
    content = file.read_bytes()
    store = settings.store()
    try:
        with store.reading() as reader:
            known = known_of(reader)
        world = read_world(content, known)
        clock = settings.make_clock()
        act = Act("retour import", clock.now(), clock.wall())
        with trial(store, dry_run) as tx:
            differences = import_world(tx, world, settings.policy(clock), act)
    except BadWorld as bad:
        for fault in bad.faults:
            print(f"{file}:{str(fault).removeprefix('line ')}", file=sys.stderr)  # noqa: T201
        raise UserError(f"{file} is not imported: {count(len(bad.faults), 'fault')}") from None
    if not dry_run:
        refold(store, act.now)
    if as_json:
        show(as_data(differences, dry_run), as_json=True)
    else:
        tell(differences, dry_run=dry_run, verbose=verbose)


def refold(store: Store, now: int) -> None:
    """Bring the beliefs up to date that the import touches, some at a time: a gateway must not
    wait for all of them."""
    with store.reading() as reader:
        stale = reader.stale_count()
    with progress_bar("Refolding") as progress:
        done = 0
        while done < stale:
            with store.writing() as tx:
                some = refresh_some(tx, now, REFOLD_AT_ONCE)
            # Where there are none any more, somebody else has done the rest.
            done = done + some if some else stale
            progress(done, stale)


def as_data(differences: Sequence[Difference], dry_run: bool) -> dict[str, Any]:
    counts = Counter(difference.action for difference in differences)
    return {
        "dry_run": dry_run,
        **{action: counts[action] for action in ("create", "change", "same")},
        "differences": [difference._asdict() for difference in differences],
    }


def tell(differences: Sequence[Difference], *, dry_run: bool, verbose: bool) -> None:
    """Print what an import did, or would do, for people."""
    rows = [one._asdict() for one in differences if verbose or one.action != "same"]
    if rows:
        show(rows[:ROWS_AT_MOST], as_json=False)
    if len(rows) > ROWS_AT_MOST:
        say(f"and {len(rows) - ROWS_AT_MOST} more: --json shows all")
    counts = Counter(difference.action for difference in differences)
    told = f"{counts['create']} new, {counts['change']} changed, {counts['same']} the same"
    say(f"{told}{'; nothing is stored: this was a dry run' if dry_run else ''}")


def export_command(
    out_file: Annotated[
        Path | None, typer.Option("--out", metavar="FILE", help="Where to; else it is printed.")
    ] = None,
) -> None:
    """Write what is registered as a world file, which an import makes the same of.

    Example: retour export --out world.yaml
    """
    store, _ = opened()
    with store.reading() as reader:
        world = export_world(reader)
    text = write_world(world)
    if out_file is None:
        print(text, end="")  # noqa: T201
        return
    out_file.write_text(text, encoding="utf-8")
    held = {name: len(items) for name, items in world if isinstance(items, list) and items}
    told = ", ".join(count(number, name[:-1]) for name, number in held.items()) or "nothing yet"
    say(f"{out_file} holds {told}")
