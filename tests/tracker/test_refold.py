"""A late row, a changed binding, the log's edge: what is folded again, and how far."""

import pytest

from tracker import refold
from tracker.arrange import arrange, give_up
from tracker.audit import Act
from tracker.fold import encode, fold
from tracker.inference import bare
from tracker.layout import EMPTY
from tracker.model import Asset
from tracker.places import Circle, Reader, Site, Standing, Zone
from tracker.queries import BeforeLog, UnknownAsset, asset_status, location
from tracker.refold import from_nothing, rerun
from tracker.registry import (
    BeforeEdge,
    Conflict,
    Unregistered,
    bind_device,
    bind_tag,
    register_asset,
    unbind,
)
from tracker.verify import verify
from tracker.whereabouts import Moment

NOW = 1_790_000_000_000
MINUTE = 60_000
DAY = 86_400_000
LAT, LON = 51.92, 4.48
DEPOT = Site(id="depot", geofence=Circle(center=(LON, LAT), radius_m=120))
FAR = 50.0  # degrees north, far from the depot


@pytest.fixture
def every_ten(monkeypatch):
    """Snapshots every ten observations."""
    monkeypatch.setattr(refold, "SNAPSHOT_EVERY", 10)


@pytest.fixture
def reruns(monkeypatch, every_ten):
    """What folding again came to, each time."""
    done = []

    def noted(*args):
        done.append(rerun(*args))
        return done[-1]

    monkeypatch.setattr(refold, "rerun", noted)
    return done


def fixes(make, minutes, lat=FAR, seq=0, device="trk-1"):
    """A message of fixes, one at each minute."""
    events = [make.fix(NOW + minute * MINUTE, lat, LON) for minute in minutes]
    return make.message(*events, seq=seq, device=device, received=NOW + 10 * DAY)


def from_scratch(db, asset="A1"):
    """What the log comes to, without any snapshot."""
    with db.store.reading() as tx:
        return fold(None, tx.history(asset), tx.settings([asset])[asset])


def assert_right(db, asset="A1"):
    """Belief, visits and snapshots are what the log comes to."""
    scratch = from_scratch(db, asset)
    stored = db.belief(asset)
    assert (stored and encode(stored)) == (scratch.belief and encode(scratch.belief))
    assert db.ask(lambda tx: tx.visits(asset)) == scratch.visits
    report = db.ask(verify)
    assert report.sound
    assert report.stale == 0


class TestConvergence:
    @pytest.mark.parametrize(
        ("late_at", "read", "meets"),
        [(-1, 106, False), (24, 11, True), (99, 6, False), (102, 6, False)],
    )
    def test_folding_ends_where_it_meets_a_snapshot_in_the_same_state(
        self, make, every_ten, late_at, read, meets
    ):
        """A fix that is the first of its half hour counts for the stage, and all that follows is
        another belief."""
        rows = fixes(make, range(105)).observations
        before = rerun(None, rows, bare("A1", EMPTY))
        (late,) = fixes(make, [late_at + 0.5], seq=1).observations
        starts = [s for s in before.snapshots if s.at < late.at]
        start = starts[-1] if starts else None
        later = before.snapshots[len(starts) :]
        rest = iter(sorted([*rows[10 * len(starts) :], late], key=lambda row: row.at))
        again = rerun(start, rest, bare("A1", EMPTY), later)
        unread = len(list(rest))
        assert 105 + 1 - 10 * len(starts) - unread == read
        assert again.met == (later[0] if meets else None)

    def test_a_late_row_in_a_long_history_reads_to_the_next_snapshot(self, known, make, reruns):
        known.record(fixes(make, range(200)))
        reruns.clear()
        known.record(fixes(make, [44.5], seq=1))
        (again,) = reruns
        assert (again.met.observations, again.belief.observations) == (50, 51)
        assert known.belief().observations == 201
        assert_right(known)

    def test_snapshots_that_were_passed_over_count_the_late_row_too(self, known, make, every_ten):
        known.record(fixes(make, range(95)))
        for seq, minute in enumerate([44.5, 3.5, 91.5, -1], 1):
            known.record(fixes(make, [minute], seq=seq))
            assert_right(known)

    def test_a_late_row_that_matters_is_followed_to_where_it_ends_to(self, known, make, reruns):
        """It makes a visit that the next snapshots lie within."""
        known.do(arrange, DEPOT)
        known.record(fixes(make, [0, *range(30, 100)], FAR), fixes(make, [10], LAT, seq=1))
        assert known.ask(lambda tx: tx.visits("A1")) == []
        reruns.clear()
        known.record(fixes(make, [12], LAT, seq=2))
        (again,) = reruns
        assert len(known.ask(lambda tx: tx.visits("A1"))) == 1
        assert again.met is not None
        assert_right(known)

    def test_late_and_new_rows_of_one_batch_are_both_folded(self, known, make, every_ten):
        known.record(fixes(make, range(95)))
        known.record(fixes(make, [12.5, 120, 130], seq=1))
        assert known.belief().at == NOW + 130 * MINUTE
        assert_right(known)

    def test_a_late_row_before_the_first_place_leaves_that_where_it_is(
        self, known, make, every_ten
    ):
        sensors = [make.sensor(NOW + n * MINUTE) for n in range(25)]
        known.record(make.message(*sensors, received=NOW + DAY), fixes(make, [30], seq=1))
        late = make.message(make.sensor(NOW - MINUTE), seq=2, received=NOW + DAY)
        known.record(late)
        assert known.belief().first.at == NOW + 30 * MINUTE
        assert_right(known)


@pytest.mark.parametrize("missing", [0, 1, 9, 10, 11, 24, 29])
def test_a_row_of_any_age_ends_in_the_same_bits(known, new_database, make, every_ten, missing):
    in_order = new_database()
    in_order.register("trk-1", asset="A1")
    messages = [fixes(make, [n], [FAR, LAT][n // 5 % 2], seq=n) for n in range(30)]
    for db in (known, in_order):
        db.do(arrange, DEPOT)
    in_order.record(*messages)
    known.record(*messages[:missing], *messages[missing + 1 :])
    known.record(messages[missing])
    assert_right(known)
    assert encode(known.belief()) == encode(in_order.belief())
    in_order.store.close()


class TestStale:
    def test_a_late_row_before_what_a_change_touched_is_folded_too(self, known, make, every_ten):
        known.record(fixes(make, range(50), LAT))
        known.do(arrange, DEPOT, NOW + 40 * MINUTE)
        assert known.stale() == {"A1"}
        known.record(fixes(make, [4.5], LAT, seq=1))
        assert known.stale() == set()
        assert_right(known)

    def test_two_changes_are_folded_from_the_earlier_one(self, known, make, every_ten):
        known.record(fixes(make, range(50), LAT))
        known.do(arrange, DEPOT, NOW + 20 * MINUTE)
        known.do(give_up, "site", "depot", NOW + 40 * MINUTE)
        known.refresh()
        (visit,) = known.ask(lambda tx: tx.visits("A1"))
        assert (visit.since, visit.until) == (NOW + 20 * MINUTE, NOW + 40 * MINUTE)
        assert_right(known)

    def test_a_refresh_of_what_is_fresh_tells_no_news(self, known, make):
        known.record(fixes(make, range(5)))
        before = known.journal()
        known.do(refold.refresh, "A1", 0)
        assert known.journal() == before


class TestBindings:
    @pytest.fixture
    def gate(self, known, here):
        known.register("gate-1", place=here)
        known.do(register_asset, Asset("A2"))
        return known

    def read(self, make, *minutes, seq=0):
        events = [make.read(NOW + minute * MINUTE, "tag:AA") for minute in minutes]
        return make.message(*events, device="gate-1", seq=seq, received=NOW + DAY)

    @pytest.mark.parametrize(
        ("since", "until", "count"), [(None, None, 4), (2, None, 2), (None, 2, 2), (1, 3, 2)]
    )
    def test_a_tag_bound_later_claims_its_earlier_reads_of_that_period(
        self, gate, make, since, until, count
    ):
        gate.record(self.read(make, 0, 1, 2, 3))
        period = (None if at is None else NOW + at * MINUTE for at in (since, until))
        gate.do(bind_tag, "A2", "AA", *period)
        assert gate.belief("A2").observations == count
        assert_right(gate, "A2")

    def test_what_tells_about_an_asset_no_more_is_taken_from_it(self, gate, make):
        gate.record(self.read(make, 0, 1, 2, 3))
        gate.do(bind_tag, "A2", "AA")
        gate.do(unbind, "A2", "tag:AA", NOW + 2 * MINUTE)
        assert gate.belief("A2").last.at == NOW + MINUTE
        gate.record(self.read(make, 4, seq=1))
        assert gate.belief("A2").last.at == NOW + MINUTE
        assert_right(gate, "A2")

    def test_an_asset_of_which_nothing_is_left_has_no_belief(self, gate, make):
        gate.do(bind_tag, "A2", "AA")
        gate.record(self.read(make, 0, 1))
        gate.do(unbind, "A2", "tag:AA")
        assert gate.belief("A2") is None
        assert gate.journal("A2")[-1].entry.kind == "location.corrected"
        assert gate.journal("A2")[-1].entry.body == {}
        assert_right(gate, "A2")

    def test_a_binding_that_moves_leaks_nothing_and_gives_nothing_back(self, gate, make):
        gate.do(bind_tag, "A2", "AA")
        gate.record(self.read(make, 0, 1, 2, 3))
        gate.do(register_asset, Asset("A3"))
        with pytest.raises(Conflict, match="bound to asset A2 already"):
            gate.do(bind_tag, "A3", "AA", NOW + MINUTE)
        gate.do(bind_tag, "A3", "AA", NOW + MINUTE, NOW + 3 * MINUTE, moves=True)
        assert gate.belief("A3").observations == 2
        assert gate.belief("A2").observations == 2
        for asset in ("A2", "A3"):
            assert_right(gate, asset)

    def test_unbinding_one_asset_leaves_what_another_had_before(self, gate, make):
        gate.record(self.read(make, 0, 1, 2, 3))
        gate.do(register_asset, Asset("A3"))
        gate.do(bind_tag, "A2", "AA", None, NOW + 2 * MINUTE)
        gate.do(bind_tag, "A3", "AA", NOW + 2 * MINUTE)
        gate.do(unbind, "A3", "tag:AA")
        assert gate.belief("A3") is None
        assert gate.belief("A2").observations == 2

    def test_what_is_not_bound_cannot_be_unbound(self, gate):
        with pytest.raises(Unregistered, match="not bound to asset A2"):
            gate.do(unbind, "A2", "tag:AA")

    def test_a_binding_ends_after_it_begins(self, gate):
        with pytest.raises(Conflict, match="end before it begins"):
            gate.do(bind_tag, "A2", "AA", NOW, NOW)


class TestAsOf:
    """What was known at a time of recording, with the layout and the bindings of then."""

    def asked(self, db, recorded):
        status = db.ask(asset_status, "A1", NOW, as_of=recorded)
        return status.observed, status.whereabouts.site, len(status.bindings)

    def test_what_came_later_was_not_known(self, known, make):
        known.record(fixes(make, [5]), recorded=10)
        known.record(fixes(make, [0, 9], seq=1), recorded=20)
        assert [self.asked(known, at)[0] for at in (9, 10, 19, 20)] == [
            None,
            NOW + 5 * MINUTE,
            NOW + 5 * MINUTE,
            NOW + 9 * MINUTE,
        ]
        assert known.ask(location, "A1", NOW, as_of=15).place.at == NOW + 5 * MINUTE

    def test_a_site_that_was_drawn_later_was_not_known(self, known, make):
        known.record(fixes(make, [0], LAT), recorded=10)
        known.do(arrange, DEPOT, act=Act("me", 20, 0))
        known.do(give_up, "site", "depot", act=Act("me", 30, 0))
        assert [self.asked(known, at)[1] for at in (15, 25, 35)] == [None, "depot", None]

    def test_a_binding_that_was_made_later_was_not_known(self, db, make):
        db.register("trk-1")
        db.do(register_asset, Asset("A1"))
        db.record(fixes(make, [0]), recorded=10)
        db.do(bind_device, "A1", "trk-1", act=Act("me", 20, 0))
        db.do(unbind, "A1", "trk-1", act=Act("me", 30, 0))
        assert [self.asked(db, at)[::2] for at in (15, 25, 35)] == [
            (None, 0),
            (NOW, 1),
            (None, 0),
        ]

    def test_an_unknown_asset_was_never_known(self, db):
        with pytest.raises(UnknownAsset):
            db.ask(asset_status, "A9", NOW, as_of=5)


class TestEdge:
    """The log begins at minute 50: what lies before stands in a base belief."""

    EDGE = NOW + 50 * MINUTE

    @pytest.fixture
    def cut(self, known, make, every_ten):
        known.do(arrange, DEPOT)
        for seq in range(10):
            minutes = range(10 * seq, 10 * seq + 10)
            known.record(fixes(make, minutes, [FAR, LAT][seq % 2], seq=seq))
        with known.store.writing() as tx:
            past = (row for row in tx.history("A1") if row.at < self.EDGE)
            base = fold(None, past, tx.settings(["A1"])["A1"]).belief
            tx.save_snapshots([base], base=True)
            assert tx.add_edge(self.EDGE, 0) == 50
        return known

    def assert_unharmed(self, db):
        with db.store.reading() as tx:
            assert verify(tx).differences == []
            assert from_nothing(tx, "A1").belief == tx.belief("A1")

    def test_beliefs_and_visits_outlive_what_is_deleted(self, cut):
        assert cut.belief().observations == 100
        assert len(cut.ask(lambda tx: tx.visits("A1"))) == 4
        self.assert_unharmed(cut)

    def test_a_row_from_before_is_stored_and_has_no_effect(self, cut, make):
        before, told = encode(cut.belief()), cut.journal()
        recorded = cut.record(fixes(make, [20.5, 49.9], seq=20))
        assert (recorded.stored, recorded.before_edge) == (2, 2)
        assert recorded.receipts[0].seq == 20
        assert (encode(cut.belief()), cut.journal()) == (before, told)
        assert cut.ask(verify).before_edge == 2
        self.assert_unharmed(cut)

    def test_beside_a_row_from_before_another_one_has_its_effect(self, cut, make):
        recorded = cut.record(fixes(make, [20.5, 70.5, 120], seq=20))
        assert (recorded.stored, recorded.before_edge) == (3, 1)
        assert cut.belief().observations == 102
        self.assert_unharmed(cut)

    @pytest.mark.parametrize("minute", [50, 50.5, 61, 99])
    def test_a_late_row_is_folded_onto_the_base(self, cut, make, minute):
        cut.record(fixes(make, [minute], seq=20))
        assert cut.belief().observations == 101
        self.assert_unharmed(cut)

    def test_a_change_from_always_is_folded_from_the_base(self, cut):
        cut.do(arrange, Site(id="depot"))
        cut.refresh()
        # What the base says of the time before is not taken back.
        assert [v.site for v in cut.ask(lambda tx: tx.visits("A1"))] == ["depot"] * 2
        assert cut.belief().observations == 100
        self.assert_unharmed(cut)

    def test_what_would_hold_from_before_is_refused(self, cut):
        since = self.EDGE - 1
        for use_case, *args in (
            (bind_device, "A1", "trk-1", since),
            (unbind, "A1", "trk-1", since),
            (arrange, DEPOT, since),
            (give_up, "site", "depot", since),
        ):
            with pytest.raises(BeforeEdge, match="where the log begins") as refused:
                cut.do(use_case, *args)
            assert refused.value.edge == self.EDGE
        cut.do(unbind, "A1", "trk-1", self.EDGE)

    def test_what_was_known_before_cannot_be_told(self, cut):
        with pytest.raises(BeforeLog):
            cut.ask(asset_status, "A1", NOW, as_of=self.EDGE - 1)
        assert cut.ask(asset_status, "A1", NOW, as_of=NOW + 10 * DAY).observed == cut.belief().at


def test_a_read_is_placed_by_the_reader_as_it_was_then(known, make):
    """A gate that was moved on did not stand there before."""
    known.register("gate-1")
    known.do(bind_tag, "A1", "AA")
    known.do(arrange, Site(id="depot"))
    known.do(arrange, Zone(id="z1", site="depot"))
    known.do(arrange, Reader(device="gate-1", place=Standing(lat=LAT, lon=LON)))
    there = Reader(device="gate-1", zone="z1", place=Standing(lat=FAR, lon=LON))
    known.do(arrange, there, NOW + 5 * MINUTE)
    for seq, minute in enumerate((9, 0)):
        event = make.read(NOW + minute * MINUTE, "tag:AA")
        known.record(make.message(event, device="gate-1", seq=seq, received=NOW + DAY))
    belief = known.belief()
    assert (belief.first.lat, belief.first.zone) == (LAT, None)
    assert (belief.last.lat, belief.last.zone) == (FAR, "z1")
    assert belief.moment == Moment(belief.last.at, belief.last.key)


def test_a_read_is_at_no_site_before_that_site_was_there(known, make):
    """The zone was said to be there from always, its site only from later on."""
    known.register("gate-1")
    known.do(bind_tag, "A1", "AA")
    known.do(arrange, DEPOT, NOW + 5 * MINUTE)
    known.do(arrange, Zone(id="z1", site="depot"))
    known.do(arrange, Reader(device="gate-1", zone="z1"))
    known.record(make.message(make.read(NOW, "tag:AA"), device="gate-1", received=NOW + DAY))
    assert known.belief().whereabouts.site is None
    later = make.read(NOW + 6 * MINUTE, "tag:AA")
    known.record(make.message(later, device="gate-1", seq=1, received=NOW + DAY))
    assert known.belief().whereabouts.stay.since == NOW + 6 * MINUTE
    known.do(arrange, DEPOT, NOW)
    known.refresh()
    assert known.belief().whereabouts.stay.since == NOW
    assert known.ask(verify).sound
