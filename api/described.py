"""What the OpenAPI document says of many routes alike: written here, repeated nowhere."""

from __future__ import annotations

from typing import Any

from api.bodies import WrongMediaType
from api.cursors import BadCursor
from api.etags import DIGESTED, KNOWN, TAGGED
from api.limits import TooLarge
from api.problems import Problem, documented
from tracker.registry import Outdated


def complete(openapi: dict[str, Any]) -> None:
    """Add to a document what follows from what its routes take and answer."""
    problem = Problem.model_json_schema(ref_template="#/components/schemas/{model}")
    openapi["components"]["schemas"] |= problem.pop("$defs") | {"Problem": problem}
    for path, operations in openapi["paths"].items():
        for method, operation in operations.items():
            _refusals(operation)
            if path.startswith("/v1/") and method == "get" and _is_digested(operation):
                _conditional(operation)


def _refusals(operation: dict[str, Any]) -> None:
    """The problems of every route that takes a body, a cursor, or the version that it changes."""
    taken = {one["name"] for one in operation.get("parameters", ())}
    errors: list[type[Exception]] = []
    if "requestBody" in operation:
        errors += [TooLarge, WrongMediaType]
    if "cursor" in taken:
        errors.append(BadCursor)
    if "If-Match" in taken:
        errors.append(Outdated)
        for status in operation["responses"].keys() & {"200", "201"}:
            _tag(operation["responses"][status])
    operation["responses"] |= {str(code): one for code, one in documented(*errors).items()}


def _conditional(operation: dict[str, Any]) -> None:
    """That it is answered shortly where nothing has changed."""
    _tag(operation["responses"]["200"])
    unchanged = {"description": "Nothing has changed: there is no body", **TAGGED}
    operation["responses"]["304"] = unchanged
    operation.setdefault("parameters", []).append(KNOWN)


def _tag(response: dict[str, Any]) -> None:
    response["headers"] = response.get("headers", {}) | TAGGED["headers"]


def _is_digested(operation: dict[str, Any]) -> bool:
    media_types = operation["responses"]["200"].get("content", ())
    return any(media.endswith(DIGESTED) for media in media_types)
