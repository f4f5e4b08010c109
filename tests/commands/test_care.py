"""What a technician says at the bench: `retour inspect` and `retour decide`."""

from contextlib import closing

import pytest

from tests.commands.conftest import NOON
from tracker.audit import Act
from tracker.class_book import put_class
from tracker.class_files import shipped_class
from tracker.model import Asset
from tracker.registry import save_asset
from tracker.stores.sqlite import SqliteStore


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "bench.db"
    with closing(SqliteStore(path)) as store, store.writing() as tx:
        put_class(tx, shipped_class("power_tool"), Act("test", NOON, NOON))
        save_asset(tx, Asset("drill-7", "power_tool", attributes={"made": "2025-01-01"}))
        save_asset(tx, Asset("crate-1", "crate"))
    return path


@pytest.fixture
def give(run, path, monkeypatch):
    monkeypatch.setenv("RETOUR_DATABASE", f"sqlite:///{path}")
    return run


@pytest.fixture
def kept(path):
    """What is stored about the drill."""

    def ask(what):
        with closing(SqliteStore(path)) as store, store.reading() as reader:
            return getattr(reader, what)(["drill-7"]).get("drill-7", [])

    return ask


def test_what_was_found_leaves_a_grade(give, kept):
    words = ("inspect", "drill-7", "--item", "insulation=yes", "--defect", "no_start", "--id", "i1")
    status, said, _ = give(*words)
    assert status == 0
    assert said == "inspection i1: drill-7 is of grade D, it does not work (no_start)\n"
    assert "as it was before" in give(*words, "--at", "2026-01-05T12:00:00Z")[1]
    (made,) = kept("inspections_of")
    assert (made.at, made.by.split()[0]) == (NOON, "terminal")
    assert [(one.item, one.value) for one in made.found.checked] == [("insulation", True)]


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (("drill-8",), "no asset drill-8 is registered; did you mean drill-7?"),
        (("crate-1",), "nothing is known of the class 'crate'"),
        (("drill-7", "--item", "insulation"), "write ITEM=yes, ITEM=no or ITEM=NUMBER"),
        (("drill-7", "--item", "insulation=perhaps"), "--item insulation=perhaps: write"),
        (("drill-7", "--defect", "no_stat"), "defects.0.code: "),
        (("drill-7", "--grade", "Z"), "Z"),
        (("drill-7", "--outcome", "nowhere", "--item", "insulation=no"), "nowhere"),
        (("drill-7", "--grade", "C"), "checked: insulation must be looked at"),
        (("drill-7", "--at", "2036-01-01T00:00:00Z"), "future"),
    ],
)
def test_what_cannot_be_found_is_told_in_a_line(give, kept, words, complaint):
    status, said, complaints = give("inspect", *words)
    assert (status, said, complaints.count("\n")) == (1, "", 1)
    assert complaint in complaints
    assert not kept("inspections_of")


def test_a_decision_as_is_recommended_and_another_one(give, kept):
    assert give("decide", "drill-7", "restock", "--id", "d1")[1] == (
        "decision d1, number 1 about drill-7: restock, as recommended\n"
    )
    status, _, complaints = give("decide", "drill-7", "recycle")
    assert (status, "say for which reason" in complaints) == (1, True)
    status, _, complaints = give("decide", "drill-7", "recycle", "--reason", "old", "--after", 0)
    assert (status, "meanwhile" in complaints) == (1, True)
    assert "though restock is recommended" in give(
        "decide", "drill-7", "recycle", "--reason", "old"
    )[1]  # fmt: skip
    assert [one.route for one in kept("decisions_of")] == ["restock", "recycle"]


def test_a_route_that_there_is_not(give, kept):
    status, _, complaints = give("decide", "drill-7", "restok")
    assert status == 1
    assert "power_tool has no route 'restok' (did you mean 'restock'?)" in complaints
    assert not kept("decisions_of")
