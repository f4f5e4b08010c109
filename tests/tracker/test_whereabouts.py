"""Stays and visits: neither an entering nor a leaving is ever invented.

What users of other systems complain about stands beside the test that answers it.
"""

from itertools import accumulate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracker.fold import fold
from tracker.inference import bare
from tracker.layout import Layout
from tracker.places import Circle, Polygon, Reader, Site, Standing, Zone
from tracker.versions import Version
from tracker.whereabouts import (
    CONFIRM_MS,
    ENTERED,
    GAP_MS,
    LEFT,
    LOST_SIGHT,
    NOWHERE_YET,
    SEEN,
    Moment,
    step,
)

NOW = 1_790_000_000_000
MINUTE = 60_000
DAY = 86_400_000
LAT, LON = 51.92, 4.48
M = 1 / 111_195  # a metre of latitude, degrees
DEPOT = Site(id="depot", geofence=Circle(center=(LON, LAT), radius_m=120))
HALL = Site(id="hall", geofence=Circle(center=(LON, LAT), radius_m=40))
YARD = Site(id="yard", geofence=Circle(center=(LON, LAT + 2_000 * M), radius_m=120))
INSIDE, OUTSIDE, THERE = 0, 1_000, 2_000  # metres north of the depot's middle


def layout(*values, since=None):
    kinds = [(type(value).__name__.lower(), value) for value in values]
    return Layout(
        [
            Version(n, kind, getattr(value, "id", None) or value.device, since, None, 0, value)
            for n, (kind, value) in enumerate(kinds, 1)
        ]
    )


TWO_SITES = layout(DEPOT, YARD)


@pytest.fixture
def go(make):
    """What is known after fixes: minutes from now, metres north of the depot, and accuracy."""

    def went(*way, at=TWO_SITES):
        fixes = [
            make.fix(NOW + round(minute * MINUTE), LAT + north * M, LON, *acc)
            for minute, north, *acc in way
        ]
        rows = sorted(make.message(*fixes).observations, key=lambda row: (row.at, row.key))
        return fold(None, rows, bare("A1", at))

    return went


def stay(folded):
    """Site, how it began, and since and until which minute it was seen there."""
    known = folded.belief.whereabouts.stay
    return known and (known.site, known.began, minutes(known.since), minutes(known.last))


def visits(folded):
    return [
        (v.site, v.began, minutes(v.since), minutes(v.last), v.ended, minutes(v.until))
        for v in folded.visits
    ]


def minutes(at):
    return (at - NOW) / MINUTE


class TestEnteringAndLeaving:
    def test_what_is_seen_twice_within_is_entered_at_the_first_time(self, go):
        folded = go((0, OUTSIDE), (5, INSIDE), (7, INSIDE), (9, INSIDE))
        assert stay(folded) == ("depot", ENTERED, 5, 9)
        assert folded.visits == []

    def test_what_is_seen_twice_outside_has_left_at_the_first_time(self, go):
        folded = go((0, OUTSIDE), (5, INSIDE), (7, INSIDE), (9, OUTSIDE), (12, OUTSIDE))
        assert visits(folded) == [("depot", ENTERED, 5, 7, LEFT, 9)]
        assert stay(folded) is None

    def test_one_may_go_from_site_to_site(self, go):
        folded = go((0, INSIDE), (2, INSIDE), (9, THERE), (11, THERE))
        assert visits(folded) == [("depot", SEEN, 0, 2, LEFT, 9)]
        assert stay(folded) == ("yard", ENTERED, 9, 11)

    def test_dwell_is_from_the_first_fix_inside_to_the_last(self, go):
        folded = go((0, OUTSIDE), (5, INSIDE), (65, INSIDE), (70, OUTSIDE), (80, OUTSIDE))
        (visit,) = folded.visits
        assert visit.last - visit.since == 60 * MINUTE


class TestComplaints:
    def test_a_drive_by_is_no_visit(self, go):
        """traccar#6019: geofence events of vehicles that only pass."""
        folded = go((0, -OUTSIDE), (1, INSIDE), (2, OUTSIDE), (3, OUTSIDE))
        assert (folded.visits, stay(folded)) == ([], None)

    @pytest.mark.parametrize(("apart", "entered"), [(0, False), (0.99, False), (1, True)])
    def test_two_fixes_within_a_minute_are_a_drive_by_still(self, go, apart, entered):
        folded = go((0, -OUTSIDE), (1, -20), (1 + apart, 20))
        assert (stay(folded) is not None) == entered

    def test_a_single_outlier_does_not_leave(self, go):
        """traccar#4417: a bad position ends a stay and begins it again."""
        folded = go((0, INSIDE), (5, INSIDE), (10, OUTSIDE), (15, INSIDE), (20, INSIDE))
        assert folded.visits == []
        assert stay(folded) == ("depot", SEEN, 0, 20)
        assert folded.belief.whereabouts.turn is None

    def test_a_single_outlier_into_another_site_does_not_enter_it(self, go):
        folded = go((0, INSIDE), (10, THERE), (15, INSIDE), (20, OUTSIDE), (25, INSIDE))
        assert folded.visits == []
        assert stay(folded) == ("depot", SEEN, 0, 25)

    def test_two_outliers_to_different_places_do_not_leave_for_either(self, go):
        folded = go((0, INSIDE), (10, THERE), (15, OUTSIDE), (20, INSIDE))
        assert folded.visits == []

    @pytest.mark.parametrize("first", [INSIDE, OUTSIDE])
    def test_jitter_at_the_border_flips_nothing(self, go, first):
        """traccar#3897: in and out all night, parked beside the fence."""
        jitter = [(10 * n, 120 + (-1) ** n * 40, 60.0) for n in range(1, 50)]
        folded = go((0, first), (5, first), *jitter)
        assert folded.visits == []
        assert stay(folded) == (("depot", SEEN, 0, 5) if first == INSIDE else None)

    def test_a_fix_too_coarse_to_tell_says_nothing(self, go):
        coarse = [(10 * n, OUTSIDE, 2_000.0) for n in range(1, 5)]
        assert stay(go((0, INSIDE), *coarse)) == ("depot", SEEN, 0, 0)

    def test_what_is_inside_at_first_is_seen_and_has_not_entered(self, go):
        """traccar#5815: no event for a device that appears inside; ThingsBoard PR#14647: and
        one must not be invented."""
        assert stay(go((0, INSIDE))) == ("depot", SEEN, 0, 0)

    def test_a_first_fix_outside_says_nothing(self, go):
        folded = go((0, OUTSIDE))
        assert (folded.visits, stay(folded)) == ([], None)

    def test_a_first_fix_at_the_border_waits_for_a_better_one(self, go):
        folded = go((0, 125, 60.0), (10, INSIDE))
        assert stay(folded) == ("depot", SEEN, 10, 10)

    def test_after_a_gap_there_is_no_time_of_entering(self, go):
        """ThingsBoard PR#14647: nobody knows when within two days it came."""
        folded = go((0, OUTSIDE), (2_880, INSIDE), (2_890, INSIDE))
        assert stay(folded) == ("depot", SEEN, 2_880, 2_890)

    def test_after_a_gap_there_is_no_time_of_leaving(self, go):
        folded = go((0, INSIDE), (5, INSIDE), (2_880, OUTSIDE), (2_890, OUTSIDE))
        assert visits(folded) == [("depot", SEEN, 0, 5, LOST_SIGHT, 2_880)]

    def test_a_gap_within_a_stay_does_not_end_it(self, go):
        folded = go((0, OUTSIDE), (5, INSIDE), (7, INSIDE), (2_880, INSIDE))
        assert stay(folded) == ("depot", ENTERED, 5, 2_880)

    def test_coarse_fixes_do_not_bridge_a_gap(self, go):
        coarse = [(60 * n, 125, 500.0) for n in range(1, 48)]
        folded = go((0, INSIDE), *coarse, (2_880, OUTSIDE), (2_890, OUTSIDE))
        assert [visit.ended for visit in folded.visits] == [LOST_SIGHT]


class TestSites:
    def test_within_a_large_site_a_small_one_can_be_entered_and_left(self, go):
        nested = layout(DEPOT, HALL)
        folded = go((0, 100), (5, 100), (10, 0), (15, 0), (20, 100), (25, 100), at=nested)
        assert visits(folded) == [
            ("depot", SEEN, 0, 5, LEFT, 10),
            ("hall", ENTERED, 10, 15, LEFT, 20),
        ]
        assert stay(folded) == ("depot", ENTERED, 20, 25)

    def test_at_the_border_of_a_small_site_one_stays_in_it(self, go):
        folded = go((0, 0), (5, 45, 30.0), (10, 50, 30.0), at=layout(DEPOT, HALL))
        assert (folded.visits, stay(folded)[0]) == ([], "hall")

    def test_a_site_across_the_antimeridian_is_one_site(self, make):
        fiji = Site(
            id="fiji",
            geofence=Polygon(
                polygon=[(179.9, -17.1), (-179.9, -17.1), (-179.9, -16.9), (179.9, -16.9)]
            ),
        )
        way = [(0, 179.5), (2, 179.95), (4, -179.95), (6, 180.0), (8, -180.0), (10, -179.5)]
        fixes = [make.fix(NOW + minute * MINUTE, -17.0, lon) for minute, lon in way]
        folded = fold(None, make.message(*fixes).observations, bare("A1", layout(fiji)))
        assert stay(folded) == ("fiji", ENTERED, 2, 8)
        assert folded.belief.whereabouts.turn.site is None

    def test_a_site_is_not_entered_before_there_is_one(self, go):
        opened = layout(DEPOT, since=NOW + 60 * MINUTE)
        folded = go((0, INSIDE), (30, INSIDE), (59, INSIDE), (60, INSIDE), (62, INSIDE), at=opened)
        assert stay(folded) == ("depot", ENTERED, 60, 62)

    def test_a_site_that_is_given_up_is_left(self, go):
        until = Version(2, "site", "depot", NOW + 10 * MINUTE, None, 0, None)
        given_up = Layout([Version(1, "site", "depot", None, None, 0, DEPOT), until])
        folded = go((0, INSIDE), (5, INSIDE), (10, INSIDE), (15, INSIDE), at=given_up)
        assert visits(folded) == [("depot", SEEN, 0, 5, LEFT, 10)]


class TestReads:
    """What a fixed reader tells needs no second word."""

    ZONED = (DEPOT, YARD, Zone(id="z1", site="yard"), Reader(device="gate-1", zone="z1"))

    @pytest.mark.parametrize(
        ("reader", "site"),
        [
            (Reader(device="gate-1", zone="z1"), "yard"),
            (Reader(device="gate-1", antennas={1: "z1"}), "yard"),
            (Reader(device="gate-1", place=Standing(lat=LAT, lon=LON)), "depot"),
            (
                Reader(device="gate-1", antennas={7: "z1"}, place=Standing(lat=LAT, lon=LON)),
                "depot",
            ),
            (Reader(device="gate-1", antennas={7: "z1"}), None),
            (Reader(device="gate-1", place=Standing(lat=0, lon=0)), None),
        ],
    )
    def test_a_read_is_at_the_zones_site_or_at_the_one_around_the_reader(self, make, reader, site):
        at = layout(*self.ZONED[:3], reader)
        (row,) = make.message(make.read(NOW), device="gate-1").observations
        known = fold(None, [row], bare("A1", at)).belief.whereabouts
        assert known.site == site

    def test_a_read_elsewhere_ends_a_stay_at_once(self, make, go):
        before = go((0, INSIDE), (5, INSIDE))
        (row,) = make.message(make.read(NOW + 9 * MINUTE), device="gate-1").observations
        folded = fold(before.belief, [row], bare("A1", layout(*self.ZONED)))
        assert visits(folded) == [("depot", SEEN, 0, 5, LEFT, 9)]
        assert stay(folded) == ("yard", ENTERED, 9, 9)

    def test_a_read_confirms_what_a_fix_has_seen_first(self, make, go):
        before = go((0, INSIDE), (5, INSIDE), (10, THERE))
        (row,) = make.message(make.read(NOW + 10 * MINUTE + 1), device="gate-1").observations
        folded = fold(before.belief, [row], bare("A1", layout(*self.ZONED)))
        assert stay(folded)[:3] == ("yard", ENTERED, 10)


# Where it is surely seen after how long: few values, so that much repeats.
sights = st.lists(
    st.tuples(
        st.sampled_from([0, 1_000, CONFIRM_MS, 10 * MINUTE, GAP_MS, GAP_MS + 1]),
        st.sampled_from(["depot", "yard", None]),
        st.booleans(),
    ),
    max_size=30,
)


def stepped(sights):
    """What is known in the end, all visits, and what was known after each sight."""
    known, ended, states = NOWHERE_YET, [], []
    times = accumulate(after for after, *_ in sights)
    for n, (at, (_, site, certain)) in enumerate(zip(times, sights, strict=True)):
        known, visit = step(known, site, Moment(at, f"{n:02}"), certain=certain)
        ended += [visit] if visit else []
        states.append(known)
    return known, ended, states


@given(sights=sights)
def test_visits_follow_each_other_and_begin_and_end_with_something_seen(sights):
    times = list(accumulate(after for after, *_ in sights))
    seen = {(at, site) for at, (_, site, _) in zip(times, sights, strict=True)}
    known, ended, _ = stepped(sights)
    over_by = 0
    for visit in ended:
        assert over_by <= visit.since <= visit.last <= visit.until <= visit.closed.at
        assert {(visit.since, visit.site), (visit.last, visit.site)} <= seen
        over_by = visit.until
    if known.stay is not None:
        assert over_by <= known.stay.since <= known.stay.last
        assert (known.stay.last, known.stay.site) in seen


@given(sights=sights)
def test_no_time_of_entering_or_leaving_is_told_that_lies_in_a_gap(sights):
    times = list(accumulate(after for after, *_ in sights))
    known, ended, _ = stepped(sights)
    stays = [*ended, *([known.stay] if known.stay else [])]

    def seen_shortly_before(at, site):
        places = [n for n, (_, seen, _) in enumerate(sights) if (times[n], seen) == (at, site)]
        return any(n > 0 and at - times[n - 1] <= GAP_MS for n in places)

    for one in stays:
        if one.began == ENTERED:
            assert seen_shortly_before(one.since, one.site)
    for visit in ended:
        if visit.ended == LEFT:
            assert any(seen_shortly_before(visit.until, site) for site in ("depot", "yard", None))


@given(sights=sights, data=st.data())
def test_a_single_outlier_changes_nothing(sights, data):
    known, ended, states = stepped(sights)
    quiet = [
        n
        for n in range(1, len(sights))
        if all(state.turn is None for state in states[n - 1 : n + 1])
        and sights[n][1] == sights[n - 1][1]
    ]
    if not quiet:
        return
    n = data.draw(st.sampled_from(quiet))
    place = data.draw(st.sampled_from(sorted({"depot", "yard", "hub"} - {sights[n][1]})))
    with_outlier = [*sights[:n], (0, place, False), *sights[n:]]
    other, also_ended, _ = stepped(with_outlier)
    assert [visit[:6] for visit in also_ended] == [visit[:6] for visit in ended]
    assert (other.site, other.sure) == (known.site, known.sure)
