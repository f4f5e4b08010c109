"""The leases of a world file, as they are judged: as the file says, clashes and all."""

from __future__ import annotations

from collections.abc import Iterator

from tracker.lease_terms import Lease as Stated
from tracker.leases import End, Lease, Line, ends_at, starts_at, time_zone
from tracker.world import World


def leases_of(world: World) -> Iterator[Lease]:
    """The leases of a world."""
    zones = {site.value.id: site.value.timezone for site in world.sites}
    depots = [site.value.timezone for site in world.sites if site.value.kind == "depot"]
    for one in world.leases:
        zone = time_zone(one.timezone, zones.get(one.site), depots)
        yield Lease(
            one.id,
            one.customer,
            (one.site, *one.sites),
            zone,
            one.return_to,
            one.grace_h,
            one.open_days,
            tuple(one.consignees),
            tuple(_lines(one, zone)),
        )


def _lines(lease: Stated, zone: str) -> Iterator[Line]:
    for n, line in enumerate(lease.lines, 1):
        ended = End(line.ended.how, line.ended.at) if line.ended is not None else None
        times = (starts_at(line.start, zone), ends_at(line.due, zone))
        days = (line.start, line.due)
        yield Line(lease.id, line.id or str(n), line.asset, line.kind, *days, *times, ended)
