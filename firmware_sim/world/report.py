"""What a device has to say at one moment."""

from __future__ import annotations

from typing import NamedTuple

from firmware_sim.outbox import Event


class Report(NamedTuple):
    """One message: its events, and the true time (epoch ms) at which it is ready to go. The
    stamps in the events are true times, too."""

    at: int
    events: list[Event]
