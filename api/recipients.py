"""Recipients: who is told of alerts, and how. No secret of theirs is ever shown again."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Path, Response
from pydantic import ConfigDict, Field
from pydantic.config import JsonDict

from api import arranged
from api.answers import created
from api.auth import TheCaller
from api.cursors import Cursor, Limit, Page
from api.etags import show_version
from api.parameters import Expected
from api.problems import documented
from tracker.delivery_ports import ChannelRefused, NoChannels, Outcome
from tracker.enlist import NoChannel, UnknownRecipient, channel_of, dismiss, enlist, recipient_of
from tracker.notices import LEFT, TRIAL, leave, trial
from tracker.places import Value
from tracker.recipients import TO_MQTT, Described, RecipientId, Secret, Url, masked
from tracker.recipients import Recipient as Stored
from tracker.registry import Unregistered

router = APIRouter(prefix="/v1/recipients", tags=["alerts"])

_recipients = arranged.listing_of("recipients")
_EXAMPLE: JsonDict = {
    "name": "Night shift",
    "url": "https://example.com/hooks/retour",
    "filters": {"rules": ["overdue"], "severities": ["critical"]},
    "quiet": {"since": "22:00", "until": "07:00", "timezone": "Europe/Amsterdam"},
}
RecipientInPath = Annotated[RecipientId, Path(description="The recipient's id.", examples=["ops"])]


class RecipientBody(Described):
    """A recipient as it shall be."""

    model_config = ConfigDict(json_schema_extra={"examples": [_EXAMPLE]})

    id: RecipientId | None = Field(
        default=None, description="Its id; left out, or as in the path.", examples=["ops"]
    )
    url: Url | None = Field(
        default=None,
        description="The channel: the URL of a webhook, one of Apprise, or `mqtt:`. Left out, or "
        "as it was shown: as it is.",
        examples=["https://example.com/hooks/retour"],
    )
    secret: Secret | None = Field(
        default=None,
        description="What webhooks are signed with: `whsec_` and 24 to 64 bytes in base64. Left "
        "out: as it is, or a new one.",
        examples=["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"],
    )


class Recipient(Described):
    """Somebody, or something, that is told of alerts."""

    id: str = Field(description="Its id.", examples=["ops"])
    url: str = Field(
        description="The channel, without what may be secret in it.",
        examples=["https://example.com/***"],
    )


class RecipientPut(Recipient):
    """A recipient as it is now."""

    secret: str | None = Field(
        description="What its webhooks are signed with, where this request has made it: it is "
        "shown this once.",
        examples=["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"],
    )


class RecipientPage(Page[Recipient]):
    """Recipients by id."""


class Tried(Value):
    """What became of a test."""

    id: str = Field(description="The id of the message.", examples=["ops-test-1767614400000"])
    ok: bool = Field(description="Whether it was taken.", examples=[True])
    told: str = Field(
        description="How it ended, in words; nothing of what was answered.", examples=["HTTP 204"]
    )


@router.get("")
def list_recipients(caller: TheCaller, limit: Limit = 100, cursor: Cursor = None) -> RecipientPage:
    """Who is told of alerts, by id."""
    with caller.reading() as reader:
        found = {id: Recipient(**_shown(one)) for id, one in reader.recipients().items()}
    return RecipientPage(**arranged.page_of(found, cursor, limit, _recipients, None))


@router.get("/{recipient}", responses=documented(UnknownRecipient))
def get_recipient(caller: TheCaller, response: Response, recipient: RecipientInPath) -> Recipient:
    """A recipient."""
    with caller.reading() as reader:
        found = recipient_of(reader, recipient)
    show_version(response, found.version)
    return Recipient(**_shown(found))


@router.put(
    "/{recipient}",
    responses=created(RecipientPut)
    | documented(ChannelRefused, NoChannel, NoChannels, Unregistered),
)
def put_recipient(
    caller: TheCaller,
    response: Response,
    recipient: RecipientInPath,
    body: RecipientBody,
    expected: Expected,
) -> RecipientPut:
    """Have somebody told of alerts, or change how. A webhook must lead to a public address, unless
    `RETOUR_WEBHOOKS_ALLOW` names it."""
    arranged.refuse_other_id(body.id, recipient, "id")
    with caller.reading("write") as reader:
        url = channel_of(reader, recipient, body.url)
    caller.channels.check(url)  # between transactions: a name server may be slow
    described = Described(**body.model_dump(exclude={"id", "url", "secret"}))
    with caller.writing() as (tx, act):
        made = enlist(tx, recipient, url, body.secret, described, act, expected)
    if made.before is None:
        response.status_code = 201
    show_version(response, made.recipient.version)
    secret = made.recipient.secret if made.is_secret_new else None
    return RecipientPut(**_shown(made.recipient), secret=secret)


@router.delete("/{recipient}", status_code=204, responses=documented(UnknownRecipient))
def delete_recipient(caller: TheCaller, recipient: RecipientInPath) -> Response:
    """Tell somebody nothing any more, nor what still waits. What was sent stays listed."""
    with caller.writing() as (tx, act):
        dismiss(tx, recipient, act)
    return Response(status_code=204)


@router.post("/{recipient}/test", responses=documented(UnknownRecipient, NoChannels))
def try_recipient(caller: TheCaller, recipient: RecipientInPath) -> Tried:
    """Send a message that only tries the channel, once and at once, and tell what became of it."""
    with caller.reading("write") as reader:
        found = recipient_of(reader, recipient)
    message = trial(recipient, caller.wall())
    if found.url == TO_MQTT:
        with caller.writing() as (tx, _):
            leave(tx, TRIAL, message)
        outcome = Outcome(True, LEFT)
    else:
        outcome = caller.channels.send(found, message)
    return Tried(id=message.id, ok=outcome.ok, told=outcome.told)


def _shown(recipient: Stored) -> dict[str, Any]:
    told = recipient.model_dump(exclude={"secret", "version"})
    return {**told, "url": masked(recipient.url)}
