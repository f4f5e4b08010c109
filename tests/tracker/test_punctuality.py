"""How late customers are: what is learned of them is what they are."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracker.punctuality import ALIKE, Customers, customers, punctuality

SHARES = st.floats(0.0, 0.99)


def fell_due(chance, r, lines):
    return [
        (p, chance.random() < 1 - (1 - p) ** r)
        for p in (chance.choice([0.1, 0.3, 0.6]) for _ in range(lines))
    ]


def test_customers_that_differ_are_told_apart():
    chance, true = random.Random(1), {"punctual": 0.2, "others": 1.0, "late": 4.0}
    due = {f"{name} {n}": fell_due(chance, r, 60) for name, r in true.items() for n in range(4)}
    found = customers(due)
    assert found.alike < ALIKE[0]
    for name, r in true.items():
        told = [found.of(f"{name} {n}").late_with(0.3) for n in range(4)]
        assert sum(told) / 4 == pytest.approx(1 - 0.7**r, abs=0.1)


def test_customers_that_do_not_differ_are_taken_for_alike():
    chance = random.Random(2)
    found = customers({str(n): fell_due(chance, 1.0, 60) for n in range(12)})
    assert found.alike >= 10
    assert all(0.6 < one.mean < 1.5 for one in found.by_id.values())


def test_who_is_nearly_always_expected_late_is_judged_by_that():
    chance = random.Random(3)
    often = [(0.95, chance.random() < 0.95) for _ in range(2_000)]
    assert punctuality(often, 30.0).mean == pytest.approx(1.0, abs=0.1)


@given(p=SHARES, alike=st.sampled_from(ALIKE))
def test_an_unknown_customer_changes_nothing(p, alike):
    assert Customers(alike).of("new").late_with(p) == pytest.approx(p, abs=1e-9)


@given(lines=st.lists(st.tuples(SHARES, st.booleans()), max_size=30), p=SHARES)
def test_each_late_line_makes_later_and_each_other_one_less_late(lines, p):
    known = punctuality(lines)
    more, less = punctuality([*lines, (0.3, True)]), punctuality([*lines, (0.3, False)])
    assert less.mean < known.mean < more.mean
    assert less.late_with(p) <= known.late_with(p) + 1e-12 <= more.late_with(p) + 2e-12
    assert 0.0 <= known.late_with(p) <= 1.0
