"""Hours of the day in which nobody is told: of a recipient, or of a rule. Pure."""

from __future__ import annotations

import re
from datetime import datetime
from functools import lru_cache
from typing import Annotated
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, Field, WithJsonSchema, model_validator

from tracker.places import Value, time_zone

MINUTE_MS = 60_000
_TIME_OF_DAY = re.compile(r"([01][0-9]|2[0-3]):[0-5][0-9]")


def _time_of_day(text: str) -> str:
    if _TIME_OF_DAY.fullmatch(text) is None:
        raise ValueError(f"{text!r:.40} is no time of day: write 22:00")
    return text


TimeOfDay = Annotated[
    str,
    AfterValidator(_time_of_day),
    WithJsonSchema({"type": "string", "pattern": f"^({_TIME_OF_DAY.pattern})$"}),
]
Zone = Annotated[str, AfterValidator(time_zone), Field(examples=["Europe/Amsterdam"])]


class Quiet(Value):
    """The hours of each day in which nobody is to be disturbed. They may reach over midnight."""

    since: TimeOfDay = Field(description="When they begin.", examples=["22:00"])
    until: TimeOfDay = Field(description="When they end.", examples=["07:00"])
    timezone: Zone = Field(default="UTC", description="The IANA zone of the two.")

    @model_validator(mode="after")
    def _not_all_day(self) -> Quiet:
        if self.since == self.until:
            raise ValueError("quiet hours that end when they begin would be all day, or never")
        return self

    def __contains__(self, at: int) -> bool:
        """Whether a time (epoch ms) lies in them, by the clock on the wall.

        >>> night = Quiet(since="22:00", until="07:00", timezone="Europe/Paris")
        >>> 1_767_646_800_000 in night, 1_767_682_800_000 in night  # 22:00 and 08:00 in Paris
        (True, False)
        """
        now = f"{local_time(at, self.timezone):%H:%M}"
        if self.since < self.until:
            return self.since <= now < self.until
        return now >= self.since or now < self.until


def waking(quiet: Quiet, at: int) -> int:
    """The first time from `at` on that is not quiet."""
    if at not in quiet:
        return at
    return _end(quiet, (at // MINUTE_MS + 1) * MINUTE_MS)


@lru_cache(maxsize=1_000)  # of very many alerts at once
def _end(quiet: Quiet, minute: int) -> int:
    # By the minute, for clocks may be changed at any of them, and the end left out or come twice.
    while minute in quiet:
        minute += MINUTE_MS
    return minute


def local_time(at: int, zone: str) -> datetime:
    """What the clock on the wall shows at a time (epoch ms)."""
    return datetime.fromtimestamp(at / 1_000, ZoneInfo(zone))
