"""The log's edge moves: nothing that is believed or accounted for changes."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tracker.arrange import arrange
from tracker.audit import Act
from tracker.fold import encode
from tracker.places import Circle, Site
from tracker.trim import BadEdge, Trimmed, trim
from tracker.verify import verify

NOW = 1_790_000_000_000
MINUTE = 60_000
ACT = Act("me", NOW, NOW)
DEPOT = Site(id="depot", geofence=Circle(center=(4.2, 50.1), radius_m=500))


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
        assert len(tx.snapshots("A1")) == 1
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
