"""What assets have been through."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from pydantic import BaseModel, Field

from api.auth import TheCaller
from api.parameters import AssetId
from api.problems import documented
from api.times import Time
from tracker.living import used_of
from tracker.ports import Reader
from tracker.queries import UnknownAsset
from tracker.used import Felt
from tracker.wear import Worn

router = APIRouter(prefix="/v1", tags=["lives"])


class FeltAnswer(BaseModel):
    """What a sensor felt from a value on, up to the next one."""

    since: float = Field(alias="from", description="From this value on.", examples=[2.5])
    times: int | None = Field(description="How often; null: it lasts.", examples=[3])
    hours: float | None = Field(description="For how long; null: it is over at once.", examples=[4])


class Harm(BaseModel):
    """What of it is harm, by the bounds of its class."""

    knocks: int = Field(description="Knocks from `shock_from` on.", examples=[3])
    shock_dose: float = Field(description="g beyond that, of all of them.", examples=[7.5])
    degree_hours: float = Field(description="Outside of `temperature`.", examples=[12.5])


class Battery(BaseModel):
    """The charge of a tracker that tells about an asset now."""

    device: str = Field(description="The tracker.", examples=["trk-1"])
    charge: float = Field(description="0 to 1.", examples=[0.83])
    at: Time = Field(description="When it said so, UTC.")


class UsageAnswer(BaseModel):
    """What an asset has been through, whichever trackers it had."""

    asset: str = Field(description="The asset.", examples=["drill-7"])
    at: Time = Field(description="The time that is told of, on the asset's clock, UTC.")
    trips: int = Field(description="How often it came to a depot after it was out.", examples=[41])
    hours: dict[str, float] = Field(
        description="In each stage, as its observations tell them.", examples=[{"in_use": 812.5}]
    )
    in_use: float = Field(description="Hours with customers.", examples=[812.5])
    in_transit: float = Field(description="Hours on its way.", examples=[96.0])
    idle: float = Field(description="Hours ready.", examples=[400.0])
    in_work: float = Field(description="Hours in receiving, inspection and work.", examples=[31.0])
    kilometres: float = Field(description="How far it moved.", examples=[5120.4])
    repairs: int = Field(description="How often it came to be repaired.", examples=[2])
    doors: int = Field(description="How often its door was opened.", examples=[12])
    felt: dict[str, list[FeltAnswer]] = Field(
        description="What its sensors felt (shock in g, tilt in degrees, temperature in degrees "
        "Celsius, humidity in percent), by bins.",
        examples=[{"shock": [{"from": 2.5, "times": 3, "hours": None}]}],
    )
    harm: Harm | None = Field(description="Null: nothing is known of its class.")
    batteries: list[Battery] = Field(description="Of its trackers.")


@router.get("/assets/{asset}/usage", responses=documented(UnknownAsset))
def get_usage(caller: TheCaller, asset: AssetId) -> UsageAnswer:
    """What an asset has been through until now. Late data corrects it."""
    with caller.about(asset) as reader:
        now, found = used_of(reader, asset, caller.now())
        devices = [b.subject for b in reader.bindings_of(asset) if b.holds_at(now)]
        batteries = [one for id in devices if (one := _battery(reader, id)) is not None]
    felt = {name: [_felt(one) for one in some] for name, some in found.felt.items()}
    more = {"hours": dict(found.hours), "felt": felt, "harm": _harm(found.harm)}
    told_all = found._asdict() | more
    return UsageAnswer(asset=asset, at=now, batteries=batteries, **told_all)


def _harm(borne: Worn | None) -> Harm | None:
    if borne is None:
        return None
    return Harm(knocks=borne.knocks, shock_dose=borne.shock_dose, degree_hours=borne.degree_hours)


def _felt(one: Felt) -> FeltAnswer:
    told: dict[str, Any] = {"from": one.from_, "times": one.times, "hours": one.hours}
    return FeltAnswer(**told)


def _battery(reader: Reader, device: str) -> Battery | None:
    status = reader.device(device)
    if status is None or (vital := status.vitals.get("battery")) is None:
        return None
    return Battery(device=device, charge=float(vital.value), at=vital.at)
