"""The benchmarks of questions, late rows and accidents, small: they run, and tell the truth."""

import orjson
import pytest

from commands import bench_fuzz, bench_query, bench_world
from gateway.decoders import DECODERS, decoder_of
from tracker.model import Asset
from tracker.stores.local_influx import influxd_binary
from tracker.stores.postgresql import PostgresqlStore
from tracker.stores.sqlite import SqliteStore
from tracker.verify import verify
from tracker.world import read_world


@pytest.fixture
def few(monkeypatch):
    monkeypatch.setattr(bench_query, "LATEST", 5)
    monkeypatch.setattr(bench_query, "TIMES", 1)
    monkeypatch.setattr(bench_world, "BATCH", 200)


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.system)])
def kept(request, tmp_path):
    """A kind of database, where it is kept, and what opens it."""
    if request.param == "sqlite":
        path = tmp_path / "bench.db"
        return request.param, path, lambda: SqliteStore(path)
    url = request.getfixturevalue("new_postgresql")()
    return request.param, url, lambda: PostgresqlStore(url)


def test_the_questions_are_asked_of_a_database_that_is_kept(run, kept, few):
    kind, where, opened = kept
    words = ["bench", "query", "--store", kind, "--database", where, "--assets", 500, "--json"]
    status, shown, complaints = run(*words)
    assert status == 0, complaints
    figures = orjson.loads(shown)
    assert {"latest_p99_ms", "latest_http_p99_ms", "bbox_ms", "inside_ms", "search_ms"} <= {
        *figures
    }
    assert figures["bbox"]["a page: the whole world"]["found"] == 500
    found = {name: told["found"] for name, told in figures["search"].items()}
    assert found["text pallet"] == found["text pal"] == 100
    assert found["external id"] == 1
    assert figures["inside"]["the biggest site, now"]["found"] > 0
    store = opened()
    with store.reading() as reader:
        before = reader.counts()
        assert verify(reader).sound
        assert reader.held_back(None, 1) == [] == reader.dead_letters(None, 1)
    assert run(*words)[0] == 0
    with store.reading() as reader:
        assert reader.counts() == before
    store.close()


def test_the_database_of_somebody_else_is_left_alone(run, tmp_path, few):
    store = SqliteStore(tmp_path / "mine.db")
    with store.writing() as tx:
        tx.put_assets([Asset("mine")])
    status, _, complaints = run("bench", "query", "--database", store.path)
    assert status == 1
    assert "holds other assets" in complaints
    with store.reading() as reader:
        assert [*reader.asset_ids()] == ["mine"]
    store.close()


def test_late_rows_are_recorded_with_snapshots_and_without(run):
    status, shown, _ = run("bench", "refold", "--observations", 1500, "--times", 1, "--json")
    figures = orjson.loads(shown)
    assert status == 0
    assert figures["sound"]
    assert figures["snapshots_ms"] > 0
    assert figures["without_ms"] > 0


@pytest.mark.system
def test_an_influx_is_told_in_time_and_catches_up(run, require, mosquitto_installed):
    require(influxd_binary(), "InfluxDB 2 (tests/build-influxd builds one)")
    words = ("--rate", 200, "--seconds", 2, "--lines", 2_000, "--json")
    status, shown, complaints = run("bench", "influx", *words)
    assert status == 0, complaints
    figures = orjson.loads(shown)
    assert figures["lag"]["messages"] == 400
    assert figures["catch_up"]["worker_per_s"] > 0


class TestFuzz:
    def test_payloads_end_in_every_way_but_in_a_crash(self):
        ends = bench_fuzz.fuzz(1, range(3_000))
        assert ends.crashes == []
        assert ends.payloads.total() == 3_000
        assert {"message", "dead letter: not_json", "world", "bad world"} <= {*ends.payloads}
        assert all(ends.recorded[end] for end in ("stored", "quarantined", "dead_lettered"))
        assert ends.imported["imported"]

    def test_the_same_seed_makes_the_same_payloads(self):
        one, other = (bench_fuzz.fuzz(7, range(300)) for _ in range(2))
        assert one == other
        assert one != bench_fuzz.fuzz(8, range(300))

    def test_every_topic_has_a_decoder_and_every_decoder_a_topic(self):
        topics = [*bench_fuzz.TOPICS, bench_fuzz.PRESENCE]
        assert {decoder_of(topic) for topic in topics} == {*DECODERS.values()}

    def test_the_world_is_good_before_its_accidents(self):
        assert read_world(bench_fuzz.WORLD).leases

    def test_a_crash_is_told_and_makes_the_command_fail(self, run, monkeypatch):
        def wrong(*_):
            raise ValueError("wrong")

        monkeypatch.setattr(bench_fuzz, "decoder_of", wrong)
        ends = bench_fuzz.fuzz(1, range(1, 5))
        assert ends.payloads == {"crashed": 4}
        assert "payload 1: ValueError at test_bench.py" in ends.crashes[0]
        monkeypatch.setattr("commands.bench.bench_fuzz", lambda *_: {"crashed": 4})
        assert run("bench", "fuzz", "--json")[0] == 1
