"""A fleet's figures, on cases small enough to be worked out by hand."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracker.inspection import Inspection, Judged
from tracker.kpi import Due, Period, Spell, Story, Trip, figures, returned_by, trips
from tracker.life_ports import Decision, Inspected
from tracker.stamps import DAY
from tracker.stories import Asked, By, grouped, stories_of, with_partner
from tracker.work import Done, Order

HUNDRED = Period(0, 100 * DAY)


def spells(*path):
    """Stages from days on, one after the other; the last one lasts."""
    days = [day for day, _ in path]
    return tuple(
        Spell(stage, day * DAY, days[n + 1] * DAY if n + 1 < len(days) else None)
        for n, (day, stage) in enumerate(path)
    )


def story(asset, *path, **fields):
    return Story(asset, "pallet", "depot", spells(*path), **fields)


# Two trips and back; out for good; back and under repair; lost; scrapped.
BUSY = story(
    "busy",
    (0, "ready"),
    (10, "outbound"),
    (11, "in_use"),
    (29, "return_transit"),
    (30, "received"),
    (32, "ready"),
    (50, "outbound"),
    (51, "in_use"),
    (70, "received"),
    (71, "inspection"),
    (74, "ready"),
)
OUT = story("out", (0, "ready"), (40, "outbound"), (41, "in_use"))
MENDED = story("mended", (0, "ready"), (20, "in_use"), (60, "received"), (61, "repair"))
LOST = story("lost", (0, "ready"), (80, "in_use"), (90, "lost"))
SCRAPPED = story("scrapped", (-10, "inspection"), (5, "recycle"))
NEW = story("new", (95, "ready"))
FLEET = [BUSY, OUT, MENDED, LOST, SCRAPPED, NEW]


def told(stories=FLEET, period=HUNDRED, stock=0):
    return {one.name: one for one in figures(stories, period, stock)}


class TestTrips:
    def test_out_and_in_again(self):
        days = [
            tuple(None if at is None else at / DAY for at in trip) for trip in trips(BUSY.spells)
        ]
        assert days == [(10, 30, 32), (50, 70, 74)]
        assert trips(OUT.spells) == [Trip(40 * DAY, None, None)]
        assert trips(MENDED.spells) == [Trip(20 * DAY, 60 * DAY, 61 * DAY)]

    def test_what_was_lost_has_not_come_back(self):
        assert trips(LOST.spells) == [Trip(80 * DAY, None, None)]

    def test_what_goes_out_from_receiving_has_begun_another_trip(self):
        path = spells((0, "in_use"), (5, "received"), (6, "outbound"), (9, "ready"))
        assert trips(path) == [Trip(0, 5 * DAY, None), Trip(6 * DAY, 9 * DAY, 9 * DAY)]

    def test_an_unknown_stage_ends_nothing(self):
        path = spells((0, "in_use"), (5, None), (6, "return_transit"), (9, "ready"))
        assert trips(path) == [Trip(0, 9 * DAY, 9 * DAY)]


class TestReturns:
    def test_who_is_still_out_is_censored(self):
        """Of five sent out: back after 20, 20 and 40 days; out for 20 and for 60 by day 100.

        S(20) = 1 - 2/5 = 0.6; at 40 two are waited for: S(40) = 0.6 (1 - 1/2) = 0.3.
        """
        cohort = [trip for one in FLEET for trip in trips(one.spells)]
        curve = returned_by(cohort, 100 * DAY)
        assert [(days, round(share, 6), n) for days, share, n in curve] == [
            (20, 0.6, 5),
            (40, 0.3, 2),
        ]
        assert told()["pool_return_rate"].value == pytest.approx(0.7)
        assert told()["return_rate"].value == pytest.approx(3 / 5)

    @given(
        st.lists(
            st.tuples(st.integers(0, 50), st.none() | st.integers(0, 40)), min_size=1, max_size=30
        )
    )
    def test_censoring_never_tells_less_than_the_plain_share(self, sent):
        cohort = [
            Trip(out * DAY, None if away is None else (out + away) * DAY, None)
            for out, away in sent
        ]
        curve = returned_by(cohort, 100 * DAY)
        back = sum(trip.received is not None for trip in cohort) / len(cohort)
        still = curve[-1][1] if curve else 1.0
        assert 1 - still >= back - 1e-9
        if back == 1:
            assert still == pytest.approx(0)


def test_the_figures_of_a_hundred_days():
    found = told(stock=2)
    assert found["cycle_time"].value == 20  # of 20, 20 and 40 days
    assert found["processing_time"].value == pytest.approx((2 + 4 + 1) / 3)
    # In use: busy 18 + 19, out 59, mended 40, lost 10 days. Available: but for lost and recycled.
    available = 100 + 100 + 100 + 90 + 5 + 5
    assert found["utilisation"].value == pytest.approx(146 / available)
    # At the beginning five were there, at the end busy, out, mended and new: 4.5 on average.
    assert found["turns"].value == pytest.approx(5 * 365 / 100 / 4.5)
    assert found["cycle_days"].value == pytest.approx(365 / found["turns"].value)
    assert found["fleet_size"].value == pytest.approx(0.05 * found["cycle_days"].value + 2)
    # One was new, one was recycled, and four are found at the close: one is missing.
    assert found["loss_rate"].value == pytest.approx((5 + 1 - 1 - 4) / 4.5)
    assert found["expected_trips"].value == 5
    assert found["landfill_diversion"].value == 1


def test_a_loss_rate_counts_what_was_there_bought_and_retired():
    """Four were there, one was bought, one retired, one was lost: three are found at the close."""
    there = [story(n, (-9, "ready")) for n in "abc"] + [story("d", (-9, "ready"), (9, "lost"))]
    bought, retired = story("e", (50, "ready")), story("f", (-9, "ready"), (7, "dispose"))
    found = told([*there, bought, retired])
    assert found["loss_rate"].value == pytest.approx((5 + 1 - 1 - 4) / 4.5)
    assert found["landfill_diversion"].value == 0


def test_what_was_found_decided_and_done():
    def inspected(day, failed=False, because=()):
        judged = Judged("A", failed, because)
        return Inspected(f"i{day}", "a", day * DAY, 0, "me", Inspection(), judged, 1, {})

    def decided(number, kind, value):
        at = number * DAY
        return Decision(
            f"d{number}", "a", number, at, at, "me", kind, kind, kind, value, 0, None, None
        )

    def repaired(day):
        return Order(f"o{day}", "a", "repair", 0, "me", Done(), None, None, day * DAY, "done", 1)

    one = story(
        "a",
        (0, "ready"),
        (1, "in_use"),
        (2, "received"),
        (3, "in_use"),
        (4, "received"),
        inspections=(inspected(5, because=("bent",)), inspected(11), inspected(21, failed=True)),
        orders=(repaired(10), repaired(20), repaired(30)),
        decisions=(decided(6, "repair", 30.0), decided(7, "restock", 20.0)),
        worth=((6, 40.0), (7, 60.0)),
        lines=(Due("acme", 0, 10 * DAY, 12 * DAY), Due("acme", 0, 20 * DAY, 19 * DAY)),
    )
    found = told([one])
    assert found["recovery_rate"].value == 1 / 2
    assert found["value_recovered"].value == pytest.approx(50 / 100)
    assert (found["first_pass_yield"].value, found["first_pass_yield"].of) == (1 / 2, 2)
    assert found["no_fault_found"].value == pytest.approx(1 / 3)
    assert found["days_overdue"].value == 1  # two days, and none


def test_of_nothing_nothing_is_told_and_the_reason_is():
    for one in figures([], HUNDRED):
        assert one.value is None, one
        assert one.but
        assert one.formula


def test_what_is_still_out_is_overdue_until_the_end_of_the_period():
    late = story("a", (0, "in_use"), lines=(Due("acme", 0, 90 * DAY, None),))
    assert told([late])["days_overdue"].value == 10


def test_a_partner_is_told_what_was_on_its_account():
    lines = (Due("acme", 5 * DAY, 35 * DAY, 30 * DAY), Due("bolt", 45 * DAY, 65 * DAY, 70 * DAY))
    shared = BUSY._replace(lines=lines)
    acme = with_partner(shared, "acme")
    assert [trip.received for trip in trips(acme.spells)] == [30 * DAY]
    assert [one.customer for one in acme.lines] == ["acme"]
    groups = grouped([shared, OUT], By.PARTNER)
    assert list(groups) == ["acme", "bolt"]
    assert told(groups["bolt"])["days_overdue"].value == 5
    assert list(grouped([shared, OUT], By.SITE)) == ["depot"]


def test_stories_come_from_what_was_told(known, make):
    hours = 3_600_000
    kinds = ("dispatched", "lease_started", "collected", "received")
    begin = make.NOW - 10 * DAY
    facts = [make.fact(begin + n * hours, kind) for n, kind in enumerate(kinds)]
    known.record(make.message(make.fix(begin - hours), *facts, received=make.NOW))
    (one,) = known.ask(lambda tx: [*stories_of(tx, Asked())])
    (trip,) = trips(one.spells)
    assert trip == Trip(begin, begin + 3 * hours, None)
    assert known.ask(lambda tx: [*stories_of(tx, Asked(class_="other"))]) == []
    assert known.ask(lambda tx: [*stories_of(tx, Asked(partner="acme"))]) == []
