"""Classes of assets from files, and cases to try a policy with: all faults at once, by line."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache
from importlib.resources import files
from typing import Annotated, Literal, TypeVar

from pydantic import BeforeValidator, Field, ValidationError

from tracker.asset_class import (
    AssetClass,
    BookValue,
    Condition,
    Limits,
    Material,
    Part,
    Route,
    Wear,
)
from tracker.places import Value
from tracker.upkeep import Band, Budget, Defect, Item, Plan, Stress
from tracker.worldfile import BadWorld, Fault, Map, Names, Path, locate, parse, wording

_Read = TypeVar("_Read", bound=Value)


class Case(Value):
    """A class and one asset of it, to try a policy without a database."""

    retour: Annotated[Literal[1], BeforeValidator(lambda given: 1 if given == "1" else given)] = (
        Field(default=1, description="The version of this shape.")
    )
    class_: AssetClass = Field(alias="class", description="The class.")
    asset: Condition = Field(default=Condition(), description="The asset.")


def read_class(content: str | bytes) -> AssetClass:
    """The class that a file describes, or that of a case. Raises BadWorld with every fault of it,
    by line.

    >>> read_class("id: keg\\nhorizon: 0\\nroutes: [{id: scrap, kind: recycle}]")
    Traceback (most recent call last):
        ...
    tracker.worldfile.BadWorld: line 2: horizon: should be greater than or equal to 1, not '0'
    """
    tree, faults = parse(content)
    if "class" in tree:
        return read_case(content).class_
    class_ = _validated(AssetClass, tree, faults)
    _refuse(tree, faults, contradictions(class_))
    return class_


def read_case(content: str | bytes) -> Case:
    """The case that a file describes. Its class may be the name of a shipped one. Raises BadWorld
    with every fault of it, by line.

    >>> read_case("class: pallet\\nasset: {cycles: 40, grade: B}").class_.limits.cycles
    120.0
    >>> read_case("class: {id: keg, price: -1, routes: [{id: scrap, kind: recycle}]}")
    Traceback (most recent call last):
        ...
    tracker.worldfile.BadWorld: line 1: class.price: should be greater than or equal to 0, not '-1'
    """
    tree, faults = parse(content)
    if isinstance(name := tree.get("class"), str):
        if name not in SHIPPED:
            detail = f"there is no shipped class {str(name)!r:.60}{Names(SHIPPED).hint(str(name))}"
            raise BadWorld([*faults, Fault(*locate(tree, ("class",)), detail)])
        tree["class"] = shipped_class(name).model_dump(mode="json", exclude_unset=True)
    case = _validated(Case, tree, faults)
    _refuse(tree, faults, _contradictions(case))
    return case


def _validated(model: type[_Read], tree: Map, faults: list[Fault]) -> _Read:
    try:
        return model.model_validate(tree)
    except ValidationError as error:
        found = [Fault(*locate(tree, one["loc"]), wording(one, _KEYS)) for one in error.errors()]
        raise BadWorld([*faults, *found]) from None


def _refuse(tree: Map, faults: list[Fault], found: Iterator[tuple[Path, str]]) -> None:
    faults += [Fault(*locate(tree, path), detail) for path, detail in found]
    if faults:
        raise BadWorld(faults)


_PARTS: tuple[type[Value], ...] = (
    *(Case, AssetClass, Route, Limits, Wear, BookValue, Part, Material, Condition),
    *(Stress, Band, Budget, Plan, Item, Defect),
)
_KEYS = Names(
    str(field.alias or name) for model in _PARTS for name, field in model.model_fields.items()
)


def _contradictions(case: Case) -> Iterator[tuple[Path, str]]:
    """What is wrong with a case whose fields each are fine, and where."""
    yield from ((("class", *path), detail) for path, detail in contradictions(case.class_))
    if case.asset.grade is not None and case.asset.grade not in case.class_.grades:
        known = ", ".join(case.class_.grades)
        yield ("asset", "grade"), f"there is no grade {case.asset.grade!r}; there are {known}"


def contradictions(class_: AssetClass) -> Iterator[tuple[Path, str]]:
    """What is wrong with a class whose fields each are fine, and where."""
    routes = dict[str, Route]()
    for n, route in enumerate(class_.routes):
        if routes.setdefault(route.id, route) is not route:
            yield ("routes", n, "id"), f"another route has the id {route.id!r} too"
    for n, route in enumerate(class_.routes):
        grades = {grade for grade in route.grades if grade not in class_.grades}
        if isinstance(route.revenue, dict):
            grades |= {grade for grade in route.revenue if grade not in class_.grades}
        for grade in sorted(grades):
            yield (
                ("routes", n),
                f"there is no grade {grade!r}; there are {', '.join(class_.grades)}",
            )
        other = routes.get(route.otherwise or route.id)
        if other is None:
            hint = Names(routes).hint(route.otherwise or "")
            yield ("routes", n, "otherwise"), f"there is no route {route.otherwise!r}{hint}"
        elif route.otherwise is not None and (other.returns or other.otherwise is not None):
            detail = f"{other.id!r} is no end: it returns the asset, or leads further"
            yield ("routes", n, "otherwise"), detail
        if route.success == 0:
            yield (
                ("routes", n, "success"),
                "a route that never succeeds cannot be reached: leave it out",
            )
        if route.returns and route.revenue is not None:
            yield ("routes", n, "revenue"), "what is used again brings its margin, not a price"
    yield from _of_upkeep(class_)


def _of_upkeep(class_: AssetClass) -> Iterator[tuple[Path, str]]:
    for section, names in (
        ("checklist", [item.id for item in class_.checklist]),
        ("defects", [defect.code for defect in class_.defects]),
        ("service", [plan.id for plan in class_.service]),
    ):
        for n, name in enumerate(names):
            if name in names[:n]:
                yield (section, n), f"another one is called {name!r} too"
    graded: dict[str, Sequence[Item | Defect]] = {
        "checklist": class_.checklist,
        "defects": class_.defects,
    }
    for section, found in graded.items():
        for n, one in enumerate(found):
            if one.grade is not None and one.grade not in class_.grades:
                detail = f"there is no grade {one.grade!r}; there are {', '.join(class_.grades)}"
                yield (section, n, "grade"), detail
    for n, plan in enumerate(class_.service):
        if plan.every_days is plan.every_hours is plan.every_cycles is None:
            yield ("service", n), "give `every_days`, `every_hours` or `every_cycles`"
    band = class_.stress.temperature
    for name in ("at_least", "at_most"):
        bound = getattr(band, name)
        if bound is not None and bound != round(bound):
            yield ("stress", "temperature", name), f"should be whole degrees, not {bound:g}"
    if None not in (band.at_least, band.at_most) and band.at_least >= band.at_most:  # type: ignore[operator]
        yield ("stress", "temperature", "at_most"), f"should be greater than {band.at_least:g}"


@cache
def shipped_class(name: str) -> AssetClass:
    """A class that comes with Retour: a template with figures to begin with."""
    tree, _ = parse((files("tracker") / "classes" / f"{name}.yaml").read_bytes())
    return AssetClass.model_validate(tree)


SHIPPED = ("infusion_pump", "keg", "pallet", "power_tool", "reefer_container", "roll_cage")
