"""A simulated world that begins now: its devices publish to a real broker, its facts are told."""

from __future__ import annotations

import json
import threading
import time
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from firmware_sim.clock import Clock
from firmware_sim.world.facts import Fact
from firmware_sim.world.live import Feed, Scribe, publish
from firmware_sim.world.mishaps import NEVER_MS, Condition, Windows
from firmware_sim.world.mishaps import Clock as DeviceClock
from firmware_sim.world.report import Report
from firmware_sim.world.scenario import read_scenario
from firmware_sim.world.simulation import simulate

DAY_PER_S = 86_400
SCENARIO = """
days: 4
assets: {count: 3}
depots: [{id: depot, at: [4.48, 51.92]}]
scatter: {customers: 2}
mishaps: {offline_share: 0}
gps: {down_share: 0}
stages: {ready: {mean_h: 5}, outbound: {mean_h: 8}}
"""


def nobody(done, total) -> None:
    """Watches the progress."""


class Told:
    """A scribe that remembers what it is told, and takes all but the first."""

    def __init__(self) -> None:
        self.facts = []

    def tell(self, fact: Fact) -> str | None:
        self.facts.append(fact)
        return "404 there is no such asset" if len(self.facts) == 1 else None


def begun_now(clock: Clock):
    start = datetime.fromtimestamp(clock.now_ms() / 1_000, UTC)
    return simulate(read_scenario(SCENARIO).with_(start=start), nobody)


def test_devices_publish_all_of_it_and_facts_are_told_in_their_time(broker, gateway, capsys):
    clock = Clock(time.time_ns() // 1_000_000, DAY_PER_S)
    simulation, scribe = begun_now(clock), Told()
    found = publish([simulation], clock, broker, scribe, threading.Event(), nobody).counts()
    assert found["devices"] == len([*simulation.sources()])
    assert found["pending"] == 0
    felt = [report for source in simulation.sources() for report in source.reports]
    assert found["receipted"] == sum(map(len, gateway.stored.values())) == len(felt) > 50
    told = [fact for fact in simulation.facts() if fact.received_at < simulation.scenario.end_ms]
    assert scribe.facts == told[: len(scribe.facts)]
    assert (found["facts"], found["facts_refused"]) == (len(scribe.facts) - 1, 1)
    assert "is not taken: 404 there is no such asset" in capsys.readouterr().err


def test_a_world_ends_when_it_is_told_to(broker, gateway):
    clock = Clock(time.time_ns() // 1_000_000, 1.0)
    stopped = threading.Event()
    stopped.set()
    assert publish([begun_now(clock)], clock, broker, Scribe(), stopped, nobody).facts == 0


def test_a_device_keeps_what_it_senses_offline_and_senses_nothing_while_it_is_down():
    fares = Condition(Windows([(40, 50)]), Windows([(10, 30)]), False, DeviceClock(0, 0, 0))
    feed = Feed([Report(at, [{"at": at}]) for at in (5, 15, 25, 35, 45, 55)], fares)
    found = []
    while feed.next_due_ms < NEVER_MS:
        due = feed.next_due_ms
        found.append((due, feed.step(due)[0]["at"]))
    assert found == [(5, 5), (30, 15), (30, 25), (35, 35), (55, 55)]


@pytest.fixture
def api():
    """Takes facts, or refuses those about nobody."""

    class Facts(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            server.asked.append((self.path, self.headers["Authorization"], body))
            self.send_response(201 if body["asset"] != "nobody" else 404)
            self.end_headers()
            self.wfile.write(b'{"title": "no"}')

        def log_message(self, *_) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Facts) as server:
        server.asked = []
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def test_facts_are_posted_with_the_key(api):
    scribe = Scribe(f"http://127.0.0.1:{api.server_port}/", "k-1")
    fact = {"id": "f-1", "asset": "A1", "kind": "received", "at": 5}
    assert scribe.tell(Fact(9, fact)) is None
    assert api.asked == [("/v1/facts", "Bearer k-1", fact)]
    assert scribe.tell(Fact(9, fact | {"asset": "nobody"})) == '404 {"title": "no"}'


def test_an_api_that_is_not_there_is_told(nowhere):
    why = Scribe(f"http://127.0.0.1:{nowhere.port}").tell(Fact(9, {"id": "f-1"}))
    assert "refused" in why


def test_without_an_api_facts_are_printed(capsys):
    assert Scribe().tell(Fact(9, {"id": "f-1"})) is None
    assert json.loads(capsys.readouterr().out) == {"id": "f-1"}
