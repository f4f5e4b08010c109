"""Zones that readers watch: how often a tag makes a mark there, and what its reads look like."""

from __future__ import annotations

from collections.abc import Sequence
from math import exp, lgamma, log, sqrt, tau
from typing import NamedTuple

from tracker.model import Read
from tracker.places import Reader, Zone
from tracker.process import Reads, Rfid

HOUR_S = 3_600.0
CYCLE_S = 1_800.0  # of a reader that states none
MISS, STRAY = 0.2, 0.1  # of a reader that states none


class Watch(NamedTuple):
    """A zone under inventory: how often a tag in it makes a mark (per hour), and one that lies
    in a zone beside it. `stated`: the cadence is known."""

    zone: Zone
    cycle_s: float
    own: float
    stray: float
    stated: bool
    portal: bool
    miss: float


def looks_own(read: Read, rfid: Rfid) -> float:
    """How likely a read is one of the reader's own zone, if half of all are.

    >>> [round(looks_own(Read("tag", 1, rssi), Rfid()), 2) for rssi in (-55.0, -67.0)]
    [0.88, 0.12]
    """
    own, stray = density(read, rfid.own), density(read, rfid.stray)
    return own / (own + stray)


def watch_of(zone: Zone, readers: Sequence[Reader]) -> Watch | None:
    """How a zone is watched by its readers."""
    if not readers:
        return None
    cycling = [reader for reader in readers if reader.mode == "cycle"]
    best = cycling or readers
    missed = 1.0
    for reader in best:
        missed *= MISS if reader.miss is None else reader.miss
    stated = [reader.cycle_s for reader in best if reader.cycle_s is not None]
    cycle = min(stated, default=CYCLE_S)
    strays = [STRAY if reader.stray is None else reader.stray for reader in best]
    per_h = HOUR_S / cycle
    stray = max(strays) * per_h / spread(zone)
    own = max(1 - missed, 1e-3) * per_h
    return Watch(zone, cycle, own, stray, bool(stated), not cycling, missed)


def spread(zone: Zone) -> int:
    """Over how many zones beside it a zone's stray reads are spread."""
    return max(1, len(set(zone.adjacent) - {zone.id}))


def looks_of(reader: Reader, rfid: Rfid) -> Rfid:
    """The figures of a process, but for those that a reader has of its own."""
    own = {"rssi": reader.rssi, "count": reader.count}
    stray = {"rssi": reader.stray_rssi, "count": reader.stray_count}
    given = [{k: v for k, v in one.items() if v is not None} for one in (own, stray)]
    if not any(given):
        return rfid
    return Rfid(
        own=rfid.own.model_copy(update=given[0]), stray=rfid.stray.model_copy(update=given[1])
    )


def adjacent(one: Zone, other: Zone) -> bool:
    return one.id != other.id and (one.id in other.adjacent or other.id in one.adjacent)


def density(read: Read, looks: Reads) -> float:
    """How likely a read looks like that: Normal in signal strength, Poisson in answers."""
    density = 1.0
    if read.rssi is not None:
        mean, sd = looks.rssi
        density *= exp(-0.5 * ((read.rssi - mean) / sd) ** 2) / (sd * sqrt(tau))
    if read.count is not None:
        more, mean = max(read.count - 1, 0), max(looks.count - 1, 0.1)
        density *= exp(more * log(mean) - mean - lgamma(more + 1))
    return max(density, 1e-12)
