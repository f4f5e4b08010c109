"""Real processes: brokers, gateways that can be killed, and devices that want receipts."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import ExitStack, contextmanager
from itertools import count
from pathlib import Path

import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from gateway.embedded import embedded_broker
from gateway.mosquitto import Mosquitto, free_port
from tests.system.databases import PostgresqlDatabase, SqliteDatabase
from tracker.model import Asset, Device
from tracker.registry import bind_device, register_asset, register_device
from tracker.stamps import StampPolicy
from tracker.stores.local_postgresql import LocalPostgresql, postgresql_folder
from tracker.stores.postgresql import PostgresqlStore

HERE = Path(__file__).parent
WITHIN_S = 30


def pytest_collection_modifyitems(items):
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.system)


def wait_for(condition, what, within=WITHIN_S):
    """Wait until a condition holds, and return its value; fail after a bounded time."""
    deadline = time.monotonic() + within
    while time.monotonic() < deadline:
        if value := condition():
            return value
        time.sleep(0.02)
    pytest.fail(f"{what}: not within {within} s")


class GatewayProcess:
    """A gateway in a process of its own; `fault` names where it is to kill itself, `drain`
    has it take in what is left for it and end."""

    def __init__(self, world, fault="", drain=False, **settings):
        self.log = world.folder / f"gateway-{time.monotonic_ns()}.log"
        env = {k: v for k, v in os.environ.items() if not k.startswith("RETOUR_")}
        env |= {
            "RETOUR_DATABASE": world.database_url,
            "RETOUR_MQTT_URL": world.url,
            "RETOUR_MQTT_VERSION": world.mqtt_version,
            "FAULT": fault,
        } | {f"RETOUR_{name.upper()}": str(value) for name, value in settings.items()}
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, str(HERE / "faulty_gateway.py"), *(["--drain"] if drain else [])],
                env=env,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=log,
            )

    def wait_until_ready(self):
        def ready():
            assert self.process.poll() is None, self.log.read_text()
            return "gateway ready" in self.log.read_text()

        wait_for(ready, "the gateway subscribes")
        return self

    def last_line(self):
        return self.log.read_text().strip().splitlines()[-1]

    def wait_until_dead(self, code):
        assert self.process.wait(WITHIN_S) == code, self.log.read_text()

    def stop(self, with_signal=signal.SIGTERM):
        if self.process.poll() is None:
            self.process.send_signal(with_signal)
            self.process.wait(WITHIN_S)


class FieldDevice:
    """A device that numbers its messages, keeps them, and sends again what has no receipt."""

    def __init__(self, world, name, boot="b1", password=None, tls=None):
        self.name, self.boot = name, boot
        self.sent = {}
        self.receipts = []
        self._receipted = threading.Condition()
        self.client = paho.Client(CallbackAPIVersion.VERSION2, client_id=name, clean_session=False)
        if password is not None:
            self.client.username_pw_set(name, password)
        if tls is not None:
            self.client.tls_set_context(tls)
        self.client.on_message = self._on_message
        self.client.on_connect = lambda c, *_: c.subscribe(f"retour/v1/{name}/receipt", 1)
        self.client.on_subscribe = lambda *_: self._subscribed.set()
        self._subscribed = threading.Event()
        self.client.reconnect_delay_set(1, 1)
        self.client.on_socket_open = lambda _c, _u, sock: sock.setsockopt(
            socket.IPPROTO_TCP, socket.TCP_NODELAY, 1
        )
        self.client.connect("127.0.0.1", world.port)
        self.client.loop_start()
        assert self._subscribed.wait(WITHIN_S)

    def _on_message(self, _client, _user, message):
        with self._receipted:
            self.receipts.append(json.loads(message.payload))
            self._receipted.notify_all()

    def publish(self, count, at=None, **envelope):
        """Publish new messages of one fix each; waits until the broker has them."""
        now = at or time.time_ns() // 1_000_000
        for seq in range(len(self.sent), len(self.sent) + count):
            fix = {"lat": 50 + seq / 1e4, "lon": 4.2, "acc": 7.5}
            event = {"at": now + seq if at is None else at, "fix": fix}
            self.sent[seq] = {"boot": self.boot, "seq": seq, "sent": now, "events": [event]}
            self.sent[seq] |= envelope
        return self.send(range(len(self.sent) - count, len(self.sent)))

    def send(self, seqs, wait=True):
        """Send messages, again or for the first time."""
        infos = [self.raw(json.dumps(self.sent[seq]).encode(), wait=False) for seq in seqs]
        for info in infos:
            if wait:
                info.wait_for_publish(WITHIN_S)
                assert info.is_published()

    def raw(self, payload, wait=True, topic="events"):
        info = self.client.publish(f"retour/v1/{self.name}/{topic}", payload, qos=1)
        if wait:
            info.wait_for_publish(WITHIN_S)
            assert info.is_published()
        return info

    def receipted(self):
        """The numbers that receipts cover so far."""
        covered = set()
        for receipt in list(self.receipts):
            if receipt["boot"] == self.boot:
                holes = {n for low, high in receipt["missing"] for n in range(low, high + 1)}
                covered |= set(range(receipt["seq"] + 1)) - holes
        return covered

    def unreceipted(self):
        return sorted(self.sent.keys() - self.receipted())

    def wait_for_receipts(self, resend=False):
        """Wait until everything sent is receipted; a patient device sends again meanwhile."""
        deadline = time.monotonic() + WITHIN_S
        while missing := self.unreceipted():
            assert time.monotonic() < deadline, f"{self.name}: no receipt for {missing[:10]}"
            with self._receipted:
                quiet = not self._receipted.wait(timeout=1.0)
            if quiet and resend:
                self.send(self.unreceipted(), wait=False)

    def close(self):
        self.client.disconnect()
        self.client.loop_stop()


class World:
    """A broker, a database, and what runs on them during one test. Gateways use the broker and
    the database at `url` and `database_url`, where a test may put something in between."""

    def __init__(self, folder, broker, mqtt_version, database):
        self.folder, self.broker, self.mqtt_version = folder, broker, mqtt_version
        self.port = broker.port
        self.url = f"mqtt://127.0.0.1:{self.port}"
        self.database, self.database_url = database, database.url
        self.store = database.store
        self.gateways, self.devices = [], []
        self.wait_for = wait_for

    def gateway(self, fault="", drain=False, **settings):
        self.gateways.append(GatewayProcess(self, fault, drain, **settings))
        return self.gateways[-1]

    def ready_gateway(self, fault="", **settings):
        return self.gateway(fault, **settings).wait_until_ready()

    def register(self, name):
        with self.store.writing() as tx:
            register_device(tx, Device(name, "tracker"), StampPolicy())
            register_asset(tx, Asset(f"on-{name}"))
            bind_device(tx, f"on-{name}", name)

    def device(self, name="trk-1", boot="b1", register=True):
        if register:
            self.register(name)
        self.devices.append(FieldDevice(self, name, boot))
        return self.devices[-1]

    def rows(self, sql):
        return self.database.rows(sql)

    def command(self, *words, **settings):
        """What a command on this database, or the one of the settings, prints as JSON."""
        env = {k: v for k, v in os.environ.items() if not k.startswith("RETOUR_")}
        env["RETOUR_DATABASE"] = self.database.url
        env |= {f"RETOUR_{name.upper()}": str(value) for name, value in settings.items()}
        done = subprocess.run(
            [sys.executable, "-m", "retour", *words, "--json"],
            env=env,
            capture_output=True,
            timeout=WITHIN_S,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return json.loads(done.stdout)

    def count(self, table):
        return self.rows(f"SELECT count(*) FROM {table}")[0][0]

    def verify(self):
        """Run `retour verify` as a user would; it must find the promise kept."""
        return self.command("verify")

    def assert_promise_kept(self):
        """Lost = receipted - stored = 0, one effect each, beliefs as from nothing."""
        for device in self.devices:
            kept = {
                seq
                for table in ("log", "quarantine", "dead_letters")
                for (seq,) in self.rows(
                    f"SELECT seq FROM {table}"
                    f" WHERE device = '{device.name}' AND boot = '{device.boot}'"
                )
            }
            assert device.receipted() <= kept
        assert self.verify()["duplicates"] == 0

    def close(self):
        for device in self.devices:
            device.close()
        for gateway in self.gateways:
            gateway.stop(signal.SIGKILL)
        self.database.close()


@contextmanager
def running_world(folder, broker, mqtt_version, database=None):
    """By default on SQLite."""
    database = database or SqliteDatabase(folder / "retour.db")
    world = World(folder, broker, mqtt_version, database)
    try:
        yield world
    finally:
        world.close()


@pytest.fixture
def world_at(tmp_path):
    """Makes the world of a broker; everything in it ends with the test."""
    with ExitStack() as worlds:
        yield lambda broker, mqtt_version: worlds.enter_context(
            running_world(tmp_path, broker, mqtt_version)
        )


@pytest.fixture(scope="session")
def one_postgresql(require):
    """A durable server for all tests, with a migrated database to copy."""
    require(postgresql_folder(), "PostgreSQL (Debian: apt install postgresql)")
    with LocalPostgresql(free_port()) as server:
        PostgresqlStore(server.create_database("migrated"), migrate=True).close()
        yield server


@pytest.fixture
def new_database(request, tmp_path):
    """Makes the database of a kind."""

    def make(kind):
        if kind == "sqlite":
            return SqliteDatabase(tmp_path / "retour.db")
        server = request.getfixturevalue("one_postgresql")
        server.start()
        return PostgresqlDatabase(
            server, server.create_database(f"test_{next(NUMBERS)}", "migrated")
        )

    return make


NUMBERS = count()


@contextmanager
def mosquitto_with(folder, database):
    """Mosquitto as one would run it: it keeps its queues on disk when told to end."""
    with (
        Mosquitto(folder, ["persistence true"]) as broker,
        running_world(folder, broker, "5", database) as world,
    ):
        yield world


@pytest.fixture(params=["sqlite", "postgresql"])
def mosquitto_world(request, mosquitto_installed, new_database, tmp_path):
    """With Mosquitto, on both databases."""
    with mosquitto_with(tmp_path, new_database(request.param)) as world:
        yield world


@pytest.fixture
def sqlite_world(mosquitto_installed, new_database, tmp_path):
    """With Mosquitto, on SQLite."""
    with mosquitto_with(tmp_path, new_database("sqlite")) as world:
        yield world


@pytest.fixture
def postgresql_world(mosquitto_installed, new_database, tmp_path):
    """With Mosquitto, on PostgreSQL."""
    with mosquitto_with(tmp_path, new_database("postgresql")) as world:
        yield world


@pytest.fixture(params=["embedded-sqlite", "mosquitto-sqlite", "mosquitto-postgresql"])
def world(request, new_database, tmp_path):
    """On both brokers, and on both databases."""
    broker, database = request.param.split("-")
    if broker == "mosquitto":
        request.getfixturevalue("mosquitto_installed")
        with mosquitto_with(tmp_path, new_database(database)) as world:
            yield world
        return
    with embedded_broker() as broker, running_world(tmp_path, broker, "3.1.1") as world:
        yield world


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request, new_database):
    made = new_database(request.param)
    yield made
    made.close()


@pytest.fixture
def worker(database, tmp_path):
    """Starts workers, maybe with a fault; all end with the test."""
    started = []

    def start(fault=""):
        env = {k: v for k, v in os.environ.items() if not k.startswith("RETOUR_")}
        env |= {
            "RETOUR_DATABASE": database.url,
            "RETOUR_WEBHOOKS_ALLOW": "127.0.0.1",
            "FAULT": fault,
        }
        with (tmp_path / f"worker-{len(started)}.log").open("wb") as log:
            command = [sys.executable, str(HERE / "faulty_worker.py")]
            process = subprocess.Popen(command, env=env, stdin=subprocess.DEVNULL, stderr=log)
        started.append(process)
        return process

    yield start
    for process in started:
        if process.poll() is None:
            process.kill()
            process.wait(WITHIN_S)
