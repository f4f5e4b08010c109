"""Keys for this API, made and revoked by whoever holds one with the scope `admin`."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Response
from pydantic import BaseModel, ConfigDict, Field

from api.auth import TheCaller
from api.problems import BadValue, UnknownKey, documented
from api.times import Moment, Time
from tracker.access import ApiKey, BadKey, check_partner, new_key
from tracker.audit import audited
from tracker.places import PlaceId

router = APIRouter(prefix="/v1/keys", tags=["administration"])

Scope = Literal["read", "write", "admin"]


class Key(BaseModel):
    """A key, without its secret: that is not kept."""

    id: str = Field(description="Its id.", examples=["key_3f2a9c0d1e4b"])
    name: str = Field(description="What it is for.", examples=["console"])
    scopes: list[Scope] = Field(
        description="What it may do; a greater scope includes the lesser.", examples=[["read"]]
    )
    partner: str | None = Field(
        description="Only for what this partner has on lease; null: for everything.",
        examples=["acme"],
    )
    created: Time = Field(description="When it was made, UTC.")
    expires: Time | None = Field(description="Until when it is valid, UTC; null: for ever.")
    revoked: Time | None = Field(description="When it was revoked, UTC; null: it is not.")


class NewKey(Key):
    """A key that has just been made."""

    secret: str = Field(
        description="What to send as `Authorization: Bearer ...`. It is shown this once.",
        examples=["rtr_5cBBYTLPmPDqE1yBmDDRu0NDYQTIoiyYVbYGjPWPWXs"],
    )


class Keys(BaseModel):
    """All keys there have ever been."""

    items: list[Key] = Field(description="The keys, the oldest first.")


class KeyWanted(BaseModel):
    """A key to be made."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field(
        description="What it is for.", examples=["console"], min_length=1, max_length=100
    )
    scopes: Annotated[list[Scope], Field(min_length=1)] = Field(
        description="What it may do; a greater scope includes the lesser.", examples=[["read"]]
    )
    partner: PlaceId | None = Field(
        None,
        description="Only for what this partner has on lease; then `scopes` is `read` alone.",
        examples=["acme"],
    )
    expires: Moment | None = Field(
        None,
        description="Until when it is valid: ISO 8601 with an offset, or epoch ms. Left out: "
        "for ever.",
        examples=["2036-01-01T00:00:00Z"],
    )


@router.get("")
def list_keys(caller: TheCaller) -> Keys:
    """All keys, never their secrets."""
    with caller.reading("admin") as reader:
        return Keys(items=[Key.model_validate(_fields(key)) for key in reader.api_keys()])


@router.post("", status_code=201)
def create_key(caller: TheCaller, wanted: KeyWanted) -> NewKey:
    """Make a key, and show its secret this once."""
    # No key can grant more than it has: it takes the greatest scope to be here at all.
    with caller.writing("admin") as (tx, act):
        if wanted.expires is not None and wanted.expires <= act.wall:
            raise BadValue("expires", "it would have expired already", at="body")
        try:
            check_partner(wanted.partner, wanted.scopes, tx.partners())
        except BadKey as error:
            raise BadValue(error.name, error.detail, at="body") from error
        granted = (tuple(wanted.scopes), act.wall, wanted.expires, wanted.partner)
        secret, key = new_key(wanted.name, *granted)
        tx.add_key(key)
        audited(tx, act, "create", "key", key.id, None, key.granted())
    return NewKey.model_validate({**_fields(key), "secret": secret})


@router.delete("/{key}", status_code=204, responses=documented(UnknownKey))
def revoke_key(
    caller: TheCaller,
    key: Annotated[str, Path(description="The key's id.", examples=["key_3f2a9c0d1e4b"])],
) -> Response:
    """Revoke a key, at once and for good. It stays listed."""
    with caller.writing("admin") as (tx, act):
        known = next((one for one in tx.api_keys() if one.id == key), None)
        if known is None or not tx.revoke_key(key, act.wall):
            raise UnknownKey(key)
        audited(tx, act, "revoke", "key", key, known.granted(), None)
    return Response(status_code=204)


def _fields(key: ApiKey) -> dict[str, Any]:
    names = ("id", "name", "scopes", "partner", "created", "expires", "revoked")
    return {name: getattr(key, name) for name in names}
