"""Commands of ours that run beside the soak, as a supervisor would run them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

ENDS_WITHIN_S = 30.0
RESTARTED_AFTER_S = 5.0


class Command:
    """A `retour` command in a process of its own. It is to run from `start` to `stop`: what ends
    by itself meanwhile is started again by `tend`."""

    def __init__(self, words: Sequence[str], settings: Mapping[str, str], log: Path) -> None:
        self._words = [sys.executable, "-m", "retour", *words]
        self._environment = {
            **{name: value for name, value in os.environ.items() if name[:7] != "RETOUR_"},
            **settings,
        }
        self._log = log
        self._process: subprocess.Popen[bytes] | None = None
        self._started = -RESTARTED_AFTER_S
        self.ended_by_itself = 0

    def start(self) -> None:
        """Start it; what runs already is left alone."""
        if self._process is not None and self._process.poll() is None:
            return
        self._started = time.monotonic()
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603
                self._words,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=log,
            )

    def tend(self) -> None:
        """Start it again if it has ended by itself; after a while where it does so at once."""
        if self._process is None or self._process.poll() is None:
            return
        if time.monotonic() - self._started > RESTARTED_AFTER_S:
            self.ended_by_itself += 1
            self.start()

    def stop(self, with_signal: signal.Signals = signal.SIGTERM) -> None:
        """End it with a signal and wait for it; what does not end in time is killed."""
        if self._process is None:
            return
        process, self._process = self._process, None
        process.send_signal(signal.SIGCONT)
        process.send_signal(with_signal)
        try:
            process.wait(ENDS_WITHIN_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(ENDS_WITHIN_S)

    def send_signal(self, number: signal.Signals) -> None:
        """Send it a signal, if it runs."""
        if self._process is not None:
            self._process.send_signal(number)

    def memory_mb(self) -> float:
        """What it has in memory now (resident); 0 while it does not run."""
        if self._process is None or self._process.poll() is not None:
            return 0.0
        pages = Path(f"/proc/{self._process.pid}/statm").read_text().split()[1]
        return int(pages) * os.sysconf("SC_PAGE_SIZE") / 2**20
