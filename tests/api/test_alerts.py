"""Alerts by the API: what is overdue, and what people do about alerts."""

from datetime import date
from typing import Any

import orjson
import pytest

from api import feed
from tracker.facts import state
from tracker.leases import Lease, Line, Partner
from tracker.model import Asset, Fact
from tracker.registry import register_asset
from tracker.stamps import StampPolicy
from tracker.watching import look_at_due

NOON = 1_767_614_400_000  # 2026-01-05T12:00:00Z
HOUR, DAY = 3_600_000, 86_400_000


@pytest.fixture
def late(world: Any) -> Any:
    """Three pallets at a customer, due one, two and three days before yesterday noon."""
    with world.store.writing() as tx:
        tx.put_partner(Partner("acme", sites=("cust-1",)))
        tx.put_partner(Partner("bolt"))
        for n in range(1, 4):
            asset, began, due_at = f"p{n}", NOON - 9 * DAY, NOON - (n + 1) * DAY
            register_asset(tx, Asset(asset, "pallet", initial_stage="in_use"))
            days = (date(2026, 1, 1), date(2026, 1, 4 - n))
            line = Line(f"L{n}", "1", asset, None, *days, began, due_at)
            tx.put_lease(Lease(f"L{n}", "acme", ("cust-1",), "UTC", lines=(line,)))
            fact = Fact(asset, "lease_started", id=f"f{n}")
            state(tx, [(fact, began)], StampPolicy(), began)
    look(world)
    return world


def look(world: Any, now: int = NOON) -> None:
    with world.store.writing() as tx:
        look_at_due(tx, now, 100)


def ids(client: Any, **asked: Any) -> list[str]:
    return [one["id"] for one in client.get("/v1/alerts", params=asked).json()["items"]]


def test_what_is_overdue_comes_with_its_reason_the_longest_first(client: Any, late: Any) -> None:
    items = client.get("/v1/overdue").json()["items"]
    assert [(one["asset"], one["days"]) for one in items] == [("p3", 4.0), ("p2", 3.0), ("p1", 2.0)]
    first = items[0]
    assert (first["lease"], first["customer"], first["state"]) == ("L3", "acme", "open")
    assert first["p"] > 0.5
    assert first["reason"].startswith("Due 4.0 days ago; it is still with the customer at ")
    assert first["deadline"] == "2026-01-02T12:00:00.000Z"


def test_overdue_comes_in_pages_and_as_a_table(client: Any, late: Any) -> None:
    page = client.get("/v1/overdue", params={"limit": 2}).json()
    rest = client.get("/v1/overdue", params={"limit": 2, "cursor": page["next"]}).json()
    assert [one["asset"] for one in page["items"] + rest["items"]] == ["p3", "p2", "p1"]
    assert rest["next"] is None
    table = client.get("/v1/overdue.csv")
    assert table.headers["content-type"].startswith("text/csv")
    header, *lines = table.text.splitlines()
    assert header.startswith("asset,class,lease,line,customer,due")
    assert [line.split(",")[0] for line in lines] == ["p3", "p2", "p1"]


@pytest.fixture
def worth(late: Any) -> Any:
    """The pallets have a worth, but for one; the likeliest is the one due last."""
    with late.store.writing() as tx:
        for n, value in ((1, 80), (2, 120.5), (3, "much")):
            said = {"value": value, "currency": "EUR"}
            tx.put_assets([Asset(f"p{n}", "pallet" if n < 3 else "cage", attributes=said)])
        some = [one for few in tx.alerts_of(["p1", "p2", "p3"]).values() for one in few]
        tx.save_alerts([one._replace(why=one.why | {"p": 1 / (one.since % 7 + 2)}) for one in some])
    return late


@pytest.mark.parametrize("sort", ["days", "value", "p"])
def test_overdue_is_sorted_the_greatest_first_and_so_in_pages(
    client: Any, worth: Any, sort: str
) -> None:
    whole = client.get("/v1/overdue", params={"sort": sort}).json()["items"]
    keys = [one[sort] for one in whole]
    known = [key for key in keys if key is not None]
    assert known == sorted(known, reverse=True)
    assert keys[len(known) :] == [None] * (len(keys) - len(known))  # what is not known comes last
    pages, cursor = [], {}
    for _ in whole:
        page = client.get("/v1/overdue", params={"sort": sort, "limit": 1} | cursor).json()
        pages += page["items"]
        cursor = {"cursor": page["next"]}
    assert (pages, page["next"]) == (whole, None)


def test_what_an_asset_is_worth_is_told(client: Any, worth: Any) -> None:
    items = client.get("/v1/overdue", params={"sort": "value"}).json()["items"]
    told = [(one["asset"], one["value"], one["currency"]) for one in items]
    assert told == [("p2", 120.5, "EUR"), ("p1", 80.0, "EUR"), ("p3", None, None)]


def test_a_cursor_is_good_for_its_order_alone(client: Any, late: Any) -> None:
    cursor = client.get("/v1/overdue", params={"limit": 1}).json()["next"]
    answer = client.get("/v1/overdue", params={"sort": "p", "cursor": cursor})
    assert answer.json()["type"].rpartition("/")[2] == "bad-cursor"


def test_overdue_of_a_customer_a_class_and_a_site(client: Any, worth: Any) -> None:
    def asked(**filters: str) -> list[str]:
        answer = client.get("/v1/overdue", params=filters)
        table = client.get("/v1/overdue.csv", params=filters).text.splitlines()[1:]
        found = [one["asset"] for one in answer.json()["items"]]
        assert [line.split(",")[0] for line in table] == found
        return found

    assert asked(customer="acme") == ["p3", "p2", "p1"]
    assert asked(customer="bolt") == []
    assert asked(**{"class": "cage"}) == ["p3"]


@pytest.mark.parametrize("filters", [{"customer": "bolted"}, {"site": "nowhere"}])
def test_of_what_there_is_not_nothing_is_said_to_be_overdue(client: Any, filters: Any) -> None:
    for path in ("/v1/overdue", "/v1/overdue.csv"):
        assert client.get(path, params=filters).status_code == 404


def test_of_whom_there_is_not_nothing_is_foreseen(client: Any) -> None:
    assert client.get("/v1/forecast", params={"customer": "bolted"}).status_code == 404


def test_overdue_tells_by_lease_and_by_stage_why_that_is_thought(client: Any, late: Any) -> None:
    (first, *_) = client.get("/v1/overdue").json()["items"]
    said, paper, stage = first["reasons"]
    assert said == first["reason"]
    assert paper == "It was due on 2026-01-01, with 24 h of grace, and has not come back since."
    told = client.get("/v1/assets/p3/stage").json()["sentence"]
    assert stage == f"{told}."


def test_alerts_are_chosen(client: Any, late: Any) -> None:
    assert len(ids(client)) == 3
    assert len(ids(client, state="open", rule="overdue", severity="serious", asset="p1")) == 1
    assert ids(client, state="resolved") == ids(client, lease="L9") == []


def test_what_people_do_is_told_with_the_alert(client: Any, writer: Any, late: Any) -> None:
    (alert,) = ids(client, asset="p1")
    path = f"/v1/alerts/{alert}"
    taken = writer.post(f"{path}/acknowledge", json={"note": "called them"}).json()
    assert (taken["state"], taken["by"]) == ("acknowledged", "key write (k-write)")
    assert writer.post(f"{path}/comment", json={"note": "tomorrow"}).status_code == 200
    assert writer.post(f"{path}/resolve", json={}).json()["resolution"] == "by hand"
    events = client.get(path).json()["events"]
    told = [(one["kind"], one["note"]) for one in events]
    assert told == [
        ("opened", None),
        ("acknowledged", "called them"),
        ("commented", "tomorrow"),
        ("resolved", "by hand"),
    ]
    look(late, NOON + HOUR)
    assert client.get(path).json()["state"] == "resolved"


def test_alerts_are_heard_live(client: Any, writer: Any, late: Any) -> None:
    (alert,) = ids(client, asset="p1")
    with late.store.reading() as reader:
        before = feed.Position(*reader.newest())
    writer.post(f"/v1/alerts/{alert}/acknowledge", json={})
    with late.store.reading() as reader:
        page = feed.page_after(before, feed.Position(*reader.newest()), reader)
    (event,) = page.events
    told = orjson.loads(event.data)
    assert (event.name, event.asset, told["kind"]) == ("alert", "p1", "alert.acknowledged")
    assert (told["rule"], told["state"], told["about"]) == (
        *("overdue", "acknowledged"),
        f"alert {alert}",
    )


def test_a_snoozed_one_wakes(client: Any, writer: Any, late: Any) -> None:
    (alert,) = ids(client, asset="p1")
    path = f"/v1/alerts/{alert}/snooze"
    past = writer.post(path, json={"until": NOON})
    assert (past.status_code, past.json()["title"]) == (422, "That time is over")
    assert writer.post(path, json={"until": NOON + HOUR}).json()["state"] == "snoozed"
    look(late, NOON + HOUR)
    assert client.get(f"/v1/alerts/{alert}").json()["state"] == "open"


def test_what_is_over_or_unknown_is_refused(client: Any, writer: Any, late: Any) -> None:
    (alert,) = ids(client, asset="p1")
    writer.post(f"/v1/alerts/{alert}/resolve", json={})
    again = writer.post(f"/v1/alerts/{alert}/acknowledge", json={})
    assert (again.status_code, again.json()["type"].split("/")[-1]) == (409, "alert-is-over")
    assert client.get("/v1/alerts/al_none").status_code == 404
    assert writer.post("/v1/alerts/al_none/comment", json={"note": "x"}).status_code == 404
    assert client.post(f"/v1/alerts/{alert}/comment", json={"note": "x"}).status_code == 403
