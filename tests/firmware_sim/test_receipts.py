"""Receipts as a device reads them."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_sim.receipts import Receipt, Runs


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"\xff",
        b"[]",
        b'{"seq": 1}',
        b'{"boot": "a"}',
        b'{"boot": 7, "seq": 1}',
        b'{"boot": "a", "seq": "1"}',
        b'{"boot": "a", "seq": true}',
        b'{"boot": "a", "seq": 1, "missing": {}}',
        b'{"boot": "a", "seq": 1, "missing": [3]}',
        b'{"boot": "a", "seq": 1, "missing": [[0, 0.5]]}',
    ],
)
def test_what_is_no_receipt_is_refused(payload):
    with pytest.raises(ValueError):  # noqa: PT011 (orjson's errors have messages of their own)
        Receipt.parse(payload)


def test_a_receipt_may_leave_missing_out():
    assert Receipt.parse(b'{"boot": "a", "seq": 3}') == Receipt("a", 3)


@given(st.lists(st.integers(0, 40)))
def test_runs_are_the_set_of_what_was_added(numbers):
    runs = Runs()
    for number in numbers:
        runs.add(number)
    assert [seq for low, high in runs for seq in range(low, high + 1)] == sorted(set(numbers))
    assert len(runs) == len(set(numbers))
    assert all(high + 1 < low for (_, high), (low, _) in pairwise(runs))
    assert all((number in runs) == (number in numbers) for number in range(-1, 42))
