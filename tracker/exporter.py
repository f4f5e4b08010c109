"""What is registered as a world: the file that an import would make the same of.

What refers to something that is given up as if it had never been does not refer to it here.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from typing import TypeVar

from tracker import lease_terms as terms
from tracker.asset_ports import AssetFilter
from tracker.layout import PlaceValue
from tracker.leases import Lease, Line, Partner
from tracker.model import Asset, Binding, Device, is_device_id
from tracker.places import Reader, Site, Zone
from tracker.ports import Reader as Stored
from tracker.queries import every_lease
from tracker.versions import Version, timeline
from tracker.world import AssetEntry, TagBinding, Timed, Tracker, TrackerBinding, World

PAGE = 10_000
_V = TypeVar("_V", Site, Zone, Reader)


def export_world(stored: Stored) -> World:
    """All that is registered now and that a world file can say."""
    sites = _places(stored, Site)
    known_sites = {site.value.id for site in sites}
    zones = [zone for zone in _places(stored, Zone) if zone.value.site in known_sites]
    known_zones = {zone.value.id for zone in zones}
    readers = [_within(reader, known_zones) for reader in _places(stored, Reader)]
    bindings = defaultdict(list)
    for binding in stored.every_binding():
        bindings[binding.asset].append(binding)
    return World(
        sites=sites,
        zones=[_beside(zone, known_zones) for zone in zones],
        readers=[reader for reader in readers if reader is not None],
        trackers=[_tracker(device) for device in _devices(stored) if device.kind == "tracker"],
        assets=[_entry(asset, bindings, known_sites) for asset in _assets(stored)],
        partners=[_partner(partner, known_sites) for partner in stored.partners().values()],
        leases=[
            _lease(lease, known_sites)
            for lease in every_lease(stored)
            if lease.sites[0] in known_sites
        ],
    )


def _places(stored: Stored, kind: type[_V]) -> list[Timed[_V]]:
    """What there was when, by thing; those that were set up first come first."""
    versions: dict[str, list[Version[PlaceValue]]] = defaultdict(list)
    for version in stored.versions(kind.__name__.lower()):
        versions[version.id].append(version)
    return [
        Timed[kind](value=spell.value, since=spell.since, until=spell.until)  # type: ignore[valid-type]
        for of_one in versions.values()
        for spell in timeline(of_one)
    ]


def _beside(zone: Timed[Zone], zones: Collection[str]) -> Timed[Zone]:
    adjacent = [name for name in zone.value.adjacent if name in zones]
    return zone.model_copy(update={"value": zone.value.model_copy(update={"adjacent": adjacent})})


def _within(reader: Timed[Reader], zones: Collection[str]) -> Timed[Reader] | None:
    """A reader without zones that there are not; None where nothing is left to say of it."""
    value = reader.value
    zone = value.zone if value.zone in zones else None
    antennas = {antenna: name for antenna, name in value.antennas.items() if name in zones}
    if zone is None and not antennas and value.place is None:
        return None
    known = value.model_copy(update={"zone": zone, "antennas": antennas})
    return reader.model_copy(update={"value": known})


def _tracker(device: Device) -> Tracker:
    return Tracker(
        device=device.id,
        rest_interval_s=device.rest_interval_s,
        moving_interval_s=device.moving_interval_s,
        power=device.power,
    )


def _entry(
    asset: Asset, bindings: Mapping[str, list[Binding]], sites: Collection[str]
) -> AssetEntry:
    own = sorted(bindings.get(asset.id, ()), key=lambda b: (b.subject, b.since or 0))
    return AssetEntry(
        id=asset.id,
        kind=asset.class_,
        name=asset.name,
        home=asset.home if asset.home in sites else None,
        initial_stage=asset.initial_stage,
        attributes=dict(asset.attributes),
        external_ids=dict(asset.external_ids),
        tags=[
            TagBinding(epc=one.subject, since=one.since, until=one.until)
            for one in own
            if not is_device_id(one.subject)
        ],
        trackers=[
            TrackerBinding(device=one.subject, since=one.since, until=one.until)
            for one in own
            if is_device_id(one.subject)
        ],
    )


def _partner(partner: Partner, sites: Collection[str]) -> terms.Partner:
    own = [site for site in partner.sites if site in sites]
    return terms.Partner(id=partner.id, name=partner.name, kind=partner.kind, sites=own)


def _lease(lease: Lease, sites: Collection[str]) -> terms.Lease:
    delivery, *others = (site for site in lease.sites if site in sites)
    return terms.Lease(
        id=lease.id,
        customer=lease.customer,
        site=delivery,
        sites=others,
        timezone=lease.timezone,
        return_to=lease.return_to if lease.return_to in sites else None,
        grace_h=lease.grace_h,
        open_days=lease.open_days,
        consignees=[*lease.consignees],
        attributes=dict(lease.attributes),
        lines=[_line(line) for line in lease.lines],
    )


def _line(line: Line) -> terms.LeaseLine:
    end = None if line.ended is None else terms.Ending(how=line.ended.how, at=line.ended.at)
    return terms.LeaseLine(
        id=line.id,
        asset=line.asset,
        kind=line.class_,
        start=line.start,
        due=line.due,
        ended=end,
    )


def _devices(stored: Stored) -> Iterator[Device]:
    after = ""
    while page := stored.device_list(after, PAGE):
        yield from (status.device for status in page)
        after = page[-1].device.id


def _assets(stored: Stored) -> Iterator[Asset]:
    after = ""
    while page := stored.assets(AssetFilter(), after, PAGE):
        yield from page
        after = page[-1].id
