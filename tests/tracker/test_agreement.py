"""Whatever comes when, and whatever is set up when: beliefs, visits, snapshots and journal agree
with the log and the configuration, as if all had been known from the beginning."""

from itertools import groupby

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tracker.arrange import arrange, give_up
from tracker.audit import Act
from tracker.fold import encode
from tracker.model import Asset, Binding, Device
from tracker.news import BY_TIME, about
from tracker.places import Circle, Polygon, Reader, Site, Standing, Zone
from tracker.queries import asset_status
from tracker.record import record
from tracker.refold import from_nothing, refresh_some
from tracker.registry import (
    Conflict,
    Unregistered,
    bind,
    register_asset,
    register_device,
    unbind,
)
from tracker.roll_call import call_roll
from tracker.stamps import StampPolicy
from tracker.verify import verify
from tracker.whereabouts import Visit

NOW = 1_790_000_000_000
RECEIVED = NOW + 4 * 86_400_000
M = 1 / 111_195  # a metre of latitude, degrees
LAT, LON = 51.92, 4.48
ASSETS = ["A1", "A2"]
DEVICES = ["trk-1", "trk-2", "gate-1", "gate-2"]
TAGS = ["tag:AA", "tag:BB"]

# Few values, so that equal times, equal places and repeats are common.
TIMES = [NOW + 40_000 * n for n in range(7)] + [NOW + 2 * 86_400_000 + 40_000 * n for n in (0, 2)]
POINTS = [
    (LAT, LON, 8.0),  # in the middle of everything
    (LAT + 350 * M, LON, 8.0),  # in the yard, outside of the hall
    (LAT + 125 * M, LON, 60.0),  # who knows
    (LAT + 3_000 * M, LON, None),
    (-17.0, 179.9999, 8.0),  # far away, at the antimeridian
]
HALL = Circle(center=(LON, LAT), radius_m=120)
YARD = Circle(center=(LON, LAT), radius_m=600)
FIJI = Polygon(polygon=[(179.9, -17.1), (-179.9, -17.1), (-179.9, -16.9), (179.9, -16.9)])

times = st.sampled_from(TIMES)
periods = st.tuples(st.none() | times, st.none() | times).filter(lambda p: None in p or p[0] < p[1])
events = st.one_of(
    st.tuples(st.just("fix"), times, st.sampled_from(POINTS)),
    st.tuples(st.just("read"), times, st.sampled_from(TAGS)),
    st.tuples(st.just("sensor"), times),
    st.tuples(st.just("presence"), times, st.booleans()),
)
contents = st.lists(
    st.tuples(st.sampled_from(DEVICES), st.lists(events, min_size=1, max_size=4)),
    min_size=1,
    max_size=14,
)
places = st.one_of(
    st.builds(Site, id=st.sampled_from(["hall", "yard"]), geofence=st.sampled_from([HALL, YARD])),
    st.builds(Site, id=st.just("fiji"), geofence=st.sampled_from([FIJI, None])),
    st.builds(
        Zone,
        id=st.just("z1"),
        site=st.sampled_from(["hall", "yard", "fiji"]),
        stage=st.sampled_from([None, "inspection"]),
    ),
    st.builds(
        Reader,
        device=st.sampled_from(["gate-1", "gate-2"]),
        zone=st.sampled_from(["z1", None]),
        cycle_s=st.sampled_from([None, 20.0]),
        place=st.sampled_from([Standing(lat=LAT, lon=LON), Standing(lat=LAT + 300 * M, lon=LON)]),
    ),
)
acts = st.one_of(
    st.tuples(st.just("arrange"), places, periods),
    st.tuples(
        st.just("give up"),
        st.sampled_from([("site", "hall"), ("site", "yard"), ("zone", "z1"), ("reader", "gate-1")]),
        st.none() | times,
    ),
    st.tuples(
        st.just("bind"), st.sampled_from(ASSETS), st.sampled_from([*TAGS, *DEVICES[:2]]), periods
    ),
    st.tuples(
        st.just("unbind"),
        st.sampled_from(ASSETS),
        st.sampled_from([*TAGS, *DEVICES[:2]]),
        st.none() | times,
    ),
    st.tuples(st.just("refresh"), st.integers(1, 2)),
    st.tuples(st.just("call roll")),
)


@pytest.fixture(autouse=True)
def _snapshots_are_near(monkeypatch):
    monkeypatch.setattr("tracker.refold.SNAPSHOT_EVERY", 3)


def build(make, contents):
    """Messages numbered by device, as the devices send them."""
    numbers = dict.fromkeys(DEVICES, -1)
    messages = []
    for device, told in contents:
        numbers[device] += 1
        made = [one(make, *event) for event in told]
        messages.append(make.message(*made, device=device, seq=numbers[device], received=RECEIVED))
    return messages


def one(make, name, at, what=None):
    if name == "fix":
        return make.fix(at, *what)
    if name == "presence":
        return make.presence(at, what)
    return make.read(at, what) if name == "read" else make.sensor(at)


def set_up(db):
    """Two assets, each with a tracker and a tag; a hall with a gate."""
    with db.store.writing() as tx:
        for device in DEVICES:
            register_device(tx, Device(device, "tracker"), StampPolicy())
        for asset, tracker, tag in zip(ASSETS, DEVICES, TAGS, strict=False):
            register_asset(tx, Asset(asset))
            for subject in (tracker, tag):
                bind(tx, Binding(asset, subject))
        arrange(tx, Site(id="hall", kind="depot", geofence=HALL))
        arrange(tx, Site(id="fiji"))
        arrange(tx, Zone(id="z1", site="hall", stage="ready"))
        arrange(tx, Reader(device="gate-1", zone="z1", cycle_s=20.0))
    return db


def do(db, now, name, *args):
    """Change the configuration at a time, where that is possible."""
    act = Act("somebody", now, now)
    try:
        with db.store.writing() as tx:
            if name == "refresh":
                refresh_some(tx, now, *args)
            elif name == "call roll":
                call_roll(tx, now)
            elif name == "arrange":
                value, (since, until) = args
                arrange(tx, value, since, until, act)
            elif name == "give up":
                (kind, id), since = args
                give_up(tx, kind, id, since, act)
            elif name == "bind":
                asset, subject, (since, until) = args
                bind(tx, Binding(asset, subject, since, until), act, moves=True)
            else:
                asset, subject, since = args
                unbind(tx, asset, subject, since, act)
    except (Conflict, Unregistered):
        pass  # the layout or the bindings do not allow it just now


def play(db, steps):
    """Do steps one after the other, each at its own time; what was known after each. Nothing is
    ever wrong but for the stale."""
    known = []
    for now, step in enumerate(steps, 1):
        if isinstance(step, list):
            with db.store.writing() as tx:
                record(tx, step, [], StampPolicy(), recorded=now)
        else:
            do(db, now, *step)
        assert_agreement(db)
        with db.store.reading() as tx:
            known.append({asset: from_nothing(tx, asset).belief for asset in ASSETS})
    return known


def refresh_all(db, now):
    with db.store.writing() as tx:
        call_roll(tx, now)
        refresh_some(tx, now, 100)


def assert_agreement(db):
    with db.store.reading() as tx:
        report = verify(tx)
        assert report.sound, report


def state(db):
    with db.store.reading() as tx:
        beliefs = {belief.asset: encode(belief) for belief in tx.every_belief()}
        return beliefs, {asset: tx.visits(asset) for asset in ASSETS}


def lines(db):
    with db.store.reading() as tx:
        return tx.journal_after(0, 10_000)


def told(db):
    """What one believes who has read the whole journal: of each asset its first place, of each
    of its visits what is said of it, and its stages; not what time alone has told, for that
    depends on when somebody looked."""
    newest, told = {}, {}
    for number, _, entry in lines(db):
        assert entry.kind.endswith(".corrected") == (entry.supersedes is not None)
        thing = (entry.asset, entry.about)
        if entry.supersedes is not None:
            assert entry.supersedes == newest[thing]
        newest[thing] = number
        told[thing] = entry.body
    return {
        (asset, about): {"stage": body["stage"], "was": body["was"]} if "was" in body else body
        for (asset, about), body in told.items()
        if body and not body.get("withdrawn") and about != BY_TIME
    }


def true(db):
    """What one should believe."""
    found = {}
    with db.store.reading() as tx:
        for belief in tx.every_belief():
            if belief.first:
                found[(belief.asset, "first place")] = belief.first._asdict()
            stay = belief.whereabouts.stay
            for visit in [*tx.visits(belief.asset), *([stay] if stay else [])]:
                body = {"site": visit.site, "since": visit.since, "began": visit.began}
                if isinstance(visit, Visit):
                    body |= {"last": visit.last, "until": visit.until, "ended": visit.ended}
                found[(belief.asset, about(visit.opened))] = body
            for one in tx.transitions(belief.asset):
                told = {"stage": one.stage, "was": one.was}
                found[(belief.asset, f"stage {one.at} {one.key}")] = told
    return found


@pytest.mark.thorough
@settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(contents=contents, changes=st.lists(acts, max_size=8), data=st.data())
def test_any_order_of_observations_and_changes_ends_in_the_same_state(
    new_database, make, contents, changes, data
):
    messages, copies = build(make, contents), build(make, contents)
    size = len(messages) + data.draw(st.integers(0, len(messages)))
    arrival = [(messages + copies)[n] for n in data.draw(st.permutations(range(size)))]
    numbers = data.draw(st.lists(st.integers(0, 8), min_size=size, max_size=size).map(sorted))
    batches = [
        [message for _, message in batch]
        for _, batch in groupby(zip(numbers, arrival, strict=True), key=lambda pair: pair[0])
    ]
    moments = data.draw(
        st.lists(st.integers(0, 9), min_size=len(changes), max_size=len(changes)).map(sorted)
    )
    steps = sorted(
        [*zip(moments, changes, strict=True), *enumerate(batches)], key=lambda step: step[0]
    )
    lived, at_once = set_up(new_database()), set_up(new_database())
    known = play(lived, [step for _, step in steps])
    refresh_all(lived, 100)
    play(at_once, [*changes, messages])
    refresh_all(at_once, 100)

    assert state(lived) == state(at_once)
    for db in (lived, at_once):
        assert_agreement(db)
        with db.store.reading() as tx:
            assert tx.stale_count() == 0
        assert told(db) == true(db)
    with lived.store.reading() as tx:
        for now, then in enumerate(known, 1):
            for asset, belief in then.items():
                status = asset_status(tx, asset, RECEIVED, as_of=now)
                last = status.location.place if status.location else None
                assert last == (belief.last if belief else None)
                assert status.observed == (belief.at if belief else None)
                assert status.first == (belief.first if belief else None)
                if belief:
                    assert status.whereabouts == belief.whereabouts
    lived.store.close()
    at_once.store.close()
