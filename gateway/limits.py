"""How much one device may send, so that a device that floods harms nobody but itself."""

from __future__ import annotations

from collections import OrderedDict

UNIT_BYTES = 4 * 1024
RATE = 100.0  # units a second, for ever
BURST = 20_000.0  # units at once: a device that returns after an outage brings its backlog
BUCKETS_AT_MOST = 100_000
SHED_AT_MOST = 10_000
TELL_EVERY_S = 60.0


class Limits:
    """A token bucket for each device. A message takes one unit, and one more for each 4 KiB;
    a bucket holds `burst` units and gains `rate` a second. Whoever has any left may send, so
    that the largest message passes through the smallest bucket.

    Time is an argument: seconds that never step.

    >>> limits = Limits(rate=1, burst=2)
    >>> [limits.allows("trk-1", 100, mono=0.0) for _ in range(3)]
    [True, True, False]
    >>> limits.allows("trk-2", 100, mono=0.0), limits.allows("trk-1", 100, mono=1.5)
    (True, True)
    """

    def __init__(self, rate: float = RATE, burst: float = BURST) -> None:
        if rate <= 0 or burst < 1:
            raise ValueError(f"no limit: {rate} units a second, {burst} at once")
        self._unit_s = 1 / rate
        self._depth_s = burst / rate
        # Of each bucket only when it will be full again: what it lacks is that much times `rate`.
        self._full_at: dict[str, float] = {}
        self._sweep_above = BUCKETS_AT_MOST

    def allows(self, device: str, size: int, mono: float) -> bool:
        """Whether a message of `size` bytes is within its device's limit; if so it counts."""
        full_at = self._full_at.get(device, mono)
        if full_at < mono:
            full_at = mono
        elif full_at - mono >= self._depth_s:
            return False
        self._full_at[device] = full_at + (1 + size // UNIT_BYTES) * self._unit_s
        if len(self._full_at) > self._sweep_above:
            self._sweep(mono)
        return True

    def _sweep(self, mono: float) -> None:
        """Forget the full buckets: a device's first one is full as well."""
        self._full_at = {device: at for device, at in self._full_at.items() if at > mono}
        self._sweep_above = max(BUCKETS_AT_MOST, 2 * len(self._full_at))


class Shed:
    """How many messages of each device were shed, for the devices that it last happened to."""

    def __init__(self) -> None:
        self.messages: OrderedDict[str, int] = OrderedDict()
        self._tell_at: dict[str, float] = {}

    def add(self, device: str, mono: float) -> bool:
        """Count a message; True where it is time to tell of the device, at most once a minute."""
        self.messages[device] = self.messages.pop(device, 0) + 1
        if len(self.messages) > SHED_AT_MOST:
            forgotten, _ = self.messages.popitem(last=False)
            del self._tell_at[forgotten]
        if mono < self._tell_at.get(device, mono):
            return False
        self._tell_at[device] = mono + TELL_EVERY_S
        return True


def device_of(topic: str) -> str:
    """Who a topic belongs to: the device of the native wire, else the whole topic.

    >>> device_of("retour/v1/trk-1/events"), device_of("application/7/device/70b3/event/up")
    ('trk-1', 'application/7/device/70b3/event/up')
    """
    if topic.startswith("retour/v1/") and topic.count("/") == 3:
        return topic.split("/", 3)[2]
    return topic
