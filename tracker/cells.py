"""Coarse cells of the globe: what a changed fence may touch, found without reading the log.

A fix matters to a fence within 5 km + 8 accuracies of it. Each fix is noted in a grid whose
cells are at least that wide, so a fence touches only fixes of its own cells and their
neighbours: some too many, none too few.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from math import cos, floor, radians
from typing import NamedTuple

from tracker.geofence import Box

METRES_PER_DEGREE = 111_195.0  # of a great circle, mean radius
NARROWEST_M = 10_000.0  # width of the cells of level 0; each level doubles it
TOP = 11  # a single cell, the world
REACH_M, REACH_ACCURACIES = 5_000.0, 8.0
GOOD_M = (NARROWEST_M - REACH_M) / REACH_ACCURACIES  # an accuracy for the narrowest cells


class Cell(NamedTuple):
    """A cell of one level's grid: rows go north from the south pole, columns east from the
    antimeridian."""

    level: int
    row: int
    col: int


class Range(NamedTuple):
    """Neighbouring cells of one row, both ends included."""

    level: int
    row: int
    first: int
    last: int


def cell_of(lat: float, lon: float, acc: float | None) -> Cell:
    """The cell in which a fix is noted (degrees, metres).

    >>> cell_of(51.92, 4.48, 8.0)
    Cell(level=0, row=1578, col=1262)
    >>> cell_of(51.92, 4.48, 1e9)
    Cell(level=11, row=0, col=0)
    """
    level = 0 if acc is None or acc <= GOOD_M else _level(acc)
    if level == TOP:
        return Cell(TOP, 0, 0)
    row = _row(level, lat)
    columns = _columns(level, row)
    return Cell(level, row, min(int((lon + 180) / 360 * columns), columns - 1))


def cells_near(box: Box, level: int) -> Iterator[Range]:
    """The cells of a level whose fixes may matter to a fence within `box` (degrees; its west
    lies east of its east where it crosses the antimeridian)."""
    if level >= TOP:
        yield Range(TOP, 0, 0, 0)
        return
    for row in range(max(_row(level, box.south) - 1, 0), _row(level, box.north) + 2):
        columns = _columns(level, row)
        first = floor((box.west + 180) / 360 * columns) - 1
        last = floor((box.east + 180) / 360 * columns) + 1
        if box.west > box.east:
            last += columns
        if last - first + 1 >= columns:
            yield Range(level, row, 0, columns - 1)
            continue
        first, last = first % columns, last % columns
        if first <= last:
            yield Range(level, row, first, last)
        else:
            yield Range(level, row, 0, last)
            yield Range(level, row, first, columns - 1)


def _level(acc: float) -> int:
    """The narrowest level whose cells are as wide as a fix of an accuracy reaches."""
    level = 0
    while level < TOP and _width_m(level) < REACH_M + REACH_ACCURACIES * acc:
        level += 1
    return level


def _width_m(level: int) -> float:
    return NARROWEST_M * 2.0**level


def _row(level: int, lat: float) -> int:
    return floor((lat + 90) * METRES_PER_DEGREE / _width_m(level))


@lru_cache(maxsize=100_000)
def _columns(level: int, row: int) -> int:
    """How many columns a row has: each is at least as wide as a cell is high, also at the end
    of the row that is nearer to a pole."""
    height = _width_m(level) / METRES_PER_DEGREE
    polar = max(abs(row * height - 90), abs((row + 1) * height - 90))
    around_m = 360 * METRES_PER_DEGREE * max(cos(radians(min(polar, 90.0))), 0.0)
    return max(1, floor(around_m / _width_m(level)))
