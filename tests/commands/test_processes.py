"""`retour process` and `retour refold` as a user gives them, and the pictures of processes."""

import json
import re
from pathlib import Path
from xml.etree import ElementTree

import pytest

import commands
from commands.flowchart import columns_of, draw, mermaid
from tracker.audit import PROGRAM
from tracker.follow import follow
from tracker.process import read_process, shipped
from tracker.stores.sqlite import SqliteStore

DOCS = Path(commands.__file__).parent.parent / "docs"
EXAMPLE = re.search(r"```yaml\n(.*?)```", (DOCS / "process.md").read_text(), re.S)[1]
SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture
def file(tmp_path):
    """Writes a process's file."""

    def write(text=EXAMPLE):
        path = tmp_path / "crates.yaml"
        path.write_text(text, encoding="utf-8")
        return path

    return write


@pytest.fixture
def own(run, monkeypatch, tmp_path, world):
    """The command on a copy of the small world that it may change."""
    path = tmp_path / "own.db"
    path.write_bytes(world.read_bytes())
    monkeypatch.setenv("RETOUR_DATABASE", f"sqlite:///{path}")
    return run


# Check


def test_a_good_file_is_said_to_be(run, file):
    status, shown, _ = run("process", "check", file())
    assert status == 0
    assert shown.endswith(
        "crates.yaml is fine: crates, 7 stages (2 ends), 5 facts, followed by the class crate\n"
    )
    asked = json.loads(run("process", "check", file(), "--json")[1])
    assert asked == {"process": "crates", "stages": 7, "facts": 5, "classes": ["crate"]}


def test_every_fault_is_told_by_line(run, file):
    bad = file(EXAMPLE.replace("{outbound: 1}", "{outbond: 1}").replace("exit: 0", "exit: -1"))
    status, shown, complaints = run("process", "check", bad)
    assert (status, shown) == (1, "")
    assert f"{bad}:10: stages.outbound.sub.dock.exit: should be greater than or eq" in complaints
    bad = file(EXAMPLE.replace("{outbound: 1}", "{outbond: 1}"))
    assert run("process", "check", bad)[2].splitlines() == [
        f"{bad}:5: stages.ready.next.outbond: there is no stage 'outbond' "
        "(did you mean 'outbound'?)",
        f"retour: {bad} is no process: 1 fault",
    ]


def test_parts_that_take_longer_than_their_stage_are_a_fault(run, file):
    bad = file(EXAMPLE.replace("mean_h: 10", "mean_h: 1.5"))
    for command in ("check", "use", "show"):
        status, _, complaints = run("process", command, bad)
        assert status == 1
        assert f"{bad}:7: stages.outbound.mean_h: the parts alone take 1.5 h" in complaints


def test_what_is_not_there_is_said_in_one_line(run, tmp_path):
    status, _, complaints = run("process", "check", tmp_path / "none.yaml")
    assert status == 1
    assert len(complaints.splitlines()) == 1


# Show


def test_the_default_is_shown_as_a_table(run):
    _, shown, _ = run("process", "show")
    assert shown.startswith("pallet-pool, followed by the class pallet\n")
    assert re.search(
        r"in_use +customer \(site\), road \(away\) +20 d +return_requested 70 % if", shown
    )
    assert re.search(r"lost +elsewhere, dark +the end", shown)
    assert len(shown.splitlines()) == 2 + 14


def test_a_file_is_shown_and_as_json_is_one_again(run, file):
    assert run("process", "show", file())[1].startswith("crates, followed by the class crate\n")
    shown = run("process", "show", file(), "--json")[1]
    assert read_process(shown) == read_process(EXAMPLE)


def test_what_is_no_process_is_hinted_at(run):
    status, _, complaints = run("process", "show", "palet-pool")
    assert (status, complaints) == (
        1,
        "retour: there is no process palet-pool; did you mean pallet-pool?\n",
    )


def test_without_a_database_the_shipped_ones_are_known(run, monkeypatch, tmp_path):
    monkeypatch.setenv("RETOUR_DATABASE", f"sqlite:///{tmp_path}/none.db")
    assert [one["process"] for one in json.loads(run("process", "list", "--json")[1])] == [
        *shipped()
    ]
    assert run("process", "show", "kegs")[0] == 0
    assert not (tmp_path / "none.db").exists()


@pytest.mark.parametrize("name", shipped())
def test_a_picture_shows_every_stage_once_and_every_move(run, name, tmp_path):
    process, path = shipped()[name], tmp_path / "picture.svg"
    assert run("process", "show", name, "--svg", path)[0] == 0
    picture = ElementTree.fromstring(path.read_text())
    names = [one.text for one in picture.iter(f"{SVG}text") if one.get("class") == "name"]
    assert sorted(names) == sorted(process.stages)
    moves = [one for one in picture.iter(f"{SVG}path") if one.get("class") in ("move", "move lost")]
    assert len(moves) == sum(len(stage.next) for stage in process.stages.values())
    _, _, width, height = map(float, picture.get("viewBox").split())
    for box in picture.iter(f"{SVG}rect"):
        assert 0 <= float(box.get("x", 0)) <= width - float(box.get("width"))
        assert 0 <= float(box.get("y", 0)) <= height - float(box.get("height"))


@pytest.mark.parametrize("name", shipped())
def test_no_two_stages_stand_in_one_place(name):
    columns = columns_of(shipped()[name])
    assert sorted(one for column in columns for one in column) == sorted(shipped()[name].stages)
    picture = ElementTree.fromstring(draw(shipped()[name]))
    boxes = [one for one in picture.iter(f"{SVG}rect")
             if one.get("class") == "box" and one.get("rx")]  # fmt: skip
    assert len({(box.get("x"), box.get("y")) for box in boxes}) == len(shipped()[name].stages)


def test_the_picture_of_the_page_is_that_of_the_process():
    assert (DOCS / "pallet-pool.svg").read_text() == draw(shipped()["pallet-pool"])


def test_a_mermaid_diagram_has_every_move(run):
    shown = run("process", "show", "kegs", "--mermaid")[1]
    assert shown == mermaid(shipped()["kegs"])
    assert shown.startswith("stateDiagram-v2\n")
    for name, stage in shipped()["kegs"].stages.items():
        for to in stage.next or ["[*]"]:
            assert re.search(rf"^    {name} --> {re.escape(to)}(:|$)", shown, re.M)


# Use


def test_a_process_is_used_and_its_assets_are_folded_again(own, file):
    status, shown, complaints = own("process", "use", file())
    assert status == 0, complaints
    assert shown == "crates is in use: the class crate; 1 asset folded again\n"
    assert own("verify")[0] == 0
    assert own("process", "use", file())[1] == "crates is in use already, just so\n"
    first, *others = json.loads(own("process", "list", "--json")[1])
    assert (first["process"], first["own"]) == ("crates", True)
    assert not any(one["own"] for one in others)
    changed = file(EXAMPLE.replace("mean_h: 6,", "mean_h: 7,"))
    asked = json.loads(own("process", "use", changed, "--json")[1])
    assert asked == {"process": "crates", "changed": True, "refolded": {"crate": 1}}
    assert re.search(r"washing +depot +7 h", own("process", "show", "crates")[1])


def test_a_class_of_another_process_is_refused(own, file):
    own("process", "use", file())
    other = file(EXAMPLE.replace("process: crates", "process: boxes"))
    status, _, complaints = own("process", "use", other)
    assert status == 1
    assert complaints.startswith("retour: the class crate follows the process crates: take it out")


def test_what_is_bad_is_not_used(own, file):
    assert own("process", "use", file(EXAMPLE.replace("0.99, lost", "0.9, lost")))[0] == 1
    assert [one for one in json.loads(own("process", "list", "--json")[1]) if one["own"]] == []


# Refold


def test_what_a_change_has_touched_is_folded_again(own, tmp_path):
    store = SqliteStore(tmp_path / "own.db")
    with store.writing() as tx:
        touched = follow(tx, read_process(EXAMPLE), PROGRAM)
    store.close()
    assert touched == {"crate": 1}
    assert json.loads(own("refold", "--json")[1]) == {"refolded": 1}
    assert own("refold")[1] == "0 assets folded again; all is up to date\n"
    assert own("verify")[0] == 0
