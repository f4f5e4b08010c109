"""What commands tell their user: tables, JSON, progress, and mistakes to put right."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import Progress as ProgressBar
from rich.table import Table
from rich.text import Text

from tracker import times

WIDE = 10_000  # columns of what is no terminal: nothing is cut off there
out = Console()
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


class UserError(Exception):
    """Something that the user can put right; the text says how."""


def show(data: Any, as_json: bool, none: str = "none") -> None:
    """Print an object or a list of them: as JSON, or for people; `none` stands for an empty
    list."""
    if as_json:
        print(json.dumps(data, indent=2))  # noqa: T201
        return
    rows = data if isinstance(data, list) else [{"": k, " ": v} for k, v in data.items()]
    if not rows:
        out.print(none)
        return
    table = Table(box=None, show_header=isinstance(data, list))
    for column in rows[0]:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*(_cell(value) for value in row.values()))
    (out if out.is_terminal else Console(width=WIDE)).print(table)


def show_rows(
    rows: Sequence[Mapping[str, Any]],
    words: Callable[[Mapping[str, Any]], dict[str, Any]],
    as_json: bool,
    none: str,
) -> None:
    """Print a list: as JSON, or each row in the `words` for people."""
    show([*rows] if as_json else [words(row) for row in rows], as_json, none)


def _cell(value: Any) -> Text:
    return Text("" if value is None else plain(str(value)))


def plain(text: str) -> str:
    """A text that commands no terminal, whatever a device has put into it."""
    return "".join(c if c.isprintable() else "\ufffd" for c in text)


def say(text: str) -> None:
    """Print a sentence as it is: broken nowhere, a file's name in it can be copied."""
    out.print(plain(text), markup=False, highlight=False, soft_wrap=True)


@contextmanager
def progress_bar(what: str) -> Iterator[Callable[[int, int], None]]:
    """A bar on a terminal, nothing elsewhere; call it with done and all."""
    with ProgressBar(console=Console(stderr=True), disable=not sys.stderr.isatty()) as bar:
        task = bar.add_task(what, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


_DATE = re.compile(r"\d{4}-\d\d-\d\d")


def iso(ms: int | None) -> str | None:
    return None if ms is None else times.iso(ms)


def legible(at: str) -> str:
    """A time of `iso`, shorter.

    >>> legible("2026-01-05T08:00:00.123Z")
    '2026-01-05 08:00:00Z'
    """
    return f"{at.partition('.')[0].replace('T', ' ')}Z"


def when(text: str) -> int:
    """The epoch milliseconds of a time on the command line; of a date, its midnight UTC."""
    try:
        return times.epoch_ms(f"{text}T00:00:00Z" if _DATE.fullmatch(text) else text)
    except ValueError as error:
        raise UserError(str(error)) from None


def ago(seconds: float | None) -> str | None:
    """An age in words."""
    return None if seconds is None else f"{times.in_words(round(seconds * 1_000))} ago"


def lasting(ms: int) -> str:
    """A length of time as people say it, rounded down.

    >>> lasting(273_600_000), lasting(7_200_000), lasting(2_549_000), lasting(80_000), lasting(999)
    ('3 d 4 h', '2 h', '42 min', '1 min', '0 s')
    """
    minutes = ms // 60_000
    if minutes == 0:
        return f"{ms // 1_000} s"
    days, hours, minutes = minutes // 1440, minutes // 60 % 24, minutes % 60
    units = {"d": days, "h": hours} if days else {"h": hours, "min": minutes}
    return " ".join(f"{number} {unit}" for unit, number in units.items() if number)


def count(number: int, noun: str, many: str = "") -> str:
    """A number of things.

    >>> count(1, "fault"), count(27_049, "row"), count(2, "entry", "entries")
    ('1 fault', '27,049 rows', '2 entries')
    """
    return f"{number:,} {noun if number == 1 else many or f'{noun}s'}"


def yes_no(value: bool | None) -> str | None:
    return None if value is None else "yes" if value else "no"
