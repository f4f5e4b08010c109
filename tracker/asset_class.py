"""What is known of a class of assets: its money, limits and wear, and what may become of it.

Data, a YAML file (see `docs/end-of-life.md`). Most fleets know little: each figure may be left out,
and what it would have made possible is told to be missing, never guessed.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from tracker.places import Share, Value
from tracker.process import Name, Word
from tracker.upkeep import Budget, Defect, Grade, Item, Plan, Stress

Money = Annotated[float, Field(ge=0, le=1e12, allow_inf_nan=False)]
Cycles = Annotated[float, Field(gt=0, le=1e9, allow_inf_nan=False)]
Days = Annotated[float, Field(ge=0, le=1e6, allow_inf_nan=False)]
Kilograms = Annotated[float, Field(ge=0, le=1e9, allow_inf_nan=False)]
ClassId = Annotated[str, Field(pattern=r"^[^\x00-\x1f\x7f/]{1,128}$")]
RETURNING = ("restock", "clean", "repair", "refurbish", "remanufacture", "redeploy")
ENDING = ("harvest", "resell", "return_to_supplier", "donate", "recycle", "dispose")
ITEMS_AT_MOST = 200


class Wear(Value):
    """What the maker says of failures: a Weibull curve on cycles."""

    cycles: Cycles = Field(description="After how many 63 % have failed.", examples=[120])
    shape: Annotated[float, Field(gt=0, le=50, allow_inf_nan=False)] = Field(
        default=2, description="1: by chance; above: by wear.", examples=[2.2]
    )


class Limits(Value):
    """What no asset of the class may be used beyond."""

    cycles: Cycles | None = Field(default=None, description="Cycles.", examples=[300])
    age_days: Days | None = Field(
        default=None, description="Days since it was made.", examples=[3650]
    )


class BookValue(Value):
    """What an asset is worth used: its price, less with each cycle and year, never below a rest."""

    keeps_per_cycle: Share = Field(
        default=1, description="Which share a cycle leaves.", examples=[0.99]
    )
    keeps_per_year: Share = Field(
        default=1, description="Which share a year leaves.", examples=[0.85]
    )
    rest: Money = Field(default=0, description="What is left at the least.", examples=[10])


class Part(Value):
    """A part that can be harvested."""

    name: Name = Field(description="What it is.", examples=["motor"])
    count: Annotated[int, Field(ge=1, le=10_000)] = Field(default=1, description="How many.")
    value: Money = Field(description="What each is worth, tested.", examples=[40])
    good: Share = Field(default=1, description="Which share is still good.", examples=[0.7])


class Material(Value):
    """What it is made of."""

    name: Name = Field(description="What it is.", examples=["steel"])
    kg: Kilograms = Field(description="How much, kilograms.", examples=[3.2])
    per_kg: Annotated[float, Field(ge=-1e9, le=1e9, allow_inf_nan=False)] = Field(
        default=0, description="What a kilogram brings; below 0: what it costs.", examples=[0.2]
    )


class Route(Value):
    """What may become of a returned asset, and what that costs, takes and brings."""

    id: Word = Field(description="Its name.", examples=["repair"])
    kind: Literal[
        "restock",
        "clean",
        "repair",
        "refurbish",
        "remanufacture",
        "redeploy",
        "harvest",
        "resell",
        "return_to_supplier",
        "donate",
        "recycle",
        "dispose",
    ] = Field(description="Which sort it is: the first six bring it back into use.")
    cost: Money = Field(default=0, description="What the work costs.", examples=[60])
    transport: Money = Field(default=0, description="What it costs to get it there.", examples=[10])
    days: Days = Field(default=0, description="How long it takes.", examples=[7])
    success: Share = Field(default=1, description="How likely it succeeds.", examples=[0.9])
    restores: Share | None = Field(
        default=None,
        description="Which share of its wear it takes away; none said: repair 0.3, refurbish 0.7, "
        "remanufacture 1, others 0.",
        examples=[0.5],
    )
    mends: bool | None = Field(
        default=None,
        description="Whether what has failed works afterwards; none said: repair, refurbish and "
        "remanufacture do.",
    )
    renews: bool = Field(
        default=False, description="Whether the limits of the class count anew afterwards."
    )
    revenue: Money | dict[Grade, Money] | None = Field(
        default=None,
        description="What it brings, by grade where that matters; none said: harvest the good "
        "parts, recycle the material, resell the book value.",
        examples=[12],
    )
    grades: list[Grade] = Field(
        default=[],
        max_length=26,
        description="Only of these grades; none: of all.",
        examples=[["A"]],
    )
    otherwise: Word | None = Field(
        default=None, description="Where it goes if it does not succeed.", examples=["recycle"]
    )
    forbidden: str | None = Field(
        default=None,
        max_length=256,
        description="Why it must not be.",
        examples=["WEEE: no landfill"],
    )

    @property
    def returns(self) -> bool:
        """Whether it brings the asset back into use."""
        return self.kind in RETURNING

    @property
    def taken_away(self) -> float:
        """Which share of the wear it takes away."""
        usual = {"repair": 0.3, "refurbish": 0.7, "remanufacture": 1.0}
        return usual.get(self.kind, 0.0) if self.restores is None else self.restores

    @property
    def makes_work(self) -> bool:
        """Whether what has failed works afterwards."""
        usual = self.kind in ("repair", "refurbish", "remanufacture")
        return usual if self.mends is None else self.mends


class AssetClass(Value):
    """A class of assets."""

    id: ClassId = Field(description="Its name, as assets bear it.", examples=["power_tool"])
    currency: Annotated[str, Field(pattern="^[A-Z]{3}$")] = Field(
        default="EUR", description="Of all its money.", examples=["EUR"]
    )
    price: Money | None = Field(default=None, description="What a new one costs.", examples=[400])
    margin_per_cycle: Money | None = Field(
        default=None, description="What a cycle earns.", examples=[12]
    )
    failure_cost: Money = Field(
        default=0, description="What a failure in use costs besides.", examples=[80]
    )
    holding_per_day: Money = Field(
        default=0, description="What a day costs on which it earns nothing.", examples=[0.5]
    )
    gamma: Annotated[float, Field(gt=0, le=1)] = Field(
        default=0.99, description="What the next cycle's money is worth of this one's."
    )
    horizon: Annotated[int, Field(ge=1, le=1_000)] = Field(
        default=20, description="How many cycles are looked ahead."
    )
    discount_per_day: Annotated[float, Field(ge=0, le=1)] = Field(
        default=0, description="What waiting a day for money takes off it.", examples=[0.0002]
    )
    grades: Annotated[list[Grade], Field(min_length=1, max_length=26)] = Field(
        default=["A", "B", "C", "D"], description="The grades of inspection, the best first."
    )
    limits: Limits = Field(default=Limits(), description="What none may be used beyond.")
    wear: Wear | None = Field(default=None, description="What the maker says of failures.")
    p_fail_at_most: Share = Field(
        default=0.3,
        description="Above which likelihood to fail within the next cycle it is told.",
    )
    book_value: BookValue | None = Field(default=None, description="What a used one is worth.")
    parts: Annotated[list[Part], Field(max_length=ITEMS_AT_MOST)] = Field(
        default=[], description="What can be harvested of it."
    )
    materials: Annotated[list[Material], Field(max_length=ITEMS_AT_MOST)] = Field(
        default=[], description="What it is made of."
    )
    stress: Stress = Field(default=Stress(), description="From where on knocks and heat harm.")
    budget: Budget = Field(default=Budget(), description="What it bears before it is worn out.")
    service: Annotated[list[Plan], Field(max_length=ITEMS_AT_MOST)] = Field(
        default=[], description="The services that come again."
    )
    checklist: Annotated[list[Item], Field(max_length=ITEMS_AT_MOST)] = Field(
        default=[], description="What an inspection looks at."
    )
    defects: Annotated[list[Defect], Field(max_length=ITEMS_AT_MOST)] = Field(
        default=[], description="The defects that it may find, by code."
    )
    reasons: Annotated[list[Name], Field(max_length=ITEMS_AT_MOST)] = Field(
        default=[],
        description="The codes of reasons for a return, one of which each inspection must give; "
        "none: none is asked.",
        examples=[["worn", "broken", "no-fault"]],
    )
    routes: Annotated[list[Route], Field(min_length=1, max_length=ITEMS_AT_MOST)] = Field(
        description="What may become of it."
    )

    def worth(self, cycles: float, age_days: float) -> float | None:
        """The book value after cycles and days; None where that is not known."""
        if self.price is None or self.book_value is None:
            return None
        curve = self.book_value
        kept: float = curve.keeps_per_cycle**cycles * curve.keeps_per_year ** (age_days / 365)
        return max(self.price * kept, curve.rest)


class Condition(Value):
    """What is known of an asset that came back."""

    id: Name = Field(default="asset", description="Which it is.")
    cycles: Annotated[float, Field(ge=0, le=1e9, allow_inf_nan=False)] = Field(
        default=0, description="How many it has done.", examples=[80]
    )
    age_days: Days = Field(default=0, description="How old it is.", examples=[700])
    failed: bool = Field(default=False, description="Whether it does not work.")
    grade: Grade | None = Field(default=None, description="The grade of its inspection.")
    rates: dict[Word, Annotated[float, Field(allow_inf_nan=False)]] = Field(
        default={}, max_length=50, description="What else tells of its wear, per cycle."
    )
    worn: Annotated[float, Field(ge=0, le=1e9, allow_inf_nan=False)] | None = Field(
        default=None,
        description="After how many cycles a new one would be as worn, where repairs have taken "
        "some away; none said: as many as it has done.",
        examples=[48],
    )
    retire_by_days: Annotated[float, Field(allow_inf_nan=False)] | None = Field(
        default=None, description="In how many days a rule ends its life.", examples=[120]
    )
