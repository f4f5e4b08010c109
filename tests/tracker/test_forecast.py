"""Many assets predicted together: the same bits as one by one."""

import numpy as np
import pytest

from tracker.case import Cadence, Case
from tracker.chain import TICK_MS, Chain
from tracker.filter import BASE, DIGITS, Powers, predict_each
from tracker.forecast import forecast, outlook
from tracker.inference import Inference
from tracker.layout import EMPTY
from tracker.model import Asset, Binding
from tracker.process import shipped
from tracker.stage import begin, predicted

HOUR = 3_600_000
PALLETS = shipped()["pallet-pool"]


@pytest.mark.parametrize("tracked", [False, True])
def test_rows_that_each_have_gone_their_own_time_end_in_the_bits_of_one_alone(tracked):
    chain = Chain(PALLETS, tracked=tracked)
    marks = np.linspace(0.0, 1.0, len(chain.states))
    powers = Powers(chain.rates - np.diag(marks))
    chance = np.random.default_rng(1)
    rows = chance.random((60, len(marks))) * 10.0 ** chance.integers(-9, 1, (60, len(marks)))
    ticks = [0, 1, 63, 64, 65, 4096, 5_000, *chance.integers(0, 90_000, 53).tolist()]
    together = predict_each(powers, rows, ticks)
    for n, each in enumerate(ticks):
        assert together[n].tobytes() == powers.predict(rows[n : n + 1], each).tobytes()


def test_times_beyond_the_longest_step_too():
    powers = Powers(Chain(PALLETS, tracked=False).rates)
    row = Chain(PALLETS, tracked=False).start("ready")
    ticks = [3, BASE**DIGITS + 7]
    together = predict_each(powers, np.vstack([row, row]), ticks)
    for n, each in enumerate(ticks):
        assert together[n].tobytes() == powers.predict(row, each).tobytes()


def test_assets_of_all_sorts_are_predicted_as_one_by_one():
    inference = Inference(EMPTY)
    moved = Binding("A2", "trk-2", None, 9 * HOUR)  # its tracker goes meanwhile
    cases = [
        Case(Asset("A0", "pallet")),
        Case(
            Asset("A1", "pallet", initial_stage="ready"),
            (Binding("A1", "trk-1", None, None),),
            (("trk-1", Cadence(21_600, 3_600)),),
        ),
        Case(Asset("A2", "pallet"), (moved,), (("trk-2", Cadence(3_600, 600)),)),
    ]
    settings = [inference.setting(case) for case in cases]
    standings = [
        begin(setting.evidence, setting.case, n * HOUR) for n, setting in enumerate(settings)
    ]
    outlooks = [outlook(*pair) for pair in zip(standings, settings, strict=True)]
    assert [one.until for one in outlooks][2] == 9 * HOUR
    for at in (0, HOUR, 5 * HOUR + 7, 9 * HOUR, 9 * HOUR + TICK_MS, 100 * HOUR):
        found = forecast([*outlooks, *outlooks[::-1]], [at] * 6)
        for q, one in zip(found, [*outlooks, *outlooks[::-1]], strict=True):
            case, evidence = one.setting
            p = predicted(one.standing, case, evidence, at)
            assert q.tobytes() == evidence.chain.by_stage(p).tobytes()


def test_nothing_is_predicted_of_nobody():
    assert forecast([], []) == []


def test_a_profile_is_that_of_its_time_in_whatever_order_one_asks():
    bindings = (
        Binding("A2", "trk-2", None, 9 * HOUR),
        Binding("A2", "trk-3", 5 * HOUR, 12 * HOUR),
        Binding("A2", "urn:tag", 7 * HOUR, None),
    )
    cadences = (("trk-2", Cadence(3_600, 600)), ("trk-3", Cadence(7_200, 600)))
    case = Case(Asset("A2", "pallet"), bindings, cadences)
    roles = begin(Inference(EMPTY).setting(case).evidence, case, 0).roles
    asked = Inference(EMPTY).setting(case).evidence
    edges = [hours * HOUR + n for hours in (0, 5, 7, 9, 12) for n in (-1, 0, 1)]
    found = {}
    for at in [*edges, *edges[::-1], *edges[::2], *edges[1::2]]:
        fresh = Inference(EMPTY).setting(case).evidence
        found[at] = asked.profile(case, roles, at).id
        assert found[at] == fresh.profile(case, roles, at).id
    assert len(set(found.values())) == 4
