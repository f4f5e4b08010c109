"""Sites, zones and readers, set up and changed through the API, and who was where."""

from typing import Any

import pytest

from tracker.model import Fix, Read

NOON = 1_767_614_400_000
MINUTE = 60_000
CIRCLE = {"center": [4.4, 51.9], "radius_m": 100}
SQUARE = {"polygon": [[4.3, 51.8], [4.31, 51.8], [4.31, 51.81], [4.3, 51.81]], "holes": []}
SITE = {"name": "Depot", "kind": "depot", "geofence": CIRCLE, "timezone": None, "stage": "stock"}
SITE |= {"open_days": ["mon", "fri"], "holidays": ["2026-01-01"]}
HERE, AWAY = Fix(51.9, 4.4, 5.0), Fix(52.5, 4.4, 5.0)
ABSENT = {"site": "/v1/sites/x", "zone": "/v1/zones/x", "reader": "/v1/readers/x"}


def type_of(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.json()["type"].removeprefix("/problems/")


def spells(answer: Any) -> list[tuple[str | None, str | None, Any]]:
    assert answer.is_success, answer.text
    return [(one["since"], one["until"], one["value"]) for one in answer.json()["history"]]


def test_a_site_is_created_once_and_repeated(writer: Any) -> None:
    made = writer.put("/v1/sites/depot", json=SITE)
    assert made.status_code == 201
    assert made.json() == {
        "id": "depot",
        "history": [
            {
                "since": None,
                "until": None,
                "recorded": "2026-01-05T12:00:00.000Z",
                "value": {"id": "depot", **SITE},
            }
        ],
        "changed": True,
        "became_stale": 0,
    }
    again = writer.put("/v1/sites/depot", json={"id": "depot", **SITE})
    assert (again.status_code, again.json()["changed"]) == (200, False)
    assert again.headers["etag"] == made.headers["etag"]
    assert writer.get("/v1/sites").json()["items"] == [{"id": "depot", **SITE}]
    assert spells(writer.get("/v1/sites/depot")) == [(None, None, {"id": "depot", **SITE})]


def test_a_site_that_changes_keeps_its_past(writer: Any, clock: Any) -> None:
    for radius, period in ((100, {}), (200, {"since": NOON}), (300, {"since": 0, "until": 1_000})):
        clock.at += 1_000
        fence = {"geofence": {**CIRCLE, "radius_m": radius}}
        assert writer.put("/v1/sites/depot", json=fence, params=period).is_success
    shown = writer.get("/v1/sites/depot")
    assert [(a, b, value["geofence"]["radius_m"]) for a, b, value in spells(shown)] == [
        (None, "1970-01-01T00:00:00.000Z", 100),
        ("1970-01-01T00:00:00.000Z", "1970-01-01T00:00:01.000Z", 300),
        ("1970-01-01T00:00:01.000Z", "2026-01-05T12:00:00.000Z", 100),
        ("2026-01-05T12:00:00.000Z", None, 200),
    ]
    recorded = [one["recorded"] for one in shown.json()["history"]]
    assert [at[17:19] for at in recorded] == ["01", "03", "01", "02"]

    def radius_at(at: int) -> float:
        (site,) = writer.get("/v1/sites", params={"at": at}).json()["items"]
        return float(site["geofence"]["radius_m"])

    assert [radius_at(at) for at in (-1, 0, 1_000, NOON)] == [100, 300, 100, 200]


def test_what_is_given_up_is_still_told(writer: Any) -> None:
    writer.put("/v1/sites/depot", json=SITE)
    ended = writer.delete("/v1/sites/depot", params={"since": NOON})
    assert spells(ended) == [(None, "2026-01-05T12:00:00.000Z", {"id": "depot", **SITE})]
    assert writer.get("/v1/sites").json()["items"] == []
    assert len(writer.get("/v1/sites", params={"at": NOON - 1}).json()["items"]) == 1
    assert type_of(writer.delete("/v1/sites/depot", params={"since": NOON})) == (
        409,
        "unregistered",
    )
    assert spells(writer.delete("/v1/sites/depot")) == []
    assert type_of(writer.get("/v1/sites/depot")) == (404, "unknown-place")
    assert writer.put("/v1/sites/depot", json=SITE).status_code == 201


@pytest.mark.parametrize("path", ABSENT.values())
def test_what_never_was_is_not_found(writer: Any, path: str) -> None:
    for method in ("GET", "DELETE"):
        assert type_of(writer.request(method, path)) == (404, "unknown-place")


def test_a_change_of_what_somebody_else_changed_is_refused(writer: Any) -> None:
    tag = writer.put("/v1/sites/depot", json=SITE).headers["etag"]
    seen = writer.get("/v1/sites/depot").headers["etag"]
    assert writer.put("/v1/sites/depot", json={}, headers={"If-Match": seen}).status_code == 200
    for headers in ({"If-Match": tag}, {"If-Match": seen}, {"If-None-Match": "*"}):
        for method in ("PUT", "DELETE"):
            body = SITE if method == "PUT" else None
            answer = writer.request(method, "/v1/sites/depot", json=body, headers=headers)
            assert type_of(answer) == (412, "outdated")
    assert writer.put("/v1/sites/new", json={}, headers={"If-None-Match": "*"}).status_code == 201
    assert type_of(writer.put("/v1/sites/other", json={}, headers={"If-Match": tag})) == (
        412,
        "outdated",
    )


BOW_TIE = {"polygon": [[4, 51], [5, 52], [5, 51], [4, 52]]}
FAR_AWAY = {"center": [51.9, 4.4], "radius_m": 100}


@pytest.mark.parametrize(
    ("body", "params", "expected", "said"),
    [
        ({"geofence": BOW_TIE}, {}, "bad-place", "touches itself near longitude 4.5, latitude 51"),
        ({"geofence": FAR_AWAY}, {}, "bad-place", "latitude and longitude look swapped"),
        ({"geofence": CIRCLE}, {"since": 5, "until": 5}, "bad-place", "end before it begins"),
        ({"id": "other"}, {}, "bad-value", "the path says 'new'"),
        ({"geofence": {"center": [4.4, 91], "radius_m": 1}}, {}, "bad-value", "equal to 90"),
        ({"geofence": {**CIRCLE, **SQUARE}}, {}, "bad-value", "Extra inputs"),
        ({"geofence": {"center": [4.4], "radius_m": 1}}, {}, "bad-value", "Field required"),
        ({"timezone": "Europe/Rotterdam"}, {}, "bad-value", "is no IANA time zone"),
        ({"kind": "yard"}, {}, "bad-value", "'depot', 'customer', 'hub', 'partner' or 'other'"),
        ({}, {"since": "yesterday"}, "bad-value", "since: 'yesterday' is neither ISO 8601"),
    ],
)
def test_a_site_that_cannot_be_is_refused(
    writer: Any, world: Any, body: Any, params: Any, expected: str, said: str
) -> None:
    world.site("depot")
    answer = writer.put("/v1/sites/new", json=body, params=params)
    assert type_of(answer) == (422, expected)
    assert said in answer.json()["detail"]
    assert writer.get("/v1/sites/new").status_code == 404


def test_a_site_across_the_antimeridian(writer: Any, world: Any) -> None:
    fiji = {"polygon": [[177, -19], [-178, -19], [-178, -16], [177, -16]]}
    assert writer.put("/v1/sites/fiji", json={"geofence": fiji}).status_code == 201
    world.device("trk")
    world.asset("a", devices=("trk",))
    world.tell("trk", 0, (NOON, Fix(-17.0, -179.9, 5.0)))
    assert writer.get("/v1/assets/a/location").json()["site"] == "fiji"


def test_nothing_changes_before_the_edge_of_the_log(writer: Any, world: Any) -> None:
    with world.store.writing() as tx:
        tx.add_edge(NOON, NOON)
    early = writer.put("/v1/sites/depot", json=SITE, params={"since": NOON - 1})
    assert type_of(early) == (409, "before-edge")
    assert writer.put("/v1/sites/depot", json=SITE).status_code == 201
    assert type_of(writer.delete("/v1/sites/depot", params={"since": 0})) == (409, "before-edge")


def test_zones_and_readers_need_what_they_speak_of(writer: Any, world: Any) -> None:
    assert type_of(writer.put("/v1/zones/z", json={"site": "depot"})) == (409, "unregistered")
    world.site("depot")
    zone = {"site": "depot", "stage": "inspection", "adjacent": []}
    assert writer.put("/v1/zones/z", json=zone).status_code == 201
    assert writer.get("/v1/zones").json()["items"] == [{"id": "z", **zone}]
    assert spells(writer.get("/v1/zones/z")) == [(None, None, {"id": "z", **zone})]

    assert type_of(writer.put("/v1/readers/rdr", json={"zone": "z"})) == (409, "unregistered")
    writer.put("/v1/devices/rdr", json={"kind": "reader"})
    assert type_of(writer.put("/v1/readers/rdr", json={"zone": "y"})) == (409, "unregistered")
    assert type_of(writer.put("/v1/readers/rdr", json={})) == (422, "bad-value")
    both = {"zone": "z", "antennas": {"1": "z"}}
    assert type_of(writer.put("/v1/readers/rdr", json=both)) == (422, "bad-value")
    made = writer.put("/v1/readers/rdr", json={"device": "rdr", "antennas": {"1": "z"}})
    assert made.status_code == 201
    (reader,) = writer.get("/v1/readers").json()["items"]
    assert (reader["device"], reader["antennas"]) == ("rdr", {"1": "z"})
    assert spells(writer.get("/v1/readers/rdr")) == [(None, None, reader)]

    for path, user in (("/v1/sites/depot", "zone z"), ("/v1/zones/z", "reader rdr")):
        answer = writer.delete(path)
        assert type_of(answer) == (409, "conflict")
        assert f"needed by {user}" in answer.json()["detail"]
    for path in ("/v1/readers/rdr", "/v1/zones/z", "/v1/sites/depot"):
        assert spells(writer.delete(path)) == []


def come_and_go(world: Any, *steps: tuple[int, Fix], asset: str = "a", device: str = "trk") -> None:
    world.device(device)
    world.asset(asset, devices=(device,))
    for seq, (minutes, fix) in enumerate(steps):
        at = NOON + minutes * MINUTE
        world.tell(device, seq, (at, fix), received=at)


def test_visits_of_an_asset(client: Any, world: Any) -> None:
    world.site("depot")
    day = 24 * 60
    come_and_go(
        world,
        *((0, AWAY), (1, HERE), (5, HERE), (31, HERE), (35, AWAY), (37, AWAY)),
        *((2 * day, HERE), (2 * day + 2, HERE), (2 * day + 10, HERE)),
    )
    over, going = client.get("/v1/assets/a/visits").json()["items"]
    assert over == {
        "site": "depot",
        "since": "2026-01-05T12:01:00.000Z",
        "began": "entered",
        "last": "2026-01-05T12:31:00.000Z",
        "dwell_s": 1800.0,
        "until": "2026-01-05T12:35:00.000Z",
        "ended": "left",
        "confirmed": True,
    }
    assert going == {
        "site": "depot",
        "since": "2026-01-07T12:00:00.000Z",
        "began": "seen",  # nothing was known of it for a day
        "last": "2026-01-07T12:10:00.000Z",
        "dwell_s": 600.0,
        "until": None,
        "ended": None,
        "confirmed": True,
    }
    first = client.get("/v1/assets/a/visits", params={"limit": 1}).json()
    assert first["items"] == [over]
    second = client.get("/v1/assets/a/visits", params={"limit": 1, "cursor": first["next"]})
    assert second.json() == {"items": [going], "next": None}


def test_who_is_inside_and_who_was(client: Any, world: Any) -> None:
    world.site("depot")
    come_and_go(world, (0, HERE), (30, HERE), (31, AWAY), (40, AWAY))
    come_and_go(world, (10, HERE), (50, HERE), asset="b", device="trk-b")
    come_and_go(world, (0, AWAY), (60, HERE), asset="c", device="trk-c")  # one fix: unconfirmed
    lost = (2, HERE), (4, HERE), (5_000, AWAY), (5_010, AWAY)
    come_and_go(world, *lost, asset="d", device="trk-d")

    def inside(**params: Any) -> list[tuple[str, bool]]:
        answer = client.get("/v1/sites/depot/inside", params=params)
        assert answer.json()["stale"] == 0
        return [(one["asset"], one["confirmed"]) for one in answer.json()["items"]]

    assert inside() == [("b", True), ("c", False)]
    assert inside(at=NOON + 5 * MINUTE) == [("a", True)]
    assert inside(at=NOON + 4 * MINUTE) == [("a", True), ("d", True)]
    assert inside(at=NOON + 20 * MINUTE) == [("a", True), ("b", True)]
    assert inside(at=NOON + 35 * MINUTE) == [("b", True)]
    assert inside(at=NOON - 1) == []

    page = client.get("/v1/sites/depot/inside", params={"at": NOON + 20 * MINUTE, "limit": 1})
    params = {"at": NOON + 20 * MINUTE, "limit": 1, "cursor": page.json()["next"]}
    rest = client.get("/v1/sites/depot/inside", params=params).json()
    assert [one["asset"] for one in page.json()["items"] + rest["items"]] == ["a", "b"]
    assert client.get("/v1/sites/depot/inside", params=params | {"at": NOON}).status_code == 400

    def visits(**params: Any) -> list[tuple[str, str | None]]:
        answer = client.get("/v1/sites/depot/visits", params=params)
        return [(one["asset"], one["ended"]) for one in answer.json()["items"]]

    assert visits() == [("a", "left"), ("d", "lost_sight"), ("b", None)]
    assert visits(**{"from": NOON + 32 * MINUTE}) == [("d", "lost_sight"), ("b", None)]
    assert visits(to=NOON + MINUTE) == [("a", "left")]


def test_a_single_outlier_is_not_confirmed(client: Any, world: Any) -> None:
    world.site("depot")
    come_and_go(world, (0, HERE), (30, HERE), (31, AWAY))
    (visit,) = client.get("/v1/assets/a/visits").json()["items"]
    assert (visit["confirmed"], visit["until"]) == (False, None)
    location = client.get("/v1/assets/a/location").json()
    assert (location["site"], location["confirmed"]) == ("depot", False)


@pytest.mark.parametrize("path", ["inside", "visits"])
def test_nobody_is_at_a_site_that_never_was(client: Any, path: str) -> None:
    assert type_of(client.get(f"/v1/sites/x/{path}")) == (404, "unknown-place")
    assert type_of(client.get("/v1/assets/x/visits")) == (404, "unknown-asset")


def test_a_site_set_up_later_finds_who_was_there(writer: Any, world: Any) -> None:
    come_and_go(world, (0, HERE), (30, HERE))
    come_and_go(world, (0, AWAY), asset="b", device="trk-b")
    made = writer.put("/v1/sites/depot", json=SITE).json()
    assert made["became_stale"] == 2  # the first depot tells something of all
    for path in ("/v1/assets", "/v1/locations", "/v1/sites/depot/inside"):
        assert writer.get(path).json()["stale"] == 2
    assert writer.get("/v1/sites/depot/inside").json()["items"] == []
    assert writer.get("/v1/assets/a/location").json()["site"] == "depot"  # folded again first
    inside = writer.get("/v1/sites/depot/inside").json()
    assert (inside["stale"], [one["asset"] for one in inside["items"]]) == (1, ["a"])
    assert writer.put("/v1/sites/depot", json={**SITE, "name": "x"}).json()["became_stale"] == 0


def test_a_reader_tells_the_zone(writer: Any, world: Any) -> None:
    world.site("depot")
    writer.put("/v1/zones/z", json={"site": "depot"})
    writer.put("/v1/devices/rdr", json={"kind": "reader"})
    writer.put("/v1/readers/rdr", json={"zone": "z"})
    world.asset("a", tags=("tag:E280",))
    world.tell("rdr", 0, (NOON, Read("tag:E280")))
    location = writer.get("/v1/assets/a/location").json()
    assert (location["zone"], location["site"], location["source"]) == ("z", "depot", "read")
    gone = writer.delete("/v1/readers/rdr").json()
    assert gone["became_stale"] == 1
    assert type_of(writer.get("/v1/assets/a/location")) == (404, "not-located")
