"""What is said at the terminal is recorded when it is said, by who says it."""

import sqlite3

import pytest
from typer.testing import CliRunner

import retour
from commands.show import UserError


@pytest.fixture
def say(tmp_path, monkeypatch):
    monkeypatch.setenv("RETOUR_DATABASE", f"sqlite:///{tmp_path / 'retour.db'}")

    def run(*words):
        return CliRunner().invoke(retour.app, words, catch_exceptions=False)

    return run


def test_nothing_is_recorded_at_the_beginning_of_time(say, tmp_path):
    for command in (
        "device create rdr-1 --kind reader --place 51.95,4.40",
        "device create trk-1 --asset A1",
        "asset create A2 --tag 3374257BF40C0E400000162E",
    ):
        assert say(*command.split()).exit_code == 0
    with sqlite3.connect(tmp_path / "retour.db") as db:
        assert db.execute("SELECT count(*) FROM versions").fetchone()[0] >= 3
        assert db.execute("SELECT count(*) FROM versions WHERE recorded = 0").fetchone() == (0,)
        who = {by for (by,) in db.execute("SELECT DISTINCT by FROM audit WHERE at > 0")}
        assert all(by.startswith("terminal ") for by in who)
        assert len(who) == 1
        assert db.execute("SELECT count(*) FROM audit WHERE at = 0").fetchone() == (0,)


def test_a_kind_of_device_that_there_is_not_is_refused(say):
    with pytest.raises(Exception, match="tracker or reader"):
        say("device", "create", "d1", "--kind", "radar")


QUESTIONS = [
    *["assets", "where x", "track x", "visits x", "visits --site x", "sites", "inside x"],
    *["stage x", "stages", "timeline x", "fact x found"],
    *["devices", "device list", "report track x", "dead-letters", "quarantine", "verify"],
    *["export", "key list", "db check", "db trim --days 3", "db retain"],
]


@pytest.mark.parametrize("question", [*QUESTIONS, "import none.yaml"])
def test_a_question_makes_no_database(say, tmp_path, question, monkeypatch):
    monkeypatch.setenv("RETOUR_RETENTION_DAYS", "30")
    with pytest.raises((UserError, OSError)) as told:
        say(*question.split())
    assert not (tmp_path / "retour.db").exists()
    assert "there is no database" in str(told.value) or "none.yaml" in question


def test_a_tag_that_is_no_known_epc_is_minded(say):
    assert "written right" in say("asset", "create", "x", "--tag", "337425").output
    known = say("asset", "create", "y", "--tag", "3374257BF40C0E400000162E").output
    assert "written right" not in known
