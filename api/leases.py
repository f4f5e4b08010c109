"""Leases: who has what until when, and what of it has come back."""

from __future__ import annotations

from typing import Annotated, Any, Self

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, ConfigDict, Field
from pydantic.config import JsonDict

from api import arranged
from api.answers import created
from api.auth import TheCaller
from api.cursors import Cursor, Limit, Page, cut
from api.etags import show_version
from api.parameters import Expected, LeaseId
from api.problems import documented
from api.times import Time
from tracker import ical, lease_terms, leases
from tracker.lease_book import BadLease, save_lease
from tracker.lease_record import lease_fields, line_fields
from tracker.partner_view import seen_back
from tracker.places import PlaceId
from tracker.queries import UnknownLease, every_lease, known_lease, known_partner
from tracker.registry import Conflict, Unregistered

router = APIRouter(prefix="/v1/leases", tags=["leases"])

_leases = arranged.listing_of("leases")
_EXAMPLE: JsonDict = {
    "customer": "acme",
    "site": "cust-1",
    "lines": [
        {"asset": "pallet-1", "from": "2026-01-05", "due": "2026-02-02"},
        {"class": "pallet", "from": "2026-01-05", "due": "2026-02-02"},
    ],
}
Customer = Annotated[
    str | None, Query(description="Only those of this partner.", examples=["acme"])
]


class Line(BaseModel):
    """A line of a lease."""

    id: str = Field(description="Its id within the lease.", examples=["1"])
    asset: str | None = Field(
        description="Its asset; null: any one of the class.", examples=["pallet-1"]
    )
    class_: str | None = Field(
        alias="class",
        description="The class that it may be, or might have been, any one of.",
        examples=["pallet"],
    )
    from_: str = Field(alias="from", description="Its first day.", examples=["2026-01-05"])
    due: str = Field(description="Its last day, extensions included.", examples=["2026-02-02"])
    due_at: Time = Field(description="When it is to be back: the end of that day, UTC.")
    ended: End | None = Field(description="How it ended on paper; null: it is open.")


class End(BaseModel):
    """How a line ended on paper."""

    how: leases.How = Field(description="How.", examples=["returned"])
    at: Time = Field(description="When: event time, UTC.")


class Lease(BaseModel):
    """An order: what a partner has, where, and until when."""

    id: str = Field(description="Its id.", examples=["L1"])
    customer: str = Field(description="The partner who has it.", examples=["acme"])
    site: str = Field(description="Where it is delivered to.", examples=["cust-1"])
    sites: list[str] = Field(description="Where its assets may be besides.", examples=[["depot"]])
    timezone: str = Field(
        description="The IANA time zone of its days.", examples=["Europe/Amsterdam"]
    )
    return_to: str | None = Field(
        description="Where it comes back to; null: any depot.", examples=["depot"]
    )
    grace_h: float = Field(
        description="Hours after the due day before something is overdue.", examples=[24]
    )
    open_days: bool = Field(
        description="Whether due days on which its site is closed move to the next open one."
    )
    consignees: list[str] = Field(
        description="Partners who may have its assets too.", examples=[["acme"]]
    )
    attributes: dict[str, str | int | float | bool] = Field(
        description="Whatever else was said.", examples=[{"order": "4711"}]
    )
    returned: int = Field(description="How many lines have come back, on paper.", examples=[1])
    of: int = Field(
        description="How many are to come back in all: those that were neither cancelled nor "
        "swapped.",
        examples=[2],
    )
    lines: list[Line] = Field(description="Its lines, by when they begin.")

    @classmethod
    def of_domain(cls, lease: leases.Lease, **more: Any) -> Self:
        """From the domain's lease."""
        site, *others = lease.sites
        returned, wanted = lease.returned
        told = lease_fields(lease) | {"id": lease.id, "site": site, "sites": others}
        lines = [line_fields(line) | {"due_at": line.due_at} for line in lease.lines]
        return cls.model_validate(
            told | {"returned": returned, "of": wanted, "lines": lines} | more
        )


class Agreement(BaseModel):
    """Something that was agreed about a lease. Nothing of it is ever changed."""

    line: str | None = Field(description="About which line; null: about all.", examples=["1"])
    kind: str = Field(description="What sort of agreement it is.", examples=["extended"])
    at: Time = Field(description="From when on it holds: event time, UTC.")
    recorded: Time = Field(description="When it was recorded, UTC.")
    by: str = Field(description="Who said so.", examples=["key erp (key_3f2a9c0d1e4b)"])
    body: dict[str, Any] = Field(description="What was agreed.", examples=[{"due": "2026-03-02"}])


class LeaseDetail(Lease):
    """A lease, and all that is known of it."""

    seen_back: dict[str, Time] = Field(
        description="When the assets of lines were seen back (event time, UTC), by line, whatever "
        "the paper says; others have not been.",
        examples=[{"1": "2026-01-05T08:00:00.000Z"}],
    )
    agreements: list[Agreement] = Field(description="All that was ever agreed, in order.")


class LeaseBody(lease_terms.Lease):
    """A lease as it shall be."""

    model_config = ConfigDict(json_schema_extra={"examples": [_EXAMPLE]})

    id: PlaceId | None = Field(  # type: ignore[assignment]  # the path has said it
        default=None, description="Its id; left out, or as in the path.", examples=["L1"]
    )


class LeasePage(Page[Lease]):
    """Leases by id."""


class CalendarResponse(Response):
    """A calendar."""

    media_type = ical.MEDIA_TYPE


@router.get(".ics", response_class=CalendarResponse, responses=documented(UnknownLease))
def get_calendar(caller: TheCaller, customer: Customer = None) -> CalendarResponse:
    """What is due when, as a calendar (RFC 5545): a day for each line that is open."""
    with caller.reading_for() as reader:
        if customer is not None:
            known_partner(reader, customer)
        names = {id: one.name or id for id, one in reader.partners().items()}
        text = ical.calendar(
            ical.Due(lease, line, names.get(lease.customer, lease.customer))
            for lease in every_lease(reader, customer)
            for line in lease.lines
            if line.ended is None
        )
    return CalendarResponse(text)


@router.get("", responses=documented(UnknownLease))
def list_leases(
    caller: TheCaller, customer: Customer = None, limit: Limit = 100, cursor: Cursor = None
) -> LeasePage:
    """Leases by id: all, or those of a partner."""
    after = _leases.position(cursor, customer) or ""
    with caller.reading_for() as reader:
        if customer is not None:
            known_partner(reader, customer)
        rows, last = cut(reader.leases(after, limit + 1, customer), limit)
    return LeasePage(
        items=[Lease.of_domain(row) for row in rows],
        next=_leases.cursor(last.id, customer) if last else None,
    )


@router.get("/{lease}", responses=documented(UnknownLease))
def get_lease(caller: TheCaller, response: Response, lease: LeaseId) -> LeaseDetail:
    """A lease, what was agreed about it, and which of its assets were seen back."""
    with caller.reading_for() as reader:
        known = known_lease(reader, lease)
        agreed = [one._asdict() for one in reader.agreements(lease)]
        seen = seen_back(reader, known)
    show_version(response, known.version)
    return LeaseDetail.of_domain(known, seen_back=seen, agreements=agreed)


@router.put("/{lease}", responses=created(Lease) | documented(Unregistered, BadLease, Conflict))
def put_lease(
    caller: TheCaller, response: Response, lease: LeaseId, body: LeaseBody, expected: Expected
) -> Lease:
    """Register a lease, or replace all that is said of it. Lines that are not mentioned stay:
    cancel them. What was extended stays so where the due day is merely said again."""
    arranged.refuse_other_id(body.id, lease, "id")
    said = lease_terms.Lease(**{**dict(body), "id": lease})
    with caller.writing() as (tx, act):
        saved = save_lease(tx, said, act, expected)
    if saved.action == "create":
        response.status_code = 201
    return shown(response, saved.lease)


def shown(response: Response, lease: leases.Lease) -> Lease:
    """A lease in an answer, with its version."""
    show_version(response, lease.version)
    return Lease.of_domain(lease)
