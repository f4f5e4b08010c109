"""`retour calibrate`: the figures of readers and trackers, estimated anew from the log."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from hashlib import blake2b
from pathlib import Path
from typing import Annotated, Any

import typer

from commands.asking import Until, known_device, period
from commands.calibrate_files import Files, ground_of
from commands.settings import load_settings
from commands.show import AsJson, UserError, count, iso, legible, progress_bar, say, show, when
from commands.world import refold
from tracker.calibrate import ROUNDS, Ground, Past, adopt, calibrate
from tracker.estimate import Estimate, Value
from tracker.ports import Reader, Store
from tracker.stamps import DAY
from tracker.tally import Window

AT_ONCE = 100
LAST = 60 * DAY
NEVER = 2**62
UNITS = {"cycle_s": " s", "rest_interval_s": " s", "moving_interval_s": " s"}
Progress = Callable[[int, int], None]


def calibrate_command(
    write: Annotated[
        bool, typer.Option("--write", help="Store what differs, from --since on.")
    ] = False,
    since: Annotated[
        int | None,
        typer.Option(
            parser=when, metavar="TIME", help="From when it shall hold.", show_default="now"
        ),
    ] = None,
    from_: Annotated[
        int | None,
        typer.Option(
            "--from",
            parser=when,
            metavar="TIME",
            help="From this event time on.",
            show_default="60 days before now",
        ),
    ] = None,
    to: Until = None,
    device: Annotated[
        list[str] | None, typer.Option(help="Only this reader or tracker; repeatable.")
    ] = None,
    assets: Annotated[
        int, typer.Option(min=1, help="From so many assets at most, drawn by their ids.")
    ] = 200,
    world: Annotated[
        Path | None, typer.Option(help="Of a world file, not the database; with --messages.")
    ] = None,
    messages: Annotated[Path | None, typer.Option(help="What came, in order.")] = None,
    process: Annotated[
        Path | None,
        typer.Option(help="With --world: the stage model.", show_default="pallet-pool"),
    ] = None,
    out_file: Annotated[
        Path | None,
        typer.Option("--out", metavar="FILE", help="With --world: the file with what differs."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Estimate anew, from what was observed, how often readers take inventory and miss tags, what
    they read astray, how reads look, and how often trackers report; old beside new.

    Example: retour calibrate --from 2026-01-05 --write
    """
    period(from_, to)
    if since is not None and not write:
        raise UserError("--since says from when what is stored shall hold: add --write")
    if world is None and messages is None:
        if out_file is not None or process is not None:
            raise UserError("--out and --process go with --world and --messages")
        _of_database(from_, to, device or [], assets, since, write=write, as_json=as_json)
        return
    if world is None or messages is None:
        raise UserError("give --world and --messages")
    if write:
        raise UserError("--write is of the database: with --world give --out FILE")
    files = Files(world, messages, process)
    gathered = files.gathered()
    found = _estimated(gathered.ground, lambda: gathered.pasts, from_, to, device or [])
    if out_file is not None:
        readers = gathered.ground.readers((NEVER if to is None else to) - 1)
        files.write([one for one in found if one.differs], readers, out_file)
    _tell(found, {"assets": len(gathered.pasts)}, as_json=as_json)


def _of_database(
    since: int | None,
    until: int | None,
    devices: Sequence[str],
    most: int,
    holds: int | None,
    *,
    write: bool,
    as_json: bool,
) -> None:
    settings = load_settings()
    store, act = settings.store(must_exist=True), settings.act()
    holds = act.now if holds is None else holds
    until = act.now if until is None else until
    since = until - LAST if since is None else since
    with store.reading() as reader:
        for one in devices:
            known_device(reader, one)
        ground, chosen = ground_of(reader), _chosen(reader, devices, most)
    with progress_bar("Estimating") as progress:
        log = _Log(store, chosen, since, until, progress)
        found = _estimated(ground, log.pasts, since, until, devices)
    if write:
        with store.writing() as tx:
            policy = settings.policy(settings.make_clock())
            readers = ground.readers(until - 1)
            adopt(tx, [one for one in found if one.differs], readers, holds, policy, act)
        refold(store, act.now)
    told = {"assets": len(chosen), "written": write, "since": iso(holds) if write else None}
    _tell(found, told, as_json=as_json)


def _estimated(
    ground: Ground,
    pasts: Callable[[], Iterable[Past]],
    since: int | None,
    until: int | None,
    devices: Sequence[str],
) -> list[Estimate]:
    window = Window(since or 0, NEVER if until is None else until)
    found = calibrate(ground, pasts, window)
    return [one for one in found if not devices or one.device in devices]


def _chosen(reader: Reader, devices: Sequence[str], most: int) -> list[str]:
    """The assets to look at: those that the devices were on, where all are trackers, else any,
    drawn as a hash of their ids has it, so the same ones the next time."""
    told = [reader.binding_versions(device) for device in devices]
    if told and all(told):
        assets = {v.value for versions in told for v in versions if v.value is not None}
    else:
        assets = {*reader.bound_assets()}
    drawn = sorted(assets, key=lambda id: blake2b(id.encode(), digest_size=8).digest())
    return sorted(drawn[:most])


class _Log:
    """What is logged of some assets in a period, read anew for each round."""

    def __init__(
        self,
        store: Store,
        assets: Sequence[str],
        since: int,
        until: int | None,
        progress: Progress,
    ) -> None:
        self._store, self._assets = store, assets
        self._period, self._progress = (since, until), progress
        self._done = 0

    def pasts(self) -> Iterator[Past]:
        """Each asset with what was observed of it. In which stage it began is not known then."""
        for n in range(0, len(self._assets), AT_ONCE):
            with self._store.reading() as reader:
                settings = reader.settings(self._assets[n : n + AT_ONCE])
                for id, (case, _) in settings.items():
                    asset = replace(case.asset, initial_stage=None)
                    yield case._replace(asset=asset), [*reader.history(id, *self._period)]
                    self._done += 1
                    self._progress(self._done, len(self._assets) * (ROUNDS + 1))


def _tell(found: Sequence[Estimate], told: dict[str, Any], *, as_json: bool) -> None:
    """Print estimates, and what was done with those that differ."""
    if as_json:
        rows = [one._asdict() | {"differs": one.differs} for one in found]
        show(told | {"figures": rows}, as_json=True)
        return
    rows = [_row(one) for one in found]
    show(
        rows, as_json=False, none="nothing was observed that tells anything of readers or trackers"
    )
    differ = sum(one.differs for one in found)
    seen = f"{count(len(found), 'figure')} from {count(told['assets'], 'asset')}"
    say(f"{seen}; {differ} differ from what is stated or to be expected")
    if told.get("written"):
        say(f"Those hold from {legible(told['since'])} on")
    elif "written" in told and differ:
        say("Nothing is stored: --write stores those that differ")


def _row(one: Estimate) -> dict[str, Any]:
    unit = UNITS.get(one.figure, "")
    return {
        "device": one.device,
        "figure": one.figure,
        "stated": "" if one.old is None else _worded(one.old, unit),
        "estimated": _worded(one.new, unit),
        "give or take": _worded(one.sd, ""),
        "from": f"{one.of:,.0f} {one.what}",
        "": "differs" if one.differs else "",
    }


def _worded(value: Value, unit: str) -> str:
    """A figure, or a mean and a deviation."""
    parts = value if isinstance(value, tuple) else (value,)
    return ", ".join(f"{part:.3g}" if part < 10 else f"{part:,.5g}" for part in parts) + unit
