"""`retour import` and `retour export` as a user gives them."""

import json
import re
import shutil
from pathlib import Path

import pytest

import commands

PAGE = (Path(commands.__file__).parent.parent / "docs/world.md").read_text()
EVERYTHING = re.search(r"```yaml\n(.*?)```", PAGE, re.S)[1]
EPC = "3374257BF40C0E400000162E"


@pytest.fixture
def empty(run, monkeypatch, tmp_path):
    """The command on a database of its own."""
    monkeypatch.setenv("RETOUR_DATABASE", f"sqlite:///{tmp_path}/own.db")
    return run


@pytest.fixture
def file(tmp_path):
    """Writes a world file."""

    def write(text):
        path = tmp_path / "world.yaml"
        path.write_text(text, encoding="utf-8")
        return path

    return write


def test_a_file_is_imported_and_exported_and_the_same_again(empty, file, tmp_path):
    status, shown, complaints = empty("import", file(EVERYTHING))
    assert status == 0, complaints
    assert re.search(r"create +zone +z_outdock", shown)
    assert "15 new, 0 changed, 0 the same\n" in shown

    exported = tmp_path / "exported.yaml"
    status, shown, _ = empty("export", "--out", exported)
    assert (status, shown) == (
        0,
        f"{exported} holds 3 sites, 2 zones, 2 readers, 1 tracker, 1 asset, 1 partner, 1 lease\n",
    )
    assert empty("export")[1] == exported.read_text()
    status, shown, _ = empty("import", exported)
    assert (status, shown) == (0, "0 new, 0 changed, 15 the same\n")
    assert re.search(r"same +site +depot", empty("import", exported, "-v")[1])


def test_a_dry_run_says_the_same_and_stores_nothing(empty, file):
    path = file(EVERYTHING)
    would = json.loads(empty("import", path, "--dry-run", "--json")[1])
    assert empty("export")[1] == "retour: 1\n"
    does = json.loads(empty("import", path, "--json")[1])
    assert (would.pop("dry_run"), does.pop("dry_run")) == (True, False)
    assert would == does
    assert [does[action] for action in ("create", "change", "same")] == [15, 0, 0]
    assert does["differences"][0] == {
        "action": "create",
        "kind": "site",
        "id": "depot",
        "detail": "",
    }


def test_every_fault_has_its_line_and_nothing_is_stored(empty, file):
    text = EVERYTHING.replace("site: depot, stage: outbound", "site: deport")
    path = file(text.replace("radius_m: 80", "radius_m: -3"))
    for options in ([], ["--dry-run"], ["--json"]):
        status, shown, complaints = empty("import", path, *options)
        assert (status, shown) == (1, "")
        assert complaints.splitlines() == [
            f"{path}:6: sites[2].geofence.radius_m: should be greater than 0, not '-3'",
            f"{path}:9: zones[1].site: there is no site 'deport' (did you mean 'depot'?)",
            f"retour: {path} is not imported: 2 faults",
        ]
    assert empty("export")[1] == "retour: 1\n"


def test_a_conflict_with_what_is_stored_has_its_line(empty, file):
    empty("asset", "create", "B1", "--tag", EPC)
    path = file(f"assets:\n- {{id: A1, class: pallet, tags: [{{epc: {EPC}}}]}}\n")
    status, _, complaints = empty("import", path)
    assert status == 1
    assert complaints.startswith(f"{path}:2: assets[0].tags[0]: ")
    assert "is bound to asset B1 already" in complaints


STRANGER = "assets:\n- {id: crate-2, class: crate, home: depot, trackers: [{device: who-1}]}\n"


def test_what_is_bound_is_told_at_once(world, empty, file, tmp_path):
    """A tracker that nobody had registered: what it sent is taken in, and folded, without a
    gateway."""
    shutil.copy(world, tmp_path / "own.db")
    path = file(STRANGER)
    for options in (["--dry-run"], []):
        assert empty("where", "crate-2")[0] == 1
        status, shown, complaints = empty("import", path, *options)
        assert status == 0, complaints
        assert re.search(r"change +asset +crate-2 +home", shown)
        assert re.search(r"create +device +who-1 +tracker, 2 observations adopted", shown)
    assert json.loads(empty("where", "crate-2", "--json")[1])["site"] == "depot"
    assert json.loads(empty("verify", "--json")[1])["stale"] == 0


@pytest.mark.parametrize(
    ("words", "complaint"),
    [(["import", "none.yaml"], "No such file"), (["export", "--out", "no/such/folder"], "No such")],
)
def test_a_file_that_cannot_be_opened_is_told_in_one_line(run, words, complaint):
    status, _, complaints = run(*words)
    assert status == 1
    assert complaint in complaints
    assert complaints.count("\n") == 1
