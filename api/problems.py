"""Errors as problem details (RFC 9457): the one place that maps them to HTTP."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
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
from api.bodies import WrongMediaType, broken_json, unreadable
from api.cursors import BadCursor
from api.limits import TooLarge, TooMany
from tracker.alert_book import AlertIsOver, AlreadyPast, UnknownAlert
from tracker.arrange import BadPlace
from tracker.caring import NoRoute
from tracker.class_book import UnknownClass
from tracker.delivery_ports import ChannelRefused, NoChannels
from tracker.enlist import NoChannel, NotParked, UnknownDelivery, UnknownRecipient
from tracker.facts import FactConflict
from tracker.lease_book import BadLease
from tracker.lease_lines import UnknownLine
from tracker.partner_view import NotForPartners
from tracker.ports import SeriesUnavailable, StoreUnavailable
from tracker.queries import (
    BeforeLog,
    NotLocated,
    UnknownAsset,
    UnknownDevice,
    UnknownLease,
    UnknownPlace,
)
from tracker.registry import BeforeEdge, Conflict, Outdated, Unregistered
from tracker.working import UnknownOrder

MEDIA_TYPE = "application/problem+json"
RETRY_AFTER_S = 5
ERRORS_TOLD = 20
log = structlog.get_logger()


class BadValue(Exception):
    """A value that its type alone does not refuse: a parameter's, or (`at`) one in the body."""

    def __init__(self, name: str, detail: str, at: str = "query") -> None:
        super().__init__(detail)
        self.name = name
        self.detail = detail
        self.at = at


Refusal = tuple[tuple[str | int, ...], str]
"""Where in a body something stands, and why it is refused."""


class BodyRefused(RequestValidationError):
    """What stands in a body is refused: where each thing stands, and why."""

    def __init__(self, refusals: Iterable[Refusal]) -> None:
        super().__init__([{"loc": ("body", *where), "msg": why} for where, why in refusals])


class ItemsRefused(BodyRefused):
    """Of many things sent at once some are refused, so none of them is taken."""


class FactsRefused(BodyRefused):
    """Facts that cannot be, and why: where each stands in the body."""


class NoDecoder(Exception):
    """This process cannot read what devices send."""

    def __init__(self) -> None:
        super().__init__("this process cannot read messages: ask one that `retour` started")


class UnknownKey(Exception):
    """No key of that id is in force."""

    def __init__(self, id: str) -> None:
        super().__init__(f"there is no key {id} in force")


class TooManyStreams(Exception):
    """As many clients as there may be listen already."""

    def __init__(self, at_most: int, whose: str = "") -> None:
        super().__init__(f"{at_most} streams{whose} are open, and there cannot be more")


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
        None,
        description="The parameters, or what in the body, was refused, the first of very many; "
        "only with /problems/bad-value, /problems/bad-fact and /problems/items-refused.",
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
    NotForPartners: Sort(403, "not-for-partners", "Not for a partner's key"),
    UnknownAsset: Sort(404, "unknown-asset", "Unknown asset"),
    NotLocated: Sort(404, "not-located", "The asset's place is not known"),
    UnknownDevice: Sort(404, "unknown-device", "Unknown device"),
    UnknownPlace: Sort(404, "unknown-place", "Unknown site, zone or reader"),
    UnknownLease: Sort(404, "unknown-lease", "Unknown lease or partner"),
    UnknownLine: Sort(404, "unknown-line", "The lease has no such line"),
    UnknownKey: Sort(404, "unknown-key", "Unknown key"),
    FactConflict: Sort(409, "fact-conflict", "Another fact has this id"),
    FactsRefused: Sort(422, "bad-fact", "A fact cannot be so"),
    Unregistered: Sort(409, "unregistered", "Something that is spoken of is not registered"),
    BadPlace: Sort(422, "bad-place", "The site, zone or reader cannot be so"),
    UnknownAlert: Sort(404, "unknown-alert", "Unknown alert"),
    AlertIsOver: Sort(409, "alert-is-over", "The alert is over"),
    AlreadyPast: Sort(422, "already-past", "That time is over"),
    BadLease: Sort(422, "bad-lease", "The lease cannot be so"),
    Conflict: Sort(409, "conflict", "It contradicts what is registered"),
    BeforeEdge: Sort(409, "before-edge", "The log does not reach so far back"),
    BeforeLog: Sort(410, "before-log", "The log does not reach so far back"),
    Outdated: Sort(412, "outdated", "It has been changed since"),
    TooLarge: Sort(413, "too-large", "The request is too large"),
    WrongMediaType: Sort(
        415,
        "wrong-media-type",
        "The body does not say that it is JSON",
        {"Accept": "application/json"},
    ),
    TooMany: Sort(429, "too-many-requests", "Too many requests", {"Retry-After": "1"}),
    ItemsRefused: Sort(409, "items-refused", "Some items are refused, so none is taken"),
    UnknownClass: Sort(404, "unknown-class", "Unknown class"),
    UnknownOrder: Sort(404, "unknown-work-order", "Unknown work order"),
    NoRoute: Sort(422, "no-route", "That route cannot be taken"),
    UnknownRecipient: Sort(404, "unknown-recipient", "Unknown recipient"),
    UnknownDelivery: Sort(404, "unknown-delivery", "Unknown delivery"),
    NotParked: Sort(409, "not-parked", "The delivery is not given up"),
    NoChannel: Sort(422, "no-channel", "A channel is missing"),
    ChannelRefused: Sort(422, "bad-channel", "Nothing can be sent by this channel"),
    NoChannels: Sort(501, "no-channels", "Nothing can be sent from here"),
    NoDecoder: Sort(501, "no-decoder", "Messages cannot be read here"),
    TooManyStreams: Sort(
        503, "too-many-streams", "Too many streams", {"Retry-After": str(RETRY_AFTER_S)}
    ),
    BadCursor: Sort(400, "bad-cursor", "The cursor does not fit"),
    RequestValidationError: Sort(422, "bad-value", "A value cannot be taken"),
    BadValue: Sort(422, "bad-value", "A value cannot be taken"),
    StoreUnavailable: Sort(
        503, "store-unavailable", "The database is away", {"Retry-After": str(RETRY_AFTER_S)}
    ),
    SeriesUnavailable: Sort(
        503, "series-unavailable", "The time-series store is away", {"Retry-After": "30"}
    ),
}
INTERNAL = Sort(500, "internal-error", "Retour failed")

EVERYWHERE = (
    MissingKey,
    InvalidKey,
    ScopeTooSmall,
    NotForPartners,
    RequestValidationError,
    TooMany,
    StoreUnavailable,
)


def documented(*errors: type[Exception]) -> dict[int | str, dict[str, Any]]:
    """What OpenAPI says of a route that may raise `errors`."""
    by_status: dict[int | str, list[Sort]] = {}
    for error in errors:
        by_status.setdefault(SORTS[error].status, []).append(SORTS[error])
    return {
        status: {
            "description": "; ".join(dict.fromkeys(sort.title for sort in sorts)),
            "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
            "headers": {
                name: {"schema": {"type": "string"}} for sort in sorts for name in sort.headers
            },
        }
        for status, sorts in by_status.items()
    }


def handle_problems(app: FastAPI) -> None:
    """Let `app` answer every error with a problem."""
    for error in SORTS:
        app.add_exception_handler(error, _known)
    app.add_exception_handler(HTTPException, _of_http)


def is_known(error: Exception) -> bool:
    """Whether an error is a problem of the client's, or one that may pass: no fault of ours."""
    return any(kind in SORTS for kind in type(error).__mro__)


def answer_to(error: Exception, path: str) -> JSONResponse:
    """The answer to an error; of what should never happen only the log says what it was."""
    sort = next((SORTS[kind] for kind in type(error).__mro__ if kind in SORTS), INTERNAL)
    detail, errors = str(error), None
    if sort is INTERNAL:
        detail = "this is a fault of the server; its log says more"
    elif isinstance(error, StoreUnavailable):
        # The store's own words name the server's files.
        log.warning("store unavailable", path=quote(path), error=detail)
        detail = f"try again in {RETRY_AFTER_S} s"
    elif isinstance(error, SeriesUnavailable):
        detail = "the database alone does not reach so far back; try again later"
    elif isinstance(error, BadValue):
        errors = [BadParameter(name=error.name, at=error.at, detail=error.detail)]
    elif isinstance(error, RequestValidationError):
        found = error.errors()
        errors = [_bad_parameter(one, error.body) for one in found[:ERRORS_TOLD]]
        detail = "; ".join(f"{one.name}: {one.detail}" for one in errors)
        if more := len(found) - len(errors):
            detail += f"; and {more} more"
    sort = sort._replace(headers={**sort.headers, **(getattr(error, "headers", None) or {})})
    return _answer(sort, detail, path, errors)


async def _known(request: Request, error: Exception) -> JSONResponse:
    return answer_to(error, request.scope["path"])


async def _of_http(request: Request, error: Exception) -> JSONResponse:
    """The framework's own: no such route, no such method; or a body that it cannot read."""
    assert isinstance(error, HTTPException)
    if error.status_code == HTTPStatus.BAD_REQUEST:
        fault = {"loc": ("body",), "msg": unreadable(error.__cause__)}
        return answer_to(RequestValidationError([fault]), request.scope["path"])
    status = HTTPStatus(error.status_code)
    name = status.phrase.lower().replace(" ", "-")
    sort = Sort(error.status_code, name, status.phrase, error.headers or {})
    return _answer(sort, status.description or status.phrase, request.scope["path"])


def _bad_parameter(error: Mapping[str, Any], body: Any) -> BadParameter:
    if error.get("type") == "json_invalid":
        (at, offset), why = error["loc"], error["ctx"]["error"]
        return BadParameter(name=at, at=at, detail=broken_json(body, offset, why))
    at, *names = map(str, error["loc"])
    detail = error["msg"].removeprefix("Value error, ")
    return BadParameter(name=".".join(names) or at, at=at, detail=detail)


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
