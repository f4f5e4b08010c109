"""What commands tell their user: tables, JSON, progress, and mistakes to put right."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import Progress as ProgressBar
from rich.table import Table

out = Console()
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


class UserError(Exception):
    """Something that the user can put right; the text says how."""


def show(data: Any, as_json: bool) -> None:
    """Print an object or a list of them: as JSON, or for people."""
    if as_json:
        print(json.dumps(data, indent=2))  # noqa: T201
        return
    rows = data if isinstance(data, list) else [{"": k, " ": v} for k, v in data.items()]
    table = Table(box=None, show_header=isinstance(data, list))
    for column in rows[0] if rows else ():
        table.add_column(column)
    for row in rows:
        table.add_row(*("" if value is None else str(value) for value in row.values()))
    out.print(table)


@contextmanager
def progress_bar(what: str) -> Iterator[Callable[[int, int], None]]:
    """A bar on a terminal, nothing elsewhere; call it with done and all."""
    with ProgressBar(console=Console(stderr=True), disable=not sys.stderr.isatty()) as bar:
        task = bar.add_task(what, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def iso(ms: int | None) -> str | None:
    if ms is None:
        return None
    return datetime.fromtimestamp(ms / 1000, UTC).isoformat(timespec="milliseconds")
