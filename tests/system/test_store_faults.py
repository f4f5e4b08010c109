"""The faults of the database and of the way to it: nothing is acknowledged that is not stored,
memory stays bounded, and everything comes in once it is back."""

import shutil
import signal
import subprocess
import time
from contextlib import contextmanager
from pathlib import Path
from threading import Thread

import httpx
import pytest
from psycopg import conninfo

from gateway.mosquitto import free_port
from gateway.proxy import Proxy
from tests.system.conftest import wait_for

DOWN_S = 5
GROWTH_AT_MOST_MB = 50


class Watched:
    """A ready gateway whose health and memory are looked at."""

    def __init__(self, world, **settings):
        self._port = free_port()
        self.process = world.ready_gateway(metrics_port=self._port, **settings).process

    def health(self):
        return httpx.get(f"http://127.0.0.1:{self._port}/health", timeout=10)

    def cannot_store(self):
        return "cannot store" in self.health().text

    def is_well(self):
        return self.health().status_code == 200

    def memory_mb(self):
        pages = Path(f"/proc/{self.process.pid}/statm").read_text().split()[1]
        return int(pages) / 256


@contextmanager
def stopped(server, how):
    """The server is down, in one of three ways, for as long as the context lasts."""
    if how == signal.SIGSTOP:
        server.send_signal(how)
    else:
        server.stop(how)
    try:
        yield
    finally:
        server.send_signal(signal.SIGCONT)
        server.start()


@pytest.mark.parametrize(
    "how", [signal.SIGSTOP, signal.SIGINT, signal.SIGKILL], ids=lambda s: s.name
)
def test_8_postgresql_is_down(postgresql_world, how):
    """No acknowledgement, bounded memory; then all that has piled up is stored."""
    world = postgresql_world
    gateway = Watched(world)
    device = world.device()
    device.publish(2_000)
    device.wait_for_receipts()
    before = gateway.memory_mb()
    with stopped(world.database.server, how):
        device.publish(10_000)
        time.sleep(DOWN_S)
        assert device.receipted() == set(range(2_000))
        assert gateway.memory_mb() < before + GROWTH_AT_MOST_MB
        if how != signal.SIGSTOP:
            assert gateway.cannot_store()
    device.wait_for_receipts()
    assert world.count("log") == 12_000
    world.wait_for(gateway.is_well, "the gateway is well again")
    world.assert_promise_kept()


def test_postgresql_killed_under_load(postgresql_world):
    """Three times, while a device publishes all the time."""
    world, server = postgresql_world, postgresql_world.database.server
    world.ready_gateway()
    device = world.device()
    load = Thread(target=lambda: [device.publish(50) for _ in range(60)])
    load.start()
    for _ in range(3):
        time.sleep(0.5)
        server.stop(signal.SIGKILL)
        server.start()
    load.join()
    device.wait_for_receipts()
    assert world.count("log") == 3_000
    world.assert_promise_kept()


def traced(pid):
    """Whether every thread of a process is traced."""
    threads = Path(f"/proc/{pid}/task").glob("*/status")
    return all("TracerPid:\t0\n" not in status.read_text() for status in threads)


@contextmanager
def failing(pids, call):
    """A system call of these processes, and of those that they start, fails: `name:error=E`."""
    names = call.partition(":")[0]
    attach = [word for pid in pids for word in ("-p", str(pid))]
    command = ["strace", "-f", "-qq", "-o", "/dev/null", "-e", f"trace={names}"]
    tracer = subprocess.Popen([*command, "-e", f"inject={call}", *attach])
    wait_for(lambda: all(map(traced, pids)), "strace is at work")
    try:
        yield
    finally:
        tracer.send_signal(signal.SIGINT)
        tracer.wait(10)


DISKS = {
    "fsync fails": "fsync,fdatasync:error=EIO",
    "full": "pwrite64:error=ENOSPC",
}


@pytest.fixture
def strace(require):
    require(shutil.which("strace"), "strace (Debian: apt install strace)")


@pytest.mark.parametrize("disk", DISKS)
def test_11_a_disk_fails_under_sqlite(strace, sqlite_world, disk):
    world = sqlite_world
    gateway = Watched(world)
    device = world.device()
    device.publish(100)
    device.wait_for_receipts()
    with failing([gateway.process.pid], DISKS[disk]):
        device.publish(100)
        world.wait_for(gateway.cannot_store, "the gateway says that it cannot store")
        time.sleep(1)
        assert device.receipted() == set(range(100))
    device.wait_for_receipts()
    world.wait_for(gateway.is_well, "the gateway is well again")
    assert world.count("log") == 200
    world.assert_promise_kept()


@pytest.mark.parametrize("disk", DISKS)
def test_11_a_disk_fails_under_postgresql(strace, postgresql_world, disk):
    """A server that cannot write its log gives up; whoever looks after it starts it anew."""
    world, server = postgresql_world, postgresql_world.database.server
    gateway = Watched(world)
    device = world.device()
    device.publish(100)
    device.wait_for_receipts()
    with failing(server.pids(), DISKS[disk]):
        device.publish(100)
        world.wait_for(gateway.cannot_store, "the gateway says that it cannot store")
        time.sleep(1)
        assert device.receipted() == set(range(100))
    server.stop(signal.SIGKILL)
    server.start()
    device.wait_for_receipts()
    world.wait_for(gateway.is_well, "the gateway is well again")
    assert world.count("log") == 200
    world.assert_promise_kept()


@pytest.fixture
def far(postgresql_world):
    """A database at the other end of a network: the world, and the network."""
    world = postgresql_world
    with Proxy(world.database.server.port) as network:
        name = conninfo.conninfo_to_dict(world.database_url)["dbname"]
        world.database_url = f"postgresql://postgres@127.0.0.1:{network.port}/{name}"
        yield world, network


@pytest.mark.parametrize("how", ["cut", "stall"])
def test_the_network_to_the_database_fails(far, how):
    world, network = far
    gateway = Watched(world)
    device = world.device()
    device.publish(100)
    device.wait_for_receipts()
    getattr(network, how)()
    device.publish(2_900)
    time.sleep(DOWN_S)
    assert device.receipted() == set(range(100))
    network.mend()
    device.wait_for_receipts()
    world.wait_for(gateway.is_well, "the gateway is well again")
    assert world.count("log") == 3_000
    world.assert_promise_kept()


@pytest.mark.parametrize("answer", [False, True], ids=["commit", "answer"])
def test_the_connection_is_lost_at_a_commit(far, answer):
    """Whether the commit arrived nobody can know: the batch is recorded again, to one effect."""
    world, network = far
    gateway = world.ready_gateway()
    device = world.device()
    device.publish(1)
    device.wait_for_receipts()
    for _ in range(3):
        network.lose(b"COMMIT", answer=answer)
        device.publish(100)
        device.wait_for_receipts()
        assert network.lost
    assert "takes nothing" in gateway.log.read_text()
    assert world.count("log") == 301
    assert world.count("dead_letters") == 0
    world.assert_promise_kept()
