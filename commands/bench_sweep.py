"""`retour bench sweep`: every asset's stage advanced to now, as a worker does it each minute.

Beside it *bare*: the plain driver reads the same rows, and nothing is made of them.
"""

from __future__ import annotations

import sqlite3
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from random import Random
from typing import Any

from gateway.sweeping import LOOKED_AT_ONCE
from tracker.case import Cadence, Case
from tracker.fold import Belief
from tracker.inference import Inference, Setting
from tracker.layout import EMPTY
from tracker.model import Asset, Binding
from tracker.present import Now, present
from tracker.stage import begin
from tracker.stores.sqlite import SqliteStore
from tracker.sweep import Foresight, Waiting

NOW = 1_790_000_000_000
DAY = 86_400_000
SEEN_WITHIN = 3 * DAY  # before the sweep, each asset was last seen
AT_ONCE = 5_000
STAGES = ("ready", "outbound", "in_use", "return_transit", "inspection")


def bench_sweep(assets: int, progress: Callable[[int, int], None]) -> dict[str, Any]:
    """Seconds to look at so many assets with trackers, last seen at any time of three days."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "retour.db"
        store = SqliteStore(path)
        _fill(store, assets, progress)
        began, cpu = time.perf_counter(), time.process_time()
        due = sum(len(some) for some in _looked(store))
        took, took_cpu = time.perf_counter() - began, time.process_time() - cpu
        store.close()
        return {
            "sweep_s": round(took, 2),
            "sweep_cpu_s": round(took_cpu, 2),
            "bare_s": round(_bare(path), 2),
            "due": due,
            "assets": assets,
            "bytes_an_asset": round(path.stat().st_size / assets),
        }


def _looked(store: SqliteStore) -> Iterator[list[str]]:
    with store.reading() as reader:
        foresight, profiles = Foresight(reader.inference()), reader.profiles()
        after = ""
        while (waiting := reader.waiting(after, LOOKED_AT_ONCE)).asset:
            yield foresight.due(waiting, profiles, NOW)
            after = waiting.asset[-1]


def _bare(path: Path) -> float:
    began = time.perf_counter()
    with closing(sqlite3.connect(path)) as db:
        columns = ", ".join(Waiting._fields)
        for _ in db.execute(f"SELECT {columns} FROM presents ORDER BY asset"):  # noqa: S608
            pass
    return time.perf_counter() - began


def _fill(store: SqliteStore, assets: int, progress: Callable[[int, int], None]) -> None:
    random = Random(1)  # noqa: S311
    inference = Inference(EMPTY)
    settings = [_setting(inference, stage) for stage in STAGES]
    for first in range(0, assets, AT_ONCE):
        rows = [
            _now(settings[n % len(settings)], f"asset-{n:07}", NOW - random.randrange(SEEN_WITHIN))
            for n in range(first, min(first + AT_ONCE, assets))
        ]
        with store.writing() as tx:
            tx.save_presents(rows)
        progress(first + len(rows), assets)


def _setting(inference: Inference, stage: str) -> Setting:
    asset = Asset("asset", "pallet", initial_stage=stage)
    cadences = (("trk", Cadence(21_600, 3_600)),)
    return inference.setting(Case(asset, (Binding("asset", "trk"),), cadences))


def _now(setting: Setting, asset: str, at: int) -> Now:
    standing = begin(setting.evidence, setting.case, at)
    belief = Belief(asset, 1, at, "00", None, None, standing=standing)
    return present(belief, setting, None, at)
