"""What every store must do with recipients and deliveries."""

import threading

import pytest

from tests.receivers import SECRET
from tests.tracker import test_stores
from tracker.alerts import Alert, Event, State
from tracker.notices import Attempt, deliveries, queue, retried
from tracker.notices import State as Way
from tracker.recipients import About, Digest, Filters, Quiet, Recipient

open_store, store, twins = test_stores.open_store, test_stores.store, test_stores.twins
NOW, MINUTE = 1_790_000_000_000, 60_000
ALERT = Alert("A1", "L1", "1", "overdue", 1, State.OPEN, "warning", 1, NOW, NOW, NOW, NOW)
OPS = Recipient(id="ops", url="https://example.com/hook", secret=SECRET)
ALL = Recipient(
    id="all",
    name="漢字 'O\"",
    url="mailto://me:pw@example.com",
    filters=Filters(rules=("overdue",), sites=("cust-1",)),
    digest=Digest(every="daily", hour=6, timezone="Europe/Amsterdam"),
    quiet=Quiet(since="22:00", until="07:00"),
    enabled=False,
    version=7,
)


def some(count, recipient=OPS, first=1, now=NOW):
    event = Event(ALERT, "opened", NOW)
    numbers = range(first, first + count)
    return [each for n in numbers for each in deliveries([recipient], n, event, About(), now)]


def given(store, *recipients, queued=()):
    with store.writing() as tx:
        for one in recipients:
            tx.put_recipient(one)
        tx.queue_deliveries(queued)


def ids(found):
    return [one.id for one in found]


class TestRecipients:
    def test_they_come_back_as_they_were_put(self, store):
        given(store, OPS, ALL)
        with store.reading() as tx:
            assert list(tx.recipients().items()) == [("all", ALL), ("ops", OPS)]

    def test_putting_one_again_changes_it(self, store):
        given(store, OPS)
        changed = OPS.model_copy(update={"url": "mqtt:", "version": 2})
        given(store, changed)
        with store.reading() as tx:
            assert tx.recipients() == {"ops": changed}

    def test_what_waits_goes_with_one_that_is_dropped_and_what_was_sent_stays(self, store):
        queued = [one._replace(state=way) for one, way in zip(some(4), Way, strict=True)]
        other = OPS.model_copy(update={"id": "other"})
        given(store, OPS, other, queued=[*queued, *some(1, other)])
        with store.writing() as tx:
            tx.drop_recipient("ops")
        with store.reading() as tx:
            assert list(tx.recipients()) == ["other"]
            assert ids(tx.deliveries(None, 9)) == ["other-1", "ops-3"]


class TestQueue:
    def test_deliveries_come_back_as_they_were_queued(self, store):
        (one,) = some(1)
        one = one._replace(
            attempts=(Attempt(NOW, False, "HTTP 500"), Attempt(NOW + 1, True, "ü'\"")),
            lead="ops-0",
            state=Way.GATHERED,
        )
        given(store, queued=[one])
        with store.reading() as tx:
            assert tx.delivery("ops-1") == one
            assert tx.delivery("ops-2") is None

    def test_one_that_was_queued_before_stays_as_it_is(self, store):
        given(store, OPS, queued=some(2))
        with store.writing() as tx:
            (sent, _) = tx.claim_deliveries("ops", NOW, NOW + MINUTE, 9)
            tx.save_deliveries([sent._replace(state=Way.SENT)])
        given(store, queued=some(3, now=NOW + 5))
        with store.reading() as tx:
            found = {one.id: one for one in tx.deliveries(None, 9)}
        assert [found[f"ops-{n}"].state for n in (1, 2, 3)] == [Way.SENT, Way.WAITING, Way.WAITING]
        assert found["ops-2"].queued == NOW

    def test_events_are_queued_in_the_transaction_that_makes_them_or_not_at_all(self, store):
        given(store, OPS)
        events = [Event(ALERT, "opened", NOW), Event(ALERT, "escalated", NOW)]

        def make(tx, fails=False):
            numbers = tx.add_alert_events(events, NOW)
            queue(tx, [*zip(numbers, events, strict=True)], {ALERT.id: About(site="x")}, NOW)
            if fails:
                raise RuntimeError("too late")

        with pytest.raises(RuntimeError, match="too late"), store.writing() as tx:
            make(tx, fails=True)
        with store.writing() as tx:
            assert tx.deliveries(None, 9) == []
            make(tx)
        with store.reading() as tx:
            numbers = [one.number for one in tx.alert_events(ALERT.id)]
            found = tx.deliveries(None, 9)
            assert sorted(one.event for one in found) == numbers
            assert {one.notice.data["site"] for one in found} == {"x"}

    def test_they_are_listed_newest_first_by_pages(self, store):
        other = OPS.model_copy(update={"id": "zzz"})
        queued = [*some(2), *some(2, first=3, now=NOW + 1), *some(1, other)]
        queued[1] = queued[1]._replace(state=Way.PARKED)
        given(store, queued=queued)
        with store.reading() as tx:
            listed = tx.deliveries(None, 9)
            assert ids(listed) == ["ops-4", "ops-3", "zzz-1", "ops-2", "ops-1"]
            for n, one in enumerate(listed):
                rest = tx.deliveries((one.queued, one.id), 2)
                assert rest == listed[n + 1 : n + 3]
            assert ids(tx.deliveries(None, 9, state="parked")) == ["ops-2"]
            assert ids(tx.deliveries(None, 9, recipient="zzz")) == ["zzz-1"]
            assert tx.deliveries(None, 9, "parked", "zzz") == []


class TestClaims:
    def test_what_is_due_is_claimed_and_not_due_again_before_its_time(self, store):
        late = some(1, first=3)[0]._replace(due=NOW + 1)
        soon = some(1, first=4)[0]._replace(due=NOW - 1)
        given(store, OPS, queued=[*some(2), late, soon])
        with store.writing() as tx:
            assert tx.due_recipients(NOW - 2) == []
            assert tx.due_recipients(NOW) == ["ops"]
            first = tx.claim_deliveries("ops", NOW, NOW + MINUTE, 2)
            assert ids(first) == ["ops-4", "ops-1"]
            assert {one.due for one in first} == {NOW + MINUTE}
            assert ids(tx.claim_deliveries("ops", NOW, NOW + MINUTE, 2)) == ["ops-2"]
            assert tx.claim_deliveries("ops", NOW, NOW + MINUTE, 2) == []
            assert tx.due_recipients(NOW) == []
        with store.writing() as tx:  # whoever claimed them has died
            again = tx.claim_deliveries("ops", NOW + MINUTE, NOW + 2 * MINUTE, 9)
            assert ids(again) == ["ops-3", "ops-1", "ops-2", "ops-4"]

    def test_nothing_is_due_for_who_is_not_known(self, store):
        given(store, queued=some(1))
        with store.reading() as tx:
            assert tx.delivery_backlog(NOW) == (1, NOW, 0)
        with store.writing() as tx:
            assert tx.due_recipients(NOW) == []

    def test_two_workers_claim_different_ones(self, twins):
        """The second one asks while the first has not committed; SQLite lets it wait."""
        given(twins[0], OPS, queued=some(4))
        asked, claimed = threading.Event(), {}

        def claim(n, store):
            with store.recording() as tx:
                claimed[n] = ids(tx.claim_deliveries("ops", NOW, NOW + MINUTE, 2))
                asked.set() if n else asked.wait(test_stores.AWHILE_S)

        threads = [threading.Thread(target=claim, args=pair) for pair in enumerate(twins)]
        for one in threads:
            one.start()
        for one in threads:
            one.join(test_stores.WITHIN_S)
            assert not one.is_alive()
        assert sorted(claimed[0] + claimed[1]) == ["ops-1", "ops-2", "ops-3", "ops-4"]

    def test_what_travels_together_is_found_by_its_lead(self, store):
        queued = some(4)
        with store.writing() as tx:
            tx.queue_deliveries(queued)
            gathered = [
                one._replace(lead="ops-1", state=Way.GATHERED if n else Way.WAITING)
                for n, one in enumerate(queued[:3])
            ]
            tx.save_deliveries(gathered)
            assert tx.travelling_with(["ops-1", "ops-4"]) == gathered[1:]
            assert tx.travelling_with([]) == []


class TestAttempts:
    def test_how_far_deliveries_are_is_stored(self, store):
        given(store, OPS, queued=some(2))
        with store.writing() as tx:
            one, other = tx.claim_deliveries("ops", NOW, NOW + MINUTE, 2)
            failed = one._replace(attempts=(Attempt(NOW, False, "HTTP 500"),), due=NOW + 5)
            parked = other._replace(state=Way.PARKED)
            tx.save_deliveries([failed, parked])
        with store.reading() as tx:
            assert [tx.delivery(id) for id in ("ops-1", "ops-2")] == [failed, parked]
            assert tx.delivery_backlog(NOW + 4) == (1, None, 1)
            assert tx.delivery_backlog(NOW + 5) == (1, NOW + 5, 1)
        with store.writing() as tx:
            tx.save_deliveries(retried([parked], NOW + 9))
            assert ids(tx.claim_deliveries("ops", NOW + 9, NOW + MINUTE, 9)) == ["ops-1", "ops-2"]

    def test_what_was_sent_stays_sent(self, store):
        """By one worker, while another one, whose claim it was before, could not."""
        given(store, OPS, queued=some(1))
        with store.writing() as tx:
            (one,) = tx.claim_deliveries("ops", NOW, NOW + MINUTE, 1)
            tx.save_deliveries([one._replace(state=Way.SENT)])
        with store.writing() as tx:
            tx.save_deliveries([one._replace(due=NOW)])
            assert tx.due_recipients(NOW + MINUTE) == []


class TestForgetting:
    def test_what_was_sent_long_ago_goes_and_what_is_still_to_be_sent_stays(self, store):
        old = [one._replace(state=way) for one, way in zip(some(4), Way, strict=True)]
        new = [one._replace(state=Way.SENT) for one in some(1, first=9, now=NOW + MINUTE)]
        given(store, queued=[*old, *new])
        with store.writing() as tx:
            assert tx.forget_deliveries(NOW, 9) == 0
            assert tx.forget_deliveries(NOW + MINUTE, 9) == 1
        with store.reading() as tx:
            assert {one.state for one in tx.deliveries(None, 9)[1:]} == {*Way} - {Way.SENT}
            assert ids(tx.deliveries(None, 9))[0] == "ops-9"

    def test_the_oldest_go_first_so_many_at_a_time(self, store):
        sent = [
            each._replace(state=Way.SENT)
            for n in (3, 1, 2)
            for each in some(1, first=n, now=NOW + n)
        ]
        given(store, queued=sent)
        with store.writing() as tx:
            assert tx.forget_deliveries(NOW + MINUTE, 2) == 2
        with store.reading() as tx:
            assert ids(tx.deliveries(None, 9)) == ["ops-3"]
