"""The simulated trackers and readers report what their world is like."""

from __future__ import annotations

from itertools import islice

import pytest

from firmware_sim.__main__ import _parser
from firmware_sim.clock import Clock
from firmware_sim.geometry import Point
from firmware_sim.reader import Reader, Visit
from firmware_sim.tracker import Stop, Tracker, round_trip

DEPOT, CUSTOMER = Point(51.92, 4.48), Point(51.95, 4.40)
TRIP = [Stop(DEPOT, 0, 3_600_000), Stop(CUSTOMER, 5_400_000, 9_000_000), Stop(DEPOT, 10_800_000, 0)]


def events(world, until_ms: int) -> list[dict]:
    reported = []
    while world.next_due_ms <= until_ms:
        reported += world.step(world.next_due_ms)
    return reported


def of(kind: str, reported: list[dict]) -> list[tuple[int, dict]]:
    return [(event["at"], event[kind]) for event in reported if kind in event]


def test_a_tracker_says_when_it_starts_and_stops_moving():
    reported = events(Tracker(TRIP), 20_000_000)
    assert of("status", reported) == [
        (0, {"moving": False}),
        (3_600_000, {"moving": True}),
        (5_400_000, {"moving": False}),
        (9_000_000, {"moving": True}),
        (10_800_000, {"moving": False}),
    ]


def test_a_tracker_reports_more_often_on_the_way():
    fixes = of("fix", events(Tracker(TRIP, rest_interval_s=600, moving_interval_s=60), 5_399_000))
    assert [at for at, _ in fixes] == [
        *range(0, 3_600_000, 600_000),
        *range(3_600_000, 5_400_000, 60_000),
    ]


def test_a_tracker_is_about_where_it_is_and_its_speed_is_that_of_the_way():
    fixes = dict(of("fix", events(Tracker(TRIP, seed=3), 20_000_000)))
    for at, place in ((0, DEPOT), (5_400_000, CUSTOMER), (20_000_000 // 60_000 * 60_000, DEPOT)):
        assert Point(fixes[at]["lat"], fixes[at]["lon"]).metres_to(place) < 6 * fixes[at]["acc"]
        assert fixes[at]["speed"] == 0
    way = [fix for at, fix in fixes.items() if 3_600_000 <= at < 5_400_000]
    mean = sum(fix["speed"] for fix in way) / len(way)
    assert mean == pytest.approx(DEPOT.metres_to(CUSTOMER) / 1_800, rel=0.1)
    assert all(0 <= fix["heading"] < 360 for fix in way)


def test_a_battery_only_falls_and_a_seed_is_a_world():
    first, second, other = (events(Tracker(TRIP, seed=seed), 10_000_000) for seed in (1, 1, 2))
    charge = [sensors["battery"] for _, sensors in of("sensor", first)]
    assert charge == sorted(charge, reverse=True)
    assert 0 < charge[-1] < charge[0] <= 1
    assert first == second != other


def test_a_tracker_with_one_place_rests_there():
    tracker = Tracker(round_trip([DEPOT], 1_000))
    assert of("status", events(tracker, 10_000_000)) == [(1_000, {"moving": False})]


@pytest.mark.parametrize(("words", "leaves_ms"), [("--rest 30", 30_000), ("", 70_000)])
def test_a_tracker_at_the_terminal_drives_off_when_it_is_told_to(words, leaves_ms):
    options = _parser().parse_args(["tracker", "--device", "t", "--url", "u", *words.split()])
    reported = events(options.world(options, 0), 600_000)
    assert of("status", reported)[:2] == [(0, {"moving": False}), (leaves_ms, {"moving": True})]


def test_a_round_trip_goes_on_for_ever_and_crosses_the_date_line_the_short_way():
    west, east = Point(0, 179.9), Point(0, -179.9)
    stops = list(islice(round_trip([west, east], 0, rest_s=0, speed=10), 1_000))
    assert stops[-1].arrive_ms == pytest.approx(999 * west.metres_to(east) * 100)
    assert west.towards(east, 0.75).lon == pytest.approx(-179.95)
    assert west.bearing_to(east) == pytest.approx(90)


def test_a_reader_reads_the_tags_in_its_field_once_a_cycle():
    visits = [Visit("AA"), Visit("BB", 60_000, 120_000)]
    reads = of("read", events(Reader(visits, start_ms=0, cycle_s=30, miss=0), 150_000))
    assert [(at, read["epc"]) for at, read in reads] == [
        (0, "AA"),
        (30_000, "AA"),
        (60_000, "AA"),
        (60_000, "BB"),
        (90_000, "AA"),
        (90_000, "BB"),
        (120_000, "AA"),
        (150_000, "AA"),
    ]
    assert all(read["count"] >= 1 and read["antenna"] == 1 for _, read in reads)
    assert all(-90 < read["rssi"] < -20 for _, read in reads)


def test_a_reader_misses_some():
    reads = events(Reader([Visit("AA")], start_ms=0, cycle_s=1, miss=0.25, seed=5), 1_999_000)
    assert 1_400 < len(reads) < 1_600


def test_an_accelerated_clock():
    assert Clock.from_environment({}) == Clock()
    assert Clock().at(1_790_000_000_000) == 1_790_000_000_000
    assert Clock.from_environment({"RETOUR_CLOCK": "1000:60"}).at(2_000) == 61_000


@pytest.mark.parametrize("text", ["1790000000000", "x:1", "1:x", "1:0", "1:-2", "1:inf", "1:nan"])
def test_a_clock_that_is_none(text):
    with pytest.raises(ValueError, match="RETOUR_CLOCK"):
        Clock.parse(text)
