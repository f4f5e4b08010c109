"""Lives over HTTP: classes, inspections, decisions, work, and who has served its time."""

from __future__ import annotations

from typing import Any

import pytest

from tracker.class_book import class_fields
from tracker.class_files import SHIPPED, shipped_class
from tracker.life_ports import Spent
from tracker.model import Asset
from tracker.registry import save_asset

DRILL: dict[str, Any] = {
    "price": 400,
    "margin_per_cycle": 12,
    "limits": {"age_days": 365},
    "wear": {"cycles": 120, "shape": 2.2},
    "defects": [{"code": "cracked", "text": "Cracked", "grade": "D", "fails": True}],
    "routes": [
        {"id": "restock", "kind": "restock", "cost": 2},
        {"id": "repair", "kind": "repair", "cost": 30, "success": 0.9, "otherwise": "scrap"},
        {"id": "scrap", "kind": "recycle", "cost": 3},
    ],
}
CRACKED = {"asset": "drill-1", "defects": [{"code": "cracked"}]}


@pytest.fixture
def drill(world: Any, writer: Any) -> Any:
    with world.store.writing() as tx:
        save_asset(tx, Asset("drill-1", "drill", attributes={"made": "2025-06-01"}))
    assert writer.put("/v1/classes/drill", json=DRILL).status_code == 201
    return writer


def refused(answer: Any) -> list[tuple[str, str]]:
    assert answer.status_code == 422, answer.text
    return [(one["name"], one["detail"]) for one in answer.json()["errors"]]


class TestClasses:
    @pytest.mark.parametrize("name", SHIPPED)
    def test_a_shipped_one_can_be_put_and_comes_back_as_it_was(
        self, writer: Any, name: str
    ) -> None:
        fields = class_fields(shipped_class(name))
        assert writer.put(f"/v1/classes/{name}", json=fields).status_code == 201
        told = writer.get(f"/v1/classes/{name}").json()
        assert writer.put(f"/v1/classes/{name}", json=told).json() == told
        assert {key: told[key] for key in ("id", "price")} == {"id": name, "price": fields["price"]}

    def test_a_change_may_name_the_version_that_it_changes(self, drill: Any) -> None:
        etag = drill.get("/v1/classes/drill").headers["ETag"]
        dearer = DRILL | {"price": 500}
        put = drill.put("/v1/classes/drill", json=dearer, headers={"If-Match": etag})
        assert put.json()["price"] == 500
        again = drill.put("/v1/classes/drill", json=DRILL, headers={"If-Match": etag})
        assert again.status_code == 412
        assert [one["id"] for one in drill.get("/v1/classes").json()["items"]] == ["drill"]
        assert drill.delete("/v1/classes/drill").status_code == 204
        assert drill.get("/v1/classes/drill").status_code == 404

    @pytest.mark.parametrize(
        ("wrong", "name", "why"),
        [
            ({"price": -1}, "price", "greater than or equal to 0"),
            ({"routes": []}, "routes", "at least 1"),
            (
                {"routes": [{"id": "a", "kind": "repair", "success": 1.1}]},
                "routes.0.success",
                "less than or equal to 1",
            ),
            (
                {"routes": [{"id": "a", "kind": "repair", "otherwise": "b"}]},
                "routes.0.otherwise",
                "there is no route 'b'",
            ),
            (
                {"routes": [{"id": "a", "kind": "repair", "success": 0}]},
                "routes.0.success",
                "cannot be reached",
            ),
            (
                {"defects": [{"code": "x", "text": "X", "grade": "F"}]},
                "defects.0.grade",
                "no grade",
            ),
            ({"service": [{"id": "oil"}]}, "service.0", "every_days"),
            ({"stress": {"shock_from": 2.3}}, "stress.shock_from", "multiple of 0.5"),
            ({"colour": "blue"}, "colour", "Extra inputs"),
        ],
    )
    def test_what_cannot_be_is_refused_by_its_place(
        self, drill: Any, wrong: Any, name: str, why: str
    ) -> None:
        ((where, what),) = refused(drill.put("/v1/classes/drill", json=DRILL | wrong))
        assert where == name
        assert why in what
        assert drill.get("/v1/classes/drill").json()["price"] == 400


class TestReturn:
    def test_inspected_decided_repaired_and_ready_again(self, drill: Any) -> None:
        put = drill.put("/v1/inspections/i1", json=CRACKED)
        assert (put.status_code, put.json()["grade"], put.json()["failed"]) == (201, "D", True)
        assert drill.put("/v1/inspections/i1", json=CRACKED).status_code == 200
        choice = drill.get("/v1/assets/drill-1/disposition").json()
        assert choice["recommended"] == "repair"
        by_route = {one["route"]: one for one in choice["routes"]}
        assert by_route["restock"]["excluded"] == "it does not work, and this mends nothing"
        repair = by_route["repair"]
        assert sum(repair["terms"].values()) == pytest.approx(repair["value"])

        decide = "/v1/assets/drill-1/decisions"
        first = drill.put(f"{decide}/d1", json={"route": "repair", "after": 0})
        assert (first.status_code, first.json()["inspection"]) == (201, "i1")
        second = drill.put(f"{decide}/d2", json={"route": "scrap", "after": 0, "reason": "old"})
        assert (second.status_code, second.json()["type"]) == (409, "/problems/conflict")
        drill.put(f"{decide}/d3", json={"route": "scrap", "after": 1, "reason": "old"})
        (overrides,) = drill.get("/v1/overrides").json()["classes"]
        assert (overrides["class"], overrides["rate"], overrides["reasons"]) == (
            "drill",
            0.5,
            {"old": 1},
        )
        assert overrides["given_away"] == pytest.approx(
            repair["value"] - by_route["scrap"]["value"]
        )

        order = {"asset": "drill-1", "kind": "repair", "route": "repair"}
        assert drill.put("/v1/work-orders/w1", json=order).status_code == 201
        done = {"put": [{"name": "motor", "cost": 45}], "cost": 10}
        told = drill.put("/v1/work-orders/w1/done", json=done)
        assert told.json()["spent"] == 55
        tag = told.headers["ETag"]
        close = "/v1/work-orders/w1/close"
        assert drill.post(close, json={"result": "done"}, headers={"If-Match": '"1"'}).status_code
        closed = drill.get("/v1/work-orders/w1").json()["closed"]
        assert closed is None  # of another version
        ended = drill.post(close, json={"result": "done"}, headers={"If-Match": tag})
        assert ended.json()["result"] == "done"
        assert drill.post(close, json={"result": "done"}).json() == ended.json()
        assert drill.post(close, json={"result": "cancelled"}).status_code == 409
        assert drill.get("/v1/assets/drill-1/disposition").json()["recommended"] == "restock"
        assert len(drill.get("/v1/assets/drill-1/genealogy").json()["work_orders"]) == 1
        assert drill.get("/v1/work-orders?open=true").json()["items"] == []

    @pytest.mark.parametrize(
        ("wrong", "name", "why"),
        [
            ({"grade": "Z"}, "grade", "there are A, B, C, D"),
            ({"defects": [{"code": "bent"}]}, "defects.0.code", "no defect 'bent'"),
            ({"checked": [{"item": "x", "value": True}]}, "checked.0.item", "no item 'x'"),
            ({"outcome": "painted"}, "outcome", "no stage 'painted'"),
            ({"at": "2031-01-01T00:00:00Z"}, "at", "in the future"),
        ],
    )
    def test_an_inspection_that_cannot_be_is_refused_whole(
        self, drill: Any, wrong: Any, name: str, why: str
    ) -> None:
        answer = drill.put("/v1/inspections/i1", json=CRACKED | {"outcome": "repair"} | wrong)
        ((where, what),) = refused(answer)
        assert where == name
        assert why in what
        assert drill.get("/v1/assets/drill-1/inspections").json()["inspections"] == []

    def test_what_is_not_known_is_told(self, drill: Any, world: Any) -> None:
        world.asset("pallet-1")
        for path in ("end-of-life", "disposition"):
            missing = drill.get(f"/v1/assets/pallet-1/{path}")
            assert missing.json()["type"] == "/problems/unknown-class"
            assert drill.get(f"/v1/assets/nobody/{path}").status_code == 404
        unknown = drill.put("/v1/assets/drill-1/decisions/d", json={"route": "sell", "after": 0})
        assert (unknown.status_code, unknown.json()["type"]) == (422, "/problems/no-route")
        assert drill.get("/v1/work-orders/none").json()["type"] == "/problems/unknown-work-order"


class TestEnds:
    def test_a_limit_in_words_and_figures(self, drill: Any, world: Any) -> None:
        told = drill.get("/v1/assets/drill-1/end-of-life").json()
        assert (told["found"], told["trips"]) == ([], 0)
        assert told["age_days"] == pytest.approx(218.5)
        assert told["p_fail"]["20"] > told["p_fail"]["1"] > 0
        assert told["remaining"]["low"] < told["remaining"]["middle"] < told["remaining"]["high"]
        with world.store.writing() as tx:
            save_asset(tx, Asset("drill-1", "drill", attributes={"made": "2024-06-01"}))
        (found,) = drill.get("/v1/assets/drill-1/end-of-life").json()["found"]
        assert found["sentence"] == "Its age reached the limit of 365 days on 2025-06-01."
        assert (found["kind"], found["by"]) == ("limit_reached", "age")

    def test_the_list_comes_in_pages_and_as_a_table(self, drill: Any, world: Any) -> None:
        found = [
            Spent(f"a{n}", "drill" if n % 2 else "keg", n / 10, "limit_age", n, None, None)
            for n in range(10)
        ]
        with world.store.writing() as tx:
            tx.save_spent(found, [])
        names, cursor = list[str](), ""
        while True:
            page = drill.get(f"/v1/end-of-life?limit=3{cursor}").json()
            names += [one["asset"] for one in page["items"]]
            if page["next"] is None:
                break
            cursor = f"&cursor={page['next']}"
        assert names == [f"a{n}" for n in reversed(range(10))]
        kegs = drill.get("/v1/end-of-life?class=keg&at_least=0.4").json()["items"]
        assert [one["asset"] for one in kegs] == ["a8", "a6", "a4"]
        assert drill.get("/v1/end-of-life?because=old").status_code == 422
        table = drill.get("/v1/end-of-life.csv?class=drill&limit=2").text.splitlines()
        assert table[0].startswith("asset,class,spent,because,trips")
        assert [line.split(",")[0] for line in table[1:]] == ["a9", "a7"]
