"""What is wrong with a file that somebody wrote."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from commands.show import UserError, count
from tracker.worldfile import BadWorld


@contextmanager
def told(file: Path, wanted: str) -> Iterator[None]:
    """Faults are told line by line, then in one: the file is not what is `wanted`."""
    try:
        yield
    except BadWorld as bad:
        for fault in bad.faults:
            print(f"{file}:{str(fault).removeprefix('line ')}", file=sys.stderr)  # noqa: T201
        raise UserError(f"{file} is no {wanted}: {count(len(bad.faults), 'fault')}") from None
