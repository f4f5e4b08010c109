"""`retour db`, `retour verify`: the database migrated, looked into, audited."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from typing import Annotated

import typer

from commands.asking import opened
from commands.influx import needed_series
from commands.settings import load_settings, shown
from commands.show import AsJson, UserError, count, legible, progress_bar, say, show, when
from commands.trial import trial
from tracker.audit import Act
from tracker.stamps import DAY
from tracker.stores.sqlite import SqliteStore
from tracker.telling import Difference, differences
from tracker.times import iso
from tracker.trim import Trimmed, retain, trim
from tracker.verify import Report
from tracker.verify import verify as audit

HELD = {
    "log": "observations in the log",
    "dead_letters": "dead letters",
    "quarantine": "observations in quarantine",
    "outbox": "receipts to be published",
}
FAULTS = {
    "duplicates": "observations stored twice",
    "receipted_but_missing": "messages receipted and not stored",
    "broken_links": "corrections of nothing in the journal",
}
TROUBLES = {  # no faults of Retour's; told where there are any
    "stale": "assets that wait to be folded again, not compared",
    "before_edge": "observations from before the log begins, without effect",
    "receipt_holes": "messages that have not come, and may yet",
    "lost_by_devices": "messages that devices have lost",
    "dead_letters": "dead letters: see `retour dead-letters`",
    "quarantined": "observations held back: see `retour quarantine`",
}

DIFFERENCES_SHOWN = 20

group = typer.Typer(no_args_is_help=True, help="The database.")


@group.command("upgrade")
def db_upgrade() -> None:
    """Create or migrate the database.

    Example: retour db upgrade
    """
    settings = load_settings()
    settings.store(migrate=True).close()
    say(f"{settings.database_shown} is up to date")


@group.command("check")
def db_check(as_json: AsJson = False) -> None:
    """Say what the database holds; fails where it cannot be used.

    Example: retour db check --json
    """
    store, _ = opened()
    with store.reading() as reader:
        held, edge = reader.counts(), reader.edge()
    begins = None if edge is None else iso(edge)
    if as_json:
        show({**held, "log_begins": begins}, as_json)
    else:
        words = {HELD[name]: f"{number:,}" for name, number in held.items()}
        show(
            {
                **words,
                "the log begins": legible(begins)
                if begins
                else "with the first: none was given up",
            },
            as_json,
        )


@group.command("copy")
def db_copy(
    target: Annotated[
        str, typer.Argument(metavar="URL", help="A new PostgreSQL database, after `db upgrade`.")
    ],
    audited: Annotated[
        bool, typer.Option("--verify/--no-verify", help="Audit the copy as `retour verify` does.")
    ] = True,
    as_json: AsJson = False,
) -> None:
    """Copy a SQLite database into an empty PostgreSQL one: all of it, or nothing.

    Example: retour db copy postgresql://retour:secret@db.example.org/retour
    """
    settings = load_settings()
    source = settings.store(must_exist=True)
    if not isinstance(source, SqliteStore):
        source.close()
        raise UserError(f"{settings.database_shown} is not SQLite: use PostgreSQL's own tools")
    if not target.startswith(("postgresql://", "postgres://")):
        raise UserError(f"{shown(target)} is no postgresql://user:password@host/name")
    counts = _copied(source, target, audited)
    if as_json:
        show(counts, as_json)
    else:
        rows = count(sum(counts.values()), "row")
        sound = ", and every belief follows from the log there" if audited else ""
        say(f"{rows} are copied{sound}: set RETOUR_DATABASE to it")


def _copied(source: SqliteStore, url: str, audited: bool) -> dict[str, int]:
    from tracker.stores.copying import copy
    from tracker.stores.postgresql import PostgresqlStore

    with (
        closing(PostgresqlStore(url)) as target,
        source.reading() as reader,
        target.writing() as writer,
    ):
        with progress_bar("Copying") as progress:
            counts = copy(reader, writer, progress)
        with progress_bar("Refolding") as progress:
            if audited and not audit(writer, progress).sound:
                raise UserError(
                    "nothing is copied: the copy was not sound; is it here? Ask `retour verify`"
                )
    return counts


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
    tell_trimmed(done, dry_run, as_json)


@group.command("retain")
def db_retain(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would go.")] = False,
    as_json: AsJson = False,
) -> None:
    """Give up the log's oldest thirty days, and more, once they are older than
    RETOUR_RETENTION_DAYS keeps. Meant to be run once a day.

    Example: RETOUR_RETENTION_DAYS=400 retour db retain --dry-run
    """
    settings = load_settings()
    if not settings.retention_days:
        raise UserError("RETOUR_RETENTION_DAYS is not set: the log keeps everything")
    clock = settings.make_clock()
    act = Act("retour db retain", clock.now(), clock.wall())
    store = settings.store(must_exist=True)
    with trial(store, dry_run) as tx, progress_bar("Keeping beliefs") as progress:
        done = retain(tx, settings.retention_days, act, progress)
    tell_trimmed(done, dry_run, as_json)


def tell_trimmed(done: Trimmed, dry_run: bool, as_json: bool) -> None:
    """Print what trimming did, or would do."""
    begins = None if done.edge is None else iso(done.edge)
    if as_json:
        figures = {"rows": done.rows, "assets": done.assets, "dry_run": dry_run}
        show({"log_begins": begins, **figures}, as_json)
        return
    old = "so old" if begins is None else f"from before {legible(begins)}"
    if not done.rows:
        say(f"No observation is {old}")
        return
    are, is_ = ("would be", "would be") if dry_run else ("are", "is")
    say(f"{count(done.rows, 'observation')} {old} {are} given up")
    say(f"What was believed of {count(done.assets, 'asset')} then {is_} kept, and all visits")
    if dry_run:
        say("Nothing is stored: this was a dry run")


def verify(
    influx: Annotated[
        bool, typer.Option("--influx", help="Compare with InfluxDB too, by asset and day.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Audit the promise: refold everything from nothing and compare, look for what is missing.

    Exits 1 on any difference. Example: retour verify --influx --json
    """
    settings = load_settings()
    store = settings.store(must_exist=True)
    series = needed_series(settings) if influx else None
    with store.reading() as reader, progress_bar("Refolding") as progress:
        report = audit(reader, progress)
        now = settings.make_clock().wall()
        lacking = differences(reader, series, now) if series is not None else []
    if as_json:
        compared = {} if series is None else {"influx_differences": len(lacking)}
        show(report.as_dict() | compared, as_json)
    else:
        tell_audited(report)
        if series is not None:
            tell_compared(lacking)
    if lacking or not report.sound:
        raise typer.Exit(1)


def tell_compared(lacking: Sequence[Difference]) -> None:
    """Print where InfluxDB holds another number of points than the log, for people."""
    if not lacking:
        say("InfluxDB holds what log and journal do, but for what waits to be told")
        return
    rows = [
        {
            "series": one.series,
            "day": iso(one.day * DAY)[:10],
            "assets": " ".join(one.assets),
            "here": one.logged,
            "in InfluxDB": one.told,
        }
        for one in lacking[:DIFFERENCES_SHOWN]
    ]
    show(rows, as_json=False)
    say(
        f"{count(len(lacking), 'series and day', 'series and days')} differ: "
        "`retour influx rebuild` tells InfluxDB all of the log again"
    )


def tell_audited(report: Report) -> None:
    """Print what an audit found, for people: what must be none first."""
    show(
        {
            "assets compared with a new fold of the log": f"{report.assets - report.stale:,}",
            "observations in the log": f"{report.observations:,}",
            "of those, assets whose stored belief differs": " ".join(report.differences) or "none",
            **{FAULTS[name]: f"{getattr(report, name):,}" for name in FAULTS},
            **{TROUBLES[name]: f"{n:,}" for name in TROUBLES if (n := getattr(report, name))},
        },
        as_json=False,
    )
    if report.sound:
        say("The promise is kept: nothing is missing, and every belief follows from the log")
    else:
        say("THE PROMISE IS BROKEN: please keep a copy of the database, and report this")
