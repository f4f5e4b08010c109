"""Leases as a table has them: a row for each line, in CSV. Pure."""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import Iterator, Mapping
from io import StringIO
from typing import Any, NamedTuple

from pydantic import ValidationError

from tracker.lease_terms import Lease, LeaseLine
from tracker.worldfile import Names, wording

OF_LINE = {"line": "id", "asset": "asset", "class": "class", "from": "from", "due": "due"}
OF_LEASE = {name: name for name in ("customer", "site", "timezone", "grace_h")}
COLUMNS = ("lease", "line", "asset", "class", "customer", "site", "from", "due", *[*OF_LEASE][2:])
NEEDED = ("lease", "customer", "site", "from", "due")


class BadRow(NamedTuple):
    """What is wrong with a row, by its line in the file."""

    row: int
    detail: str


class BadTable(Exception):
    """A table that cannot be taken: all that is wrong with it."""

    def __init__(self, faults: list[BadRow]) -> None:
        super().__init__("; ".join(f"row {row}: {detail}" for row, detail in faults))
        self.faults = faults


class Table(NamedTuple):
    """The leases of a table, and in which rows the lines of each stand."""

    leases: list[Lease]
    rows: list[list[int]]


def read_table(content: str) -> Table:
    """The leases of a table. What is said of all of a lease stands in its first row; in the
    others it is the same or left out. Raises BadTable.

    >>> header = "lease,asset,customer,site,from,due\\n"
    >>> table = read_table(header + "L1,A1,acme,yard,2026-01-05,2026-02-02")
    >>> table.leases[0].lines[0].asset, table.rows
    ('A1', [[2]])
    >>> read_table(header + "L1,A1,acme,yard,soon,2026-02-02")
    Traceback (most recent call last):
        ...
    tracker.lease_csv.BadTable: row 2: from: 'soon' is no date: write it like 2026-01-05
    """
    faults, table = list[BadRow](), Table([], [])
    by_lease = defaultdict[str, list[tuple[int, dict[str, str]]]](list)
    for row, cells in _cells(content):
        if "lease" in cells:
            by_lease[cells["lease"]].append((row, cells))
        else:
            faults.append(BadRow(row, "lease: it is missing"))
    for id, rows in by_lease.items():
        found = [*_contradictions(rows)]
        lines = [line for row, cells in rows if (line := _line(row, cells, found)) is not None]
        lease = _lease(id, rows[0], lines, found)
        if lease is not None:
            table.leases.append(lease)
            table.rows.append([row for row, _ in rows])
        faults += found
    if faults:
        raise BadTable(sorted(faults))
    return table


def _cells(content: str) -> Iterator[tuple[int, dict[str, str]]]:
    """Each row's cells that are not empty, and its line in the file."""
    content = content.removeprefix("\ufeff")
    head = content.partition("\n")[0]
    # Spreadsheets of some countries have semicolons.
    apart = ";" if ";" in head and "," not in head else ","
    lines = csv.reader(StringIO(content), strict=True, delimiter=apart)
    try:
        header = [name.strip() for name in next(lines, [])]
        missing = [name for name in NEEDED if name not in header]
        unknown = [name for name in header if name not in COLUMNS or header.count(name) > 1]
        if missing or unknown:
            what = f"column `{missing[0]}` is missing" if missing else f"column {unknown[0]!r:.60}"
            raise BadTable([BadRow(1, f"{what}; there may be: {','.join(COLUMNS)}")])
        for cells in lines:
            if len(cells) > len(header):
                raise BadTable([BadRow(lines.line_num, "it has more cells than there are columns")])
            stripped = zip(header, (cell.strip() for cell in cells), strict=False)
            if named := {name: cell for name, cell in stripped if cell}:
                yield lines.line_num, named
    except csv.Error as error:
        raise BadTable([BadRow(lines.line_num, f"no CSV: {error}")]) from None


def _contradictions(rows: list[tuple[int, dict[str, str]]]) -> Iterator[BadRow]:
    """What rows of one lease say otherwise than its first, and ids that two lines have."""
    first, head = rows[0]
    lines = dict[str, int]()
    for row, cells in rows:
        if (other := lines.setdefault(cells.get("line", ""), row)) != row and "line" in cells:
            yield BadRow(row, f"line: {cells['line']!r:.60} is given already, in row {other}")
        for name in OF_LEASE:
            if name in cells and cells[name] != head.get(name):
                yield BadRow(row, f"{name}: {cells[name]!r:.60} is another one than in row {first}")


def _line(row: int, cells: Mapping[str, str], faults: list[BadRow]) -> LeaseLine | None:
    said = {key: cells[name] for name, key in OF_LINE.items() if name in cells}
    try:
        return LeaseLine.model_validate(said, by_alias=True, by_name=False)
    except ValidationError as error:
        faults += _faults(row, error, {"id": "line"})
    return None


def _lease(
    id: str, first: tuple[int, Mapping[str, str]], lines: list[LeaseLine], faults: list[BadRow]
) -> Lease | None:
    row, cells = first
    said: dict[str, Any] = {name: cells[name] for name in OF_LEASE if name in cells}
    try:
        return Lease.model_validate({"id": id, "lines": lines} | said)
    except ValidationError as error:
        # That its lines do not fit each other follows from what is wrong with them.
        faults += _faults(row, error, {"id": "lease"}, "lines" if faults else None)
    return None


def _faults(
    row: int, error: ValidationError, columns: Mapping[str, str], but: str | None = None
) -> list[BadRow]:
    """What is wrong with a row, by the column where that is one; nothing of the field `but`."""
    faults = list[BadRow]()
    for one in error.errors(include_url=False):
        name = str(one["loc"][0]) if one["loc"] else ""
        detail, where = wording(one, _NAMES), columns.get(name, name)
        if name != but:
            is_named = where not in COLUMNS or f"`{name}`" in detail
            faults.append(BadRow(row, detail if is_named else f"{where}: {detail}"))
    return faults


_NAMES = Names(COLUMNS)
