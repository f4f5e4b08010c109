"""A recipient's own words for what it is told: a title and a text with places to fill. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import AfterValidator, Field

from tracker.places import Value, storable
from tracker.worldfile import Names

TITLE, TEXT, LINK = "title", "text", "link"
PLACES = (
    TITLE,
    TEXT,
    LINK,
    "kind",
    "at",
    "by",
    "note",
    "alert",
    "rule",
    "severity",
    "state",
    "level",
    "since",
    "asset",
    "asset_name",
    "class",
    "site",
    "lease",
    "line",
    "partner",
    "due",
    "days_overdue",
)
"""What may be filled in: the usual title, text and link, and what programs are told."""
_PLACE = re.compile(r"\{([^{}]*)\}")
_KNOWN = Names(PLACES)


def _template(text: str) -> str:
    for name in _PLACE.findall(text):
        if name not in _KNOWN:
            raise ValueError(f"there is no place {{{name:.40}}}{_KNOWN.hint(name)}")
    return storable(text)


class Wording(Value):
    """A title and a text in one's own words."""

    title: Annotated[str, Field(max_length=256), AfterValidator(_template)] = Field(
        default="{title}",
        description="The title: a subject, or the first line.",
        examples=["[{severity}] {title}"],
    )
    text: Annotated[str, Field(max_length=4_096), AfterValidator(_template)] = Field(
        default="{text}",
        description="The text; where more of it is follows by itself.",
        examples=["{asset_name} at {site}: {text} Ask {partner}."],
    )


def filled(template: str, values: Mapping[str, Any]) -> str:
    """A template with its places filled; what is not known is left out.

    >>> filled("{asset}, {days_overdue} days, {site}", {"asset": "A1", "days_overdue": 3})
    'A1, 3 days, '
    """

    def value(place: re.Match[str]) -> str:
        found = values.get(place[1])
        return "" if found is None else str(found)

    return _PLACE.sub(value, template)
