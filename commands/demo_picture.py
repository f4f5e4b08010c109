"""How the demo looks: a line for each asset, and below what is new."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from itertools import islice
from typing import Any, NamedTuple

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from commands.show import lasting, legible, plain
from tracker.alert_news import ALERT
from tracker.asset_ports import UNKNOWN
from tracker.explain import stage_words
from tracker.news import BY_TIME
from tracker.times import epoch_ms, iso

NEW_FOR_S = 1.5  # how long what has changed stands out
OTHER_LINES = 4  # of a picture: the clock, the head, a blank one, and one for the prompt
News = Mapping[str, Any]


class Row(NamedTuple):
    """What the API has `told` of an asset's stage, the site where it is, and since when it is
    this stage that is told (seconds that never step)."""

    told: Mapping[str, Any]
    site: str | None
    changed: float


def picture(rows: Mapping[str, Row], news: Sequence[News], now: int, height: int) -> RenderableType:
    """All of it, at a time (epoch ms), on so many lines."""
    room = max(1, height - OTHER_LINES - len(rows))
    newest = islice(news, max(0, len(news) - room), None)
    lines = [line(said, rows) for said in newest]
    clock = Text(legible(iso(now))[:16], "bold")
    return Group(clock, table(rows, now), Text(), *lines)


def table(rows: Mapping[str, Row], now: int) -> Table:
    """The assets: stage, how likely, for how long, where, why."""
    made = Table(box=None, pad_edge=False, header_style="dim")
    for name in ("asset", "stage", "p", "for", "where"):
        made.add_column(name, no_wrap=True)
    made.add_column("why")  # it alone gives way where there is no room
    for asset, (told, site, changed) in rows.items():
        known = told["since"] is not None
        made.add_row(
            asset,
            stage_words(told["stage"] or UNKNOWN),
            f"{told['p']:.0%}",
            lasting(max(0, now - epoch_ms(told["since"]))) if known else "",
            site or ("on the way" if told["sentence"] else ""),
            in_a_line(told["sentence"] or "nothing is known of it yet"),
            style="bold green" if time.monotonic() - changed < NEW_FOR_S else "",
        )
    return made


def is_news(about: str, withdrawn: bool) -> bool:
    """Whether a line of the journal is news. That time alone no longer tells a stage is none:
    something was observed, of which another line tells."""
    return about != BY_TIME or not withdrawn


def line(said: News, rows: Mapping[str, Row]) -> Text:
    """Something new of an asset: why, if it still stands so; or what it corrects."""
    asset, at = said["asset"], legible(said["at"])[:16]
    text = in_a_line(f"{at}  {asset}: ")
    if said["kind"].startswith(ALERT):
        what = said["kind"].removeprefix(ALERT)
        of = f" ({said['lease']})" if said["lease"] else ""
        why = f": {said['note']}" if said["note"] else ""
        return text.append(f"{said['rule'].replace('_', ' ')}{of} {what}{why}", "red")
    stage = said["stage"]
    move = f"{stage_words(said['was'] or UNKNOWN)} → {stage_words(stage or UNKNOWN)}"
    if said["kind"].endswith(".corrected"):
        how = "was not so" if said.get("withdrawn") else "is how it was"
        return text.append(f"corrected: {move} {how}", "yellow")
    text.append(move, "bold")
    told = rows[asset].told if asset in rows else {"stage": None}
    return text.append(f"  {told['sentence']}") if told["stage"] == stage else text


def in_a_line(words: str) -> Text:
    """Words that are cut off where a line ends."""
    return Text(plain(words), no_wrap=True, overflow="ellipsis")
