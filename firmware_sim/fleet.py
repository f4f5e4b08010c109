"""Many devices in one process: one thread keeps them all at work."""

from __future__ import annotations

import threading
from collections.abc import Sequence

from firmware_sim.device import Device

SHORTEST_S, LONGEST_S = 0.01, 0.2  # a new connection is noticed within the longest pause


class Fleet:
    """Devices that start and stop together. Also a context manager."""

    def __init__(self, devices: Sequence[Device]) -> None:
        self.devices = tuple(devices)
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="fleet", daemon=True)

    def start(self) -> Fleet:
        """Connects every device and returns at once."""
        for device in self.devices:
            device.start()
        self._thread.start()
        return self

    def stop(self) -> None:
        """Stops the work, then every device."""
        self._stopping.set()
        self._thread.join()
        for device in self.devices:
            device.stop()

    def pending(self) -> int:
        """How many messages of the whole fleet lack a receipt."""
        return sum(device.pending() for device in self.devices)

    def __enter__(self) -> Fleet:
        return self.start()

    def __exit__(self, *exception: object) -> None:
        self.stop()

    def _run(self) -> None:
        while not self._stopping.is_set():
            for device in self.devices:
                device.pump()
            idle = min((device.idle_s() for device in self.devices), default=LONGEST_S)
            self._stopping.wait(min(max(idle, SHORTEST_S), LONGEST_S))
