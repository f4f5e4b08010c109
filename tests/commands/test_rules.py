"""`retour rules` as a user gives it."""

import json
import re

import pytest

from tests.commands.conftest import HOUR, NOON
from tracker.rules import read_rules, shipped
from tracker.stores.sqlite import SqliteStore

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
    assert re.search(r"inspection_waits +dwell +warning +7 d", shown)
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


ROWS = 13  # of the small world's log
AT_DEPOT = "rules: [{id: at_depot, kind: forbidden_site, sites: [depot], hold: 0}]"


def test_tried_rules_tell_what_they_would_have_raised(own, file, monkeypatch):
    monkeypatch.setenv("RETOUR_CLOCK", f"{NOON + HOUR}:0")
    status, shown, complaints = own("rules", "try", file(AT_DEPOT))
    assert status == 0, complaints
    assert re.search(r"pallet-1 .* at_depot +2026-01-05 12:00:00Z +1 .* was not", shown)
    assert re.search(r"at_depot +1 +0 +0", shown)
    assert f"{ROWS} rows of the log replayed" in shown
    assert "Nothing was written to the database" in shown
    *alerts, last = map(json.loads, own("rules", "try", file(AT_DEPOT), "--json")[1].splitlines())
    assert [(one["asset"], one["stored"], one["tried"]["ended"]) for one in alerts] == [
        ("pallet-1", None, None)
    ]
    assert last == {"rows": ROWS, "rules": {"at_depot": {"tried": 1, "stored": 0, "both": 0}}}


def test_what_cannot_be_tried_is_told_in_one_line(own, file, tmp_path):
    def complaint(*words):
        status, shown, complaints = own("rules", "try", *words)
        assert (status, shown) == (1, "")
        return complaints.removeprefix("retour: ").removesuffix("\n")

    rules = file(AT_DEPOT)
    assert complaint(rules, "--from", "2026-01-03", "--to", "2026-01-03") == (
        "--from must lie before --to, and before now"
    )
    assert complaint(rules, "--from", "2027-01-01").startswith("--from must lie before --to")
    assert complaint(rules, "--to", "2025-01-01") == (
        "the log begins at 2026-01-05T12:00:00.000Z: --to must lie after that"
    )
    nowhere = f"sqlite:///{tmp_path}/none.db"
    assert complaint(rules, "--database", nowhere).startswith(f"there is no database {tmp_path}")
    SqliteStore(tmp_path / "empty.db").close()
    assert complaint(rules, "--database", f"sqlite:///{tmp_path}/empty.db") == (
        "the log is empty: there is nothing to try rules on"
    )
    assert complaint(file(AT_DEPOT.replace("depot]", "moon]"))).startswith(
        "rule at_depot: there is no site moon"
    )
    assert complaint(file("rules: [{id: a, kind: nothing}]")).splitlines()[-1].endswith("1 fault")
