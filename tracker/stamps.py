"""Which time stamps to believe.

A device that says it sent a message after we received it has a clock that runs ahead: its
events are moved back by the difference. A `sent` in the past proves nothing, for the message
may have queued. After that a stamp must be plausible, or the event is held in quarantine,
where it advances nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from tracker.model import Device

HOUR = 3_600_000
DAY = 86_400_000
MINUTE = 60_000
AHEAD_TOLERATED = 5_000
AHEAD_CORRECTED = 60 * MINUTE
FUTURE_TOLERATED = 5 * MINUTE
REAL_TOLERANCE = 2_000  # what an accelerated clock must still allow for, in real ms


@dataclass(frozen=True, slots=True)
class StampPolicy:
    """How far to trust device clocks: `floor` is the earliest time any event may have (epoch
    ms), `history_days` how long before its first message a device may have been recording,
    `rate` how much faster than real time the domain's clock runs. `believes_all` is for what a
    person has decided to believe."""

    floor: int = 1_577_836_800_000  # 2020-01-01
    history_days: int = 400
    rate: float = 1.0
    believes_all: bool = False

    def tolerance(self, ms: int) -> int:
        """`ms`, but never less than two seconds of real time."""
        return max(ms, round(REAL_TOLERANCE * self.rate))


class Doubt(NamedTuple):
    """Why a stamp is not believed."""

    reason: str
    detail: str


def ahead_by(sent: int | None, received: int, policy: StampPolicy) -> int:
    """How much a device's clock is known to be ahead (ms), 0 where it is not.

    >>> ahead_by(sent=16_000, received=10_000, policy=StampPolicy())
    6000
    >>> ahead_by(sent=14_000, received=10_000, policy=StampPolicy())
    0
    """
    if sent is None:
        return 0
    ahead = sent - received
    return ahead if ahead > policy.tolerance(AHEAD_TOLERATED) else 0


def earliest(device: Device, received: int, policy: StampPolicy) -> int | None:
    """The earliest believable event time of a device; None where any is."""
    if device.recording:
        return None
    since = device.first_received if device.first_received is not None else received
    return max(policy.floor, since - policy.history_days * DAY)


def doubt(at: int, received: int, floor: int | None, policy: StampPolicy) -> Doubt | None:
    """Why an event time cannot be believed, or None if it can.

    >>> doubt(0, received=1_790_000_000_000, floor=1_577_836_800_000, policy=StampPolicy()).reason
    'stamp_too_old'
    >>> doubt(1_790_000_000_000, 1_790_000_000_000, 1_577_836_800_000, StampPolicy())
    """
    if at > received + policy.tolerance(FUTURE_TOLERATED):
        return Doubt("stamp_in_future", f"{at} lies {at - received} ms after reception")
    if floor is not None and at < floor:
        return Doubt("stamp_too_old", f"{at} lies before {floor}, the earliest time believed")
    return None
