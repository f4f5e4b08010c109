"""Assets are looked at when something is told of them or their time has come, on both stores."""

from datetime import date
from threading import Barrier, Thread

import orjson
import pytest

import tracker.watching
from gateway.decoders.native import decode_events
from gateway.watching import Watching
from tests.tracker import test_stores
from tracker.arrange import arrange
from tracker.audit import Act
from tracker.clocks import SystemClock
from tracker.facts import state
from tracker.govern import govern
from tracker.lease_ports import AlertFilter
from tracker.leases import HOUR_MS, End, Lease, Line, Partner
from tracker.model import Asset, Fact
from tracker.places import Site
from tracker.ports import StoreContended
from tracker.record import record
from tracker.registry import register_asset
from tracker.rules import read_rules
from tracker.watching import look_at_due

open_store = test_stores.open_store
DAY = 24 * HOUR_MS
WITHIN_S = 30


@pytest.fixture
def db(open_store, database_of, make):
    store = open_store()
    db = database_of(store)
    with store.writing() as tx:
        arrange(tx, Site(id="depot", kind="depot"))
        arrange(tx, Site(id="cust-1", kind="customer"))
        tx.put_partner(Partner("acme", sites=("cust-1",)))
        for n in range(3):
            register_asset(tx, Asset(f"A{n}", "pallet", initial_stage="in_use"))
            tx.put_lease(lease(f"A{n}", make.NOW))
        tx.set_timers({f"A{n}": make.NOW for n in range(3)})
    for n in range(3):
        tell(db, make, f"A{n}", "lease_started", make.NOW)
    yield db
    store.close()


def lease(asset, now):
    line = Line(f"L-{asset}", "1", asset, None, date(2026, 9, 1), date(2026, 9, 9), now, now + DAY)
    return Lease(f"L-{asset}", "acme", ("cust-1",), "UTC", grace_h=1, lines=(line,))


def tell(db, make, asset, kind, at, received=None):
    fact = Fact(asset, kind, id=f"{kind}-{asset}-{at}")
    db.do(state, [(fact, at)], make.POLICY, at if received is None else received)


def look(db, now, limit=100):
    looked, events = db.do(look_at_due, now, limit)
    return looked, [(one.alert.asset, one.alert.rule, one.kind) for one in events]


def test_what_time_makes_overdue_is_told_once(db, make):
    deadline = make.NOW + DAY + HOUR_MS
    assert look(db, make.NOW) == (3, [])
    assert look(db, deadline - 1) == (0, [])
    looked, told = look(db, deadline)
    assert (looked, told) == (3, [(f"A{n}", "overdue", "opened") for n in range(3)])
    assert look(db, deadline) == (0, [])
    with db.store.reading() as reader:
        found = reader.alerts(AlertFilter(("open",), "overdue"), (0, ""), 10)
        assert sorted(one.asset for one in found) == ["A0", "A1", "A2"]
        (event,) = reader.alert_events(found[0].id)
        assert (event.event.kind, event.event.alert) == ("opened", found[0])


def test_a_late_scan_is_looked_at_and_takes_it_back(db, make):
    deadline = make.NOW + DAY + HOUR_MS
    look(db, make.NOW)
    look(db, deadline)
    tell(db, make, "A1", "received", deadline - 5, received=deadline + 10)
    _, told = look(db, deadline + 10)
    assert told == [("A1", "overdue", "retracted")]
    with db.store.reading() as reader:
        (alert,) = reader.alerts_of(["A1"])["A1"]
        assert reader.alert(alert.id) == alert
        assert (alert.state, alert.resolution) == ("retracted", "was_on_time")


def test_a_return_before_the_deadline_ends_in_silence(db, make):
    look(db, make.NOW)
    tell(db, make, "A1", "received", make.NOW + DAY)
    look(db, make.NOW + DAY)
    _, told = look(db, make.NOW + DAY + HOUR_MS)
    assert [asset for asset, *_ in told] == ["A0", "A2"]


@pytest.mark.parametrize("cancelled", [(), ("B2",)])
def test_what_is_left_behind_is_told_though_nothing_is_heard_of_it(db, make, cancelled):
    dates, times = (date(2026, 9, 1), date(2026, 9, 9)), (make.NOW, make.NOW + 20 * DAY)
    assets = ("B0", "B1", "B2")
    lines = tuple(
        Line("L-B", asset, asset, None, *dates, *times, End("cancelled", make.NOW + 1))
        if asset in cancelled
        else Line("L-B", asset, asset, None, *dates, *times)
        for asset in assets
    )
    with db.store.writing() as tx:
        for asset in assets:
            register_asset(tx, Asset(asset, "pallet", initial_stage="in_use"))
        tx.put_lease(Lease("L-B", "acme", ("cust-1",), "UTC", grace_h=1, lines=lines))
    out = [asset for asset in assets if asset not in cancelled]
    for asset in out:
        tell(db, make, asset, "lease_started", make.NOW)
    look(db, make.NOW)
    back = make.NOW + HOUR_MS
    for asset in out[1:]:
        tell(db, make, asset, "received", back)
    told = [one for n in range(1, 49) for one in look(db, make.NOW + n * HOUR_MS)[1]]
    assert ("B0", "left_behind", "opened") in told
    (alert,) = db.ask(lambda reader: reader.alerts(AlertFilter((), "left_behind"), (0, ""), 9))
    assert (alert.since, alert.opened) == (back, back + DAY)


def test_two_workers_at_the_deadline_tell_it_once(db, open_store, make):
    """Fault 26, without the kill: both see the same timers."""
    deadline, told, start = make.NOW + DAY + HOUR_MS, [], Barrier(2)
    look(db, make.NOW)
    other = open_store()

    def work(store):
        start.wait(WITHIN_S)
        with store.recording() as tx:
            told.extend(look_at_due(tx, deadline, 100)[1])

    threads = [Thread(target=work, args=(store,)) for store in (db.store, other)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(WITHIN_S)
    other.close()
    assert sorted(event.alert.asset for event in told) == ["A0", "A1", "A2"]
    with db.store.reading() as reader:
        assert len(reader.alert_events_after(0, 100)) == 3


def test_what_fails_leaves_nothing_behind(db, make):
    look(db, make.NOW)
    deadline = make.NOW + DAY + HOUR_MS

    def fail(tx):
        look_at_due(tx, deadline, 100)
        raise KeyError("stop")

    with pytest.raises(KeyError, match="stop"):
        db.do(fail)
    with db.store.reading() as reader:
        assert reader.alerts(AlertFilter(), (0, ""), 10) == []
    assert len(look(db, deadline)[1]) == 3


def test_a_silent_asset_is_told_of_and_one_fix_ends_it(db, make):
    db.register("trk-1", asset="B1", rest_interval_s=3_600, moving_interval_s=600)
    db.record(make.message(make.fix(make.NOW), seq=0), recorded=make.NOW)
    assert look(db, make.NOW)[1] == []
    silent = make.NOW + 3 * HOUR_MS
    assert look(db, silent - 1)[1] == []
    assert look(db, silent)[1] == [("B1", "silence", "opened")]
    fix = make.message(make.fix(silent + 5), seq=1, received=silent + 5)
    db.record(fix, recorded=silent + 5)
    assert look(db, silent + HOUR_MS)[1] == [("B1", "silence", "resolved")]


def test_a_low_battery_is_told_once_for_the_asset(db, make):
    db.register("trk-1", asset="B1")
    low = [make.sensor(make.NOW + n, battery=0.1) for n in range(2)]
    fix = make.fix(make.NOW)
    db.record(make.message(fix, *low, seq=0), recorded=make.NOW)
    assert look(db, make.NOW)[1] == [("B1", "low_battery", "opened")]
    assert look(db, make.NOW + DAY)[1] == []


def test_a_hit_is_told_at_once_the_hardest_of_what_came_together(db, make):
    db.register("trk-1", asset="B1")
    db.record(make.message(make.fix(), seq=0), recorded=make.NOW)
    assert look(db, make.NOW)[1] == []
    hits = [make.sensor(make.NOW + n, shock=g) for n, g in enumerate((2.0, 31.5, 9.0))]
    db.record(make.message(*hits, seq=1), recorded=make.NOW + 5)
    assert look(db, make.NOW + 5)[1] == [("B1", "shock", "opened")]
    with db.store.reading() as reader:
        (alert,) = [one for one in reader.alerts_of(["B1"])["B1"] if one.rule == "shock"]
        assert reader.hits_of(["B1"]) == {}
    assert alert.why == {"device": "trk-1", "value": 31.5, "at": make.NOW + 1}
    assert look(db, make.NOW + 2_000) == (1, [])  # it is over at once
    assert ("B1", "shock", "resolved") in look(db, make.NOW + DAY + HOUR_MS)[1]


def test_what_is_no_shock_or_no_number_calls_nobody(db, make):
    db.register("trk-1", asset="B1")
    db.record(make.message(make.fix(), seq=0), recorded=make.NOW)
    look(db, make.NOW)
    odd = [make.sensor(make.NOW + n, shock=value) for n, value in enumerate((7.9, "hard", True))]
    db.record(make.message(*odd, seq=1), recorded=make.NOW + 5)
    assert look(db, make.NOW + 5) == (0, [])


def test_what_will_be_late_is_told_before_and_overdue_takes_its_place(db, make):
    ten = make.NOW + 10 * DAY
    line = Line("L-B1", "1", "B1", None, date(2026, 9, 1), date(2026, 9, 11), make.NOW, ten)
    with db.store.writing() as tx:
        register_asset(tx, Asset("B1", "pallet", initial_stage="in_use"))
        tx.put_lease(Lease("L-B1", "acme", ("cust-1",), "UTC", grace_h=1, lines=(line,)))
        tx.set_timers({"B1": make.NOW})
    tell(db, make, "B1", "lease_started", make.NOW)
    tell(db, make, "B1", "return_requested", make.NOW + 10)
    tell(db, make, "B1", "return_cancelled", make.NOW + 20)
    told = []
    deadline = ten + HOUR_MS
    for _ in range(200):
        with db.store.reading() as reader:
            now = reader.timers_of(["B1"]).get("B1", deadline + 1)
        if now > deadline:
            break
        told += [one for one in look(db, now)[1] if one[0] == "B1"]
    assert next(kind for _, rule, kind in told if rule == "late_forecast") == "opened"
    with db.store.reading() as reader:
        found = {one.rule: one for one in reader.alerts_of(["B1"])["B1"]}
    assert (found["late_forecast"].state, found["overdue"].state) == ("resolved", "open")
    assert found["late_forecast"].resolution == "fell due"
    assert found["late_forecast"].why["p"] >= 0.4


COLD = b"rules:\n  - {id: cold_chain, kind: temperature, at_least: 2, at_most: 8, hold: 15 min}\n"


def test_a_temperature_out_of_its_band_is_told_once_it_lasts(db, make):
    db.register("trk-1", asset="B1")
    db.do(govern, read_rules(COLD), Act("test", make.NOW, make.NOW))
    db.record(make.message(make.fix(), seq=0), recorded=make.NOW)
    look(db, make.NOW)

    def measure(minute, degrees):
        at = make.NOW + minute * 60_000
        row = make.sensor(at, temperature=degrees)
        db.record(make.message(row, seq=minute, received=at), recorded=at)
        return look(db, at)[1]

    assert measure(1, 5.0) == []
    assert measure(2, 9.5) == []
    assert measure(10, 4.0) == []
    assert look(db, make.NOW + 17 * 60_000)[1] == []  # it was right again meanwhile
    assert measure(20, 11.0) == []
    assert look(db, make.NOW + 35 * 60_000)[1] == [("B1", "cold_chain", "opened")]
    assert measure(40, 6.0) == []
    assert look(db, make.NOW + 50 * 60_000)[1] == [("B1", "cold_chain", "resolved")]


def test_the_clock_of_a_recording_is_its_own(db, make):
    """A replay of years ago is no reason to look without end."""
    years = 10 * 365 * DAY
    db.register("trk-1", asset="B1", recording=True, rest_interval_s=3_600)
    db.record(make.message(make.fix(make.NOW - years)), recorded=make.NOW)
    looked, told = look(db, make.NOW)
    assert (looked, told) == (4, [])
    assert look(db, make.NOW + 60_000) == (0, [])


def scanned(asset, at):
    """A scanner's message that the lease of an asset has ended."""
    fact = {"id": f"end-{asset}", "asset": asset, "kind": "lease_ended"}
    payload = {"boot": "b1", "seq": 0, "events": [{"at": at, "fact": fact}]}
    return decode_events(f"retour/v1/scan-{asset}/events", orjson.dumps(payload), at)


def test_a_scanner_closes_the_line_of_a_lease_and_what_was_overdue_is_over(db, make):
    deadline = make.NOW + DAY + HOUR_MS
    look(db, make.NOW)
    look(db, deadline)
    db.register("scan-A1")
    for _ in range(2):  # a copy of it changes nothing
        db.record(scanned("A1", deadline + 5), recorded=deadline + 9)
    with db.store.reading() as reader:
        (line,) = reader.lines_of(["A1"])["A1"]
        assert line.ended == End("returned", deadline + 5)
        assert len(reader.agreements("L-A1")) == 1
    assert look(db, deadline + 10)[1] == [("A1", "overdue", "resolved")]


def test_two_gateways_close_two_lines_of_a_lease_at_once(db, open_store, make):
    lines = [
        Line("L-X", str(n), f"X{n}", None, date(2026, 9, 1), date(2026, 9, 9), make.NOW, make.NOW)
        for n in range(2)
    ]
    with db.store.writing() as tx:
        tx.put_lease(Lease("L-X", "acme", ("cust-1",), "UTC", lines=tuple(lines)))
        for n in range(2):
            register_asset(tx, Asset(f"X{n}", "pallet", initial_stage="in_use"))
    for n in range(2):
        db.register(f"scan-X{n}")
    other, start, failed = open_store(), Barrier(2), []

    def work(store, asset):
        start.wait(WITHIN_S)
        try:
            with store.recording() as tx:
                record(tx, [scanned(asset, make.NOW + 5)], [], make.POLICY)
        except StoreContended as error:
            failed.append(error)

    stores = (db.store, other)
    threads = [Thread(target=work, args=(s, f"X{n}")) for n, s in enumerate(stores)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(WITHIN_S)
    other.close()
    assert failed == []
    with db.store.reading() as reader:
        lease = reader.lease("L-X")
    assert [line.ended is not None for line in lease.lines] == [True, True]
    assert lease.version == 3


def test_an_asset_that_cannot_be_looked_at_keeps_no_other_from_it(db, make, monkeypatch):
    deadline, whole = make.NOW + DAY + HOUR_MS, tracker.watching.assess

    def assess(asset, *about):
        if asset == "A1" and is_broken:
            raise ValueError("no such thing")
        return whole(asset, *about)

    class At(SystemClock):
        def now(self):
            return now

    job = Watching(db.store, At())
    monkeypatch.setattr("tracker.watching.assess", assess)
    is_broken, now = True, deadline
    job.turn()
    told = db.ask(lambda reader: reader.alerts(AlertFilter(("open",), "overdue"), (0, ""), 9))
    assert sorted(one.asset for one in told) == ["A0", "A2"]
    assert job.health() == ("asset A1 cannot be looked at for alerts: ValueError('no such thing')",)
    is_broken, now = False, deadline + HOUR_MS
    job.turn()
    told = db.ask(lambda reader: reader.alerts(AlertFilter(("open",), "overdue"), (0, ""), 9))
    assert (len(told), job.health()) == (3, ())
