"""What is known of an asset besides what is observed: its tags and trackers, how often these
report, and the sites that its stages mean."""

from __future__ import annotations

from typing import NamedTuple

from tracker.model import Asset, Binding
from tracker.outages import NO_OUTAGES, Outages

REST_S, MOVING_S = 21_600.0, 3_600.0  # of a tracker that states none
ROLES = ("depot", "hub", "customer")


class Roles(NamedTuple):
    """The sites that the stages of an asset mean, one of each kind (None: not known yet)."""

    depot: str | None = None
    hub: str | None = None
    customer: str | None = None


class Cadence(NamedTuple):
    """How often a tracker reports at rest and moving, seconds; None: not stated."""

    rest_s: float | None
    moving_s: float | None


UNSTATED = Cadence(None, None)


class Case(NamedTuple):
    """What is known of an asset besides what is observed. `cadences` are those of its
    trackers; `site` is where its lease says that it is used; `outages` are those of readers."""

    asset: Asset
    bindings: tuple[Binding, ...] = ()
    cadences: tuple[tuple[str, Cadence], ...] = ()
    site: str | None = None
    outages: Outages = NO_OUTAGES

    @property
    def trackers(self) -> list[str]:
        """Every device that has ever told about it."""
        return sorted({b.subject for b in self.bindings if not is_tag(b.subject)})

    def has_tag(self, at: int) -> bool:
        return any(is_tag(b.subject) and b.holds_at(at) for b in self.bindings)

    def cadence(self, device: str) -> Cadence:
        for name, cadence in self.cadences:
            if name == device:
                return cadence
        return UNSTATED

    def trackers_at(self, at: int) -> list[str]:
        """The devices that tell about it at an event time."""
        return sorted(
            {b.subject for b in self.bindings if not is_tag(b.subject) and b.holds_at(at)}
        )


def is_tag(subject: str) -> bool:
    """Whether what a binding binds is a tag, rather than a device."""
    return subject.startswith(("urn:", "tag:"))
