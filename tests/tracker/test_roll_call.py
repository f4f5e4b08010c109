"""When readers were down: found from their wills and signs of life, and what it changes."""

from itertools import permutations

import pytest

from tracker import alert_book
from tracker.arrange import arrange
from tracker.audit import Act
from tracker.case import Roles
from tracker.fold import encode
from tracker.govern import govern
from tracker.model import Asset
from tracker.outages import Outages
from tracker.places import Reader, Site, Zone
from tracker.reader_watch import look_at_readers, readers_to_look_at
from tracker.registry import bind_tag, register_asset
from tracker.roll_call import call_roll
from tracker.rules import read_rules
from tracker.stores.postgresql import PostgresqlStore
from tracker.stores.sqlite import SqliteStore
from tracker.verify import verify

STORES = ["sqlite", pytest.param("postgresql", marks=pytest.mark.system)]
HOUR = 3_600_000
READER = "rdr-1"
OTHER = "rdr-2"


def set_up(db, make):
    """An asset in the depot, whose bench has a reader that takes stock twice an hour."""
    db.register(READER)
    db.register(OTHER)
    with db.store.writing() as tx:
        register_asset(tx, Asset("A1", "pallet", initial_stage="received"))
        bind_tag(tx, "A1", make.TAG)
        arrange(tx, Site(id="depot", kind="depot"))
        arrange(tx, Zone(id="dock", site="depot", stage="received"))
        arrange(tx, Zone(id="bench", site="depot", stage="inspection", adjacent=["dock"]))
        arrange(tx, Reader(device=READER, zone="bench", cycle_s=1800, miss=0.2, stray=0.1))
        arrange(tx, Reader(device=OTHER, zone="dock", cycle_s=1800, miss=0.2, stray=0.1))
    call(db)
    return db


@pytest.fixture(params=STORES)
def db(request, tmp_path, database_of, make):
    if request.param == "sqlite":
        store = SqliteStore(tmp_path / "retour.db")
    else:
        store = PostgresqlStore(request.getfixturevalue("new_postgresql")())
    yield set_up(database_of(store), make)
    store.close()


def message(make, event, device=READER, seq=0):
    """A message of one event, of which nothing is in doubt."""
    return make.message(event, device=device, seq=seq, received=at(make, 10))


def messages(make, *events, device=READER):
    """Each event as a message of its own."""
    return [message(make, one, device, n) for n, one in enumerate(events)]


def call(db, recorded=0):
    return db.do(call_roll, recorded)


def spells(db, device=READER):
    outages = db.ask(lambda reader: reader.outages())
    return [spell[:2] for spell in outages.of(device) if spell.value]


def at(make, hours):
    return make.NOW + round(hours * HOUR)


def test_a_reader_is_down_from_its_last_sign_before_the_will_to_its_next(db, make):
    read, last, will, back = (at(make, h) for h in (0, 0.5, 1.4, 9))
    events = (make.read(read), make.read(last), make.presence(will, False))
    db.record(*messages(make, *events, make.presence(back)))
    assert spells(db) == []
    call(db)
    assert spells(db) == [(last, back)]


def test_what_is_uploaded_late_was_heard(db, make):
    reads, will = [make.read(at(make, h)) for h in (0, 9)], make.presence(at(make, 1), False)
    db.record(*messages(make, *reads, will), message(make, make.presence(at(make, 9.5)), seq=3))
    call(db)
    assert spells(db) == [(at(make, 0), at(make, 9))]
    for n, h in enumerate((5, 3, 4), 10):
        db.record(message(make, make.read(at(make, h)), seq=n))
        call(db)
    assert spells(db) == [(at(make, 0), at(make, 3)), (at(make, 5), at(make, 9))]
    assert db.ask(lambda reader: reader.suspects()) == {}


def test_who_is_still_sending_what_it_kept_is_not_back(db, make):
    """Else its silence, up to now, would speak against all that it is about to tell of."""
    read, will = make.read(at(make, 0)), make.presence(at(make, 0.4), False)
    db.record(*messages(make, read, will, make.read(at(make, 0.9))))
    call(db)
    assert spells(db) == [(at(make, 0.9), None)]


def test_who_tells_something_at_once_is_back(db, make):
    read, will = make.read(at(make, 0)), make.presence(at(make, 1), False)
    live = make.message(make.read(at(make, 4)), device=READER, seq=2, received=at(make, 4) + 50)
    db.record(*messages(make, read, will), live)
    call(db)
    assert spells(db) == [(at(make, 0), at(make, 4))]


def test_what_is_shorter_than_two_inventories_is_no_outage(db, make):
    events = [make.read(at(make, h)) for h in (0, 0.5, 1.4)]
    events += [make.presence(at(make, h), False, conn=h) for h in (0.7, 1.5)]
    events += [make.presence(at(make, h), True, conn=h) for h in (1.2, 2.2)]
    db.record(*messages(make, *events))
    call(db)
    assert spells(db) == []
    assert call(db) == []


def test_the_silence_of_a_reader_that_is_down_says_nothing(db, make):
    db.record(*messages(make, make.read(at(make, 0)), make.presence(at(make, 0.6), False)))
    call(db)
    assert db.ask(heard_on_the_bench) == (1.8, 0.2)  # the dock's reader hears strays


def heard_on_the_bench(reader):
    """How many marks an hour an asset makes there, before an outage and in it."""
    case, evidence = reader.settings(["A1"])["A1"]
    since = case.outages.of(READER)[0].since
    chain, roles = evidence.chain, Roles(depot="depot")
    state = chain.starts[chain.number["inspection"]]
    profiles = (evidence.profile(case, roles, t) for t in (since - 1, since))
    return tuple(float(profile.rates[state]) for profile in profiles)


def test_what_was_stepped_across_an_outage_is_folded_again(db, make):
    db.record(*messages(make, make.read(at(make, 0))))
    later = message(make, make.read(at(make, 8)), device=OTHER, seq=0)
    db.record(later)
    heard = encode(db.belief())
    db.record(message(make, make.presence(at(make, 1), False), device=READER, seq=1))
    assert call(db) == ["A1"]
    assert db.stale() == {"A1"}
    db.refresh()
    assert encode(db.belief()) != heard
    assert db.ask(verify).sound


def test_what_was_never_heard_before_its_will_was_down_all_along(db, make):
    db.record(message(make, make.presence(at(make, 1), False), seq=1))
    call(db)
    assert spells(db) == [(None, None)]
    db.record(message(make, make.read(at(make, 0))))
    call(db)
    assert spells(db) == [(at(make, 0), None)]


def test_who_was_not_stepped_across_an_outage_stays_as_it_is(db, make):
    db.record(*messages(make, make.read(at(make, 0)), make.presence(at(make, 1), False)))
    db.record(message(make, make.presence(at(make, 5)), device=READER, seq=2))
    before = encode(db.belief())
    call(db)
    db.refresh()
    assert encode(db.belief()) == before


def test_in_any_order_the_outages_and_the_beliefs_are_the_same(new_database, make):
    told = messages(
        make,
        make.read(at(make, 0)),
        make.presence(at(make, 1), False),
        make.read(at(make, 5)),
        make.presence(at(make, 5.1), False),
        device=READER,
    )
    told.append(message(make, make.read(at(make, 7)), device=OTHER, seq=0))
    ends = set()
    for n, order in enumerate(permutations(told)):
        db = set_up(new_database(), make)
        for k, one in enumerate(order):
            db.record(one)
            if (n >> k) & 1:
                call(db)
        call(db)
        db.refresh()
        ends.add((*spells(db), encode(db.belief())))
        db.store.close()
    assert len(ends) == 1


def test_what_was_known_of_outages_then_can_still_be_told(db, make):
    db.record(
        *messages(make, make.read(at(make, 0)), make.presence(at(make, 1), False)), recorded=1
    )
    call(db, 2)
    db.record(message(make, make.presence(at(make, 5)), device=READER, seq=2), recorded=3)
    call(db, 4)
    then = db.ask(lambda reader: reader.outages(as_of=3))
    assert [tuple(spell) for spell in then.of(READER)] == [(at(make, 0), None, True)]
    assert not db.ask(lambda reader: reader.outages(as_of=1))


def test_who_becomes_a_reader_had_outages_before(db, make):
    db.register("rdr-3")
    told = (make.sensor(at(make, 0)), make.presence(at(make, 1), False), make.presence(at(make, 3)))
    db.record(*messages(make, *told, device="rdr-3"))
    assert call(db) == []
    db.do(arrange, Reader(device="rdr-3", zone="dock"))
    call(db)
    assert spells(db, "rdr-3") == [(at(make, 0), at(make, 3))]


def test_readers_that_are_not_down_are_none_of_its_business():
    none = Outages()
    assert not none
    assert not none.down("rdr-1", 0)
    assert none.times(("rdr-1",)) == []


def test_a_reader_that_is_away_is_one_alert_until_it_is_back(db, make):
    came = [make.read(at(make, 0)), make.presence(at(make, 0.2), online=False)]
    db.record(*messages(make, *came))
    call(db)

    def look(hour):
        now = at(make, hour)
        with db.store.recording() as tx:
            events = look_at_readers(tx, readers_to_look_at(tx, now), now)
        return [(one.kind, one.alert.asset, one.alert.rule) for one in events]

    assert look(0.1) == []
    assert look(0.3) == [("opened", READER, "reader_down")]
    assert look(5) == []
    back = at(make, 5.1)
    db.record(make.message(make.read(back), device=READER, seq=9, received=back + 50))
    call(db)
    assert look(5.2) == [("resolved", READER, "reader_down")]
    assert look(6) == []
    with db.store.reading() as reader:
        assert readers_to_look_at(reader, at(make, 6)) == []
        (alert,) = reader.alerts_of([READER])[READER]
    assert (alert.severity, alert.why, alert.since) == (
        "serious",
        {"reader": READER},
        at(make, 0),
    )
    with db.store.reading() as reader:
        assert verify(reader).sound


def test_who_is_away_again_is_told_though_somebody_resolved_the_first_time(db, make):
    """Nobody looks at a reader that is there and of which no alert is open."""

    def look(hour):
        now = at(make, hour)
        with db.store.recording() as tx:
            events = look_at_readers(tx, readers_to_look_at(tx, now), now)
        return [(one.kind, one.alert.episode) for one in events]

    went = [make.read(at(make, 0)), make.presence(at(make, 0.2), online=False)]
    db.record(*messages(make, *went))
    call(db)
    assert look(0.3) == [("opened", 1)]
    with db.store.reading() as reader:
        (alert,) = reader.alerts_of([READER])[READER]
    db.do(alert_book.resolve, alert.id, None, Act("ann", at(make, 1), 0))
    assert look(2) == []
    came = [make.presence(at(make, 5), conn=2), make.read(at(make, 5.5))]
    gone = make.presence(at(make, 6), online=False, conn=2)
    for seq, one in enumerate((*came, gone), 8):
        db.record(message(make, one, seq=seq))
    call(db)
    assert look(6.2) == [("reopened", 1)]
    db.do(govern, read_rules("rules: [{id: gone, kind: reader_down}]"), Act("ann", at(make, 7), 0))
    with db.store.reading() as reader:
        (alert,) = reader.alerts_of([READER])[READER]
    assert (alert.state, alert.resolution) == ("resolved", "no longer asked for")
    assert look(7) == [("opened", 1)]
