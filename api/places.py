"""Places of assets in answers."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, Field

from api.times import Time
from tracker import fold
from tracker.queries import Located


class Place(BaseModel):
    """Where an asset was at a time, and how that is known."""

    lat: float = Field(description="Latitude, degrees WGS 84.", examples=[51.92])
    lon: float = Field(description="Longitude, degrees WGS 84.", examples=[4.48])
    acc: float | None = Field(description="How far off it may be, metres.", examples=[7.5])
    at: Time = Field(description="When it was there: event time, UTC.")
    source: Literal["fix", "read"] = Field(
        description="Its own position (`fix`), or that of a reader that saw its tag (`read`).",
        examples=["fix"],
    )
    device: str = Field(description="The device that observed it.", examples=["trk-1"])
    zone: str | None = Field(
        description="The zone that the reader watched; null: not known.", examples=["z_inspection"]
    )

    @classmethod
    def of(cls, place: fold.Place) -> Place:
        """From the domain's place."""
        return cls.model_validate(place._asdict())


class Location(Place):
    """An asset's newest place."""

    age_s: float = Field(
        description="Seconds since then, on the asset's own clock: for a recording that is "
        "being replayed, the recording's.",
        examples=[12.5],
    )
    site: str | None = Field(
        description="The site where it is; null: at none that is known.", examples=["depot"]
    )
    confirmed: bool = Field(
        description="False while a single observation says that it has arrived or left."
    )

    @classmethod
    def now(cls, located: Located) -> Location:
        """From the domain's located."""
        place, age, site, confirmed = located
        own = {"age_s": age / 1000, "site": site, "confirmed": confirmed}
        return cls.model_validate(place._asdict() | own)
