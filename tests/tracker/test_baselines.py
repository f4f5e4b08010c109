"""The simple rules, on a depot with two zones and a customer."""

import pytest

from tracker.baselines.debounced import debounced
from tracker.baselines.hints import hint, stage_at
from tracker.baselines.last_zone import last_zone
from tracker.baselines.rule import DWELL, rule
from tracker.case import Case
from tracker.chain import Chain
from tracker.facts import observed
from tracker.inference import Inference
from tracker.layout import Layout
from tracker.model import Asset, Fact, Fix, Kind, Observation, Read
from tracker.places import Circle, Reader, Site, Zone
from tracker.process import shipped
from tracker.versions import Version

HOUR = 3_600_000
DEPOT, CUSTOMER, NOWHERE = (51.92, 4.48), (51.80, 4.30), (51.0, 4.0)


def circle(place):
    return Circle(center=place[::-1], radius_m=200)


PLACES = [
    Site(id="depot", kind="depot", geofence=circle(DEPOT)),
    Site(id="cust", kind="customer", geofence=circle(CUSTOMER)),
    Site(id="fixit", kind="partner", stage="repair", geofence=circle((52.5, 5.0))),
    Zone(id="z-ready", site="depot", stage="ready"),
    Zone(id="z-out", site="depot", stage="outbound"),
    Reader(device="rdr-ready", zone="z-ready"),
    Reader(device="rdr-out", zone="z-out"),
]


@pytest.fixture
def setting():
    versions = [
        Version(n, kind(place), place_id(place), None, None, 0, place)
        for n, place in enumerate(PLACES, 1)
    ]
    return Inference(Layout(versions)).setting(Case(Asset("A1", "pallet")))


def kind(place):
    return type(place).__name__.lower()


def place_id(place):
    return place.device if isinstance(place, Reader) else place.id


def seen(at, what, device="trk-1"):
    sort = Kind.FIX if isinstance(what, Fix) else Kind.READ
    return Observation(b"k", b"d", sort, device, device, "b", 0, 0, at, at, at, at, b"", what)


def read(at, zone, rssi=-55.0):
    return seen(at, Read("tag", 1, rssi), f"rdr-{zone}")


def fix(at, place):
    return seen(at, Fix(*place, 10.0))


def fact(at, name, stage=None):
    return observed(Fact("A1", name, stage, f"f-{at}"), at, at)


def told(step, setting, *rows):
    """What a rule tells after each row."""
    known, found = None, []
    for row in rows:
        known = step(known, row, setting)
        found.append(known.told)
    return found


@pytest.mark.parametrize(
    ("row", "before", "stage"),
    [
        (read(0, "out"), None, "outbound"),
        (read(0, "out"), "dispose", "outbound"),
        (fix(0, CUSTOMER), "outbound", "in_use"),
        (fix(0, CUSTOMER), "return_requested", "return_requested"),
        (fix(0, NOWHERE), "ready", "outbound"),
        (fix(0, NOWHERE), "in_use", "return_transit"),
        (fix(0, DEPOT), "return_transit", "received"),
        (fix(0, DEPOT), "inspection", "inspection"),
        (fix(0, DEPOT), None, "ready"),
        (fix(0, (52.5, 5.0)), "in_use", "repair"),
        (seen(0, Read("tag", 1, -55.0), "rdr-unknown"), "ready", None),
        (fact(0, "inspected", "repair"), "ready", "repair"),
        (fact(0, "work_done", "refurbish"), "refurbish", "ready"),
        (fact(0, "found"), "lost", "in_use"),
        (fact(0, "lease_ended"), "in_use", None),
    ],
)
def test_hints(setting, row, before, stage):
    assert hint(row, setting, before) == stage


def test_a_place_where_no_stage_is_names_none():
    chain = Chain(shipped()["pallet-pool"], tracked=False)
    assert stage_at("moon", chain, "ready") is None


def test_the_last_zone_counts_at_once(setting):
    rows = [
        read(0, "ready"),
        read(1, "out"),
        seen(2, Read("t", 1, None), "rdr-0"),
        read(3, "ready"),
    ]
    assert told(last_zone, setting, *rows) == ["ready", "outbound", "outbound", "ready"]


def test_two_of_three_count(setting):
    rows = [
        read(n, zone) for n, zone in enumerate(["ready", "ready", "out", "ready", "out", "out"])
    ]
    expected = [None, "ready", "ready", "ready", "outbound", "outbound"]
    assert told(debounced, setting, *rows) == expected


def test_a_fact_counts_at_once(setting):
    rows = [read(0, "ready"), read(1, "ready"), fact(2, "dispatched"), read(3, "ready")]
    expected = ["ready", "ready", "outbound", "outbound"]
    assert told(debounced, setting, *rows)[1:] == expected[1:]
    assert told(rule, setting, *rows)[:3] == expected[:3]


def test_votes_are_weighted_by_how_reads_look(setting):
    rows = [read(n, "ready") for n in range(2)]
    assert told(rule, setting, *rows, *(read(3 + n, "out", -75.0) for n in range(3)))[-1] == "ready"
    assert told(rule, setting, *rows, *(read(3 + n, "out") for n in range(3)))[-1] == "outbound"
    assert told(rule, setting, read(0, "out", -75.0)) == [None]


def test_votes_last_two_hours_of_event_time(setting):
    rows = [read(n, "ready") for n in range(3)]
    assert told(rule, setting, *rows, read(HOUR, "out"))[-1] == "ready"
    assert told(rule, setting, *rows, read(2 * HOUR + 3, "out"))[-1] == "outbound"
    late = read(0, "ready")
    assert told(rule, setting, read(3 * HOUR, "out"), late, late, late)[-1] == "outbound"


def test_a_fence_has_to_hold_for_twelve_hours(setting):
    start = fact(0, "dispatched")
    assert told(rule, setting, start, fix(0, CUSTOMER), fix(DWELL - 1, CUSTOMER))[-1] == "outbound"
    assert told(rule, setting, start, fix(0, CUSTOMER), fix(DWELL, CUSTOMER))[-1] == "in_use"
    broken = [start, fix(0, CUSTOMER), fix(HOUR, NOWHERE), fix(DWELL, CUSTOMER)]
    assert told(rule, setting, *broken)[-1] == "outbound"


def test_what_is_known_is_not_changed(setting):
    for step in (last_zone, debounced, rule):
        known = step(None, read(0, "ready"), setting)
        copy = tuple(known)
        step(known, read(1, "out"), setting)
        assert tuple(known) == copy
