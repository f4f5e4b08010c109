"""What the figures of a fleet are made of: plain records of trips, stays, lease lines, of what an
asset was in the pool, and of what became of it. Times are epoch ms. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from tracker.alerts import DAY_MS


class Period(NamedTuple):
    """From `since` up to, not at, `until` (epoch ms)."""

    since: int
    until: int

    @property
    def days(self) -> float:
        return (self.until - self.since) / DAY_MS

    def holds(self, at: int | None) -> bool:
        """Whether a time is in it.

        >>> Period(10, 20).holds(20), Period(10, 20).holds(10), Period(10, 20).holds(None)
        (False, True, False)
        """
        return at is not None and self.since <= at < self.until


class Trip(NamedTuple):
    """A way out of the depot and back (event times, ms; None: not by the end of the period):
    `received` again, `ready` to go out anew or at the end of its life, and since when it has been
    told `lost`. To which `site` of which `partner` it went (None: not known)."""

    asset: str
    class_: str
    site: str | None
    partner: str | None
    dispatched: int
    received: int | None = None
    ready: int | None = None
    lost: int | None = None


class StageTime(NamedTuple):
    """How long an asset was in a stage within the period (ms). `use`: it is used there; `gone`: it
    is lost, or its life is over. `stage` None: not known."""

    asset: str
    class_: str
    stage: str | None
    ms: int
    use: bool = False
    gone: bool = False


class Stay(NamedTuple):
    """From the first to the last observation of an asset at a site; `until` it was observed
    elsewhere (None: it is still there)."""

    asset: str
    class_: str
    site: str | None
    partner: str | None
    since: int
    last: int
    until: int | None = None


class LeaseLine(NamedTuple):
    """When a lease line was due, and when it was returned (None: it is still out)."""

    asset: str
    class_: str
    site: str | None
    partner: str | None
    due: int
    returned: int | None = None


class Member(NamedTuple):
    """What an asset is to the pool in the period: there at the `opening`, `bought` within it (first
    observed), `retired` within it, `found` at its close (not lost, not retired); and how long it
    was in the pool (`ms`)."""

    asset: str
    class_: str
    opening: bool
    bought: bool
    retired: bool
    found: bool
    ms: int


class Outcome(NamedTuple):
    """What became of an asset, decided `at` a time: by which `kind` of route (those of
    `tracker.asset_class`), for which `proceeds` and at which `cost` beside its `book_value`, in one
    `currency`; whether a `defect` was found, whether it `passed` its first test after the repair,
    whether it was `landfilled`. `returned` False: its life ended without its coming back. None: not
    known."""

    asset: str
    class_: str
    site: str | None
    partner: str | None
    at: int
    returned: bool = True
    kind: str | None = None
    proceeds: float | None = None
    cost: float | None = None
    book_value: float | None = None
    currency: str | None = None
    defect: bool | None = None
    passed: bool | None = None
    landfilled: bool | None = None


class Records(NamedTuple):
    """All that figures are made of. `members` and `stage_times` None: it was chosen by site or
    partner, and a pool is of neither."""

    trips: Sequence[Trip] = ()
    stays: Sequence[Stay] = ()
    lines: Sequence[LeaseLine] = ()
    outcomes: Sequence[Outcome] = ()
    members: Sequence[Member] | None = ()
    stage_times: Sequence[StageTime] | None = ()
