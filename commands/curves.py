"""Curves of a share by an age, drawn as SVG: of what came back by days, of what lives by cycles.
Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from commands.picture import text_of

WIDTH, LEFT, RIGHT, TOP = 1000.0, 230.0, 100.0, 24.0  # pixels
HIGH = 300.0
MARKS_AT_MOST = 10
CURVE_STYLE = """
.curve { fill: none; stroke-width: 2; }
.c0 { stroke: #2b6fd6; } .c1 { stroke: #e8632a; } .c2 { stroke: #23845a; } .c3 { stroke: #9448b0; }
.c4 { stroke: #b8860b; } .c5 { stroke: #cc3d71; } .c6 { stroke: #1f8a99; } .c7 { stroke: #7a8896; }
svg .last { text-anchor: end; }
"""


class Axes(NamedTuple):
    """Shares upwards, ages to the right up to the longest, in a unit; marks are `steps` apart."""

    longest: float
    unit: str
    steps_apart: Sequence[float]
    top: float = TOP

    @property
    def bottom(self) -> float:
        return self.top + HIGH

    def x(self, age: float) -> float:
        return LEFT + age / self.longest * (WIDTH - LEFT - RIGHT)

    def y(self, share: float) -> float:
        return self.top + HIGH * (1 - share)

    def marks(self) -> Iterator[float]:
        """The ages that are written below."""
        apart = self.steps_apart
        step = next((one for one in apart if self.longest / one <= MARKS_AT_MOST), apart[-1])
        n = 0
        while n * step <= self.longest:
            yield n * step
            n += 1

    def drawn(self) -> Iterator[str]:
        for percent in range(0, 101, 25):
            y = self.y(percent / 100)
            yield f'<path class="grid" d="M{LEFT:.1f} {y:.1f}H{WIDTH - RIGHT:.1f}"/>'
            yield f'<text class="last" x="{LEFT - 8:.1f}" y="{y + 4:.1f}">{percent} %</text>'
        y = self.bottom + 20
        for mark in self.marks():
            yield f'<text class="scale" x="{self.x(mark):.1f}" y="{y:.1f}">{mark:g}</text>'
        yield f'<text x="{WIDTH - RIGHT + 10:.1f}" y="{y:.1f}">{self.unit}</text>'

    def steps(self, points: Sequence[tuple[float, float]], until: float, of: str) -> str:
        """A curve that jumps at each age to its share, and goes on to an age."""
        first, *rest = [(self.x(age), self.y(share)) for age, share in points]
        way = "".join(f"H{x:.1f}V{y:.1f}" for x, y in rest)
        path = f"M{first[0]:.1f} {first[1]:.1f}{way}H{self.x(until):.1f}"
        return f'<path class="curve {of}" d="{path}"/>'

    def line(self, points: Sequence[tuple[float, float]], of: str) -> str:
        """A curve through ages and their shares."""
        way = "L".join(f"{self.x(age):.1f} {self.y(share):.1f}" for age, share in points)
        return f'<path class="curve {of}" d="M{way}"/>'

    def dots(self, points: Sequence[tuple[float, float]], of: str) -> Iterator[str]:
        """What was seen at some ages."""
        for age, share in points:
            yield f'<circle class="{of}" cx="{self.x(age):.1f}" cy="{self.y(share):.1f}" r="4"/>'


def svg(height: float, title: str, parts: Sequence[str], style: str = "") -> str:
    """A picture from its parts, for a page; with a `style`, for a file of its own."""
    body = "\n".join(parts)
    own = ' xmlns="http://www.w3.org/2000/svg"' if style else ""
    first = f"<style>{style}</style>\n" if style else ""
    box = f"0 0 {WIDTH:.0f} {height:.0f}"
    label = text_of(title)
    return f'<svg{own} viewBox="{box}" role="img" aria-label="{label}">\n{first}{body}\n</svg>'
