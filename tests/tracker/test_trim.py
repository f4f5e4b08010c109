"""The log's edge moves: nothing that is believed or accounted for changes."""

from contextlib import closing

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tracker.arrange import arrange
from tracker.audit import Act
from tracker.facts import state as state_facts
from tracker.fold import encode
from tracker.log_ports import SPAN_MS, LogSpan
from tracker.model import Asset, Device, Fact
from tracker.places import Circle, Site
from tracker.registry import register_asset, register_device
from tracker.stores.postgresql import PostgresqlStore
from tracker.trim import BadEdge, Trimmed, retain, trim
from tracker.verify import verify

NOW = 1_790_000_000_000
MINUTE, DAY = 60_000, 86_400_000
ACT = Act("me", NOW, NOW)
DEPOT = Site(id="depot", geofence=Circle(center=(4.2, 50.1), radius_m=500))


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.system)])
def new_database(request, new_database, database_of):
    """Makes empty databases, of each kind."""
    if request.param == "sqlite":
        return new_database
    new_url = request.getfixturevalue("new_postgresql")
    return lambda: database_of(PostgresqlStore(new_url()))


def drive(make, minutes, seq):
    """A message of fixes, in and out of the depot by turns of ten minutes."""
    places = [50.1 if minute // 10 % 2 == 0 else 51.0 for minute in minutes]
    fixes = [
        make.fix(NOW - minute * MINUTE, lat) for minute, lat in zip(minutes, places, strict=True)
    ]
    return make.message(*fixes, seq=seq)


@pytest.fixture
def driven(known, make):
    """A hundred minutes of fixes, ten to a message; number n begins (n + 1) * 10 minutes ago."""
    with known.store.writing() as tx:
        arrange(tx, DEPOT)
    for seq in reversed(range(10)):
        known.record(drive(make, range(seq * 10 + 10, seq * 10, -1), seq))
    return known


def cut(db, edge, act=ACT):
    with db.store.writing() as tx:
        return trim(tx, edge, act)


def state(db):
    with db.store.reading() as tx:
        return encode(tx.belief("A1")), tx.visits("A1"), tx.journal_after(0, 1_000)


def audited(db):
    with db.store.reading() as tx:
        return verify(tx)


def test_what_is_believed_and_what_is_accounted_for_stays(driven):
    before = state(driven)
    assert cut(driven, NOW - 45 * MINUTE) == Trimmed(NOW - 45 * MINUTE, 55, 1)
    report = audited(driven)
    assert (report.sound, report.observations, report.before_edge) == (True, 45, 0)
    assert state(driven) == before


def test_an_edge_moves_on_and_is_said_twice_in_vain(driven):
    before = state(driven)
    for minutes, rows in ((80, 20), (80, 0), (45, 35), (15, 30)):
        assert cut(driven, NOW - minutes * MINUTE).rows == rows
        assert audited(driven).sound
    assert state(driven) == before
    with driven.store.reading() as tx:
        edge = NOW - 15 * MINUTE
        assert [snapshot.at < edge for snapshot in tx.snapshots("A1")] == [True, False]
        lines = [line.after for _, line in tx.changes(None, 10, kind="log")]
    assert [line["rows"] for line in lines] == [30, 35, 20]


@pytest.mark.parametrize(
    ("minutes", "reason"), [(-1, "in the future"), (46, "the log begins at 2026-")]
)
def test_an_edge_in_the_future_or_before_the_edge_is_refused(driven, minutes, reason):
    cut(driven, NOW - 45 * MINUTE)
    with pytest.raises(BadEdge, match=reason):
        cut(driven, NOW - minutes * MINUTE)


def test_a_message_sent_again_is_a_duplicate_though_its_rows_are_gone(driven, make):
    cut(driven, NOW - 45 * MINUTE)
    before = state(driven)
    for seq in range(10):  # of number 4, half of the rows are gone
        again = driven.record(drive(make, range(seq * 10 + 10, seq * 10, -1), seq))
        assert (again.stored, again.duplicates, again.dead_lettered) == (0, 10, 0)
        assert [receipt.seq for receipt in again.receipts] == [9]
    assert (driven.count("log"), driven.count("dead_letters")) == (45, 0)
    assert state(driven) == before


def test_another_content_under_an_old_number_is_told_from_it(driven, make):
    """From after the edge it contradicts: nothing there was given up."""
    cut(driven, NOW - 45 * MINUTE)
    fresh = make.message(*[make.sensor(NOW - MINUTE)] * 11, seq=9)
    assert driven.record(fresh).dead_lettered == 11


def test_what_comes_late_has_no_effect_and_goes_with_the_next_edge(driven, make):
    cut(driven, NOW - 45 * MINUTE)
    before = state(driven)
    late = driven.record(make.message(make.fix(NOW - 60 * MINUTE), seq=10))
    assert (late.stored, late.before_edge, late.receipts[0].seq) == (1, 1, 10)
    assert state(driven) == before
    assert (audited(driven).before_edge, audited(driven).sound) == (1, True)
    assert cut(driven, NOW - 44 * MINUTE).rows == 2
    assert (audited(driven).before_edge, audited(driven).sound) == (0, True)


def test_what_is_stale_is_folded_before_its_log_goes(driven):
    with driven.store.writing() as tx:
        arrange(tx, DEPOT.model_copy(update={"geofence": None}))
        assert tx.stale_assets(10) == ["A1"]
    cut(driven, NOW - 45 * MINUTE)
    with driven.store.reading() as tx:
        assert (tx.visits("A1"), tx.stale_count()) == ([], 0)
    assert audited(driven).sound


def test_facts_of_an_asset_that_nothing_is_bound_to_stay_in_its_belief(new_database, make):
    with closing(new_database().store) as store:
        with store.writing() as tx:
            register_asset(tx, Asset("A1"))
            stated = [("f-1", "dispatched", 50), ("f-2", "received", 10)]
            facts = [(Fact("A1", kind, None, id), NOW - m * MINUTE) for id, kind, m in stated]
            state_facts(tx, facts, make.POLICY, NOW)
            assert trim(tx, NOW - 30 * MINUTE, ACT) == Trimmed(NOW - 30 * MINUTE, 1, 1)
            late = Fact("A1", "received", None, "f-3"), NOW - 20 * MINUTE
            state_facts(tx, [late], make.POLICY, NOW)
        with store.reading() as tx:
            assert verify(tx).differences == []
            known = tx.belief("A1")
            assert known is not None
            assert known.observations == 3


minutes = st.integers(-1, 101)


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(edges=st.lists(minutes, max_size=4), late=st.lists(minutes, max_size=4))
def test_whatever_goes_and_comes_the_audit_is_clean(new_database, make, edges, late):
    db = new_database()
    db.register("trk-1", asset="A1")
    with db.store.writing() as tx:
        arrange(tx, DEPOT)
    for seq in (3, 1, 0, 7):
        db.record(drive(make, range(seq * 10 + 10, seq * 10, -1), seq))
    for n, edge in enumerate(sorted(edges, reverse=True)):
        if edge >= 0:
            cut(db, NOW - edge * MINUTE)
        for minute in late[n : n + 1]:
            db.record(make.message(make.fix(NOW - minute * MINUTE), seq=100 + n))
        report = audited(db)
        assert report.sound
        assert report.differences == []
    db.store.close()


SPAN = NOW // SPAN_MS * SPAN_MS
"""Where the span begins in which NOW lies."""


def in_span(make, back, seq, lat=50.1, received=None, **envelope):
    """A message of one fix a second in the span so many before that of NOW, received at its
    end or as said."""
    begin = SPAN - back * SPAN_MS
    received = begin + SPAN_MS - 1_000 if received is None else received
    fixes = [make.fix(begin + second * 1_000, lat) for second in range(10)]
    return make.message(*fixes, seq=seq, received=received, **envelope)


def keep(db, days, now=NOW):
    return db.do(retain, days, Act("me", now, now))


@pytest.fixture
def long(known, make):
    """Five spans with a message each, in and out of the depot; number n lies n spans back."""
    known.do(arrange, DEPOT)
    for back in (5, 4, 3, 2, 1):
        known.record(in_span(make, back, seq=5 - back, lat=50.1 if back % 2 else 51.0))
    return known


def ends(db):
    """How many spans before that of NOW there is something in the log."""
    with db.store.reading() as tx:
        return [(SPAN - span.end) // SPAN_MS + 1 for span in tx.log_spans()]


def test_a_span_goes_when_its_newest_recording_is_older_than_the_retention(long):
    before = state(long)
    assert keep(long, 10_000) == Trimmed(None, 0, 0)
    assert ends(long) == [5, 4, 3, 2, 1]
    for days, left in ((91, [4, 3, 2, 1]), (91, [4, 3, 2, 1]), (1, [1])):
        now = SPAN + DAY - 2_000  # the newest of all was recorded a day ago, all but
        keep(long, days, now)
        assert ends(long) == left
        assert (audited(long).sound, audited(long).before_edge) == (True, 0)
        assert state(long) == before
    assert keep(long, 1, SPAN + 2 * DAY) == Trimmed(SPAN, 10, 1)
    with long.store.reading() as tx:
        assert (tx.edge(), tx.counts()["log"]) == (SPAN, 0)
    assert audited(long).sound


def test_no_span_goes_before_an_older_one(long, make):
    """What was recorded of the oldest one yesterday keeps all."""
    long.record(in_span(make, 5, seq=5, received=NOW - DAY), recorded=NOW - DAY)
    assert keep(long, 30) == Trimmed(None, 0, 0)
    assert keep(long, 30, NOW + 40 * DAY).rows == 60
    assert audited(long).sound


def test_a_span_that_is_not_over_stays(known, make):
    """However long nothing has come: what comes next is not from before the log."""
    known.record(in_span(make, 0, seq=0, received=SPAN + 20_000))
    assert keep(known, 1) == Trimmed(None, 0, 0)
    known.record(make.message(make.fix(NOW - 1), seq=1))
    assert known.belief().observations == 11


def test_nothing_is_given_up_of_an_empty_log(known):
    assert keep(known, 1) == Trimmed(None, 0, 0)


def test_spans_before_1970_are_spans(known, make):
    known.do(register_device, Device("old", "tracker", recording=True), make.POLICY)
    for seq, at in enumerate((-1, -SPAN_MS, -SPAN_MS - 1, 0)):
        known.record(make.message(make.fix(at), device="old", seq=seq, received=seq))
    with known.store.reading() as tx:
        assert [*tx.log_spans()] == [LogSpan(-SPAN_MS, 2), LogSpan(0, 1), LogSpan(SPAN_MS, 3)]
    assert keep(known, 1) == Trimmed(SPAN_MS, 4, 0)
    assert audited(known).sound


def test_19_what_comes_late_for_a_span_that_went_is_told_from_before_the_log(long, make):
    before, edge = state(long), SPAN - 2 * SPAN_MS
    assert keep(long, 1, SPAN - SPAN_MS + 2 * DAY).edge == edge + SPAN_MS
    again = long.record(in_span(make, 4, seq=1, lat=51.0))
    assert (again.stored, again.duplicates, again.receipts[0].seq) == (0, 10, 4)
    late = long.record(in_span(make, 4, seq=5, boot="b2", lat=51.0, received=NOW))
    assert (late.stored, late.before_edge, late.receipts[0].boot) == (10, 10, "b2")
    assert state(long) == before
    assert (audited(long).before_edge, audited(long).sound) == (10, True)
    # It keeps nothing from going, and goes with the next edge.
    assert keep(long, 1, SPAN + 2 * DAY) == Trimmed(SPAN, 20, 1)
    assert (audited(long).before_edge, audited(long).sound, ends(long)) == (0, True, [])
    again = long.record(in_span(make, 4, seq=5, boot="b2", lat=51.0, received=NOW))
    assert (again.stored, again.duplicates) == (0, 10)


def test_a_corrected_time_may_lie_in_the_span_before_its_stamp(known, make):
    """It goes with that one, though its stamp is the next one's."""
    received = SPAN + 20 * MINUTE
    ahead = make.message(
        *[make.fix(SPAN + minute * MINUTE) for minute in (0, 1, 40, 41)],
        sent=received + 30 * MINUTE,
        received=received,
    )
    assert known.record(ahead).stored == 4
    known.record(in_span(make, 1, seq=1), recorded=SPAN)
    assert keep(known, 1, SPAN + 2 * DAY) == Trimmed(SPAN, 12, 1)
    with known.store.reading() as tx:
        assert [o.at - SPAN for o in tx.history("A1")] == [10 * MINUTE, 11 * MINUTE]
    assert (audited(known).before_edge, audited(known).sound) == (0, True)
    assert known.belief().observations == 14


@pytest.mark.system
def test_another_process_goes_on_into_a_partition_that_went(new_postgresql, make, database_of):
    """Which it had known to be there."""
    url = new_postgresql()
    with closing(PostgresqlStore(url)) as one, closing(PostgresqlStore(url)) as other:
        here, there = database_of(one), database_of(other)
        here.register("trk-1", asset="A1")
        there.record(in_span(make, 2, seq=0))
        assert keep(here, 1).rows == 10
        with psycopg.connect(url) as db:
            assert db.execute("SELECT FROM pg_inherits").fetchall() == []  # dropped, not emptied
        late = there.record(in_span(make, 2, seq=1))
        assert (late.stored, late.before_edge, late.dead_lettered) == (10, 10, 0)
        assert audited(here).sound
