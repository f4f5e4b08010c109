"""Use cases: tell a time-series store what is logged and what stages were told, all of it again,
and compare the two."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from operator import add
from typing import NamedTuple

from tracker.letters import dead_letter
from tracker.model import Binding, DeadLetter
from tracker.points import STAGE, as_tag, at_of, is_coarsened, line, of_tag, series_of
from tracker.ports import LinesRefused, Reader, Series, Store
from tracker.stage_points import stage_lines
from tracker.stamps import DAY

LINES_IN_REQUEST = 5_000
ROWS_AT_ONCE = 20_000
REFUSED = "series_refused"
TOPIC = "points"  # of its dead letters, which came in no message
TOO_OLD = "retention policy"  # what InfluxDB says of a point that it would not keep
DETAIL_AT_MOST = 1_000
ALL_SERIES = ""

SeriesDay = tuple[str, int]
"""A series (see `tracker.points.series_of`) and an epoch day."""


class Told(NamedTuple):
    """How many lines were told; were older than what the store keeps; and were refused, each of
    them with the reason."""

    told: int
    expired: int
    refused: list[tuple[bytes, str]]


class Difference(NamedTuple):
    """A series of which the log (of stages: the journal) and the time-series store hold different
    numbers of points of a day, and the assets that it tells about. Of stages points and the marks
    on superseded ones are counted."""

    series: str
    day: int
    assets: list[str]
    logged: int
    told: int


class Page(NamedTuple):
    """Lines that some rows of the log or of the journal come to, and the number of the last."""

    lines: list[bytes]
    rows: int
    last: int


def _of_log(reader: Reader, after: int) -> Page | None:
    rows = reader.numbered(after, ROWS_AT_ONCE)
    lines = [one for number, row in rows if (one := line(row, number))]
    return Page(lines, len(rows), rows[-1][0]) if rows else None


def _of_journal(reader: Reader, after: int) -> Page | None:
    rows = reader.journal_after(after, ROWS_AT_ONCE)
    return Page([*stage_lines(reader, rows)], len(rows), rows[-1].number) if rows else None


SOURCES = (_of_log, _of_journal)


def tell(series: Series, lines: Sequence[bytes], now: int) -> Told:
    """Tell what is young enough to be kept. Raises SeriesUnavailable."""
    oldest = series.oldest(now)
    kept = lines if oldest is None else [one for one in lines if at_of(one) >= oldest]
    refused: list[tuple[bytes, str]] = []
    for start in range(0, len(kept), LINES_IN_REQUEST):
        refused += _write(series, kept[start : start + LINES_IN_REQUEST])
    bad = [(one, why) for one, why in refused if TOO_OLD not in why]
    told = len(kept) - len(refused)
    return Told(told, len(lines) - told - len(bad), bad)


def _write(series: Series, lines: Sequence[bytes]) -> Iterator[tuple[bytes, str]]:
    """Write lines; those that are refused are found by halving."""
    try:
        series.write(lines)
    except LinesRefused as error:
        if len(lines) == 1:
            yield lines[0], str(error)
            return
        half = len(lines) // 2
        yield from _write(series, lines[:half])
        yield from _write(series, lines[half:])


def refusals(told: Told, now: int) -> list[DeadLetter]:
    """What was refused, to be kept with the reason."""
    return [
        # InfluxDB quotes what it refuses: any length, and NUL, which PostgreSQL cannot hold.
        dead_letter(TOPIC, one, now, REFUSED, why.replace("\0", "\\0")[:DETAIL_AT_MOST])
        for one, why in told.refused
    ]


def rebuild(
    store: Store,
    series: Series,
    now: int,
    progress: Callable[[int, int], None] = lambda _done, _all: None,
) -> Told:
    """Tell all of the log and all that the journal says of stages again: the same points, for what
    is there already. Coarser points are made again by a worker; what is refused is in the dead
    letters, the first of it in the answer. `progress` is told rows done and about how many there
    are in all. Raises SeriesUnavailable."""
    whole, done = Told(0, 0, []), 0
    with store.reading() as reader:
        rows = reader.counts()["log"] + reader.newest()[1]
    for page in _pages(store):
        some = tell(series, page.lines, now)
        days = {at_of(one) // DAY for one in page.lines if is_coarsened(one)}
        with store.recording() as tx:
            tx.dead_letter(refusals(some, now))
            tx.coarsen([(ALL_SERIES, day) for day in sorted(days)])
        whole = Told(*map(add, whole, some))
        done += page.rows
        progress(done, rows)
    return whole


def _pages(store: Store) -> Iterator[Page]:
    """All there is to tell, each page read in a transaction of its own."""
    for read in SOURCES:
        after = 0
        while True:
            with store.reading() as reader:
                page = read(reader, after)
            if page is None:
                break
            yield page
            after = page.last


def differences(reader: Reader, series: Series, now: int) -> list[Difference]:
    """Where the store does not hold what log and journal do, but for what waits to be told and
    what it has refused. Days that it or the log does not hold whole are left out; of today more
    is no difference, for it may have been told since. Raises SeriesUnavailable."""
    expected = _expected(reader)
    expected.subtract(map(_day_of, reader.queued_lines()))
    expected.subtract(map(_day_of, reader.letters_about(TOPIC)))
    begins = max((t for t in (reader.edge(), series.oldest(now)) if t is not None), default=None)
    found = []
    for day in sorted({day for _, day in expected}):
        if begins is not None and day * DAY < begins:
            continue
        told = series.counts(day)
        logged = {one: count for (one, at), count in expected.items() if at == day}
        for one in sorted(logged.keys() | told.keys()):
            more = told.get(one, 0) - logged.get(one, 0)
            if more < 0 or (more > 0 and day < now // DAY):
                found.append((one, day, logged.get(one, 0), told.get(one, 0)))
    bindings = list(reader.every_binding()) if found else []
    return [
        Difference(one, day, _assets(bindings, one, day), *counts) for one, day, *counts in found
    ]


def _expected(reader: Reader) -> Counter[SeriesDay]:
    counts: Counter[SeriesDay] = Counter()
    for read in SOURCES:
        after = 0
        while page := read(reader, after):
            counts.update(map(_day_of, page.lines))
            after = page.last
    return counts


def _day_of(one: bytes) -> SeriesDay:
    return series_of(one), at_of(one) // DAY


def _assets(bindings: Sequence[Binding], series: str, day: int) -> list[str]:
    measurement, _, subject = series.partition("/")
    if measurement == STAGE:
        return [of_tag(subject)]
    start = day * DAY
    return sorted(
        {
            b.asset
            for b in bindings
            if as_tag(b.subject) == subject and b.overlaps(start, start + DAY)
        }
    )
