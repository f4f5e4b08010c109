"""`retour bench refold`: what one late row costs an asset with a long history.

A row comes late near the end, in the middle and at the start of the history: with the
snapshots that are kept on the way, and without any. What is measured is the whole transaction
that records it.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from random import Random
from statistics import median
from typing import Any

import orjson

from gateway.decoders.native import decode_events
from tracker.arrange import arrange
from tracker.model import Asset, Device, Message
from tracker.places import Circle, Site
from tracker.record import record
from tracker.registry import bind_device, register_asset, register_device
from tracker.stamps import StampPolicy
from tracker.stores.sqlite import SqliteStore
from tracker.verify import verify

NOW = 1_790_000_000_000
MINUTE = 60_000
AT_ONCE = 500  # messages recorded in one transaction
STAY = 200  # observations at a site, before the asset moves on to the next one
SITES = 20
POLICY = StampPolicy()
ASSET, TRACKER = "asset-1", "trk-1"


def bench_refold(
    observations: int, times: int, progress: Callable[[int, int], None]
) -> dict[str, Any]:
    """Medians of so many late rows at each place, milliseconds; on top those of the place that
    takes longest."""
    places = {"near the end": observations - 10, "in the middle": observations // 2, "start": 5}
    told: dict[str, dict[str, Any]] = {}
    with tempfile.TemporaryDirectory() as folder:
        store = SqliteStore(Path(folder) / "retour.db")
        _fill(store, observations, progress)
        late = Late(store, observations)
        for name, keeps in (("snapshots", True), ("without", False)):
            told[name] = {place: late.told(at, times, keeps) for place, at in places.items()}
        with store.reading() as reader:
            sound = verify(reader).sound
        store.close()
    return {
        "snapshots_ms": _worst(told["snapshots"], "median_ms"),
        "snapshots_cpu_ms": _worst(told["snapshots"], "cpu_ms"),
        "without_ms": _worst(told["without"], "median_ms"),
        "without_cpu_ms": _worst(told["without"], "cpu_ms"),
        "observations": observations,
        "sound": sound,
        **told,
    }


def _worst(places: dict[str, dict[str, float]], figure: str) -> float:
    return max(figures[figure] for figures in places.values())


class Late:
    """Sends late rows."""

    def __init__(self, store: SqliteStore, observations: int) -> None:
        self._store = store
        self._received = _at(observations)
        self._seq = 0

    def told(self, place: int, times: int, keeps_snapshots: bool) -> dict[str, float]:
        """What late rows just after a place in the history cost, one by one."""
        wall, cpu = [], []
        for n in range(times):
            if not keeps_snapshots:
                with self._store.writing() as tx:
                    tx.drop_snapshots(ASSET, None)
                    # What they counted since the ones before is all in the belief's tail then.
                    (belief,) = tx.beliefs([ASSET]).values()
                    whole = belief.usage._replace(tail=belief.usage.total)
                    tx.save_beliefs([belief._replace(usage=whole)], tx.inference().revision)
            message = self._message(_at(place) + MINUTE // 2 + n)
            began, began_cpu = time.perf_counter(), time.process_time()
            with self._store.writing() as tx:
                record(tx, [message], [], POLICY)
            wall.append((time.perf_counter() - began) * 1_000)
            cpu.append((time.process_time() - began_cpu) * 1_000)
        return {
            "median_ms": round(median(wall), 1),
            "max_ms": round(max(wall), 1),
            "cpu_ms": round(median(cpu), 1),
        }

    def _message(self, at: int) -> Message:
        """A fix off every site."""
        self._seq += 1
        return _message("late", self._seq, at, (4.4, 51.905), self._received)


def _fill(store: SqliteStore, observations: int, progress: Callable[[int, int], None]) -> None:
    chance = Random("refold")  # noqa: S311
    with store.writing() as tx:
        register_device(tx, Device(TRACKER, "tracker"), POLICY)
        register_asset(tx, Asset(ASSET))
        bind_device(tx, ASSET, TRACKER)
        for n in range(SITES):
            arrange(tx, Site(id=f"site-{n}", geofence=Circle(center=_middle(n), radius_m=200)))
    for first in range(0, observations, AT_ONCE):
        numbers = range(first, min(first + AT_ONCE, observations))
        with store.writing() as tx:
            record(tx, [_on_time(chance, n) for n in numbers], [], POLICY)
        progress(numbers.stop, observations)


def _middle(site: int) -> tuple[float, float]:
    return 4.4 + site / 100, 51.9


def _at(number: int) -> int:
    return NOW + number * MINUTE


def _on_time(chance: Random, number: int) -> Message:
    """A fix at or around the site where the asset is by then."""
    lon, lat = _middle(number // STAY % SITES)
    place = lon + chance.gauss(0, 5e-4), lat + chance.gauss(0, 5e-4)
    return _message("b1", number, _at(number), place, _at(number))


def _message(boot: str, seq: int, at: int, place: tuple[float, float], received: int) -> Message:
    event = {"at": at, "fix": {"lat": place[1], "lon": place[0], "acc": 8.0}}
    payload = orjson.dumps({"boot": boot, "seq": seq, "events": [event]})
    return decode_events(f"retour/v1/{TRACKER}/events", payload, received)
