"""Reasons in words: what each kind of evidence is called, and that all weights add up."""

from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracker.account import Explained, Reason
from tracker.arrange import arrange
from tracker.explain import Told, explanation, times, worded
from tracker.layout import EMPTY
from tracker.places import Site, Zone
from tracker.process import FactKind

NOON = 1_767_614_400_000  # 2026-01-05T12:00:00Z
HOUR = 3_600_000
AMSTERDAM = ZoneInfo("Europe/Amsterdam")


@pytest.fixture
def layout(db):
    """A depot with a bench where assets are inspected, and a customer without a name."""
    with db.store.writing() as tx:
        arrange(tx, Site(id="depot", name="Depot Rotterdam", kind="depot"))
        arrange(tx, Site(id="cust-1", kind="customer"))
        arrange(tx, Zone(id="bench", site="depot", stage="inspection"))
        arrange(tx, Zone(id="yard", site="cust-1"))
        return tx.layout()


def reason(kind, what="", often=1, weight=1.0):
    return Reason(kind, what, often, NOON - 2 * HOUR, NOON - HOUR, weight)


@pytest.mark.parametrize(
    ("kind", "what", "often", "words"),
    [
        ("read", "bench", 1, "read once at bench (Depot Rotterdam)"),
        ("read", "yard", 6, "read 6 times at yard"),
        ("passage", "bench", 2, "passed 2 times at bench (Depot Rotterdam)"),
        ("fix", "depot", 1, "located once at Depot Rotterdam"),
        ("fix", "cust-1", 3, "located 3 times at cust-1"),
        ("fix", "", 2, "located 2 times away from all known sites"),
        ("report", "trk-1", 1_200, "its tracker trk-1 reported 1,200 times"),
        ("no fix", "trk-1", 1, "its tracker trk-1 reported once without a place"),
        ("fact", "inspected", 1, "it was inspected"),
        ("fact", "found", 2, "it was found 2 times"),
        ("silence", "", 9, "what was not heard meanwhile"),
        ("dwell", "", 9, "how long stages usually last"),
    ],
)
def test_every_kind_of_evidence_has_its_words(layout, kind, what, often, words):
    assert worded(reason(kind, what, often), layout) == words


@pytest.mark.parametrize("kind", FactKind.__args__)
def test_every_fact_has_its_words(layout, kind):
    assert "_" not in worded(reason("fact", kind), layout)
    assert worded(reason("fact", kind), layout) != kind.replace("_", " ")


def sentence(layout, why, *, known=True, since=NOON - HOUR, now=NOON, zone=AMSTERDAM):
    return explanation(why, Told(known, since, now, zone), layout).sentence


def test_reads_in_the_stage_s_own_zone_say_where_it_is(layout):
    why = Explained("inspection", "received", 4.5, 0.4, [reason("read", "bench", 6, 4.1)])
    assert sentence(layout, why) == (
        "At bench (Depot Rotterdam) since 11:00 CET: read 6 times; "
        "a stray read is 60 times less likely"
    )


def test_what_weighs_most_for_a_stage_is_its_reason(layout):
    reasons = [reason("silence", "", 5, -6.0), reason("fix", "cust-1", 3, 4.1)]
    why = Explained("in_use", "outbound", 1.6, 3.5, reasons)
    assert sentence(layout, why) == (
        "In use since 12:00 CET: located 3 times at cust-1; outbound is 5 times less likely"
    )


def test_what_happened_is_told_rather_than_how_long_stages_last(layout):
    usual, quiet = reason("dwell", "", 9, 12.0), reason("silence", "", 9, 9.0)
    for others, words in (
        ([quiet, reason("read", "yard", 1, 0.7)], "by what was not heard since"),
        ([reason("read", "yard", 1, 0.7)], "read once at yard"),
        ([reason("read", "yard", 1, 0.6)], "by how long stages usually last"),
        ([quiet, reason("fact", "lease_started", 1, 0.7)], "its lease began"),
        ([quiet, reason("fact", "lease_started", 1, 0.6)], "by what was not heard since"),
    ):
        why = Explained("lost", "in_use", 3.0, -9.0, [usual, *others])
        assert sentence(layout, why).split(": ")[1].split(";")[0] == words


def test_without_a_reason_it_stands_as_it_was_known_before(layout):
    for reasons in ([], [reason("silence", "", 5, -1.0)]):
        why = Explained("ready", "lost", 3.0, 3.0, reasons)
        assert "by all that was known before; lost is 20 times less likely" in sentence(layout, why)


def test_a_stage_that_is_no_more_the_likeliest_is_doubted(layout):
    why = Explained("in_use", "return_transit", -1.1, 1.9, [reason("dwell", "", 1, -3.0)])
    assert sentence(layout, why).endswith("return transit is by now 3 times likelier")


def test_what_is_as_likely_is_said_to_be(layout):
    why = Explained("in_use", "return_transit", 0.01, 0.01, [])
    assert sentence(layout, why).endswith("return transit is about as likely")


def test_where_no_stage_is_sure_the_likeliest_two_are_named(layout):
    why = Explained("in_use", "return_transit", 0.5, 0.5, [])
    assert sentence(layout, why, known=False) == (
        "Not sure since 12:00 CET: perhaps in use; return transit is 1.6 times less likely"
    )


def test_another_day_is_named(layout):
    why = Explained("ready", "lost", 3.0, 3.0, [])
    assert "since 5 January 2026, 12:00 CET:" in sentence(layout, why, now=NOON + 12 * HOUR)
    assert "since +287396-10-12T08:59:00.991Z:" in sentence(layout, why, since=2**53 - 1)


WEIGHTS = st.floats(-700, 700)


@given(st.lists(WEIGHTS, max_size=12), WEIGHTS)
def test_the_terms_sum_to_the_total_to_the_last_bit(empty_layout, weights, before):
    reasons = [reason("fix", f"s{n}", 1, weight) for n, weight in enumerate(weights)]
    reasons.sort(key=lambda one: -abs(one.weight))
    total = before + sum(weights)
    told = explanation(
        Explained("a", "b", total, before, reasons), Told(True, NOON, NOON), empty_layout
    )
    assert sum(term.weight for term in told.terms) == told.total
    assert sum(reversed([term.weight for term in told.terms])) == told.total
    assert told.total == pytest.approx(total, abs=1e-9)
    last = [term.what for term in told.terms if term.what in ("everything before", "the rest")]
    assert last == ["everything before", "the rest"][: 1 + (len(weights) > 5)]
    for term, one in zip(told.terms[:5], reasons[:5], strict=False):
        assert term.weight == pytest.approx(one.weight, abs=1e-8)


@pytest.fixture(scope="module")
def empty_layout():
    return EMPTY


def test_the_rest_is_what_is_not_shown(empty_layout):
    reasons = [reason("fix", f"s{n}", 1, 7.0 - n) for n in range(7)]
    told = explanation(
        Explained("a", "b", 30.0, 2.0, reasons), Told(True, NOON, NOON), empty_layout
    )
    assert [term.what for term in told.terms[5:]] == ["everything before", "the rest"]
    assert [round(term.weight, 6) for term in told.terms] == [7, 6, 5, 4, 3, 2, 3]


@pytest.mark.parametrize(
    ("weight", "words"),
    [(0.5, "1.6 times"), (2.29, "9.9 times"), (2.302, "10 times"), (9.3, "11,000 times")],
)
def test_times_have_two_digits(weight, words):
    assert times(weight) == words
