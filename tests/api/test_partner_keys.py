"""Fault 28: a partner's key sees what that partner has on lease, and nothing else, on any route.

Whatever is not acme's has `zz` in its name; so an answer to acme that has it leaks.
"""

import re
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from shutil import copy
from typing import Any

import pytest
from fastapi.routing import APIRoute

from tracker.access import ApiKey, digest_of
from tracker.alerts import Alert, Event, State
from tracker.facts import state
from tracker.leases import Agreement, End, Lease, Line, Partner
from tracker.model import Asset, Fact, Fix
from tracker.overdue_lines import OPEN
from tracker.registry import bind_device, register_asset
from tracker.stamps import StampPolicy
from tracker.stores.postgresql import PostgresqlStore
from tracker.stores.sqlite import SqliteStore

NOON = 1_767_614_400_000  # 2026-01-05T12:00:00Z
HOUR, DAY = 3_600_000, 86_400_000
OWN = "mine"
HIDDEN = ("zz-theirs", "zz-free", "zz-passed", "zz-back", "zz-ended", "zz-later")
UNKNOWN = "nobody"
WITHOUT_KEY = {"/health/live", "/health/ready", "/metrics"}
# Of each opened route what is asked of acme's own, and what of others': `{}` becomes their ids.
ASSETS, LEASES, ALERTS = "asset", "lease", "alert"
OPENED: dict[str, tuple[str, list[tuple[str, str]]]] = {
    "/v1/assets": (
        "/v1/assets",
        [
            (ASSETS, "/v1/assets?q={}"),
            (ASSETS, "/v1/assets?external_id=erp:{}"),
            ("site", "/v1/assets?site={}"),
            ("class", "/v1/assets?class={}"),
            ("word", "/v1/assets?attribute=owner:{}"),
        ],
    ),
    "/v1/assets/{asset}": ("/v1/assets/mine", [(ASSETS, "/v1/assets/{}")]),
    "/v1/assets/{asset}/location": (
        "/v1/assets/mine/location",
        [(ASSETS, "/v1/assets/{}/location")],
    ),
    "/v1/assets/{asset}/stage": ("/v1/assets/mine/stage", [(ASSETS, "/v1/assets/{}/stage")]),
    "/v1/leases": ("/v1/leases", [("partner", "/v1/leases?customer={}")]),
    "/v1/leases.ics": ("/v1/leases.ics", [("partner", "/v1/leases.ics?customer={}")]),
    "/v1/leases/{lease}": ("/v1/leases/L1", [(LEASES, "/v1/leases/{}")]),
    "/v1/forecast": ("/v1/forecast", [("partner", "/v1/forecast?customer={}")]),
    "/v1/overdue": ("/v1/overdue", []),
    "/v1/overdue.csv": ("/v1/overdue.csv", []),
    "/v1/alerts": (
        "/v1/alerts",
        [
            (ASSETS, "/v1/alerts?asset={}"),
            (LEASES, "/v1/alerts?lease={}"),
            ("rule", "/v1/alerts?rule={}"),
        ],
    ),
    "/v1/alerts/{alert}": ("/v1/alerts/OWN", [(ALERTS, "/v1/alerts/{}")]),
}


@pytest.fixture(params=["sqlite", "postgresql"])
def store(request: Any, tmp_path: Path, template: Path) -> Iterator[Any]:
    if request.param == "sqlite":
        found: Any = SqliteStore(Path(copy(template, tmp_path / "retour.db")))
    else:
        found = PostgresqlStore(request.getfixturevalue("new_postgresql")())
    yield found
    found.close()


def line(lease: str, id: str, asset: str, start: int, end: End | None = None) -> Line:
    days = (date(2026, 1, 1), date(2026, 1, 3))
    return Line(lease, id, asset, None, *days, start, NOON - 2 * DAY, end)


LONG_AGO, BEGAN = NOON - 30 * DAY, NOON - 4 * DAY
RETURNED = End("returned", NOON - DAY)
LEASED = (
    Lease("L1", "acme", ("cust-1",), "UTC", lines=(line("L1", "1", OWN, BEGAN),)),
    Lease("L2", "acme", ("cust-1",), "UTC", lines=(line("L2", "1", "mine-2", BEGAN),)),
    Lease("L3", "acme", ("cust-1",), "UTC", lines=(line("L3", "1", "came", BEGAN),)),
    # What acme had, or will have: its own paper names them, so their ids stay out of the sweep.
    Lease(
        "L9",
        "acme",
        ("cust-1",),
        "UTC",
        lines=(
            line("L9", "1", "zz-back", BEGAN),
            line("L9", "2", "zz-ended", BEGAN, RETURNED),
            line("L9", "3", "zz-passed", LONG_AGO, End("returned", BEGAN)),
            line("L9", "4", "zz-later", NOON + DAY),
        ),
    ),
    Lease(
        "zz-L",
        "zz-bolt",
        ("zz-cust",),
        "UTC",
        consignees=("acme",),
        lines=(
            line("zz-L", "1", "zz-theirs", BEGAN),
            line("zz-L", "2", "zz-passed", BEGAN + DAY),
            line("zz-L", "3", "came", LONG_AGO, End("returned", BEGAN - DAY)),
        ),
    ),
)


@pytest.fixture(autouse=True)
def leased(world: Any, store: Any) -> dict[str, str]:
    """Who has what; the ids of alerts, own and others'."""
    with store.writing() as tx:
        known = {key.id for key in tx.api_keys()}
        for name, partner in (("acme", "acme"), ("orphan", "zz-gone")):
            tx.add_key(key_of(name, partner))
        if "k-read" not in known:
            tx.add_key(ApiKey("k-read", "read", digest_of("rtr_read"), ("read",), 0))
            tx.add_key(ApiKey("k-admin", "admin", digest_of("rtr_admin"), ("admin",), 0))
    world.site("cust-1", lon=4.3, lat=51.8)
    world.site("zz-cust", lon=4.6, lat=51.87)
    with store.writing() as tx:
        for partner, site in (("acme", "cust-1"), ("zz-bolt", "zz-cust")):
            tx.put_partner(Partner(partner, sites=(site,)))
        for asset in (OWN, "mine-2", "came", *HIDDEN):
            whose = asset if asset in HIDDEN else "ours"
            kind = "zz-class" if asset == "zz-theirs" else "pallet"
            told: Any = {"attributes": {"owner": whose}, "external_ids": {"erp": asset}}
            register_asset(tx, Asset(asset, kind, initial_stage="in_use", **told))
        for one in LEASED:
            tx.put_lease(one)
        for lease in ("L1", "zz-L"):
            said = {"due": "2026-01-03", "note": "zz: they are always late"}
            tx.agree([Agreement(lease, "1", "extended", BEGAN, BEGAN, "key zz-clerk", said)])
        facts: list[Any] = [
            (Fact(one, "lease_started", id=f"s-{one}", by="zz-clerk", note="zz"), at)
            for one, at in [("came", LONG_AGO), *((one, BEGAN) for one in (OWN, "mine-2"))]
        ]
        facts.append((Fact("zz-back", "lease_started", id="b1"), BEGAN))
        facts.append((Fact("zz-back", "received", id="b2"), NOON - DAY))
        for one, at in facts:
            state(tx, [(one, at)], StampPolicy(), at)
    for name, lon, lat, at in (
        (OWN, 4.3, 51.8, NOON - HOUR),
        ("came", 4.6, 51.87, BEGAN - 2 * DAY),
        ("zz-theirs", 4.6, 51.87, NOON - HOUR),
    ):
        device = f"trk-{name}"
        world.device(device)
        with store.writing() as tx:
            bind_device(tx, name, device)
        world.tell(device, 1, (at - HOUR, Fix(lat, lon)), (at, Fix(lat, lon)), received=at)
    return alerts(store)


def key_of(name: str, partner: str | None) -> ApiKey:
    return ApiKey(f"k-{name}", name, digest_of(f"rtr_{name}"), ("read",), 0, partner=partner)


def alerts(store: Any) -> dict[str, str]:
    found = {}
    with store.writing() as tx:
        for name, asset, lease, rule in (
            ("OWN", OWN, "L1", "overdue"),
            ("OWN-2", "mine-2", "L2", "overdue"),
            ("zz-theirs", "zz-theirs", "zz-L", "overdue"),
            ("zz-place", OWN, "L1", "wrong_partner"),
            ("zz-asset", "zz-free", None, "silence"),
            ("zz-about-mine", OWN, None, "silence"),
        ):
            times = (NOON - DAY, NOON - DAY, NOON, NOON)
            on = "1" if lease is not None else None
            why = {"p": 0.9, "partner": "zz-bolt", "site": "zz-cust"}
            one = Alert(asset, lease, on, rule, 1, State.ACKNOWLEDGED, "serious", 1, *times)
            one = one._replace(by="key zz-clerk", why=why)
            tx.save_alerts([one])
            said = [("acknowledged", "zz: they lie"), ("commented", "zz")]
            tx.add_alert_events([Event(one, k, NOON, "zz-clerk", note) for k, note in said], NOON)
            found[name] = one.id
    return found


@pytest.fixture
def acme(anonymous: Any) -> Any:
    anonymous.headers["Authorization"] = "Bearer rtr_acme"
    return anonymous


def routes(some: Any) -> Iterator[tuple[str, str]]:
    """Every method and path, of included routers too; what is neither fails."""
    for route in some.routes:
        if isinstance(route, APIRoute):
            yield from ((method, route.path) for method in sorted(route.methods))
        elif (router := getattr(route, "original_router", None)) is not None:
            assert route.include_context.prefix == ""
            yield from routes(router)
        else:
            assert route.path == "/v1/openapi.json"


def test_28_every_route_is_opened_on_purpose_or_closed(acme: Any, app: Any) -> None:
    described = app.openapi()["paths"]
    asked = set[str]()
    for method, path in routes(app):
        asked.add(path)
        if path in WITHOUT_KEY or (method == "GET" and path in OPENED):
            continue
        operation = described[path.replace(":path", "")][method.lower()]
        needed = {
            one["name"]: example(one)
            for one in operation.get("parameters", [])
            if one["required"] and one["in"] != "header"
        }
        names = re.findall(r"{(\w+)", path)
        url = path.replace(":path", "").format(**{name: needed.pop(name) for name in names})
        body = {"json": {}} if method in ("POST", "PUT", "PATCH") else {}
        answer = acme.request(method, url, params=needed, **body)
        told = (answer.status_code, answer.json()["type"])
        assert told == (403, "/problems/not-for-partners"), (method, path, answer.text)
    assert asked > {*OPENED} | WITHOUT_KEY


def example(parameter: Any) -> Any:
    found = parameter.get("examples") or parameter["schema"].get("examples")
    first = next(iter(found.values())) if isinstance(found, dict) else found[0]
    return first["value"] if isinstance(first, dict) else first


def url_of(path: str, leased: dict[str, str]) -> str:
    return path.replace("OWN", leased["OWN"])


@pytest.mark.parametrize("route", OPENED)
def test_28_what_is_own_is_shown_and_nothing_else(acme: Any, leased: Any, route: str) -> None:
    url = url_of(OPENED[route][0], leased)
    answer = acme.get(url)
    assert answer.status_code == 200, answer.text
    assert "mine" in answer.text or "L1" in answer.text
    shown = (
        re.sub("zz-(back|ended|passed|later)", "", answer.text) if "lease" in url else answer.text
    )
    assert "zz" not in shown
    assert "zz" not in str(answer.headers)
    again = acme.get(url, headers={"If-None-Match": answer.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


OTHERS = {
    ASSETS: HIDDEN,
    LEASES: ("zz-L",),
    "partner": ("zz-bolt",),
    "site": ("zz-cust",),
    "class": ("zz-class",),
    "word": HIDDEN,
    "rule": ("wrong_partner", "silence"),
    ALERTS: ("zz-theirs", "zz-place", "zz-asset", "zz-about-mine"),
}


@pytest.mark.parametrize("headers", [{}, {"If-None-Match": "*"}, {"If-None-Match": '"1.0"'}])
def test_28_what_is_others_is_as_if_it_were_not_there(acme: Any, leased: Any, headers: Any) -> None:
    for _, asked in OPENED.values():
        for kind, url in asked:
            unknown = acme.get(url.format(UNKNOWN), headers=headers)
            for id in OTHERS[kind]:
                id = leased[id] if kind == ALERTS else id
                answer = acme.get(url.format(id), headers=headers)
                assert answer.status_code == unknown.status_code, (url, id)
                assert answer.text.replace(id, UNKNOWN) == unknown.text
                same = {*answer.headers.items()} ^ {*unknown.headers.items()}
                assert {name for name, _ in same} <= {"content-length"}


def test_whoever_may_see_all_still_does(client: Any, leased: Any) -> None:
    assert {one["id"] for one in client.get("/v1/assets").json()["items"]} == {
        *(OWN, "mine-2", "came"),
        *HIDDEN,
    }
    assert len(client.get("/v1/alerts").json()["items"]) == 6
    assert client.get("/v1/leases/zz-L").json()["agreements"][0]["by"] == "key zz-clerk"


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/v1/assets", ["came", "mine", "mine-2"]),
        ("/v1/assets?q=pal", ["came", "mine", "mine-2"]),
        ("/v1/assets?q=mine", ["mine", "mine-2"]),
        ("/v1/assets?class=pallet&attribute=owner:ours", ["came", "mine", "mine-2"]),
        ("/v1/assets?site=cust-1", ["mine"]),
        ("/v1/assets?external_id=erp:mine-2", ["mine-2"]),
        ("/v1/assets?stage=in_use", ["came", "mine", "mine-2"]),
        ("/v1/assets?stage=lost", []),
        ("/v1/leases", ["L1", "L2", "L3", "L9"]),
        ("/v1/leases?customer=acme", ["L1", "L2", "L3", "L9"]),
    ],
)
def test_pages_are_of_own_things(acme: Any, path: str, expected: list[str]) -> None:
    found, cursor = list[str](), None
    while True:
        asked = {"limit": 1, "cursor": cursor} if cursor else {"limit": 1}
        page = acme.get(path, params={**acme.build_request("GET", path).url.params, **asked}).json()
        found += [one["id"] for one in page["items"]]
        cursor = page["next"]
        if cursor is None:
            break
    assert found == expected
    assert page.get("stale", 0) == 0


def test_a_cursor_of_somebody_else_leads_nowhere_else(acme: Any, client: Any) -> None:
    client.headers["Authorization"] = "Bearer rtr_read"
    cursor = client.get("/v1/assets", params={"limit": 5}).json()["next"]
    client.headers["Authorization"] = "Bearer rtr_acme"
    page = acme.get("/v1/assets", params={"cursor": cursor}).json()
    assert {one["id"] for one in page["items"]} <= {OWN, "mine-2", "came"}


def test_what_was_before_the_line_does_not_show(acme: Any) -> None:
    """It stood at another customer's, and nothing has been seen of it since."""
    whole = acme.get("/v1/assets/came").json()
    assert (whole["first_seen"], whole["location"], whole["last_observed"]) == (None, None, None)
    assert whole["bindings"] == []
    unseen = acme.get("/v1/assets/came/location")
    assert (unseen.status_code, unseen.json()["type"]) == (404, "/problems/not-located")
    stage = acme.get("/v1/assets/came/stage").json()
    assert stage["since"] == "2026-01-01T12:00:00.000Z"  # the line's beginning
    assert (stage["why"], stage["now"], stage["sentence"]) == (None, None, None)
    assert stage["sites"]["customer"] is None
    listed = {one["id"]: one for one in acme.get("/v1/assets").json()["items"]}
    assert (listed["came"]["site"], listed["came"]["at"]) == (None, None)
    assert listed[OWN]["site"] == "cust-1"


@pytest.mark.parametrize("path", ["", "/location", "/stage"])
def test_the_past_is_closed(acme: Any, path: str) -> None:
    answers = [acme.get(f"/v1/assets/{id}{path}?as_of={NOON - HOUR}") for id in (OWN, UNKNOWN)]
    assert [one.status_code for one in answers] == [403, 403]


def test_alerts_are_told_without_who_deals_with_them(acme: Any, leased: Any) -> None:
    items = acme.get("/v1/alerts", params={"state": list(OPEN)}).json()["items"]
    assert {one["id"] for one in items} == {leased["OWN"], leased["OWN-2"]}
    told = acme.get(f"/v1/alerts/{leased['OWN']}").json()
    assert [(one["kind"], one["by"], one["note"]) for one in told["events"]] == [
        ("acknowledged", None, None)
    ]
    assert (told["by"], told["why"]) == (None, {"p": 0.9})


def test_a_lease_is_told_without_our_notes(acme: Any) -> None:
    (agreed,) = acme.get("/v1/leases/L1").json()["agreements"]
    assert (agreed["by"], agreed["body"]) == ("", {"due": "2026-01-03"})


def test_a_key_without_its_partner_or_revoked_is_no_key(anonymous: Any, store: Any) -> None:
    gone = {"Authorization": "Bearer rtr_orphan"}
    assert anonymous.get("/v1/assets", headers=gone).status_code == 401
    own = {"Authorization": "Bearer rtr_acme"}
    assert anonymous.get("/v1/assets", headers=own).status_code == 200
    with store.writing() as tx:
        tx.revoke_key("k-acme", NOON)
    assert anonymous.get("/v1/assets", headers=own).status_code == 401


@pytest.mark.parametrize(
    ("wanted", "name", "why"),
    [
        ({"scopes": ["read", "write"]}, "scopes", "read alone, not write"),
        ({"scopes": ["admin"]}, "scopes", "read alone, not admin"),
        ({"partner": "nobody"}, "partner", "there is no partner nobody"),
        ({"partner": "no\x00body"}, "partner", ""),
    ],
)
def test_a_partners_key_that_cannot_be(anonymous: Any, wanted: Any, name: str, why: str) -> None:
    asked = {"name": "portal", "scopes": ["read"], "partner": "acme", **wanted}
    admin = {"Authorization": "Bearer rtr_admin"}
    answer = anonymous.post("/v1/keys", json=asked, headers=admin)
    assert answer.status_code == 422
    (error,) = answer.json()["errors"]
    assert (error["name"], why in error["detail"]) == (name, True)


def test_a_partners_key_is_made_listed_and_audited(anonymous: Any) -> None:
    admin = {"Authorization": "Bearer rtr_admin"}
    asked = {"name": "portal", "scopes": ["read"], "partner": "acme"}
    made = anonymous.post("/v1/keys", json=asked, headers=admin).json()
    assert made["partner"] == "acme"
    listed = {one["id"]: one for one in anonymous.get("/v1/keys", headers=admin).json()["items"]}
    assert listed[made["id"]]["partner"] == "acme"
    assert listed["k-read"]["partner"] is None
    (change,) = anonymous.get("/v1/audit?kind=key", headers=admin).json()["items"]
    assert change["after"]["partner"] == "acme"
    own = {"Authorization": f"Bearer {made['secret']}"}
    found = anonymous.get("/v1/assets", headers=own).json()["items"]
    assert [one["id"] for one in found] == ["came", "mine", "mine-2"]
