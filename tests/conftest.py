"""What every test may need: servers, or a clear word that they are missing."""

import os
from itertools import count

import pytest
import structlog

from gateway.mosquitto import free_port, mosquitto_binary
from tracker.stores.influx_setup import set_up
from tracker.stores.local_influx import LocalInflux, influxd_binary
from tracker.stores.local_postgresql import LocalPostgresql, postgresql_folder
from tracker.stores.postgresql import PostgresqlStore


@pytest.fixture(autouse=True)
def own_log():
    """What a command sets of the log ends with its test."""
    yield
    structlog.reset_defaults()


@pytest.fixture(scope="session")
def require():
    """Call it with what is found and what it is: where it is missing the test is skipped, but
    fails in a run that must have everything."""

    def check(found, what):
        if found:
            return
        if os.environ.get("RETOUR_REQUIRE_SERVERS") == "1":
            pytest.fail(f"{what} is missing, and RETOUR_REQUIRE_SERVERS is set")
        pytest.skip(f"{what} is not installed")

    return check


@pytest.fixture
def mosquitto_installed(require):
    require(mosquitto_binary(), "mosquitto (Debian: apt install mosquitto)")


@pytest.fixture(scope="session")
def new_postgresql(require):
    """Makes databases; by default migrated ones, quickly: as copies of one that was."""
    require(postgresql_folder(), "PostgreSQL (Debian: apt install postgresql)")
    numbers = count()
    with LocalPostgresql(free_port(), durable=False) as server:
        PostgresqlStore(server.create_database("migrated"), migrate=True).close()
        yield lambda like="migrated": server.create_database(f"test_{next(numbers)}", like)


@pytest.fixture(scope="session")
def influx_server(require):
    require(influxd_binary(), "InfluxDB 2 (tests/build-influxd builds one)")
    with LocalInflux(free_port()) as server:
        yield server


@pytest.fixture(scope="session")
def new_influx(influx_server):
    """Makes buckets, set up as `retour influx setup` does; where each is, with its own token."""
    numbers = count()

    def make(keep_days=0):
        at = influx_server.at(f"bucket-{next(numbers)}")
        return at._replace(token=set_up(at, keep_days, 0))

    return make
