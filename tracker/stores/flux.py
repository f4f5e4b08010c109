"""Flux: the queries that InfluxDB 2 is asked."""

from __future__ import annotations

from tracker.points import FIX, NS_A_MS, READ, SENSOR, STAGE, TAGS, TEXT, TRUTH, as_field
from tracker.stamps import HOUR

EARLIEST_NS, LATEST_NS = -(2**63) + 2, 2**63 - 2
SUMS = {"sum": "sum", "count": "count", "min": "min", "max": "max"}


def text(value: str) -> str:
    """A string literal: nothing in it ends it, or is looked up.

    >>> text('a"${b}\\\\')
    '"a\\\\"\\\\${b}\\\\\\\\"'
    """
    for special in ("\\", '"', "${"):
        value = value.replace(special, f"\\{special}")
    return f'"{value}"'


def within(bucket: str, since_ns: int | None, until_ns: int | None) -> str:
    """What a bucket holds of a period (None: open)."""
    start = EARLIEST_NS if since_ns is None else min(max(since_ns, EARLIEST_NS), LATEST_NS - 1)
    stop = LATEST_NS if until_ns is None else max(min(until_ns, LATEST_NS), start + 1)
    return f"from(bucket: {text(bucket)}) |> range(start: time(v: {start}), stop: time(v: {stop}))"


def of_series(measurement: str, id: str) -> str:
    """Points of one device or tag, whose id is written as a tag."""
    of_it = f"r._measurement == {text(measurement)} and r.{TAGS[measurement]} == {text(id)}"
    return f" |> filter(fn: (r) => {of_it})"


def last_of_each(every_ms: int) -> str:
    """Of each window (from the epoch on) the last point of each field."""
    return f" |> window(every: {every_ms}ms) |> last() |> window(every: inf)" + (
        ' |> sort(columns: ["_time"])'
    )


def rows(limit: int, needed: str) -> str:
    """The first points with a field, one row for each, their time as `ns`."""
    return (
        f" |> limit(n: {limit}) "
        '|> pivot(rowKey: ["_time"], columnKey: ["_field"], valueColumn: "_value") '
        f"|> filter(fn: (r) => exists r.{needed}) |> limit(n: {limit}){_NS}"
    )


def values(name: str, limit: int) -> str:
    """The first values of a name, of any type, their time as `ns`."""
    fields = " or ".join(f"r._field == {text(as_field(name) + end)}" for end in ("", TEXT, TRUTH))
    return f" |> filter(fn: (r) => {fields}) |> limit(n: {limit}){_NS}"


_NS = (
    " |> map(fn: (r) => ({r with ns: int(v: r._time)})) "
    '|> drop(columns: ["_time", "_start", "_stop"])'
)
_NUMBERS = ' |> filter(fn: (r) => types.isType(v: r._value, type: "float"))'
_TYPES = 'import "types"\n'


def sums(source: str, name: str, every_ms: int, limit: int) -> str:
    """Of a field's numbers in the first windows: sum, count, least and greatest."""
    field = f" |> filter(fn: (r) => r._field == {text(as_field(name))}){_NUMBERS}"
    return f"{_TYPES}data = {source}{field}\n" + "".join(
        f"data{_windows(every_ms, fn)}{_first(limit, part)}" for part, fn in SUMS.items()
    )


def coarse_sums(source: str, name: str, every_ms: int, limit: int) -> str:
    """The same from the coarser points."""
    return f"data = {source}\n" + "".join(
        f"data |> filter(fn: (r) => r._field == {text(f'{as_field(name)}.{part}')})"
        f"{_windows(every_ms, fn)}{_first(limit, part)}"
        for part, fn in {**SUMS, "count": "sum"}.items()
    )


def _windows(every_ms: int, fn: str) -> str:
    return (
        f' |> aggregateWindow(every: {every_ms}ms, fn: {fn}, createEmpty: false, timeSrc: "_start")'
    )


def _first(limit: int, part: str) -> str:
    result = f'set(key: "part", value: "{part}") |> yield(name: "{part}")'
    return f" |> limit(n: {limit}){_NS} |> {result}\n"


def coarsening(source: str, coarse: str, head: str = "") -> str:
    """Make coarser points of what a source yields, in the bucket `coarse`: of each hour and
    field the last of places and reads; of numbers, at its beginning, `NAME.sum` and so on."""
    to = f" |> to(bucket: {text(coarse)})\n"
    numbers = f'numbers = data |> filter(fn: (r) => r._measurement == "{SENSOR}"){_NUMBERS}\n'
    last = (
        f'data |> filter(fn: (r) => r._measurement == "{FIX}" or r._measurement == "{READ}")'
        f" |> window(every: 1h) |> last() |> window(every: inf){to}"
    )
    summed = "".join(
        f"numbers{_windows(HOUR, fn)} |> map(fn: (r) => ({{r with _value: float(v: r._value), "
        f'_field: r._field + ".{part}"}})){to}'
        for part, fn in SUMS.items()
    )
    return f"{_TYPES}{head}data = {source}\n{last}{numbers}{summed}"


def task(name: str, bucket: str, coarse: str) -> str:
    """The task that does so for the hours that have just ended."""
    source = (
        f"from(bucket: {text(bucket)}) |> range("
        "start: date.truncate(t: date.sub(d: 2h, from: now()), unit: 1h), "
        "stop: date.truncate(t: now(), unit: 1h))"
    )
    head = f'import "date"\noption task = {{name: {text(name)}, every: 1h, offset: 5m}}\n'
    return coarsening(source, coarse, head)


def of_period(bucket: str, since: int, until: int, series: str | None) -> str:
    """What a bucket holds of a period (ms), and of a series (see `tracker.points.series_of`)."""
    source = within(bucket, since * NS_A_MS, until * NS_A_MS)
    if series is None:
        return source
    measurement, _, id = series.partition("/")
    return source + of_series(measurement, id)


def counts(source: str) -> str:
    """How many points there are, by measurement, id and day; of stages points and marks."""
    by_day = f'|> aggregateWindow(every: 1d, fn: count, createEmpty: false, timeSrc: "_start"){_NS}'
    return f"""data = {source}
data |> filter(fn: (r) => r._measurement == "{FIX}" and r._field == "lat") {by_day}
  |> yield(name: "{FIX}")
data |> filter(fn: (r) => r._measurement == "{READ}" and r._field == "device") {by_day}
  |> yield(name: "{READ}")
data |> filter(fn: (r) => r._measurement == "{SENSOR}")
  |> keep(columns: ["_time", "_start", "_stop", "_measurement", "device"])
  |> group(columns: ["_measurement", "device"]) |> unique(column: "_time")
  |> map(fn: (r) => ({{r with _value: 1}})) {by_day} |> yield(name: "{SENSOR}")
data |> filter(fn: (r) => r._measurement == "{STAGE}")
  |> filter(fn: (r) => r._field == "id" or r._field == "superseded")
  |> group(columns: ["_measurement", "asset"]) {by_day} |> yield(name: "{STAGE}")
"""
