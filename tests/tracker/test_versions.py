"""Versions overlay each other: what holds at an instant is the newest that speaks of it."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracker.versions import Spell, Version, timeline

INSTANTS = range(-1, 9)  # one before and one after every bound
bounds = st.none() | st.integers(0, 7)
periods = st.tuples(bounds, bounds).filter(lambda p: None in p or p[0] < p[1])
histories = st.lists(st.tuples(periods, st.sampled_from(["A", "B", None])), max_size=8)


def versions(history):
    return [
        Version(n, "zone", "z", since, until, 0, value)
        for n, ((since, until), value) in enumerate(history)
    ]


def newest_at(history, at):
    """The model: the value of the last version that speaks of an instant."""
    said = [value for (since, until), value in history if Spell(since, until, 0).holds_at(at)]
    return said[-1] if said else None


@given(history=histories, data=st.data())
def test_what_holds_at_an_instant_is_the_newest_that_speaks_of_it(history, data):
    spells = timeline(data.draw(st.permutations(versions(history))))
    for at in INSTANTS:
        holding = [spell.value for spell in spells if spell.holds_at(at)]
        value = newest_at(history, at)
        assert holding == ([] if value is None else [value])


@given(history=histories)
def test_spells_are_as_few_as_can_be_and_in_order(history):
    spells = timeline(versions(history))
    for one, other in pairwise(spells):
        assert one.until is not None
        assert other.since is not None
        assert one.until < other.since or (one.until == other.since and one.value != other.value)


@given(history=histories, period=periods)
def test_spells_overlap_a_period_where_they_share_an_instant_with_it(history, period):
    for spell in timeline(versions(history)):
        shared = any(spell.holds_at(at) and Spell(*period, 0).holds_at(at) for at in INSTANTS)
        assert spell.overlaps(*period) == shared


@given(history=histories, period=periods, value=st.sampled_from(["A", "B", None]))
def test_a_later_version_changes_nothing_beyond_its_period(history, period, value):
    before = timeline(versions(history))
    after = timeline(versions([*history, (period, value)]))
    for at in INSTANTS:
        if not Spell(*period, 0).holds_at(at):
            held = [spell.value for spell in before if spell.holds_at(at)]
            assert [spell.value for spell in after if spell.holds_at(at)] == held


@pytest.mark.parametrize(
    ("history", "spells"),
    [
        ([], []),
        ([((None, None), None)], []),
        ([((3, None), "A"), ((None, 3), "A")], [(None, None, "A")]),
        ([((None, None), "A"), ((2, 4), None)], [(None, 2, "A"), (4, None, "A")]),
        ([((None, None), "A"), ((2, 4), None), ((None, None), "B")], [(None, None, "B")]),
        ([((2, 6), "A"), ((4, 8), "B")], [(2, 4, "A"), (4, 8, "B")]),
    ],
)
def test_timelines_by_example(history, spells):
    assert [tuple(spell) for spell in timeline(versions(history))] == spells
