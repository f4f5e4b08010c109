"""Bodies of requests: what is no JSON, or is not said to be, is refused in words."""

from __future__ import annotations

import re

from fastapi import Request

WANTED = {
    "Expecting value": "a value is wanted",
    "Expecting ',' delimiter": "a comma is wanted, or the end of the list or object",
    "Expecting ':' delimiter": "a colon is wanted",
    "Expecting property name enclosed in double quotes": "a name in double quotes is wanted",
    "Illegal trailing comma before end of object": "no comma is wanted before the end",
    "Illegal trailing comma before end of array": "no comma is wanted before the end",
    "Unterminated string starting at": "a text begins that has no end",
    "Invalid control character at": "a control character or line end stands in a text",
    "Extra data": "the end is wanted",
}
_JSON = re.compile(r"application/(?:.+\+)?json")


class WrongMediaType(Exception):
    """A body that does not say that it is JSON."""

    def __init__(self, media: str | None) -> None:
        said = "says none" if media is None else f"says {media!r:.100}"
        super().__init__(
            f"send the body with the header `Content-Type: application/json`: this request {said}"
        )


async def only_json(request: Request) -> None:
    """Refuse a body that does not say that it is JSON: a dependency of all routes."""
    if request.scope["route"].body_field is None or not await request.body():
        return
    media = request.headers.get("content-type")
    if media is None or not _JSON.fullmatch(media.partition(";")[0].strip().lower()):
        raise WrongMediaType(media)


def broken_json(text: str, at: int, why: str) -> str:
    """Where a text ceases to be JSON, and what is wanted there. `why` is in the words of
    Python's reader.

    >>> broken_json('{"id": "a",\\n "class" 1}', 21, "Expecting ':' delimiter")
    'this is no JSON: at line 2, column 10 a colon is wanted'
    """
    line, column = text.count("\n", 0, at) + 1, at - text.rfind("\n", 0, at)
    return f"this is no JSON: at line {line}, column {column} {WANTED.get(why, why)}"


def unreadable(cause: BaseException | None) -> str:
    """What is wrong with a body that could not even be read as a text of JSON."""
    if isinstance(cause, UnicodeDecodeError):
        return f"this is no JSON in UTF-8: byte {cause.start} cannot be read"
    if isinstance(cause, RecursionError):
        return "lists and objects stand too deep in each other"
    return "this cannot be read as JSON: does it hold a number with very many digits?"
