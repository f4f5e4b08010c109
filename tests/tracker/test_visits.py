"""Visits as they are stored, told and asked for: also when what shows them comes late."""

import pytest

from tracker.arrange import arrange
from tracker.asset_ports import Position
from tracker.model import Asset
from tracker.places import Circle, Reader, Site, Zone
from tracker.queries import UnknownPlace, closed, inside_at, inside_now, visits_to
from tracker.registry import bind_device, bind_tag, register_asset
from tracker.verify import verify
from tracker.whereabouts import ENTERED, LEFT, LOST_SIGHT, SEEN

NOW = 1_790_000_000_000
MINUTE = 60_000
DAY = 86_400_000
LAT, LON = 51.92, 4.48
M = 1 / 111_195  # a metre of latitude, degrees
INSIDE, OUTSIDE = 0, 3_000  # metres north of the depot's middle
START = Position(-(2**63), "")


@pytest.fixture
def depot(known):
    """The tracker `trk-1` on the asset `A1`, and a depot."""
    known.do(arrange, Site(id="depot", geofence=Circle(center=(LON, LAT), radius_m=120)))
    return known


@pytest.fixture
def go(depot, make):
    """Record fixes (minutes from now, metres north of the depot), as one message."""
    numbers = dict.fromkeys(["trk-1", "trk-2"], -1)

    def went(*way, device="trk-1", recorded=None):
        numbers[device] += 1
        fixes = [make.fix(NOW + minute * MINUTE, LAT + north * M, LON) for minute, north in way]
        message = make.message(*fixes, device=device, seq=numbers[device], received=NOW + 10 * DAY)
        depot.record(message, recorded=recorded)

    return went


def told(db):
    """The journal's lines about visits: kind, minute, and what they say."""
    return [
        (line.entry.kind, (line.entry.at - NOW) // MINUTE, line.entry.body)
        for line in db.journal()
        if line.entry.about.startswith("visit")
    ]


def kinds(db):
    return [kind for kind, *_ in told(db)]


def inside(one):
    """An answer in minutes: asset, since, last, until."""
    minute = [None if at is None else (at - NOW) // MINUTE for at in (*one[1:3], one.until)]
    return (one.asset, *minute)


class TestJournal:
    def test_a_visit_is_told_when_it_begins_and_when_it_ends(self, depot, go):
        go((0, OUTSIDE), (5, INSIDE))
        assert told(depot) == []
        go((7, INSIDE))
        begun = {"site": "depot", "since": NOW + 5 * MINUTE, "began": ENTERED}
        assert told(depot) == [("visit.entered", 5, begun)]
        go((9, INSIDE), (12, OUTSIDE), (15, OUTSIDE))
        ended = {"last": NOW + 9 * MINUTE, "until": NOW + 12 * MINUTE, "ended": LEFT}
        assert told(depot)[1:] == [("visit.left", 12, begun | ended)]

    def test_a_visit_of_unknown_times_is_told_as_seen_and_as_lost_sight_of(self, depot, go):
        go((0, INSIDE), (2, INSIDE))
        go((3_000, OUTSIDE), (3_010, OUTSIDE))
        assert [(kind, minute) for kind, minute, _ in told(depot)] == [
            ("visit.seen", 0),
            ("visit.lost_sight", 2),
        ]

    def test_a_stay_that_goes_on_is_no_news(self, depot, go):
        for minute in range(0, 50, 5):
            go((minute, INSIDE))
        assert kinds(depot) == ["visit.seen"]


class TestLateData:
    def test_old_positions_of_a_buffer_bring_their_visit(self, depot, go):
        """traccar#4417: what was buffered without a network came late, and its events never."""
        go((0, OUTSIDE), (60, OUTSIDE), (65, OUTSIDE))
        assert told(depot) == []
        go((10, INSIDE), (20, INSIDE), (30, OUTSIDE))
        assert [(kind, minute) for kind, minute, _ in told(depot)] == [
            ("visit.entered", 10),
            ("visit.left", 30),
        ]
        assert [inside(closed("A1", v)) for v in depot.ask(lambda tx: tx.visits("A1"))] == [
            ("A1", 10, 20, 30)
        ]
        assert depot.ask(verify).sound

    def test_what_comes_late_moves_the_end_of_a_visit(self, depot, go):
        go((0, INSIDE), (5, INSIDE), (30, OUTSIDE), (35, OUTSIDE))
        go((20, INSIDE))
        (*_, corrected) = depot.journal()
        assert corrected.entry.kind == "visit.corrected"
        assert corrected.entry.body["last"] == NOW + 20 * MINUTE
        assert corrected.entry.supersedes == corrected.number - 1
        assert depot.ask(verify).sound

    def test_a_visit_that_never_was_is_withdrawn(self, depot, go):
        """Two fixes inside, ten minutes apart; late comes that it was far away in between."""
        go((0, OUTSIDE), (10, INSIDE), (20, INSIDE))
        go((15, OUTSIDE), (25, OUTSIDE), (30, OUTSIDE))
        assert kinds(depot) == ["visit.entered", "visit.corrected"]
        assert told(depot)[-1][2] == {"site": "depot", "withdrawn": True}
        assert depot.ask(lambda tx: tx.visits("A1")) == []
        assert depot.ask(verify).sound

    def test_a_gap_that_is_filled_makes_seen_entered(self, depot, go):
        go((0, OUTSIDE), (3_000, INSIDE), (3_010, INSIDE))
        assert kinds(depot) == ["visit.seen"]
        go((2_990, OUTSIDE))
        assert kinds(depot) == ["visit.seen", "visit.corrected"]
        assert told(depot)[-1][2]["began"] == ENTERED

    def test_late_data_that_changes_no_visit_is_no_news(self, depot, go):
        go((0, INSIDE), (5, INSIDE), (30, OUTSIDE), (35, OUTSIDE))
        before = told(depot)
        go((3, INSIDE), (40, OUTSIDE), (33, OUTSIDE))
        assert told(depot) == before


class TestWhoIsInside:
    @pytest.fixture
    def two(self, depot, go):
        """A1 was at the depot from minute 0 to 20; A2 is there since minute 10."""
        depot.register("trk-2", asset="A2")
        go((-5, OUTSIDE), (0, INSIDE), (15, INSIDE), (20, OUTSIDE), (25, OUTSIDE))
        go((5, OUTSIDE), (10, INSIDE), (30, INSIDE), device="trk-2")
        return depot

    def test_now(self, two):
        (one,) = two.ask(inside_now, "depot", "", 10)
        assert inside(one) == ("A2", 10, 30, None)
        assert (one.began, one.confirmed) == (ENTERED, True)

    @pytest.mark.parametrize(
        ("minute", "assets"),
        [(-1, []), (0, ["A1"]), (10, ["A1", "A2"]), (19, ["A1", "A2"]), (20, ["A2"]), (99, ["A2"])],
    )
    def test_at_a_time(self, two, minute, assets):
        found = two.ask(inside_at, "depot", NOW + minute * MINUTE, START, 10)
        assert [one.asset for one in found] == assets

    def test_between_its_last_sign_there_and_the_first_elsewhere_it_may_have_gone(self, depot, go):
        go((0, INSIDE), (15, INSIDE), (600, OUTSIDE), (610, OUTSIDE))
        for minute, confirmed in ((15, True), (16, False), (599, False)):
            (one,) = depot.ask(inside_at, "depot", NOW + minute * MINUTE, START, 10)
            assert (one.ended, one.confirmed) == (LEFT, confirmed), minute

    def test_a_first_sign_is_shown_as_unconfirmed_and_is_no_visit_yet(self, depot, go):
        go((0, OUTSIDE), (10, INSIDE))
        (one,) = depot.ask(inside_now, "depot", "", 10)
        assert (one.confirmed, one.began) == (False, ENTERED)
        assert depot.ask(visits_to, "depot", None, None, START, 10) == []

    def test_a_first_sign_after_a_gap_does_not_say_that_it_has_entered(self, depot, go):
        go((0, OUTSIDE), (3_000, INSIDE))
        (one,) = depot.ask(inside_now, "depot", "", 10)
        assert (one.confirmed, one.began) == (False, SEEN)

    def test_a_single_outlier_takes_nobody_out(self, depot, go):
        go((0, INSIDE), (5, INSIDE), (10, OUTSIDE))
        (one,) = depot.ask(inside_now, "depot", "", 10)
        assert (inside(one), one.confirmed) == (("A1", 0, 5, None), False)
        assert depot.ask(visits_to, "depot", None, None, START, 10) == [one]
        assert depot.ask(inside_at, "depot", NOW + 9 * MINUTE, START, 10) == [one]

    def test_what_was_lost_sight_of_was_there_as_long_as_it_was_seen(self, depot, go):
        go((0, INSIDE), (5, INSIDE), (3_000, OUTSIDE), (3_010, OUTSIDE))
        (one,) = depot.ask(inside_at, "depot", NOW + 5 * MINUTE, START, 10)
        assert one.ended == LOST_SIGHT
        assert depot.ask(inside_at, "depot", NOW + 6 * MINUTE, START, 10) == []

    def test_a_read_tells_at_once_who_is_inside(self, depot, make):
        depot.register("gate-1")
        depot.do(arrange, Zone(id="z1", site="depot"))
        depot.do(arrange, Reader(device="gate-1", zone="z1"))
        depot.do(register_asset, Asset("A2"))
        depot.do(bind_tag, "A2", "AA")
        depot.record(make.message(make.read(NOW, "tag:AA"), device="gate-1"))
        (one,) = depot.ask(inside_now, "depot", "", 10)
        assert (one.asset, one.confirmed, one.began) == ("A2", True, SEEN)
        assert depot.belief("A2").last.zone == "z1"

    @pytest.mark.parametrize(
        ("since", "until", "found"),
        [
            (None, None, ["A1", "A2"]),
            (0, 10, ["A1"]),
            (-9, 0, []),
            (20, None, ["A2"]),
            (19, 11, ["A1", "A2"]),
        ],
    )
    def test_visits_of_a_period(self, two, since, until, found):
        period = (None if at is None else NOW + at * MINUTE for at in (since, until))
        assert [v.asset for v in two.ask(visits_to, "depot", *period, START, 10)] == found

    @pytest.mark.parametrize("ask", [visits_to, inside_at])
    def test_pages_are_the_whole(self, depot, go, ask):
        for n in range(3):
            way = [(100 * n + minute, north) for minute, north in ((0, 3_000), (10, 0), (20, 0))]
            go(*way, (100 * n + 30, OUTSIDE), (100 * n + 40, OUTSIDE))
        for number in range(2, 6):
            depot.do(register_asset, Asset(f"A{number}"))
        depot.register("trk-2", asset="A2")
        go((5, OUTSIDE), (12, INSIDE), (400, INSIDE), device="trk-2")
        when = (NOW + 15 * MINUTE,) if ask is inside_at else (None, None)
        whole = depot.ask(ask, "depot", *when, START, 100)
        pages, after = [], START
        while page := depot.ask(ask, "depot", *when, after, 1):
            pages += page
            after = Position(page[-1].since, page[-1].asset)
        assert pages == whole
        assert len(whole) == (2 if ask is inside_at else 4)

    def test_a_site_that_never_was_is_unknown(self, depot):
        with pytest.raises(UnknownPlace):
            depot.ask(inside_now, "nowhere", "", 10)


def test_a_tracker_that_moves_to_another_asset_takes_no_visit_along(depot, go):
    """traccar: a reassigned tracker leaks the former user's history."""
    go((0, INSIDE), (5, INSIDE), (20, OUTSIDE), (25, OUTSIDE), (40, INSIDE), (45, INSIDE))
    depot.do(register_asset, Asset("A2"))
    depot.do(bind_device, "A2", "trk-1", since=NOW + 30 * MINUTE, moves=True)
    (visit,) = depot.ask(lambda tx: tx.visits("A1"))
    assert visit.until == NOW + 20 * MINUTE
    assert depot.belief("A1").whereabouts.stay is None
    assert depot.belief("A2").whereabouts.stay.since == NOW + 40 * MINUTE
    assert depot.ask(lambda tx: tx.visits("A2")) == []
    assert depot.ask(verify).sound
