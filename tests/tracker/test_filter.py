"""The filter: exact steps, and the same bits for one row and for many."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tracker.chain import Chain
from tracker.filter import (
    BASE,
    DIGITS,
    Power,
    Powers,
    Silence,
    exponential,
    predict_each,
    product,
    scaled,
    turn,
    update,
)
from tracker.process import shipped

CHAINS = [Chain(shipped()["pallet-pool"], tracked=tracked) for tracked in (False, True)]
LONGEST = BASE**DIGITS - 1
seeds = st.integers(0, 2**32 - 1)
ticks = st.integers(0, 60 * 24 * 360) | st.sampled_from([LONGEST, LONGEST + 1, 2**25 + 3])


def powers_of(chain, silence=0.0):
    """Powers of a chain whose states make marks at up to `silence` an hour."""
    marks = np.linspace(0, silence, len(chain.states))
    return Powers(chain.rates - np.diag(marks))


SILENT = [powers_of(chain, silence) for chain in CHAINS for silence in (0.0, 2.5)]


def rows_of(powers, seed, number=1):
    """Rows of probabilities, some of them all but certain."""
    rng = np.random.default_rng(seed)
    width = len(powers._generator)
    return scaled(rng.random((number, width)) ** rng.choice([1, 9, 60], (number, 1)) + 1e-300)


def series(matrix, terms=60):
    """The exponential from its definition, by halving until the series converges fast."""
    halvings = max(0, int(np.ceil(np.log2(max(abs(matrix).sum(axis=1).max(), 1)))) + 4)
    small = matrix / 2**halvings
    term = total = np.eye(len(matrix))
    for n in range(1, terms):
        term = term @ small / n
        total = total + term
    for _ in range(halvings):
        total = total @ total
    return total


# Exactness


@pytest.mark.parametrize("hours", [1 / 360, 0.5, 30])
@pytest.mark.parametrize("chain", CHAINS, ids=["untracked", "tracked"])
def test_the_exponential_is_that_of_its_definition(chain, hours):
    for rates in (chain.rates, chain.rates - np.diag(np.linspace(0, 3, len(chain.states)))):
        expected = series(rates * hours)
        made = exponential(rates * hours)
        assert made.matrix == pytest.approx(expected / expected.max(), abs=1e-12)
        assert np.exp(made.log) == pytest.approx(expected.max(), rel=1e-9)


def test_the_exponential_of_two_states_is_the_one_in_the_books():
    out, back, hours = 0.3, 0.1, 5
    stays = (back + out * np.exp(-(out + back) * hours)) / (out + back)
    p = Powers(np.array([[-out, out], [back, -back]])).predict(np.array([[1.0, 0.0]]), hours * 360)
    assert p[0] == pytest.approx([stays, 1 - stays], rel=1e-12)


@pytest.mark.parametrize("chain", CHAINS, ids=["untracked", "tracked"])
def test_where_nothing_is_to_be_heard_a_step_loses_nothing(chain):
    """Every row sums to the same: the matrices are stochastic, but for their scale."""
    powers = powers_of(chain)
    for place in range(DIGITS):
        for digit in (1, 2, BASE - 1):
            power = powers.power(place, digit).matrix
            sums = power.sum(axis=1)
            assert (power >= 0).all()
            assert power.max() == 1
            assert sums == pytest.approx(np.full(len(sums), sums[0]), rel=1e-9)


def test_silence_speaks_against_what_would_be_heard():
    p = Powers(np.diag([-2.0, 0.0])).predict(np.array([[0.5, 0.5]]), 360)
    assert p[0] == pytest.approx([np.exp(-2) / (1 + np.exp(-2)), 1 / (1 + np.exp(-2))])


@settings(deadline=None)
@given(n=st.sampled_from(range(len(SILENT))), seed=seeds, first=ticks, second=ticks)
def test_a_step_in_two_parts_comes_to_the_same(n, seed, first, second):
    powers = SILENT[n]
    p = rows_of(powers, seed, 3)
    whole = powers.predict(p, first + second)
    assert powers.predict(powers.predict(p, first), second) == pytest.approx(whole, abs=1e-9)


@pytest.mark.parametrize("powers", SILENT)
@pytest.mark.parametrize("ticks", [LONGEST - 1, LONGEST, LONGEST + 1, 2 * LONGEST + 7, 2**28])
def test_no_time_is_too_long(powers, ticks):
    """Half a century of silence, in the limit of the chain: all is finite, and sums to 1."""
    p = powers.predict(rows_of(powers, 1), ticks)
    assert np.isfinite(p).all()
    assert p.sum() == pytest.approx(1)
    assert powers.predict(p, 1) == pytest.approx(p, abs=1e-4)


def test_no_time_changes_nothing():
    p = rows_of(SILENT[0], 2, 4)
    assert SILENT[0].predict(p, 0) is p


@given(seed=seeds, number=st.integers(1, 5))
def test_rows_sum_to_one(seed, number):
    chain, powers = CHAINS[1], SILENT[3]
    p = rows_of(powers, seed, number)
    likelihood = np.random.default_rng(seed).random((number, len(chain.states)))
    for made in (powers.predict(p, 77), update(p, likelihood), chain.by_stage(p)):
        assert made.sum(axis=1) == pytest.approx(np.ones(number))


def test_a_product_is_one_scaled():
    one, other = np.random.default_rng(4).random((2, 9, 9))
    made = product(Power(one, 1.0), Power(other, 2.0))
    assert made.matrix == pytest.approx(one @ other / (one @ other).max())
    assert made.log == pytest.approx(3 + np.log((one @ other).max()))


# Outages

HEARD, DEAF = SILENT[3], powers_of(CHAINS[1])
QUIET = Silence(HEARD, DEAF, 0.03, 2_160)


@given(seed=seeds, each=st.lists(ticks, min_size=1, max_size=6))
def test_outages_are_thought_of_in_one_row_and_many_alike(seed, each):
    rows = rows_of(HEARD, seed, len(each))
    alone = [QUIET.predict(rows[n : n + 1], one) for n, one in enumerate(each)]
    assert predict_each(QUIET, rows, each).tobytes() == np.concatenate(alone).tobytes()


def test_where_there_are_no_outages_silence_is_what_it_was():
    never = Silence(HEARD, DEAF, 0.0, 2_160)
    p = rows_of(HEARD, 7, 4)
    assert never.predict(p, 999) == pytest.approx(HEARD.predict(p, 999), abs=1e-12)


def test_an_outage_keeps_alive_what_silence_alone_would_end():
    """Two states, of which one would be heard ten times an hour: after an hour of silence it is
    the outage that it may still be."""
    rates = np.array([[-0.01, 0.01], [0.0, 0.0]])
    heard, deaf = Powers(rates - np.diag([10.0, 0.0])), Powers(rates)
    p = np.array([[0.99, 0.01]])
    told = Silence(heard, deaf, 0.03, 2_160).predict(p, 360)[0, 0]
    assert heard.predict(p, 360)[0, 0] < 0.01
    assert 0.5 < told < deaf.predict(p, 360)[0, 0]


@pytest.mark.parametrize("ticks", [0, 1, LONGEST + 1, 2**28])
def test_no_outage_is_too_long(ticks):
    p = QUIET.predict(rows_of(HEARD, 3, 2), ticks)
    assert np.isfinite(p).all()
    assert p.sum(axis=1) == pytest.approx([1, 1])


# Bits


@settings(deadline=None)
@given(
    n=st.sampled_from(range(len(SILENT))),
    seed=seeds,
    number=st.integers(2, 40) | st.sampled_from([64, 257, 1_000]),
    ticks=st.integers(1, 400_000),
)
def test_rows_are_the_same_bits_alone_and_together(n, seed, number, ticks):
    powers, chain = SILENT[n], CHAINS[n // 2]
    p = rows_of(powers, seed, number)
    likelihood = rows_of(powers, seed + 1, number)
    kernel = chain.kernel("dispatched", None)
    steps = (
        lambda rows: powers.predict(p[rows], ticks),
        lambda rows: update(p[rows], likelihood[rows]),
        lambda rows: update(p[rows], likelihood[:1]),
        lambda rows: turn(p[rows], kernel),
        lambda rows: scaled(p[rows]),
        lambda rows: chain.by_stage(p[rows]),
    )
    for step in steps:
        together = step(slice(None))
        for k in {0, 1, number // 2, number - 1}:
            assert step(slice(k, k + 1)).tobytes() == together[k].tobytes()
        half = step(slice(0, number // 2 or 1))
        assert half.tobytes() == together[: number // 2 or 1].tobytes()


@settings(deadline=None, max_examples=20)
@given(seed=seeds, asked=st.lists(st.integers(1, 400_000), min_size=2, max_size=5), data=st.data())
def test_a_step_is_the_same_bits_whatever_was_asked_before(seed, asked, data):
    """Powers are made when they are asked for, in any order."""
    chain = CHAINS[0]
    one, other = powers_of(chain, 1.0), powers_of(chain, 1.0)
    p = rows_of(one, seed)
    made = {ticks: one.predict(p, ticks).tobytes() for ticks in asked}
    for ticks in data.draw(st.permutations(asked)):
        assert other.predict(p, ticks).tobytes() == made[ticks]


def test_bytes_that_were_stored_step_like_those_that_were_not():
    powers = SILENT[3]
    p = rows_of(powers, 5)
    stored = np.frombuffer(p.tobytes())[None, :]
    assert powers.predict(stored, 4_711).tobytes() == powers.predict(p, 4_711).tobytes()
