"""When readers were down: then their silence says nothing.

From its last sign of life before a will a reader is away, until it is heard at once again. What
it saw meanwhile it may send later: where nothing came for longer than it may take for its next
inventory, it was deaf. What is known of that changes as more is logged, so it is kept in
versions that overlay each other, as what people set up is.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Sequence
from itertools import chain

from tracker.layout import Layout
from tracker.model import Observation, Presence
from tracker.versions import Spell, Version, timeline

BEGINNING = -(2**62)  # before every event time

Spells = Sequence[Spell[bool]]
"""When a reader was away, in order; whether it was deaf."""


class Outages:
    """What is known of readers at one revision.

    >>> known = Outages([Version(1, "outage", "rdr-1", 10, 20, 0, True)])
    >>> known.down("rdr-1", 10), known.down("rdr-1", 20), known.times(("rdr-1", "rdr-2"))
    (True, False, [10, 20])
    """

    def __init__(self, versions: Iterable[Version[bool]] = ()) -> None:
        of_device = defaultdict[str, list[Version[bool]]](list)
        for version in versions:
            of_device[version.id].append(version)
        spells = {device: timeline(of_one) for device, of_one in of_device.items()}
        self._spells = {device: held for device, held in spells.items() if held}
        self._times: dict[tuple[str, ...], list[int]] = {}

    def __bool__(self) -> bool:
        return bool(self._spells)

    def of(self, device: str) -> Spells:
        """When a reader was away."""
        return self._spells.get(device, ())

    def away(self, device: str, at: int) -> Spell[bool] | None:
        """The spell in which a reader was away at an event time; None: it was not."""
        spells = self._spells.get(device)
        if spells is None:
            return None
        n = bisect_right(spells, at, key=_since)
        return spells[n - 1] if n > 0 and spells[n - 1].holds_at(at) else None

    def down(self, device: str, at: int) -> bool:
        """Whether a reader was deaf at an event time."""
        spell = self.away(device, at)
        return spell is not None and spell.value

    def times(self, devices: tuple[str, ...]) -> list[int]:
        """When any of some readers became deaf or heard again, in order."""
        if not self._spells:
            return NEVER_DOWN
        found = self._times.get(devices)
        if found is None:
            spells = chain.from_iterable(self._spells.get(device, ()) for device in devices)
            bounds = {at for spell in spells if spell.value for at in spell[:2] if at is not None}
            found = self._times[devices] = sorted(bounds)
        return found


NEVER_DOWN: list[int] = []
NO_OUTAGES = Outages()


def _since(spell: Spell[bool]) -> int:
    return BEGINNING if spell.since is None else spell.since


def suspects(rows: Iterable[Observation], layout: Layout, outages: Outages) -> dict[str, int]:
    """The readers of whose outages newly logged rows tell, by their wills, or by signs of life
    from a time at which they were away; each with the first event time concerned."""
    found = dict[str, int]()
    for row in rows:
        will = isinstance(row.what, Presence) and not row.what.online
        if layout.has_reader(row.device) if will else outages.away(row.device, row.at):
            found[row.device] = min(row.at, found.get(row.device, row.at))
    return found
