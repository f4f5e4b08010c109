"""Bindings: which tags and devices tell about an asset, and when."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator
from pydantic.config import JsonDict

from api.auth import TheCaller
from api.parameters import AssetId, Since
from api.problems import documented
from api.times import Moment, Time
from tracker import model, queries, registry
from tracker.audit import Act
from tracker.epc import tag_id
from tracker.ports import Writer
from tracker.queries import UnknownAsset
from tracker.registry import BeforeEdge, Conflict, Unregistered

router = APIRouter(prefix="/v1/assets/{asset}/bindings", tags=["assets"])
TAG_RULE = (
    "write its hexadecimal number, like 3374257BF40C0E400000162E, or its URN, like "
    "urn:epc:id:grai:0614141.12345.5678"
)
_EXAMPLE: JsonDict = {"device": "trk-2", "since": "2026-01-05T08:00:00Z", "moves": True}


def _tag(text: str) -> str:
    try:
        tag_id(text)
    except ValueError:
        raise ValueError(f"{text!r:.60} is no tag: {TAG_RULE}") from None
    return text


class Binding(BaseModel):
    """What tells about an asset, and when."""

    subject: str = Field(
        description="A tag's id or a device.", examples=["urn:epc:id:grai:0614141.12345.5678"]
    )
    since: Time | None = Field(description="From this event time on, UTC; null: from always.")
    until: Time | None = Field(description="Up to, not at, this time, UTC; null: for ever.")

    @classmethod
    def of(cls, binding: model.Binding) -> Binding:
        """From the domain's binding."""
        return cls(subject=binding.subject, since=binding.since, until=binding.until)


class BindingBody(BaseModel):
    """A tag or a device that shall tell about an asset."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [_EXAMPLE]})

    tag: Annotated[str, AfterValidator(_tag)] | None = Field(
        default=None,
        description="A tag, by its hexadecimal number or its URN.",
        examples=["3374257BF40C0E400000162E"],
    )
    device: str | None = Field(
        default=None,
        max_length=128,
        description="Or else a registered device.",
        examples=["trk-2"],
    )
    since: Moment | None = Field(
        default=None,
        description="From this event time on: ISO 8601 with an offset, or epoch ms. Left out: "
        "from always, so that it claims what was observed before.",
        examples=["2026-01-05T08:00:00Z"],
    )
    until: Moment | None = Field(
        default=None,
        description="Up to, not at, this event time. Left out: for ever.",
        examples=["2027-01-05T08:00:00Z"],
    )
    moves: bool = Field(
        default=False,
        description="Whether it stops to tell about another asset then; else that is a conflict.",
    )

    @model_validator(mode="after")
    def _one_subject(self) -> BindingBody:
        if (self.tag is None) == (self.device is None):
            raise ValueError("give either `tag` or `device`")
        return self

    @property
    def subject(self) -> str:
        """The tag's id, or the device."""
        return self.device or tag_id(self.tag or "")

    def make(self, tx: Writer, asset: str, act: Act) -> None:
        """Bind. Raises Conflict, Unregistered, BeforeEdge."""
        when = (self.since, self.until, act)
        if self.tag is not None:
            registry.bind_tag(tx, asset, self.tag, *when, moves=self.moves)
        elif self.device is not None:
            registry.bind_device(tx, asset, self.device, *when, moves=self.moves)


class Bindings(BaseModel):
    """All that tells about an asset."""

    items: list[Binding] = Field(description="Each subject's periods, as they hold now.")


@router.get("", responses=documented(UnknownAsset))
def list_bindings(caller: TheCaller, asset: AssetId) -> Bindings:
    """What tells, told and will tell about an asset."""
    with caller.reading() as reader:
        queries.known_asset(reader, asset)
        return _all(reader.bindings_of(asset))


@router.post("", responses=documented(UnknownAsset, Unregistered, Conflict, BeforeEdge))
def bind(caller: TheCaller, asset: AssetId, body: BindingBody) -> Bindings:
    """Let a tag or a device tell about an asset: also what it observed before it was said so.
    Doing it again changes nothing."""
    with caller.writing() as (tx, act):
        queries.known_asset(tx, asset)
        body.make(tx, asset, act)
        return _all(tx.bindings_of(asset))


@router.delete("/{subject}", responses=documented(UnknownAsset, Unregistered, BeforeEdge))
def unbind(
    caller: TheCaller,
    asset: AssetId,
    subject: Annotated[
        str, Path(description="The tag's id, or the device.", examples=["trk-1", "tag:E280"])
    ],
    since: Since = None,
) -> Bindings:
    """From a time on, let a tag or a device tell about an asset no more; without `since`, as if
    it never had. What is left."""
    with caller.writing() as (tx, act):
        queries.known_asset(tx, asset)
        registry.unbind(tx, asset, subject, since, act)
        return _all(tx.bindings_of(asset))


def _all(bindings: list[model.Binding]) -> Bindings:
    return Bindings(items=[Binding.of(one) for one in bindings])
