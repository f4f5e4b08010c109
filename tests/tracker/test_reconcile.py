"""The lease on paper and the telemetry, decided together."""

from datetime import date

import pytest

from tracker.alerts import State, Subject
from tracker.leases import HOUR_MS, End, Lease, Line
from tracker.overdue import Entered, Glance, back
from tracker.reconcile import Paper, assess, governed
from tracker.rules import shipped

DAY = 24 * HOUR_MS
START, DUE = 100 * DAY, 110 * DAY
DEADLINE = DUE + DAY
RULES = governed(shipped())
LEASE = Lease("L1", "acme", ("cust-1",), "UTC")
LINE = Line("L1", "1", "A1", None, date(2026, 1, 1), date(2026, 1, 9), START, DUE)
OUT = (Entered("ready", 0), Entered("outbound", START + 5), Entered("in_use", START + 50))
THERE, AWAY = {"in_use": 0.9, "ready": 0.1}, {"return_transit": 0.9}
HOME, GONE = {"received": 0.95}, {"lost": 0.95}
OWNERS = {"cust-1": "acme", "cust-2": "other"}


class World:
    """An asset on one line, looked at again and again."""

    def __init__(self, line=LINE, lease=LEASE):
        self.line, self.lease = line, lease
        self.alerts, self.held, self.told, self.next_at = {}, {}, [], None

    def look(self, at, p, entered=OUT, received=(), site=None, others=()):
        paper = Paper([(self.lease, self.line)], OWNERS, "pallet", self.alerts, self.held)
        glance = Glance(at, p, entered, received, site)
        found = assess("A1", paper, glance, {self.line.name: others}, RULES)
        self.alerts |= {Subject(*one[:4]): one for one in found.alerts}
        self.held, self.next_at = found.held, found.next_at
        new = [(one.alert.rule, one.kind, one.note) for one in found.events]
        self.told += new
        return new


@pytest.mark.parametrize(
    ("entered", "received", "expected"),
    [
        (OUT, (), None),
        ((*OUT, Entered("received", DUE)), (), DUE),
        ((*OUT, Entered(None, DUE - 9), Entered("inspection", DUE)), (), DUE),
        ((*OUT, Entered("received", DUE), Entered("in_use", DUE + DAY)), (), DUE),
        ((*OUT, Entered("received", DUE), Entered("outbound", DUE + 5)), (), None),
        (OUT, (DUE,), DUE),
        ((Entered("received", START + 5),), (), None),  # it was not out on this line
        ((Entered("in_use", START - 5), Entered("ready", START + 5)), (), START + 5),
        ((Entered("in_use", 5), Entered("ready", 9), Entered("inspection", START + 5)), (), None),
        ((Entered("outbound", START + 5), Entered("ready", START + 9)), (), None),
        ((Entered("outbound", START + 5), Entered("received", START + 9)), (), START + 9),
    ],
)
def test_back_is_the_first_depot_stage_after_it_was_out(entered, received, expected):
    came = back(LINE, entered, received)
    assert (came.at if came else None) == expected


@pytest.mark.parametrize(
    ("closed", "hours", "is_back"),
    [
        (None, 10, False),  # that was the return from the line before
        (-1, 10, True),  # the paper of which was over by then, so it is a renewal
        (None, 30, True),  # another day
        (11, 10, False),
    ],
)
def test_a_return_on_its_first_day_is_that_of_the_line_before(closed, hours, is_back):
    ended = None if closed is None else End("returned", START + closed * HOUR_MS)
    before = Line(
        "L0", "1", "A1", None, date(2025, 12, 1), date(2026, 1, 1), 50 * DAY, START, ended
    )
    entered = (Entered("in_use", 60 * DAY), Entered("received", START + hours * HOUR_MS))
    came = back(LINE, entered, (), (before, LINE))
    assert (came is not None) is is_back
    assert back(before, entered, (), (before, LINE)).at == START + hours * HOUR_MS


def test_what_goes_out_again_on_that_day_is_overdue_when_its_time_comes():
    before = Line("L0", "1", "A1", None, date(2025, 12, 1), date(2026, 1, 1), 50 * DAY, START)
    stages = (("in_use", -9), ("received", 10), ("ready", 12), ("outbound", 15), ("in_use", 20))
    entered = tuple(Entered(stage, START + h * HOUR_MS) for stage, h in stages)
    lines = [(Lease("L0", "old", ("cust-2",), "UTC"), before), (LEASE, LINE)]
    paper = Paper(lines, OWNERS, "pallet", {}, {})
    found = assess("A1", paper, Glance(DEADLINE, THERE, entered), {}, RULES)
    told = [(one.alert.lease, one.alert.rule) for one in found.events]
    assert ("L1", "overdue") in told
    assert ("L0", "overdue") not in told


def test_overdue_is_told_at_the_very_millisecond():
    world = World()
    assert world.look(DEADLINE - 1, THERE) == []
    assert world.next_at == DEADLINE
    assert world.look(DEADLINE, THERE) == [("overdue", "opened", None)]
    assert world.look(DEADLINE + 1, THERE) == []


def test_who_is_on_the_way_back_is_not_dunned():
    world = World()
    assert world.look(DEADLINE, AWAY) == [("late_in_transit", "opened", None)]
    later = world.look(DEADLINE + 5, THERE)
    assert later == [("overdue", "opened", None), ("late_in_transit", "resolved", "overdue")]


def test_what_is_neither_is_looked_at_again():
    world = World()
    assert world.look(DEADLINE, {"in_use": 0.4, "received": 0.4}) == []
    assert world.next_at == DEADLINE + HOUR_MS


def test_overdue_stays_so_on_its_way_back():
    world = World()
    world.look(DEADLINE, THERE)
    moving = (*OUT, Entered("return_transit", DEADLINE))
    assert world.look(DEADLINE + 9 * DAY, AWAY, moving) == []
    assert world.look(DEADLINE + 10 * DAY, THERE, moving) == [("overdue", "escalated", None)]


def test_a_late_scan_proves_that_it_was_on_time():
    world = World()
    world.look(DEADLINE, THERE)
    assert world.look(DEADLINE + HOUR_MS, THERE, received=(DEADLINE,)) == [
        ("overdue", "retracted", "was_on_time")
    ]


def test_a_scan_ends_it_at_once_an_inference_when_it_lasts():
    world = World()
    world.look(DEADLINE, THERE)
    assert world.look(DEADLINE + 9, HOME, received=(DEADLINE + 5,)) == [
        ("overdue", "resolved", "returned")
    ]
    world = World()
    world.look(DEADLINE, THERE)
    entered = (*OUT, Entered("received", DEADLINE + 5))
    assert world.look(DEADLINE + 9, HOME, entered) == []
    assert world.next_at == DEADLINE + 9 + 6 * HOUR_MS
    assert world.look(world.next_at, HOME, entered) == [("overdue", "resolved", "returned")]


def test_a_correction_takes_the_return_back():
    world = World()
    world.look(DEADLINE, THERE)
    entered = (*OUT, Entered("received", DEADLINE + 5))
    world.look(DEADLINE + 9, HOME, entered, received=(DEADLINE + 5,))
    assert world.look(DEADLINE + 20, THERE) == [("overdue", "reopened", None)]


def test_one_alert_never_overdue_and_lost_together():
    world = World()
    world.look(DEADLINE, THERE)
    assert world.look(DEADLINE + DAY, GONE) == [
        ("overdue", "resolved", "presumed_lost"),
        ("presumed_lost", "opened", None),
    ]


def test_what_is_told_of_a_level_has_its_severity_also_on_the_way_back():
    rules, world = governed(shipped()), World()
    world.look(DEADLINE, THERE)
    paper = Paper([(LEASE, LINE)], OWNERS, "pallet", world.alerts, world.held)
    (event,) = assess("A1", paper, Glance(DEADLINE + 7 * DAY, THERE, OUT), {}, rules).events
    assert (event.kind, event.alert.severity) == ("escalated", "critical")
    world.look(DEADLINE + 7 * DAY, THERE)
    world.look(DEADLINE + 8 * DAY, AWAY)
    (alert,) = [one for one in world.alerts.values() if one.rule == "overdue"]
    assert (alert.level, alert.severity) == (3, "critical")


def test_what_is_overdue_for_a_month_is_presumed_lost_with_no_message():
    world = World()
    world.look(DEADLINE, THERE)
    world.look(DEADLINE + 8 * DAY, THERE)
    given_up = DEADLINE + 30 * DAY
    assert world.look(given_up - 1, THERE) == [("overdue", "repeated", None)]
    assert world.next_at == given_up
    assert world.look(given_up, THERE) == [
        ("overdue", "resolved", "presumed_lost"),
        ("presumed_lost", "opened", None),
    ]
    assert world.look(given_up + DAY, THERE) == []


def test_what_was_presumed_lost_by_time_may_come_back_or_be_extended():
    for change, ending in ((False, "returned"), (True, "extended")):
        world = World()
        world.look(DEADLINE + 30 * DAY, THERE)
        if change:
            world.line = Line(*_fields(world.line)[:7], DUE + 60 * DAY, None)
        scans = () if change else (DEADLINE + 31 * DAY,)
        assert world.look(DEADLINE + 31 * DAY, THERE, received=scans) == [
            ("presumed_lost", "resolved", ending)
        ]


@pytest.mark.parametrize("how", ["returned", "cancelled", "swapped"])
def test_a_closed_line_is_not_overdue(how):
    world = World()
    world.look(DEADLINE, THERE)
    world.line = Line(*_fields(world.line)[:-1], End(how, DEADLINE + 5))
    assert world.look(DEADLINE + 5, THERE) == [("overdue", "resolved", how)]


def test_an_extension_resolves_it():
    world = World()
    world.look(DEADLINE, THERE)
    fields = _fields(world.line)
    world.line = Line(*fields[:7], DUE + 30 * DAY, None)
    assert world.look(DEADLINE + 5, THERE) == [("overdue", "resolved", "extended")]
    assert world.next_at == DEADLINE + 30 * DAY


def test_back_but_open_on_paper():
    world = World()
    entered = (*OUT, Entered("received", DUE))
    assert world.look(DUE + 5, HOME, entered) == []
    assert world.next_at == DUE + DAY
    assert world.look(DUE + DAY, HOME, entered) == [("returned_unrecorded", "opened", None)]


def test_closed_on_paper_but_still_there():
    world = World(Line(*_fields(LINE)[:-1], End("returned", DUE)))
    assert world.look(DUE + DAY - 1, THERE) == []
    assert world.look(DUE + DAY, THERE) == [("returned_on_paper", "opened", None)]


@pytest.mark.parametrize(
    ("site", "consignees", "told"),
    [
        ("cust-1", (), False),
        ("cust-2", (), True),
        ("nobody's", (), False),
        ("cust-2", ("other",), False),
    ],
)
def test_at_the_wrong_partner_unless_custody_was_handed_over(site, consignees, told):
    lease = Lease("L1", "acme", ("cust-1",), "UTC", consignees=consignees)
    world = World(lease=lease)
    world.look(START + DAY, THERE, site=site)
    assert (
        world.look(START + DAY + HOUR_MS, THERE, site=site)
        == [("wrong_partner", "opened", None)][: int(told)]
    )


def test_left_behind_when_all_others_came_back():
    world = World()
    assert world.look(START + 2 * DAY, THERE, others=(START + DAY, None)) == []
    assert world.look(START + 3 * DAY, THERE, others=(START + DAY, START + 2 * DAY)) == [
        ("left_behind", "opened", None)
    ]


def test_a_later_lease_has_alerts_of_its_own():
    world = World()
    world.look(DEADLINE, THERE)
    assert world.alerts[Subject("A1", "L1", "1", "overdue")].state == State.OPEN
    world.line = Line("L2", "1", *_fields(LINE)[2:])
    world.lease = Lease("L2", "acme", ("cust-1",), "UTC")
    assert world.look(DEADLINE + 1, THERE) == [("overdue", "opened", None)]


def _fields(line):
    names = ("lease", "id", "asset", "class_", "start", "due", "start_at", "due_at", "ended")
    return [getattr(line, name) for name in names]
