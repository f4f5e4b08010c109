"""What the soak plans: by a seed alone, nothing twice at once, nothing left over."""

from hypothesis import given
from hypothesis import strategies as st

from commands.soak.schedule import Fault, plan, steps


def nothing():
    pass


FAULTS = [
    Fault(victim, kind, nothing, nothing, longest)
    for victim, kind, longest in (("a", "cut", 5), ("a", "killed", 2), ("b", "frozen", 9))
]


@given(seed=st.integers(0, 10**6), seconds=st.floats(1, 300))
def test_one_fault_at_a_time_for_each_victim_and_all_are_over_at_the_end(seed, seconds):
    planned = plan(seed, seconds, FAULTS)
    assert planned == plan(seed, seconds, FAULTS)
    assert len(steps(planned)) == 2 * len(planned)
    suffering = set()
    for at, begins, one in steps(planned):
        assert 0 <= at < seconds
        assert (one.fault.victim in suffering) is not begins
        (suffering.add if begins else suffering.remove)(one.fault.victim)
    assert not suffering


def test_another_seed_plans_something_else():
    assert plan(1, 60, FAULTS) != plan(2, 60, FAULTS)
