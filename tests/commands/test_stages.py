"""Stages at the terminal: stated, asked and explained."""

from shutil import copy

import pytest


@pytest.fixture
def world(world, tmp_path):
    """A copy of the small world, to state facts in."""
    return copy(world, tmp_path / "retour.db")


RECEIVED = ["fact", "pallet-1", "received", "--id", "f-1", "--at", "2026-01-05T11:30:00Z"]


def test_a_fact_is_stated_once(run, ask):
    assert run(*RECEIVED)[:2] == (0, "fact f-1 is stored\n")
    assert run(*RECEIVED)[:2] == (0, "fact f-1 is stored, as it was before\n")
    status, _, complaints = run(*RECEIVED, "--note", "wet")
    assert status == 1
    assert complaints == "retour: another fact has the id f-1, and says something else\n"
    facts = [one for one in ask("timeline", "pallet-1") if one["what"] == "fact"]
    assert facts == [
        {
            "what": "fact",
            "at": "2026-01-05T11:30:00.000Z",
            "fact": "received",
            "stage": None,
            "id": "f-1",
            "by": None,
            "note": None,
            "recorded": "2026-01-05T12:00:00.000Z",
        }
    ]


def test_a_fact_needs_no_id_and_no_time(run, ask):
    for _ in range(2):
        assert run("fact", "pallet-2", "inspected", "--stage", "repair", "--by", "me")[0] == 0
    facts = [one for one in ask("timeline", "pallet-2") if one["what"] == "fact"]
    assert [one["stage"] for one in facts] == ["repair", "repair"]
    assert {one["at"] for one in facts} == {"2026-01-05T12:00:00.000Z"}
    assert len({one["id"] for one in facts}) == 2


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["pallet-9", "received"], "no asset pallet-9 is registered; did you mean pallet-"),
        (["pallet-1", "eaten"], "'eaten' is no kind of fact: dispatched, "),
        (["pallet-1", "inspected"], "which stage? Give it with --stage"),
        (["pallet-1", "inspected", "--stage", "fixing"], "there is no stage 'fixing'"),
        (["pallet-1", "received", "--stage", "repair"], "names no other stage"),
        (["pallet-1", "received", "--at", "2027-01-01"], "lies too far back, or in the future"),
    ],
)
def test_what_cannot_be_is_refused_in_a_line(run, words, said):
    status, shown, complaints = run("fact", *words)
    assert (status, shown) == (1, "")
    assert said in complaints
    assert complaints.count("\n") == 1


def test_a_stage_is_told_with_its_reasons(run, ask):
    run(*RECEIVED)
    status, shown, _ = run("stage", "pallet-1")
    assert status == 0
    assert shown.startswith("Received since 11:30 UTC: it was received; ")
    assert shown.startswith(ask("stage", "pallet-1")["sentence"])
    assert "how likely" in shown
    assert "why received rather than " in shown
    assert "everything before" in shown
    told = ask("stage", "pallet-1")
    assert (told["stage"], told["since"]) == ("received", "2026-01-05T11:30:00.000Z")
    assert sum(term["weight"] for term in told["now"]["terms"]) == told["now"]["total"]
    before = ask("stage", "pallet-1", "--as-of", "2026-01-05T11:59:00Z")
    assert before["stage"] != "received"


def test_the_stage_of_what_was_never_observed(run, ask):
    assert run("stage", "crate-2")[1].startswith("nothing has been observed of it yet\n")
    assert [ask("stage", "crate-2")[name] for name in ("stage", "since", "why")] == [None] * 3
    assert run("timeline", "crate-2")[1] == "nothing is known of it\n"


def test_what_people_read_commands_no_terminal(run):
    run("fact", "pallet-1", "received", "--note", "\x1b[2J [red]", "--by", "[b]me")
    _, shown, _ = run("timeline", "pallet-1")
    assert "received, stated by [b]me: \ufffd[2J [red]" in shown


def test_the_funnel_is_counted(run, ask):
    run(*RECEIVED)
    stages = {one["stage"]: one for one in ask("stages", "--class", "pallet")}
    assert stages["received"]["assets"] == 1
    assert stages["received"]["mean_dwell_s"] == 1_800
    assert stages["received"]["parts"] == [
        {"class": "pallet", "site": "depot", "assets": 1, "mean_dwell_s": 1_800}
    ]
    shown = run("stages")[1].splitlines()
    assert [line.split() for line in shown if "received" in line] == [
        ["received", "1", "30", "min"]
    ]
    assert [one["assets"] for one in ask("stages", "--site", "shed")] == [1]
    assert run("stages", "--site", "depto")[2].endswith("did you mean depot?\n")


def test_a_correction_is_told(run, ask):
    run(*RECEIVED)
    run("fact", "pallet-1", "received", "--at", "2026-01-05T11:20:00Z")
    told = [one["what"] for one in ask("timeline", "pallet-1")]
    assert "correction" in told
    assert (
        "this change was none; corrected at 2026-01-05 12:00:00Z" in run("timeline", "pallet-1")[1]
    )
