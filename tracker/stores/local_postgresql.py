"""A PostgreSQL of one's own, on a free loopback port: for benchmarks and tests."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from types import TracebackType

import psycopg

START_WITHIN_S = 30.0
PLACES = ("/usr/lib/postgresql/*/bin", "/usr/local/pgsql/bin")


def postgresql_folder() -> Path | None:
    """Where the newest installed server's programs are; Debian keeps them off the PATH."""
    found = sorted(p for place in PLACES for p in Path("/").glob(place[1:] + "/postgres"))
    on_path = shutil.which("postgres")
    return found[-1].parent if found else Path(on_path).parent if on_path else None


class LocalPostgresql:
    """A server process with its data in a temporary folder, gone when it stops. It trusts
    everybody who comes from this machine; it refuses to run as root, so root lends it the user
    `postgres`."""

    def __init__(self, port: int, *, durable: bool = True) -> None:
        folder = postgresql_folder()
        if folder is None:
            raise FileNotFoundError("PostgreSQL is not installed (Debian: apt install postgresql)")
        self._programs = folder
        self.port = port
        self._durable = durable
        self._user = "postgres" if os.geteuid() == 0 else pwd.getpwuid(os.geteuid()).pw_name
        self._process: subprocess.Popen[bytes] | None = None
        self.folder = Path(tempfile.mkdtemp(prefix="retour-postgresql-"))

    @property
    def url(self) -> str:
        return self.database_url("postgres")

    def database_url(self, name: str) -> str:
        return f"postgresql://postgres@127.0.0.1:{self.port}/{name}"

    def create_database(self, name: str, template: str = "template0") -> str:
        """A new database; its URL."""
        with psycopg.connect(self.url, autocommit=True) as db:
            db.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}"'.encode())
        return self.database_url(name)

    def start(self) -> LocalPostgresql:
        """Start it, the first time on new data, and wait until it answers; again is no fault."""
        if self.pids():
            return self
        data = self.folder / "data"
        if not data.exists():
            if os.geteuid() == 0:
                shutil.chown(self.folder, self._user)
            self._run("initdb", "-D", str(data), "-U", "postgres", "-A", "trust", "-E", "UTF8")
        options = [] if self._durable else ["-c", "fsync=off"]
        log = (self.folder / "log").open("ab")
        self._process = subprocess.Popen(  # noqa: S603
            [
                str(self._programs / "postgres"),
                *("-D", str(data), "-k", str(self.folder), "-h", "127.0.0.1"),
                *("-p", str(self.port), *options),
            ],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            user=self._user if os.geteuid() == 0 else None,
            cwd=self.folder,
        )
        log.close()
        self._wait()
        return self

    def _wait(self) -> None:
        assert self._process is not None
        deadline = time.monotonic() + START_WITHIN_S
        while time.monotonic() < deadline and self._process.poll() is None:
            try:
                psycopg.connect(self.url, connect_timeout=2).close()
            except psycopg.OperationalError:
                time.sleep(0.05)
            else:
                return
        self.stop()
        raise RuntimeError((self.folder / "log").read_text()[-2_000:])

    def _run(self, program: str, *arguments: str) -> None:
        subprocess.run(  # noqa: S603
            [str(self._programs / program), *arguments],
            check=True,
            capture_output=True,
            timeout=120,
            user=self._user if os.geteuid() == 0 else None,
            cwd=self.folder,
        )

    def stop(self, with_signal: signal.Signals = signal.SIGINT) -> None:
        """End it (SIGINT: at once and cleanly; SIGKILL: all of its processes, like a machine
        that dies) and wait for it; its data stays. What does not end in time is killed."""
        if self._process is None:
            return
        self.send_signal(signal.SIGCONT)
        if with_signal == signal.SIGKILL:
            self.send_signal(with_signal)
        else:
            self._process.send_signal(with_signal)
        try:
            self._process.wait(START_WITHIN_S)
        except subprocess.TimeoutExpired:
            self.send_signal(signal.SIGKILL)
            self._process.wait(START_WITHIN_S)
        self._process = None

    def send_signal(self, number: signal.Signals) -> None:
        """Send a signal to every process of the server."""
        for pid in self.pids():
            with suppress(ProcessLookupError):
                os.kill(pid, number)

    def pids(self) -> list[int]:
        """The process that was started, and those that it has started."""
        if self._process is None or self._process.poll() is not None:
            return []
        pid = self._process.pid
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        return [pid, *map(int, children)]

    def __enter__(self) -> LocalPostgresql:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)
