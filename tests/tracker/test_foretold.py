"""Figures of forecasts: against what they are by definition."""

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracker.foretold import Foretold, figures

LINES = st.lists(
    st.builds(Foretold, st.sampled_from([0.0, 0.05, 0.3, 0.31, 0.9, 1.0]), st.booleans()),
    min_size=1,
    max_size=30,
)


@given(LINES)
def test_the_auc_is_the_share_of_pairs_in_the_right_order(lines):
    pairs = [(one.p, other.p) for one in lines if one.late for other in lines if not other.late]
    right = sum(late > not_late for late, not_late in pairs)
    tied = sum(late == not_late for late, not_late in pairs)
    expected = pytest.approx((right + tied / 2) / len(pairs)) if pairs else None
    assert figures(lines)["auc"] == expected


@given(LINES)
def test_bins_hold_every_line_and_add_up(lines):
    found = figures(lines)
    assert sum(row["lines"] for row in found["bins"]) == found["lines"] == len(lines)
    late = sum(row["lines"] * row["late"] for row in found["bins"])
    assert late == pytest.approx(sum(one.late for one in lines))
    assert abs(found["foretold"] - found["late"]) <= found["ece"] + 1e-9 <= 1 + 1e-9


def test_a_guess_of_the_base_rate_orders_nothing_and_is_calibrated():
    found = figures(3 * [Foretold(0.25, False)] + [Foretold(0.25, True)])
    assert (found["auc"], found["ece"]) == (0.5, 0.0)
    assert found["brier"] == found["brier_of_base_rate"] == 0.1875


def test_lines_that_are_foretold_rightly_err_as_much_as_chance_has_it():
    chance = Random(1)
    found = []
    for _ in range(200):
        likely = [chance.random() for _ in range(100)]
        found.append(figures([Foretold(p, chance.random() < p) for p in likely]))
    mean = sum(one["ece"] for one in found) / 200
    assert sum(one["ece_by_chance"] for one in found) / 200 == pytest.approx(mean, rel=0.1)


def test_lines_that_were_known_to_be_back_are_told_apart():
    found = figures([Foretold(0.8, True), Foretold(0.0, True, under_way=False)])
    assert (found["lines"], found["ece"]) == (2, pytest.approx(0.6))
    assert (found["under_way"]["lines"], found["under_way"]["ece"]) == (1, pytest.approx(0.2))
    assert figures([])["under_way"] == {"lines": 0}
