"""The job that delivers alerts: a real store, real receivers."""

import threading
import time
from datetime import UTC, datetime, timedelta

import orjson
import pytest

from gateway.addresses import Guard, networks
from gateway.channels import Ways
from gateway.delivering import THREADS, Delivering
from tests.receivers import SECRET, Receiver, mail_sink
from tracker.alerts import Alert, Event, State
from tracker.clocks import SystemClock
from tracker.delivery_ports import Outcome
from tracker.notices import State as Way
from tracker.notices import queue
from tracker.ports import StoreUnavailable
from tracker.quiet import Quiet
from tracker.recipients import Digest, Recipient

LOCAL = networks("127.0.0.0/8")
ALERT = Alert("A1", "L1", "1", "overdue", 1, State.OPEN, "warning", 1, 0, 0, 0, 0)
WITHIN_S = 20


class AnyClock(SystemClock):
    """Real time; a test may let some pass."""

    ahead = 0

    def now(self):
        return self.wall() + type(self).ahead


@pytest.fixture
def clock():
    AnyClock.ahead = 0
    return AnyClock()


@pytest.fixture
def deliver(store, clock):
    """Starts jobs on the store; with channels that may reach this machine."""
    started = []

    def start(channels=None):
        job = Delivering(store, channels or Ways(Guard(LOCAL), clock), clock)
        started.append(job)
        return job

    yield start
    for job in started:
        job.close()


def known(store, *recipients):
    with store.writing() as tx:
        for one in recipients:
            tx.put_recipient(one)


def happen(store, count, now, alert=ALERT):
    """So many events of an alert; their numbers."""
    with store.writing() as tx:
        events = [Event(alert, "opened", now)] * count
        numbers = tx.add_alert_events(events, now)
        queue(tx, [*zip(numbers, events, strict=True)], {}, now)
    return numbers


def listed(store):
    with store.reading() as tx:
        return {one.id: one for one in tx.deliveries(None, 10_000)}


def run_until(job, done, within_s=WITHIN_S):
    """Give a job its turns until something is so."""
    deadline = time.monotonic() + within_s
    while not done():
        assert time.monotonic() < deadline
        time.sleep(min(job.turn(), 0.05))


def all_are(store, *states):
    return lambda: {one.state for one in listed(store).values()} <= {*states}


def hook(receiver, id="ops", **more):
    return Recipient(id=id, url=receiver.url, secret=SECRET, **more)


def test_without_recipients_there_is_nothing_to_do(store, deliver, clock):
    happen(store, 3, clock.now())
    job = deliver()
    assert job.turn() >= 1
    assert listed(store) == {}


def test_each_event_is_sent_once_and_noted(store, deliver, clock):
    with Receiver() as receiver:
        known(store, hook(receiver))
        numbers = happen(store, 250, clock.now())
        job = deliver()
        run_until(job, all_are(store, Way.SENT))
        job.turn()
    assert sorted(receiver.ids) == sorted(f"ops-{n}" for n in numbers)
    (attempt,) = listed(store)[receiver.ids[0]].attempts
    assert (attempt.ok, attempt.told) == (True, "HTTP 204")


def test_one_that_fails_is_tried_again_under_the_same_id_and_given_up_in_the_end(
    store, deliver, clock, monkeypatch
):
    monkeypatch.setattr("gateway.delivering.RESTS_S", (0,))
    monkeypatch.setattr("tracker.notices.ATTEMPTS_AT_MOST", 3)
    with Receiver(status=500) as receiver:
        known(store, hook(receiver))
        (number,) = happen(store, 1, clock.now())
        job = deliver()

        def done():
            AnyClock.ahead += 60_000
            return all_are(store, Way.PARKED)()

        run_until(job, done)
    # The clock leaps: what is being sent may come due meanwhile, and be sent twice.
    assert {*receiver.ids} == {f"ops-{number}"}
    one = listed(store)[f"ops-{number}"]
    assert [attempt.told for attempt in one.attempts] == ["HTTP 500"] * 3


@pytest.mark.parametrize(("severity", "waits"), [("warning", True), ("critical", False)])
def test_what_fails_before_quiet_hours_is_not_tried_again_in_them(
    store, deliver, clock, monkeypatch, severity, waits
):
    monkeypatch.setattr("tracker.notices.FIRST_RETRY_MS", 180_000)
    begin = datetime.fromtimestamp(clock.now() / 1_000 + 120, UTC)
    end = begin + timedelta(hours=6)
    quiet = Quiet(since=f"{begin:%H:%M}", until=f"{end:%H:%M}")
    with Receiver(status=500) as receiver:
        known(store, hook(receiver, quiet=quiet))
        happen(store, 1, clock.now(), ALERT._replace(severity=severity))
        job = deliver()
        run_until(job, lambda: [one for one in listed(store).values() if one.attempts])
    (one,) = listed(store).values()
    assert (one.due - clock.now() > 5 * 3_600_000) == waits
    assert (one.due in quiet) != waits


def test_a_slow_receiver_and_a_dead_one_delay_no_other(store, deliver, clock):
    """The slow ones answer when all others have been served, and not before."""
    others_are_served = threading.Event()

    def answer(handler):
        others_are_served.wait(WITHIN_S)
        Receiver.answer(slow, handler)

    with Receiver() as quick, Receiver(answer=answer) as slow:
        dead = Recipient(id="dead", url="http://127.0.0.1:9/", secret=SECRET)
        known(store, hook(quick, "quick"), hook(slow, "slow"), dead)
        happen(store, 120, clock.now())
        job = deliver()
        run_until(job, lambda: len(quick.got) == 120)
        assert len(slow.got) <= 2
        others_are_served.set()
        run_until(job, lambda: len(slow.got) == 120)
    assert {one.state for one in listed(store).values() if one.recipient == "dead"} == {Way.WAITING}


def test_many_slow_receivers_leave_their_threads_to_others(store, deliver, clock, monkeypatch):
    """More of them than there are threads: each gives its own back after one message."""
    monkeypatch.setattr("gateway.delivering.SEND_FOR_S", 0)

    class Channels(Ways):
        def send(self, recipient, message):
            time.sleep(0.05 if recipient.id.startswith("slow") else 0)
            sent.append(recipient.id)
            return Outcome(True, "sent")

    sent = []
    slow = [Recipient(id=f"slow-{n:02}", url="json://x") for n in range(2 * THREADS)]
    known(store, *slow, Recipient(id="zz-last", url="json://x"))
    happen(store, 20, clock.now())
    job = deliver(Channels(Guard(), clock))
    run_until(job, lambda: sent.count("zz-last") == 5)
    assert max(sent.count(one.id) for one in slow) <= 10


def test_a_digest_is_one_message(store, deliver, clock):
    with Receiver() as receiver:
        known(store, hook(receiver, digest=Digest(every="hourly")))
        numbers = happen(store, 3, clock.now())
        job = deliver()
        assert job.turn() >= 1
        AnyClock.ahead = 3_600_000
        run_until(job, all_are(store, Way.SENT))
    assert receiver.ids == [f"ops-{numbers[0]}"]
    items = receiver.got[0].body["data"]["items"]
    assert [item["event"] for item in items] == numbers


def test_a_digest_that_fails_comes_again_as_it_was(store, deliver, clock, monkeypatch):
    monkeypatch.setattr("gateway.delivering.RESTS_S", (0,))
    with Receiver(status=500) as receiver:
        known(store, hook(receiver, digest=Digest(every="hourly")))
        first = happen(store, 2, clock.now())
        AnyClock.ahead = 3_600_000
        job = deliver()
        run_until(job, lambda: len(receiver.got) == 1)
        second = happen(store, 2, clock.now() - 3_600_000)
        receiver.status = 204
        AnyClock.ahead += 60_000
        run_until(job, all_are(store, Way.SENT))
    told = {got.id: [item["event"] for item in got.body["data"]["items"]] for got in receiver.got}
    assert told == {f"ops-{first[0]}": first, f"ops-{second[0]}": second}


def test_who_is_not_enabled_any_more_is_sent_nothing(store, deliver, clock):
    with Receiver() as receiver:
        known(store, hook(receiver))
        happen(store, 1, clock.now())
        known(store, hook(receiver, enabled=False))
        job = deliver()
        assert [job.turn() for _ in range(3)] == [1.0] * 3
        known(store, hook(receiver))
        run_until(job, all_are(store, Way.SENT))


def test_what_goes_to_mqtt_is_left_in_the_outbox_by_rule(store, deliver, clock):
    known(store, Recipient(id="bus", url="mqtt:", digest=Digest(every="hourly")))
    numbers = happen(store, 2, clock.now())
    AnyClock.ahead = 3_600_000
    job = deliver()
    run_until(job, all_are(store, Way.SENT))
    with store.writing() as tx:
        waiting = tx.outbox(10)
    assert [one.topic for one in waiting] == ["retour/alerts/overdue"] * 2
    bodies = [orjson.loads(one.payload) for one in waiting]
    assert [body["id"] for body in bodies] == [f"bus-{n}" for n in numbers]
    assert bodies[0]["type"] == "alert.opened"


def test_mails_are_sent(store, deliver, clock):
    with mail_sink() as (port, mails):
        url = f"mailto://127.0.0.1:{port}?from=a@x.example&to=b@x.example&mode=insecure"
        known(store, Recipient(id="ops", url=url))
        happen(store, 1, clock.now())
        run_until(deliver(), all_are(store, Way.SENT))
    assert b"A1 is overdue" in mails[0]


def test_27_a_receiver_that_must_not_be_reached_is_told_nothing(store, deliver, clock):
    with Receiver() as receiver:
        known(store, hook(receiver))
        happen(store, 1, clock.now())
        job = deliver(Ways(Guard(), clock))
        run_until(job, lambda: all(one.attempts for one in listed(store).values()))
    (one,) = listed(store).values()
    assert (one.state, one.attempts[0].told) == (
        Way.WAITING,
        "127.0.0.1 is not a public address; see RETOUR_WEBHOOKS_ALLOW",
    )
    assert receiver.got == []


def test_a_channel_that_fails_is_a_failed_attempt(store, deliver, clock, logged):
    class Channels(Ways):
        def send(self, recipient, message):
            raise KeyError("s3cret")

    known(store, Recipient(id="ops", url="json://x"))
    happen(store, 1, clock.now())
    run_until(
        deliver(Channels(Guard(), clock)),
        lambda: all(one.attempts for one in listed(store).values()),
    )
    (one,) = listed(store).values()
    assert one.attempts[0].told == "Retour failed: KeyError"


def test_what_was_sent_is_noted_when_the_store_works_again(store, deliver, clock, monkeypatch):
    store_is_away = threading.Event()

    def answer(handler):
        store_is_away.wait(WITHIN_S)
        Receiver.answer(receiver, handler)

    def away():
        raise StoreUnavailable("away")

    def turns():
        for _ in range(1_000):
            job.turn()

    with Receiver(answer=answer) as receiver:
        known(store, hook(receiver))
        happen(store, 1, clock.now())
        job = deliver()
        job.turn()
        with monkeypatch.context() as patched:
            patched.setattr(store, "recording", away)
            store_is_away.set()
            with pytest.raises(StoreUnavailable):
                turns()
        run_until(job, all_are(store, Way.SENT))
    assert len(receiver.got) == 1


def test_closing_notes_what_was_sent(store, deliver, clock):
    with Receiver() as receiver:
        known(store, hook(receiver))
        happen(store, 1, clock.now())
        job = deliver()
        run_until(job, lambda: receiver.got)
        job.close()
    assert all_are(store, Way.SENT)()
