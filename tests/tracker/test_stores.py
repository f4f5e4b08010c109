"""What every store must do: the ports' methods, one by one, on a real database."""

from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import replace
from datetime import date

import pytest

from tracker.access import ApiKey
from tracker.asset_ports import AssetFilter
from tracker.fold import Belief, Entry, Place
from tracker.leases import Agreement, End, Lease, Line, Partner
from tracker.letters import dead_letter
from tracker.model import Asset, Binding, Device, Quarantined
from tracker.news import LOCATED, RELOCATED
from tracker.places import Reader
from tracker.receipts import Hole, Progress, Span
from tracker.record import record
from tracker.registry import bind_device, register_asset, register_device
from tracker.rules import read_rules, shipped
from tracker.stores.postgresql import PostgresqlStore
from tracker.stores.sqlite import SqliteStore
from tracker.versions import Version
from tracker.whereabouts import Moment, Visit

STORES = ["sqlite", pytest.param("postgresql", marks=pytest.mark.system)]
AWHILE_S = 0.5
WITHIN_S = 30
AWKWARD = ["", "ü/+#", "O'Brien", '"', "%_", "\x7f", "漢字", "a" * 1000]


@pytest.fixture(params=STORES)
def open_store(request, tmp_path):
    """Opens the same database, new and empty at first, of each kind."""
    if request.param == "sqlite":
        return lambda: SqliteStore(tmp_path / "retour.db")
    url = request.getfixturevalue("new_postgresql")()
    return lambda: PostgresqlStore(url)


@pytest.fixture
def store(open_store):
    """A new, empty store of each kind."""
    made = open_store()
    yield made
    made.close()


@pytest.fixture
def twins(open_store):
    """Two stores on one database, like two processes."""
    made = [open_store() for _ in range(2)]
    yield made
    for one in made:
        one.close()


@pytest.fixture
def rows(make):
    """Observations of every kind, of two devices."""
    one = make.message(
        make.fix(make.NOW + 2), make.read(), make.sensor(), sent=make.NOW, seq=2**53 - 1
    )
    other = make.message(make.presence(make.NOW + 1), device="trk-2", seq=None)
    return [*one.observations, *other.observations]


class TestSnapshotsAndVisits:
    PLACE = Place(51.9, 1e-05, None, 1, "fix", "trk-1", "00", "z-dock")

    @pytest.fixture
    def asset(self, store):
        """An asset with a snapshot and a visit at each of the moments 1 to 4."""
        self.moments = [Moment(at, f"0{at}") for at in (1, 2, 3, 4)]
        known = [Belief("A1", m.at, *m, None, None) for m in self.moments]
        visits = [Visit("depot", 0, "seen", 0, 0, "left", m, m) for m in self.moments]
        with store.writing() as tx:
            tx.save_snapshots(known)
            tx.save_snapshots([known[0]._replace(asset="A2")])
            tx.add_visits([("A1", visit) for visit in visits])
        return "A1"

    def test_snapshots_are_read_from_a_moment_on(self, store, asset):
        with store.reading() as tx:
            later = [s.moment for s in tx.snapshots_from(asset, self.moments[1])]
        assert later == self.moments[1:]

    @pytest.mark.parametrize("first", [PLACE, None])
    def test_snapshots_are_shifted_after_a_moment(self, store, asset, first):
        with store.writing() as tx:
            before = tx.snapshots(asset)
            tx.shift_snapshots(asset, self.moments[0], 7, self.PLACE)
            tx.shift_snapshots(asset, self.moments[2], 1, first)
            after = tx.snapshots(asset)
        counts = [(1, None), (9, self.PLACE), (10, self.PLACE), (12, self.PLACE)]
        assert after == [
            s._replace(observations=n, first=place)
            for s, (n, place) in zip(before, counts, strict=True)
        ]
        with store.reading() as tx:
            assert tx.snapshots("A2")[0].observations == 1

    def test_what_lies_between_two_moments_is_forgotten(self, store, asset):
        first, _, third, last = self.moments
        with store.writing() as tx:
            tx.drop_snapshots(asset, first, third)
            tx.drop_visits(asset, first, third)
            assert [s.moment for s in tx.snapshots(asset)] == [first, last]
            assert [v.closed for v in tx.visits(asset)] == [first, last]
            assert [v.closed for v in tx.visits(asset, None, third)] == [first]
            tx.drop_visits(asset, first)
            assert [v.closed for v in tx.visits(asset)] == [first]


class TestRules:
    OWN = read_rules("rules: [{id: b, kind: shock}, {id: a, kind: overdue, ladder: [3 d]}]")

    def test_without_any_the_shipped_ones_are_in_force(self, store):
        with store.reading() as tx:
            assert (tx.rules(), tx.rules_revision()) == (shipped(), 0)

    def test_the_newest_are_in_force_as_they_were_given(self, twins):
        one, other = twins
        with one.writing() as tx:
            first = tx.put_rules(shipped(), 1)
            assert tx.put_rules(self.OWN, 2) > first
            assert tx.rules() == self.OWN
        with other.reading() as tx:
            assert tx.rules() == self.OWN
            assert tx.rules_revision() > first

    def test_they_are_no_process_and_no_place(self, store):
        with store.writing() as tx:
            before = tx.inference().revision
            tx.put_rules(self.OWN, 1)
            assert tx.inference().revision == before
        with store.reading() as tx:
            assert tx.inference().own == {}


class TestLeases:
    LINES = (
        Line("L1", "1", "A1", None, date(2026, 1, 5), date(2026, 2, 2), 10, 90),
        Line(
            "L1", "2", "A1", "box", date(2026, 1, 5), date(2026, 2, 2), 20, 90, End("swapped", 30)
        ),
    )
    LEASE = Lease("L1", "p1", ("s1", "s2"), "UTC", "s3", 0.5, True, ("p2",), LINES, {"ü": 1})

    def test_partners_and_leases_come_back_as_they_were(self, store):
        partner = Partner("p1", "Ü", "customer", ("s1",), 3)
        other = replace(self.LEASE, id="L2", customer="p2", lines=())
        with store.writing() as tx:
            tx.put_partner(replace(partner, name="old"))
            tx.put_partner(partner)
            for lease in (replace(self.LEASE, lines=self.LINES[:1]), other, self.LEASE):
                tx.put_lease(lease)
        with store.reading() as tx:
            assert tx.partners() == {"p1": partner}
            assert tx.lease("L1") == self.LEASE
            assert tx.lease("L9") is None
            assert tx.leases_by_id(["L2", "L9"]) == {"L2": other}
            assert tx.lines_of(["A1", "A2"]) == {"A1": [*self.LINES]}
            assert tx.leases("", 9) == [self.LEASE, other]
            assert tx.leases("L1", 9) == tx.leases("", 9, "p2") == [other]
            assert tx.leases("", 1) == [self.LEASE]

    def test_agreements_come_back_in_their_order(self, store):
        agreed = [Agreement("L1", n, "extended", 9, 10, "me", {"due": n}) for n in ("2", None, "1")]
        with store.writing() as tx:
            tx.agree(agreed)
            tx.agree([])
            tx.agree([agreed[0]._replace(lease="L2")])
        with store.reading() as tx:
            assert tx.agreements("L1") == agreed


class TestLog:
    def test_what_is_appended_comes_back_as_it_was(self, store, rows):
        with store.writing() as tx:
            assert tx.append(rows, 0).keys() == {row.key for row in rows}
        with store.reading() as tx:
            assert [tx.logged(row.key) for row in rows] == rows
            assert tx.logged(b"unknown") is None

    def test_only_what_is_new_is_appended(self, store, rows):
        with store.writing() as tx:
            tx.append(rows[:2], 0)
            assert tx.append(rows, 0).keys() == {row.key for row in rows[2:]}
            assert tx.append(rows, 0) == {}
            assert tx.append([], 0) == {}
        with store.reading() as tx:
            assert tx.counts()["log"] == len(rows)

    def test_the_first_content_of_a_key_stays(self, store, rows):
        with store.writing() as tx:
            tx.append(rows, 0)
            assert tx.append([rows[0]._replace(digest=b"other", at=0)], 0) == {}
        with store.reading() as tx:
            assert tx.logged(rows[0].key) == rows[0]

    def test_an_event_with_another_stamp_is_still_that_event(self, store, rows):
        other = rows[0]._replace(digest=b"other", stamp=rows[0].stamp + 60 * 86_400_000)
        with store.writing() as tx:
            tx.append(rows[:1], 0)
            assert tx.append([other, rows[1]], 0).keys() == {rows[1].key}
            assert tx.counts()["log"] == 2
            assert tx.digests([other.key]) == {other.key: rows[0].digest}

    def test_what_came_in_comes_back_in_that_order(self, store, rows):
        with store.writing() as tx:
            tx.append(rows[:1], 0)
            tx.append(rows[1:2], 0)
        with store.reading() as tx:
            (number, *first), (newest, *second) = tx.logged_after(0, 2**62, 10)
            assert [first, second] == [[row.key, row.subject, row.at] for row in rows[:2]]
            assert tx.logged_after(number, newest, 10) == [(newest, *second)]
            assert [row[0] for row in tx.logged_after(0, number, 10)] == [number]
            assert tx.newest()[0] == newest

    def test_digests_are_those_of_logged_keys(self, store, rows):
        with store.writing() as tx:
            tx.append(rows[:2], 0)
            digests = tx.digests(row.key for row in rows)
            assert digests == {row.key: row.digest for row in rows[:2]}
            assert tx.digests([]) == {}

    def test_rows_can_be_taken_back(self, store, rows):
        with store.writing() as tx:
            tx.append(rows, 0)
            tx.remove([rows[0].key])
            assert rows[0].key not in tx.digests([row.key for row in rows])
            assert tx.append(rows, 0).keys() == {rows[0].key}

    def test_a_great_batch_is_appended(self, store, make):
        rows = make.message(*[make.sensor() for _ in range(20_000)]).observations
        with store.writing() as tx:
            assert len(tx.append(rows, 0)) == len(rows)
            assert len(tx.digests(row.key for row in rows)) == len(rows)
            tx.remove(row.key for row in rows)
            assert tx.digests(row.key for row in rows) == {}

    def test_messages_are_counted_by_boot(self, store, make):
        messages = [
            make.message(make.fix(), make.sensor(), seq=0),
            make.message(make.fix(), seq=1),
            make.message(make.fix(), device="trk-2", seq=1),
            make.message(make.fix(), boot="b2"),
        ]
        with store.writing() as tx:
            tx.append([o for message in messages for o in message.observations], 0)
        with store.reading() as tx:
            assert tx.messages(["b1"]) == 3
            assert tx.messages(["b1", "b2"]) == 4
            assert tx.messages([]) == 0

    def test_a_natural_key_logged_twice_is_counted(self, store, rows):
        with store.writing() as tx:
            tx.append([*rows, rows[0]._replace(key=b"x"), rows[0]._replace(key=b"y")], 0)
        with store.reading() as tx:
            assert tx.duplicates() == 2


class TestHistory:
    @pytest.fixture
    def told(self, store, make):
        """A store where asset A1 had trk-1 until NOW + 3, and trk-2 from NOW + 2 on."""
        with store.writing() as tx:
            for asset in ("A1", "A2"):
                tx.put_asset(Asset(asset))
            tx.add_binding("trk-1", "A1", None, make.NOW + 3, 0)
            tx.add_binding("trk-2", "A1", make.NOW + 2, None, 0)
            for device in ("trk-1", "trk-2"):
                events = [make.fix(make.NOW + n) for n in (4, 3, 2, 1, 1)]
                tx.append(make.message(*events, device=device).observations, 0)
        return store

    def test_history_is_what_the_bindings_say_in_order(self, told, make):
        with told.writing() as tx:
            written = list(tx.history("A1"))
        with told.reading() as tx:
            assert list(tx.history("A1")) == written
            assert list(tx.history("A2")) == list(tx.history("nothing")) == []
        assert written == sorted(written, key=lambda row: (row.at, row.key))
        seen = {(row.device, row.at - make.NOW) for row in written}
        assert seen == {("trk-1", 1), ("trk-1", 2), ("trk-2", 2), ("trk-2", 3), ("trk-2", 4)}
        assert len(written) == 6

    @pytest.mark.parametrize(
        ("since", "until", "times"),
        [(None, None, [1, 1, 2, 2, 3, 4]), (2, None, [2, 2, 3, 4]), (2, 4, [2, 2, 3]), (5, 6, [])],
    )
    def test_history_from_a_time_up_to_but_not_at_another(self, told, make, since, until, times):
        with told.reading() as tx:
            found = tx.history("A1", since and make.NOW + since, until and make.NOW + until)
            assert [row.at - make.NOW for row in found] == times

    @pytest.mark.parametrize("size", [1, 2, 5, 6, 7])
    def test_history_in_pages_is_the_whole(self, told, size):
        with told.reading() as tx:
            whole, pages, after = list(tx.history("A1")), [], None
            while page := list(tx.history("A1", after=after, limit=size)):
                pages += page
                after = Moment(page[-1].at, page[-1].key.hex())
        assert pages == whole


class TestProgress:
    @pytest.mark.parametrize(
        "progress",
        [
            Progress(),
            Progress(5),
            Progress(2**53 - 1, (Hole(1, 2, 7), Hole(4, 4, 9)), (Span(6, 7),), 3),
        ],
    )
    def test_progress_comes_back_as_it_was(self, store, progress):
        boot = ("trk-1", "b1")
        with store.writing() as tx:
            assert tx.progress([boot]) == {}
            assert tx.progress([]) == {}
            tx.save_progress({boot: progress}, {boot: 1})
            assert tx.progress([boot, ("trk-1", "b2"), ("b1", "trk-1")]) == {boot: progress}
        with store.writing() as tx:
            assert tx.progress([boot]) == {boot: progress}
        with store.reading() as tx:
            assert list(tx.every_progress()) == [(boot, progress)]

    def test_the_newest_progress_stays(self, store):
        boot, other = ("trk-1", "b1"), ("x", "y")
        with store.writing() as tx:
            tx.save_progress({boot: Progress(1), other: Progress(9)}, {boot: 5, other: 1})
            tx.save_progress({boot: Progress(2)}, {boot: 4})
            tx.save_progress({}, {})
        with store.reading() as tx:
            assert dict(tx.every_progress()) == {boot: Progress(2), other: Progress(9)}
            assert tx.newest_reception() == 5

    def test_kept_are_the_numbers_logged_held_or_dead(self, store, make):
        logged, held = make.message(make.fix(), seq=3), make.message(make.fix(), seq=1)
        other = make.message(make.fix(), boot="b2", seq=9)
        letter = dead_letter("t", b"p", 0, "r", "d", device="trk-1", boot="b1", seq=2)
        with store.writing() as tx:
            tx.append([*logged.observations, *other.observations], 0)
            tx.quarantine([Quarantined(o, "why", "so") for o in held.observations])
            tx.dead_letter([letter])
        with store.reading() as tx:
            kept = {boot: list(seqs) for boot, seqs in tx.kept()}
        assert kept == {("trk-1", "b1"): [1, 2, 3], ("trk-1", "b2"): [9]}


class TestBeliefs:
    PLACE = Place(-0.0, 180.0, None, 7, "fix", "trk-1", "6b")

    def test_a_belief_comes_back_as_it_was(self, store):
        beliefs = [Belief("A1", 2, 7, "6b", self.PLACE, None), Belief("A2", 0, 0, "", None, None)]
        with store.writing() as tx:
            assert tx.beliefs(["A1"]) == {}
            tx.save_beliefs(beliefs, 3)
            tx.save_beliefs([], 9)
            assert tx.beliefs(["A1", "A2", "A3"]) == {b.asset: b for b in beliefs}
        with store.reading() as tx:
            assert sorted(tx.every_belief()) == beliefs
            assert tx.belief("A1") == beliefs[0]
            assert tx.belief("A3") is None
            assert (tx.revision("A1"), tx.revision("A3")) == (3, None)

    def test_a_belief_can_be_dropped(self, store):
        belief = Belief("A1", 2, 7, "6b", self.PLACE, None)
        with store.writing() as tx:
            tx.save_beliefs([belief], 0)
        with store.writing() as tx:
            assert tx.beliefs(["A1"]) == {"A1": belief}
            tx.drop_belief("A1")
            tx.drop_belief("A1")
            assert tx.beliefs(["A1"]) == {}
        with store.reading() as tx:
            assert tx.belief("A1") is None


class TestJournal:
    def test_lines_are_numbered_by_asset(self, store):
        with store.writing() as tx:
            assert tx.last_line("A1", "first place") is None
            one, other = (Entry(a, LOCATED, "first place", 1, {"lat": 1.0}) for a in ("A1", "A2"))
            tx.journal([one, other, one._replace(about="visit 7 6b")], 5)
            first = tx.last_line("A1", "first place")
            tx.journal([Entry("A1", RELOCATED, "first place", 0, {}, first)], 6)
            assert first < tx.last_line("A2", "first place") < tx.last_line("A1", "first place")
        with store.reading() as tx:
            assert tx.broken_links() == 0


class TestKeptAside:
    def test_a_dead_letter_comes_back_as_it_was_once(self, store):
        letters = [
            dead_letter("t", b"\x00\xff", 5, "not_json", "why"),
            dead_letter("t", b"", 6, "bad", "ü", device="d", boot="b", seq=2**53 - 1, event=0),
        ]
        with store.writing() as tx:
            tx.dead_letter(letters)
            tx.dead_letter(letters)
        with store.reading() as tx:
            page = tx.dead_letters(None, 10)
            assert [letter for _, letter in page] == letters[::-1]
            assert tx.dead_letters(page[0][0], 10) == page[1:]
            assert tx.dead_letters(None, 1) == page[:1]

    def test_what_is_held_back_comes_back_as_it_was_once(self, store, rows):
        held = [Quarantined(row, "why", "so") for row in rows]
        with store.writing() as tx:
            tx.quarantine(held)
            tx.quarantine([Quarantined(rows[0], "other", "reason")])
            assert tx.quarantined("trk-1", "why") == 3
            assert tx.quarantined("trk-1", "other") == 0
            assert tx.quarantine_of("trk-1", "why") == rows[:3]
            assert tx.held(rows[:1]) == {rows[0].key: rows[0].digest}
        with store.reading() as tx:
            page = tx.held_back(None, 10)
            assert [one for _, one in page] == held[::-1]
            assert tx.held_back(page[0][0], 10) == page[1:]

    def test_nothing_is_held_back_of_what_never_came(self, store, rows):
        with store.writing() as tx:
            assert tx.held(rows) == tx.held([]) == {}
            tx.quarantine([Quarantined(rows[0], "why", "so")])
            assert tx.held(rows) == {rows[0].key: rows[0].digest}

    def test_what_is_held_back_can_be_released(self, store, rows):
        with store.writing() as tx:
            tx.quarantine([Quarantined(row, "why", "so") for row in rows])
            tx.release([rows[0].key, rows[1].key])
            assert tx.quarantine_of("trk-1", "why") == rows[2:3]
            assert tx.held(rows).keys() == {row.key for row in rows[2:]}


class TestRegistry:
    def test_devices_come_back_as_they_were(self, store):
        devices = [
            Device("a", "tracker"),
            Device("b", "reader", first_received=7),
            Device("c", "tracker", True, None, "Truck 3", 3600.0, 30.0, "mains", 4),
        ]
        with store.writing() as tx:
            assert tx.devices(["a"]) == {}
            for device in devices:
                tx.put_device(device)
            assert tx.devices(["a", "b", "c", "d"]) == {d.id: d for d in devices}
        with store.reading() as tx:
            assert [status.device for status in tx.device_list("", 10)] == devices
            assert [status.device.id for status in tx.device_list("a", 1)] == ["b"]
            assert tx.device("d") is None

    def test_a_readers_place_comes_back_as_it_was(self, store, here):
        gate = Reader(device="b", place=here)
        with store.writing() as tx:
            assert tx.layout().readers() == {}
            revision = tx.add_place(Version(0, "reader", "b", None, None, 5, gate))
            assert tx.layout().readers() == {"b": gate}
        with store.reading() as tx:
            assert tx.layout().readers() == {"b": gate}
            assert tx.layout().revision == revision
            assert tx.layout(as_of=4).readers() == {}

    def test_the_first_reception_is_noted_once(self, store):
        with store.writing() as tx:
            tx.put_device(Device("a", "tracker"))
            tx.first_heard({"a": 7})
            assert tx.devices(["a"])["a"].first_received == 7
            tx.first_heard({"a": 5, "nobody": 5})
        with store.writing() as tx:
            assert tx.devices(["a"])["a"].first_received == 7

    def test_a_device_shows_its_boots_newest_first(self, store):
        with store.writing() as tx:
            tx.put_device(Device("a", "tracker"))
        with store.reading() as tx:
            assert tx.device("a")[1:] == (None, [], {})
        with store.writing() as tx:
            for received, boot in enumerate(["b2", "b3", "b1"]):
                tx.save_progress({("a", boot): Progress(received)}, {("a", boot): received})
        with store.reading() as tx:
            assert tx.device("a").last_received == 2
            assert tx.device("a").boots == [
                ("b1", Progress(2)),
                ("b3", Progress(1)),
                ("b2", Progress(0)),
            ]

    def test_assets_come_back_in_pages(self, store):
        assets = [Asset("A1"), Asset("A2", "trolley"), Asset("A3")]
        with store.writing() as tx:
            for asset in reversed(assets):
                tx.put_asset(asset)
            assert tx.asset("A2") == assets[1]
            assert tx.asset("A9") is None
        with store.reading() as tx:
            assert tx.asset("A2") == assets[1]
            assert tx.assets(AssetFilter(), "", 2) == assets[:2]
            assert tx.assets(AssetFilter(), "A2", 2) == assets[2:]

    def test_bindings_come_back_as_they_were(self, store):
        first, second, third = (
            Binding("A1", "s", 1, 2),
            Binding("A2", "s", 2),
            Binding("A2", "t", since=-5),
        )
        with store.writing() as tx:
            for asset in ("A1", "A2"):
                tx.put_asset(Asset(asset))
            assert list(tx.bindings(["s"]).get("s", [])) == []
            for binding in (second, first, third):
                tx.add_binding(binding.subject, binding.asset, binding.since, binding.until, 7)
            found = tx.bindings(["s", "t", "u"])
            assert (list(found["s"]), list(found["t"])) == ([first, second], [third])
        with store.reading() as tx:
            assert tx.bindings_of("A1") == [first]
            assert tx.bindings_of("A2") == [second, third]
            assert tx.bindings_of("A1", as_of=6) == []
            assert sorted(tx.bound_assets()) == ["A1", "A2"]

    def test_a_later_binding_stands_over_an_earlier_one(self, store):
        with store.writing() as tx:
            for asset in ("A1", "A2"):
                tx.put_asset(Asset(asset))
            tx.add_binding("s", "A1", None, None, 1)
            tx.add_binding("s", "A2", 10, 20, 2)
            tx.add_binding("s", None, 15, None, 3)
            left = [Binding("A1", "s", None, 10), Binding("A2", "s", 10, 15)]
            assert list(tx.bindings(["s"])["s"]) == left
        with store.reading() as tx:
            assert tx.bindings_of("A1", as_of=2) == [left[0], Binding("A1", "s", 20)]

    def test_a_binding_needs_its_asset(self, store):
        with pytest.raises(Exception, match=r"(?i)foreign key"), store.writing() as tx:
            tx.add_binding("s", "A9", None, None, 0)
        with store.reading() as tx:
            assert tx.bound_assets() == []

    @pytest.mark.parametrize("name", AWKWARD)
    def test_any_text_is_a_name(self, store, name):
        with store.writing() as tx:
            tx.put_device(Device(name, name))
            tx.put_asset(Asset(name, name))
            tx.add_binding(name, name, None, None, 0)
            tx.save_progress({(name, name): Progress(3)}, {(name, name): 1})
            tx.save_beliefs([Belief(name, 1, 1, "", None, None)], 0)
        with store.writing() as tx:
            assert tx.devices([name]).keys() == tx.beliefs([name]).keys() == {name}
            assert tx.progress([(name, name)]) == {(name, name): Progress(3)}
            assert len(tx.bindings([name])[name]) == 1


class TestOutbox:
    def test_messages_wait_in_order_until_they_are_sent(self, store):
        with store.writing() as tx:
            for n in range(4):
                tx.enqueue(f"t{n}", bytes([n]))
        with store.writing() as tx:
            waiting = tx.outbox(3)
            assert [(m.topic, m.payload) for m in waiting] == [
                ("t0", b"\x00"),
                ("t1", b"\x01"),
                ("t2", b"\x02"),
            ]
            tx.sent([waiting[0].id, waiting[2].id])
            tx.sent([])
            assert [m.topic for m in tx.outbox(9)] == ["t1", "t3"]
        with store.reading() as tx:
            assert tx.counts()["outbox"] == 2

    def test_what_waits_is_counted(self, store):
        with store.reading() as tx:
            assert tx.queues() == (0, None, 0, 0, 0)
        with store.writing() as tx:
            tx.enqueue("t0", b"")
            tx.enqueue("t1", b"")
            tx.mark_stale({"a1": 0, "a2": 5, "a3": 7})
            oldest = tx.outbox(1)[0].id
        with store.reading() as tx:
            assert tx.queues() == (2, oldest, 3, 0, 0)


class TestKeys:
    KEY = ApiKey("k1", "console", b"d" * 32, ("read", "write"), 5, expires=9, partner="acme")

    def test_a_key_is_found_by_its_digest(self, store):
        with store.writing() as tx:
            tx.add_key(self.KEY)
        with store.reading() as tx:
            assert tx.api_key(self.KEY.digest) == self.KEY
            assert tx.api_key(b"other") is None
            assert tx.api_keys() == [self.KEY]

    def test_a_key_is_revoked_once(self, store):
        with store.writing() as tx:
            tx.add_key(self.KEY)
            assert tx.revoke_key("k1", 7)
            assert not tx.revoke_key("k1", 8)
            assert not tx.revoke_key("k2", 8)
        with store.reading() as tx:
            assert tx.api_key(self.KEY.digest).revoked == 7


class TestTransactions:
    def test_an_exception_undoes_everything(self, store, rows):
        def write_and_fail():
            with store.writing() as tx:
                tx.append(rows, 0)
                tx.enqueue("t", b"p")
                raise KeyError("stop")

        with pytest.raises(KeyError, match="stop"):
            write_and_fail()
        with store.reading() as tx:
            assert set(tx.counts().values()) == {0}

    def test_a_reader_sees_one_state_throughout(self, twins, rows):
        writer, reader = twins
        with reader.reading() as tx:
            assert tx.counts()["log"] == 0
            with writer.writing() as other:
                other.append(rows, 0)
            assert tx.counts()["log"] == 0
        with reader.reading() as tx:
            assert tx.counts()["log"] == len(rows)

    def test_two_stores_see_what_the_other_has_committed(self, twins, make):
        """Whatever either remembers between its transactions."""
        one, other = twins
        for seq, store in enumerate([one, other, one, one, other, other, one]):
            with store.writing() as tx:
                register_device(tx, Device("trk-1", "tracker"), make.POLICY)
                register_asset(tx, Asset("A1"))
                bind_device(tx, "A1", "trk-1")
                message = make.message(make.fix(make.NOW + seq), seq=seq)
                recorded = record(tx, [message], [], make.POLICY)
                assert recorded.receipts[0][2:] == (seq, [])
                assert tx.beliefs(["A1"])["A1"].observations == seq + 1

    def test_what_is_remembered_is_what_the_other_has_written_last(self, twins):
        one, other = twins
        beliefs = [Belief("A1", n, n, "6b", None, None) for n in range(6)]
        for n, store in enumerate([one, one, other, one, other, other]):
            with store.recording() as tx:
                assert tx.beliefs(["A1"]) == ({"A1": beliefs[n - 1]} if n else {})
                tx.save_beliefs([beliefs[0]], 0)
                tx.save_beliefs([beliefs[n]], 0)
        with one.writing() as tx:
            tx.drop_belief("A1")
        with other.recording() as tx:
            assert tx.beliefs(["A1"]) == {}

    def test_of_two_contents_at_once_one_is_kept_and_one_is_a_dead_letter(self, twins, make):
        one, other = twins
        first, second = (make.message(make.fix(make.NOW - n)) for n in (1, 2))
        with one.writing() as tx:
            register_device(tx, Device("trk-1", "tracker"), make.POLICY)

        def contradict():
            with other.recording() as tx:
                return record(tx, [second], [], make.POLICY)

        with ThreadPoolExecutor(1) as thread:
            with one.recording() as tx:
                stored = record(tx, [first], [], make.POLICY)
                contradicted = thread.submit(contradict)
                wait([contradicted], AWHILE_S)  # as far as it comes
            refused = contradicted.result(WITHIN_S)
        assert (stored.stored, refused.stored, refused.dead_lettered) == (1, 0, 1)
        with one.reading() as tx:
            assert tx.logged(first.observations[0].key).at == make.NOW - 1
            assert tx.counts()["log"] == 1

    def test_lines_of_the_journal_appear_in_the_order_of_their_numbers(self, twins):
        one, other = twins
        line = Entry("A1", LOCATED, "first place", 7, {})

        def write():
            with other.recording() as tx:
                tx.journal([line._replace(asset="A2")], 0)

        with ThreadPoolExecutor(1) as thread:
            with one.recording() as tx:
                tx.journal([line], 0)
                written = thread.submit(write)
                wait([written], AWHILE_S)
                with other.reading() as reader:
                    assert reader.journal_after(0, 10) == []
            written.result(WITHIN_S)
        with one.reading() as tx:
            assert [line.entry.asset for line in tx.journal_after(0, 10)] == ["A1", "A2"]

    def test_what_one_store_holds_back_the_other_holds_back_too(self, twins, rows):
        one, other = twins
        with one.writing() as tx:
            assert tx.held(rows) == {}
        with other.writing() as tx:
            tx.quarantine([Quarantined(rows[0], "why", "so")])
        with one.writing() as tx:
            assert tx.held(rows) == {rows[0].key: rows[0].digest}

    def test_a_device_registered_elsewhere_is_known_at_once(self, twins, make):
        gateway, console = twins
        for seq, receipts in [(0, 0), (1, 1)]:
            with gateway.writing() as tx:
                recorded = record(tx, [make.message(make.fix(), seq=seq)], [], make.POLICY)
                assert len(recorded.receipts) == receipts
            with console.writing() as tx:
                register_device(tx, Device("trk-1", "tracker"), make.POLICY)
        with gateway.reading() as tx:
            assert tx.counts()["log"] == 2

    def test_what_is_stored_is_there_when_the_store_is_opened_again(self, tmp_path, store, rows):
        with store.writing() as tx:
            tx.append(rows, 0)
        store.close()
        with store.reading() as tx:
            assert tx.counts()["log"] == len(rows)
        with store.writing() as tx:
            assert tx.append(rows, 0) == {}
