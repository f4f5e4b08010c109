"""Messages to record, and real databases to record them in."""

from hashlib import blake2b
from itertools import count
from shutil import copy

import pytest

from tracker.arrange import arrange
from tracker.model import (
    Asset,
    Device,
    Fact,
    Fix,
    Kind,
    Message,
    Observation,
    Presence,
    Read,
    Reject,
    Values,
    body_of,
    content_digest,
    fact_subject,
)
from tracker.places import Reader, Standing
from tracker.record import record
from tracker.refold import refresh_some
from tracker.registry import bind_device, register_asset, register_device
from tracker.stamps import StampPolicy
from tracker.stores.sqlite import SqliteStore

KINDS = {
    Fix: Kind.FIX,
    Read: Kind.READ,
    Values: Kind.SENSOR,
    Presence: Kind.PRESENCE,
    Fact: Kind.FACT,
}


class Make:
    """Values to test with. An event is a pair of its time and what was observed."""

    NOW = 1_790_000_000_000
    TAG = "urn:epc:id:grai:0614141.12345.5678"
    POLICY = StampPolicy()

    def fix(self, at=NOW, lat=50.1, lon=4.2, acc=8.0):
        return at, Fix(lat, lon, acc)

    def read(self, at=NOW, tag=TAG):
        return at, Read(tag, 1, -54.0)

    def sensor(self, at=NOW, **values):
        return at, Values(values or {"temperature": 21.5})

    def fact(self, at=NOW, kind="received", asset="A1"):
        return at, Fact(asset, kind)

    def presence(self, at=NOW, online=True, conn=1):
        return at, Presence(online, conn)

    def message(
        self,
        *events,
        device="trk-1",
        boot="b1",
        seq=0,
        first=None,
        sent=None,
        received=NOW,
        rejected=0,
    ):
        """A decoded message of events; the last `rejected` places hold unreadable ones."""
        observations = [
            self._observation(n, at, what, device, boot, seq, sent, received)
            for n, (at, what) in enumerate(events)
        ]
        places = range(len(events), len(events) + rejected)
        rejects = [Reject(n, "bad_event", "not readable", b"[1]") for n in places]
        payload = repr((boot, seq, first, sent, events, rejected)).encode()
        topic = f"retour/v1/{device}/events"
        return Message(
            device, boot, seq, first, sent, received, observations, rejects, topic, payload
        )

    def _observation(self, n, at, what, device, boot, seq, sent, received):
        body = body_of(what)
        kind = KINDS[type(what)]
        natural = repr((device, boot, what if seq is None else (seq, n), str(kind)))
        return Observation(
            key=blake2b(natural.encode(), digest_size=16).digest(),
            digest=content_digest(0 if kind is Kind.PRESENCE else at, body),
            kind=kind,
            subject=_subject(what, device),
            device=device,
            boot=boot,
            seq=seq,
            event=n,
            stamp=at,
            at=at,
            sent=sent,
            received=received,
            body=body,
            what=what,
        )


def _subject(what, device):
    if isinstance(what, Fact):
        return fact_subject(what.asset)
    return what.tag if isinstance(what, Read) else device


class Database:
    """A store and what the tests ask of it."""

    def __init__(self, store):
        self.store = store

    def do(self, use_case, *args, **options):
        """A use case in a transaction of its own."""
        with self.store.writing() as tx:
            return use_case(tx, *args, **options)

    def ask(self, question, *args, **options):
        """A question in a transaction of its own."""
        with self.store.reading() as tx:
            return question(tx, *args, **options)

    def record(self, *messages, letters=(), policy=Make.POLICY, recorded=None):
        """Record messages as one batch."""
        return self.do(record, messages, letters, policy, recorded=recorded)

    def register(self, id="trk-1", asset=None, place=None, policy=Make.POLICY, **options):
        """Register a device (a fixed reader where it has a place), bound to an asset if given;
        the number of observations adopted."""
        kind = "reader" if place else "tracker"
        with self.store.writing() as tx:
            adopted = register_device(tx, Device(id, kind, **options), policy)
            if place:
                arrange(tx, Reader(device=id, place=place))
            if asset:
                register_asset(tx, Asset(asset))
                bind_device(tx, asset, id)
        return adopted

    def count(self, table):
        with self.store.reading() as tx:
            return tx.counts()[table]

    def dead(self):
        """The dead letters, oldest first."""
        with self.store.reading() as tx:
            return [letter for _, letter in reversed(tx.dead_letters(None, 100_000))]

    def held(self):
        """What stands in quarantine, oldest first."""
        with self.store.reading() as tx:
            return [held for _, held in reversed(tx.held_back(None, 100_000))]

    def logged(self, message):
        """The logged ones of a message's observations."""
        with self.store.reading() as tx:
            return [o for own in message.observations if (o := tx.logged(own.key)) is not None]

    def progress(self, device="trk-1", boot="b1"):
        with self.store.reading() as tx:
            return dict(tx.every_progress()).get((device, boot))

    def belief(self, asset="A1"):
        with self.store.reading() as tx:
            return tx.belief(asset)

    def journal(self, asset="A1"):
        """The journal's lines of an asset."""
        with self.store.reading() as tx:
            return [line for line in tx.journal_after(0, 100_000) if line.entry.asset == asset]

    def stale(self):
        """The assets whose beliefs are out of date."""
        with self.store.reading() as tx:
            return set(tx.stale_assets(100_000))

    def refresh(self, recorded=0):
        """Bring all stale beliefs up to date."""
        self.do(refresh_some, recorded, 100_000)

    def outbox(self):
        with self.store.writing() as tx:
            return tx.outbox(1_000)


@pytest.fixture(scope="session")
def make():
    return Make()


@pytest.fixture(scope="session")
def database_of():
    """A database, of a store."""
    return Database


@pytest.fixture
def here():
    """Where a fixed reader stands."""
    return Standing(lat=51.0, lon=4.0, acc=5.0)


@pytest.fixture(scope="session")
def new_database(tmp_path_factory):
    """Makes empty databases, quickly: they are copies of one that was migrated once."""
    folder = tmp_path_factory.mktemp("databases")
    template = folder / "template.db"
    SqliteStore(template).close()
    numbers = count()

    def make_one():
        path = folder / f"{next(numbers)}.db"
        copy(template, path)
        return Database(SqliteStore(path))

    return make_one


@pytest.fixture
def db(new_database):
    """An empty database."""
    database = new_database()
    yield database
    database.store.close()


@pytest.fixture
def known(db):
    """A database with the device `trk-1`, bound to the asset `A1`."""
    db.register("trk-1", asset="A1")
    return db
