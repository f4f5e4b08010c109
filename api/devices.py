"""Devices: which there are, when they were last heard, what of theirs is receipted."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, replace
from itertools import islice
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Response
from pydantic import BaseModel, ConfigDict, Field
from pydantic.config import JsonDict

from api.answers import created
from api.arranged import listing_of
from api.auth import TheCaller
from api.cursors import Cursor, Limit, Page, cut
from api.etags import TAGGED, show_version
from api.parameters import DeviceName, Expected
from api.problems import documented
from api.times import Time
from tracker import model, queries, registry
from tracker.places import Name, Seconds
from tracker.ports import Reader
from tracker.queries import UnknownDevice
from tracker.receipts import Progress
from tracker.record import UNKNOWN_DEVICE
from tracker.registry import Conflict
from tracker.setup_ports import DeviceStatus
from tracker.worldvalues import Word

router = APIRouter(prefix="/v1/devices", tags=["devices"])

BOOTS_AT_MOST = 10
PAGE = 1_000
_devices = listing_of("devices")
_strangers = listing_of("strangers")
_PROFILE: JsonDict = {"kind": "tracker", "name": "Blue 7's tracker", "rest_interval_s": 21600}


class DeviceBody(BaseModel):
    """A device's profile as it shall be."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [_PROFILE]})

    kind: Word = Field(
        default="tracker", description="`tracker`, `reader`, or what it is.", examples=["tracker"]
    )
    name: Name = Field(default="", description="What people call it.", examples=["Tracker 7"])
    rest_interval_s: Seconds | None = Field(
        default=None, description="Seconds between its reports at rest.", examples=[21600]
    )
    moving_interval_s: Seconds | None = Field(
        default=None, description="Seconds between its reports while it moves.", examples=[3600]
    )
    power: Word | None = Field(
        default=None, description="What it runs on, in a word.", examples=["battery"]
    )


class Battery(BaseModel):
    """What a device last reported of its battery."""

    value: float | str = Field(
        description="How full it is, 0 to 1, or what the device says instead.", examples=[0.83]
    )
    at: Time = Field(description="When: event time, UTC.")


class Firmware(BaseModel):
    """What a device last reported of its firmware."""

    value: str = Field(description="The version, in its own words.", examples=["2.4.1"])
    at: Time = Field(description="When: event time, UTC.")


class Device(BaseModel):
    """A registered device."""

    id: str = Field(description="Its id, as in its topics.", examples=["trk-1"])
    kind: str = Field(description="`tracker`, `reader`, or what it is.", examples=["tracker"])
    name: str = Field(description="What people call it.", examples=["Tracker 7"])
    rest_interval_s: float | None = Field(
        description="Seconds between its reports at rest; null: not stated.", examples=[21600]
    )
    moving_interval_s: float | None = Field(
        description="Seconds between its reports while it moves; null: not stated.",
        examples=[3600],
    )
    power: str | None = Field(
        description="What it runs on, in a word; null: not stated.", examples=["battery"]
    )
    recording: bool = Field(
        description="Whether it replays a recording: its stamps may be of any age."
    )
    last_seen: Time | None = Field(
        description="When its last message came in, UTC; null: none yet."
    )
    silent: bool | None = Field(
        description="Whether it was not heard for three of its longest interval; null: it states "
        "none, or was never heard."
    )
    battery: Battery | None = Field(description="Its battery; null: never reported.")
    firmware: Firmware | None = Field(description="Its firmware; null: never reported.")
    missing: int = Field(description="How many messages have not come yet.", examples=[2])
    lost: int = Field(description="How many messages the device no longer holds.", examples=[0])


class Numbers(BaseModel):
    """Sequence numbers of messages, `low` to `high`, both included."""

    low: int = Field(description="The first of them.", examples=[1037])
    high: int = Field(description="The last of them.", examples=[1038])


class Hole(Numbers):
    """Messages that have not come yet."""

    since: Time = Field(description="When they were seen to be missing, UTC.")


class Boot(BaseModel):
    """What is accounted for of the messages that a device sent since one of its starts."""

    boot: str = Field(description="The start's random name.", examples=["9f3a01c2"])
    seq: int | None = Field(
        description="As in the receipt: all up to this number is accounted for, but for "
        "`missing`; null: no receipt yet.",
        examples=[1041],
    )
    missing: list[Numbers] = Field(description="As in the receipt: at most 8 ranges.")
    holes: list[Hole] = Field(description="All that has not come yet, also after `seq`.")
    lost: list[Numbers] = Field(description="What the device no longer holds.")


class DeviceDetail(Device):
    """A device and its newest boots."""

    boots: list[Boot] = Field(
        description="By last reception, newest first.", max_length=BOOTS_AT_MOST
    )


class DeviceChange(DeviceDetail):
    """What came of a device's change."""

    adopted: int = Field(
        description="How many observations were taken out of quarantine and stored, for it is "
        "registered now.",
        examples=[3],
    )


class DevicePage(Page[Device]):
    """Devices by id."""


class Stranger(BaseModel):
    """A device that nobody registered, and what is held back of it."""

    id: str = Field(description="Its id, as in its topics.", examples=["trk-9"])
    observations: int = Field(description="How many are held in quarantine.", examples=[3])
    first: Time = Field(description="When the first of them came in, UTC.")
    last: Time = Field(description="When the last of them came in, UTC.")


class StrangerPage(Page[Stranger]):
    """Unknown devices by id."""


@router.get("")
def list_devices(
    caller: TheCaller,
    silent: Annotated[
        bool | None,
        Query(description="Only those that are silent, or are not.", examples=[True]),
    ] = None,
    kind: Annotated[
        str | None, Query(description="Only those of a kind.", examples=["tracker"])
    ] = None,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> DevicePage:
    """Registered devices, by id."""
    after = _devices.position(cursor, silent, kind) or ""
    now = caller.now()
    with caller.reading() as reader:
        wanted = (
            one
            for one in _every_device(reader, after)
            if kind in (None, one.device.kind)
            and (silent is None or silent == bool(_is_silent(one, now)))
        )
        rows, last = cut(list(islice(wanted, limit + 1)), limit)
    return DevicePage(
        items=[Device(**_fields(row, now)) for row in rows],
        next=_devices.cursor(last.device.id, silent, kind) if last else None,
    )


@router.get("/unknown")
def list_unknown_devices(
    caller: TheCaller, limit: Limit = 100, cursor: Cursor = None
) -> StrangerPage:
    """Devices that send but that nobody registered, by id: what they sent is in quarantine."""
    after = _strangers.position(cursor) or ""
    with caller.reading() as reader:
        rows, last = cut(reader.strangers(after, limit + 1), limit)
    return StrangerPage(
        items=[
            Stranger(id=id, observations=count, first=first, last=newest)
            for id, count, first, newest in rows
        ],
        next=_strangers.cursor(last[0]) if last else None,
    )


@router.get("/{device}", responses=documented(UnknownDevice))
def get_device(caller: TheCaller, response: Response, device: DeviceName) -> DeviceDetail:
    """A device: its profile, what it reports of itself, and its receipt positions."""
    with caller.reading() as reader:
        status = queries.device_status(reader, device)
    show_version(response, status.device.version)
    return DeviceDetail(**_detail(status, caller.now()))


@router.put("/{device}", responses=created(DeviceChange) | documented(Conflict))
def put_device(
    caller: TheCaller,
    response: Response,
    device: DeviceName,
    body: DeviceBody,
    expected: Expected,
) -> DeviceChange:
    """Register a device, or replace its profile. What it sent before it was registered is taken
    out of quarantine, stored and receipted."""
    with caller.writing() as (tx, act):
        known = tx.devices([device]).get(device)
        profile = replace(known or model.Device(device, body.kind), **dict(body))
        adopted = registry.save_device(tx, profile, caller.policy, act, expected)
        status = queries.device_status(tx, device)
    if known is None:
        response.status_code = 201
    show_version(response, status.device.version)
    return DeviceChange(**_detail(status, caller.now()), adopted=adopted)


@router.post(
    "/{device}/adopt",
    status_code=201,
    responses=documented(UnknownDevice, Conflict) | {201: TAGGED},
)
def adopt_device(
    caller: TheCaller,
    response: Response,
    device: Annotated[str, Path(description="The unknown device's id.", examples=["trk-9"])],
    body: DeviceBody | None = None,
) -> DeviceChange:
    """Register an unknown device that has sent something, and take that out of quarantine. A
    profile may be given; else it is a tracker of which nothing is stated."""
    with caller.writing() as (tx, act):
        if tx.devices([device]):
            raise Conflict(f"device {device} is registered already")
        if not tx.quarantined(device, UNKNOWN_DEVICE):
            raise UnknownDevice(device)
        profile = replace(model.Device(device, "tracker"), **dict(body or ()))
        adopted = registry.save_device(tx, profile, caller.policy, act)
        status = queries.device_status(tx, device)
    show_version(response, status.device.version)
    return DeviceChange(**_detail(status, caller.now()), adopted=adopted)


def _every_device(reader: Reader, after: str) -> Iterator[DeviceStatus]:
    while page := reader.device_list(after, PAGE):
        yield from page
        after = page[-1].device.id


def _is_silent(status: DeviceStatus, now: int) -> bool | None:
    return queries.is_silent(status.device, status.last_received, now)


def _fields(status: DeviceStatus, now: int) -> dict[str, Any]:
    progress = [one for _, one in status.boots]
    battery, firmware = (status.vitals.get(name) for name in ("battery", "firmware"))
    return {
        **asdict(status.device),
        "last_seen": status.last_received,
        "silent": _is_silent(status, now),
        "battery": battery and {"value": _number(battery.value), "at": battery.at},
        "firmware": firmware and firmware._asdict(),
        "missing": sum(hole.high - hole.low + 1 for one in progress for hole in one.holes),
        "lost": sum(span.high - span.low + 1 for one in progress for span in one.lost),
    }


def _number(text: str) -> float | str:
    """The share that a text says, or the text where it says something else.

    >>> _number("0.83"), _number("low")
    (0.83, 'low')
    """
    try:
        value = float(text)
    except ValueError:
        return text
    return value if 0 <= value <= 1 else text


def _detail(status: DeviceStatus, now: int) -> dict[str, Any]:
    boots = [_boot(*one) for one in status.boots[:BOOTS_AT_MOST]]
    return _fields(status, now) | {"boots": boots}


def _boot(name: str, progress: Progress) -> Boot:
    seq, missing = progress.receipt()
    return Boot(
        boot=name,
        seq=seq if seq >= 0 else None,
        missing=[Numbers(low=low, high=high) for low, high in missing],
        holes=[Hole(low=low, high=high, since=since) for low, high, since in progress.holes],
        lost=[Numbers(low=low, high=high) for low, high in progress.lost],
    )
