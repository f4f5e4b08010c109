"""Partners and leases as people state them: in a world file, a table, or through the API. Pure.

What becomes of a statement is in `tracker.lease_book`.
"""

from __future__ import annotations

from datetime import date
from typing import Annotated

from pydantic import (
    AfterValidator,
    ConfigDict,
    Field,
    WithJsonSchema,
    field_validator,
    model_validator,
)

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
_AT = WithJsonSchema({"anyOf": [{"type": "string", "format": "date-time"}, {"type": "integer"}]})
GraceHours = Annotated[float, Field(ge=0, le=10_000, allow_inf_nan=False)]


class Partner(Value):
    """Who has assets for a time, or works on them, and at which sites."""

    id: PlaceId = Field(description="Its id.", examples=["acme"])
    name: Name = Field(default="", description="What people call it.", examples=["Acme Foods"])
    kind: Word = Field(default="other", description="What it is.", examples=["customer"])
    sites: list[PlaceId] = Field(
        default=[], description="The sites where it may have assets.", examples=[["cust-1"]]
    )


class Ending(Value):
    """How a line ended on paper, and when."""

    how: How = Field(description="How it ended.", examples=["returned"])
    at: Annotated[Moment, _AT] = Field(
        description="When: ISO 8601 with an offset, or epoch ms.",
        examples=["2026-01-05T08:00:00Z"],
    )


class LeaseLine(Value):
    """One asset of a lease, or any one of a class (`kind`, `class` in the file), from the day
    `start` (`from` in the file) to the day `due`. Its `id` is its place, unless it has another."""

    model_config = ConfigDict(populate_by_name=True)

    id: PlaceId = Field(
        default="",
        description="Its id within the lease; left out: its place, from 1 on.",
        examples=["1"],
    )
    asset: AssetId | None = Field(
        default=None, description="The asset; null: any one of the class.", examples=["pallet-1"]
    )
    kind: Word | None = Field(
        default=None,
        validation_alias="class",
        serialization_alias="class",
        description="The class that it may be any one of, until one is dispatched.",
        examples=["pallet"],
    )
    start: LeaseDay = Field(
        validation_alias="from",
        serialization_alias="from",
        description="Its first day.",
        examples=["2026-01-05"],
    )
    due: LeaseDay = Field(
        description="Its last day, by the end of which it is to be back.", examples=["2026-02-02"]
    )
    ended: Ending | None = Field(
        default=None, description="How it ended; null: it is open, or stays as it was."
    )

    @model_validator(mode="after")
    def _makes_sense(self) -> LeaseLine:
        if self.asset is None and self.kind is None:
            raise ValueError("give the `asset`, or the `class` of which it may be any")
        if self.start > self.due:
            raise ValueError(f"`from` {self.start} lies after `due` {self.due}")
        return self


class Lease(Value):
    """What a partner has on lease, where, and until when. Its days are those of `timezone`."""

    id: PlaceId = Field(description="Its id.", examples=["L1"])
    customer: PlaceId = Field(description="The partner who has it.", examples=["acme"])
    site: PlaceId = Field(description="Where it is delivered to.", examples=["cust-1"])
    sites: list[PlaceId] = Field(
        default=[], description="Where its assets may be besides.", examples=[["depot"]]
    )
    timezone: TimeZone | None = Field(
        default=None,
        description="The IANA time zone of its days; left out: that of its site, else of a depot, "
        "else UTC.",
        examples=["Europe/Amsterdam"],
    )
    return_to: PlaceId | None = Field(
        default=None, description="Where it comes back to; null: any depot.", examples=["depot"]
    )
    grace_h: GraceHours = Field(
        default=GRACE_H,
        description="Hours after the due day before something is overdue.",
        examples=[24],
    )
    open_days: bool = Field(
        default=False,
        description="Whether a due day on which its site is closed moves to the next one on which "
        "it is open.",
    )
    consignees: list[PlaceId] = Field(
        default=[], description="Partners who may have its assets too.", examples=[["acme"]]
    )
    attributes: dict[Word, Attribute] = Field(
        default={},
        description="Whatever else is to be said: texts, numbers, `true` and `false`.",
        examples=[{"order": "4711"}],
    )
    lines: Annotated[list[LeaseLine], Field(min_length=1, max_length=LINES_AT_MOST)] = Field(
        description="What it consists of."
    )

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
