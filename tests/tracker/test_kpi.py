"""The figures of a fleet, by hand and by property."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tracker import kpi
from tracker.alerts import DAY_MS
from tracker.fleet_records import (
    LeaseLine,
    Member,
    Outcome,
    Period,
    Records,
    StageTime,
    Stay,
    Trip,
)
from tracker.kaplan_meier import Time, curve

HUNDRED = Period(0, 100 * DAY_MS)
ABOUT = ("A", "keg", "pub", "acme")


def trip(dispatched, received=None, ready=None, lost=None):
    """A trip, in days."""
    days = (None if one is None else int(one * DAY_MS) for one in (received, ready, lost))
    return Trip(*ABOUT, int(dispatched * DAY_MS), *days)


# Two back after 10 and 20 days; one sent out 15 days before the end, and one lost on day 40: both
# are still out. The last trip began before the period, and is none of its cohort.
TRIPS = [trip(0, 10, 12), trip(10, 30, 34), trip(85), trip(20, lost=40), trip(-30, 5, 6)]


def pool_return_rate(trips, days):
    return kpi.pool_return_rate(kpi.return_curve(trips, HUNDRED), days)


def told(figure):
    value = None if figure.value is None else pytest.approx(figure.value)
    return value, figure.numerator, figure.denominator


@pytest.mark.parametrize(
    ("figure", "value", "numerator", "denominator"),
    [
        (kpi.return_rate(TRIPS, HUNDRED), 0.5, 2, 4),
        # At 10 days four are at risk: 1/4. At 20 two are, for one has been out for 15 only:
        # 1 - 3/4 x 1/2. Without censoring it would be 2/4.
        (pool_return_rate(TRIPS, 7), 0.0, 0, 4),
        (pool_return_rate(TRIPS, 30), 0.625, 2, 4),
        (pool_return_rate(TRIPS, 90), None, 2, 4),  # 80 days is the longest out
        (kpi.return_cycle_time(TRIPS, HUNDRED), 65 / 3, 65, 3),  # 10, 20 and 35 days
        (kpi.processing_time(TRIPS, HUNDRED), 7 / 3, 7, 3),  # 2, 4 and 1
        (kpi.expected_trips(TRIPS, HUNDRED), 4, 4, 1),
    ],
    ids=lambda one: one.measure.name if isinstance(one, kpi.Figure) else "",
)
def test_figures_of_trips(figure, value, numerator, denominator):
    assert (numerator, denominator) == (figure.numerator, pytest.approx(figure.denominator))
    assert figure.value == (None if value is None else pytest.approx(value))
    assert (figure.why is None) == (value is not None)


def test_what_has_not_been_out_so_long_is_not_at_risk():
    steps = kpi.return_curve(TRIPS, HUNDRED).steps
    assert [(one.age // DAY_MS, one.at_risk, one.back) for one in steps] == [(10, 4, 1), (20, 2, 1)]


def test_what_is_lost_is_still_out():
    """Were it censored on the day that it is told lost, all would seem to come back."""
    trips = [trip(0, 10), trip(0, lost=5)]
    assert pool_return_rate(trips, 90).value == 0.5


def member(days, opening=False, bought=False, retired=False, found=True):
    return Member("A", "keg", opening, bought, retired, found, days * DAY_MS)


# Opening 3, bought 1, retired 1, found 2: one is missing. 100 + 100 + 50 + 75 days of 100.
POOL = [
    member(100, opening=True),
    member(50, opening=True, retired=True, found=False),
    member(100, opening=True, found=False),
    member(75, bought=True),
]


def test_figures_of_the_pool():
    loss = kpi.loss_rate(POOL, HUNDRED)
    assert (loss.value, loss.numerator, loss.denominator) == (pytest.approx(1 / 3.25), 1, 3.25)
    turns = kpi.turns(TRIPS, POOL, HUNDRED)  # four fills in 325 / 365 years of an asset
    assert told(turns) == (4 * 365 / 325, 4, 325 / 365)
    assert kpi.cycle_days(TRIPS, POOL, HUNDRED).value == pytest.approx(325 / 4)
    size = kpi.fleet_size(TRIPS, POOL, HUNDRED, safety=5)
    assert size.value == pytest.approx(0.04 * (65 / 3 + 7 / 3) + 5)


def test_found_again_makes_a_loss_good():
    again = Member("A", "keg", False, False, False, True, DAY_MS)
    assert kpi.loss_rate([*POOL, again], HUNDRED).numerator == 0


def test_utilisation_leaves_out_what_is_gone_or_not_known():
    times = [
        StageTime("A", "keg", "in_use", 30, use=True),
        StageTime("A", "keg", "ready", 10),
        StageTime("A", "keg", "lost", 500, gone=True),
        StageTime("A", "keg", None, 500),
    ]
    assert kpi.utilisation(times).value == 0.75


def test_dwell_is_of_stays_that_ended_in_the_period():
    def stay(since, last, until):
        return Stay(*ABOUT, since * DAY_MS, last * DAY_MS, until and until * DAY_MS)

    stays = [stay(1, 5, 6), stay(10, 12, 20), stay(50, 99, None), stay(-9, -5, -1)]
    assert told(kpi.dwell(stays, HUNDRED)) == (3, 6, 2)


def test_days_overdue_are_of_lines_due_in_the_period():
    def line(due, returned=None):
        return LeaseLine(*ABOUT, due * DAY_MS, returned and returned * DAY_MS)

    lines = [line(10, 8), line(20, 26), line(90), line(-5), line(100)]
    assert told(kpi.days_overdue(lines, HUNDRED)) == (16 / 3, 16, 3)


def outcome(kind=None, at=1, **said):
    return Outcome(*ABOUT, at * DAY_MS, kind=kind, **said)


OUTCOMES = [
    outcome("repair", proceeds=0, cost=10, book_value=50, defect=True, passed=True),
    outcome("repair", defect=True, passed=False, landfilled=False),
    outcome("restock", defect=False, landfilled=False),
    outcome("resell", proceeds=60, cost=5, book_value=40, landfilled=False),
    outcome("dispose", landfilled=True, defect=True),
    outcome("recycle", returned=False, landfilled=False),
    outcome(),
    outcome("repair", at=200, passed=True, defect=False, landfilled=True),  # after the period
]


@pytest.mark.parametrize(
    ("of", "value", "numerator", "denominator"),
    [
        (kpi.recovery_rate, 3 / 5, 3, 5),
        (kpi.value_recovered, 45 / 90, 45, 90),
        (kpi.first_pass_yield, 1 / 2, 1, 2),
        (kpi.landfill_diversion, 4 / 5, 4, 5),
        (kpi.no_fault_found, 1 / 4, 1, 4),
    ],
)
def test_figures_of_what_became_of_it(of, value, numerator, denominator):
    assert told(of(OUTCOMES, HUNDRED)) == (value, numerator, denominator)
    assert of([], HUNDRED).value is None
    assert "no inspection" in of([], HUNDRED).why


def test_money_in_several_currencies_is_not_added_up():
    some = [
        outcome("resell", proceeds=1, cost=0, book_value=9, currency=one) for one in ("EUR", "USD")
    ]
    figure = kpi.value_recovered(some, HUNDRED)
    assert (figure.value, "EUR, USD" in figure.why) == (None, True)


@pytest.mark.parametrize("period", [HUNDRED, Period(5, 5)])
@pytest.mark.parametrize("records", [Records(), Records(members=None, stage_times=None)])
def test_of_nothing_no_figure_is_known_and_each_says_why(records, period):
    found = kpi.figures(records, period)
    assert len({one.measure.name for one in found}) == len(found) == 19
    assert [one.measure.name for one in found if one.value is not None or not one.why] == []


ages = st.lists(st.integers(1, 50), min_size=1, max_size=30)


@given(ages, st.integers(0, 60))
def test_without_censoring_the_curve_is_the_plain_share(given_, age):
    found = curve([Time(one, True) for one in given_]).at(age)
    assert found == pytest.approx(sum(one <= age for one in given_) / len(given_))


def test_beyond_what_was_seen_nothing_is_told_unless_all_are_back():
    """The last one that comes back takes the estimate to 1, whoever was sent out after it."""
    found = curve([Time(3, False), Time(5, True)])
    assert (found.at(5), found.at(6)) == (1.0, None)
    assert curve([Time(3, True), Time(5, True)]).at(6) == 1.0
    assert curve([]).at(0) is None


times = st.lists(st.builds(Time, st.integers(1, 50), st.booleans()), min_size=1, max_size=30)


@given(times, st.integers(0, 60))
@example([Time(1, False), Time(2, True)], 2)
def test_censoring_never_lowers_the_curve_below_back_by_sent(given_, age):
    found = curve(given_)
    share = found.at(age)
    plain = sum(one.back and one.age <= age for one in given_) / len(given_)
    assert share is None or plain - 1e-9 <= share <= 1 + 1e-9
    assert found.back_by(age) == sum(one.back and one.age <= age for one in given_)


@given(times)
def test_the_curve_rises_and_order_is_nothing_to_it(given_):
    found = curve(given_)
    shares = [one.share for one in found.steps]
    assert shares == sorted(shares)
    assert curve(given_[::-1]) == found


some_trips = st.lists(
    st.tuples(st.floats(-50, 150), st.none() | st.floats(0, 100)).map(
        lambda one: trip(one[0], None if one[1] is None else one[0] + one[1])
    ),
    max_size=20,
)


@given(some_trips)
def test_the_pool_return_rate_is_never_below_the_return_rate(trips):
    seen = [  # as it is known at the period's end
        one._replace(received=None) if one.received and one.received >= HUNDRED.until else one
        for one in trips
    ]
    plain, pool = kpi.return_rate(seen, HUNDRED), kpi.return_curve(seen, HUNDRED)
    if plain.value is not None:
        assert pool.at(pool.reach) >= plain.value - 1e-9
