"""Stages by the API: of one asset, now and as of a time, its timeline, and the funnel."""

from collections.abc import Callable
from math import log
from typing import Any

import pytest

from tracker.arrange import arrange
from tracker.audit import PROGRAM
from tracker.model import Asset, Fix, Read
from tracker.places import Circle, Reader, Site, Zone
from tracker.registry import bind_tag, save_asset

NOON = 1_767_614_400_000  # 2026-01-05T12:00:00Z
MINUTE, HOUR = 60_000, 3_600_000
TAG = "urn:epc:id:grai:0614141.12345.5678"


@pytest.fixture
def depot(world: Any) -> Any:
    """A depot in Rotterdam with a bench and a dock, and a pallet that was ready there."""
    with world.store.writing() as tx:
        fence = Circle(center=(4.48, 51.92), radius_m=150)
        arrange(
            tx,
            Site(
                id="depot",
                name="Depot Rotterdam",
                kind="depot",
                geofence=fence,
                timezone="Europe/Amsterdam",
            ),
        )
        arrange(tx, Zone(id="dock", site="depot", stage="received"))
        arrange(tx, Zone(id="bench", site="depot", stage="inspection", adjacent=["dock"]))
        save_asset(tx, Asset("a", "pallet", initial_stage="return_transit"), PROGRAM)
        bind_tag(tx, "a", TAG)
    for device, zone in (("rdr-1", "bench"), ("rdr-2", "dock")):
        world.device(device)
        with world.store.writing() as tx:
            arrange(tx, Reader(device=device, zone=zone, cycle_s=1800, miss=0.2, stray=0.1))
    return world


Read_ = Callable[..., None]


@pytest.fixture
def read(depot: Any) -> Read_:
    """The tag is read some minutes before noon, which comes at once, or is `received` later."""

    def given(device: str, *minutes: int, received: int | None = None) -> None:
        for n in minutes:
            at = NOON - n * MINUTE
            what = Read(TAG, 1, -54.0, 6)
            came = at if received is None else received
            depot.tell(device, 10_000 - n, (at, what), received=came)

    return given


def state(writer: Any, id: str, kind: str, minutes: int, **fields: Any) -> None:
    fact = {"id": id, "asset": "a", "kind": kind, "at": NOON - minutes * MINUTE} | fields
    answer = writer.post("/v1/facts", json=fact)
    assert answer.status_code == 200, answer.text


def test_the_stage_of_an_asset_and_why(client: Any, read: Read_) -> None:
    read("rdr-2", 600, 570)
    read("rdr-1", 180, 150, 120, 90, 60, 30)
    answer = client.get("/v1/assets/a/stage").json()
    assert (answer["asset"], answer["class"]) == ("a", "pallet")
    assert answer["at"] == "2026-01-05T12:00:00.000Z"
    assert answer["stage"] == "inspection"
    assert answer["p"] == answer["stages"]["inspection"] > 0.8
    assert sum(answer["stages"].values()) == pytest.approx(1)
    assert answer["sites"] == {"depot": "depot", "hub": None, "customer": None}
    others = {name: p for name, p in answer["stages"].items() if name != "inspection"}
    assert answer["runner_up"] == dict(
        zip(("stage", "p"), max(others.items(), key=lambda one: one[1]), strict=True)
    )
    assert answer["now"]["stage"] == "inspection"
    assert answer["now"]["instead"] == answer["runner_up"]["stage"]
    assert answer["why"]["sentence"].startswith("At bench (Depot Rotterdam) since ")
    assert " CET: read " in answer["why"]["sentence"]
    assert "a stray read is " in answer["why"]["sentence"]
    assert answer["sentence"] == answer["now"]["sentence"]
    assert "CET: read 5 times; " in answer["sentence"]
    for why in (answer["why"], answer["now"]):
        assert sum(term["weight"] for term in why["terms"]) == why["total"]
        assert "everything before" in [term["what"] for term in why["terms"]]


def test_the_total_is_the_odds(client: Any, read: Read_) -> None:
    read("rdr-1", 180, 150, 120)
    answer = client.get("/v1/assets/a/stage").json()
    now, stages = answer["now"], answer["stages"]
    odds = log(stages[now["stage"]] / stages[now["instead"]])
    assert now["total"] == pytest.approx(odds, abs=1e-8)


def test_of_what_nothing_was_observed_only_registration_tells(client: Any, depot: Any) -> None:
    answer = client.get("/v1/assets/a/stage").json()
    assert (answer["since"], answer["why"], answer["now"]) == (None,) * 3
    assert answer["stage"] == "return_transit"
    assert answer["stages"]["return_transit"] == answer["p"] == pytest.approx(0.98)
    funnel = client.get("/v1/stages").json()["stages"]
    assert [(one["stage"], one["assets"]) for one in funnel] == [("return_transit", 1)]
    assert client.get("/v1/assets/a/timeline").json() == {"items": [], "next": None}


def test_there_is_no_stage_of_an_unknown_asset(client: Any) -> None:
    for route in ("stage", "timeline"):
        answer = client.get(f"/v1/assets/z/{route}")
        assert (answer.status_code, answer.json()["type"]) == (404, "/problems/unknown-asset")


def test_as_of_a_time_is_what_was_believed_then(
    client: Any, clock: Any, read: Read_, world: Any
) -> None:
    """Not what is known of that time today."""
    read("rdr-2", 180, 150, 120)
    clock.at = NOON - 100 * MINUTE
    then = client.get("/v1/assets/a/stage").json()
    clock.at = NOON
    assert then["stage"] == "received"
    read("rdr-1", 110, 80, 50, 20, received=NOON - 10 * MINUTE)
    now = client.get("/v1/assets/a/stage").json()
    assert now["stage"] == "inspection"
    as_of = client.get("/v1/assets/a/stage", params={"as_of": NOON - 100 * MINUTE}).json()
    assert as_of == then
    assert client.get("/v1/assets/a/stage", params={"as_of": NOON}).json() == now
    before = client.get("/v1/assets/a/stage", params={"as_of": NOON - 700 * MINUTE}).json()
    assert (before["stage"], before["why"]) == ("return_transit", None)


def test_as_of_a_time_holds_what_silence_had_made_of_it(
    client: Any, clock: Any, read: Read_
) -> None:
    read("rdr-2", 2000, 1970)
    clock.at = NOON - 100 * MINUTE
    then = client.get("/v1/assets/a/stage").json()
    assert then["stage"] != "received"
    assert then["why"] == then["now"]
    assert then["sentence"] == then["why"]["sentence"]
    clock.at = NOON
    read("rdr-2", 30, 0)
    as_of = client.get("/v1/assets/a/stage", params={"as_of": NOON - 100 * MINUTE}).json()
    assert as_of == then


def test_as_of_a_time_before_a_correction_holds_what_was_told(
    client: Any, clock: Any, read: Read_, writer: Any
) -> None:
    read("rdr-2", 80, 50, 20)
    clock.at = NOON - 15 * MINUTE
    told = client.get("/v1/assets/a/stage").json()
    clock.at = NOON
    state(writer, "f-1", "received", 90)
    corrected = client.get("/v1/assets/a/stage").json()
    assert corrected["since"] == "2026-01-05T10:30:00.000Z" < told["since"]
    assert corrected["why"]["sentence"].startswith("Received since 11:30 CET: it was received; ")
    as_of = client.get("/v1/assets/a/stage", params={"as_of": NOON - 15 * MINUTE}).json()
    assert as_of == told


def test_before_the_log_nothing_can_be_told(client: Any, read: Read_, world: Any) -> None:
    read("rdr-2", 600)
    with world.store.writing() as tx:
        tx.add_edge(NOON - HOUR, NOON)
    answer = client.get("/v1/assets/a/stage", params={"as_of": NOON - 2 * HOUR})
    assert (answer.status_code, answer.json()["type"]) == (410, "/problems/before-log")


def test_a_timeline_tells_facts_stages_and_corrections_in_pages(
    client: Any, writer: Any, read: Read_
) -> None:
    read("rdr-2", 600, 570)
    state(writer, "f-2", "inspected", 100, outcome="repair", by="inspector 3", note="broken")
    state(writer, "f-1", "received", 650)
    whole = client.get("/v1/assets/a/timeline").json()
    assert whole["next"] is None
    items = whole["items"]
    assert [item["at"] for item in items] == sorted(item["at"] for item in items)
    fact, first, *_ = items
    assert (fact["what"], fact["fact"], fact["id"]) == ("fact", "received", "f-1")
    assert (first["what"], first["stage"], first["at"]) == ("stage", "received", fact["at"])
    assert first["sentence"].startswith("Received since ")
    inspected = next(item for item in items if item["id"] == "f-2")
    assert (inspected["stage"], inspected["by"]) == ("repair", "inspector 3")
    assert inspected["note"] == "broken"
    corrections = [item for item in items if item["what"] == "correction"]
    assert corrections
    assert all(item["supersedes"] and item["recorded"] for item in corrections)
    paged, cursor = [], None
    while True:
        params = {"limit": 1} | ({"cursor": cursor} if cursor else {})
        page = client.get("/v1/assets/a/timeline", params=params).json()
        paged += page["items"]
        if (cursor := page["next"]) is None:
            break
    assert paged == items


def funnel(client: Any, **params: Any) -> list[tuple[Any, ...]]:
    stages = client.get("/v1/stages", params=params).json()["stages"]
    return [(one["stage"], one["assets"], one["mean_dwell_s"]) for one in stages]


def test_the_funnel_counts_assets_by_stage(client: Any, writer: Any, depot: Any) -> None:
    for id, class_ in (("b", "pallet"), ("c", "crate"), ("d", "pallet")):
        with depot.store.writing() as tx:
            save_asset(tx, Asset(id, class_, initial_stage="ready"), PROGRAM)
    depot.device("trk")
    state(writer, "1", "received", 120)
    state(writer, "2", "received", 60, asset="b")
    state(writer, "3", "inspected", 30, asset="c", outcome="repair")
    state(writer, "4", "work_started", 30, asset="d", stage="repair")
    assert funnel(client) == [("received", 2, 5_400), ("repair", 2, 1_800)]
    assert funnel(client, **{"class": "crate"}) == [("repair", 1, 1_800)]
    assert funnel(client, site="depot") == []
    answer = client.get("/v1/stages").json()
    assert answer["stale"] == 0
    assert answer["stages"][1]["parts"] == [
        {"class": "crate", "site": None, "assets": 1, "mean_dwell_s": 1800},
        {"class": "pallet", "site": None, "assets": 1, "mean_dwell_s": 1800},
    ]
    assert client.get("/v1/stages", params={"site": "nowhere"}).status_code == 404


def test_the_funnel_knows_where_assets_are_and_which_may_be_wrong(
    client: Any, depot: Any, read: Read_
) -> None:
    read("rdr-2", 600, 570)
    assert [one[:2] for one in funnel(client, site="depot")] == [("received", 1)]
    with depot.store.writing() as tx:
        tx.mark_stale({"a": 0})
    assert client.get("/v1/stages").json()["stale"] == 1


def listed(client: Any, **params: Any) -> list[str]:
    return [one["id"] for one in client.get("/v1/assets", params=params).json()["items"]]


def test_assets_are_found_by_their_stage(client: Any, writer: Any, depot: Any) -> None:
    depot.asset("b")
    depot.asset("c")
    depot.device("trk")
    depot.asset("d", devices=("trk",))
    state(writer, "1", "received", 120)
    state(writer, "2", "received", 60, asset="b")
    depot.tell("trk", 0, (NOON, Fix(50.0, 4.2, 8.0)))
    assert listed(client, stage="received") == ["a", "b"]
    assert listed(client, stage="received", q="a") == ["a"]
    assert listed(client, stage="unknown") == ["d"]
    assert listed(client, stage="repair") == []
    every = {one["id"]: one for one in client.get("/v1/assets").json()["items"]}
    assert every["a"]["stage"] == "received"
    assert every["c"]["stage"] is every["c"]["stage_p"] is None
    p = every["a"]["stage_p"]
    assert every["b"]["stage_p"] > p
    assert listed(client, stage="received", p_min=p, limit=1) == ["a"]
    assert listed(client, stage="received", p_min=p + 1e-9) == ["b"]
    assert client.get("/v1/assets", params={"p_min": 2}).status_code == 422
