"""What happens to the lines of a lease."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Response
from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from pydantic.config import JsonDict

from api.auth import TheCaller
from api.leases import Lease, shown
from api.parameters import Expected, LeaseId, LineId
from api.problems import documented
from api.times import Moment
from tracker import lease_lines
from tracker.lease_book import BadLease
from tracker.lease_lines import Event, UnknownLine
from tracker.lease_terms import LeaseDay
from tracker.places import PlaceId, storable
from tracker.queries import UnknownLease
from tracker.registry import Conflict, Unregistered
from tracker.worldvalues import AssetId

router = APIRouter(prefix="/v1/leases/{lease}/lines/{line}", tags=["leases"])

_REFUSED = documented(UnknownLease, UnknownLine, Unregistered, BadLease, Conflict)
_AT: JsonDict = {"at": "2026-01-05T08:00:00Z"}
Text = Annotated[str, Field(max_length=1_024), AfterValidator(storable)]
TheAsset = Annotated[AssetId, Field(min_length=1, max_length=256)]


class EventBody(BaseModel):
    """That something happens."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [_AT]})

    at: Moment | None = Field(
        default=None,
        description="When: ISO 8601 with an offset, or epoch ms. Left out: now.",
        examples=["2026-01-05T08:00:00Z"],
    )
    note: Text | None = Field(
        default=None, description="What else there is to say.", examples=["by phone"]
    )

    def event(self, lease: str, line: str, expected: int | None) -> Event:
        """The domain's event."""
        return Event(lease, line, self.at, self.note, expected)


class ExtendBody(EventBody):
    """Another day on which something is due."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"due": "2026-03-02"}]})

    due: LeaseDay = Field(description="Its new last day.", examples=["2026-03-02"])


class ReturnBody(EventBody):
    """That something has come back."""

    model_config = ConfigDict(json_schema_extra={"examples": [{**_AT, "to": "depot"}]})

    to: PlaceId | None = Field(
        default=None, description="The site that it came back to.", examples=["depot"]
    )


class DispatchBody(EventBody):
    """The asset that is sent out."""

    model_config = ConfigDict(json_schema_extra={"examples": [{**_AT, "asset": "pallet-1"}]})

    asset: TheAsset = Field(description="The asset.", examples=["pallet-1"])


class SwapBody(EventBody):
    """The asset that takes the place of another."""

    model_config = ConfigDict(json_schema_extra={"examples": [{**_AT, "asset": "pallet-5"}]})

    asset: TheAsset = Field(description="The asset.", examples=["pallet-5"])


class HandOverBody(EventBody):
    """Who takes something over."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{**_AT, "to": "bolt", "site": "depot", "signed": "J. Doe"}]}
    )

    to: PlaceId = Field(description="The partner who takes it over.", examples=["bolt"])
    site: PlaceId | None = Field(default=None, description="Where.", examples=["depot"])
    signed: Text | None = Field(
        default=None, description="Who has signed for it.", examples=["J. Doe"]
    )


@router.post("/extend", responses=_REFUSED)
def extend_line(
    caller: TheCaller,
    response: Response,
    lease: LeaseId,
    line: LineId,
    body: ExtendBody,
    expected: Expected,
) -> Lease:
    """Let a line be due on another day. Extensions are only ever added: the one that was agreed
    last (`at`) holds, in whatever order they become known."""
    event = body.event(lease, line, expected)
    with caller.writing() as (tx, act):
        changed = lease_lines.extend(tx, act, event, body.due)
    return shown(response, changed)


@router.post("/return", responses=_REFUSED)
def return_line(
    caller: TheCaller,
    response: Response,
    lease: LeaseId,
    line: LineId,
    body: ReturnBody,
    expected: Expected,
) -> Lease:
    """Close a line on paper, for its asset has come back: early, late, or to another depot."""
    event = body.event(lease, line, expected)
    with caller.writing() as (tx, act):
        changed = lease_lines.give_back(tx, act, event, body.to)
    return shown(response, changed)


@router.post("/cancel", responses=_REFUSED)
def cancel_line(
    caller: TheCaller,
    response: Response,
    lease: LeaseId,
    line: LineId,
    body: EventBody,
    expected: Expected,
) -> Lease:
    """Close a line that is not wanted any more."""
    event = body.event(lease, line, expected)
    with caller.writing() as (tx, act):
        changed = lease_lines.cancel(tx, act, event)
    return shown(response, changed)


@router.post("/dispatch", responses=_REFUSED)
def dispatch_line(
    caller: TheCaller,
    response: Response,
    lease: LeaseId,
    line: LineId,
    body: DispatchBody,
    expected: Expected,
) -> Lease:
    """Send an asset out for a line: one that may have any of a class has this one from then on."""
    event = body.event(lease, line, expected)
    with caller.writing() as (tx, act):
        changed = lease_lines.dispatch(tx, act, event, body.asset)
    return shown(response, changed)


@router.post("/swap", responses=_REFUSED)
def swap_line(
    caller: TheCaller,
    response: Response,
    lease: LeaseId,
    line: LineId,
    body: SwapBody,
    expected: Expected,
) -> Lease:
    """Give another asset in the place of a line's: the line ends, and a new one begins."""
    event = body.event(lease, line, expected)
    with caller.writing() as (tx, act):
        changed = lease_lines.swap(tx, act, event, body.asset)
    return shown(response, changed)


@router.post("/hand-over", responses=_REFUSED)
def hand_over_line(
    caller: TheCaller,
    response: Response,
    lease: LeaseId,
    line: LineId,
    body: HandOverBody,
    expected: Expected,
) -> Lease:
    """Let a partner have a line's asset, who may have those of the lease from then on."""
    event = body.event(lease, line, expected)
    with caller.writing() as (tx, act):
        changed = lease_lines.hand_over(tx, act, event, body.to, body.site, body.signed)
    return shown(response, changed)
