"""What the domain keeps of assets: what is believed and told of them, where they stayed, and what
is out of date. Implemented in `tracker/stores/`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple, Protocol

from tracker.fold import Belief, Place
from tracker.geofence import Box
from tracker.log_ports import Line
from tracker.model import Asset, Observation
from tracker.present import Now, Present
from tracker.stage import Transition
from tracker.sweep import Telling, Waiting
from tracker.usage import Totals
from tracker.whereabouts import Moment, Visit


class AssetFilter(NamedTuple):
    """Which assets are asked for: `words` that begin like the words of `text`, a class, a site
    where they are now, labels (name, value) as in the port `labelled`, the stage that is told of
    them (UNKNOWN: none), and how likely that is at least."""

    text: str | None = None
    class_: str | None = None
    site: str | None = None
    labels: tuple[tuple[str, str], ...] = ()
    stage: str | None = None
    p_min: float | None = None


UNKNOWN = "unknown"
"""How it is asked for assets of which no stage is told."""


class Crowd(NamedTuple):
    """How many assets of a class are told to be in a stage (None: unknown), at a site, and since
    when on average, on the clock of now (epoch ms)."""

    stage: str | None
    class_: str
    site: str | None
    assets: int
    since: float


class SiteVisit(NamedTuple):
    """A closed visit and whose it was."""

    asset: str
    visit: Visit


class Position(NamedTuple):
    """Where a page of a listing ended: its order's columns."""

    at: int
    key: str


class AssetReader(Protocol):
    """What is read of assets."""

    def asset(self, id: str) -> Asset | None: ...

    def assets_by_id(self, ids: Iterable[str]) -> dict[str, Asset]:
        """The registered ones among `ids`."""

    def asset_ids(self) -> Iterator[str]:
        """Every asset's id, in order."""

    def assets_among(self, ids: Iterable[str], wanted: AssetFilter) -> list[Asset]:
        """Those of some assets that are asked for, by id."""

    def assets(self, wanted: AssetFilter, after: str, limit: int) -> list[Asset]:
        """Those that are asked for, by id, after an id."""

    def labelled(self, name: str, value: str) -> list[str]:
        """The assets with a label: `id:SYSTEM` names an external id, `is:NAME` an attribute."""

    def shared_external_ids(self) -> list[tuple[str, str, list[str]]]:
        """External ids that several assets have: the system, the id, and the assets."""

    def belief(self, asset: str) -> Belief | None: ...

    def beliefs(self, assets: Iterable[str]) -> dict[str, Belief]: ...

    def placed(self, assets: Iterable[str]) -> dict[str, Belief]:
        """What is believed of assets but for their stages, as in all that follows that gives a
        list: `standing` is None there, for it is the larger part by far."""

    def revision(self, asset: str) -> int | None:
        """The layout's revision with which an asset's belief was folded."""

    def every_belief(self) -> Iterator[Belief]: ...

    def located(self, box: Box, after: str, limit: int) -> list[Belief]:
        """Beliefs whose last place lies in a box, by asset."""

    def standing_at(self, site: str, after: str, limit: int) -> list[Belief]:
        """Beliefs of the assets that are at a site, or seem to arrive there, by asset."""

    def staying_at(self, site: str, until: int | None, after: Position, limit: int) -> list[Belief]:
        """Beliefs of the assets that are at a site, not of those that only seem to arrive, by
        when they came and asset; of those that came before `until`."""

    def visits(
        self, asset: str, after: Moment | None = None, until: Moment | None = None
    ) -> list[Visit]:
        """The closed visits of an asset that were decided after a moment, up to and at another
        one, by their opening."""

    def transitions(
        self, asset: str, after: Moment | None = None, until: Moment | None = None
    ) -> list[Transition]:
        """What was told of an asset's stages after a moment, up to and at another one, in order."""

    def transitions_at(self, times: Mapping[str, int]) -> dict[str, list[Transition]]:
        """What was told of the stages of some assets, each at an event time."""

    def waiting(self, after: str, limit: int) -> Waiting:
        """What is told of assets and what to predict it from, by id, after an id. Not of those
        that are stale."""

    def profiles(self) -> dict[int, Telling]:
        """How assets tell of themselves, by the number of the profile."""

    def presents(self, assets: Iterable[str]) -> dict[str, Present]:
        """What is told of some assets now."""

    def crowds(self, class_: str | None = None, site: str | None = None) -> list[Crowd]:
        """How many assets are in which stage now, of a class and at a site."""

    def entered(self, assets: Iterable[str]) -> dict[str, list[tuple[str | None, str | None, int]]]:
        """From which stage to which one what was told of some assets changed, and at which event
        time, in order."""

    def facts(self, asset: str, after: Moment | None, limit: int) -> list[Observation]:
        """The facts stated of an asset, after a moment, in order."""

    def facts_of(self, assets: Iterable[str]) -> dict[str, list[Observation]]:
        """All facts stated of some assets, in order."""

    def stage_lines(
        self, asset: str, since: int | None = None, as_of: int | None = None
    ) -> list[Line]:
        """What the journal says of an asset's stages from an event time on, recorded by `as_of`,
        in the order in which it was written."""

    def corrected_by(self, correction: Line) -> list[Line]:
        """What a correction of a stage in the journal puts right: the lines about the same thing
        before it, from the correction before that on."""

    def visits_at(
        self, site: str, since: int | None, until: int | None, after: Position, limit: int
    ) -> list[SiteVisit]:
        """The closed visits to a site that overlap a period, by beginning and asset."""

    def snapshots(self, asset: str, after: Moment | None = None) -> list[Belief]:
        """The beliefs kept on an asset's way, after a moment, in order."""

    def snapshots_from(self, asset: str, since: Moment) -> Iterator[Belief]:
        """Those from a moment on, in order, each read when it is wanted."""

    def used(self, asset: str, after: Moment | None, until: Moment | None = None) -> list[Totals]:
        """What an asset went through on its way to each of its snapshots after a moment, up to and
        at another one, from the snapshot before; a base has all that was used by then."""

    def stale(self, assets: Iterable[str]) -> dict[str, int]:
        """Those of some assets whose belief is out of date, and from which event time on."""

    def stale_count(self) -> int: ...

    def stale_assets(self, limit: int) -> list[str]: ...

    def bound_assets(self) -> list[str]:
        """Every asset that has ever had a binding."""


class AssetWriter(AssetReader, Protocol):
    """What is written of assets."""

    def save_beliefs(self, beliefs: Sequence[Belief], revision: int) -> None:
        """Store beliefs that were folded with the layout of that revision."""

    def drop_belief(self, asset: str) -> None:
        """An asset of which nothing is known any more: its belief, snapshots and visits go."""

    def snapshot_before(self, asset: str, moment: Moment) -> Belief | None:
        """The newest snapshot of an asset before a moment."""

    def save_snapshots(self, snapshots: Sequence[Belief], *, base: bool = False) -> None:
        """Keep beliefs of on the way; a `base` stands for what the log does not hold."""

    def drop_snapshots(self, asset: str, after: Moment | None, until: Moment | None = None) -> None:
        """Forget an asset's snapshots after a moment, up to and at another one; bases stay."""

    def shift_snapshots(self, asset: str, after: Moment, more: int, first: Place | None) -> None:
        """Note that so many more observations lie before each snapshot of an asset after a
        moment, and that `first` is its first place (None: as it was)."""

    def take_off(self, asset: str, after: Moment, gone: Totals) -> None:
        """Take off what was counted on the way to an asset's first snapshot after a moment, or to
        its belief where there is none: another one stands for it."""

    def add_visits(self, visits: Sequence[tuple[str, Visit]]) -> None:
        """Store closed visits of assets."""

    def drop_visits(self, asset: str, after: Moment | None, until: Moment | None = None) -> None:
        """Forget the visits of an asset that were closed after a moment, up to and at another
        one."""

    def add_transitions(self, transitions: Sequence[tuple[str, Transition]]) -> None:
        """Store what is told of the stages of assets."""

    def drop_transitions(
        self, asset: str, after: Moment | None, until: Moment | None = None
    ) -> None:
        """Forget what was told of an asset's stages after a moment, up to and at another one."""

    def save_presents(self, told: Sequence[Now]) -> None:
        """Store what is told of assets now, and what to predict it from."""

    def mark_stale(self, assets: Mapping[str, int]) -> None:
        """Note that beliefs are out of date, each from an event time on; the earliest holds."""

    def freshened(self, asset: str) -> None:
        """An asset's belief is up to date again."""

    def stepped(self, assets: Iterable[str], tick: int) -> list[str]:
        """Those of some assets whose beliefs stand at a tick or later."""

    def seen_by(self, device: str) -> list[str]:
        """Every tag that a device has ever read."""

    def near(self, box: Box) -> list[str]:
        """Every subject with a fix near a fence within a box (some too many)."""

    def observed(self, subjects: Iterable[str]) -> set[str]:
        """Those tags and devices of which the log holds anything."""

    def bound_to(self, subjects: Iterable[str]) -> set[str]:
        """The assets that some subjects have ever told about."""

    def believed(self) -> list[str]:
        """Every asset of which anything is believed."""

    def at_home(self, site: str | None) -> list[str]:
        """Those whose home is a site (None: that have none)."""

    def classes(self) -> list[str]:
        """The classes that assets are of."""

    def of_class(self, name: str) -> list[str]:
        """Every asset of a class of which anything is believed, or an initial stage stated."""

    def visitors(self, site: str) -> list[str]:
        """Every asset whose belief or visits name a site."""

    def put_asset(self, asset: Asset) -> None:
        """Add or change an asset, and how it is found."""

    def put_assets(self, assets: Sequence[Asset]) -> None:
        """The same for many at once."""
