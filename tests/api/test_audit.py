from typing import Any

import pytest

from tracker.audit import Act, audited

NOON = 1_767_614_400_000
ADMIN = {"Authorization": "Bearer rtr_admin"}


@pytest.fixture
def audited_twice(store: Any) -> None:
    with store.writing() as tx:
        act = Act("key console (k1)", NOON - 50, NOON)
        audited(tx, act, "create", "asset", "pallet-1", None, {"class": "pallet"})
        audited(tx, act, "create", "device", "pallet-1", None, {"kind": "tracker"})
        audited(tx, act, "change", "asset", "pallet-1", {"class": "pallet"}, {"class": "crate"})
        audited(tx, act, "revoke", "key", "k2", {"name": "old"}, None)


@pytest.mark.usefixtures("audited_twice")
def test_shows_who_changed_what(anonymous: Any) -> None:
    items = anonymous.get("/v1/audit", headers=ADMIN).json()["items"]
    assert [item["id"] for item in items] == sorted((i["id"] for i in items), reverse=True)
    changed = items[1]
    changed.pop("id")
    assert changed == {
        "at": "2026-01-05T12:00:00.000Z",
        "by": "key console (k1)",
        "action": "change",
        "kind": "asset",
        "subject": "pallet-1",
        "before": {"class": "pallet"},
        "after": {"class": "crate"},
    }
    assert items[0]["after"] is None


@pytest.mark.usefixtures("audited_twice")
@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ({}, ["revoke", "change", "create", "create"]),
        ({"kind": "asset"}, ["change", "create"]),
        ({"subject": "pallet-1"}, ["change", "create", "create"]),
        ({"kind": "device", "subject": "pallet-1"}, ["create"]),
        ({"kind": "site"}, []),
        ({"subject": "pallet"}, []),
    ],
)
@pytest.mark.parametrize("limit", [1, 3])
def test_filters_hold_on_every_page(anonymous: Any, asked: Any, found: Any, limit: int) -> None:
    actions = []
    cursor: dict[str, str] = {}
    while True:
        params = {**asked, "limit": limit, **cursor}
        page = anonymous.get("/v1/audit", params=params, headers=ADMIN).json()
        actions += [item["action"] for item in page["items"]]
        if page["next"] is None:
            break
        cursor = {"cursor": page["next"]}
    assert actions == found


@pytest.mark.usefixtures("audited_twice")
def test_a_cursor_belongs_to_its_filters(anonymous: Any) -> None:
    page = anonymous.get("/v1/audit?limit=1&kind=asset", headers=ADMIN).json()
    path = f"/v1/audit?kind=device&cursor={page['next']}"
    answer = anonymous.get(path, headers=ADMIN)
    assert (answer.status_code, answer.json()["type"]) == (400, "/problems/bad-cursor")


def test_a_kind_that_there_is_not_is_no_filter(anonymous: Any) -> None:
    answer = anonymous.get("/v1/audit?kind=assets", headers=ADMIN)
    assert answer.status_code == 422
    (error,) = answer.json()["errors"]
    assert (error["name"], error["at"]) == ("kind", "query")
    assert "'asset'" in error["detail"]
