"""What becomes of a returned asset: by hand, by table, and against who knows the truth."""

from math import exp, log

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracker.asset_class import AssetClass, BookValue, Condition, Limits, Route, Wear
from tracker.class_files import SHIPPED, contradictions, read_case, shipped_class
from tracker.disposition import choose, cycles_left, model_of
from tracker.reliability import Model
from tracker.sensitivity import turns
from tracker.worldfile import BadWorld

RESTOCK = Route(id="restock", kind="restock", cost=2)
REPAIR = Route(id="repair", kind="repair", cost=20, transport=5, days=4, success=0.9, restores=0.5)
SCRAP = Route(id="recycle", kind="recycle", revenue=7, cost=1, days=10)


def tool(**more):
    fields = {
        "id": "tool",
        "margin_per_cycle": 10,
        "failure_cost": 30,
        "holding_per_day": 0.5,
        "horizon": 3,
        "gamma": 0.9,
        "discount_per_day": 0.01,
        "wear": Wear(cycles=100, shape=2),
        "routes": [RESTOCK, REPAIR, SCRAP],
    }
    return AssetClass(**(fields | more))


def test_every_term_by_hand():
    class_, asset = tool(), Condition(cycles=60)
    found = {one.route: one for one in choose(class_, asset, model_of(class_)).routes}

    def lives(start, n):
        return exp((start / 100) ** 2 - ((start + n) / 100) ** 2)

    earned = 10 * (0.9 * lives(60, 1) + 0.81 * lives(60, 2) + 0.729 * lives(60, 3))
    lost = 30 * (1 - lives(60, 3))
    assert found["restock"].value == pytest.approx(earned - lost - 2)

    earned = 10 * (0.9 * lives(30, 1) + 0.81 * lives(30, 2) + 0.729 * lives(30, 3))
    lost = 30 * (1 - lives(30, 3))
    repaired = 0.9 * (earned - lost) - 20 - 5 - 0.5 * 4
    assert found["repair"].value == pytest.approx(repaired)
    assert found["recycle"].value == pytest.approx(7 * exp(-0.1) - 1 - 5)
    for one in found.values():
        assert sum(one.terms.values()) == pytest.approx(one.value)


def test_what_does_not_succeed_goes_elsewhere():
    routes = [REPAIR.model_copy(update={"otherwise": "recycle"}), SCRAP]
    class_ = tool(routes=routes)
    with_, without = (
        {one.route: one.value for one in choose(c, Condition(cycles=60), model_of(c)).routes}
        for c in (class_, tool())
    )
    assert with_["repair"] == pytest.approx(without["repair"] + 0.1 * with_["recycle"])


def test_what_is_left_after_the_cycles_counts():
    class_ = tool(price=100, book_value=BookValue(keeps_per_cycle=0.9))
    asset, model = Condition(cycles=0), Model(log(1e9), (), 1.0)  # it never fails
    found = choose(class_, asset, model).routes[0]
    assert found.terms["rest"] == pytest.approx(0.9**3 * 100 * 0.9**3)


@pytest.mark.parametrize(
    ("class_", "asset", "route", "why"),
    [
        (tool(), Condition(failed=True), "restock", "it does not work, and this mends nothing"),
        (
            tool(limits=Limits(cycles=50)),
            Condition(cycles=50),
            "repair",
            "its limit of 50 cycles is reached",
        ),
        (
            tool(limits=Limits(age_days=100)),
            Condition(cycles=50, age_days=97),
            "repair",
            "its limit of 100 days is reached",
        ),
        (
            tool(),
            Condition(cycles=5, age_days=50, retire_by_days=3),
            "repair",
            "a rule ends its life before it is back in use",
        ),
        (
            tool(routes=[RESTOCK.model_copy(update={"grades": ["A", "B"]}), SCRAP]),
            Condition(grade="C"),
            "restock",
            "only for A and B, and it is C",
        ),
        (
            tool(routes=[RESTOCK, SCRAP.model_copy(update={"forbidden": "WEEE"})]),
            Condition(),
            "recycle",
            "WEEE",
        ),
    ],
)
def test_what_must_not_be_is_shown_and_not_recommended(class_, asset, route, why):
    choice = choose(class_, asset, model_of(class_))
    [excluded] = [one for one in choice.routes if one.route == route]
    assert excluded.excluded == why
    assert choice.recommended != route


def test_a_route_that_renews_is_open_beyond_the_limit():
    renewing = Route(id="remanufacture", kind="remanufacture", cost=5, renews=True)
    class_ = tool(limits=Limits(cycles=50), routes=[RESTOCK, renewing, SCRAP])
    assert choose(class_, Condition(cycles=60), model_of(class_)).recommended == "remanufacture"


@pytest.mark.parametrize(
    ("limits", "asset", "left"),
    [
        (Limits(), Condition(cycles=40, age_days=80), float("inf")),
        (Limits(cycles=50), Condition(cycles=40), 10),
        (Limits(age_days=100), Condition(cycles=40, age_days=80), 10),
        (Limits(cycles=45, age_days=100), Condition(cycles=40, age_days=80), 5),
        (Limits(age_days=100), Condition(cycles=40, age_days=80, retire_by_days=4), 2),
        (Limits(age_days=100), Condition(age_days=80), float("inf")),
        (Limits(age_days=100), Condition(age_days=100), 0),
    ],
)
def test_limits_leave_so_many_cycles(limits, asset, left):
    assert cycles_left(tool(limits=limits), asset) == left


def test_where_little_is_known_that_is_said_and_nothing_is_made_up():
    class_ = AssetClass(
        id="c", limits=Limits(cycles=50), routes=[RESTOCK, Route(id="sell", kind="resell"), SCRAP]
    )
    choice = choose(class_, Condition(cycles=10), None)
    values = {one.route: one.value for one in choice.routes}
    assert values == {"recycle": 6.0, "restock": None, "sell": None}
    assert [one.split(":")[0] for one in choice.missing] == [
        "margin_per_cycle",
        "wear, or failures that were seen",
        "price and book_value",
    ]
    assert choice.ask


def test_a_repair_that_costs_more_than_half_of_what_it_brings_is_dear():
    for cost, dear in ((5, False), (12, True)):
        class_ = tool(routes=[REPAIR.model_copy(update={"cost": cost, "transport": 0.0}), SCRAP])
        found = choose(class_, Condition(cycles=10, failed=True), model_of(class_))
        assert [one.dear for one in found.routes if one.route == "repair"] == [dear]


@given(st.integers(0, 300), st.booleans(), st.sampled_from(SHIPPED), st.sampled_from("ABCD"))
def test_the_best_of_what_is_allowed_is_recommended(cycles, failed, name, grade):
    class_ = shipped_class(name)
    asset = Condition(cycles=cycles, age_days=cycles * 9, failed=failed, grade=grade)
    choice = choose(class_, asset, model_of(class_))
    open_ = {one.route: one.value for one in choice.routes if one.excluded is None}
    assert len(choice.routes) == len(class_.routes)
    assert open_[choice.recommended] == max(open_.values())
    assert choice.ask is (choice.margin is None or choice.margin < 0.05)


def test_a_figure_that_turns_the_answer_does():
    class_, asset = shipped_class("power_tool"), Condition(cycles=60, age_days=500, grade="B")
    model = model_of(class_)
    first = turns(class_, asset, model)[0]
    assert first.figure == "wear"
    for cycles, chosen in ((first.at, first.then), ((first.at + first.now) / 2, "restock")):
        other = class_.model_copy(update={"wear": Wear(cycles=cycles, shape=2.2)})
        assert choose(other, asset, model_of(other)).recommended == chosen


@pytest.mark.parametrize("name", SHIPPED)
def test_the_shipped_classes_make_sense(name):
    class_ = shipped_class(name)
    assert class_.id == name
    assert [*contradictions(class_)] == []


@pytest.mark.parametrize(
    ("text", "faults"),
    [
        ("class: kegg", ["line 1: class: there is no shipped class 'kegg' (did you mean 'keg'?)"]),
        (
            "class:\n  id: c\n  price: -3\n  routes:\n    - {id: r, kind: repair, success: 1.5}",
            [
                "line 3: class.price: should be greater than or equal to 0, not '-3'",
                "line 5: class.routes[0].success: should be less than or equal to 1, not '1.5'",
            ],
        ),
        (
            "class:\n  id: c\n  routes:\n    - {id: r, kind: repair, otherwise: scarp}\n"
            "    - {id: scrap, kind: recycle}",
            [
                "line 4: class.routes[0].otherwise: there is no route 'scarp' "
                "(did you mean 'scrap'?)"
            ],
        ),
        (
            "class:\n  id: c\n  routes:\n    - {id: r, kind: repair, otherwise: s}\n"
            "    - {id: s, kind: restock}\n    - {id: s, kind: recycle, success: 0}",
            [
                "line 6: class.routes[2].id: another route has the id 's' too",
                "line 4: class.routes[0].otherwise: 's' is no end: it returns the asset, or leads "
                "further",
                "line 6: class.routes[2].success: a route that never succeeds cannot be reached: "
                "leave it out",
            ],
        ),
        (
            "class: keg\nasset: {grade: X}",
            ["line 2: asset.grade: there is no grade 'X'; there are A, B, C, D"],
        ),
        ("class: keg\nasset: {cycels: 3}", ["line 2: asset.cycels: unknown key (did you mean "]),
    ],
)
def test_what_makes_no_sense_is_told_by_line(text, faults):
    with pytest.raises(BadWorld) as bad:
        read_case(text)
    told = sorted(str(fault) for fault in bad.value.faults)
    assert len(told) == len(faults)
    for line, fault in zip(told, sorted(faults), strict=True):
        assert line.startswith(fault)
