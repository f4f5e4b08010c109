"""Migrations: bring a database to this version's schema, or say how far it is from it."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, inspect

from tracker.ports import StoreRefused


def _config(connection: Connection | None = None) -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.attributes["connection"] = connection
    return config


@cache
def _revisions() -> list[str]:
    """All that this version of Retour knows, the newest first."""
    return [step.revision for step in ScriptDirectory.from_config(_config()).walk_revisions()]


def newest() -> str:
    """The revision that this version of Retour needs."""
    return _revisions()[0]


def current(connection: Connection) -> str | None:
    """The revision a database is at; None where it is empty."""
    return MigrationContext.configure(connection).get_current_revision()


def refuse_foreign(connection: Connection) -> None:
    """Raise StoreRefused where a newer Retour, or another program, has made the database."""
    at = current(connection)
    if at is None and inspect(connection).get_table_names():
        raise StoreRefused("it holds the tables of another program: name another one")
    if at is not None and at not in _revisions():
        raise StoreRefused(
            f"it is at revision {at}, which this version of Retour does not know: "
            "use the version that wrote it, or a newer one"
        )


def upgrade(connection: Connection) -> None:
    """Migrate to the newest revision, within the connection's transaction."""
    refuse_foreign(connection)
    command.upgrade(_config(connection), "head")
