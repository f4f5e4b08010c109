"""Places: sites with their fences, the zones inside them, and the readers that watch zones.

These are what a world file, the API and the configuration's history hold, in one shape: the
field names are those of `docs/world.md`. Positions are longitude first, as in GeoJSON.
"""

from __future__ import annotations

from datetime import date
from functools import cache
from typing import Annotated, Any, Literal, get_args
from zoneinfo import available_timezones

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    model_validator,
)

from tracker.leases import next_open
from tracker.model import DEVICE_ID_RULE, is_device_id

RADIUS_AT_MOST_M = 1_000_000
POINTS_AT_MOST = 10_000  # of a ring
HOLES_AT_MOST = 100
PLACE_ID_RULE = "1 to 128 letters, digits and the characters . _ : -"


_time_zones = cache(available_timezones)  # it reads the disk each time


def time_zone(name: str) -> str:
    """The name of an IANA time zone, as it is. ValueError where there is none of that name."""
    if name not in _time_zones():
        raise ValueError(f"{name!r:.60} is no IANA time zone; write it like Europe/Amsterdam")
    return name


def storable(text: str) -> str:
    """A text that every database and every reader of JSON takes, as it is; else ValueError."""
    if "\0" in text or any("\ud800" <= character <= "\udfff" for character in text):
        raise ValueError("a text has no NUL character and no half of a surrogate pair")
    return text


def _day(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    try:
        return date.fromisoformat(value)
    except ValueError:
        raise ValueError(f"{value!r:.60} is no date: write it like 2026-01-05") from None


def _device_id(id: str) -> str:
    if not is_device_id(id):
        raise ValueError(f"{id!r:.60} is no device id: {DEVICE_ID_RULE}")
    return id


Lon = Annotated[float, Field(ge=-180, le=180, allow_inf_nan=False)]
Lat = Annotated[float, Field(ge=-90, le=90, allow_inf_nan=False)]
LonLat = tuple[Lon, Lat]
Metres = Annotated[float, Field(gt=0, le=RADIUS_AT_MOST_M, allow_inf_nan=False)]
Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
Strength = tuple[
    Annotated[float, Field(ge=-200, le=100, allow_inf_nan=False)],
    Annotated[float, Field(gt=0, le=100, allow_inf_nan=False)],
]
Answers = Annotated[float, Field(ge=1, le=1e6, allow_inf_nan=False)]
Seconds = Annotated[float, Field(gt=0, le=366 * 86_400, allow_inf_nan=False)]
PlaceId = Annotated[str, Field(pattern=r"^[A-Za-z0-9._:-]{1,128}$", examples=["depot"])]
DeviceId = Annotated[str, AfterValidator(_device_id), Field(examples=["rdr-1"])]
Name = Annotated[str, Field(max_length=256, examples=["Depot Rotterdam"]), AfterValidator(storable)]
Ring = Annotated[list[LonLat], Field(min_length=3, max_length=POINTS_AT_MOST)]
Day = Annotated[date, BeforeValidator(_day)]
Weekday = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
WEEK: tuple[Weekday, ...] = get_args(Weekday)
SiteKind = Literal["depot", "customer", "hub", "partner", "other"]


class Value(BaseModel):
    """A part of the configuration: it never changes, and has no field that is not named here."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Circle(Value):
    """All within `radius_m` metres of `center`."""

    center: LonLat = Field(description="Longitude, latitude.", examples=[[4.48, 51.92]])
    radius_m: Metres = Field(description="Radius, metres.", examples=[120])


class Polygon(Value):
    """All within the ring `polygon`, but not within one of the rings `holes`. A side takes the
    short way round the globe, so a ring may cross the antimeridian."""

    polygon: Ring = Field(
        description="Corners, longitude first; closed or not.",
        examples=[[[4.3, 51.8], [4.31, 51.8], [4.31, 51.81]]],
    )
    holes: Annotated[list[Ring], Field(max_length=HOLES_AT_MOST)] = Field(
        default=[], description="Rings cut out of it.", examples=[[]]
    )


Fence = Circle | Polygon


class Site(Value):
    """A depot, a customer's yard, a hub: somewhere assets stay."""

    id: PlaceId = Field(description="Its id.")
    name: Name = Field(default="", description="What people call it.")
    kind: SiteKind = Field(default="other", description="What it is to us.", examples=["depot"])
    geofence: Fence | None = Field(default=None, description="Its extent; null: not known.")
    timezone: Annotated[str, AfterValidator(time_zone)] | None = Field(
        default=None, description="Its IANA time zone.", examples=["Europe/Amsterdam"]
    )
    stage: str | None = Field(
        default=None,
        max_length=64,
        description="The stage that an asset at it is in, where the site means one.",
        examples=["repair"],
    )
    open_days: Annotated[list[Weekday], Field(max_length=7)] = Field(
        default=[],
        description="The days of the week on which it is open; none: on all.",
        examples=[["mon", "tue", "wed", "thu", "fri"]],
    )
    holidays: Annotated[list[Day], Field(max_length=1_000)] = Field(
        default=[], description="Days on which it is closed.", examples=[["2026-01-01"]]
    )

    def open_from(self, day: date) -> date:
        """The first day from one on that is open.

        >>> shop = Site(id="shop", open_days=["mon", "tue"], holidays=["2026-01-05"])
        >>> shop.open_from(date(2026, 1, 3))
        datetime.date(2026, 1, 6)
        """
        weekdays = {WEEK.index(name) for name in self.open_days or WEEK}
        return next_open(day, weekdays, self.holidays)


class Zone(Value):
    """A part of a site that readers watch."""

    id: PlaceId = Field(description="Its id.", examples=["z_inspection"])
    site: PlaceId = Field(description="The site it lies in.", examples=["depot"])
    stage: str | None = Field(
        default=None,
        max_length=64,
        description="The stage that an asset in it is in.",
        examples=["inspection"],
    )
    adjacent: list[PlaceId] = Field(
        default=[], description="Zones whose tags are read here astray.", examples=[["z_repair"]]
    )


class Standing(Value):
    """Where a fixed reader stands."""

    lat: Lat = Field(description="Latitude, degrees WGS 84.", examples=[51.92])
    lon: Lon = Field(description="Longitude, degrees WGS 84.", examples=[4.48])
    acc: Metres = Field(
        default=10, description="How far off its reads may be, metres.", examples=[10]
    )


class Reader(Value):
    """A fixed RFID reader: the zone that it watches, or the zone of each of its antennas."""

    device: DeviceId = Field(description="Its device id.")
    zone: PlaceId | None = Field(default=None, description="The zone it watches.")
    antennas: dict[Annotated[int, Field(ge=0, le=65_535)], PlaceId] = Field(
        default={}, description="The zone of each antenna.", examples=[{"1": "z_inspection"}]
    )
    place: Standing | None = Field(
        default=None, description="Where it stands; null: somewhere within its zone's site."
    )
    mode: Literal["cycle", "portal"] = Field(
        default="cycle",
        description="`cycle` takes an inventory again and again, `portal` sees passages.",
    )
    cycle_s: Seconds | None = Field(
        default=None, description="Seconds between inventories; null: not known.", examples=[1800]
    )
    miss: Share | None = Field(
        default=None, description="Share of inventories that miss a tag.", examples=[0.2]
    )
    stray: Share | None = Field(
        default=None,
        description="Probability per inventory of reading a tag of an adjacent zone.",
        examples=[0.1],
    )
    rssi: Strength | None = Field(
        default=None,
        description="Signal strength of tags of its own zone: mean and deviation, dBm; null: "
        "the process's.",
        examples=[[-55, 6]],
    )
    count: Answers | None = Field(
        default=None,
        description="Mean number of answers of a tag of its own zone in a read.",
        examples=[6],
    )
    stray_rssi: Strength | None = Field(
        default=None,
        description="Signal strength of tags of an adjacent zone.",
        examples=[[-67, 6]],
    )
    stray_count: Answers | None = Field(
        default=None,
        description="Mean number of answers of a tag of an adjacent zone.",
        examples=[1],
    )

    @model_validator(mode="after")
    def _watches_something_once(self) -> Reader:
        if self.zone is not None and self.antennas:
            raise ValueError("give either `zone` or `antennas`, not both")
        if self.zone is None and not self.antennas and self.place is None:
            raise ValueError("a reader needs a `zone`, `antennas`, or a `place`")
        return self

    def zones(self) -> list[str]:
        """The zones that it watches."""
        return [self.zone] if self.zone is not None else list(self.antennas.values())

    def zone_of(self, antenna: int | None) -> str | None:
        """The zone that a read by an antenna tells of; None where that is not known.

        >>> Reader(device="r", antennas={1: "a", 2: "a"}).zone_of(None)
        'a'
        """
        if self.zone is not None or not self.antennas:
            return self.zone
        if antenna is not None:
            return self.antennas.get(antenna)
        zones = set(self.antennas.values())
        return zones.pop() if len(zones) == 1 else None
