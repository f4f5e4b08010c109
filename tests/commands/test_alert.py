"""What is done about one alert at the terminal."""

import re
from datetime import date
from shutil import copy

import pytest

from tracker.facts import state
from tracker.leases import Lease, Line, Partner
from tracker.model import Asset, Fact
from tracker.registry import register_asset
from tracker.stamps import StampPolicy
from tracker.stores.sqlite import SqliteStore
from tracker.watching import look_at_due

NOON = 1_767_614_400_000  # 2026-01-05T12:00:00Z
DAY = 86_400_000
BEGAN, DUE = NOON - 9 * DAY, NOON - 3 * DAY


@pytest.fixture
def world(world, tmp_path):
    """A copy of the small world, with a keg that a customer keeps."""
    path = copy(world, tmp_path / "retour.db")
    store = SqliteStore(path)
    with store.writing() as tx:
        tx.put_partner(Partner("acme", sites=("shed",)))
        register_asset(tx, Asset("keg-1", "keg", initial_stage="in_use"))
        days = (date(2025, 12, 27), date(2026, 1, 1))
        line = Line("L1", "1", "keg-1", None, *days, BEGAN, DUE)
        tx.put_lease(Lease("L1", "acme", ("shed",), "UTC", lines=(line,)))
        fact = Fact("keg-1", "lease_started", id="f1")
        state(tx, [(fact, BEGAN)], StampPolicy(), BEGAN)
    with store.writing() as tx:
        look_at_due(tx, NOON, 100)
    store.close()
    return path


@pytest.fixture
def alert(ask):
    [found] = [one["id"] for one in ask("alerts", "--rule", "overdue")]
    return found


def test_it_is_taken_on_and_that_is_told(run, ask, alert):
    assert run("alert", "acknowledge", alert, "--note", "called them")[0] == 0
    told = ask("alert", "show", alert)
    assert (told["state"], told["lease"], told["rule"]) == ("acknowledged", "L1", "overdue")
    assert [(e["what"], e["note"]) for e in told["events"]] == [
        ("opened", None),
        ("acknowledged", "called them"),
    ]
    assert told["events"][1]["by"].startswith("terminal ")
    shown = run("alert", "show", alert)[1]
    assert "called them" in shown
    assert "keg-1" in shown
    assert "deadline 2026-01-03 12:00:00Z" in shown
    assert re.search(r"since +2026-01-03 12:00:00Z", shown)


def test_it_is_snoozed_for_a_while_or_until_a_time(run, ask, alert):
    assert run("alert", "snooze", alert, "--for", "3 d")[0] == 0
    told = ask("alert", "show", alert)
    assert told["state"] == "snoozed"
    assert told["until"] == "2026-01-08T12:00:00.000Z"
    assert run("alert", "snooze", alert, "--until", "2026-01-07")[0] == 0
    assert ask("alert", "show", alert)["until"] == "2026-01-07T00:00:00.000Z"


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ([], "say either --until or --for"),
        (["--for", "3 d", "--until", "2026-01-07"], "say either --until or --for"),
        (["--for", "soon"], "'soon' is no length of time: write 45 s, 90 min, 24 h or 3 d"),
        (["--until", "2026-01-01"], "snooze an alert until a time that is still to come"),
    ],
)
def test_a_while_that_makes_no_sense(run, ask, alert, given, said):
    status, _, complaint = run("alert", "snooze", alert, *given)
    assert status == 1
    assert said in complaint
    assert ask("alert", "show", alert)["state"] == "open"


def test_it_is_seen_to_and_then_only_commented_on(run, ask, alert):
    assert run("alert", "resolve", alert, "--note", "they bought it")[0] == 0
    status, _, complaint = run("alert", "acknowledge", alert)
    assert status == 1
    assert "is over already (resolved: by hand); one can still comment on it" in complaint
    assert run("alert", "comment", alert, "invoice sent")[0] == 0
    assert [e["what"] for e in ask("alert", "show", alert)["events"]] == [
        "opened",
        "resolved",
        "commented",
    ]
    assert ask("alerts", "--asset", "keg-1") == []


def test_one_that_there_is_not(run):
    assert run("alert", "show", "al_0")[2] == "retour: there is no alert al_0\n"
    assert run("alert", "resolve", "al_0")[2] == "retour: there is no alert al_0\n"
