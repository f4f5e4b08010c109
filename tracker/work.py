"""Work on assets: repairs, services, dismantling, with what went in and what came out. Pure.

An order is opened, changed while it is open, and closed once; closing deletes nothing. What is
harvested or put in may be an asset of its own, and carries its own history on.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal, NamedTuple

from pydantic import ConfigDict, Field

from tracker.asset_class import Kilograms, Money
from tracker.inspection import Note
from tracker.model import ASSET_ID_RULE, is_asset_id
from tracker.places import Value
from tracker.process import Name
from tracker.worldfile import Path

PARTS_AT_MOST = 500
Work = Literal["clean", "service", "repair", "refurbish", "remanufacture", "dismantle"]
RENEWING = ("repair", "refurbish", "remanufacture")
DONE = "done"
Result = Literal["done", "failed", "cancelled"]
Minutes = Annotated[float, Field(ge=0, le=1e7, allow_inf_nan=False)]
Count = Annotated[int, Field(ge=1, le=1_000_000)]


class BadWork(Exception):
    """Something in a work order that cannot be: `path` says where."""

    def __init__(self, path: Path, text: str) -> None:
        super().__init__(text)
        self.path = path


class Put(Value):
    """A part that was put in."""

    name: Name = Field(description="What it is.", examples=["motor"])
    count: Count = Field(default=1, description="How many.", examples=[1])
    cost: Money = Field(default=0, description="What each cost.", examples=[45])
    asset: Name | None = Field(
        default=None, description="Which asset it is, where it is one.", examples=["motor-7"]
    )


class Taken(Value):
    """A part that was taken out, to be used again."""

    name: Name = Field(description="What it is.", examples=["battery"])
    count: Count = Field(default=1, description="How many.", examples=[2])
    value: Money = Field(default=0, description="What each is worth.", examples=[35])
    asset: Name | None = Field(
        default=None,
        description="Which asset it is from now on: a known one, or a new one of `class`.",
        examples=["battery-9"],
    )
    class_: Name | None = Field(
        default=None, alias="class", description="Of what class a new one is.", examples=["battery"]
    )


class Lot(Value):
    """Material that left: how much, to whom, and what proves it."""

    material: Name = Field(description="What it is.", examples=["steel"])
    kg: Kilograms = Field(description="How much, kilograms.", examples=[3.2])
    receiver: Name | None = Field(default=None, description="Who took it.", examples=["scrap-co"])
    certificate: Name | None = Field(
        default=None, description="The receiver's certificate.", examples=["R-2026-118"]
    )
    landfilled: bool = Field(default=False, description="Whether it was landfilled.")


class Done(Value):
    """What an order holds besides its head; all of it may be changed until it is closed."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"put": [{"name": "motor", "cost": 45}], "minutes": 50}]}
    )

    put: Annotated[list[Put], Field(max_length=PARTS_AT_MOST)] = Field(
        default=[], description="The parts that were put in."
    )
    taken: Annotated[list[Taken], Field(max_length=PARTS_AT_MOST)] = Field(
        default=[], description="The parts that were taken out."
    )
    lots: Annotated[list[Lot], Field(max_length=PARTS_AT_MOST)] = Field(
        default=[], description="The material that left."
    )
    minutes: Minutes | None = Field(default=None, description="Of work.", examples=[50])
    cost: Money | None = Field(
        default=None, description="Of work and what else was needed, without parts.", examples=[60]
    )
    restores: Annotated[float, Field(ge=0, le=1)] | None = Field(
        default=None,
        description="Which share of its wear it took away; none: what the class says of the route.",
        examples=[0.4],
    )
    note: Note | None = Field(default=None, description="In words.", examples=["new brushes"])


class Order(NamedTuple):
    """A work order: on which asset, which kind of work, by which service `plan` or `route`; when it
    was opened and closed (epoch ms, event time; None: open), with which `result`; how many trips
    the asset had done, and `hours` in use, when it was closed. `version` counts its changes."""

    id: str
    asset: str
    kind: str
    opened: int
    by: str
    done: Done
    plan: str | None = None
    route: str | None = None
    closed: int | None = None
    result: str | None = None
    trips: float | None = None
    version: int = 1
    hours: float | None = None

    @property
    def is_done(self) -> bool:
        """Whether it came to what it was opened for."""
        return self.result == DONE

    @property
    def renews(self) -> bool:
        """Whether it took wear away."""
        return self.is_done and self.kind in RENEWING

    @property
    def spent(self) -> float:
        """What it cost, parts included."""
        return (self.done.cost or 0) + sum(one.cost * one.count for one in self.done.put)


class Kin(NamedTuple):
    """A part that is an asset of its own was in another asset from `since` (None: always) until
    (None: it is still), as a work order says."""

    part: str
    asset: str
    since: int | None
    until: int | None
    order: str


def check_done(asset: str, done: Done) -> None:
    """Raise BadWork where parts cannot be."""
    named = list[str]()
    sections: dict[str, Sequence[Put | Taken]] = {"put": done.put, "taken": done.taken}
    for section, parts in sections.items():
        for n, part in enumerate(parts):
            if part.asset is None:
                continue
            path: Path = (section, n, "asset")
            if not is_asset_id(part.asset):
                raise BadWork(path, f"{part.asset!r:.60} is no asset id: {ASSET_ID_RULE}")
            if part.asset == asset:
                raise BadWork(path, "an asset is no part of itself")
            if part.asset in named:
                raise BadWork(path, f"{part.asset} is named twice")
            if part.count != 1:
                raise BadWork((section, n, "count"), "an asset is one")
            named.append(part.asset)
