"""What the second half of an asset's life needs of a store: classes, inspections, decisions, work,
parts, models. Parts of the protocols in `tracker.ports`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from enum import StrEnum
from typing import NamedTuple, Protocol

from tracker.asset_class import AssetClass
from tracker.goodness import Fit
from tracker.inspection import Inspection, Judged
from tracker.reliability import Model
from tracker.work import Kin, Order


class Known(NamedTuple):
    """What is known of a class; `version` counts its changes."""

    class_: AssetClass
    version: int


class Inspected(NamedTuple):
    """An inspection of an asset at an event time (epoch ms): what was found and what follows;
    how many `trips` the asset had done, what wore it per trip (`rates`), and what was odd about it
    (`flags`)."""

    id: str
    asset: str
    at: int
    recorded: int
    by: str
    found: Inspection
    judged: Judged
    trips: float
    rates: Mapping[str, float]
    flags: tuple[str, ...] = ()


class Decision(NamedTuple):
    """What shall become of an asset, number so much of it: the `route` taken and the one that was
    `recommended` (None: none could be), their values, and why another one was taken."""

    id: str
    asset: str
    number: int
    at: int
    recorded: int
    by: str
    route: str
    kind: str
    recommended: str | None
    value: float | None
    best: float | None
    reason: str | None
    inspection: str | None

    @property
    def overrides(self) -> bool:
        """Whether somebody knew better."""
        return self.route != self.recommended


class Fitted(NamedTuple):
    """A class's model, number so much, made at a time (epoch ms); which `rates` it counts, and
    beside it what was seen."""

    class_: str
    number: int
    made: int
    model: Model
    rates: tuple[str, ...]
    fit: Fit


class Because(StrEnum):
    """Of what an asset may have spent the greatest share."""

    LIMIT_CYCLES = "limit_cycles"
    LIMIT_AGE = "limit_age"
    WORN_OUT = "worn_out"
    LIKELY_TO_FAIL = "likely_to_fail"


class Spent(NamedTuple):
    """How much of its life an asset has spent (1: all), by what (`because`), its trips, how likely
    it fails on the next one, and after how many more half of such assets have failed."""

    asset: str
    class_: str
    spent: float
    because: str
    trips: float
    p_fail: float | None
    remaining: float | None


class Uses(NamedTuple):
    """How some assets were used, a column each: their attributes and totals (JSON; None: nothing
    was counted), and how much of their lives they had spent when a sweep last looked, by what,
    after how many trips."""

    asset: Sequence[str] = ()
    attributes: Sequence[str] = ()
    total: Sequence[str | None] = ()
    spent: Sequence[float | None] = ()
    because: Sequence[str | None] = ()
    trips: Sequence[float | None] = ()
    remaining: Sequence[float | None] = ()


class LifeFilter(NamedTuple):
    """Which assets are asked for; None asks nothing. `least`: that have spent so much."""

    class_: str | None = None
    because: Because | None = None
    least: float | None = None


class LifeReader(Protocol):
    """What is read of lives."""

    def class_book(self) -> dict[str, Known]:
        """Every class that is known, by id."""

    def inspection(self, id: str) -> Inspected | None: ...

    def inspections_of(self, assets: Iterable[str]) -> dict[str, list[Inspected]]:
        """All of some assets, in order of time."""

    def every_inspection(self) -> Iterator[Inspected]:
        """All of all assets, in order of asset and time."""

    def decision(self, id: str) -> Decision | None: ...

    def decisions_of(self, assets: Iterable[str]) -> dict[str, list[Decision]]:
        """All about some assets, in order."""

    def every_decision(self) -> Iterator[Decision]:
        """All about all assets, in order of asset and number."""

    def order(self, id: str) -> Order | None: ...

    def orders_of(self, assets: Iterable[str]) -> dict[str, list[Order]]:
        """All on some assets, in order of time."""

    def every_order(self) -> Iterator[Order]:
        """All on all assets, in order of asset and time."""

    def orders(self, is_open: bool | None, after: str, limit: int) -> list[Order]:
        """Orders by id, after an id: open ones, closed ones, or (None) all."""

    def kin_of(self, assets: Iterable[str]) -> list[Kin]:
        """Which parts some assets have or had, and which assets they themselves were parts of."""

    def models(self, class_: str | None = None) -> list[Fitted]:
        """All models of a class, or the newest one of each."""

    def spent(self, wanted: LifeFilter, after: tuple[float, str] | None, limit: int) -> list[Spent]:
        """Assets by how much of their life they have spent, the most first."""

    def uses(self, at_once: int) -> Iterator[tuple[str, Uses]]:
        """How all assets of known classes were used, so many at once, by class."""


class LifeWriter(LifeReader, Protocol):
    """What is written of lives."""

    def put_class(self, known: Known) -> None:
        """Add or change a class."""

    def drop_class(self, id: str) -> None:
        """Forget a class."""

    def add_inspection(self, inspected: Inspected) -> None: ...

    def add_decision(self, decision: Decision) -> None: ...

    def put_order(self, order: Order) -> None:
        """Add or change an order."""

    def put_kin(self, number: int, kin: Kin) -> None:
        """Add or change the stay of a part, number so much, in an asset."""

    def add_model(self, fitted: Fitted) -> None: ...

    def save_spent(self, spent: Sequence[Spent], gone: Iterable[str]) -> None:
        """Store what a sweep has found; of assets that are `gone` nothing is kept."""

    def forget_spent(self, classes: Iterable[str]) -> None:
        """Nothing is kept of assets of other classes than these."""
