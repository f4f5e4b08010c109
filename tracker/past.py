"""What has been told of an asset and stated about it, as far as leases ask for it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from tracker.leases import Line
from tracker.model import Fact, Observation
from tracker.overdue import OUT, Entered, Return, back
from tracker.ports import Reader
from tracker.present import Present
from tracker.refold import ALWAYS

RECEIVED = "received"
EVERY = 2**31 - 1  # rows


class Past(NamedTuple):
    """The stages that an asset entered, in order, and when somebody scanned it as received."""

    entered: tuple[Entered, ...] = ()
    received: tuple[int, ...] = ()

    @property
    def is_out(self) -> bool:
        """Whether it was last observed to be on its way, or with a customer: a stage that is only
        registered tells nothing of when it began."""
        last = self.entered[-1] if self.entered else None
        return last is not None and last.at > ALWAYS and last.stage in OUT


def pasts_of(
    reader: Reader, assets: Iterable[str], scanned: Iterable[str] | None = None
) -> dict[str, Past]:
    """What was observed and stated of some assets; receipts only of those `scanned` (None: all)."""
    wanted = sorted({*assets})
    facts = reader.facts_of(wanted if scanned is None else scanned)
    changes = reader.entered(wanted)
    told = reader.presents(wanted)
    return {
        asset: Past(
            told_to_enter(changes.get(asset, []), told.get(asset)),
            received_in(facts.get(asset, ())),
        )
        for asset in wanted
    }


def past_of(reader: Reader, asset: str) -> Past:
    """What was observed and stated of an asset."""
    return pasts_of(reader, [asset])[asset]


def came_back(reader: Reader, line: Line) -> Return | None:
    """When a line's asset was back, as far as that was observed; whatever the paper says."""
    if line.asset is None:
        return None
    others = reader.lines_of([line.asset]).get(line.asset, [])
    return back(line, *past_of(reader, line.asset), others)


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
