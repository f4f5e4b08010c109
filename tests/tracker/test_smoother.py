"""The smoother against the sum over all ways through a small chain."""

import random
from itertools import product

import numpy as np
import pytest

from tracker.case import Case
from tracker.chain import TICK_MS
from tracker.facts import observed
from tracker.filter import scaled
from tracker.inference import Inference
from tracker.layout import EMPTY
from tracker.model import Asset, Fact
from tracker.process import read_process
from tracker.smoother import STRIDE, smoothed
from tracker.stage import begin, predicted, step

HOUR = 3_600_000
THREE = read_process(
    """
process: three
classes: [box]
stages:
  shelf: {mean_h: 3, at: depot, next: {road: 1}}
  road:  {mean_h: 2, at: road, next: {shop: 1}}
  shop:  {mean_h: 4, at: customer, next: {shelf: 1}}
facts:
  dispatched: {to: road, from: [shelf]}
  received:   {to: shelf, from: [shop]}
"""
)


@pytest.fixture
def setting():
    return Inference(EMPTY, [THREE]).setting(Case(Asset("B1", "box", initial_stage="shelf")))


def fact(at, kind):
    return observed(Fact("B1", kind, None, f"f-{at}"), at, at)


HISTORY = [fact(2 * HOUR, "dispatched"), fact(7 * HOUR, "received")]
END = 10 * HOUR


def test_it_is_the_sum_over_all_ways(setting):
    chain = setting.evidence.chain
    assert STRIDE * TICK_MS == HOUR // 2
    power = setting.evidence.profile(
        setting.case, begin(setting.evidence, setting.case, 0).roles, 0
    )
    half = np.vstack([power.silent.predict(row[None, :], STRIDE) for row in np.eye(3)])
    hours = 5  # the ways through so many halves of an hour: over the first fact
    moves = [half] * hours
    moves[4:4] = [chain.kernel("dispatched", None)]
    weights = np.zeros((len(moves) + 1, 3))
    start = begin(setting.evidence, setting.case, 0).row()[0]
    for way in product(range(3), repeat=len(moves) + 1):
        p = start[way[0]]
        for n, move in enumerate(moves):
            p *= move[way[n], way[n + 1]]
        for n, state in enumerate(way):
            weights[n, state] += p
    expected = np.delete(scaled(weights), 4, axis=0)  # at the fact: after it
    points = smoothed(HISTORY[:1], setting, 0, hours * HOUR // 2)
    assert [point.at for point in points] == [n * HOUR // 2 for n in range(hours + 1)]
    assert np.vstack([point.stages for point in points]) == pytest.approx(expected)


def test_it_ends_where_the_filter_ends(setting):
    known = None
    for row in [fact(0, "found"), *HISTORY]:  # the first moves nothing, and begins
        known, _ = step(known, row, *setting)
    last = smoothed(HISTORY, setting, 0, END)[-1]
    q = setting.evidence.chain.by_stage(predicted(known, *setting, END))
    assert last.at == END
    assert last.stages == pytest.approx(q)


def test_it_knows_before_what_comes(setting):
    points = {point.at: point.stages[0] for point in smoothed(HISTORY, setting, 0, END)}
    alone = {point.at: point.stages[0] for point in smoothed(HISTORY[:1], setting, 0, END)}
    shop = 2
    assert points[6 * HOUR][shop] > alone[6 * HOUR][shop]  # received soon: it was at the shop


def test_rows_sum_to_one_and_time_grows(setting):
    points = smoothed(HISTORY, setting, 0, END)
    assert all(point.stages.sum() == pytest.approx(1) for point in points)
    ats = [point.at for point in points]
    assert ats == sorted(set(ats))


def journey(chance):
    """The stage at each half hour, and the facts: two of three moves are told."""
    stages, facts, at = [], [], 0.0
    for n in range(12):
        stage = n % 3
        at += chance.expovariate(1 / (3, 2, 4)[stage])
        stages += [stage] * (int(2 * at) - len(stages) + 1)
        kind = ("dispatched", None, "received")[stage]
        if kind and chance.random() < 0.7:
            facts.append(fact(int(at * HOUR), kind))
    return stages, facts


def test_it_is_right_more_often_than_the_filter(setting):
    chance = random.Random(5)
    right_before = right_after = 0
    for _ in range(20):
        stages, facts = journey(chance)
        end = (len(stages) - 1) * HOUR // 2
        facts = [one for one in facts if one.at < end]
        points = {point.at: point.stages for point in smoothed(facts, setting, 0, end)}
        known, rows = begin(setting.evidence, setting.case, 0), [*facts]
        for n, stage in enumerate(stages):
            at = n * HOUR // 2
            while rows and rows[0].at <= at:
                known, _ = step(known, rows.pop(0), *setting)
            q = setting.evidence.chain.by_stage(predicted(known, *setting, at))
            right_before += int(q.argmax()) == stage
            late = max(time for time in points if time <= at)
            right_after += int(points[late].argmax()) == stage
    assert right_after > 1.05 * right_before
