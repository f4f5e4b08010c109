"""What sites, zones and readers have in common: a history that changes without lying."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Generic, TypeVar

from fastapi import Response
from pydantic import BaseModel, Field, TypeAdapter

from api.auth import Caller
from api.cursors import Listing, cut
from api.etags import show_version
from api.problems import BadValue
from api.times import Time
from tracker.arrange import arrange, give_up, id_of, kind_of
from tracker.audit import Act
from tracker.layout import PlaceValue
from tracker.ports import Writer
from tracker.queries import UnknownPlace
from tracker.registry import Outdated
from tracker.versions import Version, timeline

V = TypeVar("V")


class Spell(BaseModel, Generic[V]):
    """How something is, or was, for a time."""

    since: Time | None = Field(description="From this event time on, UTC; null: from always.")
    until: Time | None = Field(description="Up to, not at, this time, UTC; null: for ever.")
    recorded: Time = Field(description="When this was said, UTC.")
    value: V = Field(description="How it is then.")


class History(BaseModel, Generic[V]):
    """How something was, is and will be."""

    id: str = Field(description="Its id.", examples=["depot"])
    history: list[Spell[V]] = Field(description="In order of time; nothing overlaps.")


class Change(History[V], Generic[V]):
    """What came of a change."""

    changed: bool = Field(description="False where all was so before.")
    became_stale: int = Field(
        description="How many assets the change touches: each is folded again when it is asked "
        "about.",
        examples=[12],
    )


def page_of(
    values: Mapping[str, V], cursor: str | None, limit: int, listing: Listing[str], at: int | None
) -> dict[str, Any]:
    """A page of things by id, for a `Page`."""
    after = listing.position(cursor, at) or ""
    rows, last = cut([row for row in values.items() if row[0] > after][: limit + 1], limit)
    return {
        "items": [value for _, value in rows],
        "next": listing.cursor(last[0], at) if last else None,
    }


def listing_of(name: str) -> Listing[str]:
    """The cursors of a listing by id."""
    return Listing(name, TypeAdapter(tuple[str, str]))


def history(caller: Caller, response: Response, kind: str, id: str) -> dict[str, Any]:
    """All that was said of a thing, for a `History`. Raises UnknownPlace."""
    with caller.reading() as reader:
        versions = reader.versions(kind, id)
    version = _version(versions)
    if not version:
        raise UnknownPlace(kind, id)
    show_version(response, version)
    return _told(id, versions)


def put(
    caller: Caller,
    response: Response,
    value: PlaceValue,
    since: int | None,
    until: int | None,
    expected: int | None,
) -> dict[str, Any]:
    """Let a thing be as `value` says for a time, for a `Change`."""

    def change(tx: Writer, act: Act) -> bool:
        return arrange(tx, value, since, until, act)

    return _changed(caller, response, kind_of(value), id_of(value), expected, change)


def remove(
    caller: Caller,
    response: Response,
    kind: str,
    id: str,
    since: int | None,
    expected: int | None,
) -> dict[str, Any]:
    """Let there be no such thing from `since` on, for a `Change`."""

    def change(tx: Writer, act: Act) -> bool:
        if not tx.versions(kind, id):
            raise UnknownPlace(kind, id)
        give_up(tx, kind, id, since, act)
        return True

    return _changed(caller, response, kind, id, expected, change)


def _changed(
    caller: Caller,
    response: Response,
    kind: str,
    id: str,
    expected: int | None,
    change: Callable[[Writer, Act], bool],
) -> dict[str, Any]:
    with caller.writing() as (tx, act):
        version = _version(tx.versions(kind, id))
        if expected is not None and expected != version:
            raise Outdated(f"{kind} {id}", version)
        stale = tx.stale_count()
        changed = change(tx, act)
        versions, became_stale = tx.versions(kind, id), tx.stale_count() - stale
    if not version:
        response.status_code = 201
    show_version(response, _version(versions))
    return _told(id, versions) | {"changed": changed, "became_stale": became_stale}


def _version(versions: Sequence[Version[PlaceValue]]) -> int:
    """The number of the last change; 0 where there is nothing, at no time."""
    return versions[-1].revision if timeline(versions) else 0


def _told(id: str, versions: Sequence[Version[PlaceValue]]) -> dict[str, Any]:
    spells = timeline(map(_noted, versions))
    return {
        "id": id,
        "history": [
            {"since": since, "until": until, "recorded": recorded, "value": value}
            for since, until, (recorded, value) in spells
        ],
    }


def _noted(version: Version[PlaceValue]) -> Version[tuple[int, PlaceValue]]:
    """A version that remembers, within what it says, when that was said."""
    value = None if version.value is None else (version.recorded, version.value)
    return Version(*version[:-1], value)


def refuse_other_id(given: str | None, in_path: str, field: str) -> None:
    """Refuse a body that speaks of something else than the path does."""
    if given is not None and given != in_path:
        raise BadValue(field, f"the path says {in_path!r}: leave it out, or say the same", "body")
