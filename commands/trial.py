"""A transaction on trial: what `--dry-run` does for real and then undoes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from tracker.ports import Store, Writer


class _Undone(Exception):
    """Ends a transaction without a trace."""


@contextmanager
def trial(store: Store, dry_run: bool) -> Iterator[Writer]:
    """A transaction that writes; in a dry run all that it has written is undone."""
    try:
        with store.writing() as tx:
            yield tx
            if dry_run:
                raise _Undone
    except _Undone:
        pass
