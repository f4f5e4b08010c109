"""InfluxDB 2 as the time-series store."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from heapq import merge
from math import inf
from time import monotonic
from typing import Any, NamedTuple

from influxdb_client.client.flux_csv_parser import FluxCsvParserException, FluxQueryException
from influxdb_client.client.influxdb_client import InfluxDBClient
from influxdb_client.client.write_api import SYNCHRONOUS
from influxdb_client.rest import ApiException
from urllib3.exceptions import HTTPError

from tracker.model import Binding, Fix, Kind, Observation, Read, is_device_id
from tracker.points import FIX, NS_A_MS, READ, SENSOR, TAGS, as_tag
from tracker.ports import LinesRefused, SeriesUnavailable, StoreRefused
from tracker.stamps import DAY, HOUR
from tracker.stores import flux
from tracker.telemetry import Sums, Value, added
from tracker.whereabouts import Moment

TIMEOUT_MS = 20_000
ASKING_TIMEOUT_MS = 5_000  # whoever asks waits; the log may answer instead
REFUSED = (400, 413, 422)
CHECK_AGAIN_S = 600.0  # how long the bucket keeps points can be changed
RAW_ROWS = 10_000  # at most in one answer of InfluxDB
csv.field_size_limit(2**24)  # of an answer; by default texts of 128 KiB are too long
SETUP = "run `retour influx setup`"


class InfluxAt(NamedTuple):
    """Where an InfluxDB is, and with which token it is used."""

    url: str
    org: str
    bucket: str
    token: str

    @property
    def coarse_bucket(self) -> str:
        """Where the coarser points are."""
        return f"{self.bucket}_1h"


class Influx:
    """A `tracker.ports.Series`. Making one asks nothing of the server yet."""

    def __init__(self, at: InfluxAt) -> None:
        self.at = at
        self.client, self._asking = (
            InfluxDBClient(at.url, at.token, org=at.org, timeout=timeout, enable_gzip=True)
            for timeout in (TIMEOUT_MS, ASKING_TIMEOUT_MS)
        )
        # Synchronous, for the default writer batches in the background and drops what it could
        # not deliver.
        self._writer = self.client.write_api(write_options=SYNCHRONOUS)
        self._kept_ms = 0  # 0: for ever
        self._checked = -inf

    def check(self) -> None:
        try:
            with self.told():
                bucket = self.client.buckets_api().find_bucket_by_name(self.at.bucket)
        except SeriesUnavailable as error:
            if error.is_passing:
                raise
            raise StoreRefused(
                f"{error}: see RETOUR_INFLUX_TOKEN and RETOUR_INFLUX_ORG, or {SETUP}"
            ) from error
        if bucket is None:
            raise StoreRefused(
                f"InfluxDB at {self.at.url} has no bucket {self.at.bucket!r} that the token may "
                f"see: {SETUP}"
            )
        rules = bucket.retention_rules or []
        self._kept_ms = next((1000 * rule.every_seconds for rule in rules), 0)
        self._checked = monotonic()

    def oldest(self, now: int) -> int | None:
        if monotonic() - self._checked > CHECK_AGAIN_S:
            try:
                self.check()
            except StoreRefused as error:
                raise SeriesUnavailable(str(error), is_passing=False) from error
        return now - self._kept_ms if self._kept_ms else None

    def write(self, lines: Sequence[bytes]) -> None:
        with self.told():
            self._writer.write(self.at.bucket, record=b"\n".join(lines))

    def coarsen(self, since: int, until: int, series: str | None) -> None:
        source = flux.of_period(self.at.bucket, since, until, series)
        # Its answer is read for the errors that may stand in it.
        for _ in self._rows(flux.coarsening(source, self.at.coarse_bucket), self.client):
            pass

    def history(
        self,
        bindings: Sequence[Binding],
        now: int,
        since: int | None = None,
        until: int | None = None,
        after: Moment | None = None,
        every: int | None = None,
    ) -> Iterator[Observation]:
        period = _Period.of(since, until, after)
        ranges = [self._of_binding(b, period.within(b), now, every) for b in bindings]
        return merge(*ranges, key=lambda o: (o.at, o.key))

    def _of_binding(
        self, binding: Binding, period: _Period, now: int, every: int | None
    ) -> Iterator[Observation]:
        """Fixes of a device, or reads of a tag, page by page as far as they are wanted."""
        is_device = is_device_id(binding.subject)
        series = flux.of_series(FIX if is_device else READ, as_tag(binding.subject))
        make = _fix if is_device else _read
        if is_device and every is not None:
            series += flux.last_of_each(every)
        query = series + flux.rows(RAW_ROWS, "lat" if is_device else "device")
        for row in self._paged(query, period, now):
            yield make(binding.subject, row)

    def values(
        self,
        bindings: Sequence[Binding],
        name: str,
        now: int,
        since: int | None = None,
        until: int | None = None,
        after: Moment | None = None,
    ) -> Iterator[Value]:
        period = _Period.of(since, until, after)
        ranges = [
            self._values_of(b.subject, name, period.within(b), now)
            for b in bindings
            if is_device_id(b.subject)
        ]
        return merge(*ranges, key=lambda value: (value.at, value.key))

    def _values_of(self, device: str, name: str, period: _Period, now: int) -> Iterator[Value]:
        query = flux.of_series(SENSOR, as_tag(device)) + flux.values(name, RAW_ROWS)
        for row in self._paged(query, period, now):
            at, offset = divmod(row["ns"], NS_A_MS)
            yield Value(at, _key(offset).hex(), device, row["_value"])

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
        found: dict[int, Sums] = {}
        for binding in bindings:
            if not is_device_id(binding.subject):
                continue
            series = flux.of_series(SENSOR, as_tag(binding.subject))
            for bucket, period in self._parts(_Period.of(since, until).within(binding), now):
                ask = flux.sums if bucket == self.at.bucket else flux.coarse_sums
                query = ask(flux.within(bucket, *period) + series, name, every, limit)
                for sums in _summed(self._rows(query), every):
                    found[sums.at] = added(found.get(sums.at), sums)
        return [found[at] for at in sorted(found)[:limit]]

    def counts(self, day: int) -> dict[str, int]:
        start = day * DAY
        source = flux.of_period(self.at.bucket, start, start + DAY, None)
        found: dict[str, int] = {}
        for row in self._rows(flux.counts(source), self.client):
            measurement = row["_measurement"]
            series = f"{measurement}/{row[TAGS[measurement]]}"
            found[series] = found.get(series, 0) + row["_value"]
        return found

    def _paged(self, query: str, period: _Period, now: int) -> Iterator[dict[str, Any]]:
        for bucket, (since, until) in self._parts(period, now):
            start = since
            while True:
                page = sorted(
                    self._rows(flux.within(bucket, start, until) + query),
                    key=lambda row: int(row["ns"]),
                )
                yield from page
                if len(page) < RAW_ROWS:
                    break
                start = page[-1]["ns"] + 1

    def _parts(self, period: _Period, now: int) -> Iterator[tuple[str, _Period]]:
        """A period as far as only coarser points are kept of it, and the rest of it."""
        oldest = self.oldest(now)
        if oldest is not None:
            # From the first hour on that is kept whole.
            kept = -(-oldest // HOUR) * HOUR * NS_A_MS
            before, period = period.cut(kept)
            if not before.is_empty:
                yield self.at.coarse_bucket, before
        if not period.is_empty:
            yield self.at.bucket, period

    def _rows(self, query: str, client: InfluxDBClient | None = None) -> Iterator[dict[str, Any]]:
        """The rows of an answer. Whatever is wrong with a question, it is SeriesUnavailable."""
        try:
            with self.told():
                for record in (client or self._asking).query_api().query_stream(query):
                    yield record.values
        except (LinesRefused, FluxQueryException, FluxCsvParserException, csv.Error) as error:
            text = f"InfluxDB at {self.at.url} cannot answer: {error}"
            raise SeriesUnavailable(text, is_passing=False) from error

    @contextmanager
    def told(self) -> Iterator[None]:
        """Errors of the client as SeriesUnavailable or LinesRefused."""
        try:
            yield
        except ApiException as error:
            told = error.message or error.reason
            if error.status in REFUSED:
                raise LinesRefused(told) from error
            raise SeriesUnavailable(
                f"InfluxDB at {self.at.url} answers {error.status}: {told}",
                _seconds(error),
                is_passing=error.status not in (401, 403, 404),
            ) from error
        except (HTTPError, OSError) as error:
            text = f"InfluxDB at {self.at.url} does not answer: {error}"
            raise SeriesUnavailable(text) from error

    def close(self) -> None:
        """Close all connections."""
        self.client.close()
        self._asking.close()


class _Period(NamedTuple):
    """From `since` up to, not at, `until`, in nanoseconds (None: open)."""

    since: int | None
    until: int | None

    @classmethod
    def of(cls, since: int | None, until: int | None, after: Moment | None = None) -> _Period:
        """A period in milliseconds, after a moment."""
        starts = [] if since is None else [since * NS_A_MS]
        if after is not None:
            starts.append(after.at * NS_A_MS + min(int(after.key, 16), NS_A_MS - 1) + 1)
        return cls(max(starts, default=None), None if until is None else until * NS_A_MS)

    def within(self, binding: Binding) -> _Period:
        """What it shares with a binding."""
        other = _Period.of(binding.since, binding.until)
        sinces = [t for t in (self.since, other.since) if t is not None]
        untils = [t for t in (self.until, other.until) if t is not None]
        return _Period(max(sinces, default=None), min(untils, default=None))

    def cut(self, at: int) -> tuple[_Period, _Period]:
        """What lies before a time, and the rest."""
        until = at if self.until is None else min(at, self.until)
        since = at if self.since is None else max(at, self.since)
        return _Period(self.since, until), _Period(since, self.until)

    @property
    def is_empty(self) -> bool:
        return self.since is not None and self.until is not None and self.since >= self.until


def _key(offset: int) -> bytes:
    """What orders the points of one millisecond, in the place of an event key."""
    return offset.to_bytes(16, "big")


def _fix(device: str, row: dict[str, Any]) -> Observation:
    what = Fix._make(row.get(name) for name in Fix._fields)
    return _observed(Kind.FIX, device, device, row["ns"], what)


def _read(tag: str, row: dict[str, Any]) -> Observation:
    antenna, count = (None if row.get(n) is None else int(row[n]) for n in ("antenna", "count"))
    what = Read(tag, antenna, row.get("rssi"), count)
    return _observed(Kind.READ, tag, row["device"], row["ns"], what)


def _observed(kind: Kind, subject: str, device: str, ns: int, what: Fix | Read) -> Observation:
    at, offset = divmod(ns, NS_A_MS)
    return Observation(
        key=_key(offset),
        digest=b"",
        kind=kind,
        subject=subject,
        device=device,
        boot=None,
        seq=None,
        event=0,
        stamp=at,
        at=at,
        sent=None,
        received=at,
        body=b"",
        what=what,
    )


def _summed(rows: Iterator[dict[str, Any]], every: int) -> Iterator[Sums]:
    """The parts of each window together. One device has a series for each kind of sensor; a
    window that begins before what was asked for is cut there."""
    parts: dict[tuple[int, str], dict[str, float]] = {}
    for row in rows:
        at = row["ns"] // NS_A_MS
        parts.setdefault((at, row["kind"]), {})[row["part"]] = row["_value"]
    for (at, _), part in parts.items():
        yield Sums(at // every * every, int(part["count"]), part["sum"], part["min"], part["max"])


def _seconds(error: ApiException) -> float:
    """How long the server asks to wait."""
    said = error.headers.get("Retry-After", "") if error.headers else ""
    return float(said) if said.isdecimal() else 0.0
