"""An InfluxDB 2 of one's own, on a free loopback port: for benchmarks and tests."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path
from types import TracebackType

from influxdb_client.client.influxdb_client import InfluxDBClient
from influxdb_client.domain.onboarding_request import OnboardingRequest
from influxdb_client.service.setup_service import SetupService
from urllib3.exceptions import HTTPError

from tracker.stores.influx import InfluxAt

START_WITHIN_S = 60.0
VERSION = "v2.7.12"
BUILT = Path.home() / ".cache" / "retour" / f"influxd-{VERSION}" / "influxd"


def influxd_binary() -> str | None:
    """The installed InfluxDB server, or the one that `tests/build-influxd` has built."""
    on_path = shutil.which("influxd")
    return on_path or (str(BUILT) if os.access(BUILT, os.X_OK) else None)


class LocalInflux:
    """A server process with its data in a temporary folder, gone when it stops."""

    ORG, TOKEN = "retour-tests", "the-operator's-token"

    def __init__(self, port: int) -> None:
        binary = influxd_binary()
        if binary is None:
            raise FileNotFoundError("InfluxDB 2 is not installed: influxd is not on the PATH")
        self.port = port
        self.folder = Path(tempfile.mkdtemp(prefix="retour-influx-"))
        self._command = [
            binary,
            *("--bolt-path", str(self.folder / "meta.bolt")),
            *("--engine-path", str(self.folder / "engine")),
            *("--sqlite-path", str(self.folder / "meta.sqlite")),
            *("--http-bind-address", f"127.0.0.1:{port}"),
            *("--reporting-disabled", "--log-level", "error"),
        ]
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def at(self, bucket: str) -> InfluxAt:
        """A bucket, with the operator's token."""
        return InfluxAt(self.url, self.ORG, bucket, self.TOKEN)

    def start(self) -> LocalInflux:
        """Start it, the first time on new data, and wait until it answers."""
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603
                self._command, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        deadline = time.monotonic() + START_WITHIN_S
        with InfluxDBClient(self.url) as client:
            service = SetupService(client.api_client)
            while time.monotonic() < deadline and self._process.poll() is None:
                try:
                    if service.get_setup().allowed:
                        service.post_setup(self._first_user())
                except HTTPError:
                    time.sleep(0.05)
                else:
                    return self
        self.stop()
        raise RuntimeError((self.folder / "log").read_text()[-2_000:])

    def _first_user(self) -> OnboardingRequest:
        return OnboardingRequest(
            username="operator",
            password="only-for-this-run",  # noqa: S106
            org=self.ORG,
            bucket="first",
            token=self.TOKEN,
        )

    def send_signal(self, number: signal.Signals) -> None:
        """Send it a signal, like SIGSTOP."""
        assert self._process is not None
        self._process.send_signal(number)

    def stop(self, with_signal: signal.Signals = signal.SIGTERM) -> None:
        """End it and wait for it; its data stays."""
        if self._process is not None:
            self._process.send_signal(with_signal)
            self._process.wait(START_WITHIN_S)
            self._process = None

    def __enter__(self) -> LocalInflux:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)
