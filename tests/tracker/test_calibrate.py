"""What an adopted calibration changes, on each kind of database."""

import pytest

from tracker.arrange import arrange
from tracker.audit import Act
from tracker.calibrate import adopt
from tracker.estimate import Estimate
from tracker.model import Asset, Device, Read
from tracker.places import Reader, Site, Zone
from tracker.record import record
from tracker.registry import BeforeEdge, bind_device, bind_tag, register_asset, register_device
from tracker.stores.postgresql import PostgresqlStore
from tracker.stores.sqlite import SqliteStore
from tracker.trim import trim

DAY = 86_400_000
STATED = Reader(device="rdr-1", zone="z-1", cycle_s=900, miss=0.2)
MOVED = Reader(device="rdr-1", zone="z-2", cycle_s=900)


def estimate(device, figure, new):
    return Estimate(device, figure, None, None, new, 0.01, 100, "reads")


FOUND = [
    estimate("rdr-1", "miss", 0.4),
    estimate("rdr-1", "rssi", (-62.5, 4.0)),
    estimate("rdr-1", "stray_count", 1.5),
]
CADENCE = [estimate("trk-1", "rest_interval_s", 7_200.0)]


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.system)])
def store(request, tmp_path, make):
    """A store in which a reader stood before one zone, and stands before another from now on; it
    has read an asset's tag yesterday and tomorrow, and a tracker on another asset was seen."""
    if request.param == "sqlite":
        store = SqliteStore(tmp_path / "retour.db")
    else:
        store = PostgresqlStore(request.getfixturevalue("new_postgresql")())
    read = Read(make.TAG, 1, -60.0, 3)
    with store.writing() as tx:
        arrange(tx, Site(id="depot", kind="depot"))
        for zone, stage in (("z-1", "ready"), ("z-2", "repair")):
            arrange(tx, Zone(id=zone, site="depot", stage=stage))
        register_device(tx, Device("rdr-1", "reader"), make.POLICY)
        register_device(tx, Device("trk-1", "tracker"), make.POLICY)
        arrange(tx, MOVED, until=make.NOW)
        arrange(tx, STATED, since=make.NOW)
        arrange(tx, MOVED, since=make.NOW + 9 * DAY)
        for asset in ("A1", "A2"):
            register_asset(tx, Asset(asset))
        bind_tag(tx, "A1", make.TAG)
        bind_device(tx, "A2", "trk-1")
        for seq, at in enumerate((make.NOW - DAY, make.NOW + DAY)):
            message = make.message((at, read), device="rdr-1", seq=seq, received=make.NOW + 2 * DAY)
            record(tx, [message], [], make.POLICY)
        record(tx, [make.message(make.fix(make.NOW - DAY))], [], make.POLICY)
    yield store
    store.close()


def adopted(store, make, found, since):
    """Adopt estimates of the reader as it stands now; what was stale for it, from when on."""
    act = Act("somebody", make.NOW, make.NOW)
    with store.writing() as tx:
        adopt(tx, found, {"rdr-1": STATED}, since, make.POLICY, act)
        return tx.stale(["A1", "A2"])


def test_figures_hold_from_then_on_where_the_reader_watches_as_it_did(store, make):
    since = make.NOW + 2 * DAY
    assert set(adopted(store, make, FOUND, since).values()) == {since}  # both are at home there
    with store.reading() as reader:
        layout = reader.layout()
        changes = [change for _, change in reader.changes(None, 10, "reader") if change.by]
    at = {day: layout.reader("rdr-1", make.NOW + day * DAY) for day in (-1, 1, 2, 8, 9)}
    assert (at[-1], at[1], at[9]) == (MOVED, STATED, MOVED)
    assert at[2] == at[8]
    assert (at[2].miss, at[2].rssi, at[2].stray_count) == (0.4, (-62.5, 4.0), 1.5)
    assert (at[2].cycle_s, at[2].count) == (900, None)
    assert changes[0].by == "somebody"


def test_the_same_again_changes_nothing(store, make):
    adopted(store, make, FOUND, make.NOW)
    with store.reading() as reader:
        before = reader.versions("reader")
    adopted(store, make, FOUND, make.NOW)
    with store.reading() as reader:
        assert reader.versions("reader") == before


def test_from_before_it_watched_so_it_holds_from_when_it_did(store, make):
    assert adopted(store, make, FOUND, make.NOW - 5 * DAY)["A1"] == make.NOW


def test_a_trackers_interval_holds_for_all_of_its_past(store, make):
    stale = adopted(store, make, CADENCE, make.NOW)
    assert stale.keys() == {"A2"}
    assert stale["A2"] < make.NOW - DAY
    with store.reading() as reader:
        assert reader.device("trk-1").device.rest_interval_s == 7_200.0


def test_where_the_log_is_given_up_nothing_is_changed(store, make):
    with store.writing() as tx:
        now = make.NOW + 3 * DAY
        trim(tx, make.NOW + 2 * DAY, Act("somebody", now, now))
    with pytest.raises(BeforeEdge):
        adopted(store, make, FOUND, make.NOW + DAY)
