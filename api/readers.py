"""Readers: where fixed RFID readers stand, and which zones they watch."""

from __future__ import annotations

from fastapi import APIRouter, Response
from pydantic import ConfigDict, Field
from pydantic.config import JsonDict

from api import arranged
from api.answers import created
from api.auth import TheCaller
from api.cursors import Cursor, Limit, Page
from api.parameters import At, Expected, ReaderId, Since, Until
from api.problems import documented
from tracker.arrange import BadPlace
from tracker.places import DeviceId, Reader
from tracker.queries import UnknownPlace
from tracker.registry import BeforeEdge, Unregistered

router = APIRouter(prefix="/v1/readers", tags=["readers"])

_readers = arranged.listing_of("readers")
_EXAMPLE: JsonDict = {"antennas": {"1": "z_inspection"}, "mode": "portal"}


class ReaderBody(Reader):
    """A reader as it shall be."""

    model_config = ConfigDict(json_schema_extra={"examples": [_EXAMPLE]})

    device: DeviceId | None = Field(  # type: ignore[assignment]  # the path has said it
        default=None, description="Its device id; left out, or as in the path.", examples=["rdr-1"]
    )


class ReaderPage(Page[Reader]):
    """Readers by device id."""


class ReaderHistory(arranged.History[Reader]):
    """A reader's history."""


class ReaderChange(arranged.Change[Reader]):
    """What came of a reader's change."""


@router.get("")
def list_readers(
    caller: TheCaller, at: At = None, limit: Limit = 100, cursor: Cursor = None
) -> ReaderPage:
    """Where readers stand and what they watch, by device id, now or at a time."""
    with caller.reading() as reader:
        readers = reader.layout().readers(at)
    return ReaderPage(**arranged.page_of(readers, cursor, limit, _readers, at))


@router.get("/{reader}", responses=documented(UnknownPlace))
def get_reader(caller: TheCaller, response: Response, reader: ReaderId) -> ReaderHistory:
    """A reader, with all the places where it ever stood."""
    return ReaderHistory(**arranged.history(caller, response, "reader", reader))


@router.put(
    "/{reader}",
    responses=created(ReaderChange) | documented(Unregistered, BadPlace, BeforeEdge),
)
def put_reader(
    caller: TheCaller,
    response: Response,
    reader: ReaderId,
    body: ReaderBody,
    expected: Expected,
    since: Since = None,
    until: Until = None,
) -> ReaderChange:
    """Say where a registered device stands and which zones it watches, for a time: from always,
    where `since` is left out. What it has read is told anew."""
    arranged.refuse_other_id(body.device, reader, "device")
    value = Reader(**{**dict(body), "device": reader})
    return ReaderChange(**arranged.put(caller, response, value, since, until, expected))


@router.delete("/{reader}", responses=documented(UnknownPlace, BeforeEdge))
def delete_reader(
    caller: TheCaller,
    response: Response,
    reader: ReaderId,
    expected: Expected,
    since: Since = None,
) -> ReaderChange:
    """From a time on, a device is no fixed reader any more; without `since`, as if it had never
    been one."""
    return ReaderChange(**arranged.remove(caller, response, "reader", reader, since, expected))
