"""`retour reliability fit`: when assets fail, from a table of lives, without a database."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from math import isfinite
from pathlib import Path
from typing import Annotated, Any

import typer

from commands.reliability_picture import picture
from commands.show import AsJson, UserError, count, show
from tracker.goodness import Fit, goodness
from tracker.reliability import ENOUGH, Life, Model, fit

group = typer.Typer(no_args_is_help=True, help="When assets fail, from a table of their lives.")
NEEDED = ("asset", "class", "cycles", "failed")
RATES = ("shock", "repairs", "temperature")
FAULTS_SHOWN = 20


@group.callback()
def reliability() -> None:
    """When assets fail, from a table of their lives."""


@group.command("fit")
def reliability_fit(
    file: Annotated[Path, typer.Argument(help="CSV: a row for each asset.", show_default=False)],
    horizon: Annotated[float, typer.Option(help="Within how many cycles.", min=0)] = 1.0,
    plot: Annotated[
        Path | None, typer.Option(help="Write an SVG: each model beside what was seen.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Fit a model to each class of a table, and tell how likely each living asset fails within its
    next cycles.

    Example: retour reliability fit lives.csv --horizon 20
    """
    lives, rates = read_lives(file)
    models = fit(lives)
    if not models:
        raise UserError(f"{file}: no asset has failed: nothing can be told of failures")
    living = [life for life in lives if not life.failed and life.class_ in models]
    rows = [(life, models[life.class_].p_fail(life.cycles, horizon, life.rates)) for life in living]
    fits = {class_: _fit(one, lives, class_) for class_, one in models.items()}
    if plot is not None:
        drawn = {class_: (one, fits[class_]) for class_, one in models.items()}
        plot.write_text(picture(drawn, "cycles"), encoding="utf-8")
    if as_json:
        told = {class_: _model(one, rates) for class_, one in models.items()}
        fitted = {class_: _fitted(one) for class_, one in fits.items()}
        shown = [{"asset": life.asset, "p_fail": p} for life, p in rows]
        show({"model": told, "fit": fitted, "rows": shown}, as_json)
        return
    named = [_words(id, one, rates, lives, fits[id].largest_gap) for id, one in models.items()]
    show(named, as_json)
    for class_, one in models.items():
        if one.failures < ENOUGH:
            seen = count(one.failures, "failure")
            typer.echo(f"{class_}: {seen} only: below {ENOUGH} little can be told of a class alone")
    worst = sorted(rows, key=lambda row: -row[1])[:FAULTS_SHOWN]
    show([_row(life, p, horizon) for life, p in worst], as_json, none="none of them lives")


def _model(model: Model, rates: tuple[str, ...]) -> dict[str, Any]:
    return {
        "kind": "weibull_aft",
        "b0": model.b0,
        "coefficients": dict(zip(rates, model.coefficients, strict=True)),
        "shape": model.shape,
        "lives": model.lives,
        "failures": model.failures,
        "borrowed": model.borrowed,
    }


def _fit(model: Model, lives: list[Life], class_: str) -> Fit:
    return goodness(model, [life for life in lives if life.class_ == class_])


def _fitted(found: Fit) -> dict[str, Any]:
    return {"largest_gap": found.largest_gap, "curve": [one._asdict() for one in found.curve]}


def _words(
    class_: str, model: Model, rates: tuple[str, ...], lives: list[Life], gap: float
) -> dict[str, Any]:
    own = [life for life in lives if life.class_ == class_]
    usual = [sum(column) / len(own) for column in zip(*(life.rates for life in own), strict=True)]
    return {
        "class": class_,
        "assets": model.lives,
        "failed": model.failures,
        "borrowed": f"{model.borrowed:g}",
        "63 % fail by": f"{model.scale(usual):.0f} cycles",
        "shape": f"{model.shape:.2f}",
        **{f"per {n}": f"{b:+.2f}" for n, b in zip(rates, model.coefficients, strict=True)},
        "off by": f"{gap:.0%}",
    }


def _row(life: Life, p: float, horizon: float) -> dict[str, Any]:
    within = f"fails within {horizon:g} cycles"
    return {"asset": life.asset, "class": life.class_, "cycles": life.cycles, within: f"{p:.1%}"}


def read_lives(file: Path) -> tuple[list[Life], tuple[str, ...]]:
    """The lives of a table, and which rates it has. UserError with every fault by row."""
    with file.open(encoding="utf-8-sig", newline="") as text:
        table = csv.DictReader(text)
        columns = [*(table.fieldnames or ())]
        missing = [name for name in NEEDED if name not in columns]
        if missing:
            raise UserError(f"{file}: the column {missing[0]!r} is missing")
        if odd := [name for name in columns if name not in (*NEEDED, *RATES)]:
            raise UserError(
                f"{file}: there is no column {odd[0]!r}; there are {', '.join(NEEDED + RATES)}"
            )
        rates = tuple(name for name in RATES if name in columns)
        faults, lives = list[str](), list[Life]()
        for number, row in enumerate(table, 2):
            found = [f"{file}:{number}: {fault}" for fault in _faults(row, rates)]
            faults += found
            if not found:
                lives.append(_life(row, rates))
    if faults:
        more = len(faults) - FAULTS_SHOWN
        rest = [f"and {count(more, 'more fault')}"] if more > 0 else []
        raise UserError("\n".join([*faults[:FAULTS_SHOWN], *rest]))
    if not lives:
        raise UserError(f"{file}: there is no row")
    return lives, rates


def _life(row: Mapping[str, str], rates: tuple[str, ...]) -> Life:
    given = tuple(float(row[name]) for name in rates)
    return Life(row["asset"], row["class"], float(row["cycles"]), row["failed"] == "1", given)


def _faults(row: Mapping[str | None, Any], rates: tuple[str, ...]) -> Iterator[str]:
    if None in row or None in row.values():
        yield "it has not as many values as there are columns"
        return
    if not row["asset"] or not row["class"]:
        yield "`asset` and `class` have to be named"
    if row["failed"] not in ("0", "1"):
        yield f"failed: {row['failed']!r:.40} is neither 0 (it lives) nor 1 (it failed)"
    for name in ("cycles", *rates):
        number = _number(row[name])
        if number is None:
            yield f"{name}: {row[name]!r:.40} is no number"
        elif name == "cycles" and number < 0:
            yield f"cycles: {number:g} is less than 0"


def _number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if isfinite(number) else None
