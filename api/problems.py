"""Errors as problem details (RFC 9457): the one place that maps them to HTTP."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from types import MappingProxyType
from typing import Any, NamedTuple
from urllib.parse import quote

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException

from api.auth import InvalidKey, MissingKey, ScopeTooSmall
from api.cursors import BadCursor
from tracker.arrange import BadPlace
from tracker.ports import StoreUnavailable
from tracker.queries import BeforeLog, NotLocated, UnknownAsset, UnknownDevice, UnknownPlace
from tracker.registry import BeforeEdge, Conflict, Outdated, Unregistered

MEDIA_TYPE = "application/problem+json"
RETRY_AFTER_S = 5
log = structlog.get_logger()


class BadValue(Exception):
    """A parameter whose value is refused only beside another one's."""

    def __init__(self, name: str, detail: str) -> None:
        super().__init__(detail)
        self.name = name
        self.detail = detail


class BadParameter(BaseModel):
    """A parameter that was refused."""

    name: str = Field(description="The parameter's name.", examples=["limit"])
    at: str = Field(description="Where it stands.", examples=["query"])
    detail: str = Field(
        description="What is wrong with it.",
        examples=["Input should be less than or equal to 1000"],
    )


class Problem(BaseModel):
    """What went wrong, as RFC 9457 has it."""

    type: str = Field(
        description="What sort of problem it is, as a relative URI; it never changes.",
        examples=["/problems/unknown-asset"],
    )
    title: str = Field(description="The sort, in words.", examples=["Unknown asset"])
    status: int = Field(description="The HTTP status.", examples=[404])
    detail: str = Field(
        description="What happened this time.", examples=["no asset pallet-9 is registered"]
    )
    instance: str = Field(description="The path asked for.", examples=["/v1/assets/pallet-9"])
    errors: list[BadParameter] | None = Field(
        None, description="The parameters refused; only with /problems/bad-value."
    )


class Sort(NamedTuple):
    """A sort of problem: its status, the end of its type, its title, headers to send."""

    status: int
    name: str
    title: str
    headers: Mapping[str, str] = MappingProxyType({})


SORTS: Mapping[type[Exception], Sort] = {
    MissingKey: Sort(401, "missing-key", "A key is needed", {"WWW-Authenticate": "Bearer"}),
    InvalidKey: Sort(
        401,
        "invalid-key",
        "The key is not valid",
        {"WWW-Authenticate": 'Bearer error="invalid_token"'},
    ),
    ScopeTooSmall: Sort(403, "scope-too-small", "The key's scope is too small"),
    UnknownAsset: Sort(404, "unknown-asset", "Unknown asset"),
    NotLocated: Sort(404, "not-located", "The asset's place is not known"),
    UnknownDevice: Sort(404, "unknown-device", "Unknown device"),
    UnknownPlace: Sort(404, "unknown-place", "Unknown site, zone or reader"),
    Unregistered: Sort(409, "unregistered", "Something that is spoken of is not registered"),
    BadPlace: Sort(422, "bad-place", "The site, zone or reader cannot be so"),
    Conflict: Sort(409, "conflict", "It contradicts what is registered"),
    BeforeEdge: Sort(409, "before-edge", "The log does not reach so far back"),
    BeforeLog: Sort(410, "before-log", "The log does not reach so far back"),
    Outdated: Sort(412, "outdated", "It has been changed since"),
    BadCursor: Sort(400, "bad-cursor", "The cursor does not fit"),
    RequestValidationError: Sort(422, "bad-value", "A value cannot be taken"),
    BadValue: Sort(422, "bad-value", "A value cannot be taken"),
    StoreUnavailable: Sort(
        503, "store-unavailable", "The database is away", {"Retry-After": str(RETRY_AFTER_S)}
    ),
}
INTERNAL = Sort(500, "internal-error", "Retour failed")

EVERYWHERE = (MissingKey, InvalidKey, ScopeTooSmall, RequestValidationError, StoreUnavailable)


def documented(*errors: type[Exception]) -> dict[int | str, dict[str, Any]]:
    """What OpenAPI says of a route that may raise `errors`."""
    by_status: dict[int | str, list[Sort]] = {}
    for error in errors:
        by_status.setdefault(SORTS[error].status, []).append(SORTS[error])
    return {
        status: {
            "model": Problem,
            "description": "; ".join(sort.title for sort in sorts),
            "headers": {
                name: {"schema": {"type": "string"}} for sort in sorts for name in sort.headers
            },
        }
        for status, sorts in by_status.items()
    }


def declare_media_type(openapi: dict[str, Any]) -> None:
    """Let an OpenAPI document say that problems come as such: FastAPI takes all for JSON."""
    for path in openapi["paths"].values():
        for operation in path.values():
            for response in operation["responses"].values():
                content = response.get("content", {})
                schema = content.get("application/json", {}).get("schema", {})
                if schema.get("$ref") == "#/components/schemas/Problem":
                    content[MEDIA_TYPE] = content.pop("application/json")


def handle_problems(app: FastAPI) -> None:
    """Let `app` answer every error with a problem."""
    for error in SORTS:
        app.add_exception_handler(error, _known)
    app.add_exception_handler(HTTPException, _of_http)


def internal_error(path: str) -> JSONResponse:
    """The answer to what should never happen; the log says what it was."""
    return _answer(INTERNAL, "this is a fault of the server; its log says more", path)


async def _known(request: Request, error: Exception) -> JSONResponse:
    sort = next(SORTS[kind] for kind in type(error).__mro__ if kind in SORTS)
    detail, errors = str(error), None
    if isinstance(error, StoreUnavailable):
        # The store's own words name the server's files.
        log.warning("store unavailable", path=quote(request.scope["path"]), error=detail)
        detail = f"try again in {RETRY_AFTER_S} s"
    elif isinstance(error, BadValue):
        errors = [BadParameter(name=error.name, at="query", detail=error.detail)]
    elif isinstance(error, RequestValidationError):
        errors = [_bad_parameter(one) for one in error.errors()]
        detail = "; ".join(f"{one.name}: {one.detail}" for one in errors)
    return _answer(sort, detail, request.scope["path"], errors)


async def _of_http(request: Request, error: Exception) -> JSONResponse:
    """The framework's own: no such route, no such method."""
    assert isinstance(error, HTTPException)
    status = HTTPStatus(error.status_code)
    name = status.phrase.lower().replace(" ", "-")
    sort = Sort(error.status_code, name, status.phrase, error.headers or {})
    return _answer(sort, status.description or status.phrase, request.scope["path"])


def _bad_parameter(error: Mapping[str, Any]) -> BadParameter:
    at, *names = map(str, error["loc"])
    detail = error["msg"].removeprefix("Value error, ")
    return BadParameter(name=".".join(names), at=at, detail=detail)


def _answer(
    sort: Sort, detail: str, path: str, errors: list[BadParameter] | None = None
) -> JSONResponse:
    problem = Problem(
        type=f"/problems/{sort.name}",
        title=sort.title,
        status=sort.status,
        detail=detail,
        instance=quote(path),
        errors=errors,
    )
    return JSONResponse(
        problem.model_dump(exclude_none=True), sort.status, sort.headers, MEDIA_TYPE
    )
