"""Receipts: what of a boot is accounted for, and what the device is told of it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from tracker.receipts import HOLE_EXPIRES, HOLES_AT_MOST, MISSING_AT_MOST, Progress, Receipt

seqs = st.integers(0, 60)


def after(*seqs, now=0):
    progress = Progress()
    for seq in seqs:
        progress = progress.account(seq, now)
    return progress


def claims(progress):
    """The numbers that the progress's receipt tells the device to drop."""
    top, missing = progress.receipt()
    return set(range(top + 1)) - numbers(missing)


def numbers(spans):
    return {n for span in spans for n in range(span.low, span.high + 1)}


@pytest.mark.parametrize(
    ("kept", "receipt"),
    [
        ([], (-1, [])),
        ([0], (0, [])),
        ([0, 1, 2], (2, [])),
        ([2, 0, 1], (2, [])),
        ([1041], (1041, [(0, 1040)])),
        ([0, 0, 0], (0, [])),
        ([*range(1037), 1039, 1040, 1041], (1041, [(1037, 1038)])),
        ([0, 9, 5], (9, [(1, 4), (6, 8)])),
        ([0, 2, 1], (2, [])),
        ([0, 4, 1], (4, [(2, 3)])),
        ([0, 4, 3], (4, [(1, 2)])),
    ],
)
def test_a_receipt_names_the_top_and_what_is_missing_below(kept, receipt):
    assert after(*kept).receipt() == receipt


def test_the_payload_is_that_of_the_wire():
    receipt = Receipt("trk-1", "9f3a01c2", *after(*range(1037), 1039, 1040, 1041).receipt())
    assert receipt.topic == "retour/v1/trk-1/receipt"
    assert receipt.payload == b'{"boot":"9f3a01c2","seq":1041,"missing":[[1037,1038]]}'


def test_eight_holes_are_named():
    evens = range(0, 2 * MISSING_AT_MOST + 1, 2)
    assert after(*evens).receipt() == (16, [(n, n) for n in range(1, 16, 2)])


def test_a_receipt_stops_before_the_ninth_hole():
    evens = range(0, 2 * MISSING_AT_MOST + 3, 2)
    assert after(*evens).receipt() == (16, [(n, n) for n in range(1, 16, 2)])


def test_with_too_many_holes_one_more_is_not_accounted_for():
    full = after(*range(0, 2 * HOLES_AT_MOST + 1, 2))
    assert len(full.holes) == HOLES_AT_MOST
    beyond = full.top + 2
    assert full.account(beyond, 0) == full
    assert full.account(full.top + 1, 0).covers(full.top + 1)
    one_less = full.account(1, 0)
    assert one_less.account(beyond, 0).covers(beyond)


def test_with_too_many_holes_a_wide_one_is_filled_from_its_ends_only():
    full = after(3, *range(5, 5 + 2 * HOLES_AT_MOST - 2, 2))
    assert len(full.holes) == HOLES_AT_MOST
    assert full.account(1, 0) == full
    assert full.account(0, 0).covers(0)
    assert full.account(2, 0).covers(2)


@pytest.mark.parametrize(
    ("kept", "first", "receipt", "lost"),
    [
        ([0, 4], 3, (4, [(3, 3)]), [(1, 2)]),
        ([0, 4], 4, (4, []), [(1, 3)]),
        ([0, 4], 1, (4, [(1, 3)]), []),
        ([], 5, (4, []), [(0, 4)]),
        ([0], 5, (4, []), [(1, 4)]),
        ([0, 2, 4], 4, (4, []), [(1, 1), (3, 3)]),
        ([0, 1], 0, (1, []), []),
    ],
)
def test_what_the_device_no_longer_holds_is_lost(kept, first, receipt, lost):
    progress = after(*kept).declare_first(first)
    assert progress.receipt() == receipt
    assert list(progress.lost) == lost


def test_a_lower_first_than_before_changes_nothing():
    progress = after(0, 9).declare_first(5)
    assert progress.declare_first(3) == progress
    assert progress.declare_first(None) == progress


def test_a_late_number_out_of_a_lost_range_is_accounted_for():
    progress = after(0, 9).declare_first(8).account(4, 0)
    assert progress.covers(4)
    assert list(progress.lost) == [(1, 3), (5, 7)]


@pytest.mark.parametrize(("age", "passed_over"), [(HOLE_EXPIRES, False), (HOLE_EXPIRES + 1, True)])
def test_a_hole_older_than_seven_days_is_passed_over(age, passed_over):
    progress = after(0, 2, now=1_000).expire(1_000 + age)
    assert progress.receipt() == ((2, []) if passed_over else (2, [(1, 1)]))
    assert list(progress.lost) == ([(1, 1)] if passed_over else [])
    assert not progress.covers(1)


def test_a_hole_of_a_device_that_says_first_never_expires():
    progress = after(0, 2).declare_first(0)
    assert progress.expire(10 * HOLE_EXPIRES) == progress


def test_a_hole_keeps_its_age_when_it_is_filled_in_part():
    progress = after(0, 5).account(3, HOLE_EXPIRES).expire(HOLE_EXPIRES + 1)
    assert list(progress.lost) == [(1, 2), (4, 4)]


@given(st.lists(seqs, max_size=60), st.randoms())
def test_neither_order_nor_repeats_matter(kept, random):
    shuffled = kept * 2
    random.shuffle(shuffled)
    assert after(*shuffled).accounted() == after(*kept).accounted()


class AgainstASet(RuleBasedStateMachine):
    """Progress beside a plain set of what is kept and what is lost."""

    def __init__(self):
        super().__init__()
        self.progress = Progress()
        self.kept, self.gone, self.seen = set(), set(), {}
        self.first, self.now = None, 0

    @rule(seq=seqs)
    def keep(self, seq):
        for missing in range(self._top() + 1, seq):
            self.seen[missing] = self.now
        self.kept.add(seq)
        self.gone.discard(seq)
        self.progress = self.progress.account(seq, self.now)

    @rule(first=seqs)
    def declare(self, first):
        if self.first is None or first > self.first:
            self.gone |= set(range(first)) - self.kept
            self.first = first
        self.progress = self.progress.declare_first(first)

    @rule(days=st.integers(1, 5))
    def wait(self, days):
        self.now += days * HOLE_EXPIRES // 7
        self.progress = self.progress.expire(self.now)
        if self.first is None:
            old = {n for n in self._open() if self.now - self.seen[n] > HOLE_EXPIRES}
            self.gone |= old

    def _top(self):
        return max(self.kept | self.gone, default=-1)

    def _open(self):
        return set(range(self._top() + 1)) - self.kept - self.gone

    @invariant()
    def agrees(self):
        assert numbers(self.progress.accounted()) == self.kept
        assert numbers(self.progress.lost) == self.gone
        assert numbers(self.progress.holes) == self._open()
        assert {n for n in range(70) if self.progress.covers(n)} == self.kept

    @invariant()
    def never_claims_what_is_neither_kept_nor_lost(self):
        assert claims(self.progress) <= self.kept | self.gone

    @precondition(lambda self: len(self.progress.holes) <= MISSING_AT_MOST)
    @invariant()
    def claims_all_that_is_accounted_for(self):
        assert claims(self.progress) == self.kept | self.gone


TestAgainstASet = AgainstASet.TestCase


def test_what_a_device_lost_is_remembered_in_a_limited_number_of_ranges(monkeypatch):
    """The oldest are joined; a receipt still claims nothing that has not come."""
    monkeypatch.setattr("tracker.receipts.LOST_AT_MOST", 3)
    progress = Progress()
    for seq in range(1, 40, 2):
        progress = progress.account(seq, 1).declare_first(seq)
    assert len(progress.lost) == 3
    assert not any(progress.covers(seq) for seq in range(0, 40, 2))
    assert progress.covers(39)
