"""The fleet's figures by the API: out of what was told of assets, and as a table."""

import csv
from datetime import date
from typing import Any

import pytest

from tracker.arrange import arrange
from tracker.audit import PROGRAM
from tracker.facts import state
from tracker.leases import End, Lease, Line, Partner
from tracker.model import Asset, Fact
from tracker.places import Site
from tracker.registry import save_asset
from tracker.stamps import StampPolicy

NOON = 1_767_614_400_000  # 2026-01-05T12:00:00Z
DAY = 86_400_000
BEGIN = NOON - 40 * DAY
WAY = ("dispatched", "lease_started", "collected", "received")


@pytest.fixture
def fleet(world: Any) -> None:
    """Three pallets that went to acme and bolt: two of them are back, after 10 and 20 days."""
    with world.store.writing() as tx:
        for partner in ("acme", "bolt"):
            arrange(tx, Site(id=f"at-{partner}", kind="customer"))
            tx.put_partner(Partner(partner, sites=(f"at-{partner}",)))
        for n, (partner, days) in enumerate([("acme", 10), ("acme", 20), ("bolt", None)]):
            id = f"p{n}"
            save_asset(tx, Asset(id, "pallet", initial_stage="ready"), PROGRAM)
            ended = End("returned", BEGIN + days * DAY) if days else None
            when = (date(2025, 11, 26), date(2025, 12, 11), BEGIN, BEGIN + 15 * DAY)
            line = Line(f"L{n}", "1", id, None, *when, ended)
            tx.put_lease(Lease(f"L{n}", partner, (f"at-{partner}",), "UTC", lines=(line,)))
            gone = [(0.0, WAY[0]), (0.5, WAY[1])]
            back = [(days - 1.0, WAY[2]), (float(days), WAY[3])] if days else []
            for day, kind in gone + back:
                at = BEGIN + int(day * DAY)
                state(tx, [(Fact(id, kind, id=f"{id}-{kind}"), at)], StampPolicy(), at)


def figures(client: Any, **asked: Any) -> dict[str | None, dict[str, Any]]:
    answer = client.get("/v1/kpi", params=asked)
    assert answer.status_code == 200, answer.text
    return {
        group["key"]: {one["name"]: one for one in group["figures"]}
        for group in answer.json()["groups"]
    }


def test_each_figure_comes_with_its_formula_and_counts(client: Any, fleet: Any) -> None:
    found = figures(client)[None]
    rate = found["return_rate"]
    assert rate == {
        "name": "return_rate",
        "value": pytest.approx(2 / 3),
        "unit": "share",
        "formula": "returned by the period's end / sent out in the period",
        "numerator": 2,
        "denominator": 3,
        "why": None,
    }
    assert found["return_cycle_time"]["value"] == pytest.approx(15, abs=0.01)
    assert found["days_overdue"]["value"] == pytest.approx((0 + 5 + 25) / 3, abs=0.01)
    assert found["recovery_rate"]["value"] is None
    assert "no inspection" in found["recovery_rate"]["why"]


def test_the_curve_counts_what_is_still_out(client: Any, fleet: Any) -> None:
    answer = client.get("/v1/kpi").json()
    steps = answer["groups"][0]["curve"]
    assert [(round(one["days"]), one["at_risk"], one["back"]) for one in steps] == [
        (10, 3, 1),
        (20, 2, 1),
    ]
    assert steps[-1]["share"] == pytest.approx(2 / 3)
    stages = {one["stage"]: one["days"] for one in answer["groups"][0]["stages"]}
    assert stages["in_use"] > 30


def test_a_period_is_looked_at_its_end(client: Any, fleet: Any) -> None:
    """On the fifteenth day one was back."""
    found = figures(client, to=BEGIN + 15 * DAY)[None]
    assert (found["return_rate"]["numerator"], found["return_rate"]["denominator"]) == (1, 3)
    later = figures(client, **{"from": BEGIN + 15 * DAY})[None]
    assert later["return_rate"]["why"] == "nothing was sent out in the period"
    assert later["return_cycle_time"]["value"] == pytest.approx(20, abs=0.01)


def test_what_is_to_come_counts_for_nothing(client: Any, fleet: Any) -> None:
    """Else assets would be in use, or idle, on days that nobody has seen."""
    now = client.get("/v1/kpi").json()
    later = client.get("/v1/kpi", params={"to": NOON + 3_650 * DAY}).json()
    assert later == now
    assert client.get("/v1/kpi", params={"from": NOON + 3_650 * DAY}).status_code == 422


def test_by_partner_site_and_class(client: Any, fleet: Any) -> None:
    by_partner = figures(client, by="partner")
    rates = {key: one["return_rate"]["value"] for key, one in by_partner.items()}
    assert rates == {"acme": 1.0, "bolt": 0.0}
    assert by_partner["acme"]["turns"]["why"] == "a pool is of a class, not of a site or partner"
    assert figures(client, by="site").keys() == {"at-acme", "at-bolt"}
    by_class = figures(client, by="class")
    assert by_class.keys() == {"pallet"}
    assert by_class["pallet"] == figures(client)[None]
    for filters in ({"partner": "bolt"}, {"site": "at-bolt"}):
        assert figures(client, **filters)[None]["return_rate"]["denominator"] == 1
    assert figures(client, **{"class": "keg"})[None]["return_rate"]["value"] is None


def test_the_table_says_the_same(client: Any, fleet: Any) -> None:
    table = client.get("/v1/kpi.csv", params={"by": "partner"})
    assert table.headers["content-type"].startswith("text/csv")
    rows = [*csv.DictReader(table.text.splitlines())]
    told = figures(client, by="partner")
    assert len(rows) == sum(map(len, told.values()))
    for row in rows:
        one = told[row["group"]][row["figure"]]
        assert row["formula"] == one["formula"]
        assert row["value"] == ("" if one["value"] is None else str(one["value"]))


def test_safety_stock_counts_in_the_fleet_size(client: Any, world: Any, fleet: Any) -> None:
    with world.store.writing() as tx:
        for id in ("p0", "p1"):
            at = BEGIN + 22 * DAY
            fact = Fact(id, "inspected", "ready", id=f"{id}-inspected")
            state(tx, [(fact, at)], StampPolicy(), at)
    sizes = [figures(client, safety_stock=n)[None]["fleet_size"]["value"] for n in (0, 20)]
    assert sizes[1] == sizes[0] + 20


@pytest.mark.parametrize(
    ("asked", "status"),
    [
        ({"site": "nowhere"}, 404),
        ({"partner": "nobody"}, 404),
        ({"by": "colour"}, 422),
        ({"safety_stock": -1}, 422),
        ({"from": 5, "to": 4}, 422),
        ({"group": "class"}, 422),
    ],
)
@pytest.mark.parametrize("path", ["/v1/kpi", "/v1/kpi.csv"])
def test_what_cannot_be_asked(client: Any, path: str, asked: dict[str, Any], status: int) -> None:
    assert client.get(path, params=asked).status_code == status


def test_of_an_empty_database_nothing_is_known(client: Any) -> None:
    found = figures(client)[None]
    assert [one["name"] for one in found.values() if one["value"] is not None] == []
    assert figures(client, by="class") == {}
