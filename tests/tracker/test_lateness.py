"""How likely a line comes back late, and when: first passages against what can be worked out."""

from datetime import date
from math import exp

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracker.lateness import ROWS, STEPS, Course, Passage
from tracker.leases import HOUR_MS, Line
from tracker.overdue import Entered, at_home
from tracker.pace import PARTS, Pace, Spell, in_use_h, learned, spells
from tracker.process import Process, shipped

DAY = 24 * HOUR_MS
PASSAGE = Passage(shipped()["pallet-pool"])
PLAIN = Pace.of(PASSAGE.chain)
STAGES = PASSAGE.chain.stages


def believed(**stages):
    """Probabilities of stages, each where it begins."""
    enter, number = PASSAGE.chain.enter, PASSAGE.chain.number
    return sum(p * enter[number[name]] for name, p in stages.items())[None, :]


def course(p, stage="in_use", *, out=True, gone=20, planned=26, grace=1, lasted=None):
    """A line of so many days, of which some have gone."""
    now, due = gone * DAY, planned * DAY
    since = now - (gone if lasted is None else lasted) * DAY
    return Course(p, stage, round(since), out, round(now), 0, due, due + grace * DAY)


def late(*courses, pace=PLAIN):
    return [one.p for one in PASSAGE.late_each(courses, pace)]


def test_what_is_lost_is_late_and_what_is_back_is_not():
    assert late(course(believed(lost=1.0), "lost")) == [pytest.approx(1.0)]
    for stage in filter(at_home, STAGES):
        assert late(course(believed(**{stage: 1.0}), stage)) == [0.0]


def test_what_has_not_been_out_yet_is_still_to_go_out():
    ready = believed(ready=1.0)
    out, still_in = late(course(ready, "ready"), course(ready, "ready", out=False))
    (in_use,) = late(course(believed(in_use=1.0)))
    assert out == 0.0 < in_use < still_in


def test_it_is_the_nearer_back_the_less_likely_late():
    stages = ("return_transit", "return_requested", "in_use", "outbound")
    found = late(*(course(believed(**{name: 1.0}), name, lasted=0) for name in stages))
    assert found == sorted(found)
    assert 0.0 < found[0] < found[-1] < 1.0


def test_a_line_past_its_deadline_is_late_unless_it_is_back():
    p = believed(in_use=0.7, received=0.3)
    assert late(course(p, gone=40)) == [pytest.approx(0.7)]


def two_stages(mean_h):
    """Use that ends at once by its mean, and nothing after it."""
    stages = {
        "ready": {"mean_h": 10, "at": "depot", "next": {"in_use": 1}},
        "in_use": {"mean_h": mean_h, "at": "customer", "next": {"ready": 1}},
    }
    return Process.model_validate({"process": "two", "stages": stages})


def test_at_a_constant_speed_it_is_the_exponential_law():
    passage = Passage(two_stages(100))
    use = passage.chain.enter[passage.chain.number["in_use"]][None, :]
    pace = Pace(np.ones(2), np.ones((PARTS, 2)), np.eye(2)[::-1])
    line = Course(use, "in_use", 0, True, 0, 0, 100 * HOUR_MS, 124 * HOUR_MS)
    (found,) = passage.late_each([line], pace)
    assert found.p == pytest.approx(exp(-1.24), abs=1e-9)
    assert found.hours == (11, 70, 231)  # 100 ln(10/9), 100 ln 2, 100 ln 10: whole hours after


def test_lines_of_years_take_longer_steps_and_end_alike():
    passage = Passage(two_stages(2_000))
    use = passage.chain.enter[passage.chain.number["in_use"]][None, :]
    pace = Pace(np.ones(2), np.ones((PARTS, 2)), np.eye(2)[::-1])
    due = 2_000 * 24
    line = Course(use, "in_use", 0, True, 0, 0, due * HOUR_MS, (due + 24) * HOUR_MS)
    assert due > 10 * STEPS
    (found,) = passage.late_each([line], pace)
    speed = 2_000 / float(in_use_h(passage.chain, due))
    assert found.p == pytest.approx(exp(-speed * (due + 24) / 2_000), rel=0.02)
    assert found.hours[1] is not None


def test_many_lines_together_are_as_each_alone():
    chance = np.random.default_rng(1)
    rows = chance.dirichlet(np.ones(len(PASSAGE.chain.states)), ROWS + 3)
    lines = [
        course(rows[n : n + 1], "in_use", out=bool(n % 2), gone=n % 30, lasted=n % 7)
        for n in range(len(rows))
    ]
    together = PASSAGE.late_each(lines, PLAIN)
    for n in (0, 1, 17, ROWS - 1, ROWS, ROWS + 2):
        (alone,) = PASSAGE.late_each([lines[n]], PLAIN)
        assert together[n].p == pytest.approx(alone.p, abs=1e-12)
        assert together[n].hours == alone.hours


def test_what_is_believed_is_left_as_it_was():
    p = believed(in_use=0.5, received=0.5)
    before = p.copy()
    late(course(p))
    assert (p == before).all()


@pytest.mark.parametrize("name", sorted(shipped()))
def test_every_shipped_process_has_a_way_back(name):
    passage = Passage(shipped()[name])
    use = passage.chain.start("in_use")
    line = Course(use, "in_use", 0, True, 10 * DAY, 0, 20 * DAY, 21 * DAY)
    (found,) = passage.late_each([line], Pace.of(passage.chain))
    assert 0.02 < found.p < 0.98
    assert found.hours[1] is not None


def test_none_are_asked_about():
    assert PASSAGE.late_each([], PLAIN) == []


@given(
    weights=st.lists(st.floats(0.001, 1.0), min_size=len(STAGES), max_size=len(STAGES)),
    gone=st.integers(0, 60),
    more=st.integers(0, 30),
)
def test_a_later_deadline_is_missed_no_more_often(weights, gone, more):
    p = believed(**{name: w / sum(weights) for name, w in zip(STAGES, weights, strict=True)})
    early = course(p, gone=gone)
    later = early._replace(deadline=early.deadline + more * DAY)
    first, second = PASSAGE.late_each([early, later], PLAIN)
    assert 0.0 <= second.p <= first.p + 1e-12 <= 1.0 + 1e-11
    known = [hours for hours in first.hours if hours is not None]
    assert known == sorted(known)
    assert first.hours[: len(known)] == tuple(known)


def lived(chance, mean_h, now):
    """A line that began when it did: two equal exponential times of use, then its way back."""
    line = Line("L", "1", "A", None, date(2026, 1, 1), date(2026, 1, 1), 0, 26 * DAY)
    use = round(chance.exponential(mean_h / 2, 2).sum() * HOUR_MS)
    way = round(chance.exponential(16) * HOUR_MS)
    told = [("in_use", 0), ("return_transit", use), ("received", use + way)]
    return line, [Entered(*one) for one in told if one[1] <= now], use + way


def test_what_lines_have_taught_mends_a_process_that_is_wrong():
    """In use it lasts 240 hours here, not 480, never ends at once, and nobody asks for a return
    before: forecasts by the process alone are far off; after some hundred lines they are right."""
    chance = np.random.default_rng(5)
    gone = [lived(chance, 240, 10**15) for _ in range(300)]
    pace = learned(PASSAGE.chain, [(line, spells(line, told, 10**15)) for line, told, _ in gone])
    now, deadline = 10 * DAY, 14 * DAY
    lines = [one for one in (lived(chance, 240, now) for _ in range(3_000)) if one[2] > now]
    in_use = [came for _, told, came in lines if told[-1].stage == "in_use"]
    one = course(believed(in_use=1.0), gone=10)._replace(deadline=deadline)
    true = sum(came > deadline for came in in_use) / len(in_use)
    assert abs(late(one, pace=pace)[0] - true) < 0.05
    assert abs(late(one)[0] - true) > 0.15


def test_lines_that_still_go_on_teach_too():
    line = Line("L", "1", "A", None, date(2026, 1, 1), date(2026, 1, 1), 0, 26 * DAY)
    n = PASSAGE.chain.number["in_use"]
    long = learned(PASSAGE.chain, 30 * [(line, [Spell("in_use", 0, 40 * DAY, to=None)])])
    assert (long.by_part[:, n] < PLAIN.by_part[:, n]).all()
    assert long.whole[n] < 0.1


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        ([], []),
        ([("ready", 5)], []),
        ([("in_use", 5)], [("in_use", 10, 100, None)]),
        ([("in_use", 20), ("in_use", 50)], [("in_use", 20, 100, None)]),
        ([("in_use", 20), (None, 50), ("in_use", 60)], [("in_use", 20, 100, None)]),
        ([("in_use", 20), ("lost", 50)], [("in_use", 20, 50, None)]),
        ([("in_use", 20), ("received", 50), ("outbound", 60)], [("in_use", 20, 50, "received")]),
        ([("return_transit", 2), ("ready", 9), ("in_use", 20)], [("in_use", 20, 100, None)]),
    ],
)
def test_spells_are_those_out_on_the_line(told, expected):
    line = Line("L", "1", "A", None, date(2026, 1, 1), date(2026, 1, 1), 10, 90)
    found = spells(line, [Entered(*one) for one in told], 100)
    assert [tuple(one) for one in found] == expected
