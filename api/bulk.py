"""Bulk: many assets and what tells about them, in one go."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field
from pydantic.config import JsonDict

from api.assets import NewAsset
from api.auth import TheCaller
from api.bindings import BindingBody
from api.problems import EVERYWHERE, ItemsRefused, Refusal, documented
from tracker import registry
from tracker.audit import Act
from tracker.ports import Writer
from tracker.registry import BeforeEdge, Conflict, Unregistered

router = APIRouter(prefix="/v1/bulk", tags=["assets"], responses=documented(*EVERYWHERE))

AT_MOST = 1_000
BINDINGS_AT_MOST = 4
_ITEM: JsonDict = {
    "id": "pallet-4",
    "class": "pallet",
    "bindings": [{"tag": "3374257BF40C0E400000162F"}],
}
_REFUSED = (Conflict, Unregistered, BeforeEdge)


class BulkAsset(NewAsset):
    """An asset as it shall be, and what shall tell about it."""

    model_config = ConfigDict(json_schema_extra={"examples": [_ITEM]})

    bindings: list[BindingBody] = Field(
        default=[],
        max_length=BINDINGS_AT_MOST,
        description="Tags and devices, added to those that tell about it already.",
    )


class BulkBody(BaseModel):
    """Many assets."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"assets": [_ITEM]}]})

    assets: list[BulkAsset] = Field(
        min_length=1, max_length=AT_MOST, description="Each as `PUT` would take it."
    )


class BulkAnswer(BaseModel):
    """What came of it."""

    created: int = Field(0, description="How many assets are new.", examples=[1])
    changed: int = Field(
        0, description="How many were there, and other things are said of them now.", examples=[0]
    )
    same: int = Field(0, description="How many were so already.", examples=[0])


@router.post("/assets", responses=documented(ItemsRefused))
def put_assets(caller: TheCaller, body: BulkBody) -> BulkAnswer:
    """Register or replace up to 1,000 assets and bind what tells about them: all or nothing.
    Doing it again changes nothing. Where something is refused, every reason is told with its
    place in `assets`."""
    with caller.writing() as (tx, act):
        done = [_put(tx, act, item) for item in body.assets]
        refused = [*_twice(body.assets)]
        for n, one in enumerate(done):
            refused += [(("assets", n, *where), reason) for where, reason in one.refused]
        if refused:
            raise ItemsRefused(
                sorted(refused, key=lambda one: one[0][1])
            )  # within the transaction, which it undoes
    return BulkAnswer(**Counter(one.outcome for one in done))


class _Done(NamedTuple):
    outcome: str
    refused: list[Refusal]


def _put(tx: Writer, act: Act, item: BulkAsset) -> _Done:
    refused: list[Refusal] = []
    known = tx.asset(item.id)
    try:
        saved = registry.save_asset(tx, item.as_asset(item.id), act)
    except _REFUSED as error:
        return _Done("refused", [((), str(error))])
    for n, binding in enumerate(item.bindings):
        try:
            binding.make(tx, item.id, act)
        except _REFUSED as error:
            refused.append((("bindings", n), str(error)))
    if known is None:
        return _Done("created", refused)
    return _Done("same" if saved.version == known.version else "changed", refused)


def _twice(items: Sequence[BulkAsset]) -> Iterator[Refusal]:
    """What is said twice, which cannot both be meant."""
    first: dict[str, int] = {}
    for n, item in enumerate(items):
        if first.setdefault(item.id, n) != n:
            yield ("assets", n, "id"), f"{item.id} is given already, as assets.{first[item.id]}"
