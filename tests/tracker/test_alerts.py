"""How an alert goes on: one for each subject and episode, whatever happens on the way."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracker.alerts import (
    BY_HAND,
    DAY_MS,
    REOPENED_MS,
    Alert,
    Holding,
    Policy,
    State,
    Subject,
    acknowledged,
    ended,
    next_look,
    snoozed,
    step,
)

HOUR = 3_600_000
OF = Subject("A1", "L1", "1", "overdue")
HELD = Holding(0, {"p": 0.9})
LADDER = Policy("serious", levels=(0, 3 * DAY_MS, 7 * DAY_MS), repeat_ms=3 * DAY_MS)


def run(policy, *looks, alert=None):
    """The alert after looks at times, where something holds or not, and what happened."""
    happened = []
    for at, holding in looks:
        alert, events = step(alert, OF, holding, policy, at)
        happened += [(event.kind, event.at) for event in events]
    return alert, happened


def test_it_opens_once_however_often_one_looks():
    alert, happened = run(Policy(), (5, HELD), (5, HELD), (6, HELD))
    assert happened == [("opened", 5)]
    assert (alert[:5], alert.state, alert.since) == ((*OF, 1), State.OPEN, 0)


def test_what_holds_too_short_is_never_told():
    policy = Policy(hold_ms=HOUR)
    alert, happened = run(policy, (0, HELD), (HOUR - 1, HELD), (HOUR, None))
    assert (alert, happened) == (None, [])
    assert next_look(None, HELD, policy) == HOUR
    assert run(policy, (HOUR, HELD))[1] == [("opened", HOUR)]


def test_what_flickers_is_not_over():
    policy = Policy(clear_ms=HOUR)
    alert, happened = run(policy, (0, HELD), (1, None), (HOUR, None), (HOUR + 1, HELD))
    assert (alert.state, happened) == (State.OPEN, [("opened", 0)])
    alert, happened = run(policy, (0, HELD), (1, None), (HOUR + 1, None))
    assert happened == [("opened", 0), ("resolved", HOUR + 1)]


@pytest.mark.parametrize(
    ("later", "kind", "episode"), [(REOPENED_MS - 1, "reopened", 1), (REOPENED_MS, "opened", 2)]
)
def test_what_comes_back_soon_is_the_same_episode(later, kind, episode):
    over, _ = run(Policy(), (0, HELD), (10, None))
    alert, happened = run(Policy(), (10 + later, HELD), alert=over)
    assert (happened, alert.episode) == ([(kind, 10 + later)], episode)


def test_levels_belong_to_one_alert():
    alert, happened = run(LADDER, (0, HELD), (3 * DAY_MS, HELD), (8 * DAY_MS, HELD))
    assert happened == [("opened", 0), ("escalated", 3 * DAY_MS), ("escalated", 8 * DAY_MS)]
    assert alert.level == 3


def test_who_comes_late_opens_it_at_its_level():
    alert, happened = run(LADDER, (4 * DAY_MS, HELD))
    assert (happened, alert.level) == ([("opened", 4 * DAY_MS)], 2)


def test_it_is_repeated_until_somebody_acknowledges_it():
    policy = Policy(repeat_ms=HOUR)
    alert, happened = run(policy, (0, HELD), (HOUR, HELD), (2 * HOUR, HELD))
    assert happened == [("opened", 0), ("repeated", HOUR), ("repeated", 2 * HOUR)]
    alert, _ = acknowledged(alert, "ann", 2 * HOUR + 1)
    alert, happened = run(policy, (9 * HOUR, HELD), alert=alert)
    assert (happened, alert.state, alert.by) == ([], State.ACKNOWLEDGED, "ann")


def test_a_snoozed_one_wakes():
    alert, _ = run(Policy(), (0, HELD))
    alert, _ = snoozed(alert, "ann", HOUR, 1)
    assert next_look(alert, HELD, Policy()) == HOUR
    alert, happened = run(Policy(), (HOUR - 1, HELD), (HOUR, HELD), alert=alert)
    assert (happened, alert.state) == ([("woken", HOUR)], State.OPEN)


def test_what_somebody_has_resolved_is_told_when_it_comes_again():
    alert, _ = run(Policy(), (0, HELD))
    (alert, _) = ended(alert, State.RESOLVED, BY_HAND, 5, "ann")
    alert, happened = run(Policy(), (6, HELD), (7, HELD), alert=alert)
    assert happened == []
    assert run(Policy(), (8, None), (9, HELD), alert=alert)[1] == [("reopened", 9)]


def test_what_was_snoozed_and_over_comes_back_with_nothing_to_wait_for():
    policy = Policy()
    alert, _ = run(policy, (0, HELD))
    alert, _ = snoozed(alert, "ann", 5 * HOUR, HOUR)
    over, _ = run(policy, (2 * HOUR, None), alert=alert)
    assert (over.state, over.until) == (State.RESOLVED, None)
    alert, happened = run(policy, (3 * HOUR, HELD), alert=over)
    assert (happened, alert.by, alert.until) == ([("reopened", 3 * HOUR)], None, None)
    assert next_look(alert, HELD, policy) is None


POLICIES = st.builds(
    Policy,
    st.just("warning"),
    st.integers(0, 30),
    st.integers(0, 30),
    st.just((0, 20, 50)),
    st.none() | st.integers(5, 40),
)
CHANGES = st.lists(st.tuples(st.integers(1, 40), st.booleans()), max_size=8)


@given(POLICIES, CHANGES, st.sets(st.integers(0, 400)))
def test_to_look_more_often_changes_nothing(policy, changes, extra):
    """What happens is what happens where one looks only when something changes, and when
    `next_look` says."""
    phases, at = [], 0
    for lasts, on in changes:
        phases.append((at, at + lasts, Holding(at, {}) if on else None))
        at += lasts
    assert history(policy, phases, ()) == history(policy, phases, extra)


def history(policy, phases, extra):
    alert, happened = None, []
    for since, until, holding in phases:
        times = {since, *(at for at in extra if since <= at < until)}
        while times:
            at = min(times)
            times.discard(at)
            alert, events = step(alert, OF, holding, policy, at)
            happened += [(event.kind, event.at, event.alert.level) for event in events]
            due = next_look(alert, holding, policy)
            if due is not None and at < due < until:
                times.add(due)
    return happened, alert


def test_an_id_names_one_episode_of_one_subject_alone():
    alert = Alert("A1", None, None, "silence", 1, State.OPEN, "info", 1, 0, 0, 0, 0)
    others = [
        alert._replace(asset="A2"),
        alert._replace(lease="L1", line="1"),
        alert._replace(rule="dwell"),
        alert._replace(episode=2),
    ]
    assert len({alert.id, *(one.id for one in others)}) == 5
    assert alert._replace(state=State.RESOLVED, level=3).id == alert.id
