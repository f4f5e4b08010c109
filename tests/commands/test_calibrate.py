"""`retour calibrate` on a small simulated world whose file states other figures than are so."""

import orjson
import pytest
import yaml

from commands.calibrate_files import Files, ground_of
from firmware_sim.world.files import write_files
from firmware_sim.world.scenario import read_scenario
from firmware_sim.world.simulation import simulate
from gateway.decoders import decoder_of
from tracker.audit import Act
from tracker.calibrate import adopt, calibrate
from tracker.importer import import_world, known_of
from tracker.record import record
from tracker.stamps import StampPolicy
from tracker.stores.sqlite import SqliteStore
from tracker.tally import Window
from tracker.verify import verify
from tracker.world import read_world

START, END = 1_767_571_200_000, 1_768_262_400_000  # eight days of January 2026
SCENARIO = """
days: 8
seed: 4
assets: {count: 5}
depots: [{id: depot, at: [4.48, 51.92]}]
scatter: {customers: 3, within_km: 40}
readers: {cycle_s: 1200, miss: 0.45, stray: 0.3}
trackers: {rest_interval_s: 7200, moving_interval_s: 1200}
rfid: {own: {rssi: [-63, 4], count: 3}, stray: {rssi: [-74, 4], count: 1.5}}
zones:
  - {stage: ready, adjacent: [outbound]}
  - {stage: outbound, adjacent: [ready]}
  - {stage: received, adjacent: [inspection]}
  - {stage: inspection, adjacent: [received]}
stages:
  ready: {mean_h: 30}
  in_use: {mean_h: 24, next: {return_requested: 1}}
  return_requested: {mean_h: 6}
  outbound: {next: {in_use: 1}}
  return_transit: {next: {received: 1}}
  received: {next: {inspection: 1}}
  inspection: {mean_h: 10, next: {ready: 1}}
"""
TRUE = {
    "cycle_s": 1_200,
    "miss": 0.45,
    "stray": 0.3,
    "rssi": [-63, 4],
    "count": 3,
    "stray_rssi": [-74, 4],
    "stray_count": 1.5,
}
NEAR = {  # how far off each may be
    "cycle_s": 20,
    "miss": 0.06,
    "stray": 0.06,
    "rssi": 1.0,
    "count": 0.3,
    "stray_rssi": 1.5,
    "stray_count": 0.2,
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The world's files: WORLD.yaml with the true cadences, STATED.yaml with others."""
    folder = tmp_path_factory.mktemp("calibrate")
    write_files(simulate(read_scenario(SCENARIO, "small"), lambda *_: 0), folder, lambda *_: 0)
    world = yaml.safe_load((folder / "WORLD.yaml").read_text())
    for reader in world["readers"]:
        reader.update(cycle_s=3_600, miss=0.05, stray=0.02)
    for tracker in world["trackers"]:
        del tracker["rest_interval_s"], tracker["moving_interval_s"]
    (folder / "STATED.yaml").write_text(yaml.safe_dump(world))
    return folder


@pytest.fixture(scope="module")
def gathered(folder):
    """What was observed in the world as it is stated."""
    return Files(folder / "STATED.yaml", folder / "MESSAGES.jsonl", None).gathered()


@pytest.fixture(scope="module")
def found(gathered):
    return calibrate(gathered.ground, lambda: gathered.pasts, Window(0, 2**62))


def by_figure(found, kind):
    figures = {}
    for one in found:
        if one.device.startswith(kind):
            figures.setdefault(one.figure, []).append(one)
    return figures


@pytest.mark.parametrize("figure", TRUE)
def test_the_true_figures_of_readers_are_found(found, figure):
    """Of each reader that has seen enough."""
    estimates = [one for one in by_figure(found, "rdr")[figure] if one.of >= 50]
    assert estimates
    for one in estimates:
        sd = one.sd if isinstance(one.sd, tuple) else (one.sd,)
        near = max(NEAR[figure], 4 * max(sd))
        assert one.new == pytest.approx(
            tuple(TRUE[figure]) if isinstance(TRUE[figure], list) else TRUE[figure], abs=near
        )
        assert one.differs


def test_the_true_cadences_of_trackers_are_found(found):
    figures = by_figure(found, "trk")
    for figure, true in (("rest_interval_s", 7_200), ("moving_interval_s", 1_200)):
        assert len(figures[figure]) >= 4
        assert all(one.new == pytest.approx(true, rel=0.06) for one in figures[figure])


def test_the_order_of_assets_means_nothing(gathered):
    """But for the last digits of sums, which nobody is shown."""
    pasts, window = gathered.pasts[:2], Window(START, START + 4 * 86_400_000)
    one, other = (calibrate(gathered.ground, lambda p=p: p, window) for p in (pasts, pasts[::-1]))
    values = [{(e.device, e.figure): (e.old, e.new) for e in some} for some in (one, other)]
    assert values[0] == values[1]
    assert len(values[0]) > 10


def test_a_time_without_observations_tells_nothing(gathered):
    assert calibrate(gathered.ground, lambda: gathered.pasts, Window(0, START)) == []
    assert calibrate(gathered.ground, list, Window(0, 2**62)) == []


def test_from_files_to_a_world_file(run, folder, tmp_path):
    out = tmp_path / "out.yaml"
    files = ("--world", folder / "STATED.yaml", "--messages", folder / "MESSAGES.jsonl")
    status, shown, complaints = run(
        "calibrate", *files, "--out", out, "--device", "rdr-depot-1", "--to", "2026-01-07"
    )
    assert status == 0, complaints
    assert "rdr-depot-1 " in shown
    assert "rdr-depot-2" not in shown
    before, after = (yaml.safe_load(p.read_text()) for p in (folder / "STATED.yaml", out))
    assert after["leases"]
    changed = [r["device"] for r in after["readers"] if r["cycle_s"] < 1_300]
    assert changed == ["rdr-depot-1"]
    assert before["trackers"] == after["trackers"]


@pytest.mark.parametrize(
    "words",
    [
        ("--world", "w.yaml"),
        ("--out", "o.yaml"),
        ("--process", "p.yaml"),
        ("--since", "2026-01-01"),
        ("--world", "w.yaml", "--messages", "m.jsonl", "--write"),
        ("--from", "2026-02-01", "--to", "2026-01-01"),
        ("--device", "nobody"),
    ],
)
def test_what_makes_no_sense_is_refused_in_a_line(run, words):
    status, _, complaints = run("calibrate", *words)
    assert status == 1
    assert complaints.startswith("retour: ")
    assert complaints.count("\n") == 1


@pytest.fixture
def stored(folder, tmp_path, monkeypatch):
    """The path of a database in which all of that has come."""
    path = tmp_path / "stored.db"
    store = SqliteStore(path)
    policy = StampPolicy()
    with store.writing() as tx:
        world = read_world((folder / "STATED.yaml").read_bytes())
        import_world(tx, world, policy, Act("a test", START, START))
        lines = map(orjson.loads, (folder / "MESSAGES.jsonl").read_bytes().splitlines())
        messages = [
            decoder_of(line["topic"])(
                line["topic"], orjson.dumps(line["payload"]), line["received_at"]
            )
            for line in lines
            if "topic" in line
        ]
        record(tx, messages, [], policy)
    store.close()
    return path


@pytest.fixture
def ask_stored(stored, run, monkeypatch):
    monkeypatch.setenv("RETOUR_DATABASE", f"sqlite:///{stored}")
    monkeypatch.setenv("RETOUR_CLOCK", f"{END}:0")

    def ask(*words):
        status, shown, complaints = run("calibrate", *words, "--json")
        assert status == 0, complaints
        return orjson.loads(shown)

    return ask


@pytest.mark.thorough
def test_of_a_database_what_differs_is_written_and_holds_from_then_on(stored, ask_stored):
    would = ask_stored("--assets", 2)
    assert (would["written"], would["assets"]) == (False, 2)
    store = SqliteStore(stored)
    with store.reading() as reader:
        before = reader.versions("reader")
    told = ask_stored("--assets", 2, "--write")
    assert told["figures"] == would["figures"]
    with store.reading() as reader:
        assert len(reader.versions("reader")) > len(before)
        layout, sound = reader.layout(), verify(reader)
        then, now = (layout.reader("rdr-depot-1", at) for at in (END - 1, END))
        trackers = [reader.device(f"trk-{n}").device for n in range(1, 6)]
        audited = {change.subject for _, change in reader.changes(None, 100, "reader")}
        assert reader.stale_count() == 0
    assert (then.miss, then.rssi, then.cycle_s) == (0.05, None, 3_600)
    estimated = {
        one["figure"]: one["new"] for one in told["figures"] if one["device"] == "rdr-depot-1"
    }
    assert (now.miss, now.cycle_s) == (estimated["miss"], estimated["cycle_s"])
    assert [*now.rssi] == estimated["rssi"]
    assert (sound.sound, sound.stale) == (True, 0)
    assert "rdr-depot-1" in audited
    assert any(device.rest_interval_s == pytest.approx(7_200, rel=0.06) for device in trackers)
    store.close()


def test_what_is_planned_for_later_stays(stored, found):
    """A reader that is to watch another zone from a time on has other figures there."""
    planned = START + 20 * 86_400_000
    store, policy = SqliteStore(stored), StampPolicy()
    act = Act("a test", END, END)
    (miss,) = (one for one in found if (one.device, one.figure) == ("rdr-depot-1", "miss"))
    with store.writing() as tx:
        world = read_world(
            b"readers: [{device: rdr-depot-1, zone: depot.inspection, since: 2026-01-25}]",
            known_of(tx),
        )
        import_world(tx, world, policy, act)
        readers = ground_of(tx).readers(END)
        adopt(tx, [miss], readers, END, policy, act)
        layout = tx.layout()
        versions = [layout.reader("rdr-depot-1", at) for at in (END - 1, END, planned)]
        assert ground_of(tx).readers(planned)["rdr-depot-1"].zone == "depot.inspection"
    assert [one.miss for one in versions] == [0.05, miss.new, None]
    store.close()
