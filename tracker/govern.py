"""Use case: from now on alerts are raised by other rules."""

from __future__ import annotations

from collections.abc import Iterable

from tracker.audit import Act, audited
from tracker.ports import Reader, Writer
from tracker.registry import Unregistered
from tracker.rules import Rules, as_json
from tracker.worldfile import Names


def govern(tx: Writer, rules: Rules, act: Act) -> bool:
    """Raise alerts by these rules, in place of all before; whether that changes anything. Raises
    Unregistered where one names a stage or site that there is not: it would never hold."""
    before = tx.rules()
    if rules == before:
        return False
    _check(tx, rules)
    tx.put_rules(rules, act.now)
    audited(tx, act, "change", "rules", "rules", as_json(before), as_json(rules))
    return True


def _check(reader: Reader, rules: Rules) -> None:
    processes = reader.inference().processes.values()
    stages = Names(stage for process in processes for stage in process.stages)
    sites = Names(reader.layout().sites())
    for rule in rules.rules:
        _need(rule.id, "stage", getattr(rule, "stages", ()), stages)
        _need(rule.id, "site", rule.sites, sites)


def _need(rule: str, what: str, named: Iterable[str], known: Names) -> None:
    for name in named:
        if name not in known:
            raise Unregistered(f"rule {rule}: there is no {what} {name}{known.hint(name)}")
