"""The fold: from an asset's observations to what is believed of it. Pure.

A belief is a function of the set of stored observations alone, in (event time, key) order:
shuffled, doubled or late input ends in the same bits.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import orjson

from tracker.model import Fix, Observation, Read, ReaderPlace


class Place(NamedTuple):
    """Where an asset was at `at`: degrees WGS 84, accuracy in metres, and from what evidence:
    its own `fix`, or a `read` of its tag by a reader whose place is known."""

    lat: float
    lon: float
    acc: float | None
    at: int
    source: str
    device: str
    key: str


class Belief(NamedTuple):
    """What is believed of an asset after its last observation, `(at, key)`."""

    asset: str
    observations: int
    at: int
    key: str
    first: Place | None
    last: Place | None


class Entry(NamedTuple):
    """A line of the journal: something believed of an asset from `at` on. `supersedes` is the
    number of the line that it corrects."""

    asset: str
    kind: str
    at: int
    body: Mapping[str, Any]
    supersedes: int | None = None


LOCATED = "location.first"
CORRECTED = "location.corrected"


def fold(
    belief: Belief | None,
    asset: str,
    observations: Iterable[Observation],
    readers: Mapping[str, ReaderPlace],
) -> Belief | None:
    """The belief after more observations, which must be in (event time, key) order and later
    than the belief's last one. Start from None to fold a whole history.

    >>> from tracker.model import Kind
    >>> fix = Observation(b"k", b"d", Kind.FIX, "trk", "trk", "b", 0, 0, 7, 7, 7, 7, b"",
    ...                   Fix(50.1, 4.2, 8.0))
    >>> fold(None, "A1", [fix], {}).last
    Place(lat=50.1, lon=4.2, acc=8.0, at=7, source='fix', device='trk', key='6b')
    """
    last_seen: Observation | None = None
    count = belief.observations if belief else 0
    first = belief.first if belief else None
    last = belief.last if belief else None
    for last_seen in observations:
        count += 1
        place = place_of(last_seen, readers)
        if place is not None:
            first = first or place
            last = place
    if last_seen is None:
        return belief
    return Belief(asset, count, last_seen.at, last_seen.key.hex(), first, last)


def place_of(observation: Observation, readers: Mapping[str, ReaderPlace]) -> Place | None:
    """Where an observation says that its asset was, or None where it says nothing of that."""
    what = observation.what
    if isinstance(what, Fix):
        lat, lon, acc = what.lat, what.lon, what.acc
    elif isinstance(what, Read) and (reader := readers.get(observation.device)) is not None:
        lat, lon, acc = reader.lat, reader.lon, reader.acc
    else:
        return None
    return Place(
        lat,
        lon,
        acc,
        observation.at,
        str(observation.kind),
        observation.device,
        observation.key.hex(),
    )


def follows(belief: Belief | None, observations: Sequence[Observation]) -> bool:
    """Whether ordered observations all come after a belief; otherwise it must be refolded."""
    if belief is None or not observations:
        return True
    earliest = observations[0]
    return (earliest.at, earliest.key.hex()) > (belief.at, belief.key)


def transition(before: Belief | None, after: Belief | None) -> Entry | None:
    """What the journal should say of a changed belief: an asset's first place is news, and
    late data that changes it is a correction."""
    old = before.first if before else None
    new = after.first if after else None
    if new == old:
        return None
    asset = (after or before).asset  # type: ignore[union-attr]  # one of them has a place
    if new is None:
        return Entry(asset, CORRECTED, old.at, {})  # type: ignore[union-attr]
    return Entry(asset, LOCATED if old is None else CORRECTED, new.at, new._asdict())


def encode(belief: Belief) -> bytes:
    """The belief's canonical JSON: equal beliefs are equal bytes."""
    asset, observations, at, key, first, last = belief
    return orjson.dumps(
        {
            "asset": asset,
            "observations": observations,
            "at": at,
            "key": key,
            "first": first and list(first),
            "last": last and list(last),
        }
    )


def decode(body: bytes | str) -> Belief:
    """The inverse of `encode`.

    >>> b = Belief("A1", 1, 7, "6b", None, Place(50.1, 4.2, None, 7, "fix", "trk", "6b"))
    >>> decode(encode(b)) == b
    True
    """
    fields = orjson.loads(body)
    for name in ("first", "last"):
        fields[name] = Place(*fields[name]) if fields[name] else None
    return Belief(**fields)
