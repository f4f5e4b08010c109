"""A real database, an app on it, and a clock that stands where a test puts it."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from hashlib import blake2b
from pathlib import Path
from shutil import copy

import orjson
import pytest
from fastapi import FastAPI

from api.app import create_app
from api.backend import Backend
from api.feed import Feed
from tracker.access import ApiKey, digest_of
from tracker.arrange import arrange
from tracker.delivery_ports import Channels, Outcome
from tracker.letters import dead_letter
from tracker.model import (
    Asset,
    Device,
    Fix,
    Kind,
    Message,
    Observation,
    Read,
    Reject,
    Values,
    What,
    body_of,
    content_digest,
)
from tracker.notices import Message as Notes
from tracker.places import Circle, Reader, Site, Standing, Zone
from tracker.recipients import Recipient
from tracker.record import record
from tracker.registry import bind_device, bind_tag, register_asset, register_device
from tracker.second_look import Decode
from tracker.stamps import StampPolicy
from tracker.stores.sqlite import SqliteStore

with warnings.catch_warnings():
    # Starlette would rather have httpx2, a fork of the httpx that all else here uses.
    warnings.simplefilter("ignore")
    from fastapi.testclient import TestClient

NOON = 1_767_614_400_000  # 2026-01-05T12:00:00Z
POLICY = StampPolicy()
KEYS = {
    "read": ApiKey("k-read", "read", digest_of("rtr_read"), ("read",), 0),
    "write": ApiKey("k-write", "write", digest_of("rtr_write"), ("write",), 0),
    "admin": ApiKey("k-admin", "admin", digest_of("rtr_admin"), ("admin",), 0),
    "expired": ApiKey("k-old", "old", digest_of("rtr_expired"), ("read",), 0, expires=NOON),
    "lasting": ApiKey("k-new", "new", digest_of("rtr_lasting"), ("read",), 0, expires=NOON + 1),
    "revoked": ApiKey("k-gone", "gone", digest_of("rtr_revoked"), ("read",), 0, revoked=1),
    "scopeless": ApiKey("k-none", "none", digest_of("rtr_scopeless"), (), 0),
}


class StandingClock:
    """A clock that stands still; real and domain time apart, so that no one mixes them."""

    rate = 1.0

    def __init__(self) -> None:
        self.at = NOON

    def now(self) -> int:
        return self.at

    def wall(self) -> int:
        return NOON

    def mono(self) -> float:
        return 0.0


class World:
    """A database, and short words to fill it."""

    def __init__(self, store: SqliteStore) -> None:
        self.store = store

    def device(self, id: str, *, recording: bool = False, place: Standing | None = None) -> None:
        kind = "reader" if place else "tracker"
        with self.store.writing() as tx:
            register_device(tx, Device(id, kind, recording), POLICY)
            if place:
                arrange(tx, Reader(device=id, place=place))

    def site(self, id: str, lon: float = 4.4, lat: float = 51.9, radius_m: float = 100) -> None:
        with self.store.writing() as tx:
            arrange(tx, Site(id=id, geofence=Circle(center=(lon, lat), radius_m=radius_m)))

    def zone(self, id: str, site: str) -> None:
        with self.store.writing() as tx:
            arrange(tx, Zone(id=id, site=site))

    def asset(self, id: str, *, devices: tuple[str, ...] = (), tags: tuple[str, ...] = ()) -> None:
        with self.store.writing() as tx:
            register_asset(tx, Asset(id, "pallet"))
            for device in devices:
                bind_device(tx, id, device)
            for tag in tags:
                bind_tag(tx, id, tag)

    def message(
        self, device: str, seq: int, *events: tuple[int, What], received: int = NOON
    ) -> Message:
        return Message(
            device,
            "b1",
            seq,
            None,
            None,
            received,
            [
                observation(device, seq, n, at, what, received)
                for n, (at, what) in enumerate(events)
            ],
            [],
            f"retour/v1/{device}/events",
            orjson.dumps({"seq": seq}),
        )

    def send(self, *messages: Message) -> None:
        with self.store.writing() as tx:
            record(tx, messages, [], POLICY)

    def tell(self, device: str, seq: int, *events: tuple[int, What], received: int = NOON) -> None:
        self.send(self.message(device, seq, *events, received=received))

    def bury(self, payload: bytes, received: int = NOON) -> None:
        letter = dead_letter("retour/v1/x/events", payload, received, "not_json", "no JSON")
        with self.store.writing() as tx:
            record(tx, [], [letter], POLICY)

    def reject(self, device: str, seq: int) -> None:
        message = self.message(device, seq)
        self.send(message._replace(rejects=[Reject(0, "bad_event", "at is missing", b"[{}]")]))


def observation(device: str, seq: int, n: int, at: int, what: What, received: int) -> Observation:
    kind = {Fix: Kind.FIX, Read: Kind.READ, Values: Kind.SENSOR}[type(what)]
    body = body_of(what)
    return Observation(
        blake2b(f"{device} {seq} {n} {kind}".encode(), digest_size=16).digest(),
        content_digest(at, body),
        kind,
        what.tag if isinstance(what, Read) else device,
        device,
        "b1",
        seq,
        n,
        at,
        at,
        None,
        received,
        body,
        what,
    )


@pytest.fixture(scope="session")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database with nothing but keys: made once, for the migrations take their time."""
    path = tmp_path_factory.mktemp("empty") / "retour.db"
    store = SqliteStore(path)
    with store.writing() as tx:
        for key in KEYS.values():
            tx.add_key(key)
    store.close()
    return path


@pytest.fixture(scope="session")
def filling(
    empty: Path, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[], AbstractContextManager[World]]:
    """Makes a world in a database of its own, for a `template`."""

    @contextmanager
    def filling() -> Iterator[World]:
        store = SqliteStore(Path(copy(empty, tmp_path_factory.mktemp("filled") / "retour.db")))
        yield World(store)
        store.close()

    return filling


@pytest.fixture
def template(empty: Path) -> Path:
    """The database that each test gets a copy of: a module may fill one for all its tests."""
    return empty


@pytest.fixture
def store(tmp_path: Path, template: Path) -> Iterator[SqliteStore]:
    store = SqliteStore(Path(copy(template, tmp_path / "retour.db")))
    yield store
    store.close()


@pytest.fixture
def world(store: SqliteStore) -> World:
    return World(store)


@pytest.fixture
def clock() -> StandingClock:
    return StandingClock()


@pytest.fixture(scope="session")
def any_app(empty: Path) -> Iterator[FastAPI]:
    """An app made once, for its many routes take their time; each test gives it a backend."""
    store = SqliteStore(empty)
    yield create_app(store, StandingClock())
    store.close()


@pytest.fixture
def decode() -> Decode | None:
    """How a dead letter is read again: here not at all."""
    return None


class Deaf:
    """Channels that lead nowhere: what is sent is kept."""

    def __init__(self) -> None:
        self.sent: list[Notes] = []

    def check(self, url: str) -> None:
        pass

    def send(self, recipient: Recipient, message: Notes) -> Outcome:
        self.sent.append(message)
        return Outcome(True, "HTTP 204")

    def close(self) -> None:
        pass


@pytest.fixture
def channels() -> Channels | None:
    """The ways to who is told of alerts."""
    return Deaf()


@pytest.fixture
def app(
    any_app: FastAPI,
    store: SqliteStore,
    clock: StandingClock,
    decode: Decode | None,
    channels: Channels | None,
) -> FastAPI:
    backend = Backend(store, clock, lambda: (), POLICY, decode, channels=channels)
    any_app.state.backend = backend
    any_app.state.feed = Feed(store)
    return any_app


@pytest.fixture
def anonymous(app: FastAPI) -> Iterator[TestClient]:
    with TestClient(app) as client:
        yield client


@pytest.fixture
def client(app: FastAPI) -> Iterator[TestClient]:
    with TestClient(app, headers={"Authorization": "Bearer rtr_read"}) as client:
        yield client


@pytest.fixture
def writer(app: FastAPI) -> Iterator[TestClient]:
    with TestClient(app, headers={"Authorization": "Bearer rtr_write"}) as client:
        yield client
