"""What a rule may look for: its kinds, each with its fields and their defaults.

Durations are milliseconds here, and `24 h` or `3 d` in a file.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Annotated, Any, Literal, get_args

from pydantic import Field

from tracker.alerts import DAY_MS
from tracker.durations import Duration, Repeat, length, written, written_repeat
from tracker.places import PlaceId, Share, Value
from tracker.process import LOST, Name, Word
from tracker.quiet import Quiet

ITEMS_AT_MOST = 1_000
LEVELS_AT_MOST = 10  # of a ladder
Severity = Literal["info", "warning", "serious", "critical"]
Classes = Annotated[list[Name], Field(max_length=ITEMS_AT_MOST)]
Sites = Annotated[list[PlaceId], Field(max_length=ITEMS_AT_MOST)]
Stages = Annotated[list[Word], Field(max_length=ITEMS_AT_MOST)]
EndOfLifeFound = Literal[
    "limit_reached",
    "limit_ahead",
    "worn_out",
    "likely_to_fail",
    "repair_too_dear",
    "fails_again",
    "lost_for_good",
]
Found = EndOfLifeFound | Literal["service_due", "paper_runs_out"]
ENDS_OF_LIFE: tuple[EndOfLifeFound, ...] = get_args(EndOfLifeFound)
Times = Annotated[float, Field(gt=0, le=1_000, allow_inf_nan=False)]
Celsius = Annotated[float, Field(ge=-273.15, le=10_000, allow_inf_nan=False)]


def _severity(default: Severity) -> Any:
    return Field(
        default=default, description="How severe its alerts are at first.", examples=["serious"]
    )


def _hold(default: int) -> Any:
    return _as_text("For how long it must hold before it is told.", default, written(default))


def _clear(default: int) -> Any:
    return _as_text("For how long it must be gone to be over.", default, written(default))


def _repeat(default: int | None) -> Any:
    words = "After how long it is told again until somebody acknowledges it."
    return _as_text(words, default, written_repeat(default))


def _ladder(*default: int, least: int = 0) -> Any:
    words = (
        "When further levels come, after it began to hold; of `late_forecast`, how long before "
        "the deadline each level comes."
    )
    shown = [written(ms) for ms in default]
    return _as_text(words, [*default], shown, (least, LEVELS_AT_MOST))


def _as_text(
    description: str, default: Any, shown: Any, size: tuple[int | None, int | None] = (None, None)
) -> Any:
    """A field of lengths of time, with its default as one writes it."""
    return Field(
        default=default,
        description=description,
        json_schema_extra={"default": shown},
        min_length=size[0],
        max_length=size[1],
    )


_KIND: Any = Field(description="What it looks for.")


class Rule(Value):
    """What all rules have in common."""

    id: Word = Field(description="Its name, which alerts carry.", examples=["overdue"])
    kind: str = _KIND
    severity: Severity = _severity("warning")
    hold: Duration = _hold(0)
    clear: Duration = _clear(0)
    ladder: list[Duration] = _ladder()
    escalate: Annotated[list[Severity], Field(max_length=LEVELS_AT_MOST)] = Field(
        default=[], description="How severe it is at the second level, the third, and so on."
    )
    repeat: Repeat = _repeat(None)
    quiet_hours: Quiet | None = Field(default=None, description="When nobody is told; null: never.")
    enabled: bool = Field(default=True, description="Whether it is looked for.")
    classes: Classes = Field(
        default=[], description="Only of assets of these classes; none: of all.", examples=[["keg"]]
    )
    sites: Sites = Field(
        default=[], description="Only at these sites; none: everywhere.", examples=[["depot"]]
    )

    def concerns(self, class_: str | None, sites: Collection[str]) -> bool:
        """Whether it is about assets of a class, where any of some sites is concerned."""
        of_class = not self.classes or class_ in self.classes
        return of_class and (not self.sites or not set(sites).isdisjoint(self.sites))


class LineRule(Rule):
    """A rule about the line of a lease. Its `sites` are those of the lease."""


class AssetRule(Rule):
    """A rule about an asset. Its `sites` are where the asset stays."""


class Overdue(LineRule):
    """It is not back when it had to be, grace included, and is likely still with the customer."""

    kind: Literal["overdue"] = _KIND
    severity: Severity = _severity("serious")
    ladder: list[Duration] = _ladder(3 * DAY_MS, 7 * DAY_MS)
    repeat: Repeat = _repeat(length("72 h"))


class LateInTransit(LineRule):
    """It is not back when it had to be, but likely on its way."""

    kind: Literal["late_in_transit"] = _KIND


class ReturnedUnrecorded(LineRule):
    """It came back, and its line is still open on paper."""

    kind: Literal["returned_unrecorded"] = _KIND
    severity: Severity = _severity("info")
    hold: Duration = _hold(DAY_MS)


class ReturnedOnPaper(LineRule):
    """Its line was closed as returned, but it never came back."""

    kind: Literal["returned_on_paper"] = _KIND
    hold: Duration = _hold(DAY_MS)


class WrongPartner(LineRule):
    """It stays with a partner that has no part in the lease."""

    kind: Literal["wrong_partner"] = _KIND
    severity: Severity = _severity("serious")
    hold: Duration = _hold(length("1 h"))


class LeftBehind(LineRule):
    """All others of its order are back, it alone is not."""

    kind: Literal["left_behind"] = _KIND
    hold: Duration = _hold(DAY_MS)


class PresumedLost(LineRule):
    """It is likely lost, and not back; or it has been late for so long that it must be."""

    kind: Literal["presumed_lost"] = _KIND
    severity: Severity = _severity("critical")
    repeat: Repeat = _repeat(length("72 h"))
    after: Duration = _as_text(
        "How long after due and grace it is lost, whatever its devices tell.",
        30 * DAY_MS,
        written(30 * DAY_MS),
    )


class LateForecast(LineRule):
    """It will likely not be back in time. Its ladder counts from due and grace backwards."""

    kind: Literal["late_forecast"] = _KIND
    severity: Severity = _severity("info")
    ladder: list[Duration] = _ladder(7 * DAY_MS, 2 * DAY_MS, least=1)
    p: Share = Field(default=0.5, description="How likely it must be.")

    def begins(self, deadline: int) -> int:
        """From when on it is told of a line that must be back by `deadline` (epoch ms): since
        then it holds, if it does."""
        return deadline - self.ladder[0]


class Silence(AssetRule):
    """Nothing was heard of any of its devices for too long."""

    kind: Literal["silence"] = _KIND
    intervals: Times = Field(
        default=3, description="For how many of its longest stated intervals a device may be still."
    )
    by_power: dict[Word, Times] = Field(
        default={},
        max_length=100,
        description="The same of devices with a `power` of these.",
        examples=[{"solar": 12}],
    )


class OfTold(AssetRule):
    """A rule about what is told of an asset's stage or site."""

    leased: bool | None = Field(
        default=None,
        description="Only of assets on an open lease line, or of others; null: of all.",
    )


class Dwell(OfTold):
    """It has been in one of some stages for too long; without any, at one site."""

    kind: Literal["dwell"] = _KIND
    stages: Stages = Field(default=[], description="In which stages.", examples=[["inspection"]])
    after: Duration = Field(description="For how long it may.")


class StageEntered(OfTold):
    """It is told to be in one of some stages."""

    kind: Literal["stage_entered"] = _KIND
    stages: Annotated[Stages, Field(min_length=1)] = Field(
        description="In which.", examples=[[LOST]]
    )


class LostRising(OfTold):
    """It is likely lost, though perhaps not yet told to be."""

    kind: Literal["lost_rising"] = _KIND
    hold: Duration = _hold(length("6 h"))
    p: Share = Field(default=0.5, description="How likely it must be.")


class LeftWithoutLease(AssetRule):
    """It left a depot, is out, and no open line of a lease names it."""

    kind: Literal["left_without_lease"] = _KIND
    hold: Duration = _hold(DAY_MS)
    stages: Annotated[Stages, Field(min_length=1)] = Field(
        default=["outbound", "in_use"], description="In which stages it is out."
    )


class ForbiddenSite(AssetRule):
    """It stays at one of its `sites`."""

    kind: Literal["forbidden_site"] = _KIND
    severity: Severity = _severity("serious")
    hold: Duration = _hold(length("10 min"))
    sites: Annotated[Sites, Field(min_length=1)] = Field(
        description="Where it must not be.", examples=[["scrapyard"]]
    )


class LowBattery(AssetRule):
    """The battery of one of its devices is low."""

    kind: Literal["low_battery"] = _KIND
    below: Share = Field(default=0.2, description="Below which charge, of 1.")
    clear_above: Share = Field(default=0.3, description="Above which it is over.")


class Shock(AssetRule):
    """It was hit. That is over at once: `clear` tells for how long the alert stays."""

    kind: Literal["shock"] = _KIND
    clear: Duration = _clear(DAY_MS)
    above: Annotated[float, Field(gt=0, le=10_000, allow_inf_nan=False)] = Field(
        default=8, description="Above how many g."
    )


class Temperature(AssetRule):
    """It is too cold or too warm."""

    kind: Literal["temperature"] = _KIND
    hold: Duration = _hold(length("15 min"))
    at_least: Celsius | None = Field(
        default=None, description="Below which, degrees Celsius, it is too cold.", examples=[2]
    )
    at_most: Celsius | None = Field(
        default=None, description="Above which it is too warm.", examples=[8]
    )


class EndOfLife(AssetRule):
    """Its life is at its end, or a service or paper of it is due; by what is known of its class."""

    kind: Literal["end_of_life"] = _KIND
    found: Annotated[list[Found], Field(min_length=1, max_length=20)] = Field(
        default=[*ENDS_OF_LIFE],
        description="What is looked for.",
        examples=[["service_due", "paper_runs_out"]],
    )


class ReaderDown(Rule):
    """A reader is away. Of assets that it alone could hear nobody is told that they are silent."""

    kind: Literal["reader_down"] = _KIND
    severity: Severity = _severity("serious")
    hold: Duration = _hold(length("10 min"))
