"""`retour simulate` as a user gives it."""

import json
import threading

import pytest

from gateway.running import Parts, embedded_gateway
from tracker.audit import Act
from tracker.clocks import SystemClock
from tracker.importer import import_world
from tracker.stamps import StampPolicy
from tracker.stores.sqlite import SqliteStore
from tracker.world import read_world

SMALL = "days: 3\nassets: {count: 2}\ndepots: [{id: d, at: [4, 52]}]\nscatter: {customers: 2}\n"


@pytest.fixture
def scenario(tmp_path):
    path = tmp_path / "small.yaml"
    path.write_text(SMALL)
    return path


def test_a_world_is_written_and_counted(run, scenario, tmp_path):
    status, shown, complaints = run("simulate", scenario, "--out", tmp_path / "w", "--json")
    assert status == 0, complaints
    told = json.loads(shown)
    assert (told["scenario"], told["assets"], told["days"]) == ("small", 2, 3)
    written = (tmp_path / "w/MESSAGES.jsonl").read_text().splitlines()
    assert told["messages"] + told["facts"] == len(written)
    assert told["visits"] == len((tmp_path / "w/TRUTH.jsonl").read_text().splitlines())
    status, shown, _ = run("import", tmp_path / "w/WORLD.yaml", "--dry-run")
    assert status == 0
    assert "nothing is stored: this was a dry run" in shown


def test_options_take_the_place_of_what_the_scenario_says(run, scenario, tmp_path):
    options = ("--seed", 9, "--assets", 3, "--days", 2, "--json")
    _, shown, _ = run("simulate", scenario, "--out", tmp_path / "w", *options)
    told = json.loads(shown)
    assert (told["seed"], told["assets"], told["days"]) == (9, 3, 2)


def test_the_shipped_scenarios_are_listed(run):
    rows = json.loads(run("simulate", "--list", "--json")[1])
    assert {"scenario": "pallets-nl", "for": "tuning"}.items() <= rows[-4].items()
    assert "pallets-nl" in run("simulate", "--list")[1]


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["nowhere"], "no scenario 'nowhere': write a file, or one of bins-jp, cages-br"),
        ([], "no scenario '': write a file, or one of bins-jp"),
        (["pallets-nl"], "where to? add --out FOLDER, or --url mqtt://HOST to publish live"),
        (["pallets-nl", "--url", "http://x"], "'http://x' is no broker: write mqtt://HOST"),
    ],
)
def test_what_cannot_be_done_is_told_in_a_line(run, words, complaint):
    status, _, complaints = run("simulate", *words)
    assert status == 1
    assert complaints.startswith(f"retour: {complaint}")


def test_a_world_that_begins_now_is_stored_by_a_real_gateway(run, scenario, tmp_path, monkeypatch):
    clock = SystemClock(SystemClock().wall(), 40_000)
    monkeypatch.setenv("RETOUR_CLOCK", f"{clock.anchor}:{clock.rate}")
    monkeypatch.setattr("commands.simulate.stop_signal", threading.Event)
    run("simulate", scenario, "--out", tmp_path / "w")
    store = SqliteStore(tmp_path / "live.db")
    parts = Parts(store, clock, StampPolicy(rate=clock.rate), "test-simulate")
    with store.writing() as tx:
        act = Act("test", clock.now(), clock.wall())
        import_world(tx, read_world((tmp_path / "w/WORLD.yaml").read_bytes()), parts.policy, act)
    with embedded_gateway(parts) as (url, _):
        status, shown, complaints = run("simulate", scenario, "--url", url, "--json")
    assert status == 0, complaints
    told = json.loads(shown[shown.index("{\n") :])
    assert told["receipted"] > 50
    assert (told["pending"], told["facts_refused"]) == (0, 0)
    assert shown.count('{"id": "f-') == told["facts"]
    with store.reading() as reader:
        assert sum(len([*numbers]) for _, numbers in reader.kept()) == told["receipted"]
        assert len([*reader.every_belief()]) == 2  # each asset is believed to be somewhere
    store.close()


def test_every_fault_of_a_scenario_is_told(run, scenario, tmp_path):
    scenario.write_text(SMALL.replace("days: 3", "days: -3\nseed: x"))
    status, _, complaints = run("simulate", scenario, "--out", tmp_path / "w")
    assert status == 1
    first, second, last = complaints.splitlines()
    assert first.startswith(f"{scenario}: seed: ")
    assert second.startswith(f"{scenario}: days: ")
    assert last == f"retour: {scenario} is no scenario: 2 faults"
