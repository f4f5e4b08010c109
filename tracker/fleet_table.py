"""A fleet's figures as a table. Pure."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from io import StringIO
from typing import Any

from tracker.fleet import Report

COLUMNS = ("group", "figure", "value", "unit", "numerator", "denominator", "formula", "why")


def rows(report: Report) -> Iterator[dict[str, Any]]:
    """A row for each figure of each group, by `COLUMNS`; None: all in one group, not known."""
    for group in report.groups:
        for value in group.figures:
            name, formula, unit = value.measure
            about = (group.key, name, value.value, unit, value.numerator, value.denominator)
            yield dict(zip(COLUMNS, (*about, formula, value.why), strict=True))


def as_csv(report: Report) -> str:
    """The table, with its head; what is not known is empty."""
    out = StringIO()
    table = csv.DictWriter(out, COLUMNS)
    table.writeheader()
    table.writerows(rows(report))
    return out.getvalue()
