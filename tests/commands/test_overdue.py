"""`retour overdue` as a user gives it."""

import json
from datetime import date

import pytest

from tracker.alerts import Alert, State
from tracker.arrange import arrange
from tracker.leases import Lease, Line, Partner
from tracker.model import Asset
from tracker.places import Site
from tracker.stores.sqlite import SqliteStore

NOON, DAY = 1_767_614_400_000, 86_400_000  # 2026-01-05T12:00:00Z


@pytest.fixture
def overdue(run, monkeypatch, tmp_path):
    """The command on a database in which two assets are overdue."""
    path = tmp_path / "own.db"
    monkeypatch.setenv("RETOUR_DATABASE", f"sqlite:///{path}")
    monkeypatch.setenv("RETOUR_CLOCK", f"{NOON}:0.001")
    store = SqliteStore(path)
    with store.writing() as tx:
        arrange(tx, Site(id="cust-1"))
        for n, value in ((1, 80), (2, 7)):
            due, since = date(2026, 1, 4 - n), NOON - n * DAY
            line = Line(f"L{n}", "1", f"A{n}", None, date(2026, 1, 1), due, 0, since)
            tx.put_asset(Asset(f"A{n}", "pallet", attributes={"value": value, "currency": "EUR"}))
            tx.put_partner(Partner(f"c{n}"))
            tx.put_lease(Lease(f"L{n}", f"c{n}", (), "UTC", lines=(line,)))
            about = (f"A{n}", f"L{n}", "1", "overdue", 1, State.OPEN, "serious", 1)
            tx.save_alerts([Alert(*about, since, since, since, since, why={"p": n / 4})])
    store.close()
    return lambda *words: run("overdue", *words)


def assets(overdue, *words):
    status, told, complaints = overdue(*words, "--json")
    assert status == 0, complaints
    return [one["asset"] for one in json.loads(told)]


def test_it_is_sorted_and_chosen(overdue):
    assert assets(overdue) == assets(overdue, "--sort", "p") == ["A2", "A1"]
    assert assets(overdue, "--sort", "value") == ["A1", "A2"]
    assert assets(overdue, "--customer", "c1", "--class", "pallet") == ["A1"]
    assert overdue("--site", "cust-1")[1] == "nothing is overdue\n"


def test_who_and_where_must_be_known(overdue):
    """A slip of the key would find that nothing is overdue."""
    status, told, complaints = overdue("--customer", "c3")
    assert (status, told) == (1, "")
    assert "there is no partner c3" in complaints
    assert "there is no site nowhere" in overdue("--site", "nowhere")[2]


def test_people_read_since_when_what_it_is_worth_and_why(overdue):
    _, told, complaints = overdue("--limit", "1")
    for words in ("A2", "L2/1", "2026-01-02", "50%", "7 EUR", "It was due on 2026-01-02"):
        assert words in told
    assert "there are more than 1" in complaints
