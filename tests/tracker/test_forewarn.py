"""That a line will likely be late is told before it is, at the moments of the rule's ladder."""

from datetime import date

import pytest

from tracker.alerts import BY_HAND, State, Subject, ended
from tracker.forewarn import (
    EVERY_MS,
    Course,
    Foreseen,
    Known,
    forewarn,
    forewarnings,
    is_to_be_foreseen,
)
from tracker.leases import HOUR_MS, Lease, Line
from tracker.rules import shipped

DAY = 24 * HOUR_MS
START, DUE = 100 * DAY, 140 * DAY
DEADLINE = DUE + DAY
WEEK, TWO_DAYS = DEADLINE - 7 * DAY, DEADLINE - 2 * DAY
RULES = forewarnings(shipped())
LEASE = Lease("L1", "acme", ("cust-1",), "UTC")


def line(due=DUE, start=START):
    return Line("L1", "1", "A1", None, date(2026, 1, 1), date(2026, 2, 9), start, due)


class World:
    """An asset on one line, looked at again and again; the forecast is asked for where it is
    time."""

    def __init__(self):
        self.course = Course(LEASE, line(), None)
        self.alerts, self.held, self.asked, self.next_at = {}, {}, [], None

    def look(self, now, p):
        foreseen = {}
        if is_to_be_foreseen(self.course, self.held, now, RULES):
            self.asked.append(now)
            foreseen = {self.course.line.name: Foreseen(p, now + DAY)}
        known = Known("A1", "pallet", now, [self.course], self.alerts, self.held, foreseen)
        found = forewarn(known, RULES)
        self.alerts |= {Subject(*one[:4]): one for one in found.alerts}
        self.held, self.next_at = found.held, found.next_at
        return [(one.kind, one.alert.severity, one.note) for one in found.events]

    def run(self, until, p):
        """What time alone tells until then."""
        told = []
        while self.next_at is not None and self.next_at <= until:
            told += self.look(self.next_at, p)
        return told


def test_it_is_foreseen_from_a_week_before_and_escalates_two_days_before():
    world = World()
    assert world.look(START, 0.9) == []
    assert (world.asked, world.next_at) == ([], WEEK)
    assert world.look(WEEK, 0.9) == [("opened", "info", None)]
    told = world.run(DEADLINE, 0.9)
    assert told == [("escalated", "warning", None), ("resolved", "warning", "fell due")]
    (alert,) = world.alerts.values()
    times = {"due": DUE, "deadline": DEADLINE, "expected": world.asked[-1] + DAY}
    assert alert.why == {"p": 0.9} | times


def test_looks_between_ask_for_no_forecast():
    world = World()
    world.look(WEEK, 0.2)
    assert world.look(WEEK + 5, 0.9) == []
    assert world.look(WEEK + EVERY_MS - 1, 0.9) == []
    assert world.look(WEEK + EVERY_MS, 0.9) == [("opened", "info", None)]
    assert world.asked == [WEEK, WEEK + EVERY_MS]


def test_each_step_of_the_ladder_is_a_moment_of_its_own():
    world = World()
    world.look(TWO_DAYS - 5, 0.2)
    assert world.look(TWO_DAYS, 0.9) == [("opened", "warning", None)]
    (alert,) = world.alerts.values()
    assert alert.level == 2


def test_it_does_not_flap_about_the_rule_s_threshold():
    world = World()
    told = [world.look(WEEK + n * EVERY_MS, p) for n, p in enumerate((0.5, 0.45, 0.51, 0.39))]
    assert [[kind for kind, *_ in some] for some in told] == [["opened"], [], [], ["resolved"]]


@pytest.mark.parametrize("over", ["returned", "cancelled"])
def test_a_line_that_is_over_is_no_more_foreseen(over):
    world = World()
    world.look(WEEK, 0.9)
    world.course = Course(LEASE, line(), over)
    assert world.look(WEEK + 5, 0.9) == [("resolved", "info", over)]
    assert (world.next_at, world.held) == (None, {})


def test_an_extension_ends_it_until_the_new_week_before():
    world = World()
    world.look(WEEK, 0.9)
    world.course = Course(LEASE, line(DUE + 30 * DAY), None)
    assert world.look(WEEK + 5, 0.9) == [("resolved", "info", "extended")]
    assert world.run(WEEK + 30 * DAY, 0.9) == [("opened", "info", None)]


def test_what_somebody_has_resolved_is_foreseen_anew_for_another_day():
    world = World()
    world.look(WEEK, 0.9)
    (subject, alert), *_ = world.alerts.items()
    world.alerts[subject], _ = ended(alert, State.RESOLVED, BY_HAND, WEEK + 1, "ann")
    assert world.look(WEEK + 2, 0.9) == []
    world.course = Course(LEASE, line(DUE + 30 * DAY), None)
    world.look(WEEK + 5, 0.9)
    assert world.run(WEEK + 30 * DAY, 0.9) == [("opened", "info", None)]


def test_a_line_is_not_foreseen_for_a_time_at_which_it_had_not_begun():
    world = World()
    world.course = Course(LEASE, line(start=DEADLINE - 3 * DAY), None)
    assert world.look(DEADLINE - 3 * DAY, 0.9) == []
    assert world.next_at == TWO_DAYS
    assert world.look(TWO_DAYS, 0.9) == [("opened", "warning", None)]


def test_without_a_rule_nothing_is_foreseen():
    course = Course(LEASE, line(), None)
    assert not is_to_be_foreseen(course, {}, WEEK, [])
    assert forewarn(Known("A1", "p", WEEK, [course], {}, {}, {}), []).next_at is None
