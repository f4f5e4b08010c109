"""`retour report usage`: for how long assets were how warm, and how often they were hit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from math import log1p
from pathlib import Path
from typing import Annotated

import typer

from commands.asking import about
from commands.page import STYLE
from commands.show import count, say
from tracker.living import used_of
from tracker.used import Felt

WIDTH, ROW, LEFT, RIGHT, TOP = 900, 28, 130, 230, 34
HARD_G = (2.0, 5.0)  # knocks from these on are told apart
COLDEST, WARMEST = -40, 60


def report_usage(
    assets: Annotated[list[str], typer.Argument(help="Ids of assets.", show_default=False)],
    file: Annotated[Path, typer.Option("--out", help="The SVG file to write.")] = Path("usage.svg"),
) -> None:
    """Draw for how long assets were how warm, and how often they were hit how hard.

    Example: retour report usage pallet-1 pallet-2 --out usage.svg
    """
    rows = {asset: _felt(asset) for asset in assets}
    file.write_text(picture(rows), encoding="utf-8")
    say(f"{file} shows {count(len(rows), 'asset')}")


def _felt(asset: str) -> Mapping[str, Sequence[Felt]]:
    with about(asset) as (reader, now):
        return used_of(reader, asset, now)[1].felt


def picture(rows: Mapping[str, Mapping[str, Sequence[Felt]]]) -> str:
    """An SVG: a row for each asset, as dark as it was long so warm; its knocks beside."""
    heat = [one for felt in rows.values() for one in felt.get("temperature", ())]
    low = max(min((one.from_ for one in heat), default=0) - 1, COLDEST)
    high = min(max((one.from_ for one in heat), default=20) + 2, WARMEST)
    most = max((one.hours or 0 for one in heat), default=1.0)
    step = (WIDTH - LEFT - RIGHT) / (high - low)
    parts = []
    for degrees in range(int(low) // 10 * 10, int(high) + 1, 10):
        if degrees >= low:
            x = LEFT + (degrees - low) * step
            parts.append(f'<path class="grid" d="M{x:.1f},{TOP} V{TOP + ROW * len(rows)}"/>')
            parts.append(f'<text class="scale" x="{x:.1f}" y="{TOP - 8}">{degrees} °C</text>')
    parts.append(f'<text x="{WIDTH - RIGHT + 16}" y="{TOP - 8}">knocks from 2 g, from 5 g</text>')
    for n, (asset, felt) in enumerate(rows.items()):
        y = TOP + ROW * n
        parts.append(f'<text class="mark" x="8" y="{y + 18}">{escape(asset)}</text>')
        for one in felt.get("temperature", ()):
            if low <= one.from_ < high:
                dark = log1p(one.hours or 0) / log1p(most)
                x = LEFT + (one.from_ - low) * step
                parts.append(
                    f'<rect class="s7" x="{x:.1f}" y="{y + 3}" width="{step:.1f}" '
                    f'height="{ROW - 6}" fill-opacity="{dark:.2f}"/>'
                )
        hard = [
            sum(one.times or 0 for one in felt.get("shock", ()) if one.from_ >= g) for g in HARD_G
        ]
        told = ", ".join(map(str, hard))
        parts.append(f'<text x="{WIDTH - RIGHT + 16}" y="{y + 18}">{told}</text>')
    size = f"0 0 {WIDTH} {TOP + ROW * len(rows) + 12}"
    drawn = "".join(parts)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="{size}">'
        f"<style>{STYLE}</style>{drawn}</svg>"
    )
