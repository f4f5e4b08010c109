"""Recorded data as the messages that its devices would have sent: one row, one message.

A file is one boot of every device in it (`boot` is taken from the file's content, so the same
file is the same messages each time); a device's rows are numbered from 0. `sent` is the row's
own time: a recording does not know when its devices sent.

Two formats:

- Schenker: nine sensor trackers on sea-freight containers, 2016. The file holds block after
  block per tracker, so the rows are put in the order of their time. `cellid` for an accuracy
  means the radio cell's place, taken as 2 km.
- CapMetro: a bus fleet's positions, polled from a GTFS-realtime feed, one file a day. The rows
  keep the disorder that they were stored in. `speed` is in metres per second, as GTFS-realtime
  defines it, though nobody says so: every one of the 115,088 values is a whole multiple of
  0.44704, which is one mile per hour in m/s, and the vehicles' straight-line progress between
  fixes at most five minutes apart averages 4.5 against a mean of 5.4 in that column; in mph the
  column would mean 2.4 m/s, less than the way that was certainly covered. The timetable's
  columns (`route_id`, `trip_id`, `trip_headsign`) were joined in by the feed; no tracker on
  board sends them, and they are left out.
"""

from __future__ import annotations

import csv
import gzip
import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from math import isfinite
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import orjson

CELL_ACCURACY_M = 2_000.0
_GZIP_MAGIC = b"\x1f\x8b"
_ABSENT = ("", "NA")

Row = Mapping[str, str]


class RecordedMessage(NamedTuple):
    """One row as a message: `payload` is published to the events topic of `device`; `at_ms` is
    the row's time (epoch ms)."""

    device: str
    boot: str
    seq: int
    at_ms: int
    payload: bytes


@dataclass(frozen=True, slots=True)
class Recording:
    """A recording's messages in the order to publish them. `rows` counts the data rows read,
    `skipped` those of them that make no message, by reason: `empty` (nothing usable in it),
    `bad_time`, `bad_row` (a column too many or too few, or a number that is none)."""

    format: str
    rows: int
    skipped: Mapping[str, int]
    messages: tuple[RecordedMessage, ...]

    def __iter__(self) -> Iterator[RecordedMessage]:
        return iter(self.messages)

    def __len__(self) -> int:
        return len(self.messages)


def read_schenker(path: Path) -> Recording:
    """Reads a Schenker file, plain or gzipped. Raises ValueError for another kind of file."""
    boot, text = _read(path)
    header, _units, *rows = _table(path, text, SCHENKER_COLUMNS)
    skipped: Counter[str] = Counter()
    readings = list(_readings(header, rows, _schenker, skipped))
    readings.sort(key=lambda reading: reading.at_ms)  # a stable sort: ties stay in file order
    messages = tuple(_messages("schenker", boot, readings))
    return Recording("schenker", len(rows), MappingProxyType(skipped), messages)


def read_capmetro(paths: Iterable[Path]) -> Recording:
    """Reads CapMetro files, plain or gzipped, one after another. Raises ValueError for another
    kind of file."""
    count, skipped, boots = 0, Counter[str](), set[str]()
    messages: list[RecordedMessage] = []
    for path in paths:
        boot, text = _read(path)
        if boot in boots:
            raise ValueError(f"{path}: the same content as another file of this recording")
        boots.add(boot)
        header, *rows = _table(path, text, CAPMETRO_COLUMNS)
        count += len(rows)
        messages += _messages("capmetro", boot, _readings(header, rows, _capmetro, skipped))
    return Recording("capmetro", count, MappingProxyType(skipped), tuple(messages))


class _Reading(NamedTuple):
    device: str
    at_ms: int
    event: dict[str, Any]


class _Skip(Exception):
    """This row makes no message; the argument is the reason."""


def _read(path: Path) -> tuple[str, str]:
    """The boot id and the text of a file."""
    content = path.read_bytes()
    if content.startswith(_GZIP_MAGIC):
        content = gzip.decompress(content)
    return hashlib.sha256(content).hexdigest()[:16], content.decode("utf-8-sig")


def _table(path: Path, text: str, columns: frozenset[str]) -> list[list[str]]:
    table = list(csv.reader(text.splitlines()))
    lacking = columns.difference(table[0] if table else ())
    if lacking:
        raise ValueError(f"{path}: not this format: no column {', '.join(sorted(lacking))}")
    return table


def _readings(
    header: list[str],
    rows: Iterable[list[str]],
    decode: Callable[[Row], _Reading],
    skipped: Counter[str],
) -> Iterator[_Reading]:
    for row in rows:
        try:
            if len(row) != len(header):
                raise _Skip("bad_row")
            yield decode(dict(zip(header, row, strict=True)))
        except _Skip as skip:
            skipped[str(skip)] += 1


def _messages(format: str, boot: str, readings: Iterable[_Reading]) -> Iterator[RecordedMessage]:
    numbers: Counter[str] = Counter()
    for reading in readings:
        device = f"{format}-{reading.device}"
        seq = numbers[device]
        numbers[device] += 1
        body = {"boot": boot, "seq": seq, "sent": reading.at_ms, "events": [reading.event]}
        yield RecordedMessage(device, boot, seq, reading.at_ms, orjson.dumps(body))


# -- Schenker ---------------------------------------------------------------------------------

_SCHENKER_SENSORS = {
    "GForce": "shock",
    "Tilt": "tilt",
    "Temperature": "temperature",
    "Humidity": "humidity",
    "Light": "light",
}
# The name of the status, and what a 1 in the column says of it.
_SCHENKER_STATUS = {
    "Active": ("active", True),
    "Reverse": ("reverse", True),
    "Sleep": ("sleep", True),
    "Door": ("door_open", True),
    "Mount": ("mounted", False),
    "Motion": ("moving", True),
}
SCHENKER_COLUMNS = frozenset(
    ("SXXJ number", "Date", "Time_UTC", "Latitude", "Longitude", "Accuracy")
).union(_SCHENKER_SENSORS, _SCHENKER_STATUS)


def _schenker(row: Row) -> _Reading:
    at_ms = _epoch_ms(f"{row['Date']}T{row['Time_UTC']}+00:00")
    sensors = {name: _number(row[column]) for column, name in _SCHENKER_SENSORS.items()}
    status = {
        name: None if (flag := _number(row[column])) is None else (flag != 0) == true
        for column, (name, true) in _SCHENKER_STATUS.items()
    }
    return _Reading(
        row["SXXJ number"],
        at_ms,
        _event(
            at_ms,
            fix=_fix(row["Latitude"], row["Longitude"], acc=_accuracy(row["Accuracy"])),
            sensor=sensors,
            status=status,
        ),
    )


def _accuracy(text: str) -> float | None:
    return CELL_ACCURACY_M if text.startswith("cellid") else _number(text)


# -- CapMetro ---------------------------------------------------------------------------------

CAPMETRO_COLUMNS = frozenset(("vehicle_id", "timestamp", "speed", "latitude", "longitude"))


def _capmetro(row: Row) -> _Reading:
    at_ms = _epoch_ms(row["timestamp"])
    fix = _fix(row["latitude"], row["longitude"], speed=_number(row["speed"]))
    return _Reading(row["vehicle_id"], at_ms, _event(at_ms, fix=fix))


# -- Cells ------------------------------------------------------------------------------------


def _event(at_ms: int, **parts: Mapping[str, float | bool | None]) -> dict[str, Any]:
    """One event with what is present of its parts."""
    event: dict[str, Any] = {"at": at_ms}
    for kind, values in parts.items():
        present = {name: value for name, value in values.items() if value is not None}
        if present:
            event[kind] = present
    if len(event) == 1:
        raise _Skip("empty")
    return event


def _fix(lat: str, lon: str, **more: float | None) -> dict[str, float | None]:
    """A position with more about it; nothing at all without a position."""
    place = {"lat": _number(lat), "lon": _number(lon)}
    return {} if None in place.values() else place | more


def _epoch_ms(text: str) -> int:
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        raise _Skip("bad_time") from None
    if time.tzinfo is None:
        raise _Skip("bad_time")
    return round(time.astimezone(UTC).timestamp() * 1_000)


def _number(text: str) -> float | None:
    if text in _ABSENT:
        return None
    try:
        number = float(text)
    except ValueError:
        raise _Skip("bad_row") from None
    if not isfinite(number):
        raise _Skip("bad_row")
    return number
