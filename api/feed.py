"""The feed: what becomes known, in the order in which it becomes known, by the page.

A position in it is a row of the log and a line of the journal. From a position on, a page holds
the newest place of every asset that rows of the log have moved, and what lines of the journal
say. Where a row is late, or a later one tells already where the asset is, the page is silent
about it: whoever reads on is told in the end where everything is, and nothing twice.
"""

from __future__ import annotations

import asyncio
import re
from collections import Counter, OrderedDict, defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any, NamedTuple, TypeVar

import anyio
import orjson

from api.cursors import BadCursor
from api.problems import TooManyStreams
from api.times import iso
from tracker.alert_news import ALERT as NEWS_OF_ALERTS
from tracker.fold import Belief
from tracker.log_ports import Line
from tracker.news import RELOCATED, STAGE_CHANGED, STAGE_CORRECTED
from tracker.ports import Reader, Store
from tracker.versions import timeline

T = TypeVar("T")
Row = tuple[int, bytes, str, int]
"""Of the log: its number, key, subject and event time."""

LOCATION, VISIT, STAGE, CORRECTION = "location", "visit", "stage", "correction"
ALERT = "alert"
STAGES = (STAGE_CHANGED, STAGE_CORRECTED)
UNTOLD = ("key", "why", "chain", "class")  # of a journal line: what one who listens has no use for
ROWS = 10_000  # of the log on a page, as long as no more than so many
SUBJECTS = 1_000  # are seen in them
LINES = 1_000  # of the journal on a page
POLL_S = 0.5
PAGES_KEPT = 8  # most listeners ask for the same ones
THREADS = 4  # that look into the database for all listeners
LISTENERS_AT_MOST = 100
OF_A_KEY_AT_MOST = 20
_POSITION = re.compile(r"([0-9]{1,18})\.([0-9]{1,18})")


class Position(NamedTuple):
    """How far somebody has read: up to a row of the log and a line of the journal.

    >>> Position.parse("17.4"), str(Position(17, 4))
    (Position(log=17, journal=4), '17.4')
    """

    log: int
    journal: int

    @classmethod
    def parse(cls, text: str) -> Position:
        """From the id of an event. Raises BadCursor."""
        match = _POSITION.fullmatch(text)
        if match is None:
            raise BadCursor("the id of the last event does not come from this stream")
        return cls(int(match[1]), int(match[2]))

    def __str__(self) -> str:
        return f"{self.log}.{self.journal}"


class Event(NamedTuple):
    """Something to tell of an asset of a class: `data` is JSON, `sites` are those that it
    concerns. Who has heard it has read up to `id`."""

    id: Position
    name: str
    asset: str
    sites: Sequence[str | None]
    data: bytes
    class_: str = ""


class Page(NamedTuple):
    """What there is to tell from a position on, up to the position `end`."""

    events: list[Event]
    end: Position


def start(reader: Reader, text: str | None) -> Position:
    """Where to begin: after the event whose id is `text`, else now. Raises BadCursor."""
    newest = Position(*reader.newest())
    if text is None:
        return newest
    asked = Position.parse(text)
    if asked.log > newest.log or asked.journal > newest.journal:
        raise BadCursor(f"the event {asked} has not happened yet: the newest is {newest}")
    oldest = reader.logged_after(0, newest.log, 1)
    if reader.edge() is not None and (not oldest or asked.log < oldest[0][0] - 1):
        raise BadCursor(f"the log no longer holds what came after {asked}: begin without an id")
    return asked


def page_after(after: Position, newest: Position, reader: Reader) -> Page:
    """The page that begins after a position. `newest` was asked before, in another transaction:
    of the log nothing up to it is still to come."""
    found = reader.logged_after(after.log, newest.log, ROWS)
    rows = _of_some(found)
    lines = reader.journal_after(after.journal, LINES)
    if rows and (len(rows) < len(found) or len(rows) == ROWS):
        log = rows[-1][0]
    elif newest.log >= after.log:
        log = newest.log
    else:
        # Another process knew more than this one; or the log is shorter than it was, where its
        # newest rows were late, and have been given up.
        log = min(after.log, reader.newest()[0])
    told = [*_moved(reader, rows, after.journal), *_written(reader, lines, log)]
    end = Position(log, lines[-1].number if lines else after.journal)
    return Page(_with_classes(reader, told), end)


def _of_some(rows: Sequence[Row]) -> Sequence[Row]:
    """The first rows, of as many subjects as have room on a page."""
    subjects = set()
    for n, (_, _, subject, _) in enumerate(rows):
        subjects.add(subject)
        if len(subjects) > SUBJECTS:
            return rows[:n]
    return rows


def _moved(reader: Reader, rows: Sequence[Row], journal: int) -> list[Event]:
    """The newest places that came with some rows, by row."""
    events = []
    for asset, came in _touched(reader, rows).items():
        belief = reader.belief(asset)
        if belief is None or belief.last is None:
            continue
        number = came.get(bytes.fromhex(belief.last.key))
        if number is not None:
            events.append(_location(belief, Position(number, journal)))
    return sorted(events)


def _touched(reader: Reader, rows: Sequence[Row]) -> dict[str, dict[bytes, int]]:
    """For each asset that rows tell about their numbers, by key."""
    spells = {
        subject: timeline(reader.binding_versions(subject))
        for subject in {subject for _, _, subject, _ in rows}
    }
    touched: dict[str, dict[bytes, int]] = defaultdict(dict)
    for number, key, subject, at in rows:
        for spell in spells[subject]:
            if spell.holds_at(at):
                touched[spell.value][key] = number
    return touched


def _location(belief: Belief, id: Position) -> Event:
    place, site = belief.last, belief.whereabouts.site
    assert place is not None  # else there was nothing to tell
    data = {
        "asset": belief.asset,
        "lat": place.lat,
        "lon": place.lon,
        "acc": place.acc,
        "at": iso(place.at),
        "source": place.source,
        "device": place.device,
        "site": site,
        "zone": place.zone,
    }
    return Event(id, LOCATION, belief.asset, (site,), orjson.dumps(data))


def _written(reader: Reader, lines: Sequence[Line], log: int) -> Iterator[Event]:
    """What lines of the journal say of visits, stages and alerts, and corrections of first
    places."""
    staged = {line.entry.asset for line in lines if _is_where_it_stays(line)}
    presents = reader.presents(staged) if staged else {}
    for line in lines:
        entry = line.entry
        if _is_where_it_stays(line):
            present = presents.get(entry.asset)
            here = (present.site if present is not None else None,)
            name = STAGE if entry.kind in STAGES else ALERT
            yield Event(Position(log, line.number), name, entry.asset, here, _said(line))
            continue
        if not entry.kind.startswith("visit.") and entry.kind != RELOCATED:
            continue
        name = CORRECTION if entry.kind == RELOCATED else VISIT
        sites = (entry.body.get("site"), _former_site(reader, entry.supersedes))
        id = Position(log, line.number)
        yield Event(id, name, entry.asset, sites, _said(line))


def _is_where_it_stays(line: Line) -> bool:
    """Whether a line concerns the site where its asset stays."""
    return line.entry.kind in STAGES or line.entry.kind.startswith(NEWS_OF_ALERTS)


def _former_site(reader: Reader, line: int | None) -> str | None:
    """The site of which a line spoke that is corrected: who watches it must hear of that."""
    if line is None:
        return None
    (corrected,) = reader.journal_after(line - 1, 1)
    site: str | None = corrected.entry.body.get("site")
    return site


def _said(line: Line) -> bytes:
    entry = line.entry
    data: dict[str, Any] = {name: getattr(entry, name) for name in ("asset", "kind", "about", "at")}
    data |= {name: said for name, said in entry.body.items() if name not in UNTOLD}
    data |= {"recorded": line.recorded, "line": line.number, "supersedes": entry.supersedes}
    for name in ("at", "since", "last", "until", "recorded"):
        if name in data:
            data[name] = iso(data[name])
    return orjson.dumps(data)


def _with_classes(reader: Reader, events: Sequence[Event]) -> list[Event]:
    known = reader.assets_by_id({event.asset for event in events})
    return [event._replace(class_=known[event.asset].class_) for event in events]


class Feed:
    """The feed of one process, for all who listen. Only while somebody does is it looked for
    news, and only once for all."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._threads = anyio.CapacityLimiter(THREADS)
        self._look = anyio.Lock()
        self._looked = float("-inf")
        self._newest = Position(0, 0)
        self._pages: OrderedDict[Position, asyncio.Task[Page]] = OrderedDict()
        self._listeners: Counter[str] = Counter()  # by their keys
        self.stopped = False

    def stop(self) -> None:
        """Let all who listen end, within POLL_S. May be called from any thread."""
        self.stopped = True

    @property
    def listeners(self) -> int:
        """How many listen."""
        return self._listeners.total()

    @contextmanager
    def listening(self, key: str) -> Iterator[None]:
        """Be one of those who listen, with a key. Raises TooManyStreams."""
        if self.listeners >= LISTENERS_AT_MOST:
            raise TooManyStreams(LISTENERS_AT_MOST)
        if self._listeners[key] >= OF_A_KEY_AT_MOST:
            raise TooManyStreams(OF_A_KEY_AT_MOST, " with this key")
        self._listeners[key] += 1
        try:
            yield
        finally:
            self._listeners[key] -= 1

    async def after(self, position: Position) -> Page | None:
        """The page after a position; None where there is nothing new. Raises
        StoreUnavailable."""
        if await self._is_newest(position):
            return None
        task = self._pages.get(position)
        if task is None:
            reading = self._reading(partial(page_after, position, self._newest))
            task = self._pages[position] = asyncio.create_task(reading)
            if len(self._pages) > PAGES_KEPT:
                self._pages.popitem(last=False)
        try:
            # Whoever asked first may go away: the others wait for the same answer.
            page = await asyncio.shield(task)
        except Exception:
            self._pages.pop(position, None)
            raise
        if page.end == position:
            # More had been read than the last look saw. To keep that there was nothing after it
            # would hide what comes there.
            self._pages.pop(position, None)
            return None
        return page

    async def _is_newest(self, position: Position) -> bool:
        async with self._look:
            if anyio.current_time() - self._looked >= POLL_S:
                self._newest = Position(*await self._reading(lambda reader: reader.newest()))
                self._looked = anyio.current_time()
        return position == self._newest

    async def _reading(self, ask: Callable[[Reader], T]) -> T:
        def answer() -> T:
            with self._store.reading() as reader:
                return ask(reader)

        return await anyio.to_thread.run_sync(answer, limiter=self._threads)
