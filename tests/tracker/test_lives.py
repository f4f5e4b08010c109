"""What ends a life: by what was borne, by dates, by what was found; one by one and in bulk."""

import math

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracker.asset_class import AssetClass, Limits, Route, Wear
from tracker.disposition import model_of
from tracker.end_of_life import SENTENCES, Trigger, next_time, p_fail, remaining, triggers, words
from tracker.inspection import BadFinding, Checked, Fault, Inspection, Judged, judge
from tracker.learning import Story, lives
from tracker.leases import HOUR_MS
from tracker.life import Dates, Life, Paper, dates_of, renewals
from tracker.life_ports import Inspected, Uses
from tracker.model import Asset
from tracker.spending import Scales, sweep
from tracker.stamps import DAY
from tracker.upkeep import Budget, Defect, Item, Plan, Stress
from tracker.wear import Renewal, Worn, shares, worn, worn_trips
from tracker.work import Done, Order

NOW = 1_790_000_000_000
SCRAP = Route(id="scrap", kind="recycle")
REPAIR = Route(id="repair", kind="repair", cost=50, restores=0.5)
WEAR = Wear(cycles=100, shape=2)


def class_of(**fields):
    return AssetClass(**({"id": "tool", "routes": [SCRAP, REPAIR]} | fields))


def life(class_=None, trips=0.0, **fields):
    class_ = class_ or class_of()
    borne = fields.pop("worn", Worn(trips=trips))
    model = fields.pop("model", model_of(class_, 3))
    return Life(Asset("A1", class_.id), class_, NOW, borne, model, **fields)


def inspected(trips, failed=True, at=NOW - DAY, id="i"):
    judged = Judged("C", failed, ())
    return Inspected(id, "A1", at, at, "me", Inspection(), judged, trips, {})


def done(trips, kind="repair", closed=NOW - 2 * DAY, plan=None, restores=None, id="o"):
    what = Done(restores=restores)
    return Order(id, "A1", kind, closed - DAY, "me", what, plan, None, closed, "done", trips)


def names(life, before=()):
    return [one.name for one in triggers(life, before)]


LIMITED = class_of(limits=Limits(cycles=10, age_days=100))


@pytest.mark.parametrize(
    ("known", "found"),
    [
        (life(LIMITED, 9), []),
        (life(LIMITED, 10), ["limit_reached:cycles"]),
        (life(LIMITED, 9, due=NOW + DAY), ["limit_ahead:cycles"]),
        (life(LIMITED, 8, due=NOW + DAY), []),
        (life(LIMITED, dates=Dates(made=NOW - 99 * DAY)), []),
        (life(LIMITED, dates=Dates(made=NOW - 100 * DAY)), ["limit_reached:age"]),
        (life(LIMITED, dates=Dates(made=NOW - 99 * DAY), due=NOW + DAY), ["limit_ahead:age"]),
        (life(dates=Dates(retire_by=NOW)), ["limit_reached:retire_by"]),
        (life(dates=Dates(retire_by=NOW + 1)), []),
        (life(lost_since=NOW - 90 * DAY), ["lost_for_good:stage"]),
        (life(lost_since=NOW - 89 * DAY), []),
        (
            life(dates=Dates(papers=(Paper("warranty_until", NOW + 30 * DAY),))),
            ["paper_runs_out:warranty_until"],
        ),
        (life(dates=Dates(papers=(Paper("warranty_until", NOW + 31 * DAY),))), []),
        (
            life(
                dates=Dates(papers=(Paper("warranty_until", NOW + 31 * DAY),)), due=NOW + 40 * DAY
            ),
            ["paper_runs_out:warranty_until"],
        ),
    ],
)
def test_what_is_found(known, found):
    assert names(known) == found


def test_wear_is_told_at_all_that_is_bearable_and_over_below_nine_tenths():
    bearing = class_of(budget=Budget(cycles=100, shock_dose=50))
    half = Worn(trips=50, shock_dose=25)
    assert names(life(bearing, worn=half)) == ["worn_out:budget"]
    less = half._replace(shock_dose=20)  # nine tenths
    assert names(life(bearing, worn=less)) == []
    assert names(life(bearing, worn=less), ["worn_out:budget"]) == ["worn_out:budget"]
    assert names(life(bearing, worn=less._replace(shock_dose=19)), ["worn_out:budget"]) == []


def test_who_will_likely_fail_is_told_by_the_bound_of_its_class():
    wearing = class_of(wear=WEAR, p_fail_at_most=0.02)
    young, old = life(wearing, 10), life(wearing, 120)
    assert (names(young), names(old)) == ([], ["likely_to_fail:model"])
    assert p_fail(old, 1) == pytest.approx(1 - math.exp(1.2**2 - 1.21**2))
    assert remaining(old, 0.5) == pytest.approx(100 * (1.44 + math.log(2)) ** 0.5 - 120)


def test_a_repair_takes_its_share_of_the_wear_away():
    wearing = class_of(wear=WEAR)
    again = life(wearing, 120, orders=(done(100),))
    assert again.condition().worn == 70  # half of 100, and 20 since
    assert p_fail(again, 1) == p_fail(life(wearing, 70), 1)
    stated = life(wearing, 120, orders=(done(100, restores=1.0),))
    assert stated.condition().worn == 20


class TestFailures:
    def test_a_failure_soon_after_a_repair(self):
        broken = life(orders=(done(40),), inspections=(inspected(43),), trips=43)
        assert names(broken) == ["fails_again:repair"]
        assert names(broken._replace(inspections=(inspected(44),))) == []
        sound = broken._replace(inspections=(inspected(43, failed=False),))
        assert names(sound) == []

    def test_what_was_repaired_since_has_not_failed(self):
        repaired = life(inspections=(inspected(40, at=NOW - 3 * DAY),), orders=(done(40),))
        assert repaired.found is None
        assert not repaired.condition().failed

    def test_a_repair_that_costs_more_than_half_of_what_it_brings(self):
        class_ = class_of(margin_per_cycle=4, wear=WEAR, routes=[SCRAP, REPAIR])
        broken = life(class_, 100, inspections=(inspected(100),))
        (dear,) = triggers(broken)
        assert dear.name == "repair_too_dear:repair"
        assert dear.figures["cost"] > dear.figures["brings"] / 2


class TestService:
    YEARLY = class_of(service=[Plan(id="check", every_days=365, ahead_days=14)])

    def test_by_days(self):
        made = life(self.YEARLY, dates=Dates(made=NOW - 350 * DAY))
        assert names(made) == []
        assert next_time(made) == NOW + DAY
        assert names(made._replace(now=NOW + DAY)) == ["service_due:check"]
        served = made._replace(now=NOW + DAY, orders=(done(0, "service", plan="check"),))
        assert names(served) == []

    def test_hours_are_those_since_the_service_though_no_trip_is_over(self):
        """What is served where it is used has done no trip since, and perhaps none at all."""
        by_hours = class_of(service=[Plan(id="check", every_hours=100)])
        served = (done(0, "service", plan="check")._replace(hours=500.0),)
        assert names(life(by_hours, worn=Worn(hours=599), orders=served)) == []
        assert names(life(by_hours, worn=Worn(hours=600), orders=served)) == ["service_due:check"]

    def test_who_is_in_use_is_looked_at_when_the_hours_may_be_over(self):
        """Whether or not anything is heard of it until then."""
        by_hours = class_of(service=[Plan(id="check", every_hours=100)], budget=Budget(hours=400))
        for hours, left in ((0, 100), (70, 30), (99.9, 1), (100, 300), (399.9, 1), (400, None)):
            at = None if left is None else NOW + left * HOUR_MS
            assert next_time(life(by_hours, worn=Worn(hours=hours))) == at

    def test_the_one_that_ended_last_counts_though_it_began_first(self):
        """`orders` come as they were opened."""
        long = done(9, "service", closed=NOW - DAY, plan="check")._replace(opened=NOW - 90 * DAY)
        short = done(2, "service", closed=NOW - 60 * DAY, plan="check")
        by_trips = class_of(service=[Plan(id="check", every_cycles=5)])
        assert names(life(by_trips, 10, orders=(long, short))) == []

    def test_when_a_lease_would_run_past_it(self):
        out = life(self.YEARLY, dates=Dates(made=NOW - 300 * DAY), due=NOW + 70 * DAY)
        (one,) = triggers(out)
        assert words(one).startswith("Service check is due on ")
        assert "before its lease is over" in words(one)

    def test_by_trips_and_by_hours(self):
        by_trips = class_of(service=[Plan(id="check", every_cycles=10)])
        assert names(life(by_trips, 9)) == []
        assert names(life(by_trips, 10)) == ["service_due:check"]
        served = (done(8, "service", plan="check"),)
        assert names(life(by_trips, 17, orders=served)) == []
        assert names(life(by_trips, 18, orders=served)) == ["service_due:check"]
        by_hours = class_of(service=[Plan(id="check", every_hours=100)])
        assert names(life(by_hours, worn=Worn(trips=5, hours=100))) == ["service_due:check"]
        assert names(life(by_hours, worn=Worn(trips=5, hours=99))) == []


@pytest.mark.parametrize(
    ("kind", "figures", "said"),
    [
        ("paper_runs_out", {"until": 20_459 * DAY}, "x is 2026-01-05."),
        (
            "paper_runs_out",
            {"until": 20_459 * DAY, "lease_due": 20_460 * DAY},
            "x is 2026-01-05, before its lease is over on 2026-01-06.",
        ),
        ("service_due", {"due": 20_459 * DAY}, "Service x is due on 2026-01-06."),
        (
            "limit_ahead",
            {"ends": 20_459 * DAY, "due": 20_460 * DAY},
            "Its life ends on 2026-01-06, before it is due back on 2026-01-06.",
        ),
    ],
)
def test_what_ends_with_a_day_is_told_by_that_day(kind, figures, said):
    """Not by the next one, whose first moment is its end; what begins with a day, by that."""
    assert words(Trigger(kind, "x", figures)) == said


def test_all_that_may_be_found_has_words():
    """With each set of figures that it may have."""
    figures = {
        **dict.fromkeys(("trips", "limit", "limit_days", "share", "p_fail", "bound"), 1.0),
        **dict.fromkeys(("cost", "brings", "trips_since", "every_cycles"), 1.0),
        **dict.fromkeys(("hours", "every_hours"), 1.0),
        **dict.fromkeys(("ends", "due", "until", "lease_due", "lost_since"), NOW),
    }
    for kind, choices in SENTENCES.items():
        for needed, text in choices:
            told = text.format(what="x", **figures)
            assert told.endswith("."), (kind, needed)


class TestInspection:
    TOOL = class_of(
        checklist=[
            Item(id="whole", text="Whole?", required=True, grade="C"),
            Item(id="tread", text="Tread?", unit="mm", at_least=3, grade="D", fails=True),
        ],
        defects=[Defect(code="bent", text="Bent", grade="B")],
        reasons=["worn", "broken"],
    )
    GOOD = Checked(item="whole", value=True)

    @pytest.mark.parametrize(
        ("found", "judged"),
        [
            ({}, ("A", False, ())),
            ({"defects": [Fault(code="bent")]}, ("B", False, ("bent",))),
            ({"grade": "C"}, ("C", False, ())),
            ({"failed": True}, ("A", True, ())),
            (
                {"checked": [GOOD, Checked(item="tread", value=2.9)]},
                ("D", True, ("tread",)),
            ),
            ({"checked": [GOOD, Checked(item="tread", value=3)]}, ("A", False, ())),
        ],
    )
    def test_the_worst_that_is_left(self, found, judged):
        fields = {"checked": [self.GOOD], "reason": "worn"} | found
        assert judge(self.TOOL, Inspection(**fields)) == judged

    @pytest.mark.parametrize(
        ("found", "path", "why"),
        [
            ({"checked": []}, ("checked",), "whole must be looked at"),
            ({"checked": [GOOD, GOOD]}, ("checked",), "looked at twice"),
            ({"checked": [Checked(item="hole", value=True)]}, ("checked", 0, "item"), "no item"),
            ({"checked": [Checked(item="whole", value=3)]}, ("checked", 0, "value"), "true or"),
            ({"checked": [GOOD, Checked(item="tread", value=True)]}, ("checked", 1, "value"), "mm"),
            ({"defects": [Fault(code="burnt")]}, ("defects", 0, "code"), "no defect 'burnt'"),
            ({"grade": "E"}, ("grade",), "there are A, B, C, D"),
            ({"grade": "A", "defects": [Fault(code="bent")]}, ("grade",), "better than B"),
            ({"reason": None}, ("reason",), "a reason is missing"),
            ({"reason": "blue"}, ("reason",), "no reason 'blue'"),
            (
                {"failed": False, "checked": [GOOD, Checked(item="tread", value=1)]},
                ("failed",),
                "tread",
            ),
        ],
    )
    def test_what_its_class_does_not_know_is_refused(self, found, path, why):
        fields = {"checked": [self.GOOD], "reason": "worn"} | found
        with pytest.raises(BadFinding, match=why) as refused:
            judge(self.TOOL, Inspection(**fields))
        assert path in [where for where, _ in refused.value.faults]

    def test_every_fault_is_told_at_once(self):
        wrong = Inspection(
            checked=[Checked(item="whole", value=3), Checked(item="hole", value=True)],
            defects=[Fault(code="burnt")],
            grade="E",
            reason="blue",
        )
        with pytest.raises(BadFinding) as refused:
            judge(self.TOOL, wrong)
        assert [where for where, _ in refused.value.faults] == [
            *(("checked", 0, "value"), ("checked", 1, "item")),
            *(("defects", 0, "code"), ("grade",), ("reason",)),
        ]


def test_days_that_are_none_are_told():
    found = dates_of({"made": "01.02.2024", "csc_until": "2026-02-30", "colour": "blue"})
    assert (found.made, found.unreadable) == (None, ("csc_until", "made"))


def test_a_trip_is_as_long_as_its_class_says_and_a_bound_may_move():
    total = {"trips": 2, "shock:2.0#": 1, "shock:2.0+": 2_400, "shock:9.0#": 1, "shock:9.0+": 9_000}
    assert worn(total, Stress(shock_from=2)).shock_dose == pytest.approx(0.4 + 7)
    assert worn(total, Stress(shock_from=8)).shock_dose == pytest.approx(1)
    assert worn(total, Stress(shock_from=2)).rates()["shock"] == pytest.approx(3.7)


@given(
    st.floats(0, 500),
    st.lists(st.tuples(st.floats(0, 500), st.floats(0, 1)), max_size=6),
)
def test_work_never_makes_older_nor_younger_than_new(trips, work):
    renewed = [Renewal(*one) for one in sorted(work)]
    left = worn_trips(trips, renewed)
    assert 0 <= left <= trips + 1e-9
    borne = shares(Worn(trips=trips), Budget(cycles=100), renewed)
    assert borne["cycles"] == pytest.approx(left / 100, abs=1e-9)


totals = st.fixed_dictionaries(
    {
        "trips": st.integers(0, 200),
        "in:in_use": st.integers(0, 10**10),
        "metres": st.integers(0, 10**8),
        "shock:3.0#": st.integers(1, 50),
        "into:repair": st.integers(0, 5),
    }
)


@given(
    total=totals,
    made=st.none() | st.integers(0, 20_000),
    closed=st.none() | st.integers(0, 200),
    learned=st.booleans(),
)
def test_in_bulk_the_same_is_found_as_one_by_one(total, made, closed, learned):
    total = total | {"shock:3.0+": total["shock:3.0#"] * 3_100}
    class_ = class_of(
        limits=Limits(cycles=150, age_days=1_000),
        budget=Budget(cycles=180, hours=2_000, shock_dose=40),
        wear=WEAR,
        p_fail_at_most=0.1,
    )
    model = model_of(class_, 3)
    if learned:
        model = model._replace(coefficients=(-0.1, -0.2, 0.0))
    day = {} if made is None else {"made": f"{2026 - made // 366}-01-01"}
    orders = () if closed is None else (done(min(closed, total["trips"])),)
    one = life(
        class_,
        worn=worn(total, class_.stress),
        dates=dates_of(day),
        orders=orders,
        model=model,
    )
    texts = [orjson.dumps(day).decode()], [orjson.dumps(total).decode()]
    use = Uses(["A1"], *texts, [None], [None], [None], [None])
    swept = sweep(Scales.of(class_, model), use, {"A1": renewals(orders, class_)}, NOW)
    (found,) = swept.spent
    expected = {
        "limit_cycles": total["trips"] / 150,
        "worn_out": sum(shares(one.worn, class_.budget, one.renewals).values()),
        "likely_to_fail": p_fail(one, 1) / 0.1,
    }
    if one.age_days is not None:
        expected["limit_age"] = one.age_days / 1_000
    assert found.spent == pytest.approx(max(expected.values()))
    assert expected[found.because] == pytest.approx(found.spent)
    assert found.p_fail == pytest.approx(p_fail(one, 1))
    assert found.remaining == pytest.approx(remaining(one, 0.5))
    before = [found.spent], [found.because], [found.trips], [found.remaining]
    again = Uses(["A1"], *texts, *before)
    assert sweep(Scales.of(class_, model), again, {"A1": renewals(orders, class_)}, NOW) == ([], [])


@pytest.mark.parametrize("coefficient", [-0.3, 0.3])
def test_knocks_beyond_all_measure_are_looked_at_in_bulk_and_one_by_one(coefficient):
    class_, total = class_of(wear=WEAR), {"trips": 2, "shock:200.0#": 9, "shock:200.0+": 10**13}
    model = model_of(class_, 3)._replace(coefficients=(0.0, coefficient, 0.0))
    one = life(class_, worn=worn(total, class_.stress), model=model)
    use = Uses(["A1"], ["{}"], [orjson.dumps(total).decode()], [None], [None], [None], [None])
    (found,) = sweep(Scales.of(class_, model), use, {}, NOW).spent
    assert found.p_fail == pytest.approx(p_fail(one, 1)) == (1 if coefficient < 0 else 0)
    assert found.remaining == pytest.approx(remaining(one, 0.5))
    broken = one._replace(inspections=(inspected(2),))
    assert ("likely_to_fail:model" in names(broken)) == (coefficient < 0)


def test_who_fails_again_before_another_trip_has_not_lived_on():
    found = [inspected(10, at=NOW - 5 * DAY), inspected(10, at=NOW - DAY, id="j")]
    story = Story("A1", found, [done(10, closed=NOW - 3 * DAY)], Worn(trips=30))
    rows = lives(class_of(wear=WEAR), [story])
    assert [(one.cycles, one.failed, one.entry) for one in rows] == [(10, True, 0), (5, True, 5)]


def test_who_nothing_is_known_of_is_forgotten():
    use = Uses(["A1"], ["{}"], [None], [0.5], ["limit_age"], [3.0], [None])
    aged = class_of(limits=Limits(age_days=10))
    assert sweep(Scales.of(aged, None), use, {}, NOW) == ([], ["A1"])
    assert sweep(Scales.of(class_of(), None), use, {}, NOW) == ([], ["A1"])
