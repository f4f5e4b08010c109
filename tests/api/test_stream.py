"""The live stream, from a real database through a real server."""

import asyncio
import json
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from shutil import copy
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import httpx
import pytest
from fastapi import FastAPI
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from prometheus_client import REGISTRY

from api import feed, stream
from api.server import serving
from tracker.fold import Entry
from tracker.model import Fix, Read, Values
from tracker.places import Standing
from tracker.ports import StoreUnavailable
from tracker.stores.sqlite import SqliteStore

NOON = 1_767_614_400_000
EARLIER = NOON - 3_600_000
MINUTE = 60_000
WITHIN_S = 30
INSIDE, OUTSIDE = Fix(51.9, 4.4, 5.0), Fix(51.95, 4.4, 5.0)


class Told(NamedTuple):
    id: str
    event: str
    data: dict[str, Any]


class Listener:
    """A client of the stream that reads as far as a test wants."""

    def __init__(self, answer: httpx.Response) -> None:
        self.blocks = self._blocks(answer.iter_text())

    def _blocks(self, texts: Iterator[str]) -> Iterator[str]:
        rest = ""
        for text in texts:
            *whole, rest = (rest + text).split("\n\n")
            yield from whole

    def next(self) -> Told:
        deadline = time.monotonic() + WITHIN_S
        for block in self.blocks:
            assert time.monotonic() < deadline
            lines = [line.partition(": ") for line in block.split("\n")]
            fields = {name: value for name, _, value in lines}
            if "event" in fields:
                return Told(fields["id"], fields["event"], json.loads(fields["data"]))
        raise EOFError

    def take(self, n: int) -> list[Told]:
        return [self.next() for _ in range(n)]

    def mark(self) -> str:
        """Wait for the next mark: what it tells of has all been sent."""
        block = next(self.blocks)
        assert "event: " not in block, block
        return block.partition("id: ")[2]

    def marked(self, id: str) -> bool:
        """Whether a mark of this id comes."""
        deadline = time.monotonic() + WITHIN_S
        return any(self.mark() == id for _ in iter(lambda: time.monotonic() < deadline, False))


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feed, "POLL_S", 0.02)


@pytest.fixture
def url(app: FastAPI) -> Iterator[str]:
    with serving(app, "127.0.0.1", 0) as url:
        yield url


Listen = Callable[..., Any]


@pytest.fixture
def listen(url: str) -> Listen:
    @contextmanager
    def listen(last: str | None = None, key: str = "read", **params: Any) -> Iterator[Listener]:
        headers = {"Authorization": f"Bearer rtr_{key}"}
        if last is not None:
            headers["Last-Event-ID"] = last
        with (
            httpx.Client(base_url=url, headers=headers, timeout=WITHIN_S) as client,
            client.stream("GET", "/v1/stream", params=params) as answer,
        ):
            assert answer.status_code == 200, answer.read()
            yield Listener(answer)

    return listen


@pytest.fixture(scope="module")
def template(filling: Any) -> Any:
    """Three assets with a device each."""
    with filling() as world:
        for n in range(3):
            world.device(f"d{n}")
            world.asset(f"a{n}", devices=(f"d{n}",))
        return world.store.path


@pytest.fixture
def fleet(world: Any) -> Any:
    return world


def where(told: list[Told]) -> list[tuple[str, float]]:
    return [(one.data["asset"], one.data["lat"]) for one in told]


def test_tells_where_an_asset_is(listen: Listen, fleet: Any) -> None:
    fleet.tell("d0", 0, (NOON - 5, Fix(50.0, 4.0)))
    with listen() as listener:
        start = listener.mark()
        fleet.tell("d1", 0, (NOON, Fix(51.92, 4.48, 7.5)))
        told = listener.next()
    assert (start, told.id, told.event) == ("1.1", "2.1", "location")
    assert told.data == {
        "asset": "a1",
        "lat": 51.92,
        "lon": 4.48,
        "acc": 7.5,
        "at": "2026-01-05T12:00:00.000Z",
        "source": "fix",
        "device": "d1",
        "site": None,
        "zone": None,
    }


def test_its_head_suits_proxies(url: str) -> None:
    headers = {"Authorization": "Bearer rtr_read"}
    with httpx.stream("GET", f"{url}/v1/stream", headers=headers, timeout=WITHIN_S) as answer:
        assert answer.headers["content-type"] == "text/event-stream; charset=utf-8"
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["x-accel-buffering"] == "no"
        assert next(answer.iter_text()) == "retry: 2000\n:\nid: 0.0\n\n"


def test_late_data_is_no_news_of_where_an_asset_is(listen: Listen, fleet: Any) -> None:
    with listen() as listener:
        fleet.tell("d0", 0, (NOON, Fix(50.0, 4.0)))
        assert where([listener.next()]) == [("a0", 50.0)]
        fleet.tell("d0", 1, (NOON - MINUTE, Fix(49.0, 4.0)))
        fleet.tell("d0", 2, (NOON + 1, Values({"battery": 0.5})))
        fleet.tell("stranger", 0, (NOON, Fix(48.0, 4.0)))
        fleet.tell("d1", 0, (NOON, Fix(51.0, 4.0)))
        told = listener.take(2)
    corrected, located = sorted(told, key=lambda one: one.event)  # they may share a page
    assert (located.event, located.data["asset"]) == ("location", "a1")
    assert (corrected.event, corrected.data["asset"]) == ("correction", "a0")
    assert corrected.data["kind"] == "location.corrected"
    assert corrected.data["at"] == "2026-01-05T11:59:00.000Z"
    assert corrected.data["lat"] == 49.0
    assert type(corrected.data["supersedes"]) is int
    assert "key" not in corrected.data


def test_tells_a_page_once_for_each_asset(listen: Listen, fleet: Any) -> None:
    fleet.tell("d0", 0, *((NOON + n, Fix(50.0 + n / 100, 4.0)) for n in range(50)))
    fleet.tell("d1", 0, (NOON, Fix(51.0, 4.0)))
    fleet.tell("d0", 1, (NOON + 99, Fix(55.0, 4.0)))
    with listen(last="0.0") as listener:
        assert where(listener.take(2)) == [("a1", 51.0), ("a0", 55.0)]


def test_a_tag_is_told_by_the_reader_that_saw_it(listen: Listen, world: Any) -> None:
    world.device("gate", place=Standing(lat=51.9, lon=4.4, acc=15.0))
    world.asset("pallet", tags=("tag:E280",))
    with listen(event="location") as listener:
        listener.mark()
        world.tell("gate", 0, (NOON, Read("tag:E280")), (NOON, Read("tag:E281")))
        told = listener.next()
    assert (told.data["asset"], told.data["source"], told.data["lat"]) == ("pallet", "read", 51.9)


def test_tells_of_a_visit_and_of_what_was_wrong_with_it(listen: Listen, fleet: Any) -> None:
    fleet.site("depot")
    with listen(event="visit") as listener:
        listener.mark()
        for n, fix in enumerate([OUTSIDE, OUTSIDE, INSIDE, INSIDE, OUTSIDE, OUTSIDE]):
            fleet.tell("d0", n, (EARLIER + 10 * n * MINUTE, fix))
        entered, left = listener.take(2)
        # It came earlier than was believed: that is another visit, and the one told was none.
        fleet.tell("d0", 9, (EARLIER + 15 * MINUTE, INSIDE))
        *instead, corrected = listener.take(3)
    assert (entered.event, entered.data["kind"]) == ("visit", "visit.entered")
    assert (entered.data["asset"], entered.data["site"]) == ("a0", "depot")
    assert entered.data["at"] == entered.data["since"] == "2026-01-05T11:20:00.000Z"
    assert {"line", "recorded"} <= entered.data.keys()
    assert left.data["kind"] == "visit.left"
    assert left.data["at"] == left.data["until"] == "2026-01-05T11:40:00.000Z"
    assert left.data["last"] == "2026-01-05T11:30:00.000Z"
    assert left.data["about"] == entered.data["about"]
    assert left.data["supersedes"] is None
    assert [one.data["kind"] for one in instead] == ["visit.entered", "visit.left"]
    assert {one.data["since"] for one in instead} == {"2026-01-05T11:15:00.000Z"}
    assert (corrected.event, corrected.data["kind"]) == ("visit", "visit.corrected")
    assert corrected.data["about"] == left.data["about"]
    assert corrected.data["supersedes"] == left.data["line"]
    assert corrected.data["withdrawn"] is True


def test_tells_of_a_stage_and_of_what_was_wrong_with_it(
    listen: Listen, fleet: Any, writer: Any
) -> None:
    def state(id: str, kind: str, at: int, **more: str) -> None:
        fact = {"id": id, "asset": "a0", "kind": kind, "at": at} | more
        assert writer.post("/v1/facts", json=fact).status_code == 200

    with listen(event="stage") as listener:
        listener.mark()
        state("f-1", "received", EARLIER)
        received = listener.next()
        state("f-2", "inspected", EARLIER + 20 * MINUTE, outcome="repair")
        repair = listener.next()
        state("f-3", "inspected", EARLIER + 10 * MINUTE, outcome="repair")
        earlier, corrected = listener.take(2)
    assert received.event == "stage"
    assert received.data == {
        "asset": "a0",
        "kind": "stage.changed",
        "about": received.data["about"],
        "at": "2026-01-05T11:00:00.000Z",
        "stage": "received",
        "was": None,
        "p": received.data["p"],
        "recorded": "2026-01-05T12:00:00.000Z",
        "line": received.data["line"],
        "supersedes": None,
    }
    assert (repair.data["stage"], repair.data["was"]) == ("repair", "received")
    assert (earlier.data["kind"], earlier.data["stage"]) == ("stage.changed", "repair")
    assert corrected.data["kind"] == "stage.corrected"
    assert corrected.data["supersedes"] == repair.data["line"]
    assert corrected.data["withdrawn"] is True


def test_who_watches_a_site_hears_of_the_stages_there(
    listen: Listen, fleet: Any, writer: Any
) -> None:
    fleet.site("depot")
    fleet.tell("d0", 0, (NOON - 2 * MINUTE, INSIDE), (NOON - MINUTE, INSIDE))
    for n, asset in enumerate(("a0", "a1")):
        fact = {"id": f"f-{n}", "asset": asset, "kind": "received", "at": NOON}
        writer.post("/v1/facts", json=fact)
    with listen(last="0.0", event="stage", site="depot") as listener:
        assert listener.next().data["asset"] == "a0"
    with listen(last="0.0", event="stage") as listener:
        assert {one.data["asset"] for one in listener.take(2)} == {"a0", "a1"}


FILTERS = [
    ({}, ["a0 location", "a1 location", "a2 location", "a0 visit", "a1 visit"]),
    ({"asset": "a1"}, ["a1 location", "a1 visit"]),
    ({"asset": ["a0", "a2"]}, ["a0 location", "a2 location", "a0 visit"]),
    ({"event": "visit"}, ["a0 visit", "a1 visit"]),
    ({"event": ["visit", "location"], "asset": "a2"}, ["a2 location"]),
    ({"site": "depot"}, ["a0 location", "a1 location", "a0 visit", "a1 visit"]),
    ({"class": "pallet", "event": "visit"}, ["a0 visit", "a1 visit"]),
    ({"class": "crate"}, []),
]


@pytest.mark.parametrize(("params", "expected"), FILTERS)
def test_tells_what_is_asked_for(
    listen: Listen, fleet: Any, monkeypatch: pytest.MonkeyPatch, params: Any, expected: Any
) -> None:
    monkeypatch.setattr(stream, "HEARTBEAT_S", 0.05)
    fleet.site("depot")
    fleet.tell("d0", 0, (NOON, INSIDE))
    fleet.tell("d1", 0, (NOON, INSIDE))
    fleet.tell("d2", 0, (NOON, OUTSIDE))
    with listen(last="0.0", **params) as listener:
        assert listener.mark() == "0.0"
        told = listener.take(len(expected))
        assert [f"{one.data['asset']} {one.event}" for one in told] == expected
        assert listener.mark() == "3.5"


def test_who_watches_a_site_hears_that_a_visit_was_none(listen: Listen, fleet: Any) -> None:
    """Also where the correction speaks of another site."""
    with fleet.store.writing() as tx:
        opened = Entry("a0", "visit.entered", "visit 1 a", NOON, {"site": "here", "since": NOON})
        tx.journal([opened], NOON)
        moved = opened._replace(kind="visit.corrected", supersedes=1, body={"site": "there"})
        tx.journal([moved], NOON)
    for site in ("here", "there"):
        fleet.site(site)
        with listen(last="0.0", site=site) as listener:
            told = listener.take(2 if site == "here" else 1)
            assert (told[-1].data["kind"], told[-1].data["site"]) == ("visit.corrected", "there")


def test_goes_on_where_it_was_cut_off(listen: Listen, fleet: Any) -> None:
    """Cut after each event in turn: nothing is lost, and nothing told twice."""
    fleet.site("depot")
    for n in range(4):
        for d in range(3):
            fix = [OUTSIDE, INSIDE, INSIDE, OUTSIDE][n]
            fleet.tell(f"d{d}", n, (EARLIER + 10 * n * MINUTE + d, fix))
    with listen(last="0.0") as listener:
        whole = [listener.next() for _ in range(6)]
    told: list[Told] = []
    while len(told) < len(whole):
        with listen(last=told[-1].id if told else "0.0") as listener:
            told.append(listener.next())
    assert told == whole
    fleet.tell("d1", 99, (NOON, OUTSIDE))
    with listen(last=whole[-1].id) as listener:
        assert listener.next().data["asset"] == "a1"


def test_a_browser_resumes_by_header_and_a_person_by_parameter(listen: Listen, fleet: Any) -> None:
    for n in range(3):
        fleet.tell(f"d{n}", 0, (NOON, Fix(50.0 + n, 4.0)))
    with listen(last_event_id="1.0", event="location") as listener:
        assert where(listener.take(2)) == [("a1", 51.0), ("a2", 52.0)]
    with listen(last="2.0", last_event_id="1.0", event="location") as listener:
        assert where([listener.next()]) == [("a2", 52.0)]


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    rows=st.lists(st.tuples(st.integers(0, 2), st.integers(0, 40)), unique_by=lambda row: row[1]),
    reads=st.lists(st.none() | st.integers(0, 3), min_size=1),
    size=st.integers(1, 8),
    subjects=st.integers(1, 3),
)
def test_however_it_is_paged_and_cut_off_all_is_told_once(
    world: Any,
    template: Path,
    rows: list[tuple[int, int]],
    reads: list[int | None],
    size: int,
    subjects: int,
) -> None:
    """Between the writing of `rows` (asset, event time) somebody reads a page, or is cut off
    after some events of it and resumes after the last one."""
    with TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        for most in ("ROWS", "LINES"):
            patch.setattr(feed, most, size)
        patch.setattr(feed, "SUBJECTS", subjects)
        fresh = type(world)(SqliteStore(Path(copy(template, Path(folder) / "retour.db"))))
        told, position = list[feed.Event](), feed.Position(0, 0)
        for n, (asset, at) in enumerate(rows):
            fresh.tell(f"d{asset}", n, (NOON + at, Fix(float(at), 4.0)))
            heard = reads[n % len(reads)]
            if heard is not None:
                page = page_of(fresh, position)
                told += page.events[:heard]
                whole = heard >= len(page.events)
                position = page.end if whole else told[-1].id if heard else position
        while (page := page_of(fresh, position)).end != position:
            told += page.events
            position = page.end
        with fresh.store.reading() as reader:
            lines = [
                line.number
                for line in reader.journal_after(0, 1_000)
                if line.entry.kind == "location.corrected"
            ]
        fresh.store.close()
    newest = dict(sorted(rows, key=lambda row: row[1]))
    said = [json.loads(event.data) for event in told]
    places = [(one["asset"], one["lat"]) for one in said if "line" not in one]
    assert [event.id for event in told] == sorted({event.id for event in told})
    assert dict(places) == {f"a{asset}": float(at) for asset, at in newest.items()}
    assert len(places) == len(set(places))
    assert [one["line"] for one in said if "line" in one] == lines


def page_of(world: Any, position: feed.Position) -> feed.Page:
    with world.store.reading() as reader:
        return feed.page_after(position, feed.Position(*reader.newest()), reader)


@pytest.mark.parametrize(
    ("last", "detail"),
    [
        ("", "does not come from this stream"),
        ("7", "does not come from this stream"),
        ("1.2.3", "does not come from this stream"),
        ("-1.0", "does not come from this stream"),
        ("9999999999999999999.0", "does not come from this stream"),
        ("2.0", "has not happened yet: the newest is 1.1"),
        ("1.2", "has not happened yet"),
    ],
)
def test_an_id_that_is_none_of_its_own_is_refused(
    client: Any, fleet: Any, last: str, detail: str
) -> None:
    fleet.tell("d0", 0, (NOON, Fix(50.0, 4.0)))
    for asked in ({"headers": {"Last-Event-ID": last}}, {"params": {"last_event_id": last}}):
        answer = client.get("/v1/stream", **asked)
        assert answer.status_code == 400
        assert answer.json()["type"] == "/problems/bad-cursor"
        assert detail in answer.json()["detail"]


def test_an_id_from_before_the_logs_edge_is_refused(
    client: Any, listen: Listen, fleet: Any
) -> None:
    for n in range(4):
        fleet.tell("d0", n, (NOON + n, Fix(50.0 + n, 4.0)))
    with fleet.store.writing() as tx:
        tx.add_edge(NOON + 2, NOON)
    answer = client.get("/v1/stream", headers={"Last-Event-ID": "1.0"})
    assert answer.status_code == 400
    assert "no longer holds what came after 1.0" in answer.json()["detail"]
    with listen(last="2.1") as listener:
        assert where([listener.next()]) == [("a0", 53.0)]


def test_goes_on_after_the_newest_rows_were_given_up(
    listen: Listen, fleet: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Their numbers are given to other rows then."""
    monkeypatch.setattr(stream, "HEARTBEAT_S", 0.05)
    fleet.tell("d0", 0, (NOON, Fix(50.0, 4.0)))
    fleet.tell("d0", 1, (NOON - MINUTE, Fix(49.0, 4.0)))
    with listen() as listener:
        assert listener.mark() == "2.2"
        with fleet.store.writing() as tx:
            tx.add_edge(NOON, NOON)
        assert listener.marked("1.2")
        fleet.tell("d1", 0, (NOON, Fix(51.0, 4.0)))
        assert where([listener.next()]) == [("a1", 51.0)]


@pytest.mark.parametrize(
    ("query", "status", "type"),
    [
        ("asset=a9", 404, "unknown-asset"),
        ("asset=a0&asset=a9", 404, "unknown-asset"),
        ("site=nowhere", 404, "unknown-place"),
        ("event=visits", 422, "bad-value"),
        ("assets=a0", 422, "bad-value"),
    ],
)
def test_a_filter_that_cannot_be_meant_is_refused(
    client: Any, fleet: Any, query: str, status: int, type: str
) -> None:
    answer = client.get(f"/v1/stream?{query}")
    assert (answer.status_code, answer.json()["type"]) == (status, f"/problems/{type}")


def test_silence_is_broken_by_marks(
    listen: Listen, fleet: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Their ids move on, so that who resumes need not read again what was not for him."""
    monkeypatch.setattr(stream, "HEARTBEAT_S", 0.05)
    with listen(asset="a0") as listener:
        assert [listener.mark() for _ in range(3)] == ["0.0"] * 3
        fleet.tell("d1", 0, (NOON, Fix(50.0, 4.0)))
        assert listener.marked("1.1")


def sent() -> float:
    name = "retour_api_stream_events_total"
    return REGISTRY.get_sample_value(name, {"event": "visit"}) or 0.0


def test_a_slow_reader_delays_nobody_and_loses_nothing(
    listen: Listen, fleet: Any, url: str
) -> None:
    """One that reads nothing is not written to either, beyond what the sockets hold."""
    lines = 2_000
    before = sent()
    address = httpx.URL(url)
    with socket.socket() as slow, listen(event="visit") as quick:
        slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        slow.settimeout(WITHIN_S)
        slow.connect((address.host, address.port))
        slow.sendall(
            b"GET /v1/stream?event=visit HTTP/1.0\r\nAuthorization: Bearer rtr_read\r\n\r\n"
        )
        received = bytearray()
        while b"id: 0.0" not in received:
            received += slow.recv(4096)
        entries = [
            Entry("a0", "visit.entered", f"visit {n} a", NOON, {"site": "s" * 4096, "n": n})
            for n in range(lines)
        ]
        for first in range(0, lines, 500):
            with fleet.store.writing() as tx:
                tx.journal(entries[first : first + 500], NOON)
        assert [told.data["n"] for told in quick.take(lines)] == list(range(lines))
        assert sent() - before < 2 * lines
        while b'"n":%d,' % (lines - 1) not in received[-20_000:]:
            received += slow.recv(1 << 20)
    numbers = [int(piece.partition(b",")[0]) for piece in received.split(b'"n":')[1:]]
    assert numbers == list(range(lines))


def test_what_many_ask_for_is_looked_up_once(
    listen: Listen, fleet: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked_up = []
    look_up = feed.page_after

    def counted(after: feed.Position, newest: feed.Position, reader: Any) -> feed.Page:
        page = look_up(after, newest, reader)
        looked_up.extend([after] if page.events else [])
        return page

    monkeypatch.setattr(feed, "page_after", counted)
    with ExitStack() as stack:
        listeners = [stack.enter_context(listen()) for _ in range(5)]
        assert [listener.mark() for listener in listeners] == ["0.0"] * 5
        for n in range(3):
            fleet.tell("d0", n, (NOON + n, Fix(50.0 + n, 4.0)))
            assert {listener.next().data["lat"] for listener in listeners} == {50.0 + n}
    assert len(looked_up) == len(set(looked_up)) >= 3


def test_who_has_read_more_than_was_known_to_be_there_hears_what_comes_then(
    fleet: Any, app: FastAPI, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What came between the look for news and the reading of the page was read with it."""
    look_up = feed.page_after

    def with_another(after: feed.Position, _: feed.Position, reader: Any) -> feed.Page:
        monkeypatch.setattr(feed, "page_after", look_up)
        fleet.tell("d1", 0, (NOON, Fix(51.0, 4.0)))
        with fleet.store.reading() as later:
            return look_up(after, feed.Position(*later.newest()), later)

    async def listened() -> None:
        news: feed.Feed = app.state.feed
        monkeypatch.setattr(feed, "POLL_S", WITHIN_S)
        first = await news.after(feed.Position(0, 0))
        assert first is not None
        assert {event.asset for event in first.events} == {"a0", "a1"}
        assert await news.after(first.end) is None
        monkeypatch.setattr(feed, "POLL_S", 0)
        fleet.tell("d2", 0, (NOON, Fix(52.0, 4.0)))
        second = await news.after(first.end)
        assert second is not None
        assert [event.asset for event in second.events] == ["a2"]

    fleet.tell("d0", 0, (NOON, Fix(50.0, 4.0)))
    monkeypatch.setattr(feed, "page_after", with_another)
    asyncio.run(listened())


def test_who_takes_nothing_for_long_is_given_up(
    fleet: Any, app: FastAPI, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream, "STUCK_S", 0.2)
    address = httpx.URL(url)
    with socket.create_connection((address.host, address.port), timeout=WITHIN_S) as stuck:
        stuck.sendall(b"GET /v1/stream HTTP/1.0\r\nAuthorization: Bearer rtr_read\r\n\r\n")
        assert stuck.recv(4096).startswith(b"HTTP/1.1 200")
        wait_until(lambda: app.state.feed.listeners == 1)
        with fleet.store.writing() as tx:
            body = {"site": "s" * 100_000}
            tx.journal([Entry("a0", "visit.seen", "visit", NOON, body)] * 200, NOON)
        wait_until(lambda: app.state.feed.listeners == 0)


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + WITHIN_S
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_there_are_only_so_many_streams(
    listen: Listen, app: FastAPI, client: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feed, "LISTENERS_AT_MOST", 2)
    with listen() as one, listen() as other:
        one.mark(), other.mark()
        assert "retour_api_streams 2.0" in client.get("/metrics").text
        answer = client.get("/v1/stream")
        assert answer.status_code == 503
        assert answer.json()["type"] == "/problems/too-many-streams"
        assert answer.headers["retry-after"] == "5"
    wait_until(lambda: app.state.feed.listeners == 0)
    with listen() as one:
        assert one.mark() == "0.0"


def test_one_key_does_not_take_the_streams_of_others(
    listen: Listen, client: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feed, "OF_A_KEY_AT_MOST", 1)
    with listen(key="read") as one:
        one.mark()
        answer = client.get("/v1/stream")
        assert answer.status_code == 503
        assert answer.json()["detail"].startswith("1 streams with this key are open")
        with listen(key="write") as other:
            assert other.mark() == "0.0"


def test_a_revoked_key_hears_no_more(
    listen: Listen, fleet: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream, "CHECK_S", 0.05)
    with listen(key="read") as revoked, listen(key="write") as other:
        revoked.mark(), other.mark()
        with fleet.store.writing() as tx:
            assert tx.revoke_key("k-read", NOON)
        with pytest.raises(EOFError):
            revoked.next()
        fleet.tell("d0", 0, (NOON, Fix(50.0, 4.0)))
        assert other.next().data["asset"] == "a0"


def test_goes_on_when_the_database_is_back(
    listen: Listen, fleet: Any, app: FastAPI, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks = []

    @contextmanager
    def unavailable() -> Iterator[Any]:
        looks.append(1)
        raise StoreUnavailable("locked")
        yield

    with listen() as listener:
        listener.mark()
        with monkeypatch.context() as away:
            away.setattr(app.state.backend.store, "reading", unavailable)
            wait_until(lambda: len(looks) > 2)
        fleet.tell("d0", 0, (NOON, Fix(50.0, 4.0)))
        assert listener.next().data["asset"] == "a0"


def test_a_server_ends_while_somebody_listens(app: FastAPI) -> None:
    headers = {"Authorization": "Bearer rtr_read"}
    with httpx.Client(headers=headers, timeout=WITHIN_S) as client:
        with serving(app, "127.0.0.1", 0) as url:
            answer = client.send(client.build_request("GET", f"{url}/v1/stream"), stream=True)
            listener = Listener(answer)
            assert listener.mark() == "0.0"
            started = time.monotonic()
        assert time.monotonic() - started < WITHIN_S
        with pytest.raises(EOFError):
            listener.next()
