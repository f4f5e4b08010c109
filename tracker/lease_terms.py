"""Partners and leases as people state them: in a world file, a table, or through the API. Pure.

What becomes of a statement is in `tracker.lease_book`.
"""

from __future__ import annotations

from datetime import date
from typing import Annotated

from pydantic import AfterValidator, ConfigDict, Field, field_validator, model_validator

from tracker.leases import GRACE_H, How
from tracker.places import Day, Name, PlaceId, Value, time_zone
from tracker.worldvalues import AssetId, Attribute, Moment, Word

LINES_AT_MOST = 10_000  # of a lease


def _lease_day(day: date) -> date:
    if not 1970 <= day.year < 3000:
        raise ValueError(f"{day} lies outside of the years 1970 to 2999")
    return day


LeaseDay = Annotated[Day, AfterValidator(_lease_day)]
TimeZone = Annotated[str, AfterValidator(time_zone)]
GraceHours = Annotated[float, Field(ge=0, le=10_000, allow_inf_nan=False)]


class Partner(Value):
    """Who has assets for a time, or works on them, and at which sites."""

    id: PlaceId
    name: Name = ""
    kind: Word = "other"
    sites: list[PlaceId] = Field(default=[])


class Ending(Value):
    """How a line ended on paper, and when."""

    how: How
    at: Moment


class LeaseLine(Value):
    """One asset of a lease, or any one of a class (`kind`, `class` in the file), from the day
    `start` (`from` in the file) to the day `due`. Its `id` is its place, unless it has another."""

    model_config = ConfigDict(populate_by_name=True)

    id: PlaceId = ""
    asset: AssetId | None = None
    kind: Word | None = Field(default=None, validation_alias="class", serialization_alias="class")
    start: LeaseDay = Field(validation_alias="from", serialization_alias="from")
    due: LeaseDay
    ended: Ending | None = None

    @model_validator(mode="after")
    def _makes_sense(self) -> LeaseLine:
        if self.asset is None and self.kind is None:
            raise ValueError("give the `asset`, or the `class` of which it may be any")
        if self.start > self.due:
            raise ValueError(f"`from` {self.start} lies after `due` {self.due}")
        return self


class Lease(Value):
    """What a partner has on lease, where, and until when. Its days are those of `timezone`."""

    id: PlaceId
    customer: PlaceId
    site: PlaceId
    sites: list[PlaceId] = Field(default=[])
    timezone: TimeZone | None = None
    return_to: PlaceId | None = None
    grace_h: GraceHours = GRACE_H
    open_days: bool = False
    consignees: list[PlaceId] = Field(default=[])
    attributes: dict[Word, Attribute] = Field(default={})
    lines: Annotated[list[LeaseLine], Field(min_length=1, max_length=LINES_AT_MOST)]

    @field_validator("lines")
    @classmethod
    def _numbered(cls, lines: list[LeaseLine]) -> list[LeaseLine]:
        """The lines, each with an id of its own."""
        made = [
            line if line.id else line.model_copy(update={"id": str(n)})
            for n, line in enumerate(lines, 1)
        ]
        seen = set[str]()
        for n, line in enumerate(made, 1):
            if line.id in seen:
                raise ValueError(f"line {n} has the id {line.id!r:.60}, which another one has")
            seen.add(line.id)
        return made
