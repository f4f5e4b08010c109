"""`retour db`, `retour verify`: the database migrated, looked into, audited."""

from __future__ import annotations

from typing import Annotated

import typer

from commands.asking import opened
from commands.settings import load_settings
from commands.show import AsJson, UserError, iso, out, progress_bar, show, when
from commands.trial import trial
from tracker.audit import Act
from tracker.stamps import DAY
from tracker.trim import trim
from tracker.verify import verify as audit

group = typer.Typer(no_args_is_help=True, help="The database.")


@group.command("upgrade")
def db_upgrade() -> None:
    """Create or migrate the database.

    Example: retour db upgrade
    """
    settings = load_settings()
    settings.store(migrate=True).close()
    out.print(f"{settings.database_shown} is up to date")


@group.command("check")
def db_check(as_json: AsJson = False) -> None:
    """Say what the database holds; fails where it cannot be used.

    Example: retour db check --json
    """
    store, _ = opened()
    with store.reading() as reader:
        show({**reader.counts(), "log_begins": iso(reader.edge())}, as_json)


@group.command("trim")
def db_trim(
    before: Annotated[
        int | None,
        typer.Option(parser=when, metavar="DATE", help="Give up what was observed before."),
    ] = None,
    days: Annotated[int | None, typer.Option(min=0, help="Keep so many days.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would go.")] = False,
    as_json: AsJson = False,
) -> None:
    """Give up the log's oldest part. Visits and what is believed at its new edge stay.

    Example: retour db trim --days 400 --dry-run
    """
    if (before is None) == (days is None):
        raise UserError("say either --before or --days")
    settings = load_settings()
    clock = settings.make_clock()
    now = clock.now()
    edge = before if before is not None else now - (days or 0) * DAY
    act = Act("retour db trim", now, clock.wall())
    store = settings.store(must_exist=True)
    with trial(store, dry_run) as tx, progress_bar("Keeping beliefs") as progress:
        done = trim(tx, edge, act, progress)
    show(
        {
            "log_begins": iso(done.edge),
            "rows": done.rows,
            "assets": done.assets,
            "dry_run": dry_run,
        },
        as_json,
    )


def verify(as_json: AsJson = False) -> None:
    """Audit the promise: refold everything from nothing and compare, look for what is missing.

    Exits 1 on any difference. Example: retour verify --json
    """
    store, _ = opened()
    with store.reading() as reader, progress_bar("Refolding") as progress:
        report = audit(reader, progress)
    show(report.as_dict(), as_json)
    if not report.sound:
        raise typer.Exit(1)
