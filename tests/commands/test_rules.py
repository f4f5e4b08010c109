"""`retour rules` as a user gives it."""

import json
import re

import pytest

from tracker.rules import read_rules, shipped

OWN = """\
retour: 1
rules:
  - {id: late, kind: overdue, classes: [pallet], repeat: 24 h}
  - {id: away, kind: forbidden_site, sites: [shed], enabled: false}
"""


@pytest.fixture
def file(tmp_path):
    """Writes a file of rules."""

    def write(text=OWN):
        path = tmp_path / "rules.yaml"
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


def test_a_good_file_is_said_to_be(run, file):
    status, shown, _ = run("rules", "check", file())
    assert status == 0
    assert shown.endswith(
        "rules.yaml is fine: 2 rules, 1 about lines, 0 about assets, 0 about readers\n"
    )
    asked = json.loads(run("rules", "check", file(), "--json")[1])
    assert asked == {"rules": 2, "kinds": {"overdue": 1}}


def test_every_fault_is_told_by_line(run, file):
    bad = file(OWN.replace("24 h", "daily").replace("[shed]", "[]"))
    status, shown, complaints = run("rules", "check", bad)
    assert (status, shown) == (1, "")
    first, second, last = complaints.splitlines()
    assert first.startswith(f"{bad}:3: rules[0].repeat: 'daily' is no length of time")
    assert second.startswith(f"{bad}:4: rules[1].sites: List should have at least 1 item")
    assert last == f"retour: {bad} is no file of rules: 2 faults"


def test_without_a_database_the_shipped_ones_are_shown(run, monkeypatch, tmp_path):
    monkeypatch.setenv("RETOUR_DATABASE", f"sqlite:///{tmp_path}/none.db")
    shown = run("rules", "show")[1]
    assert re.search(r"overdue +overdue +serious > serious > critical +0 +3 d, 7 d +3 d", shown)
    assert re.search(r"lost_rising +lost_rising \(off\)", shown)
    assert len(shown.splitlines()) == 1 + len(shipped().rules)
    assert not (tmp_path / "none.db").exists()


def test_what_is_used_is_shown_and_as_a_file_changes_nothing(own, file, tmp_path):
    status, shown, complaints = own("rules", "use", file())
    assert status == 0, complaints
    assert shown == "2 rules in use, 1 about lines, 0 about assets, 0 about readers\n"
    assert re.search(r"late +overdue .* 1 d +pallet", own("rules", "show")[1])
    again = file(own("rules", "show", "--yaml")[1])
    assert read_rules(again.read_text()) == read_rules(OWN)
    assert own("rules", "use", again)[1] == "these rules are in use already, just so\n"
    as_json = json.loads(own("rules", "show", "--json")[1])
    assert [one["id"] for one in as_json["rules"]] == ["late", "away"]
    changed = json.loads(own("rules", "use", file("rules: []"), "--json")[1])
    assert changed == {"rules": 0, "changed": True}


def test_a_site_that_there_is_not_is_refused_and_nothing_changes(own, file):
    status, _, complaints = own("rules", "use", file(OWN.replace("[shed]", "[shad]")))
    assert status == 1
    assert complaints == "retour: rule away: there is no site shad (did you mean 'shed'?)\n"
    assert json.loads(own("rules", "show", "--json")[1])["rules"][0]["id"] == "overdue"
