"""The files that `retour evaluate` judges by. Whatever is wrong in one is a UserError that
names the line."""

from __future__ import annotations

import base64
import binascii
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import orjson

from commands.show import UserError
from tracker.judging import Span
from tracker.process import Process, read_process
from tracker.world import BadWorld, World, read_world


class Line(NamedTuple):
    """A line of MESSAGES: its file and number, when it came (never before the line above it),
    and what it holds. `end` is how much of the file is read with it, bytes."""

    file: Path
    number: int
    received: int
    fields: Mapping[str, Any]
    end: int

    def error(self, detail: object) -> UserError:
        return UserError(f"{self.file}: line {self.number}: {detail}")

    def payload(self) -> bytes:
        """The payload of a message."""
        if "payload_base64" in self.fields:
            try:
                return base64.b64decode(self.fields["payload_base64"], validate=True)
            except (binascii.Error, TypeError, ValueError):
                raise self.error("`payload_base64` is no base64") from None
        if "payload" not in self.fields:
            raise self.error("a `topic` without a `payload`")
        return orjson.dumps(self.fields["payload"])


def read_messages(path: Path) -> Iterator[Line]:
    """The lines of MESSAGES, in their order."""
    now, end = 0, 0
    with path.open("rb") as file:
        for number, text in enumerate(file, 1):
            end += len(text)
            if not text.strip():
                continue
            try:
                fields = orjson.loads(text)
                now = max(now, _whole(fields["received_at"]))
            except (orjson.JSONDecodeError, KeyError, TypeError, ValueError):
                detail = "no JSON object with a `received_at` in epoch ms"
                raise UserError(f"{path}: line {number}: {detail}") from None
            yield Line(path, number, now, fields, end)


def read_truth(path: Path) -> dict[str, list[Span]]:
    """The lines of TRUTH, by asset, in order."""
    found = defaultdict[str, list[Span]](list)
    with path.open("rb") as file:
        for number, text in enumerate(file, 1):
            if not text.strip():
                continue
            try:
                fields = orjson.loads(text)
                asset, stage = str(fields["asset"]), str(fields["stage"])
                span = Span(stage, _whole(fields["from"]), _whole(fields["to"]))
            except (orjson.JSONDecodeError, KeyError, TypeError, ValueError):
                detail = "no JSON object with `asset`, `stage`, `from` and `to`"
                raise UserError(f"{path}: line {number}: {detail}") from None
            if span.until < span.since:
                raise UserError(f"{path}: line {number}: `to` lies before `from`")
            found[asset].append(span)
    return {asset: sorted(spans, key=lambda span: span.since) for asset, spans in found.items()}


def _whole(value: Any) -> int:
    """A time in epoch ms; a fraction of a millisecond is cut off. Raises ValueError."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError
    return int(value)


def read_world_file(path: Path) -> World:
    """What WORLD says."""
    try:
        return read_world(path.read_bytes())
    except BadWorld as bad:
        raise UserError("\n".join(f"{path}: {fault}" for fault in bad.faults)) from None


def read_process_file(path: Path) -> Process:
    """What PROCESS says."""
    try:
        return read_process(path.read_bytes())
    except BadWorld as bad:
        raise UserError("\n".join(f"{path}: {fault}" for fault in bad.faults)) from None
