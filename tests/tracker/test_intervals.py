"""The usual one of gaps."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tracker.intervals import AT_LEAST, cycle, usual


def inventories(chance, count, seed=1):
    """Gaps between reads of a tag that each inventory, every 900 s, reads with a chance."""
    chances = random.Random(seed)
    for _ in range(count):
        cycles = 1
        while chances.random() >= chance:
            cycles += 1
        yield 900 * cycles + chances.uniform(-20, 20)


@pytest.mark.parametrize(("chance", "count"), [(1, 12), (0.8, 30), (0.5, 60), (0.3, 100)])
def test_a_cycle_is_found_however_many_inventories_miss(chance, count):
    assert usual(inventories(chance, count)).value == pytest.approx(900, rel=0.02)


@pytest.mark.parametrize("chance", [0.15, 0.1])
def test_a_cycle_is_found_of_stray_reads_by_its_multiples(chance):
    assert cycle(inventories(chance, 1_000)).value == pytest.approx(900, rel=0.01)


def test_a_report_that_comes_about_every_hour_is_found_between_outages():
    chances = random.Random(2)
    gaps = [3_600 * chances.uniform(0.9, 1.1) for _ in range(60)]
    gaps += [chances.uniform(7_000, 200_000) for _ in range(40)]
    assert usual(gaps).value == pytest.approx(3_600, rel=0.03)


def test_a_few_that_come_sooner_do_not_mislead():
    gaps = [*inventories(0.8, 100), *[3.0] * 12]
    assert usual(gaps).value == pytest.approx(900, rel=0.02)


@pytest.mark.parametrize("count", [0, 1, 30, 300, 1_000])
def test_what_comes_by_pure_chance_has_no_cycle(count):
    chances = random.Random(3)
    assert cycle(chances.expovariate(1 / 900) for _ in range(count)) is None


def test_a_few_stray_reads_have_no_wrong_cycle():
    """Of so few, some sort is soon as common as one in five."""
    found = [cycle(inventories(0.05, 55, seed)) for seed in range(200)]
    assert [one for one in found if one is not None] == []


GAPS = st.lists(st.floats(0, 1e7) | st.sampled_from([60.0, 900.0, 1_800.0]), max_size=60)


@settings(max_examples=200, deadline=None, derandomize=True, database=None)
@given(GAPS, st.randoms(use_true_random=False))
def test_order_means_nothing_and_the_value_is_one_of_what_was_seen(gaps, chances):
    found = cycle(gaps)
    shuffled = [*gaps]
    chances.shuffle(shuffled)
    assert cycle(shuffled) == found
    if found is not None:
        assert min(gap for gap in gaps if gap > 0) <= found.value <= max(gaps)
        assert AT_LEAST <= found.of <= len(gaps)
        assert found.sd >= 0
