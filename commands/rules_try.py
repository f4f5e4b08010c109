"""`retour rules try`: which alerts other rules would have raised, beside those that were."""

from __future__ import annotations

import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated, Any

import orjson
import typer

from commands.faults import told
from commands.settings import load_settings
from commands.show import AsJson, UserError, count, iso, legible, out, progress_bar, say, show, when
from tracker import times
from tracker.alerts import Alert
from tracker.ports import Store
from tracker.raised import Pair, paired, raised
from tracker.refold import ALWAYS
from tracker.rules import Rules, read_rules
from tracker.stores.sqlite import SqliteStore

MINUTE_MS = 60_000
NOTES = (
    "Nothing was written to the database. Leases, and what befell their lines, counted from when "
    "they were told; all else that is registered, and the heads of leases, counted as it is now. "
    "What people did about alerts was left out."
)


def rules_try(
    file: Annotated[Path, typer.Argument(help="The file of the rules.", show_default=False)],
    since: Annotated[
        int | None,
        typer.Option("--from", parser=when, metavar="TIME", help="Alerts opened from then on."),
    ] = None,
    until: Annotated[
        int | None,
        typer.Option("--to", parser=when, metavar="TIME", help="Up to, not at, this time; now."),
    ] = None,
    database: Annotated[
        str | None, typer.Option(help="Another database than RETOUR_DATABASE.", metavar="URL")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Say which alerts the rules of a file would have raised, beside those that were: the log is
    replayed, in a database of its own.

    Example: retour rules try rules.yaml --from 2026-03-01 --to 2026-04-01
    """
    content = file.read_bytes()
    with told(file, "file of rules"):
        rules = read_rules(content)
    settings = load_settings()
    if database is not None:
        settings = settings.model_copy(update={"database": database})
    now = settings.make_clock().now()
    end, begin = min(now, until or now), ALWAYS if since is None else since
    if begin >= end:
        raise UserError("--from must lie before --to, and before now")
    started = time.monotonic()
    pairs, rows = _tried(settings.store(must_exist=True), rules, begin, end)
    counts = _counts(rules, pairs)
    if as_json:
        _lines([*map(_as_json, pairs), {"rows": rows, "rules": counts}])
        return
    show([_words(pair) for pair in pairs], as_json=False, none="no alert, by these rules or before")
    out.print()
    show([{"rule": name, **one} for name, one in counts.items()], as_json=False)
    speed = rows / max(time.monotonic() - started, 1e-3)
    out.print()
    say(f"{count(rows, 'row')} of the log replayed, {speed:,.0f} a second. {NOTES}")


def _tried(store: Store, rules: Rules, since: int, until: int) -> tuple[list[Pair], int]:
    """The alerts that rules raise, beside those that were raised, and how many rows of the log
    were replayed."""
    from tracker.rehearsal import EmptyLog, rehearse  # loads what checking a file has no need of

    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="retour-try-"))
        stage = SqliteStore(Path(folder) / "retour.db")
        stack.callback(stage.close)
        with store.reading() as reader:
            everything, did = reader.counts()["log"], raised(reader, since, until)
        done = 0
        with progress_bar("Replaying") as progress:

            def tell(rows: int) -> None:
                nonlocal done
                done += rows
                progress(done, everything)

            try:
                began = rehearse(store, stage, rules, until, tell)
            except EmptyLog as empty:
                raise UserError(str(empty)) from None
        if began >= until:
            raise UserError(f"the log begins at {iso(began)}: --to must lie after that")
        with stage.reading() as reader:
            return paired(raised(reader, since, until), did), done


def _counts(rules: Rules, pairs: Sequence[Pair]) -> dict[str, dict[str, int]]:
    """How many alerts of each rule would be, how many were, and how many of them are the same."""
    tried = Counter(pair.one.rule for pair in pairs if pair.one is not None)
    stored = Counter(pair.other.rule for pair in pairs if pair.other is not None)
    both = Counter(pair.alert.rule for pair in pairs if None not in pair)
    names = dict.fromkeys([*(rule.id for rule in rules.rules if rule.enabled), *sorted(stored)])
    return {
        name: {"tried": tried[name], "stored": stored[name], "both": both[name]} for name in names
    }


def _as_json(pair: Pair) -> dict[str, Any]:
    alert = pair.alert
    about = {name: getattr(alert, name) for name in ("asset", "lease", "line", "rule")}
    return about | {"tried": _history(pair.one), "stored": _history(pair.other)}


def _history(alert: Alert | None) -> dict[str, Any] | None:
    if alert is None:
        return None
    return {
        "opened": iso(alert.opened),
        "levels": alert.level,
        "ended": iso(_ended(alert)),
        "how": alert.resolution,
    }


def _words(pair: Pair) -> dict[str, Any]:
    alert = pair.alert
    ended = _ended(alert)
    return {
        "asset": alert.asset,
        "lease": alert.lease,
        "line": alert.line,
        "rule": alert.rule,
        "opened": legible(times.iso(alert.opened)),
        "levels": alert.level,
        "ended": None if ended is None else legible(times.iso(ended)),
        "how": alert.resolution,
        "under the rules in force": _beside(pair),
    }


def _beside(pair: Pair) -> str:
    """What was different about an alert under the rules that were in force; up to a minute is no
    difference."""
    if pair.one is None:
        return "was, would not be"
    if pair.other is None:
        return "was not"
    tried, stored = ((one.opened, _ended(one)) for one in pair if one is not None)
    told = [
        f"{what} {'not' if was is None else legible(times.iso(was))}"
        for what, was, is_now in zip(("opened", "ended"), stored, tried, strict=True)
        if (was is None) != (is_now is None) or abs((was or 0) - (is_now or 0)) > MINUTE_MS
    ]
    return f"was {', '.join(told)}" if told else "was the same"


def _ended(alert: Alert) -> int | None:
    return alert.changed if alert.over else None


def _lines(lines: Sequence[dict[str, Any]]) -> None:
    for line in lines:
        print(orjson.dumps(line).decode())  # noqa: T201
