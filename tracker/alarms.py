"""Use case: what devices feel that a rule asks for is looked at soon, not once a day.

A hit is over when it is felt; it is kept until the next look at its asset. Of temperatures the
newest is known of each device, so it is enough to look.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import inf
from typing import Any, NamedTuple

from tracker.conditions import SHOCK, TEMPERATURE, Reading
from tracker.model import Observation, Values
from tracker.ports import Writer
from tracker.rule_kinds import Shock, Temperature
from tracker.rules import Rules

FELT = frozenset((SHOCK, TEMPERATURE))


class Alarms(NamedTuple):
    """What any rule asks for: a shock above so many g, temperatures outside of these bands."""

    shock: float
    bands: tuple[tuple[float, float], ...]

    @classmethod
    def of(cls, rules: Rules) -> Alarms:
        """What the rules in force ask for.

        >>> from tracker.rules import shipped
        >>> Alarms.of(shipped())
        Alarms(shock=8, bands=())
        """
        enabled = rules.assets()
        shocks = [rule.above for rule in enabled if isinstance(rule, Shock)]
        bands = (
            (
                -inf if rule.at_least is None else rule.at_least,
                inf if rule.at_most is None else rule.at_most,
            )
            for rule in enabled
            if isinstance(rule, Temperature)
        )
        return cls(min(shocks, default=inf), tuple(bands))

    def hit(self, values: Mapping[str, Any]) -> float | None:
        """The shock, where it is one."""
        value = _number(values.get(SHOCK))
        return value if value is not None and value > self.shock else None

    def outside(self, values: Mapping[str, Any]) -> bool:
        """Whether a temperature is outside of any band."""
        value = _number(values.get(TEMPERATURE))
        return value is not None and any(not low <= value <= high for low, high in self.bands)


def sound(tx: Writer, rows: Sequence[Observation], recorded: int) -> None:
    """Have the assets looked at of which newly logged rows tell that something is amiss."""
    felt = [
        (row, row.what.values)
        for row in rows
        if isinstance(row.what, Values) and not FELT.isdisjoint(row.what.values)
    ]
    if not felt:
        return
    alarms = Alarms.of(tx.rules())
    ringing = [
        (row, hit) for row, values in felt if (hit := alarms.hit(values)) or alarms.outside(values)
    ]
    bindings = tx.bindings({row.subject for row, _ in ringing}) if ringing else {}
    hits, assets = list[tuple[str, Reading]](), dict[str, int]()
    for row, hit in ringing:
        for binding in bindings.get(row.subject, ()):
            if binding.holds_at(row.at):
                assets[binding.asset] = recorded
                if hit is not None:
                    hits.append((binding.asset, Reading(SHOCK, row.device, row.at, hit)))
    tx.note_hits(hits)
    tx.set_timers(assets)


def _number(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None
