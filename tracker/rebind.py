"""What becomes of the bindings of one tag or device where a world file says others. Pure.

A binding that the file says takes the place of the stored ones to the same asset that it shares
a moment with, so a file can also make a binding narrower. Other stored bindings stay, and must
not share a moment with it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from tracker.model import Binding
from tracker.versions import Version, timeline


class Rebinding(NamedTuple):
    """What is to be done for a binding that a file says: it is `new`, or stored already; it
    takes the place of the stored bindings `replaced`; of these the parts `lost` are bound to
    nothing any more; `against` are bindings to other assets that forbid it."""

    said: Binding
    new: bool
    replaced: list[Binding]
    lost: list[Binding]
    against: list[Binding]

    @property
    def changes(self) -> bool:
        """Whether anything is to be written."""
        return self.new or bool(self.lost)


def rebind(stored: Sequence[Binding], said: Sequence[Binding]) -> list[Rebinding]:
    """What is to be done for all bindings that a file says of one tag or device.

    >>> [moved, _] = rebind([Binding("A1", "t")], [Binding("A1", "t", None, 9),
    ...                                           Binding("A2", "t", 10, None)])
    >>> moved.lost
    [Binding(asset='A1', subject='t', since=9, until=10)]
    """
    owner = {b: n for n, one in reversed([*enumerate(said)]) for b in stored if _replaces(one, b)}
    rebindings = []
    for n, one in enumerate(said):
        replaced = [binding for binding in stored if _replaces(one, binding)]
        own = [binding for binding in replaced if owner[binding] == n]
        rebindings.append(
            Rebinding(
                one,
                not any(binding.covers(one.since, one.until) for binding in replaced),
                replaced,
                [part for binding in own for part in _left_of(binding, said)],
                [b for b in stored if b not in owner and b.overlaps(one.since, one.until)],
            )
        )
    return rebindings


def _replaces(one: Binding, stored: Binding) -> bool:
    return one.asset == stored.asset and stored.overlaps(one.since, one.until)


def _left_of(binding: Binding, said: Iterable[Binding]) -> list[Binding]:
    """The parts of a binding that none of those which are said holds in."""
    others = (
        Version[str](n, "binding", one.subject, one.since, one.until, 0, None)
        for n, one in enumerate(said, 1)
    )
    asset, subject = binding.asset, binding.subject
    whole = Version(0, "binding", subject, binding.since, binding.until, 0, asset)
    parts = timeline([whole, *others])
    return [Binding(asset, subject, part.since, part.until) for part in parts]
