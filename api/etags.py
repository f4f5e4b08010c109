"""Conditional requests: answers carry an ETag, and a change can say which version it changes.

An ETag is a digest of the answer, after the version of the thing where it has one: a question
with `If-None-Match` is answered 304 where nothing changed at all; a change with `If-Match`
looks at the version alone, for where an asset is may change at any time.
"""

from __future__ import annotations

import re
from typing import Annotated

from fastapi import Header, Response

_VERSION = re.compile(r'^"([0-9]{1,18})(?:\.[0-9a-f]+)?"$')
NO_VERSION = -1  # fits no thing at all


def show_version(response: Response, version: int) -> None:
    """Let the answer carry the version of what it tells of."""
    response.headers["ETag"] = f'"{version}"'


def version_in(tag: str) -> int:
    """The version in an ETag; one that was not made here names no version of anything.

    >>> version_in('"3.9f0a"'), version_in('"3"'), version_in('W/"x"')
    (3, 3, -1)
    """
    match = _VERSION.match(tag.strip())
    return int(match[1]) if match else NO_VERSION


def expected_version(
    if_match: Annotated[
        str | None,
        Header(
            description="The ETag of what is to be changed: refused (412) where it has another "
            "one by now. `*`: whatever there is.",
            examples=['"3"'],
        ),
    ] = None,
    if_none_match: Annotated[
        str | None,
        Header(description="`*`: only where there is nothing yet.", examples=["*"]),
    ] = None,
) -> int | None:
    """The version that a change expects, for `Depends`; None: any, 0: that there is nothing."""
    if if_none_match is not None and if_none_match.strip() == "*":
        return 0
    if if_match is None or if_match.strip() == "*":
        return None
    return version_in(if_match)
