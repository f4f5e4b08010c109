"""Why a stage is believed: the weights sum to the odds, whatever happened."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracker.account import LINES_AT_MOST, Change, booked, explained, opened

STAGES = ["ready", "repair", "in_use", "lost"]
kinds = st.sampled_from(["read", "fix", "silence", "dwell"])
whats = st.sampled_from([f"z{n}" for n in range(9)])
events = st.lists(st.tuples(kinds, whats, st.integers(0, 2**32 - 1)), min_size=1, max_size=60)


def beliefs(seeds):
    """Rows of probabilities, some of them all but certain."""
    for seed in seeds:
        rng = np.random.default_rng(seed)
        row = rng.random((1, 4)) ** rng.choice([1, 8, 40]) + 1e-290
        yield row / row.sum()


def story(events):
    """An account of events, each after the one before, and what is believed at its end."""
    q = np.full((1, 4), 0.25)
    account = opened(q)
    for at, ((kind, what, _), after) in enumerate(
        zip(events, beliefs(seed for *_, seed in events), strict=True)
    ):
        account = booked(account, [Change(kind, what, q, after)], at)
        q = after
    return account, q


@given(events=events, stage=st.integers(0, 3), instead=st.integers(0, 3))
def test_the_weights_sum_to_the_odds(events, stage, instead):
    account, q = story(events)
    why = explained(account, STAGES, stage, instead)
    assert why.total == pytest.approx(np.log(q[0, stage] / q[0, instead]), abs=1e-9)
    assert why.before + sum(one.weight for one in why.reasons) == pytest.approx(why.total, abs=1e-9)


@given(events=events)
def test_no_more_lines_are_kept_than_anybody_reads(events):
    account, _ = story(events)
    assert len(account.lines) <= LINES_AT_MOST
    told = explained(account, STAGES, 0, 1)
    weights = [abs(one.weight) for one in told.reasons]
    assert weights == sorted(weights, reverse=True)


def test_the_same_sort_of_evidence_is_one_line():
    rows = list(beliefs(range(5)))
    account = opened(rows[0])
    for n, what in enumerate(["z1", "z2", "z1", "z1"]):
        account = booked(account, [Change("read", what, rows[n], rows[n + 1])], 10 * n)
    z1, z2 = account.lines
    assert (z1.what, z1.often, z1.first, z1.last) == ("z1", 3, 0, 30)
    assert (z2.what, z2.often, z2.first, z2.last) == ("z2", 1, 10, 10)


def test_what_has_not_been_heard_for_longest_is_part_of_what_stood_before():
    rows = list(beliefs(range(LINES_AT_MOST + 2)))
    account = opened(rows[0])
    for n in range(LINES_AT_MOST + 1):
        account = booked(account, [Change("read", f"z{n}", rows[n], rows[n + 1])], n)
    assert [line.what for line in account.lines] == [f"z{n}" for n in range(1, LINES_AT_MOST + 1)]
    why = explained(account, STAGES, 2, 0)
    assert why.before == pytest.approx(np.log(rows[1][0, 2] / rows[1][0, 0]))


def test_a_step_of_several_changes_is_booked_in_its_order():
    one, two, three = beliefs(range(3))
    together = booked(
        opened(one), [Change("dwell", "", one, two), Change("silence", "", two, three)], 7
    )
    first = booked(opened(one), [Change("dwell", "", one, two)], 7)
    assert booked(first, [Change("silence", "", two, three)], 7) == together


def test_nothing_changes_nothing():
    account = opened(np.array([[0.5, 0.5]]))
    assert booked(account, [], 7) is account


def test_what_is_all_but_impossible_has_finite_odds():
    account = opened(np.array([[1.0, 0.0, 0.0, 0.0]]))
    assert np.isfinite(explained(account, STAGES, 0, 1).total)
