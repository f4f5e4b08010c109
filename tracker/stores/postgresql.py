"""PostgreSQL: for fleets. Several gateways may record at once, past one machine."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice

import psycopg
from psycopg import errors
from sqlalchemy import URL, Connection, Engine, create_engine, exc, func, make_url, select

from tracker.ports import StoreContended, StoreRefused, StoreUnavailable
from tracker.stores import schema, upgrade
from tracker.stores.cache import Cache
from tracker.stores.compiled import Compiled
from tracker.stores.partitions import Partitions
from tracker.stores.postgresql_sql import POSTGRESQL
from tracker.stores.postgresql_writer import PostgresqlReader, PostgresqlWriter

CONNECT_WITHIN_S = 5
CONNECTIONS = 50  # more than the API has threads
LOCK_WAIT = "2s"  # longer, and the store counts as unavailable: a gateway must answer its broker
IDLE_AT_MOST = "30s"  # then the server takes away what a process that stands still has locked
# Without an answer, a connection is given up after 25 s, or 20 s where it is data that got none.
ALIVE = {
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 20_000,
}
CONTENDED = (errors.SerializationFailure, errors.DeadlockDetected)
GONE = (errors.IdleInTransactionSessionTimeout, errors.ReadOnlySqlTransaction)
SETUP_LOCK = 0x5E70  # shared by who records, exclusive for who changes what there is


class PostgresqlStore:
    """A database at a URL like `postgresql://user:password@host:5432/retour`.

    Raises StoreRefused where it cannot be used, saying why. It is migrated by `migrate` alone.
    """

    def __init__(self, url: str, *, migrate: bool = False) -> None:
        address = _parsed(url)
        self._cache = Cache()
        self._compiled = Compiled()
        self._one_writer = threading.Lock()
        self._engine = _engine(address)
        self._partitions = Partitions(self._engine)
        try:
            self._check(migrate)
        except (exc.SQLAlchemyError, psycopg.Error, StoreRefused) as error:
            self.close()
            named = address.set(drivername="postgresql", query={})  # without its password
            raise StoreRefused(f"cannot use the database {named}: {_advised(error)}") from error

    def _check(self, migrate: bool) -> None:
        with self._engine.begin() as connection:
            upgrade.refuse_foreign(connection)
            at, needed = upgrade.current(connection), upgrade.newest()
            if at == needed:
                return
            if not migrate:
                raise StoreRefused(
                    f"its schema is at revision {at or 'none'}, this version of Retour needs "
                    f"{needed}: run `retour db upgrade`"
                )
            upgrade.upgrade(connection)

    @contextmanager
    def writing(self) -> Iterator[PostgresqlWriter]:
        """One transaction that may change anything; nobody else writes meanwhile."""
        with self._transaction("pg_advisory_xact_lock") as writer:
            yield writer

    @contextmanager
    def recording(self) -> Iterator[PostgresqlWriter]:
        """One transaction that records; others may do so at once. READ COMMITTED."""
        with self._transaction("pg_advisory_xact_lock_shared") as writer:
            yield writer

    @contextmanager
    def _transaction(self, lock: str) -> Iterator[PostgresqlWriter]:
        with self._one_writer:
            try:
                with self._mapped_errors(), self._engine.begin() as connection:
                    connection.exec_driver_sql(
                        f"SELECT set_config('lock_timeout', '{LOCK_WAIT}', true), set_config("
                        f"'idle_in_transaction_session_timeout', '{IDLE_AT_MOST}', true), "
                        f"{lock}({SETUP_LOCK})"
                    )
                    setup, outage = _versions(connection)
                    cache = self._cache.at(setup)
                    cache.heed(outage)
                    cache.forget_states()
                    yield PostgresqlWriter(connection, cache, POSTGRESQL, self._partitions)
            except BaseException:
                self._cache.forget()  # it may remember what was never committed
                raise

    @contextmanager
    def reading(self) -> Iterator[PostgresqlReader]:
        """One transaction that reads a single state of the database."""
        snapshot = {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
        with (
            self._mapped_errors(),
            self._engine.connect().execution_options(**snapshot) as connection,
            connection.begin(),
        ):
            yield PostgresqlReader(connection, POSTGRESQL, self._compiled)

    @contextmanager
    def _mapped_errors(self) -> Iterator[None]:
        try:
            yield
        except (exc.OperationalError, exc.InterfaceError, exc.TimeoutError) as error:
            if isinstance(getattr(error, "orig", None), CONTENDED):
                raise StoreContended(_cause(error)) from error
            raise StoreUnavailable(_cause(error)) from error
        except exc.InternalError as error:
            if not isinstance(error.orig, GONE):
                raise
            raise StoreUnavailable(_cause(error)) from error

    def close(self) -> None:
        """Close all connections."""
        self._engine.dispose()


def _versions(connection: Connection) -> tuple[int, int]:
    """How often what there is has changed, for each change stands in the audit log, and when
    readers were down."""
    newest = (func.max(schema.audit.c.id), func.max(schema.outages.c.revision))
    counts = select(*(select(count).scalar_subquery() for count in newest))
    row = connection.execute(counts).one()
    return row[0] or 0, row[1] or 0


def _parsed(url: str) -> URL:
    """What a URL says. Raises StoreRefused."""
    try:
        parsed = make_url(url)
    except (exc.ArgumentError, ValueError):
        parsed = make_url("none://")
    if parsed.drivername not in ("postgresql", "postgres") or not parsed.database:
        raise StoreRefused(
            "the database's URL is not like postgresql://user:password@host:5432/name "
            "(in a user or password write % and two digits for what is no letter or digit)"
        )
    return parsed.set(drivername="postgresql+psycopg")


def _engine(url: URL) -> Engine:
    return create_engine(
        url,
        connect_args={
            "connect_timeout": CONNECT_WITHIN_S,
            "application_name": "retour",
            **ALIVE,
            # A plan for any box or any page is a bad one for most; to compile one, or to start
            # workers for it, takes longer than to follow it.
            "options": "-c plan_cache_mode=force_custom_plan -c jit=off"
            " -c max_parallel_workers_per_gather=0",
        },
        max_overflow=CONNECTIONS,
        pool_pre_ping=True,
    )


# What to do, by what the server or the driver says. In another language it says so itself.
ADVICE = {
    "refused|timeout expired|unreachable|No such file": "is a server there? Check host and port",
    "resolve host": "check the host",
    "password|authentication|no pg_hba.conf entry|role .* does not exist": (
        "check user and password, and whom the server's pg_hba.conf lets in"
    ),
    "database .* does not exist": "make it with `createdb`, then run `retour db upgrade`",
    "not support SSL": "let the server speak TLS, or ask for none (sslmode)",
    "certificate": "check the host, and the certificates trusted (sslrootcert)",
    "connection option|invalid .* value": "check what stands after the question mark",
    "permission denied": "let this user own the database, or grant it that",
}


def _advised(error: Exception) -> str:
    """A cause, and what to do about it."""
    cause = _cause(error)
    advice = (do for said, do in ADVICE.items() if re.search(said, cause))
    return ": ".join([cause, *islice(advice, 1)])


def _cause(error: Exception) -> str:
    text = str(getattr(error, "orig", None) or error).strip()
    return text.splitlines()[0] if text else type(error).__name__
