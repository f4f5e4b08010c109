"""The forecast of late lines at the terminal."""

from datetime import date
from shutil import copy

import pytest

from tracker.leases import Lease, Line, Partner, ends_at, starts_at
from tracker.stores.sqlite import SqliteStore


@pytest.fixture
def world(world, tmp_path):
    """A copy of the small world, with leases of two pallets."""
    path = copy(world, tmp_path / "retour.db")
    store = SqliteStore(path)
    start, dues = date(2025, 12, 20), (date(2026, 1, 9), date(2026, 2, 9))
    with store.writing() as tx:
        for n, due in enumerate(dues, 1):
            times = starts_at(start, "UTC"), ends_at(due, "UTC")
            line = Line(f"L{n}", "1", f"pallet-{n}", None, start, due, *times)
            tx.put_partner(Partner(f"cust-{n}"))
            tx.put_lease(Lease(f"L{n}", f"cust-{n}", ("shed",), "UTC", lines=(line,)))
    store.close()
    return path


def test_lines_by_how_likely_they_are_late(ask):
    found = ask("forecast")
    assert [one["lease"] for one in found] == ["L1", "L2"]
    assert found[0]["p_late"] > found[1]["p_late"]
    assert found[0]["late_from"] == "2026-01-11T00:00:00.000Z"
    assert ask("forecast", "--customer", "cust-2") == found[1:]


def test_for_people(run):
    status, shown, complaints = run("forecast", "--limit", 1)
    assert (status, complaints) == (0, "there are more than 1: ask for them with --limit\n")
    assert "L1/1" in shown
    assert "2026-01-11 00:00:00Z" in shown
    assert run("forecast", "--customer", "cust-3")[::2] == (
        1,
        "retour: there is no partner cust-3; did you mean cust-2 or cust-1?\n",
    )
