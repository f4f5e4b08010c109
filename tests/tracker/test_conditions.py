"""Rules about assets: since when they hold, when time alone makes them hold, and what users of
other systems complain about."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tracker.alerts import Holding, State, Subject, next_look, step
from tracker.conditions import (
    CONDITIONS,
    AssetLook,
    ReaderLook,
    Reading,
    Source,
    holds,
    next_time,
    reader_holds,
)
from tracker.rule_kinds import AssetRule
from tracker.rules import KINDS, policy_of, read_rules
from tracker.whereabouts import NOWHERE_YET, Moment
from tracker.whereabouts import step as walk

MIN, H, D = 60_000, 3_600_000, 86_400_000
T = 1_790_000_000_000


def rule(fields):
    (one,) = read_rules(f"rules: [{{id: r, {fields}}}]").rules
    return one


def battery(value, at=T, device="trk-1"):
    return Reading("battery", device, at, value)


def shock(value, at=T):
    return Reading("shock", "trk-1", at, value)


def warmth(value, at=T, device="trk-1"):
    return Reading("temperature", device, at, value)


SILENCE = rule("kind: silence, intervals: 3, by_power: {solar: 12}")
BATTERY = rule("kind: low_battery")
COLD = rule("kind: temperature, at_least: 2, at_most: 8")
DWELL = rule("kind: dwell, stages: [repair], after: 2 d")
STAY = rule("kind: dwell, sites: [yard], after: 2 d")
BOTH = rule("kind: dwell, stages: [repair], sites: [yard], after: 2 d")
UNLEASED = rule("kind: left_without_lease")
HOURLY = Source("trk-1", T, H)
OUT = AssetLook(T, stage="in_use", stage_since=T - H, left=T - 2 * H)


@pytest.mark.parametrize(
    ("rule", "look", "since"),
    [
        # what may be looked at at all
        (rule("kind: stage_entered, stages: [lost], classes: [keg]"), {"stage": "lost"}, None),
        (rule("kind: stage_entered, stages: [lost], sites: [a]"), {"stage": "lost"}, None),
        (rule("kind: stage_entered, stages: [lost], leased: true"), {"stage": "lost"}, None),
        (rule("kind: stage_entered, stages: [lost], leased: false"), {"stage": "lost"}, T),
        (rule("kind: stage_entered, stages: [lost]"), {"stage": "lost"}, T),
        (rule("kind: stage_entered, stages: [lost]"), {"stage": "ready"}, None),
        (rule("kind: stage_entered, stages: [lost]"), {"stage": None}, None),
        (rule("kind: lost_rising, p: 0.5"), {"p": {"lost": 0.5}}, T + 9),
        (rule("kind: lost_rising, p: 0.5"), {"p": {"lost": 0.49}}, None),
        (rule("kind: lost_rising, p: 0.5"), {}, None),
        # silence: of the asset, not of a device
        (SILENCE, {"sources": (HOURLY,)}, T + 3 * H),
        (SILENCE, {"sources": (Source("trk-1", T, H, "solar"),)}, T + 12 * H),
        (SILENCE, {"sources": (Source("trk-1", T),)}, None),
        (SILENCE, {"sources": ()}, None),
        (SILENCE, {"sources": (HOURLY, Source("trk-2", T + H, H))}, T + 4 * H),
        (SILENCE, {"sources": (HOURLY, Source("trk-2", T + H))}, T + 4 * H),
        (SILENCE, {"sources": (HOURLY, Source("trk-2", T - 9, 5 * H))}, T - 9 + 15 * H),
        # a dead reader is one alert, not a thousand silent assets
        (SILENCE, {"sources": (Source("rdr", T, H),), "readers_down": {"rdr"}}, None),
        (SILENCE, {"sources": (Source("rdr", T, H),), "readers_down": {"other"}}, T + 3 * H),
        (SILENCE, {"sources": (Source("rdr", T, H), HOURLY), "readers_down": {"rdr"}}, T + 3 * H),
        # dwell
        (DWELL, {"stage": "repair"}, T + 2 * D),
        (DWELL, {"stage": "ready"}, None),
        (DWELL, {"stage": None, "site": "yard"}, None),
        (STAY, {"site": "yard", "site_since": T - H, "stage": "repair"}, T - H + 2 * D),
        (STAY, {"site": "hub"}, None),
        (STAY, {"site": None}, None),
        (BOTH, {"site": "yard", "site_since": T - H, "stage": "repair"}, T + 2 * D),
        (BOTH, {"site": "yard", "site_since": T + H, "stage": "repair"}, T + H + 2 * D),
        (BOTH, {"site": "hub", "stage": "repair"}, None),
        # left without a lease
        (UNLEASED, {"stage": "in_use", "left": T - H}, T),
        (UNLEASED, {"stage": "outbound", "left": T + 5}, T + 5),
        (UNLEASED, {"stage": "ready", "left": T - H}, None),
        (UNLEASED, {"stage": "in_use", "left": T - H, "leased": True}, None),
        (UNLEASED, {"stage": "in_use", "left": T - H, "line_ended": T}, None),
        (UNLEASED, {"stage": "in_use", "left": T - H, "line_ended": T - D}, T),
        (UNLEASED, {"stage": "in_use", "left": None}, None),
        # sensors
        (BATTERY, {"newest": (battery(0.2),)}, None),
        (BATTERY, {"newest": (battery(0.19),)}, T),
        (BATTERY, {"newest": (battery(0.9), battery(0.1, T - 7, "trk-2"))}, T - 7),
        (BATTERY, {"newest": (warmth(0.1), shock(0.1))}, None),
        (COLD, {"newest": (warmth(2),)}, None),
        (COLD, {"newest": (warmth(8),)}, None),
        (COLD, {"newest": (warmth(1.9),)}, T),
        (COLD, {"newest": (warmth(8.1),)}, T),
        (COLD, {"newest": (warmth(1, T - 5), warmth(20, T - 3, "trk-2"))}, T - 3),
        (rule("kind: temperature, at_most: 8"), {"newest": (warmth(-40),)}, None),
        (rule("kind: shock, above: 8"), {"highest": (shock(8),)}, None),
        (rule("kind: shock, above: 8"), {"highest": (shock(9, T - 5), shock(12, T - 3))}, T - 3),
        (rule("kind: shock, above: 8"), {"newest": (shock(12),)}, None),
        # a forbidden site
        (rule("kind: forbidden_site, sites: [x]"), {"site": "x", "site_since": T - 4}, T - 4),
        (rule("kind: forbidden_site, sites: [x]"), {"site": "y"}, None),
        (rule("kind: forbidden_site, sites: [x]"), {"site": None}, None),
    ],
)
def test_since_when_a_rule_holds(rule, look, since):
    """Beforehand it is told when time alone will make it hold; then it holds, since that time."""
    given = {"stage_since": T, "site_since": T, "class_": "box"} | look
    now = AssetLook(T + 9, **given)
    if since is None:
        assert (holds(rule, now), next_time(rule, now)) == (None, None)
    elif since > now.now:
        assert (holds(rule, now), next_time(rule, now)) == (None, since)
        assert holds(rule, now._replace(now=since - 1)) is None
        assert holds(rule, now._replace(now=since)).since == since
    else:
        assert holds(rule, now).since == since
        assert next_time(rule, now) == (now.now + 1 if rule.kind == "shock" else None)


def test_every_kind_about_assets_has_its_condition():
    assert {*CONDITIONS} == {kind for kind, one in KINDS.items() if issubclass(one, AssetRule)}


class TestBefore:
    """What has begun goes on under other conditions."""

    def go_on(self, rule, *readings, before=None, now=T + H):
        return holds(rule, AssetLook(now, newest=readings), before)

    def test_a_low_battery_has_to_be_charged_well(self):
        low = self.go_on(BATTERY, battery(0.15))
        half = self.go_on(BATTERY, battery(0.3, T + MIN), before=low)
        assert (half.since, half.why["value"]) == (T, 0.3)
        assert self.go_on(BATTERY, battery(0.31, T + 2 * MIN), before=half) is None
        assert self.go_on(BATTERY, battery(0.29, T + 2 * MIN)) is None

    def test_another_device_is_not_low_for_that(self):
        low = self.go_on(BATTERY, battery(0.15), battery(0.25, device="trk-2"))
        assert low.why["device"] == "trk-1"
        changed = (battery(1.0, T + MIN), battery(0.25, device="trk-2"))
        assert self.go_on(BATTERY, *changed, before=low) is None

    def test_the_alert_is_the_assets_whichever_device_it_is(self):
        low = self.go_on(BATTERY, battery(0.15))
        both = self.go_on(BATTERY, battery(0.9), battery(0.1, T + MIN, "trk-2"), before=low)
        assert (both.since, both.why["device"]) == (T, "trk-2")

    def test_the_time_is_that_at_which_it_began(self):
        rising = rule("kind: lost_rising")
        first = holds(rising, AssetLook(T, p={"lost": 0.6}))
        assert holds(rising, AssetLook(T + H, p={"lost": 0.7}), first).since == T
        warm = self.go_on(COLD, warmth(9))
        assert self.go_on(COLD, warmth(10, T + MIN), before=warm).since == T

    def test_what_was_only_held_back_has_told_no_reasons(self):
        assert self.go_on(BATTERY, battery(0.25), before=Holding(T, {})) is None
        assert self.go_on(BATTERY, battery(0.1), before=Holding(T - H, {})).since == T - H

    def test_a_reading_from_the_future_is_one_of_now(self):
        assert self.go_on(BATTERY, battery(0.1, T + D), now=T).since == T


@pytest.mark.parametrize(
    ("fields", "away", "since"),
    [("", T, T), ("", None, None), ("sites: [b], ", T, None), ("sites: [a], ", T, T)],
)
def test_a_reader_that_is_away(fields, away, since):
    found = reader_holds(rule(f"{fields}kind: reader_down"), ReaderLook("rdr", {"a"}, away))
    assert (found and found.since) == since


class Watched:
    """An asset under one rule, looked at as a worker does: when something is heard, and when time
    alone changes something."""

    def __init__(self, rule):
        self.rule, self.policy = rule, policy_of(rule)
        self.alert = self.holding = self.look = None
        self.events = []

    def at(self, now, look=None):
        self.look = (look or self.look._replace(highest=()))._replace(now=now)
        self.holding = holds(self.rule, self.look, self.holding)
        subject = Subject("A1", None, None, self.rule.id)
        self.alert, events = step(self.alert, subject, self.holding, self.policy, now)
        self.events += [(event.kind, event.at) for event in events]

    def next(self):
        times = [
            next_time(self.rule, self.look, self.holding),
            next_look(self.alert, self.holding, self.policy),
        ]
        return min((at for at in times if at is not None and at > self.look.now), default=None)

    def wait(self, until):
        """Look whenever time alone changes something, up to a time."""
        while (at := self.next()) is not None and at < until:
            self.at(at)


class TestComplaints:
    """Of users of other systems, about their rules."""

    FORBIDDEN = rule("kind: forbidden_site, sites: [yard], hold: 10 min")

    def drive(self, *places):
        """What is told of an asset whose fixes lie in these sites, a minute apart."""
        watched, known = Watched(self.FORBIDDEN), NOWHERE_YET
        for n, site in enumerate(places):
            at = T + n * MIN
            watched.look and watched.wait(at)
            known, _ = walk(known, site, Moment(at, f"{n:02}"))
            stay = known.stay
            watched.at(at, AssetLook(at, site=stay and stay.site, site_since=stay and stay.since))
        return watched

    def test_a_drive_by_is_no_visit(self):
        assert self.drive("hub", None, None, "yard", None, None).events == []
        short = self.drive("hub", None, None, *["yard"] * 8, None, None)
        assert short.events == []

    def test_who_appears_inside_at_first_is_inside(self):
        long = self.drive(*["yard"] * 15)
        assert long.events == [("opened", T + 10 * MIN)]
        assert long.alert.since == T

    def test_a_first_fix_outside_has_left_nothing(self):
        first = AssetLook(T, stage="in_use", stage_since=T, left=None)
        watched = Watched(UNLEASED)
        watched.at(T, first)
        watched.wait(T + 9 * D)
        assert watched.events == []

    def test_after_a_gap_nothing_is_told_to_be_unknown(self):
        watched = Watched(rule("kind: stage_entered, stages: [lost]"))
        watched.at(T, AssetLook(T, stage=None))
        assert watched.events == []

    def test_two_messages_milliseconds_apart_are_one_alert(self):
        for one, looks in (
            (BATTERY, [{"newest": (battery(0.1, T + n),)} for n in (0, 3)]),
            (rule("kind: shock"), [{"highest": (shock(20, T + n),)} for n in (0, 3)]),
        ):
            watched = Watched(one)
            for n, look in enumerate(looks):
                watched.at(T + n * 3, AssetLook(T, **look))
            assert watched.events == [("opened", T)]

    def test_it_is_repeated_until_somebody_acknowledges_it(self):
        watched = Watched(rule("kind: low_battery, repeat: 6 h"))
        watched.at(T, AssetLook(T, newest=(battery(0.1),)))
        watched.wait(T + 13 * H)
        watched.alert = watched.alert._replace(state=State.ACKNOWLEDGED)
        watched.wait(T + 99 * H)
        assert watched.events == [("opened", T), ("repeated", T + 6 * H), ("repeated", T + 12 * H)]

    def test_one_asset_with_two_silent_devices_is_one_alert(self):
        watched = Watched(SILENCE)
        watched.at(T, AssetLook(T, sources=(HOURLY, Source("trk-2", T + H, H))))
        watched.wait(T + D)
        assert watched.events == [("opened", T + 4 * H)]

    def test_a_shock_that_came_late_is_told_and_over_a_day_later(self):
        watched = Watched(rule("kind: shock"))
        watched.at(T, AssetLook(T, highest=(shock(20, T - 3 * D),)))
        watched.at(T + 1)
        watched.wait(T + 2 * D)
        assert watched.events == [("opened", T), ("resolved", T + 1 + D)]

    def test_a_battery_at_the_threshold_does_not_flap(self):
        watched = Watched(BATTERY)
        for n, value in enumerate([0.19, 0.21, 0.19, 0.25, 0.29, 0.19]):
            watched.at(T + n * H, AssetLook(T, newest=(battery(value, T + n * H),)))
        assert watched.events == [("opened", T)]


RULES = [
    rule("kind: silence, hold: 30 min, repeat: 7 h"),
    rule("kind: dwell, stages: [in_use, repair], after: 2 h, ladder: [1 h, 5 h], repeat: 3 h"),
    rule("kind: dwell, after: 90 min, clear: 45 min"),
    rule("kind: stage_entered, stages: [lost], ladder: [3 h], clear: 2 h"),
    rule("kind: left_without_lease, hold: 2 h, repeat: 5 h"),
    rule("kind: forbidden_site, sites: [a], hold: 10 min, clear: 1 h"),
    rule("kind: low_battery, repeat: 4 h, ladder: [2 h, 10 h]"),
    rule("kind: shock, clear: 3 h"),
    rule("kind: temperature, at_most: 8, hold: 15 min, clear: 20 min"),
    rule("kind: lost_rising, hold: 1 h"),
]
moments = st.integers(0, 48 * H).map(lambda after: T + after)


@st.composite
def looks(draw):
    """What is known at some time, whatever the rule."""
    at = draw(moments)
    seen = st.integers(T - 5 * H, at)
    numbers = st.floats(0, 12)
    return AssetLook(
        at,
        stage=draw(st.sampled_from([None, "in_use", "repair", "lost"])),
        stage_since=draw(seen),
        p={"lost": draw(st.sampled_from([0.2, 0.8]))},
        site=draw(st.sampled_from([None, "a", "b"])),
        site_since=draw(seen),
        left=draw(st.none() | seen),
        leased=draw(st.booleans()),
        sources=tuple(
            Source(f"trk-{n}", draw(seen), draw(st.sampled_from([None, H, 2 * H])))
            for n in range(draw(st.integers(0, 2)))
        ),
        newest=(battery(draw(numbers) / 12, draw(seen)), warmth(draw(numbers), draw(seen))),
        highest=(shock(draw(numbers), draw(seen)),),
        readers_down=frozenset(draw(st.sets(st.just("trk-0")))),
    )


def told(rule, heard, extra=()):
    """What is told of an asset of which something is heard at some times, looked at whenever time
    alone changes something, and at times besides."""
    watched = Watched(rule)
    besides = {at: None for at in extra if at > heard[0].now}
    for at, look in sorted((besides | {look.now: look for look in heard}).items()):
        if watched.look is not None:
            watched.wait(at)
        watched.at(at, look)
    watched.wait(T + 60 * H)
    watched.at(T + 60 * H)
    return watched


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.kind)
@given(
    heard=st.lists(looks(), min_size=1, max_size=4, unique_by=lambda look: look.now),
    extra=st.lists(moments, max_size=8),
)
@settings(deadline=None)
def test_to_look_more_often_changes_nothing(rule, heard, extra):
    """So the times that are given are all at which time alone changes anything."""
    heard.sort(key=lambda look: look.now)
    without, often = told(rule, heard), told(rule, heard, extra)
    assert without.events == often.events
    assert without.alert == often.alert


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.kind)
@given(look=looks(), some=st.lists(moments, max_size=8))
@settings(deadline=None)
def test_who_looks_seldom_ends_in_the_same_state(rule, look, some):
    """As long as nothing else is heard: then only what was told meanwhile is missed."""
    look = look._replace(highest=())
    often, seldom = told(rule, [look]), Watched(rule)
    seldom.at(look.now, look)
    for at in sorted({at for at in some if at > look.now} | {T + 60 * H}):
        seldom.at(at)
    left = [
        one and (one.state, one.episode, one.level, one.since)
        for one in (often.alert, seldom.alert)
    ]
    assert left[0] == left[1]
