"""The stages of an asset over time drawn, as SVG that stands alone. Pure.

A stage is a lane: its area is as high as the stage is likely, the bar below it says when it is
told. Where no stage is likely enough to be told anew, all lanes are shaded. Strokes at the bottom
are observations.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from html import escape
from itertools import pairwise
from typing import NamedTuple

from commands.flowchart import COLOURS
from tracker.course import Sample
from tracker.explain import stage_words
from tracker.process import Process

WIDTH, LEFT, RIGHT, TOP = 1000.0, 150.0, 20.0, 44.0  # pixels
LANE, GAP, BAR = 46.0, 16.0, 5.0  # the area of a lane, what is between two, the bar below
FOOT = 64.0
SHOWN = 0.02  # stages that never are so likely have no lane
HOUR = 3_600_000
STEPS_H = (1, 2, 3, 6, 12, 24, 48, 168, 336, 720, 2160, 8760)
MARKS_AT_MOST = 10  # of the times below
STYLE = """\
text{font:13px system-ui,'DejaVu Sans',sans-serif;fill:#111827}
.title{font-weight:600}.when,.note{font-size:11px;fill:#4b5563}.when{text-anchor:middle}
.stage{text-anchor:end}.grid{stroke:#e5e7eb}.base{stroke:#9ca3af;stroke-width:.8}
.p{stroke:#374151;stroke-width:.8}.told{fill:#1f2937}.unsure{fill:#fca5a5;fill-opacity:.3}
.seen{stroke:#6b7280;stroke-width:.6}"""


class View(NamedTuple):
    """The time that a picture shows (epoch ms), and the stages that have a lane."""

    since: int
    until: int
    lanes: list[str]

    def x(self, at: int) -> float:
        share = (at - self.since) / max(1, self.until - self.since)
        return LEFT + share * (WIDTH - LEFT - RIGHT)

    def base(self, lane: int) -> float:
        """Where an area stands."""
        return TOP + LANE + lane * (LANE + GAP)

    @property
    def bottom(self) -> float:
        return self.base(len(self.lanes) - 1) + BAR


def draw(samples: Sequence[Sample], process: Process, title: str) -> str:
    """The picture of what was believed, of one sample at least, in the stages of a process."""
    view = _view(samples, process)
    height = view.bottom + FOOT
    parts = [
        f'<text class="title" x="{LEFT:.0f}" y="22">{escape(title)}</text>',
        *_unsure(view, samples, process.thresholds.switch),
        *_times(view),
        *(part for n in range(len(view.lanes)) for part in _lane(view, n, samples, process)),
        *_seen(view, samples),
    ]
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH:.0f} {height:.0f}" '
        f'role="img" aria-label="{escape(title)}">\n<title>{escape(title)}</title>\n'
        f'<style>{STYLE}</style>\n<rect width="{WIDTH:.0f}" height="{height:.0f}" fill="#fff"/>\n'
        + "\n".join(parts)
        + "\n</svg>\n"
    )


def _view(samples: Sequence[Sample], process: Process) -> View:
    lanes = [
        name
        for n, name in enumerate(process.stages)
        if any(one.stages[0, n] >= SHOWN or one.told.stage == name for one in samples)
    ]
    return View(samples[0].at, samples[-1].at, lanes)


def _lane(view: View, lane: int, samples: Sequence[Sample], process: Process) -> Iterator[str]:
    name = view.lanes[lane]
    number, base = list(process.stages).index(name), view.base(lane)
    at = next(iter(process.stages[name].parts().values())).at
    points = [(view.x(one.at), base - LANE * float(one.stages[0, number])) for one in samples]
    outline = _line([(points[0][0], base), *_bends(points), (points[-1][0], base)])
    words = escape(stage_words(name))
    yield f'<text class="stage" x="{LEFT - 10:.0f}" y="{base - LANE / 2 + 5:.1f}">{words}</text>'
    yield f'<path class="p" fill="{COLOURS[at]}" d="{outline}"/>'
    yield f'<path class="base" d="M{LEFT:.0f} {base:.1f}H{WIDTH - RIGHT:.0f}"/>'
    for since, until in _spans([(one.at, one.told.stage == name) for one in samples]):
        yield _box("told", view, since, until, base + 1, BAR)


def _unsure(view: View, samples: Sequence[Sample], enough: float) -> Iterator[str]:
    for since, until in _spans([(one.at, float(one.stages.max()) < enough) for one in samples]):
        yield _box("unsure", view, since, until, TOP - 6, view.bottom - TOP + 6)


def _spans(flags: Sequence[tuple[int, bool]]) -> Iterator[tuple[int, int]]:
    """From when to when something is so, where each flag holds up to the next one.

    >>> list(_spans([(0, True), (1, True), (2, False), (5, True), (6, True)]))
    [(0, 2), (5, 6)]
    """
    since = None
    for at, flag in flags:
        if flag and since is None:
            since = at
        elif not flag and since is not None:
            yield since, at
            since = None
    if since is not None:
        yield since, flags[-1][0]


def _bends(points: Sequence[tuple[float, float]]) -> Iterator[tuple[float, float]]:
    """The points but those amid others of the same height, as far as it is seen."""
    heights = [None, *(round(y, 1) for _, y in points), None]
    for n, point in enumerate(points):
        if not heights[n] == heights[n + 1] == heights[n + 2]:
            yield point


def _times(view: View) -> Iterator[str]:
    hours = (view.until - view.since) / HOUR
    step = next((s for s in STEPS_H if hours / s <= MARKS_AT_MOST), STEPS_H[-1]) * HOUR
    for at in range(-(-view.since // step) * step, view.until + 1, step):
        x, time = view.x(at), datetime.fromtimestamp(at / 1000, UTC)
        words = f"{time.day} {time:%b}" if step >= 24 * HOUR else f"{time.day} {time:%b %H:%M}"
        yield f'<path class="grid" d="M{x:.1f} {TOP - 6:.0f}V{view.bottom + 14:.1f}"/>'
        yield f'<text class="when" x="{x:.1f}" y="{view.bottom + 32:.1f}">{words}</text>'
    begun = datetime.fromtimestamp(view.since / 1000, UTC)
    note = (
        f"{begun:%Y}, UTC. Height: how likely. Bar: told. Shaded: none likely enough. "
        "Strokes: observations."
    )
    yield f'<text class="note" x="{LEFT:.0f}" y="{view.bottom + 52:.1f}">{note}</text>'


def _seen(view: View, samples: Sequence[Sample]) -> Iterator[str]:
    """A stroke for each time between two samples in which something was observed."""
    top = view.bottom + 4
    strokes = [
        f"M{(view.x(before.at) + view.x(one.at)) / 2:.1f} {top:.1f}v8"
        for before, one in pairwise(samples)
        if one.observed
    ]
    if strokes:
        yield f'<path class="seen" d="{"".join(strokes)}"/>'


def _box(kind: str, view: View, since: int, until: int, top: float, high: float) -> str:
    x, wide = view.x(since), max(0.6, view.x(until) - view.x(since))
    return (
        f'<rect class="{kind}" x="{x:.1f}" y="{top:.1f}" width="{wide:.1f}" height="{high:.1f}"/>'
    )


def _line(points: Sequence[tuple[float, float]]) -> str:
    return "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in points)
