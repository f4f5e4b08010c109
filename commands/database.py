"""`retour db`, `retour verify`: the database migrated, looked into, audited."""

from __future__ import annotations

import typer

from commands.settings import load_settings
from commands.show import AsJson, out, progress_bar, show
from tracker.verify import verify as audit

group = typer.Typer(no_args_is_help=True, help="The database.")


@group.command("upgrade")
def db_upgrade() -> None:
    """Create or migrate the database.

    Example: retour db upgrade
    """
    settings = load_settings("warning")
    settings.store().close()
    out.print(f"{settings.database} is up to date")


@group.command("check")
def db_check(as_json: AsJson = False) -> None:
    """Say what the database holds; fails where it cannot be used.

    Example: retour db check --json
    """
    store = load_settings("warning").store()
    with store.reading() as reader:
        show(dict(reader.counts()), as_json)


def verify(as_json: AsJson = False) -> None:
    """Audit the promise: refold everything from nothing and compare, look for what is missing.

    Exits 1 on any difference. Example: retour verify --json
    """
    store = load_settings("warning").store()
    with store.reading() as reader, progress_bar("Refolding") as progress:
        report = audit(reader, progress)
    show(report.as_dict(), as_json)
    if not report.sound:
        raise typer.Exit(1)
