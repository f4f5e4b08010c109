"""Use cases: what is known of classes of assets. Each in one transaction."""

from __future__ import annotations

from typing import Any

from tracker.asset_class import AssetClass
from tracker.audit import Act, audited
from tracker.govern import LOOKS_A_SECOND
from tracker.life_ports import Known
from tracker.ports import Reader, Writer
from tracker.registry import Outdated
from tracker.worldfile import Names


class UnknownClass(Exception):
    """Nothing is known of a class."""

    def __init__(self, id: str, known: Names | None = None) -> None:
        hint = known.hint(id) if known is not None else ""
        super().__init__(
            f"nothing is known of the class {id!r:.100}{hint}: "
            "`retour class use` or PUT /v1/classes/ID puts it in"
        )


def put_class(tx: Writer, class_: AssetClass, act: Act, expected: int | None = None) -> Known:
    """From now on this is known of a class. Its assets are looked at by it soon: of the silent ones
    nothing else gives occasion. Raises Outdated."""
    before = tx.class_book().get(class_.id)
    version = before.version if before is not None else 0
    if expected is not None and expected != version:
        raise Outdated(f"class {class_.id}", version)
    if before is not None and before.class_ == class_:
        return before
    known = Known(class_, version + 1)
    tx.put_class(known)
    tx.look_at_all(act.now, LOOKS_A_SECOND, class_.id)
    action = "create" if before is None else "change"
    was = None if before is None else class_fields(before.class_)
    audited(tx, act, action, "class", class_.id, was, class_fields(class_))
    return known


def drop_class(tx: Writer, id: str, act: Act, expected: int | None = None) -> None:
    """Know nothing of a class any more. Raises UnknownClass and Outdated."""
    before = class_of(tx, id)
    if expected is not None and expected != before.version:
        raise Outdated(f"class {id}", before.version)
    tx.drop_class(id)
    tx.look_at_all(act.now, LOOKS_A_SECOND, id)
    audited(tx, act, "delete", "class", id, class_fields(before.class_), None)


def class_of(reader: Reader, id: str) -> Known:
    """Raises UnknownClass."""
    book = reader.class_book()
    if id not in book:
        raise UnknownClass(id, Names(book))
    return book[id]


def class_fields(class_: AssetClass) -> dict[str, Any]:
    """A class as its file would hold it."""
    return class_.model_dump(mode="json", by_alias=True, exclude_defaults=True)
