"""What became of assets, from what people told: worked out by hand."""

import pytest

from tracker.asset_class import AssetClass, BookValue, Route
from tracker.fleet_outcomes import Told, outcomes_told
from tracker.fleet_records import Period, Records
from tracker.inspection import Inspection, Judged
from tracker.kpi import figures
from tracker.life_ports import Decision, Inspected
from tracker.model import Asset
from tracker.stamps import DAY
from tracker.work import Done, Order

CLASS = AssetClass(
    id="keg",
    price=100,
    book_value=BookValue(keeps_per_year=0.5),
    routes=[Route(id="scrap", kind="recycle")],
)
ASSET = Asset("K1", "keg", attributes={"made": "1970-01-01"})
YEAR = 365 * DAY


def inspected(id, at, failed=False, because=()):
    judged = Judged("A", failed, because)
    return Inspected(id, "K1", at, at, "me", Inspection(), judged, 0, {})


def decided(number, at, kind, value, inspection=None):
    head = (f"d{number}", "K1", number, at, at, "me")
    return Decision(*head, kind, kind, kind, value, value, None, inspection)


def repaired(id, at, result="done"):
    return Order(id, "K1", "repair", at - DAY, "me", Done(), None, None, at, result, 1)


def told(**parts):
    return Told(ASSET, CLASS, customers=((0, "acme"), (2 * YEAR, "bolt")), **parts)


def found(outcomes, until=9 * YEAR):
    records = Records(outcomes=outcomes)
    return {one.measure.name: one for one in figures(records, Period(0, until))}


def test_a_decision_carries_what_was_found_and_what_came_of_the_repair():
    outcomes = outcomes_told(
        told(
            inspections=[inspected("i1", YEAR, failed=True), inspected("i2", YEAR + 9 * DAY)],
            decisions=[decided(1, YEAR + DAY, "repair", 20.0, "i1")],
            orders=[repaired("o0", YEAR + 4 * DAY, "failed"), repaired("o1", YEAR + 5 * DAY)],
        )
    )
    decision, inspection = outcomes
    assert (decision.kind, decision.defect, decision.passed) == ("repair", True, True)
    assert decision.partner == "acme"
    assert decision.book_value == pytest.approx(50, rel=0.01)
    assert (inspection.kind, inspection.defect) == (None, False)
    figures = found(outcomes)
    assert figures["recovery_rate"].value == 1
    assert figures["first_pass_yield"].value == 1
    assert figures["no_fault_found"].value == 1 / 2
    assert figures["value_recovered"].value == pytest.approx(20 / 50, rel=0.01)
    assert figures["landfill_diversion"].value == 1


def test_a_repair_counts_for_the_decision_before_it_alone():
    outcomes = outcomes_told(
        told(
            inspections=[inspected("i3", 3 * YEAR, failed=True)],
            decisions=[
                decided(1, YEAR, "restock", 5.0),
                decided(2, 2 * YEAR, "repair", 5.0),
                decided(3, 4 * YEAR, "dispose", -1.0),
            ],
            orders=[repaired("o1", 2 * YEAR + DAY)],
        )
    )
    by_number = {one.at // YEAR: one for one in outcomes if one.kind is not None}
    assert [by_number[n].passed for n in (1, 2, 4)] == [None, False, None]
    assert [by_number[n].landfilled for n in (1, 2, 4)] == [False, False, True]
    assert by_number[4].partner == "bolt"
    figures = found(outcomes)
    assert figures["first_pass_yield"].value == 0
    assert figures["recovery_rate"].value == pytest.approx(1 / 3)
    assert figures["landfill_diversion"].value == pytest.approx(2 / 3)


def test_a_repair_that_nobody_decided_counts_too():
    (outcome,) = outcomes_told(told(orders=[repaired("o1", YEAR)]))
    assert (outcome.kind, outcome.passed) == ("repair", None)


def test_of_whom_nothing_was_told_nothing_became():
    assert outcomes_told(told()) == []
