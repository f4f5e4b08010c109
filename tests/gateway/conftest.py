"""A real database in which one device is registered."""

import pytest
from structlog.testing import capture_logs

from tracker.model import Device
from tracker.registry import register_device
from tracker.stamps import StampPolicy
from tracker.stores.sqlite import SqliteStore

POLICY = StampPolicy()


@pytest.fixture(autouse=True)
def logged():
    """What is logged, kept and not shown: to draw a trace back takes a second."""
    with capture_logs() as entries:
        yield entries


@pytest.fixture(scope="session")
def new_store(tmp_path_factory):
    """Opens databases in which the device trk-1 is registered."""

    def open_one():
        store = SqliteStore(tmp_path_factory.mktemp("database") / "retour.db")
        with store.writing() as tx:
            register_device(tx, Device("trk-1", "tracker"), POLICY)
        return store

    return open_one


@pytest.fixture
def store(new_store):
    made = new_store()
    yield made
    made.close()
