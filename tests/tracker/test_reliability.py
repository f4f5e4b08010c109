"""When assets fail: judged on simulated fleets whose true lives are known."""

from math import exp, log

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracker.goodness import goodness, kaplan_meier
from tracker.reliability import ENOUGH, Life, Model, Prior, fit

SEEDS, FLEET, HORIZON = 20, 2_000, 20.0
ENOUGH_IN_A_BIN, OFF_AT_MOST = 1_000, 0.05


def fleet(seed, size=FLEET):
    """Two classes of their own wear, looked at after some of their life; and when each will have
    failed."""
    random, lives, ends = np.random.default_rng(seed), [], {}
    for class_ in ("a", "b"):
        scale, shape = random.uniform(60, 200), random.uniform(1.2, 3)
        b = (-random.uniform(0.5, 1.5), -random.uniform(0.2, 1), -random.uniform(0, 0.3))
        for n in range(size // 2):
            rates = (random.gamma(2, 0.1), random.binomial(1, 0.2) * 0.05, random.gamma(2, 0.5))
            end = scale * exp(np.dot(b, rates)) * random.weibull(shape)
            seen = random.uniform(1, scale * 1.2)
            ends[f"{class_}{n}"] = end
            lives.append(Life(f"{class_}{n}", class_, min(end, seen), end <= seen, rates))
    return lives, ends


def judged(leave_out_living):
    """Forecasts and what came, of all living assets of all fleets, by tenths of the forecast; and
    those of 0.8 and more."""
    told, came = [], []
    for seed in range(SEEDS):
        lives, ends = fleet(seed)
        models = fit([life for life in lives if life.failed] if leave_out_living else lives)
        for life in lives:
            if not life.failed:
                told.append(models[life.class_].p_fail(life.cycles, HORIZON, life.rates))
                came.append(ends[life.asset] <= life.cycles + HORIZON)
    told, came = np.array(told), np.array(came)
    tenths = [(told >= n / 10) & (told < (n + 1) / 10) for n in range(10)]
    full = [some for some in tenths if some.sum() >= ENOUGH_IN_A_BIN]
    assert len(full) >= 4
    high = told >= 0.8
    gaps = [abs(told[some].mean() - came[some].mean()) for some in full]
    return max(gaps), abs(told[high].mean() - came[high].mean()), high.sum()


def test_as_many_fail_as_is_foretold():
    worst, high, many = judged(leave_out_living=False)
    assert worst <= OFF_AT_MOST
    assert many >= 100
    assert high <= OFF_AT_MOST


def test_who_leaves_the_living_out_foretells_too_much():
    worst, high, _ = judged(leave_out_living=True)
    assert worst > OFF_AT_MOST
    assert high > OFF_AT_MOST


def test_a_class_that_hardly_failed_borrows_from_its_maker():
    lives = [Life(str(n), "c", 10 + n, False) for n in range(50)]
    prior = Prior(100, 2.0)
    model = fit(lives, {"c": prior})["c"]
    assert (model.failures, model.borrowed) == (0, ENOUGH)
    assert model.scale(()) > 100  # fifty that live say that the maker is too careful
    assert fit(lives) == {}


def test_each_failure_takes_the_place_of_a_borrowed_one():
    random = np.random.default_rng(3)
    scales = []
    for failures in (0, 15, 30):
        lives = [Life(str(n), "c", 50 * random.weibull(2), True) for n in range(failures)]
        lives += [Life(f"s{n}", "c", 1, False) for n in range(3)]
        model = fit(lives, {"c": Prior(100, 2.0)})["c"]
        assert model.borrowed == ENOUGH - failures
        scales.append(model.scale(()))
    assert scales[0] == pytest.approx(100, rel=0.05)
    assert scales[0] > scales[1] > scales[2]
    assert scales[2] == pytest.approx(50, rel=0.2)


def test_without_a_maker_the_other_classes_lend():
    random = np.random.default_rng(4)
    many = [Life(f"m{n}", "many", 80 * random.weibull(2), True) for n in range(200)]
    few = [Life(f"f{n}", "few", 20.0, False) for n in range(5)]
    model = fit([*many, *few])["few"]
    assert (model.lives, model.failures, model.borrowed) == (5, 0, ENOUGH)
    assert model.scale(()) == pytest.approx(80, rel=0.15)


def test_rates_that_are_all_alike_tell_nothing():
    random = np.random.default_rng(5)
    lives = [Life(str(n), "c", 80 * random.weibull(2), n % 4 > 0, (0.5,)) for n in range(100)]
    assert fit(lives)["c"].coefficients == (0.0,)


def test_a_failure_in_the_first_cycle_counts():
    lives = [Life(str(n), "c", 0 if n < 5 else 10 + n, n % 2 == 0) for n in range(60)]
    assert fit(lives)["c"].failures == 30


MODELS = st.builds(
    lambda scale, shape: Model(log(scale), (), shape), st.floats(1, 1e4), st.floats(0.3, 8)
)


@given(MODELS, st.floats(0, 1e3), st.floats(0, 1e3), st.floats(0, 1e3))
def test_who_lives_through_one_time_may_fail_in_the_next(model, age, first, then):
    both = model.p_fail(age, first + then)
    parts = 1 - (1 - model.p_fail(age, first)) * (1 - model.p_fail(age + first, then))
    assert both == pytest.approx(parts, abs=1e-9)
    assert 0 <= model.p_fail(age, first) <= both + 1e-12 <= 1 + 1e-12


@given(MODELS, st.floats(0, 2), st.floats(0.01, 0.99))
def test_what_remains_is_when_that_share_has_failed(model, lives, share):
    age = lives * model.scale(())
    assert model.p_fail(age, model.remaining(age, share)) == pytest.approx(share, abs=1e-6)


def test_the_curve_of_what_was_seen_by_hand():
    # five assets: fail 2, lives at 3, two fail at 4, lives at 6
    lives = [
        Life("a", "c", 2, True),
        Life("b", "c", 3, False),
        Life("c", "c", 4, True),
        Life("d", "c", 4, True),
        Life("e", "c", 6, False),
    ]
    assert kaplan_meier(lives) == [(2, 0.8, 5), (4, pytest.approx(0.8 / 3), 3)]


def test_a_wrong_model_is_seen_to_be_off():
    random = np.random.default_rng(6)
    lives = [Life(str(n), "c", 80 * random.weibull(2), True) for n in range(300)]
    right = fit(lives)["c"]
    assert goodness(right, lives).largest_gap < 0.06
    assert goodness(right._replace(b0=right.b0 + 1), lives).largest_gap > 0.3


@pytest.mark.parametrize(
    "lives",
    [
        [Life("a", "c", 3, True, (0.0,))],  # nothing to see a curve by
        [Life(f"a{n}", "c", 5, True, (0.0,)) for n in range(40)],  # no curve is steep enough
        [Life(f"a{n}", "c", 0, True, (0.0,)) for n in range(40)],
        [Life("a", "c", 3, True, (0.5,)), Life("b", "c", 5, False, (0.0,))],
    ],
)
def test_lives_that_make_no_curve_break_nothing(lives):
    model = fit(lives).get("c")
    assert model is None or 0 <= model.p_fail(7, 1, (0.0,)) <= 1


@pytest.mark.parametrize("coefficient", [-1.0, 1.0])
@pytest.mark.parametrize("rate", [400.0, 1e3, 1e9])
def test_rates_beyond_all_measure_are_answered_too(coefficient, rate):
    """A sensor that tells nonsense must not keep its asset from being looked at."""
    model = Model(log(100), (coefficient,), 2.5)
    fails = 1.0 if coefficient < 0 else 0.0
    assert model.p_fail(5, 1, (rate,)) == pytest.approx(fails)
    assert model.survival(5, (rate,)) == pytest.approx(1 - fails)
    assert model.remaining(5, 0.5, (rate,)) >= (0 if coefficient < 0 else 1e11)
