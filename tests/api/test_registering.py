"""Assets and their bindings, set up and changed through the API."""

import json
from typing import Any

import pytest

from tracker.model import Fix, Read
from tracker.places import Standing

NOON = 1_767_614_400_000
EPC = "3374257BF40C0E400000162E"
TAG = "urn:epc:id:grai:0614141.12345.5678"
BLUE = {
    "class": "pallet",
    "name": "Blue 7",
    "home": None,
    "initial_stage": "in_stock",
    "attributes": {"color": "blue", "weight_kg": 25, "wet": True, "share": 0.5},
    "external_ids": {"erp": "4711"},
}


def type_of(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.json()["type"].removeprefix("/problems/")


def ids(answer: Any) -> list[str]:
    assert answer.status_code == 200, answer.text
    return [item["id"] for item in answer.json()["items"]]


def test_an_asset_is_registered_once(writer: Any) -> None:
    made = writer.post("/v1/assets", json={"id": "a:1 ü", **BLUE})
    assert made.status_code == 201
    assert made.json() == {"id": "a:1 ü", **BLUE}
    assert made.headers["etag"] == '"1"'
    assert writer.get(made.headers["location"]).json()["name"] == "Blue 7"
    assert type_of(writer.post("/v1/assets", json={"id": "a:1 ü"})) == (409, "conflict")


def test_a_put_replaces_and_repeats(writer: Any) -> None:
    assert writer.put("/v1/assets/a", json=BLUE).status_code == 201
    again = writer.put("/v1/assets/a", json=BLUE)
    assert (again.status_code, again.headers["etag"]) == (200, '"1"')
    changed = writer.put("/v1/assets/a", json={"class": "box"})
    assert (changed.headers["etag"], changed.json()["attributes"]) == ('"2"', {})
    assert ids(writer.get("/v1/assets", params={"external_id": "erp:4711"})) == []


def test_a_patch_merges(writer: Any) -> None:
    writer.put("/v1/assets/a", json=BLUE)
    patch = {"name": None, "attributes": {"color": None, "wet": False, "new": "x"}}
    patched = writer.patch("/v1/assets/a", json=patch).json()
    attributes = {"weight_kg": 25, "wet": False, "share": 0.5, "new": "x"}
    assert patched == {"id": "a", **BLUE, "name": "", "attributes": attributes}
    assert writer.patch("/v1/assets/a", json={}).headers["etag"] == '"2"'
    assert writer.patch("/v1/assets/a", json={"external_ids": None}).json()["external_ids"] == {}
    assert type_of(writer.patch("/v1/assets/b", json={})) == (404, "unknown-asset")


def test_a_change_of_what_somebody_else_changed_is_refused(writer: Any) -> None:
    tag = writer.put("/v1/assets/a", json=BLUE).headers["etag"]
    seen = writer.get("/v1/assets/a").headers["etag"]  # with a digest behind the version
    assert writer.patch("/v1/assets/a", json={"name": "x"}, headers={"If-Match": seen}).is_success
    for method, path in (
        ("PUT", "/v1/assets/a"),
        ("PATCH", "/v1/assets/a"),
        ("PUT", "/v1/assets/by-external-id/erp/4711"),
    ):
        for headers in ({"If-Match": tag}, {"If-Match": seen}, {"If-None-Match": "*"}):
            answer = writer.request(method, path, json={"name": "y"}, headers=headers)
            assert type_of(answer) == (412, "outdated")
    new = writer.put("/v1/assets/b", json={}, headers={"If-None-Match": "*"})
    assert new.status_code == 201
    assert type_of(writer.put("/v1/assets/c", json={}, headers={"If-Match": tag})) == (
        412,
        "outdated",
    )


def test_an_upsert_finds_what_another_system_calls_so(writer: Any) -> None:
    path = "/v1/assets/by-external-id/erp/47"
    made = writer.put(path, json={"class": "pallet", "external_ids": {"crm": "x"}})
    assert made.status_code == 201
    assert (made.json()["id"], made.headers["location"]) == ("erp-47", "/v1/assets/erp-47")
    again = writer.put(path, json={"class": "pallet"})
    assert (again.status_code, again.headers["etag"]) == (200, '"1"')
    assert again.json()["external_ids"] == {"crm": "x", "erp": "47"}
    assert writer.get(path).json() == writer.get("/v1/assets/erp-47").json()
    named = writer.put("/v1/assets/by-external-id/erp/a/b", json={"id": "pallet-1"})
    assert (named.status_code, named.json()["id"]) == (201, "pallet-1")
    assert writer.get("/v1/assets/by-external-id/erp/a/b").json()["id"] == "pallet-1"


def test_an_upsert_renames_and_takes_over_nothing(writer: Any) -> None:
    writer.put("/v1/assets/by-external-id/erp/47", json={})
    writer.put("/v1/assets/a", json={})
    for path, body in (
        ("/v1/assets/by-external-id/erp/47", {"id": "b"}),  # it is erp-47
        ("/v1/assets/by-external-id/erp/48", {"id": "a"}),  # erp does not call it so
        ("/v1/assets/by-external-id/erp/a/b", {}),  # erp-a/b is no id
        ("/v1/assets/a", {"external_ids": {"erp": "47"}}),
    ):
        assert type_of(writer.put(path, json=body)) == (409, "conflict"), path
    assert type_of(writer.get("/v1/assets/by-external-id/erp/48")) == (404, "unknown-asset")
    assert ids(writer.get("/v1/assets")) == ["a", "erp-47"]


@pytest.mark.parametrize(
    ("body", "name"),
    [
        ({"klass": "x"}, "klass"),
        ({"class": ""}, "class"),
        ({"attributes": {"a": [1]}}, "attributes.a"),
        ({"attributes": {"a": 10**15}}, "attributes.a"),
        ({"attributes": {"": 1}}, "attributes..[key]"),
        ({"external_ids": {"erp": ""}}, "external_ids.erp"),
        ({"home": "a b"}, "home"),
        ([], "body"),
    ],
)
def test_a_bad_asset_is_refused(writer: Any, body: Any, name: str) -> None:
    answer = writer.put("/v1/assets/a", json=body)
    assert type_of(answer) == (422, "bad-value")
    assert {one["name"] for one in answer.json()["errors"]} == {name}
    assert writer.get("/v1/assets/a").status_code == 404


@pytest.mark.parametrize("id", ["", "a/b", "a\n", "x" * 257])
def test_a_bad_id_is_refused(writer: Any, id: str) -> None:
    answer = writer.post("/v1/assets", json={"id": id})
    assert type_of(answer) == (422, "bad-value")
    assert [one["name"] for one in answer.json()["errors"]] == ["id"]


def test_a_home_must_be_there(writer: Any, world: Any) -> None:
    assert type_of(writer.put("/v1/assets/a", json={"home": "depot"})) == (409, "unregistered")
    world.site("depot")
    assert writer.put("/v1/assets/a", json={"home": "depot"}).json()["home"] == "depot"


def test_assets_are_found(writer: Any, world: Any) -> None:
    world.site("depot")
    world.device("trk")
    writer.put("/v1/assets/a", json=BLUE)
    writer.put("/v1/assets/b", json={"class": "box", "attributes": {"color": "blue", "n:m": "1:2"}})
    writer.post("/v1/assets/b/bindings", json={"device": "trk"})
    world.tell("trk", 0, (NOON, Fix(51.9, 4.4, 5.0)))

    def found(**params: Any) -> list[str]:
        return ids(writer.get("/v1/assets", params=params))

    assert found(q="blue") == ["a", "b"]
    assert found(q="BLU pall") == ["a"]
    assert found(q='"') == []
    assert found(**{"class": "box"}) == ["b"]
    assert found(attribute="color:blue") == ["a", "b"]
    assert found(attribute=["color:blue", "wet:true"]) == ["a"]
    assert found(attribute="share:0.5") == ["a"]
    assert found(external_id="erp:4711") == ["a"]
    assert found(site="depot") == ["b"]
    assert found(site="depot", attribute="wet:true") == []


def test_what_cannot_be_searched_for_is_refused(client: Any) -> None:
    for name in ("attribute", "external_id"):
        answer = client.get("/v1/assets", params={name: "color"})
        assert type_of(answer) == (422, "bad-value")
        assert answer.json()["errors"][0]["name"] == name
    assert type_of(client.get("/v1/assets?site=depot")) == (404, "unknown-place")


def test_a_cursor_is_good_for_its_own_search_alone(writer: Any) -> None:
    for id in "abc":
        writer.put(f"/v1/assets/{id}", json=BLUE | {"external_ids": {}})
    params = {"q": "blue", "attribute": "color:blue", "limit": 2}
    params["cursor"] = writer.get("/v1/assets", params=params).json()["next"]
    assert ids(writer.get("/v1/assets", params=params)) == ["c"]
    for other in ({"q": "pal"}, {"attribute": "wet:true"}, {"class": "pallet"}):
        assert writer.get("/v1/assets", params=params | other).status_code == 400


def bound(answer: Any) -> list[tuple[str, str | None, str | None]]:
    assert answer.status_code == 200, answer.text
    return [(one["subject"], one["since"], one["until"]) for one in answer.json()["items"]]


def test_a_tag_bound_later_claims_its_earlier_reads(writer: Any, world: Any) -> None:
    world.device("gate", place=Standing(lat=51.9, lon=4.4))
    world.asset("a")
    world.tell("gate", 0, (NOON - 60_000, Read(TAG)))
    assert bound(writer.post("/v1/assets/a/bindings", json={"tag": EPC})) == [(TAG, None, None)]
    assert writer.get("/v1/assets/a/location").json()["device"] == "gate"
    assert bound(writer.post("/v1/assets/a/bindings", json={"tag": TAG})) == [(TAG, None, None)]


def test_a_moved_tracker_leaks_nothing(writer: Any, world: Any) -> None:
    world.device("trk")
    world.asset("a", devices=("trk",))
    world.asset("b")
    for n in range(4):
        world.tell("trk", n, (NOON + n * 1_000, Fix(50.0 + n, 4.2)))
    body = {"device": "trk", "since": "2026-01-05T12:00:02Z"}
    assert type_of(writer.post("/v1/assets/b/bindings", json=body)) == (409, "conflict")
    writer.post("/v1/assets/b/bindings", json={**body, "moves": True})

    def lats(asset: str) -> list[float]:
        return [one["lat"] for one in writer.get(f"/v1/assets/{asset}/track").json()["items"]]

    assert (lats("a"), lats("b")) == ([50, 51], [52, 53])
    assert writer.get("/v1/assets/a/location").json()["lat"] == 51
    at = "2026-01-05T12:00:02.000Z"
    assert bound(writer.get("/v1/assets/a/bindings")) == [("trk", None, at)]
    assert bound(writer.get("/v1/assets/b/bindings")) == [("trk", at, None)]


def test_a_binding_ends_or_never_was(writer: Any, world: Any) -> None:
    world.device("trk")
    world.asset("a", devices=("trk",))
    world.tell("trk", 0, (NOON, Fix(50.0, 4.2)))
    ended = writer.delete("/v1/assets/a/bindings/trk", params={"since": NOON + 1})
    assert bound(ended) == [("trk", None, "2026-01-05T12:00:00.001Z")]
    assert writer.get("/v1/assets/a/location").is_success
    assert bound(writer.delete("/v1/assets/a/bindings/trk")) == []
    assert type_of(writer.get("/v1/assets/a/location")) == (404, "not-located")
    assert type_of(writer.delete("/v1/assets/a/bindings/trk")) == (409, "unregistered")


@pytest.mark.parametrize(
    ("asset", "body", "expected"),
    [
        ("b", {"device": "trk"}, (404, "unknown-asset")),
        ("a", {"device": "nobody"}, (409, "unregistered")),
        ("a", {"tag": "no tag"}, (422, "bad-value")),
        ("a", {"device": "trk", "since": 5, "until": 5}, (409, "conflict")),
        ("a", {"device": "trk", "tag": EPC}, (422, "bad-value")),
        ("a", {}, (422, "bad-value")),
        ("a", {"device": "trk", "since": "yesterday"}, (422, "bad-value")),
        ("a", {"device": "trk", "since": True}, (422, "bad-value")),
        ("a", {"device": "trk", "since": 2**53}, (422, "bad-value")),
        ("a", {"device": "trk", "since": 0.5}, (422, "bad-value")),
        ("a", {"device": "trk", "from": 5}, (422, "bad-value")),
    ],
)
def test_what_cannot_be_bound_is_refused(
    writer: Any, world: Any, asset: str, body: Any, expected: Any
) -> None:
    world.device("trk")
    world.asset("a")
    assert type_of(writer.post(f"/v1/assets/{asset}/bindings", json=body)) == expected
    assert bound(writer.get("/v1/assets/a/bindings")) == []


def test_nothing_is_bound_before_the_edge_of_the_log(writer: Any, world: Any) -> None:
    world.device("trk")
    world.asset("a", devices=("trk",))
    with world.store.writing() as tx:
        tx.add_edge(NOON, NOON)
    early = {"device": "trk", "since": NOON - 1}
    assert type_of(writer.post("/v1/assets/a/bindings", json=early)) == (409, "before-edge")
    gone = writer.delete("/v1/assets/a/bindings/trk", params={"since": NOON - 1})
    assert type_of(gone) == (409, "before-edge")
    asked = writer.get("/v1/assets/a", params={"as_of": NOON - 1})
    assert type_of(asked) == (410, "before-log")


def test_what_was_known_then_can_be_told(writer: Any, world: Any, clock: Any) -> None:
    world.device("trk")
    writer.put("/v1/assets/a", json={})
    clock.at = NOON + 1_000
    writer.post("/v1/assets/a/bindings", json={"device": "trk"})
    world.tell("trk", 0, (NOON, Fix(50.0, 4.2)), received=NOON + 2_000)
    world.tell("trk", 1, (NOON + 1, Fix(51.0, 4.2)), received=NOON + 4_000)

    def known(at: int) -> Any:
        asset = writer.get("/v1/assets/a", params={"as_of": at}).json()
        location = asset["location"]
        return len(asset["bindings"]), location and (location["lat"], location["age_s"])

    assert known(NOON) == (0, None)
    assert known(NOON + 1_000) == (1, None)
    assert known(NOON + 2_000) == (1, (50.0, 2.0))
    assert known(NOON + 4_000) == (1, (51.0, 3.999))
    then = writer.get("/v1/assets/a/location", params={"as_of": NOON + 2_000})
    assert then.json()["lat"] == 50.0
    before = writer.get("/v1/assets/a/location", params={"as_of": NOON})
    assert type_of(before) == (404, "not-located")


def test_many_assets_are_registered_at_once(writer: Any, world: Any) -> None:
    world.device("trk")
    items = [
        {"id": "a", **BLUE, "bindings": [{"tag": EPC}, {"device": "trk", "since": NOON}]},
        {"id": "b"},
    ]
    counts = {"created": 2, "changed": 0, "same": 0}
    assert writer.post("/v1/bulk/assets", json={"assets": items}).json() == counts
    counts = {"created": 0, "changed": 0, "same": 2}
    assert writer.post("/v1/bulk/assets", json={"assets": items}).json() == counts
    items[1]["class"] = "box"
    counts = {"created": 0, "changed": 1, "same": 1}
    assert writer.post("/v1/bulk/assets", json={"assets": items}).json() == counts
    since = "2026-01-05T12:00:00.000Z"
    assert bound(writer.get("/v1/assets/a/bindings")) == [(TAG, None, None), ("trk", since, None)]


def test_of_many_assets_all_or_none_are_registered(writer: Any) -> None:
    items = [
        {"id": "a", "bindings": [{"tag": EPC}]},
        {"id": "b", "home": "nowhere", "bindings": [{"tag": EPC}]},
        {"id": "c", "bindings": [{"tag": EPC}, {"device": "nobody"}]},
        {"id": "a"},
        {"id": "d", "external_ids": {"erp": "1"}},
        {"id": "e", "external_ids": {"erp": "1"}},
    ]
    answer = writer.post("/v1/bulk/assets", json={"assets": items})
    assert type_of(answer) == (409, "items-refused")
    assert [(one["name"], one["at"]) for one in answer.json()["errors"]] == [
        ("assets.1", "body"),
        ("assets.2.bindings.0", "body"),
        ("assets.2.bindings.1", "body"),
        ("assets.3.id", "body"),
        ("assets.5", "body"),
    ]
    assert ids(writer.get("/v1/assets")) == []


@pytest.mark.parametrize(
    "fields",
    [
        {"attributes": {"a": 10**400}},
        {"attributes": {"a": "\ud800"}},
        {"attributes": {"a": "b\0"}},
        {"attributes": {"a\0": 1}},
        {"name": "b\0"},
        {"class": "\0"},
        {"external_ids": {"erp": "1\0"}},
    ],
)
def test_a_value_that_not_everyone_can_keep_is_refused(writer: Any, fields: Any) -> None:
    body = json.dumps({"id": "a", "class": "pallet", **fields})  # which httpx would not send
    headers = {"Content-Type": "application/json"}
    answer = writer.post("/v1/assets", content=body, headers=headers)
    assert type_of(answer) == (422, "bad-value")
    assert ids(writer.get("/v1/assets")) == []


@pytest.mark.parametrize("items", [[], [{"id": "a"}] * 1_001, [{"id": "a", "bindings": [{}]}]])
def test_too_many_or_none_or_bad_ones_are_refused(writer: Any, items: Any) -> None:
    answer = writer.post("/v1/bulk/assets", json={"assets": items})
    assert type_of(answer) == (422, "bad-value")
    assert ids(writer.get("/v1/assets")) == []
