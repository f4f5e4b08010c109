"""What observations tell of states: rates of marks, reads, fixes, and places elsewhere."""

from math import isclose

import numpy as np
import pytest

from tracker.case import Cadence, Case, Roles
from tracker.chain import Chain
from tracker.evidence import ASTRAY_PER_H, DOWN_PER_H, Evidence
from tracker.filter import turn
from tracker.layout import EMPTY, Layout
from tracker.model import Asset, Binding, Fix, Read
from tracker.places import Circle, Reader, Site, Zone
from tracker.process import shipped
from tracker.versions import Version

NOW = 1_790_000_000_000
HOUR = 3_600_000
TAG = "urn:epc:id:grai:0614141.12345.5678"
PALLETS = shipped()["pallet-pool"]
ROLES = Roles("depot", "hub", "customer")
DEPOT, CUSTOMER, HUB = (4.48, 51.92), (4.30, 51.80), (4.40, 51.88)

SITES = (
    Site(id="depot", kind="depot", geofence=Circle(center=DEPOT, radius_m=120)),
    Site(id="customer", kind="customer", geofence=Circle(center=CUSTOMER, radius_m=150)),
    Site(id="hub", kind="hub", geofence=Circle(center=HUB, radius_m=150)),
)
ZONES = (
    Zone(id="z-in", site="depot", stage="inspection", adjacent=["z-fix", "z-out"]),
    Zone(id="z-fix", site="depot", stage="repair", adjacent=["z-in"]),
    Zone(id="z-out", site="depot", stage="outbound"),
)
READERS = (
    Reader(device="r-in", zone="z-in", cycle_s=1800, miss=0.2, stray=0.1),
    Reader(device="r-fix", zone="z-fix", cycle_s=3600, miss=0.5, stray=0.2),
)


def layout_of(*places):
    versions = []
    for n, place in enumerate(places, 1):
        id = place.device if isinstance(place, Reader) else place.id
        kind = type(place).__name__.lower()
        versions.append(Version(n, kind, id, None, None, 0, place))
    return Layout(versions)


WORLD = layout_of(*SITES, *ZONES, *READERS)


def evidence_of(layout=WORLD, tracked=False, process=PALLETS):
    return Evidence(Chain(process, tracked=tracked), layout)


def tagged(**known):
    return Case(Asset("A1"), (Binding("A1", TAG),), **known)


def carried(rest=21_600.0, moving=3_600.0):
    """An asset with a tracker; its cadence, seconds."""
    cadence = Cadence(rest, moving)
    return Case(Asset("A1"), (Binding("A1", "trk"),), (("trk", cadence),))


def by_stage(evidence, row):
    """What holds of each stage's first state with its tracker up."""
    chain = evidence.chain
    return {name: row[n] for name, n in zip(chain.stages, chain.starts, strict=True)}


@pytest.fixture
def read_in(make):
    """What a read in the inspection's zone tells."""

    def told(evidence, rssi=-54.0, count=6, device="r-in"):
        row = make.message((NOW, Read(TAG, 1, rssi, count)), device=device).observations[0]
        return evidence.read(row, row.what, ROLES)

    return told


# How often a state makes marks


def test_a_tag_is_read_in_its_zone_and_astray_beside_it():
    evidence = evidence_of()
    rates = by_stage(evidence, evidence.profile(tagged(), ROLES, NOW).rates)
    own_in, own_fix = 0.8 * 2, 0.5 * 1
    stray_in, stray_fix = 0.1 * 2 / 2, 0.2 * 1  # spread over the zones beside it
    assert rates["inspection"] == pytest.approx(own_in + stray_fix)
    assert rates["repair"] == pytest.approx(own_fix + stray_in)
    assert rates["outbound"] == pytest.approx(stray_in)  # it stands at the dock
    assert (rates["in_use"], rates["ready"]) == (0, 0)


def test_readers_of_other_sites_than_its_own_are_not_waited_for():
    evidence = evidence_of()
    assert not evidence.profile(tagged(), Roles("hub", "hub", None), NOW).rates.any()
    assert not evidence.profile(tagged(), Roles(), NOW).rates.any()


def test_a_site_that_is_two_of_its_sites_is_waited_for_once():
    evidence = evidence_of()
    once = evidence.profile(tagged(), Roles("depot"), NOW).rates
    twice = evidence.profile(tagged(), Roles("depot", None, "depot"), NOW).rates
    assert (once == twice).all()


def test_what_has_no_tag_then_is_not_waited_for():
    evidence = evidence_of()
    case = Case(Asset("A1"), (Binding("A1", TAG, since=NOW),))
    assert not evidence.profile(case, ROLES, NOW - 1).rates.any()
    assert evidence.profile(case, ROLES, NOW).rates.any()
    assert evidence.cuts(case, ROLES, NOW - HOUR, NOW + HOUR) == [NOW]


def test_without_a_stated_cadence_silence_tells_nothing():
    """Lambda is 0, and the prediction the same object, so the same bits."""
    unstated = [reader.model_copy(update={"cycle_s": None}) for reader in READERS]
    for evidence, case in (
        (evidence_of(layout_of(*SITES, *ZONES, *unstated)), tagged()),
        (evidence_of(layout_of(*SITES, *ZONES)), tagged()),
        (evidence_of(EMPTY), tagged()),
        (evidence_of(tracked=True), carried(rest=None, moving=None)),
    ):
        profile = evidence.profile(case, ROLES, NOW)
        assert not profile.rates.any()
        assert profile.silent is profile.free


def test_a_portal_is_not_waited_for():
    portal = Reader(device="r-in", zone="z-in", mode="portal", cycle_s=1800)
    evidence = evidence_of(layout_of(*SITES, *ZONES, portal))
    assert not evidence.profile(tagged(), ROLES, NOW).rates.any()


def test_a_tracker_reports_as_it_says_unless_it_is_down_or_in_the_dark():
    evidence = evidence_of(tracked=True)
    rates = evidence.profile(carried(), ROLES, NOW).rates
    for state, rate in zip(evidence.chain.states, rates, strict=True):
        expected = 1.0 if state.at == "road" else 1 / 6
        if not state.up or state.at == "dark":
            expected = DOWN_PER_H
        assert rate == pytest.approx(expected)


def test_what_tells_of_itself_alike_has_the_same_profile():
    one, other = evidence_of(), evidence_of()
    first, second = (e.profile(tagged(), ROLES, NOW) for e in (one, other))
    assert first.id == second.id
    assert one.profile(tagged(), ROLES, NOW + HOUR) is first
    assert one.profile(tagged(), Roles(), NOW).id != first.id


def test_a_reader_that_begins_elsewhere_does_not_change_how_it_tells_of_itself():
    away = (
        Site(id="d-2", kind="depot"),
        Zone(id="z-2", site="d-2", stage="inspection", adjacent=["z-in"]),
    )
    reader = Reader(device="r-2", zone="z-2", cycle_s=60)
    begun = Version(99, "reader", "r-2", NOW - HOUR, None, 0, reader)
    versions = [
        Version(n, type(p).__name__.lower(), getattr(p, "id", None) or p.device, None, None, 0, p)
        for n, p in enumerate((*SITES, *ZONES, *READERS, *away), 1)
    ]
    evidence = evidence_of(Layout([*versions, begun]))
    before, after = (evidence.profile(tagged(), ROLES, at) for at in (NOW - 2 * HOUR, NOW))
    assert before is after
    assert before.rates.tobytes() == evidence_of().profile(tagged(), ROLES, NOW).rates.tobytes()


# Reads


def test_a_reader_with_figures_of_its_own_is_read_by_them(read_in):
    """Where a weak read is what a reader's own zone gives, it tells more of that zone, and of
    nothing else; the other readers are read as before."""
    weak = READERS[0].model_copy(update={"rssi": (-70.0, 4.0), "stray_rssi": (-85.0, 4.0)})
    assert weak.device == "r-in"
    own, stated = evidence_of(layout_of(*SITES, *ZONES, weak, *READERS[1:])), evidence_of()

    def odds(evidence, **read):
        told = by_stage(evidence, read_in(evidence, -70.0, None, **read)[1].likelihood[0])
        return told["inspection"] / told["repair"]

    assert odds(own) > 5 * odds(stated)
    assert odds(own, device="r-fix") == odds(stated, device="r-fix")


def test_a_read_speaks_for_the_stage_of_its_zone(read_in):
    evidence = evidence_of()
    roles, mark, watch = read_in(evidence)
    told = by_stage(evidence, mark.likelihood[0])
    assert max(told, key=told.get) == "inspection"
    assert (roles.depot, mark.kind, mark.what, watch.zone.id) == ("depot", "read", "z-in", "z-in")
    assert (mark.likelihood > 0).all()


def test_a_weak_read_may_be_astray(read_in):
    """From -54 dBm and 6 answers down to -67 and 1, it speaks less and less for its zone."""
    evidence = evidence_of()
    odds = []
    for rssi, count in ((-54.0, 6), (-60.0, 4), (-64.0, 2), (-67.0, 1)):
        told = by_stage(evidence, read_in(evidence, rssi, count)[1].likelihood[0])
        odds.append(told["inspection"] / told["repair"])
    assert odds == sorted(odds, reverse=True)
    assert odds[0] > 30
    assert odds[-1] < 1


def test_a_read_without_figures_tells_by_its_rates_alone(read_in):
    evidence = evidence_of()
    told = by_stage(evidence, read_in(evidence, None, None)[1].likelihood[0])
    assert told["inspection"] == pytest.approx(0.8 * 2 + ASTRAY_PER_H)
    assert told["repair"] == pytest.approx(0.1 + ASTRAY_PER_H)
    assert told["in_use"] == pytest.approx(ASTRAY_PER_H)


@pytest.mark.parametrize(
    ("rssi", "count"), [(-1e9, 1), (1e9, 1), (0.0, 10**9), (-54.0, -3), (-54.0, 0), (0.0, None)]
)
def test_odd_figures_leave_every_state_possible(read_in, rssi, count):
    likelihood = read_in(evidence_of(), rssi, count)[1].likelihood
    assert np.isfinite(likelihood).all()
    assert (likelihood > 0).all()


def test_a_read_by_a_reader_of_nowhere_tells_nothing(read_in):
    assert read_in(evidence_of(), device="nobody") is None
    assert read_in(evidence_of(layout_of(*SITES, READERS[0]))) is None


def test_a_read_at_another_depot_moves_its_depot_there(make):
    second = (
        Site(id="d-2", kind="depot"),
        Zone(id="z-2", site="d-2", stage="inspection"),
        Reader(device="r-2", zone="z-2"),
    )
    evidence = evidence_of(layout_of(*SITES, *ZONES, *READERS, *second))
    row = make.message((NOW, Read(TAG, 1)), device="r-2").observations[0]
    roles, mark, _ = evidence.read(row, row.what, ROLES)
    assert roles == ROLES._replace(depot="d-2")
    told = by_stage(evidence, mark.likelihood[0])
    assert max(told, key=told.get) == "inspection"


def passed(evidence, kernel, stage):
    """What is believed of stages after a passage, before which an asset was in one."""
    after = turn(evidence.chain.entered(evidence.chain.number[stage])[:1], kernel)
    return by_stage(evidence, after[0])


@pytest.mark.parametrize(("stage", "likely"), [("received", "inspection"), ("in_use", "in_use")])
def test_a_passage_is_the_way_into_its_zone_for_who_may_come(read_in, stage, likely):
    portal = Reader(device="r-in", zone="z-in", mode="portal", miss=0.2)
    evidence = evidence_of(layout_of(*SITES, *ZONES, portal))
    told = passed(evidence, read_in(evidence)[1].likelihood, stage)
    assert max(told, key=told.get) == likely


def test_who_is_not_seen_at_a_portal_has_not_passed_it(read_in):
    portal = Reader(device="r-in", zone="z-in", mode="portal", miss=0.2)
    evidence = evidence_of(layout_of(*SITES, *ZONES, portal))
    profile = evidence.profile(tagged(), ROLES, NOW)
    assert not profile.rates.any()
    start = evidence.chain.entered(evidence.chain.number["received"])[:1]
    free = by_stage(evidence, profile.free.predict(start, 6 * 360)[0])
    silent = by_stage(evidence, profile.silent.predict(start, 6 * 360)[0])
    assert silent["inspection"] < 0.5 * free["inspection"]
    assert silent["received"] > free["received"]


def test_who_passes_two_portals_has_gone_on_to_the_second_zone(read_in):
    portals = [
        Reader(device="r-in", zone="z-in", mode="portal"),
        Reader(device="r-rec", zone="z-rec", mode="portal"),
    ]
    zones = [
        Zone(id="z-in", site="depot", stage="inspection"),
        Zone(id="z-rec", site="depot", stage="received"),
    ]
    evidence = evidence_of(layout_of(*SITES, *zones, *portals))
    watches = {w.zone.id: w for w in evidence.watches("depot", NOW)}
    kernel = evidence.passage_on(watches["z-rec"], watches["z-in"], ROLES)
    told = passed(evidence, kernel, "received")
    assert told["inspection"] > told["received"] > told["repair"]


# Trackers


def fix_at(evidence, place, roles=ROLES, acc=8.0):
    lon, lat = place
    return evidence.fix(Fix(lat, lon, acc), NOW, roles)


@pytest.mark.parametrize(
    ("place", "at"), [(DEPOT, "depot"), (CUSTOMER, "customer"), (HUB, "hub"), ((5.9, 50.9), "road")]
)
def test_a_fix_speaks_for_the_states_that_are_there(place, at):
    evidence = evidence_of(tracked=True)
    _, mark = fix_at(evidence, place)
    located = mark.likelihood[0] / [state.fix for state in evidence.chain.states]
    best = {state.at for state, p in zip(evidence.chain.states, located, strict=True)
            if isclose(p, located.max())}  # fmt: skip
    assert at in best
    assert best <= ({at} if at != "road" else {"road", "elsewhere", "dark"})


def test_a_fix_on_a_border_is_half_inside():
    evidence = evidence_of(tracked=True)
    north = (DEPOT[0], DEPOT[1] + 120 / 111_195)
    inside = by_stage(evidence, fix_at(evidence, DEPOT)[1].likelihood[0])["ready"]
    border = by_stage(evidence, fix_at(evidence, north, acc=30.0)[1].likelihood[0])["ready"]
    assert border / inside == pytest.approx(0.51, abs=0.05)


def test_a_fix_at_another_customer_moves_its_site_there():
    other = Site(id="cust-2", kind="customer", geofence=Circle(center=(4.9, 52.4), radius_m=100))
    evidence = evidence_of(layout_of(*SITES, other), tracked=True)
    roles, mark = fix_at(evidence, (4.9, 52.4))
    assert roles == ROLES._replace(customer="cust-2")
    told = by_stage(evidence, mark.likelihood[0])
    assert max(told, key=told.get) in ("in_use", "return_requested")


def test_a_site_that_means_a_stage_tells_of_it():
    shop = Site(
        id="shop", kind="partner", stage="repair", geofence=Circle(center=(4.6, 51.9), radius_m=80)
    )
    evidence = evidence_of(layout_of(*SITES, shop), tracked=True)
    roles, mark = fix_at(evidence, (4.6, 51.9))
    assert roles == ROLES
    told = by_stage(evidence, mark.likelihood[0])
    assert max(told, key=told.get) == "repair"
    assert told["repair"] > 50 * told["refurbish"]


def test_a_fix_where_no_fence_is_known_tells_no_place():
    evidence = evidence_of(EMPTY, tracked=True)
    _, mark = fix_at(evidence, DEPOT, Roles())
    located = mark.likelihood[0] / [state.fix for state in evidence.chain.states]
    assert located == pytest.approx(np.ones(len(located)))


def test_motion_speaks_for_the_road():
    evidence = evidence_of(tracked=True)
    moving, still = evidence.motion(True)[0], evidence.motion(False)[0]
    assert moving + still == pytest.approx(np.ones(len(moving)))
    road = [state.at == "road" for state in evidence.chain.states]
    assert moving[road].min() == pytest.approx(0.85)
    assert still[road].max() == pytest.approx(0.15)


# Every kind of evidence leaves every state possible


@pytest.mark.parametrize("name", shipped())
@pytest.mark.parametrize("tracked", [False, True], ids=["untracked", "tracked"])
def test_no_mark_rules_a_state_out(read_in, name, tracked):
    evidence = evidence_of(tracked=tracked, process=shipped()[name])
    marks = [fix_at(evidence, place)[1].likelihood for place in (DEPOT, CUSTOMER, (0.0, 0.0))]
    marks += [evidence.motion(True), evidence.motion(False), evidence.no_fix()]
    marks += [evidence.reports(Cadence(60.0, 1.0)), read_in(evidence)[1].likelihood]
    for likelihood in marks:
        assert (likelihood > 0).all()
