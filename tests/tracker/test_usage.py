"""What an asset has been through, and that it is the same whatever comes when."""

from contextlib import contextmanager
from itertools import pairwise

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tracker import refold
from tracker.audit import Act
from tracker.geofence import distance_m
from tracker.model import Fix, Kind, Observation, Values
from tracker.registry import bind_device, unbind
from tracker.stores.postgresql import PostgresqlStore
from tracker.trim import trim
from tracker.usage import HOLDS_MS, Seen, bins, observed, summed, told
from tracker.verify import verify

NOW = 1_790_000_000_000
MINUTE = 60_000
HOUR = 60 * MINUTE
LATER = Act("test", NOW + 200 * HOUR, NOW + 200 * HOUR)
LAT = 50.0


def row(at, what, kind):
    return Observation(b"k", b"d", kind, "t", "t", "b", 0, 0, at, at, at, at, b"", what)


def counted(*events, seen=None):
    """The totals of fixes (lat, accuracy) and sensors (a dict) at minutes."""
    seen, total = seen or Seen(NOW), {}
    for minute, what in events:
        if isinstance(what, dict):
            kind = Kind.STATUS if "door_open" in what else Kind.SENSOR
            observation = row(NOW + minute * MINUTE, Values(what), kind)
        else:
            observation = row(NOW + minute * MINUTE, Fix(what[0], 4.0, what[1]), Kind.FIX)
        seen, more = observed(seen, observation)
        total = summed(total, more)
    return total


class TestDistance:
    def test_what_trembles_makes_no_metre(self):
        tremble = [(n, (LAT + (n % 3) * 1e-4, 8.0)) for n in range(100)]  # 22 m to and fro
        assert counted(*tremble) == {}

    def test_a_single_outlier_makes_none_either(self):
        assert counted((0, (LAT, 8)), (1, (LAT + 1, 8)), (2, (LAT, 8)), (3, (LAT, 8))) == {}

    def test_a_way_is_as_long_as_its_legs_but_for_the_last_that_nothing_follows(self):
        way = [(n, (LAT + n * 0.01, 8.0)) for n in range(11)]
        legs = round(distance_m(LAT, 4, LAT + 0.01, 4))
        assert counted(*way)["metres"] == pytest.approx(9 * legs, abs=10)
        assert counted(*way, (11, (LAT + 0.1, 8.0)))["metres"] == pytest.approx(10 * legs, abs=10)

    def test_an_inexact_fix_must_be_further_away(self):
        near = LAT + 0.005  # 556 m
        assert counted((0, (LAT, 8)), (1, (near, 500)), (2, (near, 500))) == {}
        assert "metres" in counted((0, (LAT, 8)), (1, (near, 8)), (2, (near, 8)))


class TestValues:
    def test_a_value_holds_until_the_next_one(self):
        total = counted((0, {"temperature": 21.5}), (60, {"temperature": -3.2}), (90, {}))
        assert total == {"temperature:21.0#": HOUR, "temperature:21.0+": HOUR * 21_500}

    def test_but_not_for_days(self):
        total = counted((0, {"temperature": 4}), (10_000, {"temperature": 5}))
        assert total["temperature:4.0#"] == HOLDS_MS

    def test_what_is_below_nought_has_bins_too(self):
        total = counted((0, {"temperature": -3.2}), (60, {"temperature": 0}))
        (cold,) = bins(total, "temperature")
        assert (cold.low, cold.times, cold.sum) == (-4, HOUR, -3.2 * HOUR)

    def test_knocks_are_counted_as_hard_as_they_were_and_rest_is_none(self):
        felt = [(n, {"shock": g}) for n, g in enumerate((0, 0.1, 2.2, 2.4, 7.9))]
        assert bins(counted(*felt), "shock") == [(2.0, 2, 4.6), (7.5, 1, 7.9)]

    def test_a_door_that_opens_is_counted_once_however_often_it_says_so(self):
        doors = [(n, {"door_open": d}) for n, d in enumerate((False, True, True, False, True))]
        assert counted(*doors) == {"door": 2}

    @pytest.mark.parametrize("value", [float("nan"), float("inf"), "hot", None, True, [3]])
    def test_what_is_no_number_is_not_counted(self, value):
        assert counted((0, {"temperature": value, "shock": value}), (60, {"temperature": 1})) == {}

    def test_a_value_beyond_all_reason_makes_no_new_bin(self):
        total = counted(*((n, {"shock": 10.0**n}) for n in range(3, 300)))
        assert len(bins(total, "shock")) == 1


class TestStages:
    def test_a_trip_ends_at_a_depot_after_it_was_out(self):
        path = ["ready", "outbound", "in_use", None, "return_transit", "received", "ready"]
        seen, total = Seen(0), {}
        for n, (was, stage) in enumerate(pairwise(path), 1):
            seen, more = told(seen, n * HOUR, was, stage)
            total = summed(total, more)
        assert total["trips"] == 1
        assert total["in:unknown"] == total["in:in_use"] == HOUR
        assert total["into:received"] == 1

    def test_who_is_lost_has_made_no_trip(self):
        seen, more = told(Seen(0, away=True), HOUR, "in_use", "lost")
        assert (seen.away, more["trips"]) == (True, 0)


fixes = st.tuples(st.just("fix"), st.sampled_from([0.0, 0.0002, 0.01, 0.05, 0.5]))
heat = st.tuples(st.just("temperature"), st.integers(-20, 60))
knocks = st.tuples(st.just("shock"), st.sampled_from([0.2, 0.5, 3.3, 9.0]))
doors = st.tuples(st.just("door_open"), st.booleans())
facts = st.tuples(
    st.just("fact"), st.sampled_from(["dispatched", "lease_started", "collected", "received"])
)
histories = st.lists(st.one_of(fixes, heat, knocks, doors, facts), min_size=1, max_size=40)


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.system)])
def both(request, new_database, database_of):
    """A new database of either kind."""
    if request.param == "sqlite":
        return new_database
    new = request.getfixturevalue("new_postgresql")
    return lambda: database_of(PostgresqlStore(new()))


@contextmanager
def open_(both):
    """Such a database, closed at the end."""
    db = both()
    try:
        yield db
    finally:
        db.store.close()


def message(make, n, event):
    """An hour's event, in a message of its own."""
    name, value = event
    at = NOW + n * HOUR
    if name == "fix":
        what = make.fix(at, LAT + value)
    elif name == "fact":
        what = make.fact(at, value)
    else:
        what = make.sensor(at, **{name: value})
    return make.message(what, seq=n, received=NOW + 100 * HOUR)


@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(data=st.data(), events=histories)
def test_the_same_comes_of_it_in_any_order_and_whatever_is_given_up(
    both, make, monkeypatch, data, events
):
    monkeypatch.setattr(refold, "SNAPSHOT_EVERY", 4)
    with open_(both) as straight, open_(both) as other:
        for db in (straight, other):
            db.register("trk-1", asset="A1")
        messages = [message(make, n, event) for n, event in enumerate(events)]
        straight.record(*messages)
        # Some of what lies after the edge comes before the rest is given up.
        edge = data.draw(st.integers(0, len(messages)), "edge")
        early = data.draw(st.integers(edge, len(messages)), "early")
        width = data.draw(st.integers(1, 5), "width")

        def pour(part):
            order = data.draw(st.permutations(part), "order")
            for n in range(0, len(order), width):
                other.record(*order[n : n + width], *order[:1])

        pour(messages[:early])
        other.do(trim, NOW + edge * HOUR - HOUR // 2, LATER)
        pour(messages[early:])
        assert other.belief().usage.total == straight.belief().usage.total
        assert other.ask(verify).differences == []


def test_a_tracker_that_is_swapped_takes_its_own_count_with_it(known, make):
    """What a tracker tells is the asset's only as long as it is bound to it."""
    known.record(*(message(make, n, ("shock", 3.0)) for n in range(6)))
    assert known.belief().usage.total["shock:3.0#"] == 6
    known.do(unbind, "A1", "trk-1", NOW + 4 * HOUR)
    known.refresh()
    assert known.belief().usage.total["shock:3.0#"] == 4
    known.register("trk-2")
    known.do(bind_device, "A1", "trk-2", NOW + 4 * HOUR)
    known.record(
        make.message(
            make.sensor(NOW + 5 * HOUR, shock=3.0), device="trk-2", received=NOW + 9 * HOUR
        )
    )
    known.refresh()
    assert known.belief().usage.total["shock:3.0#"] == 5
    assert known.ask(verify).sound


@pytest.mark.parametrize("sensor", ["temperature", "humidity", "shock", "tilt"])
def test_a_sensor_that_tells_nonsense_is_counted_as_far_as_a_database_holds_it(both, make, sensor):
    """Else what it told could not be stored, nor anything that came with it."""
    mad = (1e9, -1e9, 9e8) if sensor in ("temperature", "shock") else (1e306, -1e306, 1e18)
    with open_(both) as db:
        db.register("trk-1", asset="A1")
        for n, value in enumerate((*mad, 20)):
            db.record(message(make, n, (sensor, value)))
        assert db.belief().observations == 4
        assert max(map(abs, db.belief().usage.total.values())) <= 5_000_000 * 12 * HOUR
        assert db.ask(verify).differences == []
