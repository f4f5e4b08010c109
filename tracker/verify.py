"""The promise, audited: refold everything from nothing and compare; find what is missing."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass, field
from typing import Any

from tracker.fold import cut, encode, fold, kept, resumed
from tracker.model import Observation
from tracker.ports import Reader
from tracker.receipts import Progress
from tracker.stage import Transition
from tracker.whereabouts import Moment, Visit


@dataclass(slots=True)
class Report:
    """What `retour verify` found. `differences` and the faults up to `broken_links` must be zero.
    `stale` beliefs wait to be folded again and were not compared; observations `before_edge`
    are older than the log and have no effect."""

    observations: int = 0
    assets: int = 0
    differences: list[str] = field(default_factory=list)
    duplicates: int = 0
    receipted_but_missing: int = 0
    broken_links: int = 0
    stale: int = 0
    before_edge: int = 0
    receipt_holes: int = 0
    lost_by_devices: int = 0
    dead_letters: int = 0
    quarantined: int = 0

    @property
    def sound(self) -> bool:
        """Whether the promise holds on this database."""
        faults = self.duplicates + self.receipted_but_missing + self.broken_links
        return not self.differences and faults == 0

    def as_dict(self) -> dict[str, Any]:
        """For printing, with `sound` first."""
        return {"sound": self.sound, **asdict(self)}


def verify(
    reader: Reader, progress: Callable[[int, int], None] = lambda _done, _all: None
) -> Report:
    """Audit the database behind `reader`. `progress` is told assets done and assets in all."""
    counts = reader.counts()
    report = Report(
        observations=counts["log"],
        dead_letters=counts["dead_letters"],
        quarantined=counts["quarantine"],
        duplicates=reader.duplicates(),
        broken_links=reader.broken_links(),
        before_edge=reader.before_edge(),
    )
    _compare_beliefs(reader, report, progress)
    _check_receipts(reader, report)
    return report


def _check_receipts(reader: Reader, report: Report) -> None:
    progress = dict(reader.every_progress())
    for at in progress.values():
        report.receipt_holes += sum(hole.high - hole.low + 1 for hole in at.holes)
        report.lost_by_devices += sum(span.high - span.low + 1 for span in at.lost)
    for boot, seqs in reader.kept():
        report.receipted_but_missing += unkept(progress.pop(boot, Progress()), seqs)
    report.receipted_but_missing += sum(unkept(at, ()) for at in progress.values())


def _compare_beliefs(reader: Reader, report: Report, progress: Callable[[int, int], None]) -> None:
    stored = {belief.asset for belief in reader.every_belief()}
    # All: of one that nothing was ever bound to, facts may be logged.
    assets = sorted(stored.union(reader.asset_ids()))
    report.assets = len(assets)
    for n, asset in enumerate(assets, 1):
        if reader.stale([asset]):
            report.stale += 1
        elif not as_refolded(reader, asset):
            report.differences.append(asset)
        progress(n, len(assets))


def as_refolded(reader: Reader, asset: str) -> bool:
    """Whether an asset's belief, visits, stages and snapshots are those that its log comes to,
    from nothing, or from its base belief where the log has an edge."""
    setting = reader.settings([asset]).get(asset)
    if setting is None:
        return False  # of what is not registered, nothing can be believed
    edge = reader.edge()
    snapshots = reader.snapshots(asset)
    base = next((s for s in reversed(snapshots) if edge is not None and s.at < edge), None)
    since = base.moment if base else None
    due = [s for s in snapshots if since is None or s.moment > since]
    rows = iter(reader.history(asset, after=since))
    belief, visits, told = base and resumed(base), list[Visit](), list[Transition]()
    for expected in [*due, None]:
        upto = rows if expected is None else _up_to(rows, expected.moment)
        belief, ended, transitions = fold(belief, upto, setting)
        visits += ended
        told += transitions
        if expected is not None:
            if belief is None or kept(belief) != expected:
                return False
            belief = cut(belief)
    stored = reader.belief(asset)
    if (belief and encode(belief)) != (stored and encode(stored)):
        return False
    return visits == reader.visits(asset, since) and told == reader.transitions(asset, since)


def _up_to(rows: Iterator[Observation], last: Moment) -> Iterator[Observation]:
    for row in rows:
        yield row
        if row.at >= last.at and (row.at, row.key.hex()) >= last:
            return


def unkept(progress: Progress, kept: Iterable[int]) -> int:
    """How many numbers are accounted for and yet not kept. `kept` is in ascending order.

    >>> unkept(Progress(top=3), [0, 1, 3])
    1
    """
    accounted = sum(span.high - span.low + 1 for span in progress.accounted())
    return accounted - sum(1 for seq in kept if progress.covers(seq))
