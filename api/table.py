"""Answers as tables of values parted by commas."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping
from io import StringIO
from typing import Any

from fastapi import Response
from pydantic import BaseModel


class Table(Response):
    """A table of values parted by commas."""

    media_type = "text/csv"


def table_of(model: type[BaseModel], rows: Iterable[Mapping[str, Any]]) -> Table:
    """Rows under the names that a model's fields have in JSON."""
    out = StringIO()
    names = [field.alias or name for name, field in model.model_fields.items()]
    table = csv.DictWriter(out, names)
    table.writeheader()
    table.writerows(rows)
    return Table(out.getvalue())
