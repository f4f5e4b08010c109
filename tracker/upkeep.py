"""How assets of a class are looked after: what an inspection looks at, which services are due, what
wears them out. Parts of a class file (see `docs/end-of-life.md`).
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from tracker.places import Value
from tracker.process import Name, Word

Grade = Annotated[str, Field(pattern=r"^[A-Z][A-Z0-9]{0,7}$")]
Number = Annotated[float, Field(ge=-1e12, le=1e12, allow_inf_nan=False)]
Amount = Annotated[float, Field(gt=0, le=1e12, allow_inf_nan=False)]


class Item(Value):
    """Something that an inspection looks at: yes or no, or a measured value within bounds."""

    id: Word = Field(description="Its name.", examples=["insulation"])
    text: Name = Field(description="What is asked.", examples=["Is the cable's insulation whole?"])
    unit: str | None = Field(
        default=None, max_length=32, description="Of a measured value.", examples=["MOhm"]
    )
    at_least: Number | None = Field(
        default=None, description="Below which a measured value is bad.", examples=[1.0]
    )
    at_most: Number | None = Field(
        default=None, description="Above which it is bad.", examples=[100]
    )
    required: bool = Field(default=False, description="Whether no inspection may leave it out.")
    grade: Grade | None = Field(
        default=None, description="The best grade that is left where it is bad.", examples=["C"]
    )
    fails: bool = Field(default=False, description="Whether the asset does not work then.")

    @property
    def is_measured(self) -> bool:
        """Whether a number is wanted."""
        return self.unit is not None or self.at_least is not None or self.at_most is not None

    def is_good(self, value: float | bool) -> bool:
        """Whether what was found is in order.

        >>> Item(id="tread", text="Tread depth?", unit="mm", at_least=3).is_good(2.5)
        False
        """
        if not self.is_measured:
            return bool(value)
        low = self.at_least is None or value >= self.at_least
        return low and (self.at_most is None or value <= self.at_most)


class Defect(Value):
    """A defect that an inspection may find, by its code."""

    code: Name = Field(description="Its code.", examples=["cracked-block"])
    text: Name = Field(description="What it is.", examples=["A block is cracked"])
    grade: Grade | None = Field(
        default=None, description="The best grade that is left with it.", examples=["C"]
    )
    fails: bool = Field(default=False, description="Whether the asset does not work with it.")


class Plan(Value):
    """A service that comes again: whichever of its intervals is over first."""

    id: Word = Field(description="Its name.", examples=["calibration"])
    text: Annotated[str, Field(max_length=128)] = Field(
        default="", description="What is done.", examples=["Calibrate the flow"]
    )
    every_days: Amount | None = Field(default=None, description="Days.", examples=[365])
    every_hours: Amount | None = Field(default=None, description="Hours in use.", examples=[500])
    every_cycles: Amount | None = Field(default=None, description="Trips.", examples=[10])
    ahead_days: Annotated[float, Field(ge=0, le=3_650)] = Field(
        default=14, description="How many days before it is told."
    )


class Budget(Value):
    """What an asset bears before it is worn out. Shares of all that is given are added up (the
    rule of Palmgren and Miner)."""

    cycles: Amount | None = Field(default=None, description="Trips.", examples=[200])
    hours: Amount | None = Field(default=None, description="Hours in use.", examples=[4000])
    kilometres: Amount | None = Field(default=None, description="Kilometres.", examples=[90000])
    shock_dose: Amount | None = Field(
        default=None, description="g beyond `shock_from`, of all knocks.", examples=[900]
    )
    degree_hours: Amount | None = Field(
        default=None, description="Degree hours outside `temperature`.", examples=[2000]
    )


class Band(Value):
    """What an asset may be exposed to without harm."""

    at_least: Annotated[float, Field(ge=-273, le=10_000)] | None = Field(
        default=None, description="Degrees Celsius, whole ones.", examples=[2]
    )
    at_most: Annotated[float, Field(ge=-273, le=10_000)] | None = Field(
        default=None, description="Degrees Celsius, whole ones.", examples=[30]
    )


class Stress(Value):
    """From where on knocks and heat count as harm; on the edges of the bins of the counters."""

    shock_from: Annotated[float, Field(ge=0.5, le=200, multiple_of=0.5)] = Field(
        default=2, description="Knocks from how many g on; halves."
    )
    temperature: Band = Field(default=Band(), description="Outside of which it suffers.")
