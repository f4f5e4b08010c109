"""Devices: which there are, when they were last heard, what of theirs is receipted."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path
from pydantic import BaseModel, Field, TypeAdapter

from api.auth import TheCaller
from api.cursors import BadCursor, Cursor, Limit, Listing, Page, cut
from api.problems import EVERYWHERE, documented
from api.times import Time
from tracker import queries
from tracker.ports import DeviceStatus
from tracker.queries import UnknownDevice
from tracker.receipts import Progress

router = APIRouter(prefix="/v1/devices", tags=["devices"], responses=documented(*EVERYWHERE))

BOOTS_AT_MOST = 10
_devices = Listing("devices", TypeAdapter(tuple[str, str]))


class Device(BaseModel):
    """A registered device."""

    id: str = Field(description="Its id, as in its topics.", examples=["trk-1"])
    kind: str = Field(description="What sort of device it is.", examples=["tracker"])
    recording: bool = Field(
        description="Whether it replays a recording: its stamps may be of any age."
    )
    last_seen: Time | None = Field(
        description="When its last message came in, UTC; null: none yet."
    )


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


class DevicePage(Page[Device]):
    """Devices by id."""


@router.get("", responses=documented(BadCursor))
def list_devices(caller: TheCaller, limit: Limit = 100, cursor: Cursor = None) -> DevicePage:
    """All registered devices, by id."""
    after = _devices.position(cursor) or ""
    with caller.reading() as reader:
        rows, last = cut(reader.device_list(after, limit + 1), limit)
    return DevicePage(
        items=[_device(row) for row in rows],
        next=_devices.cursor(last.device.id) if last else None,
    )


@router.get("/{device}", responses=documented(UnknownDevice))
def get_device(
    caller: TheCaller,
    device: Annotated[str, Path(description="The device's id.", examples=["trk-1"])],
) -> DeviceDetail:
    """A device, when it was last heard, and its receipt positions."""
    with caller.reading() as reader:
        status = queries.device_status(reader, device)
    boots = [_boot(*one) for one in status.boots[:BOOTS_AT_MOST]]
    return DeviceDetail(**dict(_device(status)), boots=boots)


def _device(status: DeviceStatus) -> Device:
    device = status.device
    return Device(
        id=device.id,
        kind=device.kind,
        recording=device.recording,
        last_seen=status.last_received,
    )


def _boot(name: str, progress: Progress) -> Boot:
    seq, missing = progress.receipt()
    return Boot(
        boot=name,
        seq=seq if seq >= 0 else None,
        missing=[Numbers(low=low, high=high) for low, high in missing],
        holes=[Hole(low=low, high=high, since=since) for low, high, since in progress.holes],
        lost=[Numbers(low=low, high=high) for low, high in progress.lost],
    )
