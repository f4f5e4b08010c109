"""Figures against the truth: small tables, and the same computed the slow way."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracker.judging import Calibration, Shown, Span, figures, joined, stage_at

HOUR = 3_600_000
STAGES = ["ready", "outbound", "in_use", "received"]


def spans(*rows):
    """Spans from (stage, since, until) in hours."""
    return [Span(stage, round(since * HOUR), round(until * HOUR)) for stage, since, until in rows]


def shown(*rows):
    """What was shown from (at, stage) in hours."""
    return [Shown(round(at * HOUR), stage) for at, stage in rows]


def judged(truth, told):
    return figures({"A1": spans(*truth)}, {"A1": shown(*told)})


TRIP = [("ready", 0, 10), ("outbound", 10, 14), ("in_use", 14, 20)]


@pytest.mark.parametrize(
    ("told", "acc", "macro", "active"),
    [
        ([(0, "ready"), (10, "outbound"), (14, "in_use")], 1.0, 1.0, 1.0),
        ([(0, "ready"), (12, "outbound"), (14, "in_use")], 0.9, 2.5 / 3, 0.5),
        ([(5, "ready")], 0.25, 0.5 / 3, 0.0),
        ([(0, "ready"), (10, None), (14, "in_use")], 0.8, 2 / 3, 0.0),
        ([(-5, "ready"), (30, "outbound")], 0.5, 1 / 3, 0.0),
        ([], 0.0, 0.0, 0.0),
    ],
)
def test_shares_of_time(told, acc, macro, active):
    found = judged(TRIP, told)
    assert (found["acc"], found["macro"], found["active"]) == pytest.approx((acc, macro, active))


def test_shares_are_of_all_time_not_means_over_assets():
    truth = {"A1": spans(("ready", 0, 9)), "A2": spans(("ready", 0, 1))}
    assert figures(truth, {"A1": shown((0, "ready"))})["acc"] == 0.9


@pytest.mark.parametrize(
    ("told", "delay"),
    [
        ([(10, "outbound")], 0.0),
        ([(12.5, "outbound")], 2.5),
        ([(8, "outbound")], 0.0),  # told too early, still told when it comes true
        ([(8, "outbound"), (9, "ready"), (13, "outbound")], 3.0),
        ([(8, "outbound"), (10, "ready")], None),  # told before, no more when it comes true
        ([(14, "outbound")], None),  # over by then
        ([(11, "in_use")], None),
        ([], None),
    ],
)
def test_a_delay_is_from_entry_to_the_first_emission_within_the_visit(told, delay):
    found = judged(TRIP[:2], told)
    assert found["per_stage"]["outbound"]["delay_median_h"] == delay
    assert found["missed"] == (1.0 if delay is None else 0.0)


def test_the_first_visit_and_short_ones_have_no_delay():
    truth = [("ready", 0, 10), ("outbound", 10, 10.9), ("in_use", 10.9, 11.9)]
    found = judged(truth, [(11.4, "in_use")])
    visits = {stage: one["visits"] for stage, one in found["per_stage"].items()}
    assert visits == {"ready": 0, "outbound": 0, "in_use": 1}
    assert found["delay_median_h"] == pytest.approx(0.5)


def test_missed_visits_are_infinite_delays():
    truth = {f"A{n}": spans(("ready", 0, 10), ("outbound", 10, 20)) for n in range(10)}
    told = {f"A{n}": shown((10 + n, "outbound")) for n in range(6)}
    found = figures(truth, told)
    assert found["missed"] == 0.4
    assert found["delay_median_h"] == 4.0  # the fifth of ten
    assert found["delay_p90_h"] is None  # the ninth was missed


@pytest.mark.parametrize(
    ("told", "wrong"),
    [
        ([(9.5, "outbound")], 0),
        ([(9.49, "outbound")], 1),
        ([(20, "outbound")], 0),
        ([(20.01, "outbound")], 1),
        ([(0, "ready"), (3, None), (4, "ready")], 1),  # one visit, told twice
        ([(0, "ready"), (3, None), (10, "outbound")], 0),  # unknown is never false
        ([(10, "received")], 1),
    ],
)
def test_false_emissions_match_no_visit_of_their_own(told, wrong):
    found = judged([("ready", 0, 10), ("outbound", 10, 14)], told)
    assert found["false_per_100"] == 100 * wrong


def test_two_visits_may_be_told_twice():
    truth = [("ready", 0, 2), ("outbound", 2, 3), ("ready", 3, 5)]
    told = [(1, "ready"), (2, "outbound"), (8, "ready")]
    assert judged(truth, told)["false_per_100"] == 0


def test_false_emissions_are_counted_for_each_asset_of_the_truth():
    truth = {f"A{n}": spans(("ready", 0, 1)) for n in range(4)}
    told = {"A0": shown((0, "outbound")), "A1": shown((0, "ready"))}
    assert figures(truth, told)["false_per_100"] == 25


def test_contiguous_spans_of_a_stage_are_one_visit():
    truth = [("ready", 0, 4), ("outbound", 4, 5), ("outbound", 5, 6), ("ready", 7, 8)]
    assert joined(spans(*reversed(truth))) == spans(
        ("ready", 0, 4), ("outbound", 4, 6), ("ready", 7, 8)
    )
    found = judged(truth, [(0, "ready"), (5.5, "outbound"), (7, "ready")])
    assert found["per_stage"]["outbound"]["visits"] == 1
    assert found["per_stage"]["outbound"]["delay_median_h"] == 1.5
    assert found["false_per_100"] == 0


def test_spans_with_a_gap_are_two_visits():
    truth = [("ready", 0, 4), ("outbound", 4, 5), ("outbound", 6, 7)]
    assert judged(truth, [])["per_stage"]["outbound"]["visits"] == 2


def test_a_stage_of_no_length_does_not_occur():
    found = judged([("ready", 0, 10), ("outbound", 10, 10)], [(0, "ready")])
    assert found["macro"] == 1.0
    assert list(found["per_stage"]) == ["ready"]


def test_nothing_to_judge_is_no_figure():
    found = figures({}, {})
    assert {found[key] for key in ("acc", "macro", "active", "missed", "false_per_100")} == {None}


@pytest.mark.parametrize(("at", "stage"), [(-1, None), (0, "a"), (4, "b"), (5, None), (7, "a")])
def test_the_stage_at_a_time(at, stage):
    assert stage_at([Span("a", 0, 4), Span("b", 4, 5), Span("a", 6, 8)], at) == stage


def test_calibration_is_by_bins_of_the_likeliest_stage():
    told = Calibration()
    told.add({"ready": 0.95, "outbound": 0.05}, "ready")
    told.add({"ready": 0.91, "outbound": 0.09}, "outbound")
    told.add({"ready": 0.4, "outbound": 0.6}, "outbound")
    found = told.figures()
    assert found["ece"] == pytest.approx((abs(0.95 + 0.91 - 1) + abs(0.6 - 1)) / 3)
    assert found["overconfident"] == pytest.approx((0.95 + 0.91 + 0.6 - 2) / 3)
    squares = 2 * 0.05**2 + 2 * 0.91**2 + 2 * 0.4**2
    assert found["brier"] == pytest.approx(squares / 3)


def test_certainty_falls_into_the_last_bin_and_a_stage_without_probability_has_none():
    told = Calibration()
    told.add({"ready": 1.0}, "outbound")
    assert told.figures() == {"ece": 1.0, "brier": 2.0, "overconfident": 1.0}


def test_calibrations_add_up():
    samples = [({"ready": n / 7, "outbound": 1 - n / 7}, STAGES[n % 2]) for n in range(8)]
    whole, parts = Calibration(), [Calibration(), Calibration()]
    for n, (p, true) in enumerate(samples):
        whole.add(p, true)
        parts[n % 2].add(p, true)
    parts[0].add_all(parts[1])
    assert parts[0].figures() == pytest.approx(whole.figures())


@st.composite
def _runs(draw):
    """Stages and the (whole) hours at which they begin, in order."""
    times = sorted(draw(st.sets(st.integers(0, 30), min_size=2, max_size=8)))
    return [(at, draw(st.sampled_from(STAGES))) for at in times]


@given(_runs(), _runs())
def test_shares_are_those_of_counting_hour_by_hour(truth, told):
    ends = [at for at, _ in truth[1:]]
    true = spans(*((stage, at, end) for (at, stage), end in zip(truth, ends, strict=False)))
    found = figures({"A1": true}, {"A1": shown(*told)})
    hours = range(truth[0][0], ends[-1])
    now_true = {hour: [stage for at, stage in truth if at <= hour][-1] for hour in hours}
    now_told = {hour: [None, *(stage for at, stage in told if at <= hour)][-1] for hour in hours}
    right = [hour for hour in hours if now_true[hour] == now_told[hour]]
    assert found["acc"] == pytest.approx(len(right) / len(hours))
    for stage in set(now_true.values()):
        own = [hour for hour in hours if now_true[hour] == stage]
        recall = sum(now_told[hour] == stage for hour in own) / len(own)
        assert found["per_stage"][stage]["recall"] == pytest.approx(recall)
        first = {s for s in joined(true)[1:] if s.stage == stage}
        assert found["per_stage"][stage]["visits"] == len(first)
