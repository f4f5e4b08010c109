"""`retour usage`, `life`, `end-of-life`: what assets went through, how far they are from ends."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import typer

from commands.asking import about, opened
from commands.disposition import objection, sentences
from commands.show import AsJson, say, show, show_rows
from tracker.class_book import UnknownClass
from tracker.disposition import Valued, choose
from tracker.end_of_life import p_fail, remaining, triggers, words
from tracker.life import Life
from tracker.life_ports import Because, LifeFilter, Spent
from tracker.living import life_of, used_of
from tracker.queries import known_asset
from tracker.sensitivity import turns

HORIZON = 5.0  # trips
NONE_SPENT = (
    "no asset: those whose class was put in (`retour class use`) are looked at by a worker, every "
    "ten minutes"
)


def life(
    asset: Annotated[str, typer.Argument(help="The asset's id.", show_default=False)],
    as_json: AsJson = False,
) -> None:
    """Say how far an asset is from the end of its life, and what its routes are worth.

    Example: retour life drill-7
    """
    with about(asset) as (reader, now):
        known = known_asset(reader, asset)
        found = life_of(reader, asset, now)
    if found is None:
        raise UnknownClass(known.class_)
    condition = found.condition()
    choice = choose(found.class_, condition, found.model)
    would = turns(found.class_, condition, found.model)
    told = _told(found)
    if as_json:
        routes = [one._asdict() for one in choice.routes]
        show(told | {"recommended": choice.recommended, "routes": routes}, as_json=True)
        return
    show(_in_words(told), as_json=False)
    for one in triggers(found):
        say(words(one))
    show([_route(one) for one in choice.routes], as_json=False)
    for sentence in sentences(choice, found.class_.currency, would):
        say(sentence)


def _told(found: Life) -> dict[str, Any]:
    chance, left = p_fail(found, HORIZON), remaining(found, 0.5)
    condition = found.condition()
    return {
        "asset": found.asset.id,
        "class": found.class_.id,
        "trips": found.worn.trips,
        "worn_trips": round(found.worn_trips, 1),
        "hours_in_use": round(found.worn.hours, 1),
        "kilometres": round(found.worn.kilometres, 1),
        "age_days": None if found.age_days is None else round(found.age_days),
        "grade": condition.grade,
        "failed": condition.failed,
        f"fails_within_{HORIZON:g}": None if chance is None else round(chance, 4),
        "trips_left": None if left is None else round(left, 1),
        "found": [{"kind": one.kind, "by": one.what, **one.figures} for one in triggers(found)],
    }


def _in_words(told: Mapping[str, Any]) -> dict[str, Any]:
    chance = told[f"fails_within_{HORIZON:g}"]
    return {
        "asset": told["asset"],
        "class": told["class"],
        "trips": f"{told['trips']:g}",
        "worn like a new one after": f"{told['worn_trips']:g} trips",
        "in use": f"{told['hours_in_use']:,} h",
        "moved": f"{told['kilometres']:,} km",
        "age": None if told["age_days"] is None else f"{told['age_days']:,} days",
        "grade": told["grade"],
        "failed": "yes" if told["failed"] else "no",
        f"fails within {HORIZON:g} trips": None if chance is None else f"{chance:.1%}",
        "trips left": None
        if told["trips_left"] is None
        else f"{told['trips_left']:g}, as likely as not",
    }


def _route(one: Valued) -> dict[str, Any]:
    return {
        "route": one.route,
        "value": None if one.value is None else f"{one.value:.2f}",
        "but": objection(one),
    }


def usage(
    assets: Annotated[list[str], typer.Argument(help="Ids of assets.", show_default=False)],
    as_json: AsJson = False,
) -> None:
    """Say what assets have been through: trips, hours, kilometres, knocks, heat.

    Example: retour usage pallet-1
    """
    rows = [_used(asset) for asset in assets]
    if as_json:
        show(rows[0] if len(rows) == 1 else rows, as_json=True)
    else:
        show([_used_words(row) for row in rows], as_json=False)


def _used(asset: str) -> dict[str, Any]:
    with about(asset) as (reader, now):
        _, found = used_of(reader, asset, now)
    felt = {
        name: [{"from": one.from_, "times": one.times, "hours": one.hours} for one in some]
        for name, some in found.felt.items()
    }
    harm = None if found.harm is None else found.harm._asdict()
    return {"asset": asset, **found._asdict(), "felt": felt, "harm": harm}


def _used_words(row: dict[str, Any]) -> dict[str, Any]:
    hours = {name: f"{row[name]:,.1f}" for name in ("in_use", "in_transit", "idle", "in_work")}
    knocks = sum(one["times"] for one in row["felt"].get("shock", ()))
    heat = [one["from"] for one in row["felt"].get("temperature", ()) if one["hours"]]
    return {
        "asset": row["asset"],
        "trips": row["trips"],
        **{f"{name.replace('_', ' ')} (h)": value for name, value in hours.items()},
        "km": f"{row['kilometres']:,.0f}",
        "knocks": knocks,
        "temperature": f"{min(heat):g} to {max(heat) + 1:g} °C" if heat else None,
        "repairs": row["repairs"],
        "door opened": row["doors"],
    }


def end_of_life(
    class_: Annotated[str | None, typer.Option("--class", help="Only of this class.")] = None,
    because: Annotated[
        Because | None, typer.Option(help="Only where this is what ends it.")
    ] = None,
    at_least: Annotated[
        float | None, typer.Option(help="Only of those that have spent so much.", min=0)
    ] = None,
    limit: Annotated[int, typer.Option(help="How many at most.", min=1)] = 20,
    as_json: AsJson = False,
) -> None:
    """List assets by how much of their lives they have spent, as a worker has last found.

    Example: retour end-of-life --class keg --at-least 0.8
    """
    store, _ = opened()
    with store.reading() as reader:
        found = reader.spent(LifeFilter(class_, because, at_least), None, limit)
    show_rows([one._asdict() for one in found], _words, as_json, NONE_SPENT)


def _words(row: Any) -> dict[str, Any]:
    one = Spent(**row)
    return {
        "asset": one.asset,
        "class": one.class_,
        "spent": f"{one.spent:.0%}",
        "by": one.because.replace("_", " "),
        "trips": f"{one.trips:g}",
        "fails next": None if one.p_fail is None else f"{one.p_fail:.1%}",
        "trips left": None if one.remaining is None else f"{one.remaining:.0f}",
    }
