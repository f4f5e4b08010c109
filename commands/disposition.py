"""`retour disposition`: what should become of an asset, by a file, without a database."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from commands.faults import told
from commands.show import AsJson, say, show
from tracker.class_files import Case, read_case
from tracker.disposition import Choice, Valued, choose, model_of
from tracker.sensitivity import Turn, turns

TURNS_SHOWN = 3


def disposition(
    file: Annotated[Path, typer.Argument(help="A class and an asset.", show_default=False)],
    as_json: AsJson = False,
) -> None:
    """Tell what every route of an asset's class is worth, term by term, and which is the best.

    Example: retour disposition case.yaml
    """
    with told(file, "case"):
        case = read_case(file.read_bytes())
    model = model_of(case.class_, len(case.asset.rates))
    choice = choose(case.class_, case.asset, model)
    would = turns(case.class_, case.asset, model)
    if as_json:
        show(as_data(case, choice, would), as_json)
        return
    show([_row(one) for one in choice.routes], as_json)
    for sentence in sentences(choice, case.class_.currency, would):
        say(sentence)


def as_data(case: Case, choice: Choice, would: list[Turn]) -> dict[str, Any]:
    """A choice as JSON has it."""
    return {
        "asset": case.asset.id,
        "class": case.class_.id,
        "currency": case.class_.currency,
        "recommended": choice.recommended,
        "margin": choice.margin,
        "ask_a_person": choice.ask,
        "routes": [one._asdict() for one in choice.routes],
        "turns": [turn._asdict() for turn in would],
        "missing": choice.missing,
    }


def _row(one: Valued) -> dict[str, Any]:
    terms = {name: f"{one.terms[name]:.2f}" for name in one.terms if one.terms[name]}
    return {
        "route": one.route,
        "value": None if one.value is None else f"{one.value:.2f}",
        "of": ", ".join(f"{name} {value}" for name, value in terms.items()),
        "but": objection(one),
    }


def objection(one: Valued) -> str | None:
    """What speaks against a route; None: nothing."""
    return one.excluded or ("costs more than half of what it brings" if one.dear else None)


def sentences(choice: Choice, currency: str, would: list[Turn]) -> list[str]:
    """A choice in words."""
    if choice.recommended is None:
        said = ["No route is allowed whose value is known: a person has to decide."]
    else:
        best = next(one for one in choice.routes if one.route == choice.recommended)
        said = [f"Best: {best.route}, worth {best.value:.2f} {currency}."]
        if choice.margin is not None:
            said[0] += f" The next one brings {choice.margin:.0%} less."
        if choice.ask:
            said.append("That is close: ask a person.")
    said += [
        f"With {turn.figure} {turn.at:.4g} in place of {turn.now:.4g}: {turn.then or 'nothing'}."
        for turn in would[:TURNS_SHOWN]
    ]
    return said + [f"Missing: {one}." for one in choice.missing]
