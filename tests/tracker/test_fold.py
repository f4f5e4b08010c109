"""Beliefs depend on the set of what is stored, never on how it came."""

from itertools import groupby

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tracker.fold import Belief, Place, decode, encode, fold, follows, place_of
from tracker.layout import EMPTY, Layout
from tracker.model import Asset, Device
from tracker.news import LOCATED, RELOCATED, Told, news
from tracker.places import Reader, Standing
from tracker.registry import bind_device, bind_tag, register_asset
from tracker.verify import verify
from tracker.versions import Version

NOW = 1_790_000_000_000
PLACES = [None, Standing(lat=51.0, lon=4.0, acc=5.0), Standing(lat=-33.5, lon=151.2, acc=10.0)]
WORLD = ["trk-1", "trk-2", "gate-1", "gate-2"]
TAGS = ["tag:AA", "tag:BB", "tag:CC"]  # the last one is bound to nothing
BOUNDARY = NOW + 3  # trk-2 moves from asset A1 to A2 then

# Few values, so that equal stamps, equal places and repeats are common.
times = st.integers(NOW, NOW + 6)
fixes = st.tuples(
    st.just("fix"), times, st.sampled_from([50.1, 50.2, -0.0, 0.0]), st.sampled_from([4.25, 180])
)
reads = st.tuples(st.just("read"), times, st.sampled_from(TAGS))
sensors = st.tuples(st.just("sensor"), times)
sent_messages = st.lists(
    st.tuples(st.sampled_from(WORLD), st.lists(fixes | reads | sensors, min_size=1, max_size=3)),
    min_size=1,
    max_size=14,
)


def build(make, contents):
    """Messages numbered by device, as the devices send them."""
    numbers = dict.fromkeys(WORLD, -1)
    messages = []
    for device, events in contents:
        numbers[device] += 1
        made = [getattr(make, name)(*args) for name, *args in events]
        messages.append(make.message(*made, device=device, seq=numbers[device]))
    return messages


def set_up(db):
    db.register("trk-1", asset="A1")
    db.register("trk-2", asset="A2")
    db.register("gate-1", place=PLACES[1])
    db.register("gate-2", place=PLACES[2])
    with db.store.writing() as tx:
        bind_tag(tx, "A1", TAGS[0])
        bind_tag(tx, "A2", TAGS[1])
        register_asset(tx, Asset("A3"))
        tx.put_device(Device("trk-3", "tracker"))
        bind_device(tx, "A3", "trk-3", until=BOUNDARY)
        bind_device(tx, "A2", "trk-3", since=BOUNDARY)
    return db


def beliefs(db):
    with db.store.reading() as tx:
        return {belief.asset: encode(belief) for belief in tx.every_belief()}


def from_nothing(db):
    with db.store.reading() as tx:
        folded = {
            asset: fold(None, tx.history(asset), tx.settings([asset])[asset]).belief
            for asset in tx.bound_assets()
        }
    return {asset: encode(belief) for asset, belief in folded.items() if belief}


@pytest.mark.thorough
@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(contents=sent_messages, data=st.data())
def test_any_shuffling_doubling_and_batching_ends_in_the_same_bits(
    new_database, make, contents, data
):
    messages, copies = build(make, contents), build(make, contents)
    arrival = data.draw(st.permutations(messages + copies[: data.draw(st.integers(0, 14))]))
    batches = data.draw(
        st.lists(st.integers(0, 5), min_size=len(arrival), max_size=len(arrival)).map(sorted)
    )
    in_order, shuffled = set_up(new_database()), set_up(new_database())
    in_order.record(*messages)
    for _, batch in groupby(zip(batches, arrival, strict=True), key=lambda pair: pair[0]):
        shuffled.record(*(message for _, message in batch))

    assert beliefs(shuffled) == beliefs(in_order) == from_nothing(in_order)
    for database in (in_order, shuffled):
        with database.store.reading() as tx:
            assert verify(tx).sound
        database.store.close()


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(stamps=st.lists(times, min_size=1, max_size=8), data=st.data())
def test_a_moved_tracker_tells_each_asset_of_its_own_time(new_database, make, stamps, data):
    db = set_up(new_database())
    for seq, at in data.draw(st.permutations(list(enumerate(stamps)))):
        db.record(make.message(make.fix(at), device="trk-3", seq=seq))

    before = [at for at in stamps if at < BOUNDARY]
    belief = db.belief("A3")
    assert (belief.observations if belief else 0) == len(before)
    other = db.belief("A2")
    assert (other.observations if other else 0) == len(stamps) - len(before)
    assert beliefs(db) == from_nothing(db)
    db.store.close()


def test_overlapping_bindings_of_one_asset_count_an_observation_once(known, make):
    with known.store.writing() as tx:
        tx.add_binding("trk-1", "A1", NOW - 1, None, 0)
    known.record(make.message(make.fix(NOW)))
    assert beliefs(known) == from_nothing(known)
    assert known.belief().observations == 1


def test_two_events_with_one_stamp_are_both_stored(known, make):
    known.record(make.message(make.fix(NOW, lat=50.0), make.fix(NOW, lat=51.0)))
    known.record(make.message(make.fix(NOW, lat=52.0), seq=1))
    assert known.belief().observations == 3


def test_a_late_observation_corrects_the_journal(known, make):
    known.record(make.message(make.fix(NOW + 10), seq=1))
    known.record(make.message(make.fix(NOW), seq=0))
    belief = known.belief()
    assert (belief.first.at, belief.last.at) == (NOW, NOW + 10)
    with known.store.reading() as tx:
        assert verify(tx).sound


def place(at=NOW, key="6b"):
    return Place(50.1, 4.2, 8.0, at, "fix", "trk-1", key)


def believed(first, last=None):
    return Belief("A1", 1, NOW, "6b", first, last or first)


@pytest.mark.parametrize(
    ("before", "after", "kind"),
    [
        (None, believed(None), None),
        (None, believed(place()), LOCATED),
        (believed(None), believed(place()), LOCATED),
        (believed(place()), believed(place(), place(NOW + 9)), None),
        (believed(place()), believed(place(NOW - 9)), RELOCATED),
        (believed(place()), believed(None), RELOCATED),
        (believed(place()), None, RELOCATED),
    ],
)
def test_a_first_place_is_news_and_another_one_a_correction(before, after, kind):
    told = news(Told(before, (), ()), Told(after, (), ()), "crate")
    assert [entry.kind for entry in told] == ([kind] if kind else [])


@pytest.mark.parametrize(
    ("at", "key", "comes_after"),
    [
        (NOW - 1, b"z", False),
        (NOW, b"j", False),
        (NOW, b"k", False),
        (NOW, b"l", True),
        (NOW + 1, b"a", True),
    ],
)
def test_the_order_is_by_event_time_then_key(make, at, key, comes_after):
    (row,) = make.message(make.fix(at)).observations
    assert follows(believed(place()), [row._replace(key=key)]) is comes_after


def test_a_read_places_its_tag_where_the_reader_stands(make, here):
    (row,) = make.message(make.read(), device="gate-1").observations
    gate = Reader(device="gate-1", place=here)
    layout = Layout([Version(1, "reader", "gate-1", None, None, 0, gate)])
    assert place_of(row, layout)[:3] == (here.lat, here.lon, here.acc)
    assert place_of(row, EMPTY) is None


@given(lat=st.floats(-90, 90), lon=st.floats(-180, 180), acc=st.none() | st.floats(0, 1e8))
def test_a_belief_survives_its_encoding_bit_for_bit(lat, lon, acc):
    belief = believed(Place(lat, lon, acc, NOW, "fix", "trk-1", "6b"))
    assert decode(encode(belief)) == belief
    assert encode(decode(encode(belief))) == encode(belief)
