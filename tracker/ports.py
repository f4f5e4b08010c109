"""What the domain needs of the outside: small protocols, implemented in `tracker/stores/`."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import NamedTuple, Protocol

from tracker.access import ApiKey
from tracker.audit import Change
from tracker.delivery_ports import DeliveryReader, DeliveryWriter
from tracker.fold import Belief, Entry, Place
from tracker.geofence import Box
from tracker.inference import Inference, Setting
from tracker.layout import Layout, PlaceValue
from tracker.lease_ports import AlertReader, AlertWriter, LeaseReader, LeaseWriter
from tracker.model import Asset, Binding, DeadLetter, Device, Observation, Quarantined
from tracker.outages import Outages
from tracker.present import Now, Present
from tracker.process import Process
from tracker.receipts import Progress
from tracker.rules import Rules
from tracker.stage import Transition
from tracker.sweep import Telling, Waiting
from tracker.telemetry import Sums, Value
from tracker.versions import Spell, Version
from tracker.whereabouts import Moment, Visit


class StoreUnavailable(Exception):
    """The store cannot take or answer anything just now; the same call may succeed later."""


class StoreContended(StoreUnavailable):
    """Another transaction was in the way; the same call may succeed at once."""


class StoreRefused(Exception):
    """The store cannot be used at all: the text says why and what to do."""


class SeriesUnavailable(Exception):
    """The time-series store cannot be used just now; not before `retry_after_s`, where it says."""

    def __init__(self, text: str, retry_after_s: float = 0, *, is_passing: bool = True) -> None:
        super().__init__(text)
        self.retry_after_s = retry_after_s
        self.is_passing = is_passing  # else somebody has to change something


class LinesRefused(Exception):
    """The time-series store will never take some of the lines it was given; of the others it
    may have taken any."""


Boot = tuple[str, str]
"""A device and one of its boots."""


class Outbound(NamedTuple):
    """A message waiting in the outbox to be published."""

    id: int
    topic: str
    payload: bytes


class Queues(NamedTuple):
    """How much waits in the database, by what it waits for: messages to be published, of which
    the oldest is number `head`; assets to be folded again; what people have to look at."""

    outbox: int
    head: int | None
    stale: int
    quarantine: int
    dead_letters: int


class Points(NamedTuple):
    """Lines of points waiting for the time-series store since `queued` (epoch ms)."""

    id: int
    queued: int
    lines: list[bytes]


class LateDay(NamedTuple):
    """A series ("": all) and an epoch day whose coarser points are to be made again, for points
    came late; how often that was `noted`."""

    series: str
    day: int
    noted: int


class Vital(NamedTuple):
    """What a device last reported of itself, like its battery, as text, at an event time."""

    value: str
    at: int


class DeviceStatus(NamedTuple):
    """A device, when it was last heard and what it reported of itself; `boots` are its receipt
    positions, newest first."""

    device: Device
    last_received: int | None
    boots: list[tuple[str, Progress]]
    vitals: Mapping[str, Vital]


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


class Line(NamedTuple):
    """A line of the journal as it was written: its number, and when (epoch ms)."""

    number: int
    recorded: int
    entry: Entry


class Position(NamedTuple):
    """Where a page of a listing ended: its order's columns."""

    at: int
    key: str


SPAN_MS = 30 * 86_400_000
"""How much of the log is given up at once: thirty days, by the raw stamp."""


class LogSpan(NamedTuple):
    """A span of the log: the stamp at which it ends, and when its newest row was recorded."""

    end: int
    newest: int


class Arrival(NamedTuple):
    """A row of the log: its number, when it was recorded (epoch ms), and what it says."""

    number: int
    recorded: int
    row: Observation


class Reader(LeaseReader, AlertReader, DeliveryReader, Protocol):
    """One transaction that only reads."""

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

    def outages(self, as_of: int | None = None) -> Outages:
        """When readers were down, as is known, or was recorded by `as_of`."""

    def suspects(self) -> dict[str, int]:
        """The readers whose outages are to be looked at again, from which event time on."""

    def will_from(self, device: str, at: int) -> int | None:
        """The first time from `at` on at which a device was said to have gone."""

    def sign_before(self, device: str, at: int) -> int | None:
        """The last time up to and at `at` of which a device has told anything."""

    def back_after(self, device: str, at: int) -> int | None:
        """The first time after `at` at which a device said that it is there, or of which it told
        something at once."""

    def signs(self, device: str, after: int, before: int | None) -> list[int]:
        """The times between two of which a device has told anything, in order."""

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

    def stale(self, assets: Iterable[str]) -> dict[str, int]:
        """Those of some assets whose belief is out of date, and from which event time on."""

    def stale_count(self) -> int: ...

    def stale_assets(self, limit: int) -> list[str]: ...

    def bound_assets(self) -> list[str]:
        """Every asset that has ever had a binding."""

    def logged(self, key: bytes) -> Observation | None:
        """The observation of an event key."""

    def history(
        self,
        asset: str,
        since: int | None = None,
        until: int | None = None,
        after: Moment | None = None,
        limit: int | None = None,
        as_of: int | None = None,
    ) -> Iterator[Observation]:
        """What is logged of an asset, in (event time, key) order: from `since` up to but not
        at `until`, after a moment, of what was recorded by `as_of`."""

    def every_binding(self) -> Iterator[Binding]:
        """All bindings as they hold now, by subject and time."""

    def bindings_of(self, asset: str, as_of: int | None = None) -> list[Binding]:
        """The bindings to an asset, as they hold now, or as was recorded by `as_of`."""

    def versions(self, kind: str, id: str | None = None) -> list[Version[PlaceValue]]:
        """The history of sites, zones or readers: of all of a kind, or of one."""

    def binding_versions(self, subject: str) -> list[Version[str]]:
        """The history of what a tag or device tells about."""

    def layout(self, as_of: int | None = None) -> Layout:
        """Sites, zones and readers, as recorded by now or by `as_of`."""

    def inference(self, as_of: int | None = None) -> Inference:
        """The layout and the processes, as recorded by now or by `as_of`."""

    def rules(self) -> Rules:
        """The rules by which alerts are raised: the user's, else those that are shipped."""

    def rules_revision(self) -> int:
        """The revision of the user's rules; 0: there are none."""

    def settings(self, assets: Iterable[str], as_of: int | None = None) -> dict[str, Setting]:
        """In what the observations of some registered assets are folded; bindings, places and
        processes as recorded by now or by `as_of`."""

    def edge(self) -> int | None:
        """The event time before which the log holds nothing any more; None: it holds all."""

    def log_spans(self) -> Iterator[LogSpan]:
        """The spans of SPAN_MS of which the log holds anything, the oldest first, each looked
        at when it is wanted."""

    def device(self, id: str) -> DeviceStatus | None: ...

    def device_list(self, after: str, limit: int) -> list[DeviceStatus]: ...

    def dead_letters(
        self, before: int | None, limit: int, device: str | None = None, reason: str | None = None
    ) -> list[tuple[int, DeadLetter]]:
        """The newest ones, with their numbers, older than number `before`."""

    def held_back(
        self, before: int | None, limit: int, device: str | None = None, reason: str | None = None
    ) -> list[tuple[int, Quarantined]]:
        """The newest ones in quarantine, with their numbers, older than number `before`."""

    def strangers(self, after: str, limit: int) -> list[tuple[str, int, int, int]]:
        """Unregistered devices in quarantine: id, observations, first and last reception."""

    def changes(
        self, before: int | None, limit: int, kind: str | None = None, subject: str | None = None
    ) -> list[tuple[int, Change]]:
        """The newest lines of the audit log, with their numbers, older than number `before`."""

    def api_key(self, digest: bytes) -> ApiKey | None: ...

    def api_keys(self) -> list[ApiKey]: ...

    def newest_reception(self) -> int | None:
        """When the last message came in."""

    def counts(self) -> Mapping[str, int]:
        """How many rows `log`, `dead_letters`, `quarantine` and `outbox` hold."""

    def queues(self) -> Queues:
        """What waits."""

    def duplicates(self) -> int:
        """How many observations are logged under a natural key that another one has."""

    def before_edge(self) -> int:
        """How many logged observations are older than the log's edge: without effect."""

    def every_progress(self) -> Iterator[tuple[Boot, Progress]]:
        """The receipt progress of every boot of every device."""

    def kept(self) -> Iterator[tuple[Boot, Iterator[int]]]:
        """Every boot with the numbers of it, in ascending order, of which something is logged
        (or was, before the log's edge), quarantined or dead-lettered. Take a boot's numbers
        before the next boot."""

    def messages(self, boots: Collection[str]) -> int:
        """How many messages of these boots, of whatever device, have something in the log."""

    def broken_links(self) -> int:
        """How many journal lines correct something without naming an earlier line of their
        asset."""

    def journal_after(self, number: int, limit: int) -> list[Line]:
        """Lines of the journal after a number, in the order in which they were written."""

    def logged_after(self, number: int, upto: int, limit: int) -> list[tuple[int, bytes, str, int]]:
        """What came into the log after a row number, up to and at another one: its number, key,
        subject and event time."""

    def newest(self) -> tuple[int, int]:
        """The newest numbers of the log and of the journal. To a transaction that begins after
        this was asked, nothing up to them is still to come."""

    def bound_at(self, subject: str, at: int) -> list[str]:
        """The assets that a subject told about at an event time."""

    def projected(self) -> bool:
        """Whether a time-series store is to be told of what is logged."""

    def behind(self) -> int | None:
        """Since when (epoch ms) the oldest waits of what that store has not been told yet."""

    def backlog(self) -> int:
        """How many lines it has not been told yet."""

    def queued_lines(self) -> Iterator[bytes]:
        """Every line that waits for it."""

    def letters_about(self, topic: str) -> Iterator[bytes]:
        """The payloads of all dead letters of a topic that are kept whole."""

    def to_coarsen(self, after: int, limit: int) -> list[LateDay]:
        """Of which series and days coarser points are to be made again, by day, after a day."""

    def numbered(self, after: int, limit: int) -> list[tuple[int, Observation]]:
        """Rows of the log with their numbers, in the order of these, after a number."""

    def arrivals(self, after: int, limit: int) -> list[Arrival]:
        """The same, and when each was recorded."""


class Writer(Reader, LeaseWriter, AlertWriter, DeliveryWriter, Protocol):
    """One transaction that writes, and sees what it has written. All or nothing: an exception
    undoes everything. What it reads of devices, bindings and beliefs is locked; events and
    progress are of their devices, which must be read first."""

    def devices(self, ids: Iterable[str]) -> Mapping[str, Device]:
        """The registered ones among `ids`."""

    def bindings(self, subjects: Iterable[str]) -> Mapping[str, Sequence[Binding]]:
        """All bindings of each subject, as they hold; subjects without any may be absent."""

    def append(self, rows: Sequence[Observation], recorded: int) -> dict[bytes, int]:
        """Append to the log what it does not hold yet; the numbers of the rows that were new,
        by key."""

    def digests(self, keys: Iterable[bytes]) -> dict[bytes, bytes]:
        """The content digests of logged events, by key."""

    def remove(self, keys: Iterable[bytes]) -> None:
        """Take rows back that this transaction appended."""

    def progress(self, boots: Iterable[Boot]) -> dict[Boot, Progress]:
        """The receipt progress of each (device, boot)."""

    def save_progress(
        self, progress: Mapping[Boot, Progress], received: Mapping[Boot, int]
    ) -> None:
        """Store progress, and when each boot was last heard: never earlier than before."""

    def note_vitals(self, rows: Sequence[tuple[str, str, str, int, bytes]]) -> None:
        """Keep what devices report of themselves: device, name, value, event time and key; the
        newest stays."""

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

    def suspect(self, devices: Mapping[str, int]) -> None:
        """Note that outages of readers are to be looked at again, each from an event time on; the
        earliest holds."""

    def cleared(self, devices: Iterable[str]) -> None:
        """They have been looked at."""

    def set_outages(
        self, device: str, since: int | None, spells: Sequence[Spell[bool]], recorded: int
    ) -> None:
        """From `since` on (None: always) a reader was away in these spells and no others."""

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
        """Every asset of a class of which anything is believed."""

    def visitors(self, site: str) -> list[str]:
        """Every asset whose belief or visits name a site."""

    def journal(self, entries: Sequence[Entry], recorded: int) -> Sequence[int]:
        """Write lines; their numbers."""

    def last_line(self, asset: str, about: str) -> int | None:
        """The number of the newest journal line of an asset about something."""

    def dead_letter(self, letters: Sequence[DeadLetter]) -> None:
        """Keep what cannot be stored; once per key."""

    def bury(self, numbers: Iterable[int]) -> None:
        """Delete dead letters, for they have been dealt with."""

    def quarantine(self, held: Sequence[Quarantined]) -> None:
        """Hold observations back; once per key."""

    def quarantined(self, device: str, reason: str) -> int:
        """How many observations of a device are held back for a reason."""

    def held(self, observations: Sequence[Observation]) -> dict[bytes, bytes]:
        """The digests, by key, of those that stand in quarantine."""

    def release(self, keys: Iterable[bytes]) -> None:
        """Take observations out of quarantine."""

    def quarantine_of(self, device: str, reason: str) -> list[Observation]:
        """What is held back of a device for a reason, in the order in which it came."""

    def held_by_number(self, numbers: Iterable[int]) -> list[Quarantined]:
        """What stands in quarantine under these numbers, in their order."""

    def letters_by_number(self, numbers: Iterable[int]) -> list[tuple[int, DeadLetter]]:
        """The dead letters of these numbers, in their order."""

    def first_heard(self, received: Mapping[str, int]) -> None:
        """Note the first reception of devices, of each unless there was one."""

    def put_device(self, device: Device) -> None:
        """Add or change a device; its first reception stays."""

    def put_devices(self, devices: Sequence[Device]) -> None:
        """The same for many at once."""

    def put_asset(self, asset: Asset) -> None:
        """Add or change an asset, and how it is found."""

    def put_assets(self, assets: Sequence[Asset]) -> None:
        """The same for many at once."""

    def add_binding(
        self, subject: str, asset: str | None, since: int | None, until: int | None, recorded: int
    ) -> None:
        """A new version: in that period, a subject tells about an asset, or (None) about none."""

    def add_bindings(self, versions: Sequence[Version[str]]) -> None:
        """The same for many at once; their revisions are given anew."""

    def add_place(self, version: Version[PlaceValue]) -> int:
        """A new version of a site, zone or reader; its revision, whatever the given one is."""

    def put_process(self, process: Process, recorded: int) -> int:
        """A new version of a process; its revision."""

    def put_rules(self, rules: Rules, recorded: int) -> int:
        """A new version of the user's rules; its revision."""

    def add_edge(self, at: int, recorded: int) -> int:
        """Delete from the log what is stamped before `at`, and the snapshots that the bases
        stand for; how many rows went. Which messages they were of stays known."""

    def audit(self, changes: Sequence[Change]) -> None: ...

    def enqueue(self, topic: str, payload: bytes) -> None:
        """Put a message into the outbox."""

    def outbox(self, limit: int) -> list[Outbound]:
        """The oldest waiting messages."""

    def sent(self, ids: Iterable[int]) -> None:
        """Take messages out of the outbox."""

    def project(self, since: int | None) -> None:
        """From now on (epoch ms) a time-series store is to be told of what is logged, or (None)
        no more: then what waits for it is forgotten."""

    def queue_points(self, lines: Sequence[bytes], queued: int) -> None:
        """Put lines of points into the queue for the time-series store, as one row."""

    def take_points(self, now: int, until: int, lines: int) -> list[Points]:
        """The oldest rows of the queue that are due, of about so many lines together. They are
        not due again before `until`."""

    def put_off(self, ids: Iterable[int], until: int) -> None:
        """Have rows of that queue due at another time."""

    def told(self, ids: Iterable[int]) -> None:
        """Take rows out of that queue."""

    def coarsen(self, days: Iterable[tuple[str, int]]) -> None:
        """Note series and days (epoch days) whose coarser points are to be made again."""

    def coarsened(self, days: Iterable[LateDay]) -> None:
        """Forget some of these, but for those that were noted again meanwhile."""

    def add_key(self, key: ApiKey) -> None: ...

    def revoke_key(self, id: str, at: int) -> bool:
        """Revoke an API key; False where there is none that is in force."""


class Store(Protocol):
    """A database. Both context managers raise StoreUnavailable where it cannot be reached."""

    def writing(self) -> AbstractContextManager[Writer]:
        """A transaction that may change anything."""

    def recording(self) -> AbstractContextManager[Writer]:
        """A transaction that changes no devices, bindings, sites, zones or readers: where the
        database allows it, several run at once."""

    def reading(self) -> AbstractContextManager[Reader]: ...


class Series(Protocol):
    """A time-series store, told of what is logged. Its points have no event keys: what orders
    those of one millisecond stands in the place of a key. `now` (epoch ms) tells what it keeps.
    All may raise SeriesUnavailable."""

    def check(self) -> None:
        """Raise StoreRefused where it can never be used as it is, saying why."""

    def write(self, lines: Sequence[bytes]) -> None:
        """Take lines of points. Raises LinesRefused where some can never be taken."""

    def oldest(self, now: int) -> int | None:
        """The event time before which it keeps coarser points alone; None: it keeps all."""

    def coarsen(self, since: int, until: int, series: str | None) -> None:
        """Make the coarser points of whole hours (epoch ms) again, of one series or of all."""

    def history(
        self,
        bindings: Sequence[Binding],
        now: int,
        since: int | None = None,
        until: int | None = None,
        after: Moment | None = None,
        every: int | None = None,
    ) -> Iterator[Observation]:
        """The fixes and reads by which bindings tell about an asset, in order: from `since` up to
        but not at `until`, after a moment; of a device's fixes the last of each window of
        `every` milliseconds will do."""

    def values(
        self,
        bindings: Sequence[Binding],
        name: str,
        now: int,
        since: int | None = None,
        until: int | None = None,
        after: Moment | None = None,
    ) -> Iterator[Value]:
        """What their devices measured by a name, in order."""

    def sums(
        self,
        bindings: Sequence[Binding],
        name: str,
        every: int,
        now: int,
        since: int | None,
        until: int | None,
        limit: int,
    ) -> list[Sums]:
        """What their numbers come to in windows of `every` milliseconds, the first so many."""

    def counts(self, day: int) -> Mapping[str, int]:
        """How many points it has of an epoch day, by series (see `tracker.points.series_of`)."""
