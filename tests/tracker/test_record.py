"""Recording a batch: every event is stored once, or kept aside with its reason."""

import pytest

from tracker.arrange import arrange
from tracker.letters import KEY_CONFLICT, dead_letter
from tracker.model import Asset, Device
from tracker.places import Reader
from tracker.record import STRANGER_HOLDS_AT_MOST, UNKNOWN_DEVICE, record
from tracker.registry import bind_device, register_asset, register_device
from tracker.stamps import DAY

MINUTE = 60_000
HOUR = 60 * MINUTE


def reasons(db):
    return [letter.reason for letter in db.dead()]


def receipts(recorded):
    return sorted((r.device, r.boot, r.seq, r.missing) for r in recorded.receipts)


class PowerCut(Exception):
    """Ends a transaction before its commit."""


class TestDuplicates:
    @pytest.mark.parametrize("batches", [[1, 1], [2], [3], [1, 2], [2, 2]])
    def test_a_message_that_comes_again_has_one_effect(self, known, make, batches):
        stored = 0
        for copies in batches:
            batch = [make.message(make.fix(), make.sensor()) for _ in range(copies)]
            recorded = known.record(*batch)
            stored += recorded.stored
            assert recorded.stored + recorded.duplicates == 2 * copies
        assert known.count("log") == known.belief().observations == stored == 2
        assert known.count("dead_letters") == 0

    def test_messages_are_values(self, known, make):
        """One object twice in a batch is a duplicate like two that are equal."""
        message = make.message(make.fix())
        known.record(message, message)
        assert known.count("log") == 1
        assert known.count("dead_letters") == 0

    def test_a_batch_of_duplicates_brings_its_receipt(self, known, make):
        message = make.message(make.fix())
        first = known.record(message)
        assert receipts(known.record(message)) == receipts(first) == [("trk-1", "b1", 0, [])]

    def test_another_time_of_sending_is_no_other_content(self, known, make):
        known.record(make.message(make.fix(), sent=make.NOW))
        known.record(make.message(make.fix(), sent=make.NOW + MINUTE, received=make.NOW + MINUTE))
        assert known.count("log") == 1
        assert reasons(known) == []

    def test_the_first_stored_copy_decides_on_the_correction(self, known, make):
        known.record(make.message(make.fix(), sent=make.NOW + MINUTE))
        again = make.message(make.fix(), sent=make.NOW, received=make.NOW + HOUR)
        known.record(again)
        (row,) = known.logged(again)
        assert row.at == make.NOW - MINUTE

    def test_a_repeated_presence_is_ignored(self, known, make):
        online = make.message(make.presence(), seq=None)
        known.record(online)
        recorded = known.record(make.message(make.presence(make.NOW + 5), seq=None))
        assert known.count("log") == 1
        assert recorded.receipts == reasons(known) == []


class TestConflicts:
    @pytest.mark.parametrize("together", [True, False])
    def test_another_content_under_one_number_is_a_dead_letter(self, known, make, together):
        first = make.message(make.fix(lat=50.0))
        other = make.message(make.fix(lat=51.0))
        if together:
            known.record(first, other)
        else:
            known.record(first)
            known.record(other)
        assert reasons(known) == [KEY_CONFLICT]
        assert known.logged(other) == known.logged(first) != []
        assert known.logged(first)[0].what.lat == 50.0

    @pytest.mark.parametrize("together", [True, False])
    def test_a_second_copy_may_bring_no_more_events_than_the_first(self, known, make, together):
        first = make.message(make.fix())
        longer = make.message(make.fix(), make.sensor())
        if together:
            known.record(first, longer)
        else:
            known.record(first)
            known.record(longer)
        assert reasons(known) == [KEY_CONFLICT]
        assert known.count("log") == 1
        assert known.belief().observations == 1

    @pytest.mark.parametrize("at", [None, 0], ids=["logged", "quarantined"])
    def test_only_what_differs_from_the_kept_copy_is_a_conflict(self, known, make, at):
        when = make.NOW if at is None else at
        known.record(make.message(make.fix(when, lat=50.0)))
        other, same = (make.message(make.fix(when, lat=lat)) for lat in (51.0, 50.0))
        recorded = known.record(other, same)
        assert reasons(known) == [KEY_CONFLICT]
        assert recorded.duplicates == recorded.dead_lettered == 1

    def test_a_conflict_brings_its_receipt(self, known, make):
        known.record(make.message(make.fix(lat=50.0)))
        recorded = known.record(make.message(make.fix(lat=51.0)))
        assert receipts(recorded) == [("trk-1", "b1", 0, [])]

    def test_a_redelivered_conflict_is_one_dead_letter(self, known, make):
        known.record(make.message(make.fix(lat=50.0)))
        other = make.message(make.fix(lat=51.0))
        known.record(other, make.message(make.fix(lat=51.0)))
        known.record(other)
        assert known.count("dead_letters") == 1

    def test_both_of_two_conflicting_kinds_are_told(self, known, make):
        known.record(make.message(make.fix(lat=50.0), make.sensor(temperature=1)))
        recorded = known.record(make.message(make.fix(lat=51.0), make.sensor(temperature=2)))
        assert known.count("dead_letters") == recorded.dead_lettered == 2

    def test_another_content_of_a_quarantined_event_is_not_lost(self, known, make):
        known.record(make.message(make.fix(0, lat=50.0)))
        known.record(make.message(make.fix(0, lat=51.0)))
        assert known.held()[0].observation.what.lat == 50.0
        assert reasons(known) == [KEY_CONFLICT]


class TestQuarantine:
    def test_a_doubted_event_advances_nothing_but_its_number(self, known, make):
        recorded = known.record(make.message(make.fix(make.NOW + HOUR), make.sensor()))
        assert known.count("log") == 1
        assert known.belief().first is None
        assert [held.reason for held in known.held()] == ["stamp_in_future"]
        assert receipts(recorded) == [("trk-1", "b1", 0, [])]

    @pytest.mark.parametrize("together", [True, False])
    def test_what_was_held_back_stays_so_when_it_comes_again(self, known, make, together):
        """The stamp has become plausible meanwhile; a person decides, not a second copy."""
        early = make.message(make.fix(make.NOW + HOUR))
        later = make.message(make.fix(make.NOW + HOUR), received=make.NOW + HOUR)
        if together:
            known.record(early, later)
        else:
            known.record(early)
            known.record(later)
        assert known.count("quarantine") == 1
        assert known.count("log") == 0
        assert known.belief() is None
        assert reasons(known) == []

    def test_what_was_held_back_stays_so_though_its_number_is_open(self, known, make, monkeypatch):
        """A number that would open too many holes is stored, and not accounted for."""
        monkeypatch.setattr("tracker.receipts.HOLES_AT_MOST", 0)
        known.record(make.message(make.fix(make.NOW + HOUR), seq=5))
        known.record(make.message(make.fix(make.NOW + HOUR), seq=5, received=make.NOW + HOUR))
        assert (known.count("quarantine"), known.count("log")) == (1, 0)

    def test_a_presence_is_held_back_or_logged_but_not_both(self, known, make):
        known.record(make.message(make.presence(make.NOW + HOUR), seq=None))
        again = make.message(make.presence(make.NOW + HOUR), seq=None, received=make.NOW + HOUR)
        known.record(again)
        assert (known.count("quarantine"), known.count("log")) == (1, 0)

    @pytest.mark.parametrize("together", [True, False])
    def test_what_is_stored_is_not_held_back_as_well(self, known, make, together):
        """The device's clock jumped ahead between the two copies."""
        good = make.message(make.fix(), sent=make.NOW)
        doubted = make.message(make.fix(), sent=make.NOW + 2 * HOUR)
        if together:
            known.record(good, doubted)
        else:
            known.record(good)
            known.record(doubted)
        assert known.count("log") == 1
        assert known.count("quarantine") == 0

    def test_history_counts_from_the_first_reception_within_one_batch_too(self, known, make):
        """400 days before the device's first message, told half a year later."""
        first = make.message(make.fix(), seq=0)
        told_late = make.message(
            make.fix(make.NOW - 399 * DAY), seq=1, received=make.NOW + 180 * DAY
        )
        known.record(first, told_late)
        assert known.count("quarantine") == 0

    def test_the_first_reception_is_the_earliest_of_its_batch(self, known, make):
        for_later = make.message(make.fix(), seq=1, received=make.NOW + MINUTE)
        known.record(for_later, make.message(make.fix(), seq=0))
        with known.store.reading() as tx:
            assert tx.device("trk-1").device.first_received == make.NOW


class TestStrangers:
    def test_what_an_unknown_device_sends_is_held_back_without_a_receipt(self, db, make):
        message = make.message(make.fix(), make.sensor(), device="new")
        assert db.record(message).receipts == []
        assert db.record(message).receipts == []
        assert [held.reason for held in db.held()] == [UNKNOWN_DEVICE] * 2
        assert db.progress("new") is None

    def test_an_unknown_device_beside_a_known_one_costs_that_nothing(self, known, make):
        recorded = known.record(make.message(make.fix(), device="new"), make.message(make.fix()))
        assert receipts(recorded) == [("trk-1", "b1", 0, [])]

    def test_an_unknown_device_is_held_back_up_to_a_number(self, db, make):
        half = STRANGER_HOLDS_AT_MOST // 2
        events = [make.sensor() for _ in range(half)]
        for seq in range(3):
            db.record(make.message(*events, device="new", seq=seq))
        db.record(make.message(make.fix(), device="other"))
        assert db.count("quarantine") == STRANGER_HOLDS_AT_MOST + 1

    def test_registration_adopts_what_was_held_back(self, db, make):
        messages = [make.message(make.fix(make.NOW + n), device="new", seq=n) for n in (0, 1, 3)]
        db.record(*messages)
        assert db.register("new", asset="A1") == 3
        assert db.count("quarantine") == 0
        assert db.count("log") == 3
        assert db.progress("new").receipt() == (3, [(2, 2)])
        assert db.belief().observations == 3
        (out,) = db.outbox()
        assert out.topic == "retour/v1/new/receipt"
        assert out.payload == b'{"boot":"b1","seq":3,"missing":[[2,2]]}'

    def test_registration_adopts_every_boot(self, db, make):
        for boot in ("b1", "b2"):
            db.record(make.message(make.fix(), device="new", boot=boot))
        db.record(make.message(make.presence(), device="new", seq=None))
        assert db.register("new") == 3
        payloads = {b'{"boot":"b1","seq":0,"missing":[]}', b'{"boot":"b2","seq":0,"missing":[]}'}
        assert {out.payload for out in db.outbox()} == payloads

    def test_adoption_takes_rows_under_a_number_that_is_accounted_for(self, db, make):
        """The first copy was cut short at the limit, say; nothing contradicts the second."""
        db.record(make.message(make.fix(), device="new"))
        db.record(make.message(make.fix(), make.sensor(), device="new", received=make.NOW + 1))
        assert db.register("new") == 2
        assert reasons(db) == []

    def test_adoption_holds_back_what_has_an_implausible_stamp(self, db, make):
        db.record(make.message(make.fix(0), make.fix(), device="new"))
        assert db.register("new") == 1
        assert [held.reason for held in db.held()] == ["stamp_too_old"]
        assert db.progress("new").covers(0)

    def test_adoption_corrects_a_clock_that_ran_ahead(self, db, make):
        message = make.message(make.fix(), device="new", sent=make.NOW + MINUTE)
        db.record(message)
        db.register("new")
        assert db.logged(message)[0].at == make.NOW - MINUTE

    def test_history_counts_from_the_first_message_that_was_held_back(self, db, make):
        db.record(make.message(make.fix(), device="new"))
        late = make.NOW + 180 * DAY
        db.record(make.message(make.fix(make.NOW - 399 * DAY), device="new", seq=1, received=late))
        assert db.register("new") == 2

    def test_a_copy_that_comes_after_the_adoption_is_a_duplicate(self, db, make):
        message = make.message(make.fix(), device="new")
        db.record(message)
        db.register("new")
        assert receipts(db.record(message)) == [("new", "b1", 0, [])]
        assert db.count("log") == 1


class TestReceipts:
    def test_every_boot_of_a_batch_has_one(self, known, make):
        known.register("trk-2")
        recorded = known.record(
            make.message(make.fix(), boot="b1", seq=0),
            make.message(make.fix(), boot="b2", seq=0),
            make.message(make.fix(), boot="b1", seq=1),
            make.message(make.fix(), boot="b1", seq=3),
            make.message(make.fix(), device="trk-2", boot="b1", seq=0),
        )
        assert receipts(recorded) == [
            ("trk-1", "b1", 3, [(2, 2)]),
            ("trk-1", "b2", 0, []),
            ("trk-2", "b1", 0, []),
        ]

    def test_first_passes_over_what_the_device_no_longer_holds(self, known, make):
        known.record(make.message(make.fix(), seq=0))
        recorded = known.record(make.message(make.fix(), seq=9, first=7))
        assert receipts(recorded) == [("trk-1", "b1", 9, [(7, 8)])]
        assert list(known.progress().lost) == [(1, 6)]

    def test_a_message_cannot_say_that_it_is_not_held_itself(self, known, make):
        """A receipt beyond it would make the device drop what has not come yet."""
        recorded = known.record(make.message(make.fix(), seq=3, first=2**40))
        assert [receipt.seq for receipt in recorded.receipts] == [3]

    def test_a_hole_is_passed_over_after_seven_days(self, known, make):
        known.record(make.message(make.fix(), seq=1))
        later = make.NOW + 7 * DAY + 1
        recorded = known.record(make.message(make.fix(later), seq=2, received=later))
        assert receipts(recorded) == [("trk-1", "b1", 2, [])]

    def test_a_late_number_out_of_a_lost_range_is_stored(self, known, make):
        known.record(make.message(make.fix(), seq=9, first=7))
        known.record(make.message(make.fix(make.NOW + 1), seq=3))
        assert known.count("log") == 2
        assert known.progress().covers(3)
        assert reasons(known) == []

    def test_a_presence_brings_none(self, known, make):
        assert known.record(make.message(make.presence(), seq=None)).receipts == []

    def test_a_format_without_numbers_brings_none(self, known, make):
        assert known.record(make.message(make.fix(), boot=None, seq=None)).receipts == []
        assert known.count("log") == 1


class TestRejects:
    def test_an_unreadable_event_is_a_dead_letter_and_its_neighbours_are_stored(self, known, make):
        recorded = known.record(make.message(make.fix(), make.sensor(), rejected=1))
        assert known.count("log") == 2
        (letter,) = known.dead()
        assert (letter.device, letter.boot, letter.seq, letter.event) == ("trk-1", "b1", 0, 2)
        assert receipts(recorded) == [("trk-1", "b1", 0, [])]

    def test_a_message_of_unreadable_events_is_accounted_for(self, known, make):
        recorded = known.record(make.message(rejected=3))
        assert known.count("dead_letters") == 3
        assert receipts(recorded) == [("trk-1", "b1", 0, [])]

    def test_a_redelivered_message_makes_no_second_dead_letter(self, known, make):
        message = make.message(rejected=1)
        known.record(message, make.message(rejected=1))
        known.record(message)
        assert known.count("dead_letters") == 1

    def test_a_message_sent_again_makes_no_second_dead_letter(self, known, make):
        """Its `sent` is another one; number and events are the same."""
        known.record(make.message(rejected=1, sent=make.NOW))
        known.record(make.message(rejected=1, sent=make.NOW + MINUTE))
        assert known.count("dead_letters") == 1

    def test_many_unreadable_events_keep_their_message_a_few_times_at_most(self, known, make):
        """Else one message of 256 KiB could write a gigabyte."""
        message = make.message(rejected=200)._replace(payload=b"x" * 10_000)
        known.record(message)
        assert sum(len(letter.payload) for letter in known.dead()) < 20 * len(message.payload)

    def test_letters_of_undecodable_messages_are_kept(self, known, make):
        letter = dead_letter("some/topic", b"\x00\xff", make.NOW, "not_json", "no JSON")
        known.record(make.message(make.fix()), letters=[letter])
        assert known.dead() == [letter]


class TestAllOrNothing:
    def test_an_exception_leaves_no_trace(self, known, make, here):
        known.record(make.message(make.fix(), seq=0))
        before = known.belief(), known.progress(), known.count("log")
        with pytest.raises(PowerCut):
            self._write_everything_and_fail(known, make, here)
        assert (known.belief(), known.progress(), known.count("log")) == before
        counts = [known.count(table) for table in ("dead_letters", "quarantine", "outbox")]
        assert counts == [0, 0, 0]
        with known.store.reading() as tx:
            assert tx.device("new") is None

    def test_an_exception_leaves_no_trace_in_what_the_store_remembers(self, known, make, here):
        """Afterwards all goes on as if the attempt had never been."""
        known.record(make.message(make.fix(), seq=0))
        with pytest.raises(PowerCut):
            self._write_everything_and_fail(known, make, here)
        again = known.record(
            make.message(make.fix(make.NOW + 9), seq=7), make.message(make.fix(), device="new")
        )
        assert receipts(again) == [("trk-1", "b1", 7, [(1, 6)])]
        assert known.belief().observations == 2
        assert [held.reason for held in known.held()] == [UNKNOWN_DEVICE]
        with known.store.writing() as tx:
            assert tx.asset("A2") is None
            assert tx.bindings(["new"])["new"] == []
            assert tx.layout().readers() == {}

    def _write_everything_and_fail(self, known, make, here):
        messages = [
            make.message(make.fix(make.NOW + 5), make.fix(0), seq=7, rejected=1),
            make.message(make.fix(), device="new"),
            make.message(make.fix(), device="stranger"),
        ]
        with known.store.writing() as tx:
            register_device(tx, Device("new", "reader"), make.POLICY)
            arrange(tx, Reader(device="new", place=here))
            register_asset(tx, Asset("A2"))
            bind_device(tx, "A2", "new")
            record(tx, messages, [], make.POLICY)
            tx.enqueue("topic", b"payload")
            assert tx.beliefs(["A1", "A2"]).keys() == {"A1", "A2"}
            raise PowerCut


def test_a_batch_of_nothing_is_fine(db):
    recorded = db.record()
    assert recorded.receipts == []
    assert (recorded.stored, recorded.duplicates, recorded.dead_lettered) == (0, 0, 0)


def test_a_device_was_last_heard_when_its_own_message_came(known, make):
    known.register("trk-2")
    known.record(
        make.message(make.fix()),
        make.message(make.fix(), device="trk-2", received=make.NOW + MINUTE),
    )
    with known.store.reading() as tx:
        assert tx.device("trk-1").last_received == make.NOW
        assert tx.device("trk-2").last_received == make.NOW + MINUTE


def test_an_older_message_does_not_set_back_when_a_device_was_last_heard(known, make):
    known.record(make.message(make.fix(), received=make.NOW + MINUTE))
    known.record(make.message(make.fix(), seq=1, received=make.NOW))
    with known.store.reading() as tx:
        assert tx.device("trk-1").last_received == make.NOW + MINUTE
