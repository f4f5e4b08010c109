"""What rules about assets look at, gathered from what is known of one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress

from tracker.conditions import BATTERY, TEMPERATURE, AssetLook, Reading, Source
from tracker.fold import Belief
from tracker.inference import Setting
from tracker.layout import Layout
from tracker.leases import Line
from tracker.life import Life
from tracker.overdue import OUT, Glance
from tracker.ports import Reader
from tracker.present import Present
from tracker.setup_ports import DeviceStatus
from tracker.whereabouts import LEFT


def sight(
    reader: Reader,
    setting: Setting,
    belief: Belief | None,
    told: Present | None,
    glance: Glance,
    lines: Sequence[Line],
    hits: tuple[Reading, ...] = (),
    life: Life | None = None,
) -> AssetLook:
    """What is known of an asset, at the time of a glance on its lease lines; `hits` are those that
    it has felt since the last one."""
    case, now = setting.case, glance.now
    stay = belief.whereabouts.stay if belief is not None else None
    stage, since = (told.told.stage, told.told.since) if told is not None else (None, now)
    leased = any(line.ended is None and line.start_at <= now for line in lines)
    devices = [one for id in case.trackers_at(now) if (one := reader.device(id)) is not None]
    heard = belief.at if belief is not None else None
    is_out = stage in OUT and not leased
    return AssetLook(
        now=now,
        class_=case.asset.class_,
        stage=stage,
        stage_since=since,
        p=glance.p,
        site=stay.site if stay is not None else None,
        site_since=stay.since if stay is not None else now,
        left=_left(reader, setting.asset, setting.layout) if is_out else None,
        leased=leased,
        line_ended=max((line.ended.at for line in lines if line.ended is not None), default=None),
        sources=tuple(_source(one, heard, setting) for one in devices if heard is not None),
        newest=tuple(reading for one in devices for reading in _newest(one)),
        highest=hits,
        life=life,
    )


def _left(reader: Reader, asset: str, layout: Layout) -> int | None:
    """When an asset was last seen to leave a depot."""
    sites = layout.sites()
    left = (
        visit.until
        for visit in reader.visits(asset)
        if visit.ended == LEFT and visit.site in sites and sites[visit.site].kind == "depot"
    )
    return max(left, default=None)


def _source(status: DeviceStatus, heard: int, setting: Setting) -> Source:
    """One tracker that is heard is enough, so all have been silent since the last one was."""
    device = status.device
    bound = [b.since or 0 for b in setting.case.bindings if b.subject == device.id]
    stated = [s for s in (device.rest_interval_s, device.moving_interval_s) if s is not None]
    interval = round(max(stated) * 1_000) if stated else None
    return Source(device.id, max(heard, *bound), interval, device.power)


def _newest(status: DeviceStatus) -> Iterator[Reading]:
    for name in (BATTERY, TEMPERATURE):
        vital = status.vitals.get(name)
        with suppress(ValueError):  # a device may call anything its battery
            if vital is not None:
                yield Reading(name, status.device.id, vital.at, float(vital.value))
