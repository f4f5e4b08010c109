"""Who is told of which alert, when, in what words, and how often it is tried."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import ValidationError

from tracker.alerts import Alert, Event, State
from tracker.notices import (
    ATTEMPTS_AT_MOST,
    Attempt,
    by_lead,
    deliveries,
    gathered,
    message,
    noted,
    queue,
    retried,
    retry_ms,
)
from tracker.notices import State as Way
from tracker.quiet import Quiet, waking
from tracker.recipients import (
    EVENTS,
    About,
    Digest,
    Filters,
    Recipient,
    due,
    masked,
    next_digest,
)
from tracker.rules import shipped
from tracker.wording import Wording, filled

HOUR, DAY, MINUTE = 3_600_000, 86_400_000, 60_000
NOW = 1_767_614_400_000  # 2026-01-05T12:00:00Z, a Monday
ALERT = Alert(
    "A1", "L1", "1", "overdue", 1, State.OPEN, "warning", 1, NOW - HOUR, NOW, NOW, NOW
)._replace(why={"p": 0.93, "due": NOW - 3 * DAY})
ABOUT = About(
    name="Blue 1",
    asset_class="pallet",
    site="cust-1",
    partner="acme",
    partner_name="Acme Foods",
    due=NOW - 3 * DAY,
    timezone="Europe/Amsterdam",
)
OPS = Recipient(id="ops", url="https://example.com/hook")


def opened(alert=ALERT, kind="opened", **more):
    return Event(alert, kind, NOW, **more)


def one(recipient=OPS, number=1, event=None, about=ABOUT):
    (made,) = deliveries([recipient], number, event or opened(), about, NOW)
    return made


def at(text, zone="UTC"):
    local = datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone))
    return int(local.astimezone(UTC).timestamp() * 1000)


class Kept:
    """Of a store only what queueing asks for: deliveries by id, the first of each stays."""

    def __init__(self, *recipients):
        self._recipients = {one.id: one for one in recipients}
        self.queued = {}

    def recipients(self):
        return self._recipients

    def rules(self):
        return shipped()

    def queue_deliveries(self, made):
        for each in made:
            self.queued.setdefault(each.id, each)


class TestInWhichWords:
    def test_a_recipient_s_own_words_are_filled_in(self):
        wording = Wording(title="[{severity}] {asset_name} of {partner}", text="{text} {note}Call!")
        told = one(OPS.model_copy(update={"wording": wording})).notice
        usual = one().notice
        assert told.title == "[warning] Blue 1 of acme"
        assert told.text == f"{usual.text} Call!"
        assert told.data == usual.data

    def test_without_any_they_are_the_usual_ones(self):
        empty = OPS.model_copy(update={"wording": Wording()})
        assert one(empty) == one()

    @pytest.mark.parametrize("wrong", ["{assett}", "{asset.name}", "{}", "{0}", "\0"])
    def test_places_that_there_are_not_are_refused(self, wrong):
        with pytest.raises(ValidationError):
            Wording(title=wrong)

    def test_what_is_no_place_stays(self):
        assert filled("a } b { {asset}", {"asset": "A1"}) == "a } b { A1"


class TestWhoIsTold:
    @pytest.mark.parametrize(
        ("filters", "told"),
        [
            ({}, True),
            ({"rules": ["overdue"]}, True),
            ({"rules": ["left_behind"]}, False),
            ({"severities": ["critical"]}, False),
            ({"severities": ["critical", "warning"], "sites": ["cust-1"]}, True),
            ({"sites": ["depot"]}, False),
            ({"classes": ["pallet"], "partners": ["acme"]}, True),
            ({"classes": ["pallet"], "partners": ["other"]}, False),
            ({"level": 2}, False),
            ({"events": ["resolved"]}, False),
            ({"events": []}, False),
        ],
    )
    def test_filters_let_pass_what_they_name(self, filters, told):
        recipient = OPS.model_copy(update={"filters": Filters(**filters)})
        assert bool(deliveries([recipient], 1, opened(), ABOUT, NOW)) is told

    def test_who_is_called_next_hears_of_the_second_level_and_of_the_end(self):
        boss = OPS.model_copy(update={"filters": Filters(level=2)})
        for kind in ("escalated", "resolved"):
            event = opened(ALERT._replace(level=2), kind)
            assert len(deliveries([boss], 1, event, ABOUT, NOW)) == 1

    @pytest.mark.parametrize("name", ["sites", "classes", "partners"])
    def test_what_is_not_known_fits_no_filter(self, name):
        recipient = OPS.model_copy(update={"filters": Filters(**{name: ["x"]})})
        assert deliveries([recipient], 1, opened(), About(), NOW) == []

    def test_who_is_not_enabled_is_told_nothing(self):
        assert deliveries([OPS.model_copy(update={"enabled": False})], 1, opened(), ABOUT, 0) == []

    def test_what_a_person_does_to_an_alert_is_told_to_those_who_ask_for_it(self):
        event = opened(kind="acknowledged", by="Ann")
        assert deliveries([OPS], 1, event, ABOUT, NOW) == []
        asking = OPS.model_copy(update={"filters": Filters(events=("acknowledged",))})
        assert one(asking, event=event).notice.text.endswith("Ann has taken it on.")

    @given(
        st.lists(
            st.lists(st.tuples(st.integers(1, 9), st.sampled_from(EVENTS)), max_size=5), max_size=5
        ),
        st.integers(1, 3),
    )
    def test_an_event_is_never_queued_twice_for_a_recipient(self, rounds, recipients):
        """However often the same numbers come, alone or together."""
        tx = Kept(*(Recipient(id=f"r-{n}", url="mqtt:") for n in range(recipients)))
        for events in rounds:
            queue(tx, [(number, opened(kind=kind)) for number, kind in events], {}, NOW)
        numbers = {number for events in rounds for number, _ in events}
        told = [(one.recipient, one.event) for one in tx.queued.values()]
        assert sorted(told) == sorted((r, n) for r in tx.recipients() for n in numbers)

    def test_no_two_recipients_share_an_id_of_a_delivery(self):
        made = deliveries(
            [OPS.model_copy(update={"id": id}) for id in ("a", "a-1", "a-1-1")],
            1,
            opened(),
            ABOUT,
            NOW,
        )
        made += deliveries([OPS.model_copy(update={"id": "a"})], 11, opened(), ABOUT, NOW)
        assert len({each.id for each in made}) == 4


class TestWhenItIsDue:
    NIGHT = Quiet(since="22:00", until="07:00", timezone="Europe/Amsterdam")

    def recipient(self, **more):
        return OPS.model_copy(update=more)

    @pytest.mark.parametrize(
        ("more", "severity", "now", "then"),
        [
            ({}, "warning", "2026-01-05T12:00", "2026-01-05T12:00"),
            ({"quiet": NIGHT}, "warning", "2026-01-05T21:59", "2026-01-05T21:59"),
            ({"quiet": NIGHT}, "warning", "2026-01-05T22:00", "2026-01-06T07:00"),
            ({"quiet": NIGHT}, "warning", "2026-01-06T06:59:59.999", "2026-01-06T07:00"),
            ({"quiet": NIGHT}, "critical", "2026-01-05T23:00", "2026-01-05T23:00"),
            ({"digest": Digest(every="hourly")}, "info", "2026-01-05T12:00", "2026-01-05T13:00"),
            (
                {"digest": Digest(every="hourly")},
                "critical",
                "2026-01-05T12:10",
                "2026-01-05T12:10",
            ),
            (
                {"digest": Digest(every="daily", hour=6, timezone="Europe/Amsterdam")},
                "info",
                "2026-01-05T05:59",
                "2026-01-05T06:00",
            ),
            (
                {"digest": Digest(every="daily", hour=6, timezone="Europe/Amsterdam")},
                "info",
                "2026-01-05T06:00",
                "2026-01-06T06:00",
            ),
            (
                {
                    "digest": Digest(every="daily", timezone="Europe/Amsterdam", hour=6),
                    "quiet": NIGHT,
                },
                "info",
                "2026-01-05T05:00",
                "2026-01-05T07:00",
            ),
        ],
    )
    def test_by_table(self, more, severity, now, then):
        zone = "Europe/Amsterdam"
        assert due(self.recipient(**more), severity, at(now, zone)) == at(then, zone)

    @pytest.mark.parametrize(
        ("since", "until", "now", "then"),
        [  # the clocks go from 02:00 to 03:00 on 2026-03-29, back from 03:00 on 2026-10-25
            ("22:00", "02:30", "2026-03-29T00:30+01:00", "2026-03-29T03:00+02:00"),
            ("02:15", "02:45", "2026-03-29T01:59+01:00", "2026-03-29T01:59+01:00"),
            ("22:00", "07:00", "2026-03-28T23:00+01:00", "2026-03-29T07:00+02:00"),
            ("22:00", "02:30", "2026-10-25T01:00+02:00", "2026-10-25T02:30+02:00"),
            ("22:00", "02:30", "2026-10-25T02:10+01:00", "2026-10-25T02:30+01:00"),
            ("22:00", "07:00", "2026-10-24T23:00+02:00", "2026-10-25T07:00+01:00"),
        ],
    )
    def test_quiet_hours_in_the_nights_in_which_clocks_change(self, since, until, now, then):
        quiet = Quiet(since=since, until=until, timezone="Europe/Amsterdam")
        asked, told = (int(datetime.fromisoformat(text).timestamp() * 1000) for text in (now, then))
        assert waking(quiet, asked) == told

    @given(
        st.sampled_from(
            ["Europe/Amsterdam", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu"]
        ),
        st.tuples(st.integers(0, 1439), st.integers(0, 1439)).filter(
            lambda span: span[0] != span[1]
        ),
        st.integers(NOW // MINUTE, NOW // MINUTE + 366 * 1440),
        st.integers(0, MINUTE - 1),
    )
    @example("Europe/Amsterdam", (1320, 150), at("2026-03-28T23:30") // MINUTE, 1)
    @example("Australia/Lord_Howe", (0, 110), at("2026-04-04T14:30") // MINUTE, 0)
    def test_quiet_hours_end_at_the_first_moment_that_is_not_quiet(self, zone, span, minute, ms):
        since, until = (f"{m // 60:02}:{m % 60:02}" for m in span)
        quiet, asked = Quiet(since=since, until=until, timezone=zone), minute * MINUTE + ms
        told = waking(quiet, asked)
        assert told not in quiet
        assert asked <= told <= asked + DAY + HOUR
        assert all(one in quiet for one in range(asked, told, MINUTE))
        assert told == asked or told - 1 in quiet

    @given(
        st.sampled_from(["UTC", "Europe/Amsterdam", "America/New_York", "Australia/Lord_Howe"]),
        st.integers(0, 23),
        st.integers(NOW, NOW + 366 * DAY),
    )
    def test_a_daily_digest_comes_once_a_day(self, zone, hour, now):
        digest = Digest(every="daily", hour=hour, timezone=zone)
        first = next_digest(digest, now)
        second = next_digest(digest, first)
        assert now < first <= now + DAY + 2 * HOUR
        assert 22 * HOUR <= second - first <= 26 * HOUR
        days = [datetime.fromtimestamp(t / 1000, ZoneInfo(zone)).date() for t in (first, second)]
        assert (days[1] - days[0]).days == 1

    def test_a_rule_s_quiet_hours_hold_for_all_that_is_critical_too(self):
        night = Quiet(since="22:00", until="07:00")
        ops, at = Recipient(id="ops", url="mqtt:"), NOW - NOW % DAY + 23 * HOUR
        assert due(ops, "critical", at) == at
        assert due(ops, "critical", at, night) == at + 8 * HOUR
        assert due(ops, "critical", at - 2 * HOUR, night) == at - 2 * HOUR

    def test_quiet_hours_of_both_are_kept_where_they_leave_an_hour(self):
        night, morning = Quiet(since="22:00", until="07:00"), Quiet(since="06:00", until="09:00")
        ops, at = Recipient(id="ops", url="mqtt:", quiet=morning), NOW - NOW % DAY + 23 * HOUR
        assert due(ops, "warning", at, night) == at + 10 * HOUR

    def test_quiet_hours_that_leave_none_end_all_the_same(self):
        night, day = Quiet(since="22:00", until="07:00"), Quiet(since="07:00", until="22:00")
        ops = Recipient(id="ops", url="mqtt:", quiet=day)
        assert NOW < due(ops, "warning", NOW, night) <= NOW + 5 * DAY

    @pytest.mark.parametrize(
        "wrong", [{"since": "07:00"}, {"since": "24:00"}, {"timezone": "Mars"}]
    )
    def test_quiet_hours_that_make_no_sense_are_refused(self, wrong):
        with pytest.raises(ValidationError):
            Quiet(**{"since": "22:00", "until": "07:00"} | wrong)


class TestWhatIsTold:
    @pytest.mark.parametrize(
        ("kind", "title"),
        [
            ("opened", "A1 (Blue 1) is overdue"),
            ("reopened", "Again: A1 (Blue 1) is overdue"),
            ("escalated", "Level 1: A1 (Blue 1) is overdue"),
            ("repeated", "Still: A1 (Blue 1) is overdue"),
            ("woken", "Still, after a pause: A1 (Blue 1) is overdue"),
            ("resolved", "Over: A1 (Blue 1) is overdue"),
            ("retracted", "Withdrawn: A1 (Blue 1) is overdue"),
        ],
    )
    def test_titles(self, kind, title):
        assert one(event=opened(kind=kind, note="was_on_time")).notice.title == title

    def test_a_paragraph_says_what_how_late_and_why(self):
        told = one().notice
        assert told.text == (
            "Asset A1 (Blue 1) of class pallet on lease L1, line 1 to Acme Foods at cust-1. It was "
            "due on 2026-01-02, 3 days ago. The probability of that is 93%."
        )
        assert told.link == f"/v1/alerts/{told.data['alert']}"
        assert (told.data["days_overdue"], told.data["severity"]) == (3, "warning")

    def test_a_rule_that_nobody_wrote_words_for_is_told_too(self):
        alert = ALERT._replace(rule="battery_low", lease=None, line=None, why={"v": 3.1, "p": "?"})
        told = one(event=opened(alert), about=About()).notice
        assert (told.title, told.text) == ("A1: battery low", "Asset A1.")

    def test_names_that_look_like_templates_are_told_as_they_are(self):
        alert = ALERT._replace(asset="{by} {0} %s", rule="{level}")
        told = one(
            event=opened(alert, kind="commented", by="{note}", note="{x}"),
            about=About(),
            recipient=OPS.model_copy(update={"filters": Filters(events=("commented",))}),
        )
        assert told.notice.title == "Comment: {by} {0} %s: {level}"
        assert told.notice.text.endswith("{note}: {x}")

    def test_a_message_of_one_is_what_a_webhook_expects(self):
        sent = message([one(number=17)])
        assert (sent.id, sent.body["type"]) == ("ops-17", "alert.opened")
        assert sent.body["timestamp"] == "2026-01-05T12:00:00.000Z"
        assert sent.body["data"]["alert"] == ALERT.id

    def test_what_has_gathered_is_one_message(self):
        parts = [one(number=n) for n in (3, 4)]
        sent = message(parts)
        assert (sent.id, sent.title, sent.body["type"]) == (
            "ops-3",
            "2 news of alerts",
            "alert.digest",
        )
        assert [item["event"] for item in sent.body["data"]["items"]] == [3, 4]
        assert sent.text.count("A1 (Blue 1) is overdue") == 2


class TestTravellingTogether:
    DAILY = OPS.model_copy(update={"digest": Digest(every="daily")})

    def test_without_a_digest_each_travels_alone(self):
        groups = gathered(OPS, [one(number=1), one(number=2)], {})
        assert [[each.id for each in group] for group in groups] == [["ops-1"], ["ops-2"]]
        assert [group[0].lead for group in groups] == ["ops-1", "ops-2"]

    @given(st.lists(st.booleans(), min_size=1, max_size=8))
    def test_what_travelled_together_does_so_again_and_nothing_joins_it(self, dies):
        """Each turn one more is due; where a worker dies, it has noted nothing of the sending."""
        waiting, travelling, seen = {}, {}, {}
        for number, died in enumerate(dies, 1):
            new = one(self.DAILY, number)
            waiting[new.id] = new
            of = by_lead(each for each in travelling.values() if each.id != each.lead)
            for group in gathered(self.DAILY, list(waiting.values()), of):
                sent = message(group)
                assert seen.setdefault(sent.id, sent) == sent
                for each in group:
                    waiting.pop(each.id, None)
                    travelling.pop(each.id, None)
                    if died:
                        (waiting if each.id == each.lead else travelling)[each.id] = each
        told = [item["event"] for sent in seen.values() for item in items(sent)]
        assert sorted(told) == list(range(1, len(dies) + 1))

    def test_together_they_are_sent_or_parked_and_tried_again(self):
        (parts,) = gathered(self.DAILY, [one(number=1), one(number=2)], {})
        done = noted(parts, Attempt(NOW, True, "HTTP 204"))
        assert [each.state for each in done] == [Way.SENT, Way.SENT]
        for _ in range(ATTEMPTS_AT_MOST - 1):
            (lead,) = noted(parts, Attempt(NOW, False, "HTTP 500"))
            assert (lead.state, lead.due > NOW) == (Way.WAITING, True)
            parts = [lead, *parts[1:]]
        parked = noted(parts, Attempt(NOW, False, "HTTP 500"))
        assert [each.state for each in parked] == [Way.PARKED, Way.PARKED]
        again = retried(parked, NOW + 5)
        assert [each.state for each in again] == [Way.WAITING, Way.GATHERED]
        assert (again[0].due, again[0].attempts) == (NOW + 5, ())


def items(sent):
    data = sent.body["data"]
    return data.get("items", [data])


@given(st.text(max_size=20), st.integers(1, ATTEMPTS_AT_MOST - 2))
def test_pauses_grow_and_are_bounded(id, failed):
    pause = retry_ms(id, failed)
    assert pause == retry_ms(id, failed)
    assert 5_000 <= pause <= 9 * HOUR
    assert retry_ms(id, failed + 1) > pause or pause >= 6 * HOUR


def test_retries_of_what_failed_together_are_spread():
    pauses = {retry_ms(f"ops-{n}", 1) // 100 for n in range(1_000)}
    assert len(pauses) == 25


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://example.com", "https://example.com"),
        ("https://example.com:8443/a/s3cret?token=s3cret", "https://example.com:8443/***"),
        ("HTTPS://me:s3cret@example.com?s3cret", "HTTPS://example.com/***"),
        ("slack://s3cret/s3cret", "slack://***"),
        ("mailto://me:s3cret@example.com?to=x", "mailto://***"),
        ("mqtt:", "mqtt:"),
        ("s3cret", "***"),
    ],
)
def test_secrets_in_urls_are_masked(url, shown):
    assert masked(url) == shown
    assert "s3cret" not in repr(OPS.model_copy(update={"url": url, "secret": "s3cret"}))
