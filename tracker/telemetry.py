"""What devices measured on an asset: single values, and their sums in windows of time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import groupby
from typing import Any, NamedTuple, Protocol, TypeVar

import orjson

from tracker.model import Observation, Values


class Value(NamedTuple):
    """What a device said of something at an event time (epoch ms): a number, a text or a truth."""

    at: int
    key: str
    device: str
    value: float | str | bool


class Sums(NamedTuple):
    """What numbers came to in a window of time that begins at `at` (epoch ms)."""

    at: int
    n: int
    total: float
    low: float
    high: float

    @property
    def mean(self) -> float:
        """Their mean."""
        return self.total / self.n


def values_of(observations: Iterable[Observation], name: str) -> Iterator[Value]:
    """What observations say of something by a name. All numbers are floats; what is none of a
    number, a text or a truth is told as JSON.

    >>> from tracker.model import Kind
    >>> said = Observation(b"k", b"d", Kind.SENSOR, "trk", "trk", "b", 0, 0, 7, 7, 7, 7, b"",
    ...                    Values({"temperature": 21}))
    >>> list(values_of([said], "temperature"))
    [Value(at=7, key='6b', device='trk', value=21.0)]
    """
    for o in observations:
        if isinstance(o.what, Values) and (value := o.what.values.get(name)) is not None:
            yield Value(o.at, o.key.hex(), o.device, _plain(value))


def _plain(value: Any) -> float | str | bool:
    if isinstance(value, bool | str):
        return value
    if isinstance(value, int | float):
        return float(value)
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS).decode()


def summed(values: Iterable[Value], every: int) -> Iterator[Sums]:
    """The sums of numbers in each window of so many milliseconds, from the epoch on; windows
    without any are left out. `values` are in the order of time.

    >>> some = [Value(at, "", "trk", float(at)) for at in (1, 2, 11)]
    >>> [(sums.at, sums.mean) for sums in summed(some, 10)]
    [(0, 1.5), (10, 11.0)]
    """
    numbers = (value for value in values if isinstance(value.value, float))
    for window, some in groupby(numbers, key=lambda value: value.at // every):
        found = [value.value for value in some if isinstance(value.value, float)]
        yield Sums(window * every, len(found), sum(found), min(found), max(found))


def added(one: Sums | None, other: Sums) -> Sums:
    """Two sums of one window, together."""
    if one is None:
        return other
    return Sums(
        one.at,
        one.n + other.n,
        one.total + other.total,
        min(one.low, other.low),
        max(one.high, other.high),
    )


class _Timed(Protocol):
    @property
    def at(self) -> int: ...


T = TypeVar("T", bound=_Timed)


def last_of_each(timed: Iterable[T], every: int) -> Iterator[T]:
    """The last of each window of so many milliseconds, of what is in the order of time.

    >>> [v.at for v in last_of_each([Value(at, "", "trk", "") for at in (1, 2, 11)], 10)]
    [2, 11]
    """
    for _, some in groupby(timed, key=lambda one: one.at // every):
        *_, last = some
        yield last
