"""The stages of an asset, drawn: what stands where, and that it is a file of its own."""

import re
from xml.etree import ElementTree

import numpy as np
import pytest

from commands.stage_picture import BAR, LANE, LEFT, RIGHT, WIDTH, draw
from tracker.course import Sample
from tracker.process import read_process
from tracker.stage import Told

HOUR = 3_600_000
NOON = 1_767_614_400_000
PROCESS = read_process(
    """
process: three
stages:
  ready: {mean_h: 3, at: depot, next: {in_use: 1}}
  in_use: {mean_h: 2, at: customer, next: {ready: 0.9, gone: 0.1}}
  gone: {mean_h: 4, at: elsewhere}
"""
)
NAMES = [*PROCESS.stages]


def sample(hour, stage, *p, observed=1):
    return Sample(NOON + hour * HOUR, np.array([p]), Told(stage, NOON, max(p)), observed)


SAMPLES = [
    sample(0, "ready", 0.99, 0.01, 0.0),
    sample(2, "ready", 0.6, 0.39, 0.01),
    sample(4, "in_use", 0.1, 0.89, 0.01, observed=0),
    sample(8, "in_use", 0.1, 0.89, 0.01),
]


def drawn(samples, title="A1, three"):
    """The elements of a picture, by class."""
    found = {}
    for element in ElementTree.fromstring(draw(samples, PROCESS, title)).iter():
        for name in element.get("class", "").split():
            found.setdefault(name, []).append(element)
    return found


def x_of(hour, hours=8):
    return pytest.approx(LEFT + hour / hours * (WIDTH - LEFT - RIGHT), abs=0.1)


def span(box):
    x = float(box.get("x"))
    return [x, x + float(box.get("width"))]


def heights(path, base):
    """How high an area is at its points, of the lane."""
    ys = [float(y) for _, y in re.findall(r"(\d+\.\d) (\d+\.\d)", path.get("d"))]
    return [(base - y) / LANE for y in ys]


def test_there_is_a_lane_for_each_stage_that_was_ever_likely():
    shapes = drawn(SAMPLES)
    assert [one.text for one in shapes["stage"]] == ["ready", "in use"]
    assert len(shapes["p"]) == 2


def test_an_area_is_as_high_as_its_stage_is_likely():
    shapes = drawn(SAMPLES)
    ready, _ = shapes["told"]
    base = float(ready.get("y")) - 1
    found = heights(shapes["p"][0], base)
    assert found == pytest.approx([0, 0.99, 0.6, 0.1, 0.1, 0], abs=0.01)


def test_a_bar_stands_below_the_stage_that_is_told_while_it_is():
    ready, in_use = drawn(SAMPLES)["told"]
    assert span(ready) == [x_of(0), x_of(4)]
    assert span(in_use) == [x_of(4), x_of(8)]
    assert float(in_use.get("y")) > float(ready.get("y")) + LANE
    assert float(ready.get("height")) == BAR


def test_it_is_shaded_where_nothing_is_likely_enough():
    (unsure,) = drawn(SAMPLES)["unsure"]
    assert span(unsure) == [x_of(2), x_of(4)]
    assert "unsure" not in drawn(SAMPLES[2:])


def test_a_stroke_is_where_something_was_observed():
    (strokes,) = drawn(SAMPLES)["seen"]
    found = [float(x) for x in re.findall(r"M(\d+\.\d)", strokes.get("d"))]
    assert found == [x_of(1), x_of(6)]


def test_points_amid_others_of_the_same_height_are_left_out():
    flat = [sample(n, "ready", 0.99, 0.01, 0.0) for n in range(50)]
    (area,) = drawn(flat)["p"]
    assert area.get("d").count("L") == 3


@pytest.mark.parametrize(
    ("hours", "words"),
    [(8, "5 Jan 12:00"), (100, "5 Jan 12:00"), (24 * 9, "6 Jan"), (24 * 300, "7 Jan")],
)
def test_times_are_marked_by_hours_or_by_days(hours, words):
    shapes = drawn([SAMPLES[0], sample(hours, "ready", 0.99, 0.01, 0.0)])
    times = [one.text for one in shapes["when"]]
    assert times[0] == words
    assert 2 <= len(times) <= 11


def test_a_name_is_a_name_and_no_markup():
    text = draw(SAMPLES, PROCESS, "<script>alert(1)</script>")
    assert "<script" not in text
    assert ElementTree.fromstring(text)[0].text == "<script>alert(1)</script>"


def test_one_moment_can_be_drawn():
    assert len(drawn(SAMPLES[:1])["told"]) == 1
