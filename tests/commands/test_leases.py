"""`retour leases` as a user gives it."""

import json
import re
from pathlib import Path

import pytest

import commands

PAGE = (Path(commands.__file__).parent.parent / "docs/world.md").read_text()
EVERYTHING = re.search(r"```yaml\n(.*?)```", PAGE, re.S)[1]
HEADER = "lease,line,asset,class,customer,site,from,due\n"


@pytest.fixture
def leases(run, monkeypatch, tmp_path):
    """The command on a database of its own, which holds the world of the documentation."""
    monkeypatch.setenv("RETOUR_DATABASE", f"sqlite:///{tmp_path}/own.db")
    monkeypatch.setenv("RETOUR_CLOCK", "1767614400000:0.001")  # 2026-01-05T12:00:00Z
    path = tmp_path / "world.yaml"
    path.write_text(EVERYTHING)
    assert run("import", path)[0] == 0
    return lambda *words: run("leases", *words)


@pytest.fixture
def table(tmp_path):
    """Writes a table."""

    def write(text):
        path = tmp_path / "leases.csv"
        path.write_text(HEADER + text)
        return path

    return write


def shown(leases, *words):
    status, told, complaints = leases(*words, "--json")
    assert status == 0, complaints
    return json.loads(told)


def test_leases_are_listed_with_what_is_due_next(leases):
    assert shown(leases, "list") == [
        {
            "id": "L1",
            "customer": "acme",
            "site": "cust-1",
            "returned": 0,
            "lines": 1,
            "next_due": "2026-02-02",
            "next_due_at": "2026-02-02T23:00:00.000Z",
        }
    ]
    assert re.search(r"L1 +acme +cust-1 +0 of 1 +2026-02-02", leases("list", "--open")[1])
    leases("return", "L1", "1")
    assert leases("list", "--open")[1] == "there is no lease\n"
    assert [one["next_due"] for one in shown(leases, "list")] == [None]


def test_a_customer_that_there_is_not_is_told_with_who_may_be_meant(leases):
    status, _, complaints = leases("list", "--customer", "acmee")
    assert (status, complaints) == (1, "retour: there is no partner acmee; did you mean acme?\n")
    assert len(shown(leases, "list", "--customer", "acme")) == 1


def test_more_than_the_limit_is_said(leases, table):
    leases("import", table("L2,,,crate,acme,cust-1,2026-02-03,2026-02-09\n"))
    status, told, complaints = leases("list", "--limit", "1", "--json")
    assert (status, len(json.loads(told))) == (0, 1)
    assert "there are more than 1" in complaints


def test_a_lease_is_extended_and_returned_and_shown_with_all_that_was_agreed(leases):
    status, told, _ = leases("extend", "L1", "1", "--due", "2026-03-02", "--note", "they [asked]")
    assert (status, told) == (
        0,
        "line 1 of lease L1 is due on 2026-03-02, until 2026-03-02 23:00:00Z\n",
    )
    at = "2026-01-05T08:00:00Z"
    status, told, _ = leases("return", "L1", "1", "--to", "depot", "--at", at)
    assert (status, told) == (0, "lease L1: 1 of 1 returned\n")
    lease = shown(leases, "show", "L1")
    (line,) = lease["lines"]
    assert (line["due"], line["ended"], line["seen_back"]) == (
        "2026-03-02",
        {"how": "returned", "at": "2026-01-05T08:00:00.000Z"},
        None,
    )
    assert [(one["kind"], one["body"]) for one in lease["agreements"][1:]] == [
        ("extended", {"due": "2026-03-02", "note": "they [asked]"}),
        ("returned", {"to": "depot"}),
    ]
    told = leases("show", "L1")[1]
    assert re.search(r"1 +A1 +2026-01-05 +2026-03-02 +returned 2026-01-05 08:00:00Z", told)
    assert "due 2026-03-02, note they [asked]" in told


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("show", "L9"), "there is no lease L9"),
        (("extend", "L1", "9", "--due", "2026-03-02"), "lease L1 has no line 9"),
        (("extend", "L1", "1", "--due", "soon"), "'soon' is no date: write it like 2026-01-05"),
        (("extend", "L1", "1", "--due", "2025-03-02"), "it cannot be due on 2025-03-02"),
        (("return", "L1", "1", "9"), "lease L1 has no line 9"),
        (("return", "L1", "1", "--to", "moon"), "there is no site moon"),
    ],
)
def test_what_is_refused_is_told_in_one_line_and_changes_nothing(leases, words, told):
    before = shown(leases, "show", "L1")
    status, _, complaints = leases(*words)
    assert status == 1
    assert complaints.startswith("retour: ")
    assert told in complaints
    assert complaints.count("\n") == 1
    assert shown(leases, "show", "L1") == before


class TestImport:
    def test_a_table_is_imported_once_and_the_same_again(self, leases, table):
        path = table(
            "L2,,,crate,acme,cust-1,2026-02-03,2026-02-09\nL2,,A1,,,,2026-02-03,2026-02-09\n"
        )
        assert leases("import", path, "--dry-run")[1] == (
            "1 new, 0 changed, 0 the same; nothing is stored: this was a dry run\n"
        )
        assert len(shown(leases, "list")) == 1
        assert leases("import", path)[1] == "1 new, 0 changed, 0 the same\n"
        assert shown(leases, "import", path) == {
            "dry_run": False,
            "create": 0,
            "change": 0,
            "same": 1,
            "leases": [{"action": "same", "lease": "L2", "changed": []}],
        }
        assert [one["asset"] for one in shown(leases, "show", "L2")["lines"]] == [None, "A1"]

    def test_every_fault_has_its_row_and_nothing_is_stored(self, leases, table):
        path = table(
            "L2,,A1,,acme,cust-1,2026-01-20,2026-02-09\n"
            "L3,,,crate,acme,cust-1,2026-02-03,2026-02-09\n"
            "L3,,A9,,,,2026-02-03,2026-02-09\n"
            "L4,,,crate,acme,moon,2026-02-03,2026-02-09\n"
        )
        status, _, complaints = leases("import", path)
        assert status == 1
        lines = complaints.splitlines()
        assert lines[0].startswith(f"{path}:2: asset A1 is on lease L1, line 1, until 2026-02-02")
        assert lines[1:] == [
            f"{path}:4: there is no asset A9",
            f"{path}:5: there is no site moon",
            f"retour: {path} is not imported: 3 faults",
        ]
        assert len(shown(leases, "list")) == 1

    def test_what_is_no_table(self, leases, table, tmp_path):
        status, _, complaints = leases("import", table("L2,,A1,,acme,cust-1,soon,2026-02-09\n"))
        assert status == 1
        assert ":2: from: 'soon' is no date" in complaints
        (tmp_path / "leases.csv").write_bytes(b"\xff")
        assert "is not UTF-8" in leases("import", tmp_path / "leases.csv")[2]
