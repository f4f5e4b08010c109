"""A small world on a real database, and the command as a user gives it."""

import sys

import orjson
import pytest

import retour
from gateway.decoders.native import decode_events
from tracker.arrange import arrange
from tracker.letters import dead_letter
from tracker.model import Asset, Device
from tracker.places import Circle, Reader, Site, Zone
from tracker.record import record
from tracker.registry import bind_device, bind_tag, register_device, save_asset
from tracker.stamps import StampPolicy
from tracker.stores.sqlite import SqliteStore

NOON = 1_767_614_400_000  # 2026-01-05T12:00:00Z
MINUTE, HOUR = 60_000, 3_600_000
POLICY = StampPolicy()
EPC = "3374257BF40C0E400000162E"
DEPOT, AWAY = (51.92, 4.48), (52.37, 4.90)
TRACKS = {  # minutes before noon, latitude, longitude
    "trk-1": [(180, *AWAY), (120, *DEPOT), (118, *DEPOT), (60, *DEPOT)],
    "trk-2": [(90, *DEPOT), (85, *DEPOT), (30, *AWAY), (25, *AWAY)],
    "trk-3": [(3000, -16.0, 179.0), (300, -18.0, -179.0)],
}


def message(device, seq, *events, received=NOON):
    payload = orjson.dumps({"boot": "b1", "seq": seq, "events": list(events)})
    return decode_events(f"retour/v1/{device}/events", payload, received)


def fix(minutes, lat, lon):
    return {"at": NOON - minutes * MINUTE, "fix": {"lat": lat, "lon": lon, "acc": 8.0}}


def set_up(tx):
    arrange(
        tx, Site(id="depot", name="Depot [R]", geofence=Circle(center=DEPOT[::-1], radius_m=500))
    )
    arrange(tx, Site(id="shed"))
    arrange(tx, Zone(id="z-door", site="shed"))
    for n in (1, 2, 3):
        register_device(tx, Device(f"trk-{n}", "tracker", rest_interval_s=3600), POLICY)
        save_asset(tx, Asset(f"pallet-{n}", "pallet", name=f"Blue {n}"))
        bind_device(tx, f"pallet-{n}", f"trk-{n}")
    register_device(tx, Device("rdr-1", "reader"), POLICY)
    arrange(tx, Reader(device="rdr-1", zone="z-door"))
    save_asset(tx, Asset("crate-1", "crate"))
    bind_tag(tx, "crate-1", EPC)
    save_asset(tx, Asset("crate-2", "crate"))


def fill(tx):
    for device, track in TRACKS.items():
        events = [fix(*one) for one in track]
        received = NOON if device != "trk-3" else NOON - 4 * HOUR
        record(tx, [message(device, 0, *events, received=received)], [], POLICY)
    status = {"at": NOON, "sensor": {"battery": 0.83}, "status": {"firmware": "1.4.2"}}
    record(tx, [message("trk-1", 3, status)], [], POLICY)
    read = {"at": NOON - HOUR, "read": {"epc": EPC, "antenna": 1}}
    record(tx, [message("rdr-1", 0, read)], [], POLICY)
    record(tx, [message("who-1", 0, fix(1, *DEPOT), fix(0, *DEPOT))], [], POLICY)
    for topic, reason in (("retour/v1/x/events", "not_json"), ("y", "unknown_topic")):
        letter = dead_letter(topic, b"\x1b[2J{", NOON, reason, "at \x1b[2J", device=topic[-1])
        record(tx, [], [letter], POLICY)


@pytest.fixture(scope="session")
def world(tmp_path_factory):
    """The path of a database that holds the small world."""
    path = tmp_path_factory.mktemp("commands") / "retour.db"
    store = SqliteStore(path)
    for step in (set_up, fill):
        with store.writing() as tx:
            step(tx)
    store.close()
    return path


@pytest.fixture
def run(world, monkeypatch, capsys):
    """Give a command: its exit status, what it printed, and its complaints. It is noon."""
    monkeypatch.setenv("RETOUR_DATABASE", f"sqlite:///{world}")
    monkeypatch.setenv("RETOUR_CLOCK", f"{NOON}:0")

    def give(*words):
        monkeypatch.setattr(sys, "argv", ["retour", *map(str, words)])
        with pytest.raises(SystemExit) as ended:
            retour.main()
        shown = capsys.readouterr()
        return ended.value.code, shown.out, shown.err

    return give


@pytest.fixture
def ask(run):
    """What a command prints as JSON."""

    def given(*words):
        status, shown, complaints = run(*words, "--json")
        assert status == 0, complaints
        return orjson.loads(shown)

    return given
