"""A track drawn as SVG: fences, graticule, scale bar, and gaps in what is known. Pure.

The projection is equirectangular around the middle of the track: metres are right there, in
both directions, and the antimeridian is nowhere special.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from html import escape
from itertools import pairwise
from math import cos, floor, log10, radians, sin
from typing import NamedTuple

from commands.show import legible, plain
from tracker.cells import METRES_PER_DEGREE
from tracker.fold import Place
from tracker.geofence import shape_of
from tracker.places import Circle, Fence, Site
from tracker.times import iso
from tracker.tracks import simplified, unwrapped
from tracker.whereabouts import GAP_MS

WIDTH, MARGIN = 1000.0, 70.0  # pixels
FLATTEST, TALLEST = 0.45, 0.85  # height by width
LEAST_M = 400.0  # so that what never moved is no dot on a line
SMALLEST_PX = 7.0  # a fence that would be smaller is a mark
STEPS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 30, 45, 90)
LINES_AT_MOST = 8
SHADES = 8  # of the dots, from the first to the last
CORNERS = 72  # of a drawn circle
LETTER_PX, LINE_PX, NAME_PX = 8.0, 15.0, 120.0  # about as wide and high as words are

Point = tuple[float, float]
"""Pixels from the left and from the top; or, before it is projected, longitude and latitude."""


class View(NamedTuple):
    """What a picture shows: around `lon`, `lat`, a degree of latitude `scale` pixels long and
    one of longitude `squeeze` times that, `height` pixels high."""

    lon: float
    lat: float
    scale: float
    squeeze: float
    height: float

    def xy(self, lon: float, lat: float) -> Point:
        x = WIDTH / 2 + (lon - self.lon) * self.squeeze * self.scale
        return x, self.height / 2 - (lat - self.lat) * self.scale

    @property
    def metres_a_pixel(self) -> float:
        """In the middle."""
        return METRES_PER_DEGREE / self.scale

    def shows(self, points: Iterable[Point]) -> bool:
        """Whether some of the box around projected points is within the picture."""
        xs, ys = zip(*points, strict=True)
        return bool(max(xs) > 0 and min(xs) < WIDTH and max(ys) > 0 and min(ys) < self.height)


def view_of(points: Sequence[Point]) -> View:
    """The view that shows positions whose longitudes go on beyond 180 degrees, all of them.

    >>> view = view_of([(4.0, 51.0), (5.0, 52.0)])
    >>> [round(x) for x in view.xy(4.5, 51.5)] == [WIDTH / 2, round(view.height / 2)]
    True
    """
    lons, lats = zip(*points, strict=True)
    lon, lat = (min(lons) + max(lons)) / 2, (min(lats) + max(lats)) / 2
    squeeze = max(cos(radians(lat)), 0.05)
    least = LEAST_M / METRES_PER_DEGREE
    wide = max((max(lons) - min(lons)) * squeeze, (max(lats) - min(lats)) / TALLEST, least)
    high = max(max(lats) - min(lats), wide * FLATTEST)
    scale = (WIDTH - 2 * MARGIN) / wide
    return View(lon, lat, scale, squeeze, high * scale + 2 * MARGIN)


def draw(places: Sequence[Place], sites: Iterable[Site]) -> str:
    """The picture of a track, of one place at least, with the fences of the sites in view."""
    lons = unwrapped([place.lon for place in places])
    points = [(lon, place.lat) for lon, place in zip(lons, places, strict=True)]
    view = view_of(points)
    drawn = [view.xy(*point) for point in points]
    parts = [
        *_graticule(view),
        *_fences(view, sites, [_beside("end", drawn[-1]), _beside("start", drawn[0])]),
        *_way(view, places, points),
        *_dots(places, drawn),
        _end("end", drawn[-1], places[-1]),
        _end("start", drawn[0], places[0]),
        _scale_bar(view, drawn),
    ]
    box = f"0 0 {WIDTH:.0f} {view.height:.0f}"
    body = "\n".join(parts)
    return f'<svg viewBox="{box}" role="img" aria-label="The track on a map">\n{body}\n</svg>'


def _way(view: View, places: Sequence[Place], points: Sequence[Point]) -> Iterator[str]:
    """The line, solid; dashed over gaps of more than a day."""
    runs: list[list[int]] = [[0]]
    for n, (before, after) in enumerate(pairwise(places), 1):
        if after.at - before.at > GAP_MS:
            ends = [view.xy(*points[n - 1]), view.xy(*points[n])]
            yield f'<path class="gap" d="{_path(ends)}"/>'
            runs.append([])
        runs[-1].append(n)
    for run in runs:
        # Half a pixel is not seen, but it is read.
        kept = {
            id(place) for place in simplified([places[n] for n in run], view.metres_a_pixel / 2)
        }
        line = [view.xy(*points[n]) for n in run if id(places[n]) in kept]
        if len(line) > 1:
            yield f'<path class="way" d="{_path(line)}"/>'


def _dots(places: Sequence[Place], drawn: Sequence[Point]) -> Iterator[str]:
    """A dot a place, shaded by time; one only where several would cover each other."""
    begin = places[0].at
    length = max(1, places[-1].at - begin)
    newest = {(round(x / 2), round(y / 2)): n for n, (x, y) in enumerate(drawn)}
    for n in sorted(newest.values()):
        (x, y), place = drawn[n], places[n]
        shade = min(SHADES - 1, (place.at - begin) * SHADES // length)
        yield (
            f'<circle class="dot s{shade}" cx="{x:.1f}" cy="{y:.1f}" r="2.4">'
            f"<title>{legible(iso(place.at))}, {place.source} by {text_of(place.device)}"
            "</title></circle>"
        )


def _end(which: str, point: Point, place: Place) -> str:
    x, y = point
    mark = f'<circle class="{which}" cx="{x:.1f}" cy="{y:.1f}" r="6.5"/>'
    words = f"{which} {legible(iso(place.at))[:16]}"
    return mark + _label("mark", _beside(which, point), words)


def _beside(which: str, point: Point) -> Point:
    """Where the words for the start or the end of a track stand."""
    x, y = point
    return x, y - 12 if which == "start" else y + 22


def _fences(view: View, sites: Iterable[Site], words: Sequence[Point]) -> Iterator[str]:
    """The fences, each with its name where it covers no other one, nor other `words`."""
    taken = list(words)
    for site in sites:
        if site.geofence is None:
            continue
        rings = [
            [view.xy(lon, lat) for lon, lat in _near(view.lon, ring)]
            for ring in rings_of(site.geofence)
        ]
        if not view.shows(rings[0]):
            continue
        xs, ys = zip(*rings[0], strict=True)
        if max(xs) - min(xs) < SMALLEST_PX and max(ys) - min(ys) < SMALLEST_PX:
            x, y = (min(xs) + max(xs)) / 2, (min(ys) + max(ys)) / 2
            rings = [[(x - 6, y), (x, y - 6), (x + 6, y), (x, y + 6)]]
        paths = " ".join(f"{_path(ring)}Z" for ring in rings)
        yield f'<path class="fence" fill-rule="evenodd" d="{paths}"/>'
        above = (min(xs) + max(xs)) / 2, min(y for _, y in rings[0]) - 6
        taken.append(_free(above, taken))
        yield _label("site", taken[-1], site.name or site.id)


def _free(point: Point, taken: Sequence[Point]) -> Point:
    """Where a name can stand without covering another one: as wanted, or above that."""
    x, y = point
    while any(abs(x - a) < NAME_PX and abs(y - b) < LINE_PX for a, b in taken):
        y -= LINE_PX
    return x, y


def rings_of(fence: Fence) -> list[list[Point]]:
    """The rings of a fence, its outer one first: longitudes and latitudes."""
    if not isinstance(fence, Circle):
        return [list(ring) for ring in (fence.polygon, *fence.holes)]
    box = shape_of(fence).box
    lon, lat = fence.center
    wide = (box.east - box.west) % 360 / 2
    turns = [radians(360 * n / CORNERS) for n in range(CORNERS)]
    high = (box.north - box.south) / 2
    return [[(lon + wide * cos(t), lat + high * sin(t)) for t in turns]]


def _near(middle: float, ring: Sequence[Point]) -> list[Point]:
    """A ring with longitudes that begin near a middle, and go on beyond 180 degrees."""
    lons = unwrapped([middle, *(lon for lon, _ in ring)])[1:]
    return [(lon, lat) for lon, (_, lat) in zip(lons, ring, strict=True)]


def _graticule(view: View) -> Iterator[str]:
    half_lon = WIDTH / 2 / view.scale / view.squeeze
    half_lat = view.height / 2 / view.scale
    step = _step(max(2 * half_lon * view.squeeze, 2 * half_lat))
    for lat in _multiples(step, max(view.lat - half_lat, -90), min(view.lat + half_lat, 90)):
        _, y = view.xy(view.lon, lat)
        yield f'<path class="grid" d="{_path([(0, y), (WIDTH, y)])}"/>'
        yield f'<text class="degree" x="6" y="{y - 5:.1f}">{degrees(lat, "NS", step)}</text>'
    step = _step(2 * half_lon)
    for lon in _multiples(step, view.lon - half_lon, view.lon + half_lon):
        x, _ = view.xy(lon, view.lat)
        turned = (lon + 180) % 360 - 180
        yield f'<path class="grid" d="{_path([(x, 0), (x, view.height)])}"/>'
        yield (
            f'<text class="degree" x="{x + 5:.1f}" y="{view.height - 8:.1f}">'
            f"{degrees(turned, 'EW', step)}</text>"
        )


def _step(span: float) -> float:
    return next((step for step in STEPS if span / step <= LINES_AT_MOST), STEPS[-1])


def _multiples(step: float, low: float, high: float) -> Iterator[float]:
    n = floor(low / step) + 1
    while n * step < high:
        yield n * step
        n += 1


def degrees(value: float, sides: str, step: float) -> str:
    """A latitude or longitude as a map says it, as precise as lines a `step` apart need.

    >>> degrees(-4.5, "EW", 0.5), degrees(0.0, "NS", 10), degrees(-180.0, "EW", 20)
    ('4.5° W', '0°', '180°')
    """
    digits = max(0, -floor(log10(step)))
    text = f"{abs(value):.{digits}f}°"
    if float(text[:-1]) in (0.0, 180.0):
        return text
    return f"{text} {sides[value < 0]}"


def _scale_bar(view: View, drawn: Sequence[Point]) -> str:
    """At the right: at the bottom, or at the top where the track would be in its way."""
    metres = round_length(view.metres_a_pixel * WIDTH / 5)
    long = metres / view.metres_a_pixel
    left = WIDTH - 24 - long
    crowded = any(x > left - 120 and y > view.height - 120 for x, y in drawn)
    y = 40.0 if crowded else view.height - 34
    words = f"{metres / 1000:,.0f} km" if metres >= 1000 else f"{metres:.0f} m"
    bar = _path([(left, y - 5), (left, y), (left + long, y), (left + long, y - 5)])
    return (
        f'<path class="bar" d="{bar}"/>'
        f'<text class="scale" x="{left + long / 2:.1f}" y="{y - 9:.1f}">{words}</text>'
    )


def round_length(most: float) -> float:
    """The greatest 1, 2 or 5 times a power of ten that is not above `most`.

    >>> round_length(730), round_length(49_000)
    (500.0, 20000.0)
    """
    power: float = 10.0 ** floor(log10(most))
    # The logarithm may be rounded up to the next power.
    return max(n * power for n in (0.5, 1, 2, 5) if n * power <= most)


def _label(kind: str, point: Point, words: str) -> str:
    """A text that stays within the picture's sides."""
    x, y = point
    reach = LETTER_PX * len(words) / 2
    anchor = "start" if x < reach else "end" if x > WIDTH - reach else "middle"
    at = f'x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"'
    return f'<text class="{kind}" {at}>{text_of(words)}</text>'


def _path(points: Iterable[Point]) -> str:
    return "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in points)


def text_of(text: str) -> str:
    """A text as HTML or SVG holds it."""
    return escape(plain(text))
