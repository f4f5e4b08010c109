"""Trips, and the time in the pool, out of the stages that an asset entered."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracker.fleet_records import Period
from tracker.overdue import Entered
from tracker.process import shipped
from tracker.refold import ALWAYS
from tracker.trips import Way, flow_of, member, spans, stage_times, ways

HOUR = 3_600_000
PALLETS, GPS = (flow_of(shipped()[name]) for name in ("pallet-pool", "gps-only"))


def entered(*told):
    """Stages entered, in hours."""
    return [Entered(stage, at if at == ALWAYS else at * HOUR) for stage, at in told]


def way(*hours):
    return Way(*(None if one is None else one * HOUR for one in hours))


OUT = [("ready", ALWAYS), ("outbound", 5), ("in_use", 9)]


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        ([*OUT, ("received", 50), ("inspection", 52), ("ready", 60)], [way(5, 50, 60)]),
        (OUT, [way(5)]),
        ([*OUT, ("lost", 90)], [way(5, None, None, 90)]),
        ([*OUT, ("lost", 90), ("in_use", 95)], [way(5)]),
        ([*OUT, ("lost", 90), ("inspection", 99)], [way(5, 99)]),
        ([*OUT, ("received", 50), ("recycle", 55)], [way(5, 50, 55)]),  # its life is over
        ([*OUT, ("ready", 50), ("in_use", 70)], [way(5, 50, 50), way(70)]),
        # read astray at the dock
        ([*OUT[:2], ("ready", 7)], []),
        ([*OUT, ("received", 50), ("outbound", 50), ("received", 80)], [way(5, 80)]),
        # nobody knows since when it has been out
        ([("in_use", ALWAYS), ("received", 50)], []),
        ([(None, ALWAYS), ("in_use", 3), ("received", 50), ("outbound", 60)], [way(60)]),
        ([(None, ALWAYS), ("in_use", 3), ("ready", 50), *OUT[1:2]], [way(5)]),
        # a stage that is not sure enough changes nothing
        ([*OUT, (None, 20), ("received", 50)], [way(5, 50)]),
        ([("ready", 1), (None, 4), ("outbound", 5)], [way(5)]),
        ([], []),
    ],
)
def test_trips_of_pallets(told, expected):
    assert ways(entered(*told), PALLETS) == expected


def test_a_way_to_the_workshop_is_no_trip():
    told = [("at_depot", 1), ("to_workshop", 5), ("repair", 9), ("at_depot", 30)]
    assert ways(entered(*told), GPS) == []
    told += [("outbound", 40), ("in_use", 44), ("at_depot", 60)]
    assert ways(entered(*told), GPS) == [way(40, 60, 60)]


@pytest.mark.parametrize("name", shipped())
def test_every_shipped_process_has_a_flow(name):
    flow = flow_of(shipped()[name])
    assert "in_use" in flow.leaving & flow.away
    assert all((flow.ready, flow.over, flow.first, flow.home))
    assert not flow.home & flow.away


def test_tools_are_ready_whether_or_not_they_are_reserved():
    flow = flow_of(shipped()["rental-tools"])
    assert (flow.ready, flow.first) == ({"available", "reserved"}, {"delivery"})


stories = st.lists(
    st.tuples(st.sampled_from([None, *shipped()["pallet-pool"].stages]), st.integers(1, 9)),
    max_size=30,
)


def told_of(story):
    at, found = 0, []
    for stage, hours in story:
        at += hours
        found.append((stage, at))
    return entered(*found)


@given(stories)
def test_trips_come_one_after_another(story):
    found = ways(told_of(story), PALLETS)
    for before, after in pairwise(found):
        assert before.received is not None
        assert before.received < after.dispatched
    for one in found:
        times = [at for at in (one.dispatched, one.received, one.ready) if at is not None]
        assert times == sorted(times)
        assert one.lost is None or one.received is None


@given(stories, st.integers(0, 200), st.integers(0, 200))
def test_all_time_in_the_period_is_in_some_stage(story, one, other):
    told = told_of(story)
    if not told:
        return
    period, joined = Period(min(one, other) * HOUR, max(one, other) * HOUR), told[0].at
    parts = [*spans(told, joined, period.until)]
    times = stage_times("A", "pallet", parts, PALLETS, period)
    assert sum(time.ms for time in times) == max(0, period.until - max(joined, period.since))
    found = member("A", "pallet", parts, PALLETS, period)
    in_pool = sum(time.ms for time in times if not time.gone)
    assert (0 if found is None else found.ms) == in_pool


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        ([("ready", 2)], (True, False, False, True)),
        ([("ready", 15)], (False, True, False, True)),
        ([("ready", 2), ("lost", 15)], (True, False, False, False)),
        ([("lost", 2), ("ready", 15)], (False, False, False, True)),
        ([("ready", 2), ("recycle", 15)], (True, False, True, False)),
        ([("ready", 2), ("recycle", 5)], None),
        ([("ready", 25)], None),
    ],
)
def test_what_an_asset_is_to_the_pool(told, expected):
    story, period = entered(*told), Period(10 * HOUR, 20 * HOUR)
    parts = [*spans(story, story[0].at, period.until)]
    found = member("A", "pallet", parts, PALLETS, period)
    assert (None if found is None else found[2:6]) == expected
