"""Use case: from now on alerts are raised by other rules."""

from __future__ import annotations

from collections.abc import Iterable

from tracker.audit import Act, audited
from tracker.ports import Reader, Writer
from tracker.reader_watch import let_go
from tracker.registry import Unregistered
from tracker.rules import Rules, as_json
from tracker.worldfile import Names

LOOKS_A_SECOND = 200  # of a large fleet, so that whose time comes meanwhile need not wait


def govern(tx: Writer, rules: Rules, act: Act) -> bool:
    """Raise alerts by these rules, in place of all before; whether that changes anything. All
    assets are looked at by them soon, for what holds already may be told by no other event. Raises
    Unregistered where one names a stage or site that there is not: it would never hold."""
    before = tx.rules()
    if rules == before:
        return False
    _check(tx, rules)
    tx.put_rules(rules, act.now)
    kept = {rule.id for rule in rules.readers()}
    let_go(tx, [rule for rule in before.readers() if rule.id not in kept], act.now)
    tx.look_at_all(act.now, LOOKS_A_SECOND)
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
