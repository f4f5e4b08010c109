"""Cursors: where a page ended. Opaque to the client, and good for one query alone."""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Annotated, Generic, TypeVar

import orjson
from fastapi import Query
from pydantic import BaseModel, Field, TypeAdapter

T = TypeVar("T")
P = TypeVar("P")
EXAMPLE = "WyI5MGY0YzE2NmRlN2UiLCJwYWxsZXQtMSJd"
RowNumber = Annotated[int, Field(ge=0, le=2**63 - 1)]


class BadCursor(Exception):
    """A cursor that was not made here, or not for this query."""


@dataclass(frozen=True, slots=True)
class Listing(Generic[P]):
    """A listing's cursors. `shape` reads a query's digest and a position in it.

    >>> tracks = Listing("track", TypeAdapter(tuple[str, int]))
    >>> tracks.position(tracks.cursor(7, "A1"), "A1")
    7
    >>> tracks.position(tracks.cursor(7, "A1"), "A2")
    Traceback (most recent call last):
    ...
    api.cursors.BadCursor: the cursor belongs to another query: ask without it first
    """

    name: str
    shape: TypeAdapter[tuple[str, P]]

    def cursor(self, position: P, *filters: str | int | None) -> str:
        """The cursor of a position in the query that has these filters."""
        content = orjson.dumps((self._query(filters), position))
        return urlsafe_b64encode(content).rstrip(b"=").decode()

    def position(self, cursor: str | None, *filters: str | int | None) -> P | None:
        """The position behind a cursor; None for the first page. Raises BadCursor."""
        if cursor is None:
            return None
        try:
            content = urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
            query, position = self.shape.validate_json(content, strict=True)
        except ValueError:
            raise BadCursor("the cursor was not made by this listing") from None
        if query != self._query(filters):
            raise BadCursor("the cursor belongs to another query: ask without it first")
        return position

    def _query(self, filters: tuple[str | int | None, ...]) -> str:
        return blake2b(orjson.dumps((self.name, filters)), digest_size=6).hexdigest()


class Page(BaseModel, Generic[T]):
    """A page of a listing."""

    items: list[T]
    next: str | None = Field(
        description="The cursor of the next page; null at the end.",
        examples=[EXAMPLE],
    )


Cursor = Annotated[
    str | None,
    Query(
        description="`next` of the page before; leave it out for the first page.",
        examples=[EXAMPLE],
    ),
]
Limit = Annotated[
    int, Query(ge=1, le=1_000, description="How many items a page has at most.", examples=[100])
]
PlacesLimit = Annotated[
    int, Query(ge=1, le=10_000, description="How many places a page has at most.", examples=[1000])
]


def cut(rows: Sequence[T], limit: int) -> tuple[Sequence[T], T | None]:
    """The page, of rows of which one more than `limit` was asked for, and its last row where
    another page follows.

    >>> cut([1, 2, 3], 2), cut([1, 2], 2)
    (([1, 2], 2), ([1, 2], None))
    """
    return (rows[:limit], rows[limit - 1]) if len(rows) > limit else (rows, None)
