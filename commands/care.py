"""`retour inspect`, `decide`: what somebody finds of an asset, and what shall become of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, TypeVar

import typer
from pydantic import ValidationError

from commands.asking import AssetId, RecordId, about, named
from commands.settings import load_settings
from commands.show import UserError, say, when
from tracker.audit import Act
from tracker.caring import NoRoute, decide, inspect
from tracker.facts import BadFacts
from tracker.inspection import BadFinding, Inspection
from tracker.life_ports import Decision, Inspected
from tracker.ports import Writer
from tracker.stamps import StampPolicy

_T = TypeVar("_T")
YES, NO = ("yes", "ok", "true"), ("no", "bad", "false")


def inspect_command(
    asset: AssetId,
    item: Annotated[
        list[str] | None,
        typer.Option(metavar="ITEM=VALUE", help="Of the checklist: yes, no or a number. Several."),
    ] = None,
    defect: Annotated[
        list[str] | None, typer.Option(metavar="CODE", help="A defect of the class. Several.")
    ] = None,
    grade: Annotated[str | None, typer.Option(help="A worse one than follows.")] = None,
    failed: Annotated[
        bool | None, typer.Option("--failed/--works", help="Whether it works, if not as follows.")
    ] = None,
    outcome: Annotated[
        str | None, typer.Option(metavar="STAGE", help="To which stage it goes from here.")
    ] = None,
    reason: Annotated[
        str | None, typer.Option(metavar="CODE", help="Why it came back, by the class's codes.")
    ] = None,
    site: Annotated[str | None, typer.Option(help="Where it was inspected.")] = None,
    text: Annotated[str | None, typer.Option("--note", help="What else there is to say.")] = None,
    at: Annotated[
        int | None,
        typer.Option(
            parser=when, metavar="TIME", help="When it was inspected.", show_default="now"
        ),
    ] = None,
    id: RecordId = None,
) -> None:
    """Tell what was found of an asset that came back; which grade that leaves.

    Example: retour inspect drill-7 --item insulation=no --defect no_start --outcome repair
    """
    said = {
        "checked": [_checked(one) for one in item or ()],
        "defects": [{"code": one} for one in defect or ()],
        **{"grade": grade, "failed": failed, "outcome": outcome, "reason": reason},
        **{"site": site, "note": text},
    }
    try:
        found = Inspection.model_validate(said)
    except ValidationError as bad:
        wrong = [f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in bad.errors()]
        raise UserError("; ".join(wrong)) from None
    made, is_new = _done(
        asset,
        lambda tx, act, policy: inspect(
            tx, named(id), asset, act.now if at is None else at, found, act, policy
        ),
    )
    say(_found(made) + ("" if is_new else ", as it was before"))
    for flag in made.flags:
        say(f"mind: {flag}")


def _checked(text: str) -> dict[str, object]:
    """An item and what was found of it.

    >>> _checked("insulation=no"), _checked("pressure=2.5")
    ({'item': 'insulation', 'value': False}, {'item': 'pressure', 'value': 2.5})
    """
    item, given, value = text.partition("=")
    if value.lower() in (*YES, *NO):
        return {"item": item, "value": value.lower() in YES}
    try:
        return {"item": item, "value": float(value)}
    except ValueError:
        told = f"--item {item}={value}" if given else f"--item {item}"
        raise UserError(f"{told}: write ITEM=yes, ITEM=no or ITEM=NUMBER") from None


def _found(made: Inspected) -> str:
    works = "it does not work" if made.judged.failed else "it works"
    because = f" ({', '.join(made.judged.because)})" if made.judged.because else ""
    return f"inspection {made.id}: {made.asset} is of grade {made.judged.grade}, {works}{because}"


def decide_command(
    asset: AssetId,
    route: Annotated[str, typer.Argument(help="One of its class's routes.", show_default=False)],
    reason: Annotated[
        str | None, typer.Option(help="Why, where another one is recommended.")
    ] = None,
    after: Annotated[
        int | None,
        typer.Option(help="The last decision that was seen.", show_default="the last there is"),
    ] = None,
    id: RecordId = None,
) -> None:
    """Decide what becomes of an asset. `retour life` tells what its routes are worth.

    Example: retour decide drill-7 repair
    """

    def decided(tx: Writer, act: Act, policy: StampPolicy) -> tuple[Decision, bool]:
        known = tx.decisions_of([asset]).get(asset, [])
        last = known[-1].number if known else 0
        seen = last if after is None else after
        return decide(tx, named(id), asset, route, seen, reason, act, policy)

    made, is_new = _done(asset, decided)
    best = made.recommended or "nothing"
    how = f"though {best} is recommended" if made.overrides else "as recommended"
    known = "" if is_new else ", as it was before"
    say(f"decision {made.id}, number {made.number} about {asset}: {route}, {how}{known}")


def _done(asset: str, do: Callable[[Writer, Act, StampPolicy], _T]) -> _T:
    """Do something about an asset that there is, in one transaction. UserError says why not."""
    with about(asset):
        pass  # else it says which may be meant
    settings = load_settings()
    policy = settings.policy(settings.make_clock())
    try:
        with settings.store(must_exist=True).writing() as tx:
            return do(tx, settings.act(), policy)
    except BadFinding as bad:
        raise UserError("; ".join(f"{_at(path)}{text}" for path, text in bad.faults)) from None
    except (BadFacts, NoRoute) as error:
        raise UserError(str(error)) from None


def _at(path: tuple[str | int, ...]) -> str:
    return f"{'.'.join(map(str, path))}: " if path else ""
