"""What the domain keeps of what came: the log, receipts, what is held back, the journal, and what
waits to be told elsewhere. Implemented in `tracker/stores/`."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple, Protocol

from tracker.fold import Entry
from tracker.model import DeadLetter, Observation, Quarantined
from tracker.receipts import Progress
from tracker.whereabouts import Moment

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


class Line(NamedTuple):
    """A line of the journal as it was written: its number, and when (epoch ms)."""

    number: int
    recorded: int
    entry: Entry


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


class LogReader(Protocol):
    """What is read of what came."""

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

    def edge(self) -> int | None:
        """The event time before which the log holds nothing any more; None: it holds all."""

    def log_spans(self) -> Iterator[LogSpan]:
        """The spans of SPAN_MS of which the log holds anything, the oldest first, each looked
        at when it is wanted."""

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


class LogWriter(LogReader, Protocol):
    """What is written of what came."""

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

    def add_edge(self, at: int, recorded: int) -> int:
        """Delete from the log what is stamped before `at`, and the snapshots that the bases
        stand for; how many rows went. Which messages they were of stays known."""

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
