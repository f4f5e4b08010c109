"""How well models of failures fit what was seen, as a picture: a class's curve of Kaplan and Meier,
and its model's."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated

import typer

from commands.asking import opened
from commands.curves import CURVE_STYLE, HIGH, LEFT, TOP, Axes, svg
from commands.page import STYLE
from commands.picture import text_of
from commands.show import UserError, count, say
from tracker.class_book import class_of
from tracker.goodness import Fit
from tracker.reliability import Model

PANEL = HIGH + 84.0  # pixels: the curves of a class, and the words above and below
STEPS = (0.1, 0.25, 0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000)


def report_reliability(
    class_: Annotated[str | None, typer.Option("--class", help="Only this class.")] = None,
    file: Annotated[Path, typer.Option("--out", help="The SVG file to write.")] = Path(
        "reliability.svg"
    ),
) -> None:
    """Draw which share of each class lives after how many trips: as was seen, and by the newest
    model that inspections have taught.

    Example: retour report reliability --class power_tool --out drills.svg
    """
    store, _ = opened()
    with store.reading() as reader:
        if class_ is not None:
            class_of(reader, class_)
        newest = {one.class_: one for one in reader.models(class_)}  # they come in order
    if not newest:
        raise UserError("no model was learned yet: a worker makes one once inspections find failed")
    file.write_text(
        picture({id: (one.model, one.fit) for id, one in newest.items()}), encoding="utf-8"
    )
    words = f"{file} shows {count(len(newest), 'class', 'classes')}"
    say(words)


def picture(models: Mapping[str, tuple[Model, Fit]], unit: str = "trips") -> str:
    """An SVG: each class's curves by trips, below one another."""
    parts = list[str]()
    for n, (class_, (model, fit)) in enumerate(models.items()):
        parts += _panel(class_, model, fit, Axes(_longest(fit), unit, STEPS, TOP + 20 + PANEL * n))
    title = f"The share that lives, by {unit}"
    return svg(PANEL * len(models) + TOP, title, parts, STYLE + CURVE_STYLE)


def _longest(fit: Fit) -> float:
    return fit.curve[-1].cycles if fit.curve else 1.0


def _panel(class_: str, model: Model, fit: Fit, axes: Axes) -> Iterator[str]:
    y, words = axes.top - 20, text_of(_words(class_, model, fit))
    yield f'<text class="mark" x="14" y="{y:.1f}">{words}</text>'
    if not fit.curve:
        yield f'<text x="14" y="{y + 24:.1f}">too few of them have got far to draw a curve</text>'
        return
    yield from axes.drawn()
    yield axes.line([(0.0, 1.0), *((one.cycles, one.model) for one in fit.curve)], "c1")
    yield from axes.dots([(one.cycles, one.seen) for one in fit.curve], "s0")
    x, y = LEFT + 12, axes.bottom - 16
    yield f'<path class="curve c1" d="M{x:.1f} {y - 4:.1f}h28"/>'
    yield f'<text x="{x + 36:.1f}" y="{y:.1f}">by the model</text>'
    yield f'<circle class="s0" cx="{x + 14:.1f}" cy="{y - 24:.1f}" r="4"/>'
    yield f'<text x="{x + 36:.1f}" y="{y - 20:.1f}">as was seen (Kaplan-Meier)</text>'


def _words(class_: str, model: Model, fit: Fit) -> str:
    lived = f"{count(model.lives, 'life', 'lives')}, {count(model.failures, 'failure')}"
    borrowed = f" and {model.borrowed:g} borrowed" if model.borrowed else ""
    return f"{class_}: {lived}{borrowed}; off by {fit.largest_gap:.1%} at most"
