"""`retour rules`: by which rules alerts are raised, as a file says it."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Annotated, Any

import typer

from commands.faults import told
from commands.rules_try import rules_try
from commands.settings import load_settings
from commands.show import AsJson, UserError, count, say, show
from tracker.durations import written, written_repeat
from tracker.govern import govern
from tracker.rule_kinds import Dwell, Rule
from tracker.rules import Rules, as_json, policy_of, read_rules, shipped
from tracker.worldfile import dump

group = typer.Typer(no_args_is_help=True, help="Rules: which alerts are raised, and when.")

RulesFile = Annotated[Path, typer.Argument(help="The file of the rules.", show_default=False)]


@group.command("check")
def rules_check(file: RulesFile, as_json: AsJson = False) -> None:
    """Say whether a file of rules is fine; else every fault of it, by line.

    Example: retour rules check rules.yaml
    """
    rules = _read(file)
    kinds = Counter(rule.kind for rule in rules.rules if rule.enabled)
    if as_json:
        show({"rules": len(rules.rules), "kinds": kinds}, as_json=True)
    else:
        say(f"{file} is fine: {count(len(rules.rules), 'rule')}, {_enabled(rules)}")


@group.command("show")
def rules_show(
    as_yaml: Annotated[
        bool, typer.Option("--yaml", help="Print them as a file, to be changed and used.")
    ] = False,
    json: AsJson = False,
) -> None:
    """Show the rules in force: the own ones, else those that are shipped.

    Example: retour rules show
    """
    rules = _in_force()
    if as_yaml:
        print(dump({"retour": 1, **as_json(rules)}), end="")  # noqa: T201
    elif json:
        show(as_json(rules), as_json=True)
    else:
        show([_row(rule) for rule in rules.rules], as_json=False)


def _row(rule: Rule) -> dict[str, Any]:
    policy = policy_of(rule)
    return {
        "rule": rule.id,
        "looks for": rule.kind if rule.enabled else f"{rule.kind} (off)",
        "severity": " > ".join([rule.severity, *rule.escalate]),
        "after": written(rule.hold + (rule.after if isinstance(rule, Dwell) else 0)),
        "then after": ", ".join(written(ms) for ms in policy.levels[1:]),
        "again": written_repeat(rule.repeat),
        "of": ", ".join([*rule.classes, *rule.sites]) or "all",
    }


@group.command("use")
def rules_use(file: RulesFile, as_json: AsJson = False) -> None:
    """Raise alerts by the rules of a file from now on, and by no others.

    Example: retour rules use rules.yaml
    """
    rules = _read(file)
    settings = load_settings()
    act, store = settings.act(), settings.store()
    with store.writing() as tx:
        changed = govern(tx, rules, act)
    if as_json:
        show({"rules": len(rules.rules), "changed": changed}, as_json=True)
    elif changed:
        say(f"{count(len(rules.rules), 'rule')} in use, {_enabled(rules)}")
    else:
        say("these rules are in use already, just so")


group.command("try")(rules_try)


def _read(file: Path) -> Rules:
    """The rules of a file. UserError where it has faults, which are printed."""
    content = file.read_bytes()
    with told(file, "file of rules"):
        return read_rules(content)


def _in_force() -> Rules:
    """The rules in force; without a database those that are shipped."""
    try:
        store = load_settings().store(must_exist=True)
    except UserError:
        return shipped()
    with store.reading() as reader:
        return reader.rules()


def _enabled(rules: Rules) -> str:
    numbers = {
        "about lines": len(rules.lines()),
        "about assets": len(rules.assets()),
        "about readers": len(rules.readers()),
    }
    return ", ".join(f"{number} {what}" for what, number in numbers.items())
