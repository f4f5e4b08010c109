"""Figures estimated from a world file and messages, and the world file with them: a way to measure
what they are good for, with `retour evaluate`."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from commands.evaluate import run
from commands.evaluate_files import read_process_file, read_world_file
from commands.evaluate_methods import PlainTrial
from commands.show import progress_bar
from tracker.calibrate import Ground, Past, recast
from tracker.estimate import Estimate, figures_of
from tracker.inference import Setting
from tracker.model import Observation
from tracker.places import Reader
from tracker.ports import Reader as Stored
from tracker.ports import Writer
from tracker.tally import watches_as
from tracker.world import World, write_world


class Gathered(PlainTrial):
    """A run that gathers what is observed of each asset, and tells nothing."""

    def __init__(self) -> None:
        super().__init__({}, None)
        self.ground = Ground([])
        self.pasts: list[Past] = []
        self._of_asset = defaultdict[str, list[Observation]](list)

    def take(self, asset: str, setting: Setting, row: Observation, order: Any) -> None:  # noqa: ARG002
        self._of_asset[asset].append(row)

    def finish(self, tx: Writer) -> None:
        self.ground = ground_of(tx)
        cases = {asset: setting.case for asset, setting in tx.settings(self._of_asset).items()}
        for asset, rows in sorted(self._of_asset.items()):
            self.pasts.append((cases[asset], sorted(rows, key=lambda row: (row.at, row.key))))


class Files(NamedTuple):
    """A world, what came, and the stage model (None: the shipped one)."""

    world: Path
    messages: Path
    process: Path | None

    def gathered(self) -> Gathered:
        """What was observed of the world's assets."""
        model = read_process_file(self.process) if self.process else None
        found, size = Gathered(), self.messages.stat().st_size
        with progress_bar("Reading") as progress:
            for read in run(found, self.world, self.messages, model):
                progress(read, size)
        return found

    def write(self, estimates: Iterable[Estimate], readers: Mapping[str, Reader], to: Path) -> None:
        """Write the world with the figures of estimates."""
        world = with_figures(read_world_file(self.world), estimates, readers)
        to.write_text(write_world(world), "utf-8")


def ground_of(reader: Stored) -> Ground:
    """The configuration of a database."""
    versions = [v for kind in ("site", "zone", "reader") for v in reader.versions(kind)]
    return Ground(versions, [*reader.inference().own.values()])


def with_figures(
    world: World, estimates: Iterable[Estimate], readers: Mapping[str, Reader]
) -> World:
    """A world whose trackers, and readers where they watch as they do among `readers`, have the
    figures of estimates."""
    figures = figures_of(estimates)
    recast_readers = [
        one.model_copy(update={"value": recast(one.value, figures)})
        if watches_as(one.value, readers)
        else one
        for one in world.readers
    ]
    trackers = [one.model_copy(update=figures.get(one.device, {})) for one in world.trackers]
    return world.model_copy(update={"readers": recast_readers, "trackers": trackers})
