"""What every test may need: servers, or a clear word that they are missing."""

import os
from itertools import count

import pytest

from gateway.mosquitto import free_port, mosquitto_binary
from tracker.stores.local_postgresql import LocalPostgresql, postgresql_folder
from tracker.stores.postgresql import PostgresqlStore


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
