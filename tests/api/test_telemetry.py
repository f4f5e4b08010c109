"""Telemetry and tracks: the same from the log as from the time-series store."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from random import Random
from typing import Any

import pytest

from tracker.model import Binding, Fix, Read, Values
from tracker.places import Standing
from tracker.ports import SeriesUnavailable
from tracker.registry import bind
from tracker.stores.influx import Influx
from tracker.telling import rebuild

NOON = 1_767_614_400_000
HOUR = 3_600_000
TAG = "tag:E280AA"
QUESTIONS = [
    ("track", {}),
    ("track", {"limit": 7}),
    ("track", {"resolution": "30m"}),
    ("track", {"resolution": "1h", "limit": 2}),
    ("track", {"from": NOON - 3 * HOUR + 5, "to": NOON - HOUR}),
    ("track", {"from": NOON}),
    ("telemetry", {"name": "temperature"}),
    ("telemetry", {"name": "temperature", "limit": 9}),
    ("telemetry", {"name": "temperature", "resolution": "15m"}),
    ("telemetry", {"name": "temperature", "resolution": "1h", "limit": 2}),
    ("telemetry", {"name": "temperature", "resolution": "1d", "from": NOON - 90 * 60_000}),
    ("telemetry", {"name": "door", "to": NOON - HOUR}),
    ("telemetry", {"name": "mode"}),
    ("telemetry", {"name": "mode", "resolution": "1h"}),
    ("telemetry", {"name": "nothing"}),
]


@pytest.fixture
def filled(world: Any) -> Any:
    """An asset with two trackers after each other and a tag, for five hours."""
    for device in ("trk-1", "trk-2"):
        world.device(device)
    world.device("gate", place=Standing(lat=51.0, lon=4.0, acc=5.0))
    world.asset("A1", tags=(TAG,))
    middle = NOON - 2 * HOUR
    with world.store.writing() as tx:
        bind(tx, Binding("A1", "trk-1", until=middle))
        bind(tx, Binding("A1", "trk-2", since=middle))
    chance = Random(1)
    times = sorted(chance.sample(range(NOON - 5 * HOUR, NOON), 120))
    for seq, at in enumerate(times):
        device = chance.choice(["trk-1", "trk-2"])
        temperature = round(chance.gauss(20, 5), 2)
        told = {"temperature": temperature, "door": seq % 2 == 0, "mode": f"m{seq % 3}"}
        fix = Fix(51 + seq / 1000, 4.5, chance.choice([None, 8.0]), speed=1.5)
        world.tell(device, seq, (at, fix), (at + 1, Values(told)))
        if seq % 5 == 0:
            world.tell("gate", seq, (at + 2, Read(TAG, 1, -54.5)))
    return world


@pytest.fixture
def series(filled: Any, new_influx: Any) -> Iterator[Influx]:
    made = Influx(new_influx())
    rebuild(filled.store, made, NOON)
    yield made
    made.close()


def pages(client: Any, path: str, question: dict[str, Any]) -> list[Any]:
    items: list[Any] = []
    cursor = None
    while True:
        asked = question | ({"cursor": cursor} if cursor else {})
        answer = client.get(f"/v1/assets/A1/{path}", params=asked)
        assert answer.status_code == 200, answer.text
        page = answer.json()
        assert len(page["items"]) <= question.get("limit", 1_000)
        items += page["items"]
        if (cursor := page["next"]) is None:
            return items


@pytest.mark.system
def test_both_give_the_same_answers(client: Any, app: Any, series: Influx) -> None:
    of_log = [pages(client, *question) for question in QUESTIONS]
    assert [bool(answer) for answer in of_log] == [
        question not in (QUESTIONS[5], QUESTIONS[13], QUESTIONS[14]) for question in QUESTIONS
    ]
    app.state.backend = replace(app.state.backend, series=series)
    for question, expected in zip(QUESTIONS, of_log, strict=True):
        assert pages(client, *question) == [pytest.approx(item) for item in expected], question


class Away(Influx):
    """A time-series store that does not answer."""

    def __init__(self) -> None:
        pass

    def history(self, *_: Any, **__: Any) -> Any:
        raise SeriesUnavailable("away")

    values = sums = history


@pytest.mark.parametrize("question", QUESTIONS[:1] + QUESTIONS[6:9:2])
def test_the_log_answers_while_the_series_is_away(
    client: Any, app: Any, filled: Any, question: Any
) -> None:
    of_log = pages(client, *question)
    app.state.backend = replace(app.state.backend, series=Away())
    assert pages(client, *question) == of_log != []


def test_but_not_of_what_it_has_given_up(client: Any, app: Any, filled: Any) -> None:
    app.state.backend = replace(app.state.backend, series=Away())
    with filled.store.writing() as tx:
        tx.add_edge(NOON - HOUR, NOON)
    answer = client.get("/v1/assets/A1/track")
    assert (answer.status_code, answer.json()["type"]) == (503, "/problems/series-unavailable")
    answer = client.get("/v1/assets/A1/track", params={"from": NOON - HOUR})
    assert answer.status_code == 200


@pytest.mark.parametrize("resolution", ["", "0m", "15", "m", "1w", "1.5h", "100000s", "-1h"])
def test_a_resolution_is_a_span_of_time(client: Any, filled: Any, resolution: str) -> None:
    answer = client.get("/v1/assets/A1/track", params={"resolution": resolution})
    assert (answer.status_code, answer.json()["errors"][0]["name"]) == (422, "resolution")


def test_a_window_tells_what_its_numbers_come_to(client: Any, world: Any) -> None:
    world.device("trk-1")
    world.asset("A1", devices=("trk-1",))
    for seq, value in enumerate([1, 2.5, "cold", True, None, 4]):
        world.tell("trk-1", seq, (NOON + seq, Values({"t": value})))
    (window,) = pages(client, "telemetry", {"name": "t", "resolution": "1h"})
    assert window == {
        "at": "2026-01-05T12:00:00.000Z",
        "count": 3,
        "mean": 2.5,
        "min": 1.0,
        "max": 4.0,
    }
    values = pages(client, "telemetry", {"name": "t"})
    assert [one["value"] for one in values] == [1.0, 2.5, "cold", True, 4.0]


def test_an_unknown_asset_has_no_telemetry(client: Any, filled: Any) -> None:
    answer = client.get("/v1/assets/A9/telemetry", params={"name": "t"})
    assert (answer.status_code, answer.json()["type"]) == (404, "/problems/unknown-asset")
