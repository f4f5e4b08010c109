"""The process: through which stages assets of a class pass, for how long, and what tells of it.

It is data, a YAML file (see `docs/process.md`): `read_process` gives either a `Process` in which
every reference leads somewhere, or all that is wrong with the file, by line.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from hashlib import blake2b
from importlib.resources import files
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, ValidationError
from pydantic_core import ErrorDetails

from tracker.places import Share, Value, storable
from tracker.worldfile import BadWorld, Fault, Map, Names, Path, locate, parse, wording

At = Literal["depot", "customer", "hub", "road", "elsewhere", "dark"]
FactKind = Literal[
    "dispatched",
    "lease_started",
    "lease_ended",
    "return_requested",
    "return_cancelled",
    "collected",
    "received",
    "inspected",
    "work_started",
    "work_done",
    "retired",
    "reported_lost",
    "found",
]
TOLD = {"inspected": "outcome", "work_started": "stage", "work_done": "stage", "retired": "route"}
"""The facts that name a stage, and under which key."""

LOST = "lost"
Word = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,63}$")]
Name = Annotated[str, Field(min_length=1, max_length=128), AfterValidator(storable)]
Hours = Annotated[float, Field(gt=0, le=1e6, allow_inf_nan=False)]
Weight = Annotated[float, Field(ge=0, le=1e6, allow_inf_nan=False)]
SUM_WITHIN = 1e-6


class Thresholds(Value):
    """From which probability on a stage is told, and below which it is told no more."""

    switch: Annotated[float, Field(gt=0.5, le=1)] = 0.8
    lost: Annotated[float, Field(gt=0.5, le=1)] = 0.9
    unknown: Share = 0.05


class Reliability(Value):
    """What share of the time a tracker is silent, and for how long (hours)."""

    down_share: Annotated[float, Field(gt=0, lt=1)] = 0.1
    down_mean_h: Hours = 24


class Sub(Value):
    """A part of a stage, where the asset is somewhere else: `to` gives the mean hours until it
    moves on to another part, `enter` how likely the stage begins here, `exit` how readily it
    ends from here."""

    at: At
    to: dict[Word, Hours] = Field(default={})
    enter: Share | None = None
    exit: Weight = 1
    moving: Share | None = None
    fix: Share | None = None


class Stage(Value):
    """A stage: how long it lasts on average (`mean_h`), where the asset is meanwhile, and what
    comes `next`, with probabilities. Of what is `announced` nearly all is told by a fact."""

    mean_h: Hours
    at: At | None = None
    next: dict[Word, Share] = Field(default={})
    announced: list[Word] = Field(default=[])
    sub: dict[Word, Sub] = Field(default={})

    def parts(self) -> Mapping[str, Sub]:
        """Its sub-locations; of a stage without, one that has no name."""
        return self.sub or {"": Sub(at=self.at or "elsewhere")}


class FactRule(Value):
    """What a fact says of the stage: the asset has come `to` one, plausibly `from` some; or it
    `leaves` one, for what comes next there or for `to`."""

    to: Word | None = None
    from_: list[Word] = Field(default=[], validation_alias="from", serialization_alias="from")
    leaves: Word | None = None


class Gps(Value):
    """How likely a tracker has a `fix`, and says that it is `moving`, where."""

    fix: dict[At, Share] = Field(default={})
    moving: dict[Literal["road", "other"], Share] = Field(default={})

    def p_fix(self, at: At) -> float:
        return self.fix.get(at, _FIX[at])

    def p_moving(self, at: At) -> float:
        place: Literal["road", "other"] = "road" if at == "road" else "other"
        return self.moving.get(place, _MOVING[place])


_FIX: Mapping[At, float] = {
    "depot": 0.3,
    "customer": 0.7,
    "hub": 0.7,
    "road": 0.95,
    "elsewhere": 0.7,
    "dark": 0.7,
}
_MOVING = {"road": 0.85, "other": 0.06}


class Reads(Value):
    """How reads look: signal strength (mean and deviation, dBm) and mean number of answers."""

    rssi: tuple[float, Annotated[float, Field(gt=0)]]
    count: Annotated[float, Field(ge=1)]


class Rfid(Value):
    """How reads of a tag look in the reader's own zone, and astray in one beside it."""

    own: Reads = Reads(rssi=(-55, 6), count=6)
    stray: Reads = Reads(rssi=(-67, 6), count=1)


class Process(Value):
    """A process, in its file's shape and order."""

    retour: Annotated[Literal[1], BeforeValidator(lambda given: 1 if given == "1" else given)] = 1
    process: Name
    classes: list[Name] = Field(default=[])
    leak_per_h: Annotated[float, Field(gt=0, le=0.1)] = 2e-4
    thresholds: Thresholds = Thresholds()
    tracker: Reliability = Reliability()
    stages: dict[Word, Stage]
    facts: dict[FactKind, FactRule] = Field(default={})
    gps: Gps = Gps()
    rfid: Rfid = Rfid()


def read_process(content: str | bytes) -> Process:
    """The process that a file describes. Raises BadWorld with every fault of it, by line.

    >>> read_process("process: p\\nstages:\\n  a: {mean_h: 1, next: {b: 1}}\\n  c: {mean_h: 2}")
    Traceback (most recent call last):
        ...
    tracker.worldfile.BadWorld: line 3: stages.a.next.b: there is no stage 'b'
    line 3: stages.a: `at` is missing: where is the asset in this stage?
    line 4: stages.c: `at` is missing: where is the asset in this stage?
    line 4: stages.c: no stage and no fact leads here
    """
    tree, faults = parse(content)
    try:
        process = Process.model_validate(tree)
    except ValidationError as error:
        found = [_fault(tree, one["loc"], _wording(one)) for one in error.errors()]
        raise BadWorld([*faults, *found]) from None
    faults += [_fault(tree, path, detail) for path, detail in _contradictions(process)]
    if faults:
        raise BadWorld(faults)
    return process


def _wording(error: ErrorDetails) -> str:
    """What is wrong, where a process means something else than a world file."""
    if error["type"] == "string_pattern_mismatch":
        return f"{error['input']!r:.60} is no name: a-z first, then a-z, 0-9 and _, at most 64"
    return wording(error, _KEYS)


def _fault(tree: Map, path: Path, detail: str) -> Fault:
    return Fault(*locate(tree, path), detail)


_KEYS = Names(
    key
    for model in (Process, Stage, Sub, FactRule, Thresholds, Reliability, Gps, Rfid, Reads)
    for name, field in model.model_fields.items()
    for key in [str(field.validation_alias or name)]
)

Finding = tuple[Path, str]


def _contradictions(process: Process) -> Iterator[Finding]:
    stages = Names(process.stages)
    if len(process.stages) < 2:
        yield ("stages",), "a flow has two stages at least"
    for name, stage in process.stages.items():
        yield from _of_stage(("stages", name), stage, stages)
    for kind, rule in process.facts.items():
        yield from _of_fact(("facts", kind), kind, rule, stages)
    for name in _unreachable(process):
        yield ("stages", name), "no stage and no fact leads here"


def _of_stage(path: Path, stage: Stage, stages: Names) -> Iterator[Finding]:
    for name in stage.next:
        if name not in stages:
            yield (*path, "next", name), f"there is no stage {name!r}{stages.hint(name)}"
    total = sum(stage.next.values())
    if stage.next and abs(total - 1) > SUM_WITHIN:
        yield (*path, "next"), f"the probabilities sum to {total:.6g}, not to 1"
    if path[-1] in stage.next:
        yield (*path, "next", path[-1]), "a stage does not come after itself"
    for n, name in enumerate(stage.announced):
        if name not in stage.next:
            yield (*path, "announced", n), f"{name!r} does not come next here"
    if not stage.sub and stage.at is None:
        yield path, "`at` is missing: where is the asset in this stage?"
    if stage.sub and stage.at is not None:
        yield (*path, "at"), "each part under `sub` has its own `at`: leave this out"
    yield from _of_parts((*path, "sub"), stage)


def _of_parts(path: Path, stage: Stage) -> Iterator[Finding]:
    if not stage.sub:
        return
    parts = Names(stage.sub)
    for name, part in stage.sub.items():
        for other in part.to:
            if other not in parts or other == name:
                detail = f"there is no other part {other!r}{parts.hint(other)}"
                yield (*path, name, "to", other), detail
    given = [part.enter for part in stage.sub.values() if part.enter is not None]
    if given and abs(sum(given) - 1) > SUM_WITHIN:
        yield path, f"`enter` sums to {sum(given):.6g}, not to 1"
    if stage.next:
        for name in _without_end(stage):
            yield (*path, name), "the stage never ends from here: no way to an `exit` above 0"


def _without_end(stage: Stage) -> list[str]:
    """The parts from which none is reached that has an `exit`."""
    ending = {name for name, part in stage.sub.items() if part.exit}
    for _ in stage.sub:
        ending |= {name for name, part in stage.sub.items() if ending & part.to.keys()}
    return [name for name in stage.sub if name not in ending]


def _of_fact(path: Path, kind: str, rule: FactRule, stages: Names) -> Iterator[Finding]:
    told = TOLD.get(kind)
    for key, name in (("to", rule.to), ("leaves", rule.leaves)):
        if name is not None and name != told and name not in stages:
            yield (*path, key), f"there is no stage {name!r}{stages.hint(name)}"
    for n, name in enumerate(rule.from_):
        if name not in stages:
            yield (*path, "from", n), f"there is no stage {name!r}{stages.hint(name)}"
    if rule.to is None and rule.leaves is None:
        yield path, "give `to`, or the stage that it `leaves`"


def _unreachable(process: Process) -> list[str]:
    """The stages that nothing leads to, from the first one on."""
    told = {rule.to for rule in process.facts.values()}
    reached, ahead = set[str](), list(process.stages)[:1]
    ahead += [name for name in process.stages if name in told]
    while ahead:
        name = ahead.pop()
        if name not in reached and name in process.stages:
            reached.add(name)
            ahead += process.stages[name].next
    return [name for name in process.stages if name not in reached]


@cache
def shipped() -> Mapping[str, Process]:
    """The processes that come with Retour, by name; the first is the default."""
    folder = files("tracker") / "processes"
    names = sorted(entry.name for entry in folder.iterdir() if entry.name.endswith(".yaml"))
    names.sort(key=lambda name: name != "pallet-pool.yaml")
    read = (read_process((folder / name).read_bytes()) for name in names)
    return {process.process: process for process in read}


def as_json(process: Process) -> dict[str, Any]:
    """What need not be left out of a process's file."""
    return process.model_dump(mode="json", by_alias=True, exclude_defaults=True)


def digest(process: Process) -> str:
    """What tells processes with other figures apart, whichever classes follow them."""
    figures = process.model_dump_json(by_alias=True, exclude={"classes"})
    return blake2b(figures.encode(), digest_size=4).hexdigest()
