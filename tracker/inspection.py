"""What an inspection found, and which grade that leaves. Pure.

The grade is the worst that any bad item of the checklist or any defect leaves; whoever inspects may
say a worse one, never a better one. An asset has failed where an item or a defect says so, or who
inspects.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, NamedTuple

from pydantic import Field

from tracker.asset_class import AssetClass
from tracker.places import Value
from tracker.process import Name, Word
from tracker.upkeep import Grade, Item
from tracker.worldfile import Names, Path

FINDINGS_AT_MOST = 200
PHOTOS_AT_MOST = 50
Note = Annotated[str, Field(max_length=1_024)]
Photos = Annotated[list[Name], Field(max_length=PHOTOS_AT_MOST)]


class BadFinding(Exception):
    """What cannot be in an inspection: `faults`, each with the path to it."""

    def __init__(self, *faults: tuple[Path, str]) -> None:
        super().__init__("; ".join(text for _, text in faults))
        self.faults = faults


class Checked(Value):
    """What was found of an item of the checklist."""

    item: Word = Field(description="Which.", examples=["insulation"])
    value: bool | Annotated[float, Field(allow_inf_nan=False)] = Field(
        description="Yes or no, or what was measured.", examples=[True]
    )
    note: Note | None = Field(default=None, description="In words.", examples=["worn at the plug"])
    photos: Photos = Field(
        default=[], description="References to photos.", examples=[["img-1.jpg"]]
    )


class Fault(Value):
    """A defect that was found."""

    code: Name = Field(description="Which, of the class's list.", examples=["cracked-block"])
    note: Note | None = Field(default=None, description="In words.", examples=["left corner"])
    photos: Photos = Field(
        default=[], description="References to photos.", examples=[["img-2.jpg"]]
    )


class Inspection(Value):
    """What somebody found of an asset."""

    checked: Annotated[list[Checked], Field(max_length=FINDINGS_AT_MOST)] = Field(
        default=[], description="The items that were looked at."
    )
    defects: Annotated[list[Fault], Field(max_length=FINDINGS_AT_MOST)] = Field(
        default=[], description="The defects that were found."
    )
    reason: Name | None = Field(
        default=None, description="Why it came back, by the class's codes.", examples=["worn"]
    )
    grade: Grade | None = Field(
        default=None, description="What whoever inspects says; none: what follows.", examples=["B"]
    )
    failed: bool | None = Field(
        default=None, description="Whether it does not work; none: what follows.", examples=[False]
    )
    outcome: Word | None = Field(
        default=None,
        description="The stage that it goes to from here, where that is decided.",
        examples=["repair"],
    )
    site: Name | None = Field(
        default=None, description="Where it was inspected.", examples=["depot"]
    )
    note: Note | None = Field(default=None, description="In words.", examples=["dropped"])
    photos: Photos = Field(
        default=[], description="References to photos.", examples=[["img-3.jpg"]]
    )


class Judged(NamedTuple):
    """The grade that is left, whether the asset works, and why: the items that were bad and the
    codes of defects."""

    grade: str
    failed: bool
    because: tuple[str, ...]


def judge(class_: AssetClass, found: Inspection) -> Judged:
    """What follows from an inspection. Raises BadFinding with every fault.

    >>> from tracker.asset_class import Route
    >>> from tracker.upkeep import Defect
    >>> tool = AssetClass(id="tool", routes=[Route(id="scrap", kind="recycle")],
    ...                   defects=[Defect(code="cracked", text="Cracked", grade="C", fails=True)])
    >>> judge(tool, Inspection(defects=[Fault(code="cracked")]))
    Judged(grade='C', failed=True, because=('cracked',))
    """
    if faults := [*_faults(class_, found)]:
        raise BadFinding(*faults)
    bad = [*_bad(class_, found)]
    best = max((class_.grades.index(grade) for _, grade, _ in bad if grade), default=0)
    given = best if found.grade is None else class_.grades.index(found.grade)
    if given < best:
        why = ", ".join(name for name, grade, _ in bad if grade)
        text = f"{found.grade} is better than {class_.grades[best]}, which {why} leaves at best"
        raise BadFinding((("grade",), text))
    fails = any(fails for *_, fails in bad)
    if fails and found.failed is False:
        why = ", ".join(name for name, _, fails in bad if fails)
        raise BadFinding((("failed",), f"it does not work: {why}"))
    because = tuple(name for name, *_ in bad)
    return Judged(class_.grades[given], bool(found.failed) or fails, because)


def _bad(class_: AssetClass, found: Inspection) -> Iterator[tuple[str, str | None, bool]]:
    """What was bad, which grade it leaves at best, and whether the asset does not work then."""
    items = {item.id: item for item in class_.checklist}
    for one in found.checked:
        item = items[one.item]
        if not item.is_good(one.value):
            yield item.id, item.grade, item.fails
    defects = {defect.code: defect for defect in class_.defects}
    for fault in found.defects:
        yield fault.code, defects[fault.code].grade, defects[fault.code].fails


def _faults(class_: AssetClass, found: Inspection) -> Iterator[tuple[Path, str]]:
    """What an inspection says that its class does not know."""
    items = {item.id: item for item in class_.checklist}
    for n, one in enumerate(found.checked):
        if (item := items.get(one.item)) is None:
            hint = Names(items).hint(one.item)
            text = f"the checklist of {class_.id} has no item {one.item!r}{hint}"
            yield ("checked", n, "item"), text
        elif wrong := _of_value(item, one.value):
            yield ("checked", n, "value"), wrong
    looked = [one.item for one in found.checked]
    for name in sorted({name for name in looked if looked.count(name) > 1}):
        yield ("checked",), f"{name} was looked at twice"
    missing = [item.id for item in class_.checklist if item.required and item.id not in looked]
    if missing:
        yield ("checked",), f"{' and '.join(missing)} must be looked at"
    codes = Names(defect.code for defect in class_.defects)
    for n, fault in enumerate(found.defects):
        if fault.code not in codes:
            text = f"{class_.id} has no defect {fault.code!r}{codes.hint(fault.code)}"
            yield ("defects", n, "code"), text
    yield from _of_words(class_, found)


def _of_words(class_: AssetClass, found: Inspection) -> Iterator[tuple[Path, str]]:
    if found.grade is not None and found.grade not in class_.grades:
        known = ", ".join(class_.grades)
        yield ("grade",), f"there is no grade {found.grade!r} of {class_.id}; there are {known}"
    if class_.reasons and found.reason not in class_.reasons:
        given = "a reason is missing" if found.reason is None else f"no reason {found.reason!r}"
        yield ("reason",), f"{given}; there are {', '.join(class_.reasons)}"


def _of_value(item: Item, value: float | bool) -> str | None:
    if item.is_measured == isinstance(value, bool):
        wanted = f"a number ({item.unit or 'measured'})" if item.is_measured else "true or false"
        return f"{item.id} wants {wanted}, not {value!r}"
    return None
