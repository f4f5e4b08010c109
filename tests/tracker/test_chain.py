"""Processes as Markov chains: dwell times, what facts do, and where an asset begins."""

import numpy as np
import pytest

from tracker.chain import (
    ANNOUNCED,
    BELIEVED,
    DOUBTED,
    LEAVING,
    RESISTED,
    STAYED,
    Chain,
    shortest_h,
)
from tracker.filter import Powers, turn
from tracker.process import read_process, shipped

PROCESSES = [pytest.param(process, id=name) for name, process in shipped().items()]
EITHER = pytest.mark.parametrize("tracked", [False, True], ids=["untracked", "tracked"])
LOOP = read_process("""
process: loop
leak_per_h: 1.0e-9
stages:
  ready: {mean_h: 10, at: depot, next: {out: 1}}
  out:
    mean_h: 20
    next: {back: 0.75, ready: 0.25}
    sub:
      leg: {at: road, to: {hub: 12, last: 6}, exit: 0.25, enter: 0.8}
      hub: {at: hub, to: {last: 5}, exit: 0}
      last: {at: road, enter: 0.2}
  back: {mean_h: 5, at: depot, next: {ready: 1}}
""")


def one(chain, stage):
    """One row: the asset has just come to a stage."""
    return np.ascontiguousarray(chain.enter[chain.number[stage]][None, :])


@EITHER
@pytest.mark.parametrize("process", PROCESSES)
def test_rates_are_those_of_a_chain(process, tracked):
    rates = Chain(process, tracked=tracked).rates
    assert abs(rates.sum(axis=1)).max() < 1e-12
    assert (rates - np.diag(rates.diagonal()) >= 0).all()
    assert (rates.diagonal() < 0).all()


@pytest.mark.parametrize("process", PROCESSES)
def test_every_stage_lasts_as_long_as_its_process_says(process):
    chain = Chain(process, tracked=False)
    for dwell, stage in zip(chain.mean_dwell_h(), process.stages.values(), strict=True):
        assert dwell == (pytest.approx(stage.mean_h, rel=1e-9) if stage.next else float("inf"))


@EITHER
def test_a_stage_of_parts_is_left_after_its_mean_in_the_rates_themselves(tracked):
    """Not by the code that chose them: the mean time to absorption, leaks and all."""
    chain = Chain(LOOP, tracked=tracked)
    for stage, wanted in (("ready", 10), ("out", 20), ("back", 5)):
        inside = [s.stage == chain.number[stage] for s in chain.states]
        within = chain.rates[np.ix_(inside, inside)]
        left = np.linalg.solve(-within, np.ones(len(within)))
        assert one(chain, stage)[0, inside] @ left == pytest.approx(wanted, rel=1e-6)


def walk(chain, rng, until):
    """The stages of one journey (number, hours) by its rates, the last one cut off."""
    state, at, stays = rng.choice(len(chain.states), p=one(chain, "ready")[0]), 0.0, []
    while at < until:
        rates = np.maximum(chain.rates[state], 0)
        stay = rng.exponential(1 / rates.sum())
        stays.append((chain.states[state].stage, min(stay, until - at)))
        at += stay
        state = rng.choice(len(rates), p=rates / rates.sum())
    return stays


def test_journeys_that_are_drawn_are_where_the_prediction_has_them():
    """2,000 journeys of 33 hours, within 4.5 standard errors."""
    chain, rng, number = Chain(LOOP, tracked=False), np.random.default_rng(7), 2_000
    ends = np.bincount([walk(chain, rng, 33.0)[-1][0] for _ in range(number)], minlength=3)
    p = chain.by_stage(Powers(chain.rates).predict(one(chain, "ready"), 33 * 360))[0]
    assert (abs(ends / number - p) < 4.5 * np.sqrt(p * (1 - p) / number)).all()


def test_stages_that_are_drawn_last_as_long_as_they_should():
    """The shares of time over a long walk: visits times mean dwell, within 3 %."""
    chain = Chain(LOOP, tracked=False)
    hours = np.zeros(3)
    for stage, stay in walk(chain, np.random.default_rng(3), 150_000.0):
        hours[stage] += stay
    expected = np.array([10, 20, 0.75 * 5])
    assert hours / hours.sum() == pytest.approx(expected / expected.sum(), rel=0.03)


def test_what_is_announced_runs_at_a_twentieth_of_its_rate():
    text = "process: p\nstages:\n  a: {mean_h: 10, at: depot, next: {b: 0.5, c: 0.5}%s}\n"
    text += "  b: {mean_h: 1, at: hub}\n  c: {mean_h: 1, at: road}"
    plain = Chain(read_process(text % ""), tracked=False).rates[0]
    gated = Chain(read_process(text % ", announced: [b]"), tracked=False).rates[0]
    leak = 2e-4 / 2
    assert gated[1] - leak == pytest.approx(ANNOUNCED * (plain[1] - leak))
    assert gated[2] == plain[2]


def test_every_stage_but_lost_can_be_reached_at_once_though_hardly():
    chain = Chain(shipped()["pallet-pool"], tracked=False)
    moves = np.add.reduceat(chain.rates, chain.starts, axis=1)
    for n in range(len(chain.stages)):
        for state, row in zip(chain.states, moves, strict=True):
            if state.stage != n and chain.stages[n] != "lost":
                assert row[n] >= 2e-4 / 13 * (1 - 1e-9)


def test_a_flow_of_two_stages_one_of_them_lost_has_nowhere_to_leak():
    text = "process: p\nstages:\n  a: {mean_h: 4, at: depot, next: {lost: 1}}\n"
    text += "  lost: {mean_h: 9, at: dark}"
    rates = Chain(read_process(text), tracked=False).rates
    assert rates[0].tolist() == pytest.approx([-0.25, 0.25])
    assert rates[1].tolist() == pytest.approx([2e-4, -2e-4])


def test_parts_may_take_longer_than_the_whole_can():
    stage = LOOP.stages["out"].model_copy(update={"mean_h": 1})
    assert shortest_h(stage) == pytest.approx(0, abs=1e-4)  # it may end from the first leg
    held = stage.sub["leg"].model_copy(update={"exit": 0})
    stage = stage.model_copy(update={"sub": stage.sub | {"leg": held}})
    # 4 h in the leg (two ways out of it), then one in three goes by the hub; 0.8 begin there
    assert shortest_h(stage) == pytest.approx(0.8 * (4 + 5 / 3), rel=1e-4)


# The tracker


def test_what_a_process_says_never_happens_is_rare():
    """Else one fix too many, or too few, would end all belief."""
    text = "process: p\nstages:\n  a: {mean_h: 4, at: depot, next: {b: 1}}\n"
    text += "  b: {mean_h: 9, at: road}\n"
    text += "gps: {fix: {road: 1, depot: 0}, moving: {road: 1, other: 0}}"
    depot, road = Chain(read_process(text), tracked=False).states
    assert (depot.fix, depot.moving) == (0.001, 0.001)
    assert (road.fix, road.moving) == (0.999, 0.999)


def test_a_tracker_is_down_for_its_share_of_the_time():
    chain = Chain(LOOP, tracked=True)
    p = Powers(chain.rates).predict(chain.start(None), 400 * 360)
    down = [not state.up for state in chain.states]
    assert p[0, down].sum() == pytest.approx(0.1)
    assert chain.start("ready")[0, down].sum() == pytest.approx(0.1)


# Where it begins


@EITHER
@pytest.mark.parametrize("process", PROCESSES)
def test_what_is_believed_at_first(process, tracked):
    chain = Chain(process, tracked=tracked)
    for stage in (None, "no such stage", *chain.stages):
        p = chain.start(stage)
        assert p.sum() == pytest.approx(1)
        assert (chain.by_stage(p) > 0).all()
        if stage in chain.number:
            assert chain.by_stage(p)[0, chain.number[stage]] == pytest.approx(0.98)


def test_an_unknown_stage_is_likely_one_that_lasts():
    chain = Chain(shipped()["pallet-pool"], tracked=False)
    p = dict(zip(chain.stages, chain.by_stage(chain.start(None))[0], strict=True))
    assert max(p, key=p.get) == "in_use"
    assert p["recycle"] < p["ready"]


# Facts


@EITHER
@pytest.mark.parametrize("process", PROCESSES)
def test_a_fact_loses_or_makes_no_more_than_it_says(process, tracked):
    chain = Chain(process, tracked=tracked)
    for kind, rule in process.facts.items():
        for told in [None, *chain.stages]:
            kernel = chain.kernel(kind, told)
            sums = kernel.sum(axis=1)
            if rule.leaves is not None:
                assert sums == pytest.approx(np.ones(len(sums)))
            else:
                kept = (BELIEVED + STAYED, DOUBTED + RESISTED)
                near = [np.isclose(sums, one) for one in kept]
                assert np.logical_or(*near).all()


@EITHER
def test_a_fact_moves_most_of_what_it_plausibly_follows_and_little_else(tracked):
    chain = Chain(shipped()["pallet-pool"], tracked=tracked)
    kernel = chain.kernel("dispatched", None)
    for name, moved, stayed in (
        ("ready", 0.97, 0.03),
        ("in_use", 0.01, 0.002),
        ("outbound", 0.0, 1.0),
    ):
        q = chain.by_stage(one(chain, name) @ kernel)[0]
        if name != "outbound":
            assert q[chain.number["outbound"]] == pytest.approx(moved)
        assert q[chain.number[name]] == pytest.approx(stayed)


def test_a_fact_enters_a_stage_where_that_begins_and_leaves_the_tracker_as_it_is():
    chain = Chain(shipped()["pallet-pool"], tracked=True)
    p = np.zeros((1, len(chain.states)))
    down = next(n for n, s in enumerate(chain.states) if s.stage == 0 and not s.up)
    p[0, down] = 1
    after = turn(p, chain.kernel("dispatched", None))[0]
    reached = {
        (chain.stages[chain.states[n].stage], *chain.states[n][1:2], chain.states[n].up)
        for n in after.nonzero()[0]
    }
    assert reached == {("outbound", "dock", False), ("ready", "", False)}


def test_a_fact_that_contradicts_all_is_believed_in_part():
    """Dispatched while surely dismantled: five times likelier than not that it went, still."""
    chain = Chain(shipped()["pallet-pool"], tracked=False)
    q = chain.by_stage(turn(one(chain, "dismantle"), chain.kernel("dispatched", None)))[0]
    assert q[chain.number["outbound"]] == pytest.approx(5 / 6)
    assert q[chain.number["dismantle"]] == pytest.approx(1 / 6)


def test_a_fact_names_the_stage_it_moves_to():
    chain = Chain(shipped()["pallet-pool"], tracked=False)
    q = chain.by_stage(turn(one(chain, "inspection"), chain.kernel("inspected", "repair")))[0]
    assert q[chain.number["repair"]] == pytest.approx(0.97)
    assert (chain.kernel("inspected", "no such stage") == np.eye(len(chain.states))).all()


def test_work_that_is_done_leaves_its_stage_by_what_comes_next():
    chain = Chain(shipped()["pallet-pool"], tracked=False)
    q = chain.by_stage(turn(one(chain, "repair"), chain.kernel("work_done", "repair")))[0]
    assert q[chain.number["repair"]] == pytest.approx(1 - LEAVING)
    for name, share in chain.process.stages["repair"].next.items():
        assert q[chain.number[name]] == pytest.approx(LEAVING * share)
    elsewhere = one(chain, "in_use")
    assert (turn(elsewhere, chain.kernel("work_done", "repair")) == elsewhere).all()


def test_what_is_found_comes_to_its_stage():
    chain = Chain(shipped()["pallet-pool"], tracked=False)
    q = chain.by_stage(turn(one(chain, "lost"), chain.kernel("found", None)))[0]
    assert q[chain.number["in_use"]] == pytest.approx(LEAVING)


def test_a_fact_without_a_rule_moves_nothing():
    chain = Chain(shipped()["pallet-pool"], tracked=False)
    assert chain.kernel("lease_ended", None) is None
    assert chain.kernel("no such fact", None) is None


def test_an_asset_whose_stage_is_stated_has_rather_gone_on_than_been_elsewhere():
    chain = Chain(shipped()["pallet-pool"], tracked=False)
    stages = dict(zip(chain.stages, chain.by_stage(chain.start("received"))[0], strict=True))
    assert stages["received"] == pytest.approx(0.98)
    assert sum(stages.values()) == pytest.approx(1)
    ahead = chain.process.stages["received"].next
    for name, p in stages.items():
        expected = 0.02 * (0.1 / 13 + 0.9 * ahead.get(name, 0))
        assert name == "received" or p == pytest.approx(expected)


def test_where_the_flow_ends_all_others_are_as_unlikely():
    chain = Chain(shipped()["pallet-pool"], tracked=False)
    stages = dict(zip(chain.stages, chain.by_stage(chain.start("recycle"))[0], strict=True))
    assert stages.pop("recycle") == pytest.approx(0.98)
    assert [*stages.values()] == pytest.approx([0.02 / 13] * 13)
