"""A PostgreSQL that cannot be used is refused at start, in one line that says what to do, before
anything is asked of the broker."""

import os
import re
import socket
import subprocess
import sys

import psycopg
import pytest

from gateway.mosquitto import free_port
from tracker.stores.local_postgresql import LocalPostgresql, postgresql_folder
from tracker.stores.postgresql import PostgresqlStore

pytestmark = pytest.mark.system
WITHIN_S = 60
SECRET = "s3cret"


@pytest.fixture(scope="module")
def server(require):
    """A server without TLS, that asks the user bob for a password, with databases of all sorts."""
    require(postgresql_folder(), "PostgreSQL (Debian: apt install postgresql)")
    with LocalPostgresql(free_port(), durable=False) as started:
        for name in ("good", "empty", "newer", "foreign"):
            started.create_database(name)
        for name in ("good", "newer"):
            PostgresqlStore(started.database_url(name), migrate=True).close()
        statement(started.database_url("newer"), "UPDATE alembic_version SET version_num = '9'")
        statement(started.database_url("foreign"), "CREATE TABLE invoices (id integer)")
        statement(started.url, "CREATE ROLE bob LOGIN PASSWORD 'another'")
        lets_in = "host all bob all scram-sha-256\nhost all all all trust\n"
        (started.folder / "data" / "pg_hba.conf").write_text(lets_in)
        statement(started.url, "SELECT pg_reload_conf()")
        yield started


def statement(url, text):
    with psycopg.connect(url, autocommit=True) as db:
        db.execute(text)


@pytest.fixture
def broker():
    """Listens where the broker should be."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.setblocking(False)
        yield listening


def start(database, broker, *command):
    """A command as a user gives it: how it ended, and what it complained of."""
    settings = {
        "RETOUR_DATABASE": database,
        "RETOUR_MQTT_URL": f"mqtt://127.0.0.1:{broker.getsockname()[1]}",
        "RETOUR_API_PORT": "0",
    }
    ended = subprocess.run(
        [sys.executable, "-m", "retour", *command],
        env=os.environ | settings,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=WITHIN_S,
    )
    return ended.returncode, ended.stderr


PORT, USER = "{port}", "postgres@127.0.0.1"
BAD = {
    "no port": ("postgresql://host:port/good", "like postgresql://user:password@host:5432/name"),
    "no name": (f"postgresql://{USER}:{PORT}", "like postgresql://user:password@host:5432/name"),
    "scheme": (f"mysql://{USER}:{PORT}/good", "try sqlite:///retour.db or postgresql://"),
    "option": (f"postgresql://{USER}:{PORT}/good?ssl=on", "stands after the question mark"),
    "host": ("postgresql://postgres@nowhere.invalid/good", "nowhere.invalid.*[Cc]heck the host"),
    "port": (f"postgresql://{USER}:1/good", "port 1 failed.*is a server there"),
    "user": (f"postgresql://eve@127.0.0.1:{PORT}/good", "eve.*check user and password"),
    "password": (f"postgresql://bob:{SECRET}@127.0.0.1:{PORT}/good", "check user and password"),
    "no password": (f"postgresql://bob@127.0.0.1:{PORT}/good", "check user and password"),
    "database": (f"postgresql://{USER}:{PORT}/none", "make it with `createdb`"),
    "no migrations": (f"postgresql://{USER}:{PORT}/empty", "run `retour db upgrade`"),
    "newer": (f"postgresql://{USER}:{PORT}/newer", "at revision 9.*use the version that wrote it"),
    "foreign": (f"postgresql://{USER}:{PORT}/foreign", "another program: name another one"),
    "TLS": (f"postgresql://{USER}:{PORT}/good?sslmode=require", "let the server speak TLS"),
}


FEW = [(command, bad) for command in ("api", "db check") for bad in ("password", "no migrations")]


@pytest.mark.parametrize(("command", "bad"), [*(("gateway", bad) for bad in BAD), *FEW])
def test_it_is_refused_in_one_line(server, broker, command, bad):
    url, complaint = BAD[bad]
    status, told = start(url.format(port=server.port), broker, *command.split())
    assert (status, told.count("\n")) == (1, 1), told
    assert told.startswith("retour: ")
    assert re.search(complaint, told)
    assert SECRET not in told
    with pytest.raises(BlockingIOError):
        broker.accept()


@pytest.mark.parametrize(
    ("bad", "complaint"),
    [("newer", "use the version that wrote it"), ("foreign", "holds the tables of another")],
)
def test_what_is_not_ours_is_not_migrated(server, broker, bad, complaint):
    status, told = start(BAD[bad][0].format(port=server.port), broker, "db", "upgrade")
    assert (status, told.count("\n")) == (1, 1)
    assert complaint in told


def test_a_user_who_may_make_no_tables_is_told(server, broker):
    url = f"postgresql://bob:another@127.0.0.1:{server.port}/empty"
    status, told = start(url, broker, "db", "upgrade")
    assert (status, told.count("\n")) == (1, 1)
    assert "permission denied for schema public: let this user own the database" in told


def test_what_is_right_is_not_refused(server, broker):
    assert start(server.database_url("good"), broker, "db", "check") == (0, "")
