"""`retour stage`, `stages`, `timeline`, `fact`: where in the flow assets are, why, and what people
know of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import typer

from commands.asking import EVERY, AssetId, RecordId, about, known_site, named, opened
from commands.settings import load_settings
from commands.show import AsJson, UserError, iso, lasting, legible, say, show, show_rows, when
from tracker import stages as asked
from tracker.asset_ports import UNKNOWN, Crowd
from tracker.explain import Explanation, stage_words
from tracker.facts import KINDS, BadFact, FactConflict, fact_of, note, state
from tracker.log_ports import Line
from tracker.model import Fact
from tracker.process import TOLD
from tracker.stage import Transition
from tracker.stages import Group, Happened, StageStatus, Writing, stage_of

LIKELY = 0.001  # stages that are less likely are left out for people


def stage(
    asset: AssetId,
    as_of: Annotated[
        int | None,
        typer.Option("--as-of", parser=when, metavar="TIME", help="As it was known at this time."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Tell in which stage of the flow an asset is, how likely each stage is, and why.

    Example: retour stage pallet-1 --as-of 2026-01-05T08:00:00Z
    """
    with about(asset) as (reader, now):
        status = stage_of(reader, asset, now, as_of)
    if as_json:
        show(stage_row(status), as_json)
    else:
        tell_stage(status)


def stage_row(status: StageStatus) -> dict[str, Any]:
    """The stage of an asset, as the API tells it."""
    return {
        "asset": status.asset,
        "class": status.class_,
        "at": iso(status.at),
        "stage": status.told.stage,
        "since": iso(status.told.since) if status.why else None,
        "p": status.told.p,
        "sentence": status.sentence,
        "stages": status.stages,
        "runner_up": status.runner_up._asdict(),
        "sites": status.sites._asdict(),
        "why": _explained(status.why),
        "now": _explained(status.now),
    }


def _explained(why: Explanation | None) -> dict[str, Any] | None:
    if why is None:
        return None
    terms = [{"what": one.what, "effect": one.effect, "weight": one.weight} for one in why.terms]
    return why._asdict() | {"terms": terms}


def tell_stage(status: StageStatus) -> None:
    """Print the stage of an asset for people."""
    say(status.sentence or "nothing has been observed of it yet")
    ranked = sorted(status.stages.items(), key=lambda one: -one[1])
    likely = [(stage_words(name), f"{p:.1%}") for name, p in ranked if p >= LIKELY]
    show([{"stage": name, "how likely": p} for name, p in likely], as_json=False)
    if status.why is not None:
        _tell_terms(status.why, "")
    if status.now is not None and status.now != status.why:
        _tell_terms(status.now, ", now")


def _tell_terms(why: Explanation, when: str) -> None:
    say(f"why {stage_words(why.stage)} rather than {stage_words(why.instead)}{when}")
    terms = [{"what": one.what, "makes it": one.effect} for one in why.terms]
    show(terms, as_json=False)


def stages(
    class_: Annotated[str | None, typer.Option("--class", help="Of this class.")] = None,
    site: Annotated[str | None, typer.Option(help="That are at this site now.")] = None,
    as_json: AsJson = False,
) -> None:
    """Count the assets in each stage, in the order of the flow, and tell for how long they are.

    Example: retour stages --class pallet
    """
    store, now = opened()
    with store.reading() as reader:
        if site is not None:
            known_site(reader, site)
        groups = asked.funnel(reader, class_, site)
        stale = reader.stale_count()
    show_rows(
        [group_row(one, now) for one in groups], group_words, as_json, "no asset was observed"
    )
    if stale:
        typer.echo(f"{stale} assets wait to be folded again: they may be elsewhere", err=True)


def group_row(group: Group, now: int) -> dict[str, Any]:
    """The assets of a stage, as the API counts them."""
    parts = [_part(one, now) for one in group.parts]
    return {"stage": group.stage, **_dwelling(group, now), "parts": parts}


def _part(crowd: Crowd, now: int) -> dict[str, Any]:
    return {"class": crowd.class_, "site": crowd.site, **_dwelling(crowd, now)}


def _dwelling(some: Group | Crowd, now: int) -> dict[str, Any]:
    return {"assets": some.assets, "mean_dwell_s": max(0.0, now - some.since) / 1000}


def group_words(row: Mapping[str, Any]) -> dict[str, Any]:
    """The assets of a stage, for people."""
    return {
        "stage": stage_words(row["stage"] or UNKNOWN),
        "assets": row["assets"],
        "for, on average": lasting(round(row["mean_dwell_s"] * 1000)),
    }


def timeline(asset: AssetId, as_json: AsJson = False) -> None:
    """Tell how an asset came to where it is: its stages, facts, and what was corrected.

    Example: retour timeline pallet-1
    """
    with about(asset) as (reader, now):
        writing = asked.writing(reader, asset, now)
        rows = [entry_row(one, writing) for one in asked.timeline(reader, asset, None, EVERY)]
    show_rows(rows, entry_words, as_json, "nothing is known of it")


def entry_row(one: Happened, writing: Writing) -> dict[str, Any]:
    """Something on an asset's way."""
    match one.what:
        case Transition(stage=stage, was=was, p=p) as told:
            said = {"stage": stage, "was": was, "p": p, "sentence": writing.sentence(told)}
            return {"what": "stage", "at": iso(one.at), **said}
        case Line(number=number, recorded=recorded, entry=entry):
            body = {name: entry.body.get(name) for name in ("stage", "was", "p")}
            said = {"withdrawn": entry.body.get("withdrawn", False), "recorded": iso(recorded)}
            links = {"line": number, "supersedes": entry.supersedes}
            return {"what": "correction", "at": iso(one.at), **body, **said, **links}
        case row:
            assert isinstance(row.what, Fact)  # its subject is an asset
            fact = row.what._asdict()
            del fact["asset"]
            said = {"fact": fact.pop("kind"), **fact, "recorded": iso(row.received)}
            return {"what": "fact", "at": iso(one.at), **said}


def entry_words(row: Mapping[str, Any]) -> dict[str, Any]:
    """Something on an asset's way, for people."""
    match row["what"]:
        case "stage":
            details = row["sentence"]
        case "fact":
            by = f" by {row['by']}" if row["by"] else ""
            text = f": {row['note']}" if row["note"] else ""
            details = f"{stage_words(row['fact'])}, stated{by}{text}"
        case _:
            details = f"{_corrected(row)}; corrected at {legible(row['recorded'])}"
    told = row["stage"] or (UNKNOWN if row["what"] == "stage" else "")
    return {"at": legible(row["at"]), "what": row["what"], "stage": stage_words(told), "": details}


def _corrected(row: Mapping[str, Any]) -> str:
    if not row["withdrawn"]:
        return "this change was told otherwise before"
    if row["stage"] == row["was"]:
        return "what was observed tells it, no longer time alone"
    return "this change was none"


def fact(
    asset: AssetId,
    kind: Annotated[str, typer.Argument(help=f"One of {', '.join(KINDS)}.", show_default=False)],
    stage: Annotated[
        str | None,
        typer.Option(help="The stage it goes to (inspected, retired), or the work (work_...)."),
    ] = None,
    at: Annotated[
        int | None,
        typer.Option(parser=when, metavar="TIME", help="When it happened.", show_default="now"),
    ] = None,
    id: RecordId = None,
    by: Annotated[str | None, typer.Option(help="Who says so.")] = None,
    text: Annotated[str | None, typer.Option("--note", help="What else there is to say.")] = None,
) -> None:
    """State what somebody knows of an asset: that it was received, inspected, lost, found.

    Example: retour fact pallet-1 inspected --stage repair --at 2026-01-05T08:00:00Z --id wms-4711
    """
    with about(asset) as (_, now):
        pass  # there is such an asset, else it says which may be meant
    if kind in TOLD and stage is None:
        raise UserError(f"which stage? Give it with --stage: {kind} alone leaves that open")
    settings = load_settings()
    said = {"by": by, "note": text, TOLD.get(kind, "stage"): stage}
    fields = {name: value for name, value in said.items() if value is not None}
    fields |= {"id": named(id), "asset": asset, "kind": kind}
    try:
        stated = [fact_of(fields | {"at": now if at is None else at})]
        with settings.store(must_exist=True).writing() as tx:
            done = state(tx, stated, settings.policy(settings.make_clock()), now)
            note(tx, settings.act(), done)
    except (BadFact, FactConflict) as error:
        raise UserError(str(error)) from None
    known = "" if done[0].new else ", as it was before"
    say(f"fact {fields['id']} is stored{known}")
