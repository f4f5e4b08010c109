"""What the time-series store is told: lines of InfluxDB's line protocol.

Measurement, tags and time are a point's identity: a second one of the same would overwrite the
first in silence. So the time is the event time in nanoseconds, of which the last six digits come
from the row's number in the log: the same whenever, and however often, it is told.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import unquote

import orjson

from tracker.model import Fix, Kind, Observation, Read, Values

NS_A_MS = 1_000_000
FIX, READ, SENSOR, STAGE = "fix", "read", "sensor", "stage"  # the measurements
TAGS = {FIX: "device", READ: "epc", SENSOR: "device", STAGE: "asset"}  # whom each tells about
TEXT, TRUTH = ".text", ".true"  # the ends of the names of fields that hold no numbers

_ENDS = {"text", "true", "sum", "count", "min", "max"}
_SORTED = orjson.OPT_SORT_KEYS
_UNSAFE = re.compile(r"[\x00-\x1f\x7f%\\]")
_SERIES = re.compile(rb"(\w+),\w+=((?:\\.|[^ ,])*)")
_SPECIAL = re.compile(r"([,= ])")


def time_ns(at: int, number: int) -> int:
    """The time of a point (ns) of row `number` of the log, at an event time (ms).

    >>> time_ns(1_790_000_000_000, 7_000_041)
    1790000000000000041
    """
    return at * NS_A_MS + number % NS_A_MS


def as_tag(text: str) -> str:
    """An id as the value of a tag, which can hold neither line ends nor a backslash at its end:
    these, and the percent sign, are written as in URLs.

    >>> as_tag("crate 5"), as_tag("50%"), as_tag("a\\\\")
    ('crate 5', '50%25', 'a%5C')
    """
    return _UNSAFE.sub(lambda found: f"%{ord(found[0]):02X}", text)


def of_tag(value: str) -> str:
    """The id that stands so in a tag.

    >>> of_tag("50%25"), of_tag("a%5C") == "a" + chr(92)
    ('50%', True)
    """
    return unquote(value)


def as_field(name: str) -> str:
    """A name as that of a field. InfluxDB drops one called `time`, and some ends are ours.

    >>> as_field("temperature"), as_field("time"), as_field("status.text")
    ('temperature', '%74ime', 'status%2Etext')
    """
    if name == "time":
        return "%74ime"
    begin, dot, end = as_tag(name).rpartition(".")
    return f"{begin}%2E{end}" if dot and end in _ENDS else f"{begin}{dot}{end}"


def line(o: Observation, number: int) -> bytes | None:
    """The line of an observation, row `number` of the log; None where there is nothing to tell.

    >>> fix = Observation(b"k", b"d", Kind.FIX, "trk 1", "trk 1", "b", 0, 0, 7, 7, 7, 7, b"",
    ...                   Fix(50.1, 4.2, 8.0))
    >>> line(fix, 41)
    b'fix,device=trk\\\\ 1 lat=50.1,lon=4.2,acc=8.0 7000041'
    """
    what = o.what
    if isinstance(what, Fix):
        series = f"{FIX},device={_escaped(as_tag(o.device))}"
        fields = _numbers(what, "lat", "lon", "acc", "speed", "heading")
    elif isinstance(what, Read):
        series = f"{READ},epc={_escaped(as_tag(what.tag))}"
        fields = [f"device={_text(o.device)}", *_numbers(what, "antenna", "rssi", "count")]
    elif isinstance(what, Values) and o.kind is not Kind.PRESENCE:
        series = f"{SENSOR},device={_escaped(as_tag(o.device))},kind={o.kind}"
        fields = list(_values(what.values))
    else:
        return None
    if not fields:
        return None
    return f"{series} {','.join(fields)} {time_ns(o.at, number)}".encode()


def stage_line(asset: str, class_: str, at: int, number: int, **fields: str | float) -> bytes:
    """A line about what line `number` of the journal has told of the stage of an asset of a
    class ("": not known), from an event time (ms) on.

    >>> stage_line("A 1", "pallet", 7, 41, stage="in transit", p=0.75, id=41)
    b'stage,asset=A\\\\ 1,class=pallet stage="in transit",p=0.75,id=41i 7000041'
    """
    series = f"{STAGE},asset={_escaped(as_tag(asset))}"
    if class_:
        series += f",class={_escaped(as_tag(class_))}"
    told = ",".join(f"{name}={_field(value)}" for name, value in fields.items())
    return f"{series} {told} {time_ns(at, number)}".encode()


def is_coarsened(line: bytes) -> bool:
    """Whether coarser points are made of what a line tells: not of stages, which are few."""
    return not line.startswith(f"{STAGE},".encode())


def series_of(line: bytes) -> str:
    """Which series a line belongs to: measurement and tag of whom it tells about.

    >>> series_of(b"fix,device=trk\\\\ 1 lat=50.1,lon=4.2 7000041")
    'fix/trk 1'
    """
    found = _SERIES.match(line)
    assert found is not None, line
    id = re.sub(rb"\\(.)", rb"\1", found[2])
    return f"{found[1].decode()}/{id.decode()}"


def at_of(line: bytes) -> int:
    """The event time (ms) of a line.

    >>> at_of(b"fix,device=trk-1 lat=50.1,lon=4.2 7000041")
    7
    """
    return int(line[line.rindex(b" ") + 1 :]) // NS_A_MS


def _numbers(what: Fix | Read, *names: str) -> list[str]:
    return [
        f"{name}={float(value)!r}" for name in names if (value := getattr(what, name)) is not None
    ]


def _values(values: Mapping[str, Any]) -> Iterator[str]:
    """Fields of named values. A field has one type for all devices: numbers are floats, and
    others have names of their own, or what one device says would have another one refused."""
    for name, value in values.items():
        if value is None or not name:
            continue
        field = _escaped(as_field(name))
        if isinstance(value, bool):
            yield f"{field}{TRUTH}={'true' if value else 'false'}"
        elif isinstance(value, int | float):
            yield f"{field}={float(value)!r}"
        else:
            told = value if isinstance(value, str) else orjson.dumps(value, option=_SORTED).decode()
            yield f"{field}{TEXT}={_text(told)}"


def _field(value: str | float) -> str:
    if isinstance(value, str):
        return _text(value)
    return f"{value}i" if isinstance(value, int) else repr(float(value))


def _escaped(text: str) -> str:
    return _SPECIAL.sub(r"\\\1", text) if _SPECIAL.search(text) else text


def _text(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
