"""What answers have in common: pages of beliefs, links to the next page, what is new."""

from __future__ import annotations

from typing import Any, Generic, TypeVar

from fastapi import Request
from pydantic import BaseModel, Field

from api.cursors import Page

T = TypeVar("T")


def created(model: type[BaseModel]) -> dict[int | str, dict[str, Any]]:
    """What OpenAPI says of a route that may make something new."""
    return {201: {"model": model, "description": "It is new"}}


class BeliefPage(Page[T], Generic[T]):
    """A page of what is believed of assets."""

    stale: int = Field(
        description="How many assets, of all, were touched by a change of the configuration and "
        "have not been folded again: what is said of them may be out of date.",
        examples=[0],
    )


def link_next(request: Request, next: str | None) -> dict[str, str]:
    """The header that leads to the next page, for answers in any format; none at the end."""
    if next is None:
        return {}
    return {"Link": f'<?{request.url.include_query_params(cursor=next).query}>; rel="next"'}


LINK: dict[str, Any] = {
    "description": 'Where the next page is: `<?cursor=...>; rel="next"`. None at the end.',
    "schema": {"type": "string"},
}
FEATURES: dict[str, Any] = {
    "type": "object",
    "description": "A FeatureCollection (RFC 7946).",
    "required": ["type", "features", "next"],
    "properties": {
        "type": {"const": "FeatureCollection"},
        "features": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["type", "geometry", "properties"],
                "properties": {
                    "type": {"const": "Feature"},
                    "geometry": {
                        "type": "object",
                        "required": ["type", "coordinates"],
                        "properties": {
                            "type": {"enum": ["Point", "LineString", "MultiLineString"]},
                            "coordinates": {"type": "array"},
                        },
                    },
                    "properties": {"type": "object"},
                },
            },
        },
        "next": {
            "description": "The cursor of the next page; null at the end.",
            "type": ["string", "null"],
        },
    },
}
"""The OpenAPI schema of a page in GeoJSON."""
