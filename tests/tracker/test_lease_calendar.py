"""The days of a lease, on real time zones: both changes of the clocks included."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracker.lease_book import Calendar
from tracker.leases import Lease, ends_at, next_open, starts_at, time_zone
from tracker.places import WEEK, Site

HOUR = 3_600_000
ZONES = [
    "UTC",
    "Europe/Amsterdam",
    "Europe/Dublin",
    "America/New_York",
    "America/St_Johns",
    "America/Sao_Paulo",  # where midnight was skipped
    "Africa/Cairo",  # where it was, and came twice
    "Asia/Kathmandu",
    "Asia/Tehran",
    "Australia/Lord_Howe",  # half an hour of daylight saving
    "Pacific/Apia",  # which skipped a whole day
    "Pacific/Kiritimati",
]
zones = st.sampled_from(ZONES)
days = st.dates(date(1990, 1, 1), date(2060, 12, 31))


def local(ms, zone):
    return datetime.fromtimestamp(ms / 1_000, UTC).astimezone(ZoneInfo(zone))


@given(zones, days)
def test_a_day_ends_when_the_next_one_begins(zone, day):
    assert ends_at(day, zone) == starts_at(day + timedelta(days=1), zone)


@given(zones, days)
def test_the_moment_before_the_end_is_still_that_day_or_before_and_the_end_is_not(zone, day):
    end = ends_at(day, zone)
    assert local(end - 1, zone).date() <= day < local(end, zone).date()


@given(zones, days)
def test_days_have_about_24_hours_and_follow_each_other(zone, day):
    length = ends_at(day, zone) - starts_at(day, zone)
    assert length in range(0, 26 * HOUR)
    assert length in (0, 23 * HOUR, int(23.5 * HOUR), 24 * HOUR, int(24.5 * HOUR), 25 * HOUR)


@pytest.mark.parametrize(
    ("zone", "day", "hours"),
    [
        ("Europe/Amsterdam", date(2026, 3, 29), 23),
        ("Europe/Amsterdam", date(2026, 10, 25), 25),
        ("America/New_York", date(2026, 3, 8), 23),
        ("America/New_York", date(2026, 11, 1), 25),
        ("Australia/Lord_Howe", date(2026, 4, 5), 24.5),
        ("America/Sao_Paulo", date(2018, 11, 4), 23),  # began at one o'clock
        ("Pacific/Apia", date(2011, 12, 30), 0),  # was not at all
        ("UTC", date(2026, 3, 29), 24),
    ],
)
def test_the_length_of_a_day(zone, day, hours):
    assert ends_at(day, zone) - starts_at(day, zone) == hours * HOUR


@given(
    days,
    st.lists(st.sampled_from(WEEK), max_size=7),
    st.lists(st.integers(0, 20), max_size=15),
)
def test_a_due_day_moves_to_the_first_open_one_and_no_further(day, open_days, closed):
    holidays = [day + timedelta(days=n) for n in closed]
    site = Site(id="shop", open_days=open_days, holidays=holidays)
    found = site.open_from(day)

    def is_open(one):
        return (not open_days or WEEK[one.weekday()] in open_days) and one not in holidays

    assert found >= day
    assert is_open(found)
    assert not any(is_open(day + timedelta(days=n)) for n in range((found - day).days))
    assert site.open_from(found) == found


def test_where_nothing_is_ever_open_the_day_stays():
    assert next_open(date(2026, 1, 5), [], [date(2026, 1, 5)]) == date(2026, 1, 5)


SITES = {
    "yard": Site(id="yard", kind="customer", timezone="America/New_York", open_days=WEEK[:5]),
    "shed": Site(id="shed", kind="customer"),
    "depot": Site(id="depot", kind="depot", timezone="Europe/Amsterdam"),
}


@pytest.mark.parametrize(
    ("named", "delivery", "zone"),
    [
        ("Asia/Tokyo", "yard", "Asia/Tokyo"),
        (None, "yard", "America/New_York"),
        (None, "shed", "Europe/Amsterdam"),
        (None, "elsewhere", "Europe/Amsterdam"),
    ],
)
def test_whose_days_they_are(named, delivery, zone):
    assert Calendar(SITES).zone(named, delivery) == zone


def test_without_any_zone_it_is_utc():
    assert Calendar({"shed": SITES["shed"]}).zone(None, "shed") == "UTC"
    assert time_zone(None, None, []) == "UTC"


@given(days, st.booleans())
def test_a_line_is_due_at_the_end_of_its_day_or_of_the_next_open_one(day, open_days):
    lease = Lease("L", "acme", ("yard",), "America/New_York", open_days=open_days)
    due_at = Calendar(SITES).due_at(day, lease)
    last = local(due_at - 1, "America/New_York").date()
    weekend = open_days and day.weekday() >= 5
    assert last == (day + timedelta(days=7 - day.weekday()) if weekend else day)
