"""The stage of an asset: its observations in their order, whatever else there is."""

from functools import cache
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tracker.account import opened
from tracker.arrange import arrange
from tracker.case import Cadence, Case
from tracker.facts import observed, state
from tracker.filter import update
from tracker.fold import encode, fold
from tracker.inference import Inference
from tracker.layout import Layout
from tracker.model import Asset, Binding, Device, Fact, Fix, Read, Values
from tracker.places import Circle, Reader, Site, Zone
from tracker.process import read_process, shipped
from tracker.registry import bind_device, bind_tag, register_device, save_asset
from tracker.stage import Told, begin, plain, predicted, standing, step, tell
from tracker.verify import verify
from tracker.versions import Version

NOW = 1_790_000_000_000
MINUTE, HOUR = 60_000, 3_600_000
TAG = "urn:epc:id:grai:0614141.12345.5678"
DEPOT, CUSTOMER = (4.48, 51.92), (4.30, 51.80)
PLACES = (
    Site(id="depot", kind="depot", geofence=Circle(center=DEPOT, radius_m=120)),
    Site(id="customer", kind="customer", geofence=Circle(center=CUSTOMER, radius_m=150)),
    Zone(id="z-in", site="depot", stage="inspection"),
    Zone(id="z-fix", site="depot", stage="repair", adjacent=["z-in"]),
    Reader(device="r-in", zone="z-in", cycle_s=1800, miss=0.2, stray=0.1),
    Reader(device="r-fix", zone="z-fix", cycle_s=1800, miss=0.2, stray=0.1),
)
AWAY = (
    Site(id="far", kind="depot", geofence=Circle(center=(13.4, 52.5), radius_m=200)),
    Zone(id="z-far", site="far", stage="repair"),
    Reader(device="r-far", zone="z-far", cycle_s=60, miss=0.0),
)
BEGUN = tuple(
    (NOW + n * HOUR, Zone(id=f"z-{n}", site="far", stage="inspection", adjacent=["z-far"]))
    for n in range(4)
)


def layout_of(places, begun=()):
    """Places that were always there, and some that begin at a time."""
    versions = []
    for n, (since, place) in enumerate([*((None, p) for p in places), *begun], 1):
        id = place.device if isinstance(place, Reader) else place.id
        versions.append(Version(n, type(place).__name__.lower(), id, since, None, 0, place))
    return Layout(versions)


def case_of(tracked=True, cadence=Cadence(21_600.0, 3_600.0), **known):  # noqa: B008
    bindings = [Binding("A1", TAG)]
    if tracked:
        bindings.append(Binding("A1", "trk"))
    return Case(Asset("A1", "pallet", **known), tuple(bindings), (("trk", cadence),))


@cache
def inference(busy=False):
    """Kept from test to test: what has been asked of it must make no difference."""
    return Inference(layout_of((*PLACES, *AWAY), BEGUN) if busy else layout_of(PLACES))


def setting_of(case=None):
    return inference().setting(case or case_of())


class Events:
    """Observations of the asset, each of its own key."""

    def __init__(self, make):
        self._make, self._number = make, 0

    def _row(self, at, what, device):
        self._number += 1
        return self._make.message((at, what), device=device, seq=self._number).observations[0]

    def read(self, at, device="r-in", rssi=-54.0, count=6):
        return self._row(at, Read(TAG, 1, rssi, count), device)

    def fix(self, at, place=DEPOT, speed=None):
        return self._row(at, Fix(place[1], place[0], 8.0, speed), "trk")

    def report(self, at, **values):
        return self._row(at, Values(values or {"temperature": 21.5}), "trk")

    def fact(self, at, kind, stage=None):
        self._number += 1
        return observed(Fact("A1", kind, stage, f"f-{self._number}"), at, at)


@pytest.fixture
def events(make):
    return Events(make)


def run(rows, setting=None, known=None):
    """The standing after rows, and what was told on the way."""
    setting, told = setting or setting_of(), []
    for row in rows:
        known, transition = step(known, row, setting.case, setting.evidence)
        told += [transition] if transition else []
    return known, told


def stages(known, setting=None):
    chain = (setting or setting_of()).evidence.chain
    return dict(zip(chain.stages, chain.by_stage(known.row())[0], strict=True))


# What is told


def test_reads_in_a_zone_tell_its_stage_and_why(events):
    known, told = run(events.read(NOW + n * 30 * MINUTE) for n in range(4))
    assert known.told.stage == "inspection"
    (one,) = told
    assert (one.stage, one.was) == ("inspection", None)
    assert one.p >= 0.8
    assert one.why.reasons[0][:2] == ("read", "z-in")
    weights = one.why.before + sum(reason.weight for reason in one.why.reasons)
    assert weights == pytest.approx(one.why.total, abs=1e-9)


def test_a_single_stray_read_tells_no_other_stage(events):
    rows = [events.read(NOW + n * 30 * MINUTE) for n in range(6)]
    rows.append(events.read(NOW + 160 * MINUTE, "r-fix", -67.0, 1))
    known, told = run(rows)
    assert known.told.stage == "inspection"
    assert len(told) == 1


def test_silence_of_a_reader_speaks_against_its_zone(events):
    setting = setting_of()
    known, _ = run([events.read(NOW + n * 30 * MINUTE) for n in range(6)])
    until = known.tick * 10_000
    p = []
    for hours in (0, 1, 2, 4):
        rows = predicted(known, setting.case, setting.evidence, until + hours * HOUR)
        q = setting.evidence.chain.by_stage(rows)[0]
        p.append(q[setting.evidence.chain.number["inspection"]])
    assert p == sorted(p, reverse=True)
    assert p[-1] < 0.3


def test_a_fact_is_told_at_once_and_can_be_refuted(events):
    rows = [events.read(NOW + n * 30 * MINUTE) for n in range(4)]
    rows.append(events.fact(NOW + 95 * MINUTE, "retired", "dispose"))
    known, told = run(rows)
    assert (known.told.stage, told[-1].was) == ("dispose", "inspection")
    rows += [events.read(NOW + n * 30 * MINUTE) for n in range(4, 40)]
    known, _ = run(rows)
    assert known.told.stage == "inspection"


def test_lost_needs_more_certainty_than_others():
    chain = setting_of().evidence.chain
    q = np.full((1, len(chain.stages)), 0.15 / (len(chain.stages) - 1))
    q[0, chain.number["lost"]] = 0.85
    before = Told(None, 0, 0.0)
    assert tell(before, q, chain, NOW) == before
    q[0] = q[0, ::-1]
    assert tell(before, q, chain, NOW).stage == chain.stages[0]


def test_what_was_told_stays_until_it_is_unlikely():
    chain = setting_of().evidence.chain
    told = Told("ready", 0, 0.9)
    q = np.full((1, len(chain.stages)), 0.0)
    q[0, [chain.number["ready"], chain.number["in_use"], chain.number["repair"]]] = 0.06, 0.7, 0.24
    assert tell(told, q, chain, NOW) is told
    q[0, [chain.number["ready"], chain.number["repair"]]] = 0.04, 0.26
    assert tell(told, q, chain, NOW) == Told(None, NOW, 0.7)


def test_what_another_process_told_is_told_no_more():
    chain = setting_of().evidence.chain
    q = np.full((1, len(chain.stages)), 1 / len(chain.stages))
    assert tell(Told("cleaning", 0, 0.9), q, chain, NOW).stage is None


# Never impossible


@pytest.mark.parametrize("tracked", [False, True], ids=["untracked", "tracked"])
def test_what_a_hundred_reads_speak_against_is_improbable_and_not_impossible(events, tracked):
    setting = setting_of(case_of(tracked))
    known, _ = run([events.read(NOW + n * 30 * MINUTE) for n in range(100)], setting)
    states = setting.evidence.chain.states
    row = known.row()[0]
    assert all(p > 0 for p, state in zip(row, states, strict=True) if state.at != "dark")
    assert stages(known, setting)["in_use"] < 1e-6


def test_a_false_exit_is_forgiven(events):
    """A pallet that is said to be dispatched while it stands in the repair's zone."""
    rows = [events.read(NOW + n * 30 * MINUTE, "r-fix") for n in range(60)]
    rows.append(events.fact(NOW + 1800 * MINUTE - 1, "dispatched"))
    rows += [events.read(NOW + n * 30 * MINUTE, "r-fix") for n in range(60, 70)]
    known, _ = run(rows)
    assert known.told.stage == "repair"


@pytest.mark.parametrize("name", shipped())
def test_a_year_of_contradictions_ends_in_numbers(events, name):
    """Facts and reads that cannot be, under every process that is shipped."""
    process = shipped()[name]
    case = case_of()._replace(asset=Asset("A1", process.classes[0]))
    setting, known = setting_of(case), None
    kinds = [*process.facts]
    for n in range(200):
        at = NOW + n * 44 * HOUR
        rows = [events.read(at, ("r-in", "r-fix")[n % 2]), events.report(at + MINUTE, moving=True)]
        rows.append(events.fix(at + HOUR, (DEPOT, CUSTOMER)[n % 3 % 2], speed=30.0))
        stage = [*process.stages][n % len(process.stages)]
        rows.append(events.fact(at + 2 * HOUR, kinds[n % len(kinds)], stage))
        known, _ = run(rows, setting, known)
    row = known.row()
    assert np.isfinite(row).all()
    assert row.sum() == pytest.approx(1)
    assert all(p > 0 for p, s in zip(row[0], setting.evidence.chain.states, strict=True)
               if s.at != "dark")  # fmt: skip


# Thinning


def test_a_second_read_in_the_same_cycle_changes_no_bit(events):
    first = [events.read(NOW - NOW % (30 * MINUTE))]
    once, _ = run(first)
    twice, told = run([events.read(first[0].at + MINUTE), events.read(first[0].at + 29 * MINUTE)],
                      known=once)  # fmt: skip
    assert twice == once
    assert told == []
    after, _ = run([events.read(first[0].at + 30 * MINUTE)], known=once)
    assert after.p != once.p


def test_a_second_report_in_half_an_interval_changes_no_bit(events):
    begin = NOW - NOW % (30 * MINUTE)
    once, _ = run([events.fix(begin, speed=0.0)])
    twice, _ = run([events.fix(begin + MINUTE, CUSTOMER, speed=9.0)], known=once)
    assert twice.p == once.p
    assert twice.tick == once.tick


def test_a_thinned_read_makes_no_step(events):
    """So it is the same bits whether it came or not."""
    begin = NOW - NOW % (30 * MINUTE)
    rows = [events.read(begin), events.read(begin + 20 * MINUTE), events.read(begin + HOUR)]
    assert run(rows)[0].p == run([rows[0], rows[2]])[0].p


def test_readers_that_watch_other_zones_count_apart(events):
    begin = NOW - NOW % (30 * MINUTE)
    once, _ = run([events.read(begin)])
    other, _ = run([events.read(begin + MINUTE, "r-fix")], known=once)
    assert other.p != once.p


def test_that_there_was_no_fix_counts_when_time_has_gone_on(events):
    begin, setting = NOW - NOW % (30 * MINUTE), setting_of()
    once, _ = run([events.report(begin)])
    thinned = events.report(begin + MINUTE)
    settled, _ = run([thinned], known=once)
    assert settled.p == update(once.row(), setting.evidence.no_fix()).tobytes()
    again, _ = run([events.report(begin + 2 * MINUTE)], known=settled)
    assert again.p == settled.p


def test_a_fix_of_the_same_moment_undoes_that_there_was_none(events):
    """Reports come before their fix where a device sends both."""
    begin = NOW - NOW % (30 * MINUTE)
    alone, _ = run([events.fix(begin)])
    both, _ = run([events.report(begin), events.fix(begin)])
    late, _ = run([events.report(begin), events.fix(begin + MINUTE)])
    assert both.row() == pytest.approx(alone.row(), abs=1e-12)
    assert late.row() == pytest.approx(alone.row(), abs=3e-3)  # a minute has passed


# Order, and what is elsewhere

times = st.integers(0, 40).map(lambda n: NOW + n * 7 * MINUTE)
happenings = st.lists(
    st.tuples(st.just("read"), times, st.sampled_from(["r-in", "r-fix", "nobody"]))
    | st.tuples(st.just("fix"), times, st.sampled_from([DEPOT, CUSTOMER, (5.9, 50.9)]))
    | st.tuples(st.just("report"), times)
    | st.tuples(
        st.just("fact"), times, st.sampled_from(["received", "dispatched", "lease_ended", "found"])
    ),
    min_size=1,
    max_size=25,
)


def rows_of(events, happened):
    rows = [getattr(events, name)(*args) for name, *args in happened]
    return sorted(rows, key=lambda row: (row.at, row.key))


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(happened=happenings, cuts=st.lists(st.integers(0, 25), max_size=4))
def test_a_fold_in_parts_that_are_stored_is_the_same_bytes(make, happened, cuts):
    rows, setting = rows_of(Events(make), happened), setting_of()
    whole = fold(None, rows, setting)
    belief, told = None, []
    bounds = sorted({0, *cuts, len(rows)})
    for first, last in pairwise(bounds):
        folded = fold(belief, rows[first:last], setting)
        told += folded.transitions
        belief = folded.belief
        if belief is not None:
            kept = standing(plain(belief.standing))
            assert kept == belief.standing
            belief = belief._replace(standing=kept)
    assert encode(belief) == encode(whole.belief)
    assert told == whole.transitions


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(happened=happenings)
def test_what_is_elsewhere_changes_no_bit(make, happened):
    """Depots that it never was at, readers there that begin in between, and other assets."""
    rows = rows_of(Events(make), happened)
    busy = inference(busy=True).setting(case_of())
    one, other = fold(None, rows, busy), fold(None, rows, setting_of())
    assert encode(one.belief) == encode(other.belief)
    assert one.transitions == other.transitions


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(happened=happenings, later=st.integers(0, 500))
def test_a_prediction_sums_to_one_and_changes_nothing(make, happened, later):
    setting = setting_of()
    known, _ = run(rows_of(Events(make), happened), setting)
    before = plain(known)
    p = predicted(known, setting.case, setting.evidence, NOW + 5 * HOUR + later * HOUR)
    assert p.sum() == pytest.approx(1)
    assert plain(known) == before


def test_the_account_of_a_standing_is_that_of_its_odds(events):
    """Whatever was told last, its sums come to what is believed now."""
    setting = setting_of()
    rows = [events.read(NOW + n * 25 * MINUTE, ("r-in", "r-fix")[n // 7 % 2]) for n in range(60)]
    rows += [events.fix(NOW + n * HOUR, CUSTOMER) for n in range(26, 60)]
    known = None
    for row in rows:
        known, _ = step(known, row, setting.case, setting.evidence)
        sums = np.frombuffer(known.account.sums).reshape(len(known.account.lines) + 1, -1)
        logs = np.log(setting.evidence.chain.by_stage(known.row()))[0]
        assert sums.sum(axis=0) - sums.sum(axis=0)[0] == pytest.approx(logs - logs[0], abs=1e-9)


def test_it_begins_where_it_is_known_to_be():
    setting = setting_of(case_of(initial_stage="repair", home="depot"))
    known = begin(setting.evidence, setting.case, NOW)
    assert stages(known, setting)["repair"] == pytest.approx(0.98)
    assert known.roles.depot == "depot"
    assert known.account == opened(setting.evidence.chain.by_stage(known.row()))


# Through the store


def set_up(db, make):
    with db.store.writing() as tx:
        for id in ("r-in", "r-fix"):
            register_device(tx, Device(id, "reader"), make.POLICY)
        register_device(
            tx, Device("trk", "tracker", rest_interval_s=21600, moving_interval_s=3600), make.POLICY
        )
        for place in PLACES:
            arrange(tx, place)
        save_asset(tx, Asset("A1", "pallet"))
        bind_tag(tx, "A1", TAG)
        bind_device(tx, "A1", "trk")
    return db


def stored(db):
    """The bytes of the belief, and what was told, as the log has it."""
    with db.store.reading() as tx:
        assert verify(tx).sound
        told = [(one.at, one.key, one.stage, one.was, one.p) for one in tx.transitions("A1")]
        return encode(tx.belief("A1")), told


@pytest.mark.thorough
@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(happened=happenings, data=st.data())
def test_any_order_doubling_and_batching_of_what_comes_ends_in_the_same_bytes(
    new_database, make, happened, data
):
    """Reads, reports and facts, through the use cases that a gateway and the API call."""
    numbered = [*enumerate(happened)]
    copies = data.draw(st.lists(st.sampled_from(numbered), max_size=6))
    orders = [numbered, data.draw(st.permutations([*numbered, *copies]))]
    found = []
    for order in orders:
        db = set_up(new_database(), make)
        for batch in _batches(data, order):
            messages, facts = [], []
            for seq, (name, at, *args) in batch:
                if name == "fact":
                    facts.append((Fact("A1", args[0], None, f"f-{seq}"), at))
                else:
                    messages.append(_message(make, seq, name, at, *args))
            db.record(*messages)
            db.do(state, facts, make.POLICY, NOW + 9 * HOUR)
        found.append(stored(db) if db.belief() else None)
        db.store.close()
    assert found[0] == found[1]


def _batches(data, order):
    sizes = data.draw(st.lists(st.integers(1, 9), min_size=len(order), max_size=len(order)))
    while order:
        size = sizes.pop()
        yield order[:size]
        order = order[size:]


def _message(make, seq, name, at, *args):
    """A device's message, its clock right and its way slow."""
    if name == "read":
        what, device = Read(TAG, 1, -54.0, 6), args[0]
    elif name == "fix":
        what, device = Fix(args[0][1], args[0][0], 8.0), "trk"
    else:
        what, device = Values({"temperature": 21.5}), "trk"
    return make.message((at, what), device=device, seq=seq, received=NOW + 9 * HOUR)


def test_a_process_without_what_a_layout_speaks_of_is_fine(events):
    """Zones and sites may mean stages that only other processes know."""
    process = read_process(
        "process: tiny\nclasses: [pallet]\nstages:\n"
        "  in: {mean_h: 5, at: depot, next: {out: 1}}\n"
        "  out: {mean_h: 50, at: customer, next: {in: 1}}\n"
    )
    setting = Inference(layout_of(PLACES), [process]).setting(case_of())
    rows = [events.read(NOW + n * 30 * MINUTE) for n in range(5)]
    known, _ = run(rows, setting)
    assert known.told.stage == "in"
    known, _ = run([events.fix(NOW + n * HOUR, CUSTOMER) for n in range(3, 12)], setting, known)
    assert known.told.stage == "out"


def test_a_fleet_without_rfid_is_told_by_where_it_is(events):
    """Out to a customer, and to a subcontractor's workshop, which is a site that means a stage."""
    shop, way = (4.60, 51.90), (4.40, 51.86)
    fence = Circle(center=shop, radius_m=80)
    site = Site(id="shop", kind="partner", stage="repair", geofence=fence)
    case = case_of()._replace(asset=Asset("A1", "trailer"))
    setting = Inference(layout_of((*PLACES[:2], site))).setting(case)
    rows, at = [], NOW
    for place, hours, speed in (
        (DEPOT, 48, 0.0),
        (way, 3, 15.0),
        (CUSTOMER, 96, 0.0),
        (way, 3, 15.0),
        (DEPOT, 24, 0.0),
        (way, 3, 15.0),
        (shop, 48, 0.0),
    ):
        every = 1 if speed else 6
        for _ in range(hours // every):
            rows.append(events.fix(at, place, speed))
            at += every * HOUR
    _, told = run(rows, setting)
    said = [one.stage for one in told if one.stage is not None]
    assert [stage for stage in said if stage not in ("outbound", "return_transit", "to_workshop")] \
        == ["at_depot", "in_use", "at_depot", "repair"]  # fmt: skip
