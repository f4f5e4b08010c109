"""A simulated world as files: what there is, what comes to the gateway, and what is true."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
import yaml

from firmware_sim.world.assets import Asset, Progress, Tag
from firmware_sim.world.chance import random_of
from firmware_sim.world.journeys import Visit
from firmware_sim.world.mishaps import AGAIN_MS, delivered
from firmware_sim.world.places import Place, Reader
from firmware_sim.world.simulation import Simulation
from firmware_sim.world.wear import hidden

INSPECTIONS, WEAR = "INSPECTIONS.jsonl", "WEAR.jsonl"  # of a scenario in which assets wear
WORLD, MESSAGES, TRUTH = "WORLD.yaml", "MESSAGES.jsonl", "TRUTH.jsonl"
PARTNER = "partner-of-"
Data = dict[str, Any]


def write_files(simulation: Simulation, folder: Path, progress: Progress) -> dict[str, int]:
    """Write the three files; what stands in them, counted."""
    folder.mkdir(parents=True, exist_ok=True)
    write_world(simulation, folder)
    counts = Counter[str](assets=len(simulation.assets))
    with (folder / MESSAGES).open("wb") as file:
        for line in messages(simulation, progress):
            counts["facts" if "fact" in line else "messages"] += 1
            counts["events"] += len(line.get("payload", {}).get("events", ()))
            file.write(orjson.dumps(line) + b"\n")
    counts["visits"] = write_truth(simulation, folder)
    if simulation.scenario.wear is not None:
        counts["inspections"] = _write(inspections(simulation), folder / INSPECTIONS)
        _write(wear(simulation), folder / WEAR)
    return dict(counts)


def write_world(simulation: Simulation, folder: Path) -> None:
    """Write what there is, as a file to import."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / WORLD).write_text(world_text(simulation), "utf-8")


def world_text(simulation: Simulation) -> str:
    """What stands in WORLD."""
    text: str = yaml.dump(
        world(simulation), sort_keys=False, allow_unicode=True, default_flow_style=None, width=100
    )
    return text


def write_truth(simulation: Simulation, folder: Path) -> int:
    """Write what is true; the number of visits."""
    return _write(truth(simulation), folder / TRUTH)


def _write(some: Iterator[Data], file: Path) -> int:
    lines = [orjson.dumps(line) + b"\n" for line in some]
    file.write_bytes(b"".join(lines))
    return len(lines)


def messages(simulation: Simulation, progress: Progress) -> Iterator[Data]:
    """The lines of MESSAGES in arrival order."""
    arrivals: list[tuple[int, int, Data]] = []
    sources = [*simulation.sources()]
    for n, source in enumerate(sources, 1):
        for line in delivered(simulation.scenario, source.device, source.reports, source.fares):
            arrivals.append((line.received_at, len(arrivals), line._asdict()))
        progress(n, len(sources))
    random = random_of(simulation.scenario.seed, "facts twice")
    for fact in simulation.facts():
        said = {"received_at": fact.received_at, "fact": fact.body}
        arrivals.append((fact.received_at, len(arrivals), said))
        if random.random() < simulation.scenario.mishaps.duplicates:
            again = fact.received_at + random.randrange(AGAIN_MS)
            arrivals.append((again, len(arrivals), said | {"received_at": again}))
    return (line for _, _, line in sorted(arrivals, key=lambda arrival: arrival[:2]))


def truth(simulation: Simulation) -> Iterator[Data]:
    """The lines of TRUTH: of each asset every stage, from the world's start to its end."""
    end = simulation.scenario.end_ms
    for asset in simulation.assets:
        for visit in asset.visits:
            until = min(visit.until, end)
            yield {"asset": asset.id, "stage": visit.stage, "from": visit.since, "to": until}


def inspections(simulation: Simulation) -> Iterator[Data]:
    """The lines of INSPECTIONS: what inspectors find, as a request would tell it."""
    for asset in simulation.assets:
        for n, check in enumerate(asset.checks, 1):
            if check.at < simulation.scenario.end_ms:
                found = {"asset": asset.id, "at": check.at, "failed": check.failed}
                grade = "D" if check.failed else "A"
                yield {"id": f"insp-{asset.id}-{n}", "inspection": found | {"grade": grade}}


def wear(simulation: Simulation) -> Iterator[Data]:
    """The lines of WEAR: what is true of each asset's wear, and at each inspection."""
    scenario = simulation.scenario
    assert scenario.wear is not None
    for asset in simulation.assets:
        true = hidden(scenario.wear, scenario.seed, asset.id)
        told = {"asset": asset.id, "scale": true.scale, "shape": scenario.wear.shape}
        checks = [check._asdict() for check in asset.checks if check.at < scenario.end_ms]
        yield told | {"knocks": true.knocks, "checks": checks}


def world(simulation: Simulation) -> Data:
    """What WORLD says."""
    scenario, places = simulation.scenario, simulation.places
    customers = places.of("customer")
    data = {
        "retour": 1,
        "sites": [_site(place) for place in places.sites.values()],
        "zones": [
            {"id": z.id, "site": z.site, "stage": z.stage, "adjacent": [*z.adjacent]}
            for z in places.zones.values()
        ],
        "readers": [_reader(simulation, reader) for reader in places.readers if reader.known],
        "trackers": [_tracker(simulation, a.tracker) for a in simulation.assets if a.tracker],
        "assets": [_asset(simulation, asset) for asset in simulation.assets],
        "partners": [
            {"id": f"{PARTNER}{p.id}", "name": p.name, "kind": "customer", "sites": [p.id]}
            for p in customers
        ],
        "leases": [lease for asset in simulation.assets for lease in _leases(simulation, asset)],
    }
    if not scenario.leases.share:
        data["partners"] = []
    return {key: value for key, value in data.items() if value}


def _site(place: Place) -> Data:
    center = [round(place.center.lon, 6), round(place.center.lat, 6)]
    data = {
        "id": place.id,
        "name": place.name,
        "kind": place.kind,
        "timezone": place.timezone,
        "stage": place.stage,
        "geofence": {"center": center, "radius_m": place.radius_m},
    }
    return {key: value for key, value in data.items() if value}


def _reader(simulation: Simulation, reader: Reader) -> Data:
    given = simulation.scenario.readers
    only = len(reader.antennas) == 1
    data: Data = {"device": reader.device}
    data |= {"zone": reader.antennas[1]} if only else {"antennas": reader.antennas}
    if reader.mode == "portal":
        return data | {"mode": "portal", "miss": given.miss}
    stated = {"cycle_s": given.cycle_s, "miss": given.miss, "stray": given.stray}
    return data | (stated if given.stated else {})


def _tracker(simulation: Simulation, device: str) -> Data:
    given = simulation.scenario.trackers
    intervals = {
        "rest_interval_s": given.rest_interval_s,
        "moving_interval_s": given.moving_interval_s,
    }
    return {"device": device} | (intervals if given.stated else {})


def _asset(simulation: Simulation, asset: Asset) -> Data:
    given = simulation.scenario.assets
    data: Data = {"id": asset.id, "class": given.class_, "home": asset.home.id}
    if given.initial_told:
        data["initial_stage"] = asset.visits[0].stage
    if asset.tags:
        data["tags"] = [_tag(tag) for tag in asset.tags]
    return data | ({"trackers": [{"device": asset.tracker}]} if asset.tracker else {})


def _tag(tag: Tag) -> Data:
    times = {"since": tag.since, "until": tag.until}
    return {"epc": tag.epc} | {key: _iso(at) for key, at in times.items() if at is not None}


def _iso(at: int) -> str:
    return datetime.fromtimestamp(at / 1_000, UTC).isoformat(timespec="milliseconds")


def _leases(simulation: Simulation, asset: Asset) -> Iterator[Data]:
    """A lease for some of an asset's uses, to be back after as long as uses last by the plan."""
    scenario = simulation.scenario
    random = random_of(scenario.seed, "leases", asset.id)
    planned = sum(
        scenario.stages[stage].mean_h
        for stage in ("in_use", "return_requested", "return_transit")
        if stage in scenario.stages
    )
    number = 0
    for visit in asset.visits:
        site = _used_at(visit)
        begins = site is not None and visit.since < scenario.end_ms
        if not begins or random.random() >= scenario.leases.share:
            continue
        number += 1
        since = datetime.fromtimestamp(visit.since / 1_000, UTC).date()
        due = since + timedelta(days=round(planned / 24 + scenario.leases.slack_days))
        lease = {"id": f"L-{asset.id}-{number}", "customer": f"{PARTNER}{site}", "site": site}
        yield lease | {"lines": [{"asset": asset.id, "from": since, "due": due}]}


def _used_at(visit: Visit) -> str | None:
    return visit.stays[0].site if visit.stage == "in_use" else None
