"""What the time-series store is told of stages: a point for each line of the journal that tells
one.

A point never changes. What a correction puts right gets one more field, `superseded`: fields of
one point may be told in any order and by any worker, where of two values the last would stay.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from tracker.asset_ports import UNKNOWN
from tracker.log_ports import Line
from tracker.news import STAGE_CHANGED, STAGE_CORRECTED
from tracker.points import stage_line
from tracker.ports import Reader, Writer


def queue_stages(tx: Writer, lines: Iterable[Line], now: int) -> None:
    """Have the time-series store told of what was just written to the journal, if there is one."""
    if tx.projected():
        tx.queue_points([*stage_lines(tx, lines)], now)


def stage_lines(reader: Reader, lines: Iterable[Line]) -> Iterator[bytes]:
    """What lines of the journal come to: a point for each that tells a stage, and a mark on the
    point of each that a correction puts right."""
    for line in lines:
        if line.entry.kind not in (STAGE_CHANGED, STAGE_CORRECTED):
            continue
        if _tells(line):
            yield _point(line)
        if line.entry.kind == STAGE_CORRECTED:
            for wrong in filter(_tells, reader.corrected_by(line)):
                yield _about(wrong, superseded=line.number)


def _tells(line: Line) -> bool:
    return not line.entry.body.get("withdrawn")


def _point(line: Line) -> bytes:
    body, corrects = line.entry.body, line.entry.supersedes
    more = {} if corrects is None else {"supersedes": corrects}
    return _about(line, stage=body["stage"] or UNKNOWN, p=body["p"], id=line.number, **more)


def _about(line: Line, **fields: str | float) -> bytes:
    entry = line.entry
    # As it was when the line was written: under the class of now, which may be another one, a
    # rebuild would make a second point.
    class_ = entry.body.get("class", "")
    return stage_line(entry.asset, class_, entry.at, line.number, **fields)
