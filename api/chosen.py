"""Things chosen to be looked at again: by their numbers, or all that match."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, model_validator

from api.auth import Caller
from api.cursors import RowNumber
from tracker.audit import Act
from tracker.ports import Reader, Writer
from tracker.second_look import Again

AT_MOST = 1_000
AT_ONCE = 100  # in one transaction: the gateway waits for it
Lister = Callable[[int | None, int, str | None, str | None], Sequence[tuple[int, Any]]]
"""Lists things with their numbers, newest first: those before a number (None: all), up to so
many, of a device and for a reason (None: any)."""


class Chosen(BaseModel):
    """Which are meant: those of some `ids`, or all that match `reason` and `device`."""

    model_config = ConfigDict(extra="forbid")

    ids: Annotated[list[RowNumber], Field(min_length=1, max_length=AT_MOST)] | None = Field(
        None, description="Their numbers.", examples=[[17, 18]]
    )
    reason: str | None = Field(
        None,
        max_length=256,
        description="All that are here for this reason.",
        examples=["not_json"],
    )
    device: str | None = Field(
        None, max_length=256, description="All of this device.", examples=["trk-1"]
    )
    before: RowNumber | None = Field(
        None, description="`next` of the answer before: go on from there.", examples=[1042]
    )

    @model_validator(mode="after")
    def _one_way(self) -> Chosen:
        matching = self.reason is not None or self.device is not None
        if matching == (self.ids is not None):
            raise ValueError("say which: either by `ids`, or by `reason`, `device` or both")
        if self.before is not None and not matching:
            raise ValueError("`before` goes with `reason` or `device`")
        return self


class Outcome(BaseModel):
    """What became of those that were chosen."""

    found: int = Field(description="How many there were.", examples=[12])
    stored: int = Field(description="How many observations of them are stored now.", examples=[11])
    refused: int = Field(description="How many stay, refused as before.", examples=[1])
    next: int | None = Field(
        description=f"More than {AT_MOST} match: ask again with `before` set to this for the "
        "others; null: these were all.",
        examples=[1042],
    )


def deal(
    caller: Caller,
    chosen: Chosen,
    lister: Callable[[Reader], Lister],
    do: Callable[[Writer, Sequence[int], Act], Again],
) -> Outcome:
    """Do something with what is chosen, some at once, and sum up."""
    numbers, following = _numbers(caller, chosen, lister)
    done = []
    for some in _some(numbers):
        with caller.writing() as (tx, act):
            done.append(do(tx, some, act))
    found, stored, refused = map(sum, zip(*done, strict=True)) if done else (0, 0, 0)
    return Outcome(found=found, stored=stored, refused=refused, next=following)


def _numbers(
    caller: Caller, chosen: Chosen, lister: Callable[[Reader], Lister]
) -> tuple[list[int], int | None]:
    """The numbers of what is chosen, and from where on to continue."""

    def page(before: int | None, limit: int) -> list[int]:
        with caller.reading("write") as reader:
            found = lister(reader)(before, limit, chosen.device, chosen.reason)
        return [number for number, _ in found]

    if chosen.ids is not None:
        return sorted(set(chosen.ids)), None
    numbers: list[int] = []
    before = chosen.before
    while len(numbers) < AT_MOST:
        some = page(before, AT_ONCE)
        numbers += some
        if len(some) < AT_ONCE:
            return sorted(numbers), None
        before = some[-1]
    return sorted(numbers), before if page(before, 1) else None


def _some(numbers: Sequence[int]) -> Iterator[Sequence[int]]:
    """Oldest first, as they came in."""
    for start in range(0, len(numbers), AT_ONCE):
        yield numbers[start : start + AT_ONCE]
