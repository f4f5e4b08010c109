"""A fleet's figures over HTTP."""

from __future__ import annotations

from typing import Any

import pytest

from tracker.model import Fix

NOON = 1_767_614_400_000
HOUR = 3_600_000


@pytest.fixture
def pool(world: Any, writer: Any) -> None:
    """One asset came back after three hours, one is out."""
    whole = ("dispatched", "lease_started", "collected", "received")
    for n, kinds in enumerate((whole, ("dispatched",))):
        world.device(f"trk-{n}")
        world.asset(f"pallet-{n}", devices=(f"trk-{n}",))
        world.tell(f"trk-{n}", 0, (NOON - 9 * HOUR, Fix(50.0, 4.0)))
        facts = [
            {"id": f"{n}-{kind}", "asset": f"pallet-{n}", "kind": kind, "at": NOON - (8 - k) * HOUR}
            for k, kind in enumerate(kinds)
        ]
        assert writer.post("/v1/facts", json=facts).json()["stored"] == len(kinds)


def figures(group: Any) -> dict[str, Any]:
    return {one["name"]: one for one in group["figures"]}


def test_each_figure_stands_beside_its_formula_and_what_it_rests_on(client: Any, pool: Any) -> None:
    told = client.get("/v1/kpi?by=class").json()
    (group,) = told["groups"]
    found = figures(group)
    assert group["group"] == "pallet"
    assert (found["return_rate"]["value"], found["return_rate"]["of"]) == (0.5, 2)
    assert found["return_rate"]["formula"] == "returned / shipped"
    assert found["cycle_time"]["value"] == pytest.approx(3 / 24)
    assert found["no_fault_found"]["value"] is None
    assert found["no_fault_found"]["but"] == "nothing was inspected"


def test_the_table_has_the_same(client: Any, pool: Any) -> None:
    lines = client.get("/v1/kpi.csv").text.splitlines()
    assert lines[0] == "group,name,value,unit,formula,of,but"
    assert "all,return_rate,0.5,,returned / shipped,2.0," in lines


def test_a_period_that_is_none_is_refused(client: Any) -> None:
    asked = {"from": "2026-01-02T00:00:00Z", "to": "2026-01-01T00:00:00Z"}
    answer = client.get("/v1/kpi", params=asked)
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["name"] == "from"
