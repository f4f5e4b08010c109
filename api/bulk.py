"""Bulk: many assets and what tells about them, in one go."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field
from pydantic.config import JsonDict

from api.assets import NewAsset
from api.auth import TheCaller
from api.bindings import BindingBody
from api.problems import ItemsRefused, Refusal, documented
from tracker import registry
from tracker.audit import Act, Change
from tracker.model import Asset, Binding
from tracker.ports import Writer
from tracker.refold import tell_unseen
from tracker.registry import BeforeEdge, Conflict, Unregistered
from tracker.versions import Version

router = APIRouter(prefix="/v1/bulk", tags=["assets"])

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
        batch = Batch(tx, act, body.assets)
        done = [batch.put(item) for item in body.assets]
        batch.write()
        refused = [*_twice(body.assets)]
        for n, one in enumerate(done):
            refused += [(("assets", n, *where), reason) for where, reason in one.refused]
        if refused:
            raise ItemsRefused(
                sorted(refused, key=lambda one: one[0][1])
            )  # within the transaction, which it undoes
    return BulkAnswer(**Counter(one.outcome for one in done))


class Done(NamedTuple):
    """What became of an item."""

    outcome: str
    refused: list[Refusal]


def put_one(tx: Writer, act: Act, item: BulkAsset) -> Done:
    """Register or replace an asset and bind what tells about it, as the registry has it."""
    refused: list[Refusal] = []
    known = tx.asset(item.id)
    try:
        saved = registry.save_asset(tx, item.as_asset(item.id), act)
    except _REFUSED as error:
        return Done("refused", [((), str(error))])
    for n, binding in enumerate(item.bindings):
        try:
            binding.make(tx, item.id, act)
        except _REFUSED as error:
            refused.append((("bindings", n), str(error)))
    if known is None:
        return Done("created", refused)
    return Done("same" if saved.version == known.version else "changed", refused)


class Batch:
    """Puts items as `put_one` does, in the same order, but asks and writes for many at once.

    What is there already needs nothing, and what is new and meets nothing is gathered until it
    is written. Only for the others the registry is asked, one by one: so it alone refuses."""

    def __init__(self, tx: Writer, act: Act, items: Sequence[BulkAsset]) -> None:
        self._tx, self._act = tx, act
        subjects = {one.subject for item in items for one in item.bindings}
        devices = {one.device for item in items for one in item.bindings if one.device}
        self._known = tx.assets_by_id(item.id for item in items)
        self._devices = tx.devices(sorted(devices))
        self._bound = tx.bindings(sorted(subjects))
        self._observed = tx.observed(subjects)
        self._sites = tx.layout().sites()
        self._edge = tx.edge()
        self._touched = set[object]()  # ids, subjects and external ids: no more as they were
        self._assets = list[Asset]()
        self._bindings = list[Version[str]]()
        self._lines = list[Change]()

    def put(self, item: BulkAsset) -> Done:
        """Register or replace an asset and bind what tells about it, before `write` at the
        latest."""
        touches = {item.id, *item.external_ids.items(), *(one.subject for one in item.bindings)}
        untouched = self._touched.isdisjoint(touches) and self._is_sound(item)
        if untouched and self._is_there(item):
            return Done("same", [])
        self._touched |= touches
        if untouched and self._meets_nothing(item):
            self._gather(item)
            return Done("created", [])
        self.write()
        return put_one(self._tx, self._act, item)

    def write(self) -> None:
        """Write what is gathered."""
        self._tx.put_assets(self._assets)
        tell_unseen(self._tx, [asset.id for asset in self._assets], self._act.now)
        self._tx.add_bindings(self._bindings)
        self._tx.audit(self._lines)
        self._assets, self._bindings, self._lines = [], [], []

    def _is_sound(self, item: BulkAsset) -> bool:
        """Whether by itself it can be as it says."""
        return (item.home is None or item.home in self._sites) and all(
            (one.device is None or one.device in self._devices)
            and (one.since is None or one.until is None or one.since < one.until)
            and (one.since is None or self._edge is None or one.since >= self._edge)
            for one in item.bindings
        )

    def _is_there(self, item: BulkAsset) -> bool:
        known = self._known.get(item.id)
        if known is None or known != replace(item.as_asset(item.id), version=known.version):
            return False
        return all(
            any(
                bound.asset == item.id and bound.covers(one.since, one.until)
                for bound in self._bound[one.subject]
            )
            for one in item.bindings
        )

    def _meets_nothing(self, item: BulkAsset) -> bool:
        """Whether it is new, and nothing is known of what it names."""
        subjects = {one.subject for one in item.bindings}
        return (
            item.id not in self._known
            and len(subjects) == len(item.bindings)
            and self._observed.isdisjoint(subjects)
            and not any(self._bound[subject] for subject in subjects)
            and not any(self._tx.labelled(f"id:{s}", id) for s, id in item.external_ids.items())
        )

    def _gather(self, item: BulkAsset) -> None:
        asset = replace(item.as_asset(item.id), version=1)
        self._assets.append(asset)
        self._note("create", "asset", item.id, None, registry.asset_fields(asset))
        for one in item.bindings:
            binding = Binding(item.id, one.subject, one.since, one.until)
            period = (one.since, one.until, self._act.now)
            self._bindings.append(Version(0, "binding", one.subject, *period, item.id))
            before, after = map(registry.bindings_fields, ([], [binding]))
            self._note("bind", "binding", one.subject, before, after)

    def _note(self, action: str, kind: str, id: str, before: Any, after: Any) -> None:
        self._lines.append(Change(self._act.wall, self._act.by, action, kind, id, before, after))


def _twice(items: Sequence[BulkAsset]) -> Iterator[Refusal]:
    """What is said twice, which cannot both be meant."""
    first: dict[str, int] = {}
    for n, item in enumerate(items):
        if first.setdefault(item.id, n) != n:
            yield ("assets", n, "id"), f"{item.id} is given already, as assets.{first[item.id]}"
