"""What commands tell their user, in words."""

import pytest

from commands.show import lasting
from tests.commands.conftest import NOON

MINUTE, HOUR, DAY = 60_000, 3_600_000, 86_400_000


@pytest.mark.parametrize(
    ("ms", "said"),
    [
        (0, "0 s"),
        (59_999, "59 s"),
        (MINUTE, "1 min"),
        (42 * MINUTE + 59_999, "42 min"),
        (HOUR, "1 h"),
        (HOUR + 5 * MINUTE, "1 h 5 min"),
        (DAY - 1, "23 h 59 min"),
        (DAY + 59 * MINUTE, "1 d"),
        (3 * DAY + 4 * HOUR + 30 * MINUTE, "3 d 4 h"),
        (400 * DAY, "400 d"),
    ],
)
def test_a_length_of_time_is_told_in_its_two_greatest_units(ms, said):
    assert lasting(ms) == said


def test_an_audit_is_told_in_words(run):
    status, shown, _ = run("verify")
    assert status == 0
    assert "The promise is kept" in shown
    assert "messages receipted and not stored" in shown
    assert "2  " in shown.partition("see `retour quarantine`")[2]


def test_what_trimming_would_do_is_told_in_words(run):
    before = ["db", "trim", "--before", "2026-01-04", "--dry-run"]
    _, shown, _ = run(*before)
    assert "1 observation from before 2026-01-04 00:00:00Z would be given up" in shown
    assert "this was a dry run" in shown
    before[3] = "2020-01-01"
    assert "No observation is from before 2020-01-01" in run(*before)[1]


def test_what_the_database_holds_is_told_in_words(run):
    shown = run("db", "check")[1]
    assert "observations in quarantine" in shown
    assert "none was given up" in shown


def test_what_retention_would_give_up_is_told_in_words(run, monkeypatch):
    retain = ["db", "retain", "--dry-run"]
    assert run(*retain)[2] == "retour: RETOUR_RETENTION_DAYS is not set: the log keeps everything\n"
    monkeypatch.setenv("RETOUR_RETENTION_DAYS", "30")
    assert run(*retain)[1] == "No observation is so old\n"
    monkeypatch.setenv("RETOUR_CLOCK", f"{NOON + 90 * DAY}:0")
    assert "observations from before 2026-01-" in run(*retain)[1]
    monkeypatch.setenv("RETOUR_RETENTION_DAYS", "-1")
    assert "RETOUR_RETENTION_DAYS: Input should be" in run(*retain)[2]
