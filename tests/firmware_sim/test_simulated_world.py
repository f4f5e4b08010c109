"""A simulated world comes again for the same seed, tells the truth whole, and is as wrong as its
scenario has it. Figures are of one seed, with bounds of several standard errors."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter, defaultdict
from itertools import pairwise
from math import sqrt

import pytest

from firmware_sim.geometry import Point
from firmware_sim.world import radio
from firmware_sim.world.assets import lying
from firmware_sim.world.files import MESSAGES, TRUTH, WORLD, truth, world, write_files
from firmware_sim.world.mishaps import NEVER_MS, Condition, condition, delivered
from firmware_sim.world.report import Report
from firmware_sim.world.scenario import read_scenario, shipped
from firmware_sim.world.simulation import simulate
from gateway.decoders import decoder_of
from tracker.world import read_world

HOUR = 3_600_000
PLACES = """
seed: 5
depots: [{id: depot, at: [4.48, 51.92], timezone: Europe/Amsterdam}]
scatter: {customers: 3, hubs: 1}
"""
ROUGH = (
    PLACES
    + """
days: 20
assets: {count: 6}
mishaps: {strangers: 1, foreign_tags: 3, rebound: 0.7}
rfid: {down_share: 0.1}
"""
)


def nobody(done, total) -> None:
    """Watches the progress."""


def lived(text: str):
    return simulate(read_scenario(text), nobody)


def written(text: str, folder) -> dict[str, bytes]:
    write_files(lived(text), folder, nobody)
    return {name: (folder / name).read_bytes() for name in (WORLD, MESSAGES, TRUTH)}


def lines(content: bytes) -> list[dict]:
    return [json.loads(line) for line in content.splitlines()]


def test_the_same_seed_is_the_same_world_to_the_byte(tmp_path):
    first, again = written(ROUGH, tmp_path / "a"), written(ROUGH, tmp_path / "b")
    other = written(ROUGH.replace("seed: 5", "seed: 6"), tmp_path / "c")
    assert first == again
    assert all(first[name] != other[name] for name in first)


def test_the_same_seed_is_the_same_world_in_every_process(tmp_path):
    (tmp_path / "small.yaml").write_text(ROUGH)
    found = []
    for hashing in ("1", "2"):
        out = tmp_path / hashing
        command = [sys.executable, "-m", "retour", "simulate", str(tmp_path / "small.yaml")]
        env = os.environ | {"PYTHONHASHSEED": hashing}
        subprocess.run([*command, "--out", str(out)], env=env, check=True, capture_output=True)
        found.append([(out / name).read_bytes() for name in (WORLD, MESSAGES, TRUTH)])
    assert found[0] == found[1]


def test_another_asset_changes_nothing_for_the_others():
    few, more = (lived(ROUGH.replace("count: 6", f"count: {n}")) for n in (6, 7))
    assert [a.visits for a in few.assets] == [a.visits for a in more.assets[:6]]


@pytest.mark.parametrize("name", shipped())
def test_the_truth_has_no_gap_and_covers_all_of_the_time(name):
    scenario = read_scenario(shipped()[name], name)
    herd = scenario.assets.model_copy(update={"count": 8})
    simulation = simulate(scenario.with_(assets=herd), nobody)
    by_asset = defaultdict(list)
    for line in truth(simulation):
        by_asset[line["asset"]].append(line)
    assert len(by_asset) == 8
    for spans in by_asset.values():
        assert (spans[0]["from"], spans[-1]["to"]) == (scenario.start_ms, scenario.end_ms)
        assert all(one["to"] == other["from"] for one, other in pairwise(spans))
        assert all(one["stage"] != other["stage"] for one, other in pairwise(spans))
        assert all(line["from"] < line["to"] for line in spans)


@pytest.mark.parametrize("name", shipped())
def test_assets_are_never_in_two_places_nor_faster_than_their_road(name):
    scenario = read_scenario(shipped()[name], name)
    herd = scenario.assets.model_copy(update={"count": 20})
    for asset in simulate(scenario.with_(assets=herd), nobody).assets:
        for one, other in pairwise(asset.stays()):
            assert one.until == other.since
            if other.where not in ("elsewhere", "dark"):
                assert one.end.metres_to(other.start) < 1_000  # at most across a site
        for stay in asset.stays():
            way = stay.start.metres_to(stay.end)
            assert way <= 1.01 * scenario.speed_m_s * (stay.until - stay.since) / 1_000 + 1


@pytest.mark.parametrize("name", shipped())
def test_the_real_decoder_and_the_real_importer_understand_it(name, tmp_path):
    scenario = read_scenario(shipped()[name], name)
    herd = scenario.assets.model_copy(update={"count": 3})
    simulation = simulate(scenario.with_(assets=herd, days=15), nobody)
    write_files(simulation, tmp_path, nobody)
    read = read_world((tmp_path / WORLD).read_bytes())
    assert len(read.assets) == 3
    decoded = Counter()
    for line in lines((tmp_path / MESSAGES).read_bytes()):
        if "fact" in line:
            continue
        topic, payload = line["topic"], json.dumps(line["payload"]).encode()
        message = decoder_of(topic)(topic, payload, line["received_at"])
        assert message.rejects == []
        decoded[topic.split("/")[-1]] += len(message.observations)
    assert decoded["events"] > 5


def test_messages_come_in_the_order_of_their_arrival_and_facts_not_before_their_time(tmp_path):
    found = lines(written(ROUGH, tmp_path)[MESSAGES])
    received = [line["received_at"] for line in found]
    assert received == sorted(received)
    facts = [line for line in found if "fact" in line]
    assert facts
    assert all(line["fact"]["at"] <= line["received_at"] for line in facts)
    told = {line["fact"]["id"]: line["fact"] for line in facts}
    assert all(told[line["fact"]["id"]] == line["fact"] for line in facts)


def test_a_number_stands_for_one_message_in_every_boot(tmp_path):
    sent = {}
    for line in lines(written(ROUGH, tmp_path)[MESSAGES]):
        if line.get("topic", "").endswith("/events"):
            key = line["topic"], line["payload"]["boot"], line["payload"]["seq"]
            assert sent.setdefault(key, line["payload"]) == line["payload"]
    numbers = defaultdict(set)
    for topic, boot, seq in sent:
        numbers[topic, boot].add(seq)
    assert all(found == {*range(len(found))} for found in numbers.values())
    assert len(numbers) > len({topic for topic, _ in numbers})  # some have started again


def test_a_tag_is_on_one_asset_at_a_time():
    bound = defaultdict(list)
    for asset in world(lived(ROUGH))["assets"]:
        for tag in asset["tags"]:
            bound[tag["epc"]].append((tag.get("since", ""), tag.get("until", "9")))
    again = [sorted(times) for times in bound.values() if len(times) > 1]
    assert again
    assert all(one[1] <= other[0] for times in again for one, other in pairwise(times))


def test_a_tag_lies_only_where_the_asset_is_that_it_is_on():
    simulation = lived(ROUGH)
    places = [
        (
            tag.epc,
            stay.zone,
            max(stay.since, tag.since or 0),
            min(stay.until, tag.until or NEVER_MS),
        )
        for asset in simulation.assets
        for tag in asset.tags
        for stay in asset.stays()
    ]
    zones = lying(simulation.scenario, simulation.places, simulation.assets)
    bound = [
        (presence.epc, zone, presence.since, presence.until)
        for zone, tags in zones.items()
        for presence in tags
        if not presence.epc.startswith("E28")  # foreign
    ]
    assert bound
    assert set(bound) <= set(places)


# How wrong it is


def zone_reads(watched: str, lying: str) -> list[dict]:
    """What a reader of one zone reads of a tag that lies in a zone for 5,000 inventories."""
    zones = "zones: [{stage: inspection, adjacent: [received, repair]}, {stage: received}, "
    simulation = lived(f"{PLACES}days: 120\n{zones}{{stage: repair}}]")
    scenario, places = simulation.scenario, simulation.places
    reader = next(r for r in places.readers if r.antennas == {1: f"depot.{watched}"})
    until = scenario.start_ms + 5_000 * 1_800_000
    tags = {f"depot.{lying}": [radio.Presence("AA", scenario.start_ms, until)]}
    reports = radio.reads(scenario, places, tags, reader)
    return [event["read"] for report in reports for event in report.events]


def test_a_reader_misses_the_share_that_it_should():
    reads = zone_reads("inspection", "inspection")
    assert len(reads) / 5_000 == pytest.approx(0.8, abs=0.03)
    strength = [read["rssi"] for read in reads]
    assert sum(strength) / len(strength) == pytest.approx(-55, abs=0.5)
    assert sum(read["count"] for read in reads) / len(reads) == pytest.approx(6, abs=0.2)


def test_stray_reads_are_spread_over_the_adjacent_zones():
    reads = zone_reads("inspection", "repair")
    assert len(reads) / 5_000 == pytest.approx(0.1 / 2, abs=0.015)
    assert sum(read["rssi"] for read in reads) / len(reads) == pytest.approx(-67, abs=2)
    assert zone_reads("received", "repair") == []


def test_a_portal_sees_tags_enter_and_leave():
    text = f"{ROUGH}\nzones: [{{stage: ready, reader: portal}}]\nreaders: {{miss: 0}}"
    simulation = lived(text)
    scenario, places = simulation.scenario, simulation.places
    start = scenario.start_ms
    presence = radio.Presence("AA", start + 1 * HOUR, start + 9 * HOUR)
    portal = next(reader for reader in places.readers if reader.mode == "portal")
    reports = [*radio.reads(scenario, places, {"depot.ready": [presence]}, portal)]
    assert [round((report.at - start) / HOUR) for report in reports] == [1, 9]


@pytest.fixture(scope="module")
def crowd():
    """Many lives, and GPS without outliers."""
    return lived(f"{PLACES}days: 100\nassets: {{count: 150}}\ngps: {{outliers: 0}}")


@pytest.mark.parametrize(
    ("stage", "mean_h"), [("ready", 96), ("inspection", 4), ("received", 6), ("in_use", 480)]
)
def test_stages_last_as_long_as_the_scenario_says(crowd, stage, mean_h):
    visits = [v for a in crowd.assets for v in a.visits if v.stage == stage]  # not cut at the end
    hours = [(visit.until - visit.since) / HOUR for visit in visits]
    mean = sum(hours) / len(hours)
    assert mean == pytest.approx(mean_h, rel=5 / sqrt(2 * len(hours)))
    spread = sqrt(sum((h - mean) ** 2 for h in hours) / len(hours)) / mean
    assert spread == pytest.approx(1 / sqrt(2), abs=0.12)  # gamma with shape 2; 1 were exponential


def test_what_comes_next_comes_as_often_as_the_scenario_says(crowd):
    after = Counter(
        b.stage for a in crowd.assets for one, b in pairwise(a.visits) if one.stage == "in_use"
    )
    total = sum(after.values())
    for stage, share in crowd.scenario.stages["in_use"].next.items():
        assert after[stage] / total == pytest.approx(share, abs=4 * sqrt(share / total))


@pytest.mark.parametrize(
    ("stage", "where", "share"), [("return_transit", "hub", 0.26), ("lost", "elsewhere", 0.4)]
)
def test_some_go_by_a_hub_and_some_of_the_lost_are_elsewhere_first(crowd, stage, where, share):
    visits = [v for a in crowd.assets for v in a.visits if v.stage == stage]
    found = sum(any(stay.where == where for stay in visit.stays) for visit in visits)
    assert found / len(visits) == pytest.approx(share, abs=4 * sqrt(share / len(visits)))


def test_fixes_are_as_wrong_as_they_should_be(crowd):
    where = {asset.tracker: [*asset.stays()] for asset in crowd.assets}
    errors, fixes, chances = [], Counter(), Counter()
    for source in crowd.sources():
        stays = iter(where.get(source.device, ()))
        stay = next(stays, None)
        for report in source.reports if stay is not None else ():
            while report.at >= stay.until:
                stay = next(stays)
            [event] = report.events
            chances[stay.where] += 1
            if "fix" in event:
                fixes[stay.where] += 1
                point = Point(event["fix"]["lat"], event["fix"]["lon"])
                errors.append(stay.place(report.at).metres_to(point))
    assert sqrt(sum(e * e for e in errors) / len(errors) / 2) == pytest.approx(20, rel=0.05)
    for place in ("depot", "customer", "road"):
        assert fixes[place] / chances[place] == pytest.approx(
            crowd.scenario.gps.fix[place], abs=0.03
        )


def test_a_device_is_down_and_offline_as_often_as_it_should_be(crowd):
    scenario = read_scenario(ROUGH)
    down = offline = 0
    for n in range(400):
        fares = condition(scenario, f"trk-{n}", is_reader=False)
        down += sum(min(b, scenario.end_ms) - a for a, b in fares.down.all)
        offline += sum(min(b, scenario.end_ms) - a for a, b in fares.offline.all)
        assert all(b - a <= 12 * HOUR for a, b in fares.offline.all)
    whole = 400 * (scenario.end_ms - scenario.start_ms)
    assert down / whole == pytest.approx(0.1, abs=0.02)
    assert offline / whole == pytest.approx(0.04, abs=0.01)


def hourly(scenario) -> list[Report]:
    times = range(scenario.start_ms, scenario.end_ms, HOUR)
    return [Report(at, [{"at": at, "status": {"moving": False}}]) for at in times]


def test_what_an_offline_device_keeps_comes_later_in_order():
    wrong = "{offline_share: 0.3, duplicates: 0, reordered: 0, skew_s: 0, drift_ppm: 0}"
    scenario = read_scenario(f"{PLACES}days: 20\nmishaps: {wrong}\ngps: {{down_share: 0}}")
    fares = condition(scenario, "trk-1", is_reader=False)
    found = delivered(scenario, "trk-1", hourly(scenario), fares)
    assert [line.payload["seq"] for line in found] == [*range(480)]
    assert [line.received_at for line in found] == sorted(line.received_at for line in found)
    late = 0
    for line in found:
        end = fares.offline.end(line.payload["sent"])
        late += end is not None
        assert 0 <= line.received_at - (end or line.payload["sent"]) < 60_000
    assert late / 480 == pytest.approx(0.3, abs=0.15)


def test_messages_come_twice_as_often_as_they_should():
    scenario = read_scenario(ROUGH)
    found = []
    for n in range(20):
        found += delivered(scenario, f"trk-{n}", hourly(scenario), Condition.well())
    assert len(found) / (20 * 480) - 1 == pytest.approx(0.02, abs=0.006)


def test_a_clock_that_is_ahead_shows_in_sent():
    scenario = read_scenario(ROUGH)
    fares = {n: condition(scenario, f"trk-{n}", is_reader=False) for n in range(30)}
    ahead = 0
    for n, one in fares.items():
        found = delivered(scenario, f"trk-{n}", hourly(scenario), one)
        ahead += any(line.payload["sent"] > line.received_at + 5_000 for line in found)
    assert 5 < ahead < 25


def test_a_will_tells_that_a_reader_went_and_the_next_connection_that_it_came():
    scenario = read_scenario(f"{PLACES}rfid: {{presence: 1, down_share: 0.3}}")
    fares = condition(scenario, "rdr-1", is_reader=True)
    said = [one.payload for one in delivered(scenario, "rdr-1", [], fares)]
    assert len(said) > 3
    assert [one["online"] for one in said] == [n % 2 == 0 for n in range(len(said))]
    assert all("at" in one for one in said[::2])
    wills = {(one["boot"], one["conn"]) for one in said[1::2]}
    assert len(wills) == len(said) // 2


@pytest.mark.parametrize(("share", "told"), [(0, 0), (1, 1)])
def test_facts_are_told_as_often_as_they_should_be(share, told):
    kinds = "dispatched, received, inspected"
    shares = ", ".join(f"{kind}: {share}" for kind in kinds.split(", "))
    simulation = lived(f"{ROUGH}\nfacts: {{told: {{{shares}}}, error_min: 0}}")
    found = Counter(fact.body["kind"] for fact in simulation.facts())
    end = simulation.scenario.end_ms
    visits = [v for a in simulation.assets for v in a.visits[1:] if v.since < end]
    entered = Counter(visit.stage for visit in visits)
    assert found["dispatched"] == told * entered["outbound"]
    assert found["received"] == told * entered["received"]


def test_facts_say_what_happened():
    text = f"{ROUGH}\nfacts: {{error_min: 0, told: {{inspected: 1, work_done: 1}}}}"
    simulation = lived(text.replace("count: 6", "count: 30").replace("days: 20", "days: 60"))
    stages = {(a.id, v.since): v.stage for a in simulation.assets for v in a.visits}
    left = {(a.id, v.until): v.stage for a in simulation.assets for v in a.visits}
    told = [f.body for f in simulation.facts()]
    outcomes = [one for one in told if one["kind"] == "inspected"]
    assert outcomes
    assert all(one["outcome"] == stages[one["asset"], one["at"]] for one in outcomes)
    work = [one for one in told if one["kind"] == "work_done"]
    assert work
    assert all(one["stage"] == left[one["asset"], one["at"]] for one in work)
