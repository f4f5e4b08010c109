"""What has been told of an asset and stated about it, as far as leases ask for it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from tracker.model import Fact, Observation
from tracker.overdue import Entered
from tracker.ports import Reader
from tracker.present import Present
from tracker.refold import ALWAYS

RECEIVED = "received"
EVERY = 2**31 - 1  # rows


def entered_of(reader: Reader, asset: str, told: Present | None) -> tuple[Entered, ...]:
    """The stages that an asset entered, in order, the one it was first told to be in included,
    and what time alone tells of it."""
    return told_to_enter(reader.entered([asset]).get(asset, []), told)


def told_to_enter(
    changes: Sequence[tuple[str | None, str | None, int]], told: Present | None
) -> tuple[Entered, ...]:
    """The same of what a reader's `entered` tells of an asset."""
    first = changes[0][0] if changes else told.path.stage if told is not None else None
    entered = [Entered(first, ALWAYS), *(Entered(stage, at) for _, stage, at in changes)]
    if told is not None and told.told.stage != told.path.stage:
        entered.append(Entered(told.told.stage, told.told.since))
    return tuple(entered)


def received_of(reader: Reader, asset: str) -> tuple[int, ...]:
    """When somebody scanned an asset as received (event times)."""
    return received_in(reader.facts(asset, None, EVERY))


def received_in(facts: Iterable[Observation]) -> tuple[int, ...]:
    """The same of an asset's facts."""
    return tuple(
        row.at for row in facts if isinstance(row.what, Fact) and row.what.kind == RECEIVED
    )
