"""A process drawn: as SVG that stands alone, and as a Mermaid diagram. Pure.

Stages stand in columns, by how many moves they are away from the first one, the flow's ends after
all that lead to them. A line is as thick as its move is likely; those that lead back run above, all
to one stage together.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from html import escape
from typing import NamedTuple

from tracker.process import LOST, Process, Stage

BOX_W, BOX_H = 150.0, 56.0  # pixels
GAP_X, GAP_Y = 74.0, 30.0
MARGIN, LANE = 24.0, 18.0
ROWS = 6  # of a column that have each a place of its own for what leads back
UNLIKELY = 0.1
SHOWN = 0.02  # probabilities below are told by the pointer alone
COLOURS = {
    "depot": "#dbeafe",
    "customer": "#dcfce7",
    "hub": "#fef3c7",
    "road": "#ffedd5",
    "elsewhere": "#f3e8ff",
    "dark": "#e5e7eb",
}
STYLE = """\
text{font:13px system-ui,'DejaVu Sans',sans-serif;fill:#111827;text-anchor:middle}
.name{font-weight:600}.dwell{font-size:11px;fill:#4b5563}
.box{stroke:#374151;stroke-width:1.2}
.move{fill:none;stroke:#6b7280}.lost{stroke-dasharray:5 4}
.share{font-size:11px;paint-order:stroke;stroke:#fff;stroke-width:3px}
.legend{text-anchor:start}"""


class Box(NamedTuple):
    """Where a stage stands: the column and row of it, and its left upper corner."""

    column: int
    row: int
    x: float
    y: float


class Move(NamedTuple):
    """A move between stages, drawn: its path, and where its probability is written."""

    path: str
    x: float
    y: float


def columns_of(process: Process) -> list[list[str]]:
    """The stages, by how many moves they are away from the first one, ends after what leads to
    them; those that only facts lead to stand last.

    >>> from tracker.process import shipped
    >>> [stages[0] for stages in columns_of(shipped()["kegs"])][:4]
    ['filled', 'outbound', 'in_use', 'return_transit']
    """
    away = {next(iter(process.stages)): 0}
    for least in (UNLIKELY, 0.0):  # a short cut that is hardly taken puts nothing forward
        ahead = [*away]
        for name in ahead:  # it grows as stages are found
            moves = process.stages[name].next.items()
            new = [to for to, share in moves if share >= least and to not in away]
            away |= dict.fromkeys(new, away[name] + 1)
            ahead += new
    for name, stage in process.stages.items():
        if name in away and not stage.next:
            before = [away[n] for n in away if name in process.stages[n].next]
            away[name] = max(before, default=0) + 1
    last = max(away.values()) + 1
    columns: list[list[str]] = [[] for _ in range(last + 1)]
    for name in process.stages:
        columns[away.get(name, last)].append(name)
    return [column for column in columns if column]


def draw(process: Process) -> str:
    """The picture, a file of its own."""
    boxes = _boxes(process)
    width = max(box.x for box in boxes.values()) + BOX_W + GAP_X
    height = max(box.y for box in boxes.values()) + BOX_H + MARGIN + 30
    moves = list(_moves(process, boxes))
    parts = [
        *(line for line, _ in moves),
        *(_stage(name, process.stages[name], box) for name, box in boxes.items()),
        *(words for _, words in moves),
        *_legend(process, height - 22),
    ]
    title = escape(f"The stages of {process.process}")
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height:.0f}" '
        f'role="img" aria-label="{title}">\n<title>{title}</title>\n<style>{STYLE}</style>\n'
        '<defs><marker id="tip" viewBox="0 0 8 8" refX="7.5" refY="4" markerWidth="8" '
        'markerHeight="8" markerUnits="userSpaceOnUse" orient="auto">'
        '<path d="M0 0L8 4L0 8z" fill="#6b7280"/></marker></defs>\n'
        f'<rect width="{width:.0f}" height="{height:.0f}" fill="#fff"/>\n'
        + "\n".join(parts)
        + "\n</svg>\n"
    )


def _boxes(process: Process) -> dict[str, Box]:
    """Where the stages stand: below the lanes of what leads back."""
    columns = columns_of(process)
    place = {name: n for n, column in enumerate(columns) for name in column}
    back = {to for name, to in _pairs(process) if place[to] < place[name]}
    top = MARGIN + LANE * (len(back) + 1)
    tallest = max(map(len, columns))
    boxes = {}
    for n, column in enumerate(columns):
        first = (tallest - len(column)) / 2
        for row, name in enumerate(column):
            x = MARGIN + n * (BOX_W + GAP_X)
            boxes[name] = Box(n, row, x, top + (first + row) * (BOX_H + GAP_Y))
    return boxes


def _moves(process: Process, boxes: Mapping[str, Box]) -> Iterator[tuple[str, str]]:
    """Each move: its line, and its probability."""
    lanes: dict[str, float] = {}
    back = Counter[str]()
    for name, to in _pairs(process):
        share = process.stages[name].next[to]
        if boxes[to].column < boxes[name].column:
            lane = lanes.setdefault(to, MARGIN + LANE * len(lanes))
            drawn = _back(boxes[name], boxes[to], lane, back[name])
            back[name] += 1
        else:
            drawn = _ahead(boxes[name], boxes[to])
        kind = "move lost" if to == LOST else "move"
        words = f"{name} to {to}: {percent(share)}"
        yield (
            f'<path class="{kind}" d="{drawn.path}" stroke-width="{0.8 + 2.4 * share:.2f}" '
            f'marker-end="url(#tip)"><title>{escape(words)}</title></path>',
            f'<text class="share" x="{drawn.x:.1f}" y="{drawn.y:.1f}">{percent(share)}</text>'
            if SHOWN <= share < 1
            else "",
        )


def _pairs(process: Process) -> list[tuple[str, str]]:
    return [(name, to) for name, stage in process.stages.items() for to in stage.next]


def _back(box: Box, to: Box, lane: float, before: int) -> Move:
    """Above all, along the lane of the stage that it leads to; `before` do from the same box."""
    x = box.x + BOX_W * (0.5 + 0.4 * (box.row + 1) / ROWS) - 36 * before
    y, there, down = box.y, to.x + BOX_W * 0.3, to.y
    path = f"M{x:.1f} {y:.1f}V{lane + 8:.1f}q0 -8 -8 -8H{there + 8:.1f}q-8 0 -8 8V{down:.1f}"
    return Move(path, x - 18, y - 7)


def _ahead(box: Box, to: Box) -> Move:
    x, y = box.x + BOX_W, box.y + BOX_H / 2
    if box.column == to.column:  # up or down, round the right side
        down = to.y + BOX_H / 2
        bend = x + GAP_X * 0.6
        path = f"M{x:.1f} {y:.1f}C{bend:.1f} {y:.1f} {bend:.1f} {down:.1f} {x:.1f} {down:.1f}"
        return Move(path, x + GAP_X * 0.45, (y + down) / 2 + 4)
    there, down = to.x, to.y + BOX_H / 2
    bend = GAP_X * 0.55
    path = (
        f"M{x:.1f} {y:.1f}C{x + bend:.1f} {y:.1f} {there - bend:.1f} {down:.1f} "
        f"{there:.1f} {down:.1f}"
    )
    return Move(path, there - GAP_X * 0.3, down + (y - down) * 0.16 + 4)


def _stage(name: str, stage: Stage, box: Box) -> str:
    parts = list(stage.parts().values())
    wide = BOX_W / len(parts)
    fields = "".join(
        f'<rect x="{box.x + n * wide:.1f}" y="{box.y:.1f}" width="{wide:.1f}" '
        f'height="{BOX_H:.0f}" fill="{COLOURS[part.at]}"/>'
        for n, part in enumerate(parts)
    )
    middle = box.x + BOX_W / 2
    dwell = dwelling(stage.mean_h) if stage.next else "the end"
    return (
        f"<g><title>{escape(f'{name}: {whereabouts(stage)}')}</title>{fields}"
        f'<rect class="box" x="{box.x:.1f}" y="{box.y:.1f}" width="{BOX_W:.0f}" '
        f'height="{BOX_H:.0f}" rx="4" fill="none"/>'
        f'<text class="name" x="{middle:.1f}" y="{box.y + 25:.1f}">{escape(name)}</text>'
        f'<text class="dwell" x="{middle:.1f}" y="{box.y + 43:.1f}">{dwell}</text></g>'
    )


def _legend(process: Process, y: float) -> Iterator[str]:
    used = {part.at for stage in process.stages.values() for part in stage.parts().values()}
    for n, at in enumerate(at for at in COLOURS if at in used):
        x = MARGIN + n * 110
        yield (
            f'<rect class="box" x="{x:.0f}" y="{y - 11:.1f}" width="14" height="14" '
            f'fill="{COLOURS[at]}"/><text class="legend" x="{x + 21:.0f}" y="{y:.1f}">{at}</text>'
        )


def mermaid(process: Process) -> str:
    """The same as the text of a Mermaid state diagram."""
    lines = ["stateDiagram-v2", "    direction LR"]
    for name, stage in process.stages.items():
        dwell = f"{dwelling(stage.mean_h)}, " if stage.next else ""
        lines.append(f"    {name}: {name} ({dwell}{whereabouts(stage)})")
    lines.append(f"    [*] --> {next(iter(process.stages))}")
    for name, stage in process.stages.items():
        lines += [f"    {name} --> {to}: {percent(p)}" for to, p in stage.next.items()]
        if not stage.next:
            lines.append(f"    {name} --> [*]")
    return "\n".join(lines) + "\n"


def whereabouts(stage: Stage) -> str:
    """Where an asset is in a stage, part after part.

    >>> from tracker.process import shipped
    >>> whereabouts(shipped()["pallet-pool"].stages["outbound"])
    'depot (dock), road'
    """
    told = [
        part.at if name in ("", part.at) else f"{part.at} ({name})"
        for name, part in stage.parts().items()
    ]
    return ", ".join(told)


def percent(share: float) -> str:
    """A probability in words.

    >>> percent(0.985), percent(0.5), percent(0.0004), percent(1)
    ('98.5 %', '50 %', '0.04 %', '100 %')
    """
    return f"{100 * share:.3g} %"


def dwelling(mean_h: float) -> str:
    """A mean time in words.

    >>> dwelling(0.25), dwelling(1.5), dwelling(40), dwelling(480)
    ('15 min', '1.5 h', '40 h', '20 d')
    """
    if mean_h < 1:
        return f"{60 * mean_h:.3g} min"
    return f"{mean_h:.3g} h" if mean_h < 48 else f"{mean_h / 24:.3g} d"
