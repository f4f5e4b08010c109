"""Conditional requests: answers carry an ETag, and a change can say which version it changes.

An ETag is a digest of the answer, after the version of the thing where it has one: a question
with `If-None-Match` is answered 304 where nothing changed at all; a change with `If-Match`
looks at the version alone, for where an asset is may change at any time.
"""

from __future__ import annotations

import re
from hashlib import blake2b
from typing import Annotated, Any

from fastapi import Header, Response
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

DIGESTED = ("/json", "+json", "/calendar", "/csv")  # the media types of answers with an ETag
DIGESTED_AT_MOST = 1024 * 1024  # bytes of an answer
_TAG = re.compile(r'(?:W/)?("[^"]*")')
_VERSION = re.compile(r'^"([0-9]{1,18})(?:\.[0-9a-f]+)?"$')
NO_VERSION = -1  # fits no thing at all
TAGGED: dict[str, Any] = {
    "headers": {
        "ETag": {
            "description": "What tells this answer from others, the version of the thing included.",
            "schema": {"type": "string"},
        }
    }
}
"""What OpenAPI says of an answer with an ETag."""
KNOWN: dict[str, Any] = {
    "name": "If-None-Match",
    "in": "header",
    "required": False,
    "description": "ETags of answers that the client has: 304 where one of them is this one.",
    "schema": {"type": "string", "examples": ['"3.9f0a01c2d4e6a8b0"']},
}
"""What OpenAPI says of the header of a conditional question."""


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
            alias="If-Match",
            description="The ETag of what is to be changed: refused (412) where it has another "
            "one by now. `*`: whatever there is.",
            examples=['"3"'],
        ),
    ] = None,
    if_none_match: Annotated[
        str | None,
        Header(
            alias="If-None-Match",
            description="`*`: only where there is nothing yet.",
            examples=["*"],
        ),
    ] = None,
) -> int | None:
    """The version that a change expects, for `Depends`; None: any, 0: that there is nothing."""
    if if_none_match is not None and if_none_match.strip() == "*":
        return 0
    if if_match is None or if_match.strip() == "*":
        return None
    return version_in(if_match)


class Conditional:
    """ASGI middleware: gives ETags to JSON answers, calendars and tables that come in one piece,
    and answers 304 where the client has the answer already. What is streamed passes as it is."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, and its answer back."""
        if (
            scope["type"] != "http"
            or scope["method"] != "GET"
            or not scope["path"].startswith("/v1/")
        ):
            await self._app(scope, receive, send)
            return
        start: Message | None = None  # held back until it is known what the answer is

        async def send_conditional(message: Message) -> None:
            nonlocal start
            if message["type"] == "http.response.start" and _is_whole(message):
                start = message
                return
            held = start
            if held is not None:
                start = None
                if not message.get("more_body") and len(_body(message)) <= DIGESTED_AT_MOST:
                    message = _with_tag(scope, held, message)
                await send(held)
            await send(message)

        await self._app(scope, receive, send_conditional)


def _is_whole(start: Message) -> bool:
    media = Headers(raw=start["headers"]).get("content-type", "")
    return start["status"] == 200 and media.partition(";")[0].endswith(DIGESTED)


def _body(message: Message) -> bytes:
    body: bytes = message.get("body", b"")
    return body


def _with_tag(scope: Scope, start: Message, body: Message) -> Message:
    """Put the ETag into an answer's head, and let it become a 304 where nothing has changed;
    the body to send."""
    digest = blake2b(_body(body), digest_size=8).hexdigest()
    headers = MutableHeaders(raw=list(start["headers"]))
    version = headers.get("etag", "").strip('"')
    headers["etag"] = tag = f'"{version}.{digest}"' if version else f'"{digest}"'
    headers["cache-control"] = "private, no-cache"
    known = ", ".join(Headers(scope=scope).getlist("if-none-match"))
    if known.strip() == "*" or tag in _TAG.findall(known):
        start["status"] = 304
        del headers["content-type"], headers["content-length"]
        body = {**body, "body": b""}
    start["headers"] = headers.raw
    return body
