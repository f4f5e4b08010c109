"""The course of stages: what is told between observations, and that it is what was believed."""

import pytest

from tracker.case import Case
from tracker.course import course
from tracker.facts import observed
from tracker.inference import Inference
from tracker.layout import EMPTY
from tracker.model import Asset, Fact
from tracker.process import read_process
from tracker.stage import predicted, step

HOUR = 3_600_000
TWO = read_process(
    """
process: two
classes: [box]
stages:
  out: {mean_h: 10, at: road, next: {back: 1}}
  back: {mean_h: 1000, at: depot, next: {out: 1}}
facts:
  dispatched: {to: out, from: [back]}
"""
)
LEFT = 5 * HOUR + 1


@pytest.fixture
def setting():
    return Inference(EMPTY, [TWO]).setting(Case(Asset("B1", "box", initial_stage="back")))


def dispatched(at):
    return observed(Fact("B1", "dispatched", None, f"f-{at}"), at, at)


def told(samples):
    """What was told from when on."""
    found = []
    for one in samples:
        if not found or found[-1][1] != one.told.stage:
            found.append((one.at, one.told.stage))
    return found


def test_an_observation_changes_what_is_told_at_its_time_and_time_alone_at_the_next_sample(setting):
    samples = [*course([dispatched(LEFT)], setting, 0, 48 * HOUR, HOUR)]
    first, out, back = told(samples)
    assert (first, out) == ((0, "back"), (LEFT, "out"))
    assert back[1] == "back"  # nothing said so, but out lasts ten hours
    assert LEFT + 10 * HOUR < back[0] < 48 * HOUR
    assert back[0] % HOUR == 0
    assert [one.at for one in samples if one.at != LEFT] == [*range(0, 49 * HOUR, HOUR)]


def test_each_sample_is_what_the_fold_believes(setting):
    known, _ = step(None, dispatched(LEFT), setting.case, setting.evidence)
    for one in course([dispatched(LEFT)], setting, 0, 30 * HOUR, HOUR):
        if one.at >= LEFT:
            p = predicted(known, setting.case, setting.evidence, one.at)
            assert one.stages.tobytes() == setting.evidence.chain.by_stage(p).tobytes()


def test_how_often_is_sampled_changes_no_bit_of_what_is_believed(setting):
    rows = [dispatched(LEFT), dispatched(40 * HOUR)]
    rare = [*course(rows, setting, 0, 60 * HOUR, 5 * HOUR)]
    often = [*course(rows, setting, 0, 60 * HOUR, HOUR)]
    believed = {one.at: one.stages.tobytes() for one in often}
    assert [believed[one.at] for one in rare] == [one.stages.tobytes() for one in rare]
    assert [sum(one.observed for one in some) for some in (rare, often)] == [2, 2]


def test_a_course_begins_and_goes_on_where_one_wants(setting):
    rows = [dispatched(LEFT), dispatched(40 * HOUR)]
    whole = [*course(rows, setting, 0, 60 * HOUR, HOUR)]
    late = [*course(rows, setting, 30 * HOUR, 60 * HOUR, HOUR)]
    known, _ = step(None, rows[0], setting.case, setting.evidence)
    further = [*course(rows[1:], setting, 30 * HOUR, 60 * HOUR, HOUR, known)]
    expected = [one for one in whole if one.at >= 30 * HOUR]
    for some in (late, further):
        assert [one.stages.tobytes() for one in some] == [one.stages.tobytes() for one in expected]
        assert some[-1].told == expected[-1].told


def test_the_end_is_a_sample(setting):
    samples = [*course([dispatched(LEFT)], setting, 0, 7 * HOUR + 123, HOUR)]
    assert samples[-1].at == 7 * HOUR + 123
