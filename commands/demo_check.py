"""What the demo promises, and whether it was so."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from commands.demo_picture import is_news
from commands.demo_watch import Look
from commands.show import UserError, show
from firmware_sim.world.files import truth
from firmware_sim.world.simulation import Simulation
from tracker.judging import Span, stage_at
from tracker.log_ports import Boot
from tracker.news import STAGE_CHANGED, STAGE_CORRECTED
from tracker.ports import Store
from tracker.verify import verify as audit

LINES = 1_000_000  # of the journal: more than the demo ever writes


def check_promise(store: Store, receipts: Mapping[Boot, Sequence[tuple[int, int]]]) -> None:
    """Compare what devices have receipts for with what is stored, and audit the database.
    UserError where the promise is broken."""
    with store.reading() as reader:
        kept = {boot: set(numbers) for boot, numbers in reader.kept()}
        report = audit(reader)
    numbers = {
        boot: {n for low, high in runs for n in range(low, high + 1)}
        for boot, runs in receipts.items()
    }
    missing = sum(len(own - kept.get(boot, set())) for boot, own in numbers.items())
    show(
        {
            "messages receipted": sum(map(len, numbers.values())),
            "receipted but missing": missing,
            "observations stored": report.observations,
            "beliefs that a refold contradicts": len(report.differences),
        },
        as_json=False,
    )
    if missing or not report.sound:
        raise UserError("the promise is broken: please report this")


def told_truly(store: Store, looks: Sequence[Look], worlds: Iterable[Simulation]) -> bool:
    """Compare what was told of stages, whenever somebody looked, with what was so; whether a
    change was told, and anything of it was true."""
    with store.reading() as reader:
        entries = [line.entry for line in reader.journal_after(0, LINES)]
    kinds = [e.kind for e in entries if is_news(e.about, e.body.get("withdrawn", False))]
    so = spans(worlds)
    known = [look for look in looks if look.stage is not None]
    right = sum(stage_at(so[look.asset], look.at) == look.stage for look in known)
    show(
        {
            "changes of stage told": kinds.count(STAGE_CHANGED),
            "of them corrected by what came late": kinds.count(STAGE_CORRECTED),
            "times that somebody looked at an asset": len(looks),
            "and was told its true stage": f"{right / max(1, len(looks)):.0%}",
        },
        as_json=False,
    )
    return STAGE_CHANGED in kinds and right > 0


def count_alerts(store: Store) -> None:
    """Say which alerts there were."""
    with store.reading() as reader:
        events = [one.event for one in reader.alert_events_after(0, LINES)]
    rules = Counter(event.alert.rule for event in events if event.kind == "opened")
    show(
        {f"alerts: {rule.replace('_', ' ')}": count for rule, count in sorted(rules.items())},
        as_json=False,
    )


def spans(worlds: Iterable[Simulation]) -> dict[str, list[Span]]:
    """In which stage each asset was, and when."""
    found: dict[str, list[Span]] = {}
    for world in worlds:
        for one in truth(world):
            span = Span(one["stage"], one["from"], one["to"])
            found.setdefault(one["asset"], []).append(span)
    return found
