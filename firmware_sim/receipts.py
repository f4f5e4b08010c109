"""The platform's receipts as a device reads them, and runs of message numbers."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field

import orjson

Run = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Receipt:
    """Every message of `boot` up to `seq` is accounted for, except the runs in `missing`.

    >>> receipt = Receipt.parse(b'{"boot": "9f3a01c2", "seq": 7, "missing": [[3, 4]]}')
    >>> [seq for seq in range(10) if receipt.covers(seq)]
    [0, 1, 2, 5, 6, 7]
    """

    boot: str
    seq: int
    missing: tuple[Run, ...] = ()

    @classmethod
    def parse(cls, payload: bytes) -> Receipt:
        """Reads a receipt; raises ValueError for anything else."""
        body = orjson.loads(payload)
        if not isinstance(body, dict) or not isinstance(body.get("boot"), str):
            raise ValueError("not a receipt")
        missing = body.get("missing", [])
        if not _is_int(body.get("seq")) or not isinstance(missing, list):
            raise ValueError("not a receipt")
        return cls(body["boot"], body["seq"], tuple(_run(pair) for pair in missing))

    def covers(self, seq: int) -> bool:
        """Whether the message `seq` of this boot is accounted for."""
        return seq <= self.seq and not self.misses(seq)

    def misses(self, seq: int) -> bool:
        """Whether the message `seq` is named as missing."""
        return any(low <= seq <= high for low, high in self.missing)


@dataclass
class Runs:
    """A set of message numbers kept as sorted, disjoint runs `(low, high)`, both inclusive.

    >>> runs = Runs()
    >>> for seq in (0, 1, 5, 2):
    ...     runs.add(seq)
    >>> list(runs), 5 in runs, 3 in runs, len(runs)
    ([(0, 2), (5, 5)], True, False, 4)
    """

    _runs: list[Run] = field(default_factory=list)

    def add(self, seq: int) -> None:
        """Adds one number, joining the runs that it touches."""
        if seq in self:
            return
        at = bisect_left(self._runs, (seq, seq))
        low = high = seq
        if at < len(self._runs) and self._runs[at][0] == seq + 1:
            high = self._runs.pop(at)[1]
        if at > 0 and self._runs[at - 1][1] == seq - 1:
            at -= 1
            low = self._runs.pop(at)[0]
        self._runs.insert(at, (low, high))

    def __contains__(self, seq: int) -> bool:
        at = bisect_right(self._runs, seq, key=lambda run: run[0])
        return at > 0 and seq <= self._runs[at - 1][1]

    def __iter__(self) -> Iterator[Run]:
        return iter(self._runs)

    def __len__(self) -> int:
        return sum(high - low + 1 for low, high in self._runs)


def _run(pair: object) -> Run:
    if not isinstance(pair, list) or len(pair) != 2 or not all(map(_is_int, pair)):
        raise ValueError("a run of missing numbers is [low, high]")
    return pair[0], pair[1]


def _is_int(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)
