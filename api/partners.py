"""Partners: who has assets for a time, or works on them."""

from __future__ import annotations

from fastapi import APIRouter, Response
from pydantic import ConfigDict, Field
from pydantic.config import JsonDict

from api import arranged
from api.answers import created
from api.auth import TheCaller
from api.cursors import Cursor, Limit, Page
from api.etags import show_version
from api.parameters import Expected, PartnerId
from api.problems import documented
from tracker import lease_terms, leases
from tracker.lease_book import partner_fields, save_partner
from tracker.places import PlaceId
from tracker.queries import UnknownLease, known_partner
from tracker.registry import Unregistered

router = APIRouter(prefix="/v1/partners", tags=["leases"])

_partners = arranged.listing_of("partners")
_EXAMPLE: JsonDict = {"name": "Acme Foods", "kind": "customer", "sites": ["cust-1"]}


class Partner(lease_terms.Partner):
    """Who has assets for a time, or works on them."""


class PartnerBody(lease_terms.Partner):
    """A partner as it shall be."""

    model_config = ConfigDict(json_schema_extra={"examples": [_EXAMPLE]})

    id: PlaceId | None = Field(  # type: ignore[assignment]  # the path has said it
        default=None, description="Its id; left out, or as in the path.", examples=["acme"]
    )


class PartnerPage(Page[Partner]):
    """Partners by id."""


@router.get("")
def list_partners(caller: TheCaller, limit: Limit = 100, cursor: Cursor = None) -> PartnerPage:
    """The partners that there are, by id."""
    with caller.reading() as reader:
        known = {id: _shown(one) for id, one in sorted(reader.partners().items())}
    return PartnerPage(**arranged.page_of(known, cursor, limit, _partners, None))


@router.get("/{partner}", responses=documented(UnknownLease))
def get_partner(caller: TheCaller, response: Response, partner: PartnerId) -> Partner:
    """A partner."""
    with caller.reading() as reader:
        known = known_partner(reader, partner)
    show_version(response, known.version)
    return _shown(known)


@router.put("/{partner}", responses=created(Partner) | documented(Unregistered))
def put_partner(
    caller: TheCaller, response: Response, partner: PartnerId, body: PartnerBody, expected: Expected
) -> Partner:
    """Register a partner, or replace all that is said of it."""
    arranged.refuse_other_id(body.id, partner, "id")
    said = leases.Partner(partner, body.name, body.kind, tuple(body.sites))
    with caller.writing() as (tx, act):
        is_new = partner not in tx.partners()
        saved = save_partner(tx, said, act, expected)
    if is_new:
        response.status_code = 201
    show_version(response, saved.version)
    return _shown(saved)


def _shown(partner: leases.Partner) -> Partner:
    return Partner(id=partner.id, **partner_fields(partner))
