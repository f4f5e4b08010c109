"""`retour bench query`: what people ask all day, of a million assets.

Each question is asked in three ways in turn: through the queries that the API stands on, over
HTTP from the API itself, and *bare*: the plain driver (sqlite3, psycopg) fetches the very rows
of the answer by their primary keys, which is the least that any answer costs.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from functools import partial
from http.client import HTTPConnection
from pathlib import Path
from random import Random
from statistics import median, quantiles
from typing import Any, NamedTuple
from urllib.parse import quote, urlsplit

import orjson
import psycopg

from api.app import create_app
from api.server import serving
from commands import bench_world
from commands.bench_world import NOW, Yard, asset_id, site_id, yards
from commands.keys import make_key
from commands.settings import shown
from commands.show import UserError
from tracker import queries
from tracker.asset_ports import UNKNOWN, AssetFilter, Position
from tracker.clocks import ReplayClock
from tracker.geofence import Box
from tracker.ports import Reader, Store
from tracker.stages import funnel
from tracker.stores.postgresql import PostgresqlStore
from tracker.stores.sqlite import SqliteStore

LATEST = 2_000  # assets that are looked up
TIMES = 15  # that every other question is asked
PAGE = 1_000
FOUND = 100  # assets on a page of a search
COUNT = "SELECT stage, count(*) FROM presents GROUP BY stage"
BEGINNING = Position(-(2**63), "")
COUNTRYSIDE = Yard(51.75, 5.85, 0)
WHOLE_WORLD = Box(-90, -180, 90, 180)
LOW_COUNTRIES = Box(50.5, 3.0, 53.0, 6.0)


class Question(NamedTuple):
    """What is asked: through the queries, which gives the ids of assets, and over HTTP. The
    rows of the answer are in `table`, by the column `key`; of a `counted` question they are all
    that are told."""

    name: str
    ask: Callable[[Store], list[str]]
    path: str
    table: str = "beliefs"
    key: str = "asset"
    counted: bool = False


class Taken(NamedTuple):
    """What an answer took, milliseconds: by the clock, and of the processor."""

    ms: float
    cpu_ms: float


class Timing(NamedTuple):
    """How many assets an answer held, and what it took each time that it was asked for."""

    found: int
    asked: list[Taken]
    http: list[Taken]
    bare: list[Taken]


class Database(NamedTuple):
    """What is asked: a store, the bare driver's ways to fetch rows of a table by a column and to
    count assets by stage, how many bytes it takes, and what makes it ready once it is filled."""

    name: str
    store: Store
    fetch: Callable[[str, str, list[str]], object]
    by_stage: Callable[[], object]
    size: Callable[[], int]
    settle: Callable[[], object]


@contextmanager
def on_sqlite(file: Path) -> Iterator[Database]:
    """A database in a file."""
    with closing(SqliteStore(file)) as store, closing(sqlite3.connect(file)) as db:

        def fetch(table: str, key: str, ids: list[str]) -> object:
            query = f"SELECT * FROM {table} WHERE {key} IN (SELECT value FROM json_each(?))"  # noqa: S608
            return db.execute(query, (orjson.dumps(ids).decode(),)).fetchall()

        def by_stage() -> object:
            return db.execute(COUNT).fetchall()

        yield Database(str(file), store, fetch, by_stage, lambda: file.stat().st_size, lambda: None)


@contextmanager
def on_postgresql(url: str) -> Iterator[Database]:
    """A database on a PostgreSQL server, migrated if need be."""
    with (
        closing(PostgresqlStore(url, migrate=True)) as store,
        psycopg.connect(url, autocommit=True) as db,
    ):

        def fetch(table: str, key: str, ids: list[str]) -> object:
            query = f"SELECT * FROM {table} WHERE {key} = ANY(%s)".encode()  # noqa: S608
            return db.execute(query, (ids,)).fetchall()

        def size() -> int:
            (taken,) = db.execute("SELECT pg_database_size(current_database())").fetchone() or (0,)
            return int(taken)

        def by_stage() -> object:
            return db.execute(COUNT.encode()).fetchall()

        # What the server does by itself, some minutes later.
        yield Database(
            shown(url), store, fetch, by_stage, size, lambda: db.execute("VACUUM ANALYZE")
        )


def bench_query(
    database: Database, assets: int, progress: Callable[[int, int], None]
) -> dict[str, Any]:
    """Fill a database as far as it is not filled yet, and ask."""
    store = database.store
    _refuse_others(database)
    began = time.perf_counter()
    bench_world.fill(store, assets, progress)
    fill_s = time.perf_counter() - began
    database.settle()
    asked = {"bbox": [*_boxes(store)], "inside": [*_inside()], "search": [*_searches(assets)]}
    asked["funnel"] = [*_funnels()]
    with _asked_of(database) as timed:
        latest = [timed(question) for question in _latest(assets)]
        groups = {
            name: {question.name: _told(timed(question, TIMES)) for question in questions}
            for name, questions in asked.items()
        }
    return {
        **_latest_told(latest),
        **{key: ms for name in groups for key, ms in _worst(name, groups[name]).items()},
        "assets": assets,
        "fill_s": round(fill_s),
        "database_mb": database.size() // 2**20,
        **groups,
    }


def _refuse_others(database: Database) -> None:
    with database.store.reading() as reader:
        if reader.asset(asset_id(0)) is None and reader.assets(AssetFilter(), "", 1):
            raise UserError(f"{database.name} holds other assets: name one for the benchmark alone")


@contextmanager
def _asked_of(database: Database) -> Iterator[Callable[..., Timing]]:
    """Asks a question some times (1) in all three ways, and takes the time."""
    store = database.store
    clock = ReplayClock(NOW)
    key = make_key(store, clock, "bench", ["read"], days=1)["key"]
    with (
        serving(create_app(store, clock), "127.0.0.1", 0) as url,
        closing(HTTPConnection(urlsplit(url).netloc)) as api,
    ):

        def timed(question: Question, times: int = 1) -> Timing:
            found = question.ask(store)
            fetch = partial(database.fetch, question.table, question.key, found)
            ways = (
                partial(question.ask, store),
                partial(_get, api, question.path, key),
                database.by_stage if question.counted else fetch,
            )
            taken = [[_taken(way) for way in ways] for _ in range(times)]
            return Timing(len(found), *map(list, zip(*taken, strict=True)))

        yield timed


def _taken(act: Callable[[], object]) -> Taken:
    began, began_cpu = time.perf_counter(), time.process_time()
    act()
    ended, ended_cpu = time.perf_counter(), time.process_time()
    return Taken((ended - began) * 1_000, (ended_cpu - began_cpu) * 1_000)


def _get(api: HTTPConnection, path: str, key: str) -> None:
    api.request("GET", path, headers={"Authorization": f"Bearer {key}"})
    answer = api.getresponse()
    if answer.status != 200:
        raise RuntimeError(f"{path} answered {answer.status}: {answer.read()[:200]!r}")
    answer.read()


def _latest(assets: int) -> Iterator[Question]:
    chance = Random("latest")  # noqa: S311
    for _ in range(LATEST):
        id = asset_id(chance.randrange(assets))
        yield Question("latest", partial(_located, asset=id), f"/v1/assets/{id}/location")


def _located(store: Store, asset: str) -> list[str]:
    with queries.fresh(store, asset, NOW) as reader:
        queries.location(reader, asset, NOW)
    return [asset]


def _boxes(store: Store) -> Iterator[Question]:
    """Boxes that hold about a page of assets, and pages of boxes that hold far more."""
    for name, yard in (
        ("the biggest yard", yards()[0]),
        ("a small yard", yards()[200]),
        ("a city", Yard(*bench_world.CITIES[0], 0)),
        ("countryside", COUNTRYSIDE),
    ):
        with store.reading() as reader:
            yield _box(f"1,000 assets: {name}", _box_of_a_page(reader, yard))
    lat, lon, radius_m = yards()[0]
    half = radius_m / 69_000
    yield _box("a page: the biggest yard", Box(lat - half, lon - half, lat + half, lon + half))
    yield _box("a page: half the pool", LOW_COUNTRIES)
    yield _box("a page: the whole world", WHOLE_WORLD)


def _box(name: str, box: Box) -> Question:
    south, west, north, east = box
    path = f"/v1/locations?bbox={west},{south},{east},{north}&limit={PAGE}"

    def ask(store: Store) -> list[str]:
        with store.reading() as reader:
            return [belief.asset for belief in reader.located(box, "", PAGE)]

    return Question(name, ask, path)


def _box_of_a_page(reader: Reader, around: Yard) -> Box:
    """A box around a place that holds nearly as many assets as a page, or all."""
    low, high = 0.0, 1.0
    for _ in range(14):
        half = (low + high) / 2
        if len(reader.located(_around(around, half), "", PAGE + 1)) <= PAGE:
            low = half
        else:
            high = half
    return _around(around, low)


def _around(place: Yard, half: float) -> Box:
    lat, lon, _ = place
    return Box(lat - half, lon - half, lat + half, lon + half)


def _inside() -> Iterator[Question]:
    then = NOW - 2 * bench_world.HOUR
    for name, site in (("the biggest site", site_id(0)), ("a small site", site_id(250))):
        path = f"/v1/sites/{site}/inside?limit={PAGE}"

        def now(reader: Reader, site: str = site) -> Sequence[queries.Inside]:
            return queries.inside_now(reader, site, "", PAGE)

        def at(reader: Reader, site: str = site) -> Sequence[queries.Inside]:
            return queries.inside_at(reader, site, then, BEGINNING, PAGE)

        yield Question(f"{name}, now", partial(_guests, of=now), path)
        yield Question(f"{name}, at a time", partial(_guests, of=at), f"{path}&at={then}")


def _guests(store: Store, of: Callable[[Reader], Sequence[queries.Inside]]) -> list[str]:
    with store.reading() as reader:
        return [one.asset for one in of(reader)]


def _searches(assets: int) -> Iterator[Question]:
    some = asset_id(assets * 2 // 3)
    number = f"4{assets * 2 // 3:07}"
    for text in (some, bench_world.RARE, "p", "pal", "pallet", "pallet 77", "blue pallet", number):
        yield _search(f"text {text}", AssetFilter(text), f"q={quote(text)}")
    yield _search("class pump", AssetFilter(class_="pump"), "class=pump")
    yield _search("class pump, text red", AssetFilter("red", "pump"), "class=pump&q=red")
    yield _search("class pallet, text red", AssetFilter("red", "pallet"), "class=pallet&q=red")
    yield _search(
        "site, text pallet", AssetFilter("pallet", site=site_id(0)), f"site={site_id(0)}&q=pallet"
    )
    yield _search("stage in_use", AssetFilter(stage="in_use"), "stage=in_use")
    yield _search(
        "site, class pump, stage ready, p",
        AssetFilter(None, "pump", site_id(0), stage="ready", p_min=0.9),
        f"site={site_id(0)}&class=pump&stage=ready&p_min=0.9",
    )
    yield _search("site", AssetFilter(site=site_id(0)), f"site={site_id(0)}")
    yield _search(
        "site, class pump", AssetFilter(None, "pump", site_id(0)), f"site={site_id(0)}&class=pump"
    )
    for owner, colour in (("owner", "customer-123"), ("colour", "blue")):
        wanted = AssetFilter(labels=((f"is:{owner}", colour),))
        yield _search(f"attribute {owner}", wanted, f"attribute={owner}:{colour}")
    external = AssetFilter(labels=(("id:erp", number),))
    yield _search("external id", external, f"external_id=erp:{number}")


def _funnels() -> Iterator[Question]:
    site = site_id(0)
    for name, class_, where in (
        ("all", None, None),
        ("class pallet", "pallet", None),
        ("the biggest site", None, site),
    ):
        given = {"class": class_, "site": where}
        path = "&".join(f"{key}={value}" for key, value in given.items() if value is not None)
        ask = partial(_counted, class_=class_, site=where)
        yield Question(name, ask, f"/v1/stages?{path}", counted=True)


def _counted(store: Store, class_: str | None, site: str | None) -> list[str]:
    with store.reading() as reader:
        return [group.stage or UNKNOWN for group in funnel(reader, class_, site)]


def _search(name: str, wanted: AssetFilter, query: str) -> Question:
    def ask(store: Store) -> list[str]:
        with store.reading() as reader:
            return [asset.id for asset in reader.assets(wanted, "", FOUND)]

    return Question(name, ask, f"/v1/assets?{query}&limit={FOUND}", "assets", "id")


def _latest_told(timings: Sequence[Timing]) -> dict[str, float]:
    told = {}
    for way, prefix in (("asked", ""), ("http", "http_"), ("bare", "bare_")):
        each: list[Taken] = [getattr(one, way)[0] for one in timings]
        ms, cpu = [one.ms for one in each], [one.cpu_ms for one in each]
        told[f"latest_{prefix}p99_ms"] = round(quantiles(ms, n=100)[98], 2)
        told[f"latest_{prefix}p99_cpu_ms"] = round(quantiles(cpu, n=100)[98], 2)
        told[f"latest_{prefix}median_ms"] = round(median(ms), 2)
    return told


def _worst(name: str, group: dict[str, dict[str, float]]) -> dict[str, float]:
    """Of each figure of a group of questions the greatest."""
    names = {"median_ms": "ms", "max_ms": "max_ms", "cpu_ms": "cpu_ms"}
    names |= {"http_ms": "http_ms", "bare_ms": "bare_ms"}
    return {
        f"{name}_{told}": max(figures[own] for figures in group.values())
        for own, told in names.items()
    }


def _told(timing: Timing) -> dict[str, float]:
    found, asked, http, bare = timing
    return {
        "found": found,
        "median_ms": round(median(one.ms for one in asked), 2),
        "max_ms": round(max(one.ms for one in asked), 2),
        "cpu_ms": round(median(one.cpu_ms for one in asked), 2),
        "http_ms": round(median(one.ms for one in http), 2),
        "bare_ms": round(median(one.ms for one in bare), 2),
    }
