"""Watching the demo's world from outside: through the API, like any other program."""

from __future__ import annotations

import json
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from queue import SimpleQueue
from typing import Any, NamedTuple
from urllib.parse import quote
from urllib.request import Request, urlopen

from rich.console import Console
from rich.live import Live

from commands.demo_picture import News, Row, is_news, line, picture, table
from commands.show import WIDE, out
from tracker.clocks import Clock

ANSWER_WITHIN_S = 30.0  # longer than the stream is ever silent
LOOK_EVERY_S = 1.0
NEWS_KEPT = 100


@dataclass(frozen=True, slots=True)
class Api:
    """The API at a base URL, asked with a key."""

    url: str
    key: str

    def get(self, path: str) -> Any:
        """The JSON that answers a path."""
        with self._open(path) as answer:
            return json.load(answer)

    def stream(self, path: str) -> Iterator[Any]:
        """The data of server-sent events, until they end."""
        with self._open(path) as answer:
            for one in answer:
                if one.startswith(b"data: "):
                    yield json.loads(one.removeprefix(b"data: "))

    def _open(self, path: str) -> Any:
        request = Request(self.url + path, headers={"Authorization": f"Bearer {self.key}"})  # noqa: S310
        return urlopen(request, timeout=ANSWER_WITHIN_S)  # noqa: S310


class Look(NamedTuple):
    """Which stage was told of an asset (None: unknown) when somebody asked, at a time (epoch
    ms)."""

    asset: str
    at: int
    stage: str | None


class Watch:
    """Shows the stage of every asset and what is new of them; remembers every look."""

    def __init__(self, api: Api, clock: Clock) -> None:
        self._api = api
        self._clock = clock
        self._rows: dict[str, Row] = {}
        self._heard = SimpleQueue[News]()
        self.looks: list[Look] = []

    def until(self, over: Callable[[], bool]) -> None:
        """Show until it is over: a picture on a terminal, else what is new, by the line."""
        threading.Thread(target=self._listen, name="news", daemon=True).start()
        if out.is_terminal:
            self._draw_until(over)
            return
        while not over():
            self._look()
            for said in self._new():
                out.print(line(said, self._rows), soft_wrap=True)
            time.sleep(LOOK_EVERY_S)
        Console(width=WIDE).print(table(self._rows, self._clock.now()))

    def _draw_until(self, over: Callable[[], bool]) -> None:
        news = deque[News](maxlen=NEWS_KEPT)
        with Live(console=out, auto_refresh=False) as live:
            while not over():
                self._look()
                news.extend(self._new())
                drawn = picture(self._rows, news, self._clock.now(), out.height)
                live.update(drawn, refresh=True)
                time.sleep(LOOK_EVERY_S)

    def _listen(self) -> None:
        """Hear all that is told of stages and alerts, until the API ends."""
        with suppress(OSError):
            for said in self._api.stream("/v1/stream?event=stage&event=alert&last_event_id=0.0"):
                self._heard.put(said)

    def _new(self) -> Iterator[News]:
        """What was heard since it was asked last."""
        for _ in range(self._heard.qsize()):
            said = self._heard.get()
            if is_news(said["about"], said.get("withdrawn", False)):
                yield said

    def _look(self) -> None:
        for asset in self._api.get("/v1/assets")["items"]:
            id, at = asset["id"], self._clock.now()
            told = self._api.get(f"/v1/assets/{quote(id)}/stage")
            self.looks.append(Look(id, at, told["stage"]))
            before = self._rows.get(id)
            same = before is not None and before.told["stage"] == told["stage"]
            changed = before.changed if before is not None and same else time.monotonic()
            self._rows[id] = Row(told, asset["site"], changed)
