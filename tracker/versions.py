"""Configuration that changes without lying about the past.

A version says: from `since` up to but not at `until`, the thing `id` is `value` (None: there is
none). Versions are only ever added; where two speak of the same time, the one recorded later
holds. So a correction reaches back, and what was believed before it can still be told.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Generic, NamedTuple, TypeVar

T = TypeVar("T")


class Spell(NamedTuple, Generic[T]):
    """`value` holds from `since` (None: from always) up to but not at `until` (None: open)."""

    since: int | None
    until: int | None
    value: T

    def holds_at(self, at: int) -> bool:
        """Whether it holds at an event time.

        >>> Spell(10, 20, "A1").holds_at(10), Spell(10, 20, "A1").holds_at(20)
        (True, False)
        """
        return (self.since is None or self.since <= at) and (self.until is None or at < self.until)

    def overlaps(self, since: int | None, until: int | None) -> bool:
        """Whether it shares a moment with another period."""
        return not (_ends_by(self.until, since) or _ends_by(until, self.since))


class Version(NamedTuple, Generic[T]):
    """A line of the configuration's history: `revision` counts them, `recorded` is when it was
    made (epoch ms)."""

    revision: int
    kind: str
    id: str
    since: int | None
    until: int | None
    recorded: int
    value: T | None


def timeline(versions: Iterable[Version[T]]) -> list[Spell[T]]:
    """What holds when, in order of time, of the versions of one thing.

    >>> a, b = (Version(1, "zone", "z", None, None, 0, "A"), Version(2, "zone", "z", 5, 9, 0, "B"))
    >>> [tuple(spell) for spell in timeline([a, b])]
    [(None, 5, 'A'), (5, 9, 'B'), (9, None, 'A')]
    """
    spells: list[Spell[T]] = []
    for version in sorted(versions, key=lambda v: v.revision):
        spells = [rest for spell in spells for rest in _without(spell, version)]
        if version.value is not None:
            spells.append(Spell(version.since, version.until, version.value))
        spells.sort(key=lambda spell: (spell.since is not None, spell.since))
    return _joined(spells)


def _without(spell: Spell[T], version: Version[T]) -> list[Spell[T]]:
    """What a later version leaves of a spell."""
    if not spell.overlaps(version.since, version.until):
        return [spell]
    rests = []
    if version.since is not None and (spell.since is None or spell.since < version.since):
        rests.append(spell._replace(until=version.since))
    if version.until is not None and (spell.until is None or version.until < spell.until):
        rests.append(spell._replace(since=version.until))
    return rests


def _joined(spells: Sequence[Spell[T]]) -> list[Spell[T]]:
    """Neighbouring spells of one value as one."""
    joined: list[Spell[T]] = []
    for spell in spells:
        last = joined[-1] if joined else None
        if last is not None and last.until == spell.since and last.value == spell.value:
            joined[-1] = last._replace(until=spell.until)
        else:
            joined.append(spell)
    return joined


def _ends_by(end: int | None, start: int | None) -> bool:
    return end is not None and start is not None and end <= start
