"""The real processes of the soak: servers, gateways, devices, and the networks between them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from commands.soak.fleet import SoakFleet, register
from commands.soak.processes import Command
from gateway.mosquitto import Mosquitto, free_port
from gateway.proxy import Proxy
from tracker.audit import Act
from tracker.ports import Store
from tracker.project import project
from tracker.stores.influx import Influx, InfluxAt
from tracker.stores.influx_setup import set_up
from tracker.stores.local_influx import LocalInflux
from tracker.stores.local_postgresql import LocalPostgresql
from tracker.stores.postgresql import PostgresqlStore
from tracker.stores.sqlite import SqliteStore

GATEWAYS, WORKERS = 3, 2
LIVES_ON = "gateway 1"  # it is never ended, for its memory is looked at
DATABASE = "soak"
PERSISTENT = ("persistence true", "autosave_interval 1")


@dataclass(slots=True)
class World:
    """What runs: our own commands by their names, and servers. `file` is the database where that
    is SQLite, `postgresql` its server else."""

    store: SqliteStore | PostgresqlStore
    broker: Mosquitto
    devices_to_broker: Proxy
    gateways_to_broker: Proxy
    influx: LocalInflux
    series: Influx
    workers_to_influx: Proxy
    commands: dict[str, Command]
    fleet: SoakFleet
    file: Path | None = None
    postgresql: LocalPostgresql | None = None
    to_database: Proxy | None = None

    def tend(self) -> None:
        """Start again what has ended by itself, as a supervisor would."""
        for command in self.commands.values():
            command.tend()


@contextmanager
def running_world(folder: Path, *, postgresql: bool) -> Iterator[World]:
    """Everything started; all of it ends with the context."""
    with ExitStack() as stack:
        broker = stack.enter_context(Mosquitto(folder, PERSISTENT))
        devices_to_broker = stack.enter_context(Proxy(broker.port))
        gateways_to_broker = stack.enter_context(Proxy(broker.port))
        server = stack.enter_context(LocalPostgresql(free_port())) if postgresql else None
        to_database = stack.enter_context(Proxy(server.port)) if server else None
        file = folder / "retour.db"
        if server is None or to_database is None:
            url = f"sqlite:///{file}"
            store: SqliteStore | PostgresqlStore = SqliteStore(file)
        else:
            store = PostgresqlStore(server.create_database(DATABASE), migrate=True)
            url = f"postgresql://postgres@127.0.0.1:{to_database.port}/{DATABASE}"
        stack.callback(store.close)
        register(store)
        influx = stack.enter_context(LocalInflux(free_port()))
        workers_to_influx = stack.enter_context(Proxy(influx.port))
        series = _set_up(influx, store)
        stack.callback(series.close)
        commands = {
            f"gateway {n}": _gateway(n, folder, gateways_to_broker, url)
            for n in range(1, GATEWAYS + 1)
        } | {
            f"worker {n}": _worker(n, folder, series.at, workers_to_influx, url)
            for n in range(1, WORKERS + 1)
        }
        for command in commands.values():
            stack.callback(command.stop)
            command.start()
        fleet = SoakFleet(devices_to_broker.port)
        stack.callback(fleet.stop)
        fleet.start()
        yield World(
            store=store,
            broker=broker,
            devices_to_broker=devices_to_broker,
            gateways_to_broker=gateways_to_broker,
            influx=influx,
            series=series,
            workers_to_influx=workers_to_influx,
            commands=commands,
            fleet=fleet,
            file=None if server else file,
            postgresql=server,
            to_database=to_database,
        )


def _gateway(number: int, folder: Path, network: Proxy, database: str) -> Command:
    settings = {
        "RETOUR_MQTT_URL": f"mqtt://127.0.0.1:{network.port}",
        "RETOUR_DATABASE": database,
        "RETOUR_GATEWAY_GROUP": "soak",
        "RETOUR_CLIENT_ID": f"soak-gateway-{number}",
        "RETOUR_LOG_LEVEL": "warning",
    }
    return Command(["gateway"], settings, folder / f"gateway-{number}.log")


def _set_up(influx: LocalInflux, store: Store) -> Influx:
    """InfluxDB as `retour influx setup` makes it."""
    at = influx.at("soak")
    with store.writing() as tx:
        project(tx, True, Act("soak", 0, 0))
    return Influx(at._replace(token=set_up(at, 0, 0)))


def _worker(number: int, folder: Path, at: InfluxAt, network: Proxy, database: str) -> Command:
    settings = {
        "RETOUR_DATABASE": database,
        "RETOUR_INFLUX_URL": f"http://127.0.0.1:{network.port}",
        "RETOUR_INFLUX_ORG": at.org,
        "RETOUR_INFLUX_BUCKET": at.bucket,
        "RETOUR_INFLUX_TOKEN": at.token,
        "RETOUR_LOG_LEVEL": "warning",
    }
    return Command(["worker"], settings, folder / f"worker-{number}.log")
