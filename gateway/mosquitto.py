"""A Mosquitto of one's own, on a free loopback port: for benchmarks and tests."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

START_WITHIN_S = 10.0
OPEN = ("allow_anonymous true", "max_queued_messages 0", "max_inflight_messages 1000")
PLACES = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin"])


def mosquitto_binary() -> str | None:
    """The installed Mosquitto server, if there is one; Debian keeps it off a user's PATH."""
    return shutil.which("mosquitto", path=PLACES)


def free_port() -> int:
    """A TCP port on the loopback address that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Mosquitto:
    """A broker process with its configuration and data in `folder`.

    `options` are lines of mosquitto.conf, beside those by which it queues without limit and
    accepts anybody, unless it is `plain`; it keeps nothing on disk if they do not say so.
    """

    def __init__(
        self,
        folder: Path,
        options: Sequence[str] = (),
        port: int | None = None,
        *,
        plain: bool = False,
    ) -> None:
        binary = mosquitto_binary()
        if binary is None:
            raise FileNotFoundError("mosquitto is not installed (Debian: apt install mosquitto)")
        self.port = port or free_port()
        self.folder = folder
        config = folder / "mosquitto.conf"
        lines = [
            f"listener {self.port} 127.0.0.1",
            *([] if plain else OPEN),
            f"persistence_location {folder}/",
            f"log_dest file {folder}/mosquitto.log",
            "user root",  # else it drops to its own user, who may not write here
            *options,
        ]
        config.write_text("\n".join(lines) + "\n")
        self._command = [binary, "-c", str(config)]
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"mqtt://127.0.0.1:{self.port}"

    def start(self) -> Mosquitto:
        """Start it and wait until it listens."""
        self._process = subprocess.Popen(  # noqa: S603
            self._command, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        deadline = time.monotonic() + START_WITHIN_S
        while time.monotonic() < deadline:
            if self._process.poll() is not None:
                break
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
            except OSError:
                time.sleep(0.02)
            else:
                return self
        self.stop()
        raise RuntimeError(f"Mosquitto did not start: see {self.folder}/mosquitto.log")

    def stop(self, with_signal: signal.Signals = signal.SIGTERM) -> None:
        """End it with a signal and wait for it."""
        if self._process is not None:
            self._process.send_signal(with_signal)
            self._process.wait(START_WITHIN_S)
            self._process = None

    def reload(self) -> None:
        """Have it read its passwords and access rules again, as `systemctl reload` does."""
        assert self._process is not None, "it does not run"
        self._process.send_signal(signal.SIGHUP)

    def __enter__(self) -> Mosquitto:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self.stop()
