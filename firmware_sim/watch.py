"""Watching the demo's world from outside: through the API, like any other program."""

from __future__ import annotations

import json
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.error import HTTPError
from urllib.parse import quote
from urllib.request import Request, urlopen

from rich.console import Console
from rich.live import Live
from rich.table import Table

ANSWER_WITHIN_S = 10.0
LINES_EVERY_S = 5.0  # where there is no terminal to draw on


@dataclass(frozen=True, slots=True)
class Api:
    """The API at a base URL, asked with a key."""

    url: str
    key: str

    def get(self, path: str) -> Any:
        """The JSON that answers a path; None where the answer is 404."""
        request = Request(self.url + path, headers={"Authorization": f"Bearer {self.key}"})  # noqa: S310
        try:
            with urlopen(request, timeout=ANSWER_WITHIN_S) as answer:  # noqa: S310
                return json.load(answer)
        except HTTPError as error:
            if error.code == 404:
                return None
            raise


def watch(api: Api, assets: Sequence[str], stopped: threading.Event, seconds: float | None) -> None:
    """Show where the assets are until `stopped`, or for some seconds."""
    end = time.monotonic() + seconds if seconds is not None else float("inf")
    if sys.stdout.isatty():
        with Live(refresh_per_second=4) as live:
            _until(end, stopped, 0.5, lambda: live.update(_table(api, assets)))
    else:
        console = Console(width=110)
        _until(end, stopped, LINES_EVERY_S, lambda: console.print(_table(api, assets)))


def _until(end: float, stopped: threading.Event, every: float, show: Callable[[], None]) -> None:
    while not stopped.wait(min(every, max(0.0, end - time.monotonic()))):
        show()
        if time.monotonic() >= end:
            return


def _table(api: Api, assets: Sequence[str]) -> Table:
    table = Table("asset", "site", "lat", "lon", "± m", "seen", "by", box=None)
    for asset in assets:
        at = api.get(f"/v1/assets/{quote(asset)}/location")
        if at is None:
            table.add_row(asset, "not seen yet")
            continue
        table.add_row(
            asset,
            _site(at),
            f"{at['lat']:.4f}",
            f"{at['lon']:.4f}",
            f"{at['acc']:.0f}",
            f"{at['age_s']:.0f} s ago",
            f"{at['source']} of {at['device']}",
        )
    return table


def _site(at: dict[str, Any]) -> str:
    """Where the API says that it is; a question mark while one observation alone says so."""
    return f"{at['site'] or 'on the way'}{'' if at['confirmed'] else ' ?'}"
