"""The rules by which alerts are raised: what is looked for, how severe it is, when it is told.

They are data, a YAML file (see `docs/rules.md`): `read_rules` gives either `Rules` that make
sense, or all that is wrong with the file, by line. Whether a rule about an asset holds is
decided in `tracker.conditions`, of one about a lease line in `tracker.overdue`.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from importlib.resources import files
from itertools import pairwise
from typing import Annotated, Any, Literal, get_args

from pydantic import BeforeValidator, Field, ValidationError
from pydantic_core import ErrorDetails

from tracker.alerts import Policy
from tracker.places import Value
from tracker.quiet import Quiet
from tracker.rule_kinds import (
    AssetRule,
    Dwell,
    EndOfLife,
    ForbiddenSite,
    LateForecast,
    LateInTransit,
    LeftBehind,
    LeftWithoutLease,
    LineRule,
    LostRising,
    LowBattery,
    Overdue,
    PresumedLost,
    ReaderDown,
    ReturnedOnPaper,
    ReturnedUnrecorded,
    Rule,
    Shock,
    Silence,
    StageEntered,
    Temperature,
    WrongPartner,
)
from tracker.worldfile import BadWorld, Fault, Map, Names, Path, locate, parse, wording

RULES_AT_MOST = 200
SomeRule = Annotated[
    Overdue
    | LateInTransit
    | ReturnedUnrecorded
    | ReturnedOnPaper
    | WrongPartner
    | LeftBehind
    | PresumedLost
    | LateForecast
    | Silence
    | Dwell
    | StageEntered
    | LostRising
    | LeftWithoutLease
    | ForbiddenSite
    | LowBattery
    | Shock
    | Temperature
    | EndOfLife
    | ReaderDown,
    Field(discriminator="kind"),
]
MODELS: tuple[type[Rule], ...] = get_args(get_args(SomeRule)[0])
KINDS = {get_args(model.model_fields["kind"].annotation)[0]: model for model in MODELS}
"""The kinds of rules, by the name that files give them."""


class Rules(Value):
    """Rules, in their file's shape and order."""

    retour: Annotated[Literal[1], BeforeValidator(lambda given: 1 if given == "1" else given)] = (
        Field(default=1, description="The version of this shape.")
    )
    rules: list[SomeRule] = Field(
        max_length=RULES_AT_MOST,
        description="The rules; what none is about is never told.",
        examples=[[{"id": "overdue", "kind": "overdue"}]],
    )

    def lines(self) -> list[LineRule]:
        """The enabled ones about lines of leases."""
        return [rule for rule in self.rules if isinstance(rule, LineRule) and rule.enabled]

    def assets(self) -> list[AssetRule]:
        """The enabled ones about assets."""
        return [rule for rule in self.rules if isinstance(rule, AssetRule) and rule.enabled]

    def readers(self) -> list[ReaderDown]:
        """The enabled ones about readers."""
        return [rule for rule in self.rules if isinstance(rule, ReaderDown) and rule.enabled]


def policy_of(rule: Rule) -> Policy:
    """How a rule becomes an alert. Its first level comes as soon as it holds."""
    if isinstance(rule, LateForecast):
        levels = [rule.ladder[0] - before for before in rule.ladder]
    else:
        levels = [0, *rule.ladder]
    times = rule.hold, rule.clear, tuple(levels), rule.repeat
    return Policy(rule.severity, *times, tuple(rule.escalate))


def read_rules(content: str | bytes) -> Rules:
    """The rules that a file holds. Raises BadWorld with every fault of it, by line.

    >>> read_rules("rules:\\n  - {id: a, kind: x}\\n  - {id: b, kind: dwell, after: soon}")
    Traceback (most recent call last):
        ...
    tracker.worldfile.BadWorld: line 2: rules[0].kind: there is no kind 'x'
    line 3: rules[1].after: 'soon' is no length of time: write 45 s, 90 min, 24 h or 3 d
    """
    tree, faults = parse(content)
    try:
        rules = Rules.model_validate(tree)
    except ValidationError as error:
        found = [_fault(tree, *_told(one)) for one in error.errors()]
        raise BadWorld([*faults, *found]) from None
    faults += [_fault(tree, path, detail) for path, detail in contradictions(rules)]
    if faults:
        raise BadWorld(faults)
    return rules


def _fault(tree: Map, path: Path, detail: str) -> Fault:
    return Fault(*locate(tree, path), detail)


def _told(error: ErrorDetails) -> tuple[Path, str]:
    """Where something is wrong, and what, in the words of a file."""
    kind, path, given = error["type"], error["loc"], error["input"]
    if kind == "union_tag_not_found":
        return path, "`kind` is missing"
    if kind == "union_tag_invalid":
        named = str(given.get("kind"))
        return (*path, "kind"), f"there is no kind {named!r:.60}{Names(KINDS).hint(named)}"
    if kind == "string_pattern_mismatch" and "sites" not in path:
        return path, f"{given!r:.60} is no name: a-z first, then a-z, 0-9 and _, at most 64"
    return path, wording(error, _KEYS)


_PARTS: tuple[type[Value], ...] = (Rules, Quiet, *MODELS)
_KEYS = Names(
    str(field.validation_alias or name)
    for model in _PARTS
    for name, field in model.model_fields.items()
)

Finding = tuple[Path, str]


def contradictions(rules: Rules) -> Iterator[Finding]:
    """What is wrong with rules whose fields each are fine, and where."""
    ids = dict[str, int]()
    for n, rule in enumerate(rules.rules):
        path: Path = ("rules", n)
        if ids.setdefault(rule.id, n) != n:
            yield (*path, "id"), f"rule {ids[rule.id] + 1} has the id {rule.id!r} too"
        yield from (((*path, *where), detail) for where, detail in _of_ladder(rule))
        yield from (((*path, *where), detail) for where, detail in _of_kind(rule))


def _of_ladder(rule: Rule) -> Iterator[Finding]:
    backwards = isinstance(rule, LateForecast)
    rising = [*reversed(rule.ladder)] if backwards else [0, *rule.ladder]
    if any(one >= other for one, other in pairwise(rising)):
        detail = "each length of time is to be shorter" if backwards else "each is to be longer"
        yield ("ladder",), f"{detail} than the one before it"
    further = len(policy_of(rule).levels) - 1
    if len(rule.escalate) > further:
        yield ("escalate",), f"{len(rule.escalate)} given, for the {further} levels after the first"


def _of_kind(rule: Rule) -> Iterator[Finding]:
    if isinstance(rule, ReaderDown) and rule.classes:
        yield ("classes",), "a reader has no class: leave this out"
    if isinstance(rule, Shock) and rule.hold:
        yield ("hold",), "a shock is over at once: leave this out"
    if isinstance(rule, LowBattery) and rule.clear_above < rule.below:
        yield ("clear_above",), f"should be {rule.below:g} or more, as `below` is"
    if isinstance(rule, Temperature):
        low, high = rule.at_least, rule.at_most
        if low is None and high is None:
            yield (), "give `at_least`, `at_most` or both"
        if low is not None and high is not None and low >= high:
            yield ("at_most",), f"should be greater than {low:g}, as `at_least` is"


@cache
def shipped() -> Rules:
    """The rules that come with Retour, in force where the user has none."""
    return read_rules((files("tracker") / "rulesets" / "default.yaml").read_bytes())


def as_json(rules: Rules) -> dict[str, Any]:
    """What need not be left out of the file of some rules."""
    return rules.model_dump(mode="json", by_alias=True, exclude_defaults=True)
