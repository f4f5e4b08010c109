"""The worker: what happens by itself, with no message arriving. Its jobs take turns."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Protocol, runtime_checkable

import structlog

from tracker.clocks import Clock
from tracker.ports import StoreUnavailable

STORE_RETRY_S = 2.0
FAILED_RETRY_S = 60.0
LOOK_AT_LEAST_EVERY_S = 1.0

log = structlog.get_logger()


class Job(Protocol):
    """Something a worker does again and again."""

    def turn(self) -> float:
        """Do some of it; in how many seconds to go on. May raise StoreUnavailable."""

    def health(self) -> tuple[str, ...]:
        """What keeps it from being done, in words."""


@runtime_checkable
class Lasting(Protocol):
    """A job that goes on between its turns."""

    def close(self) -> None:
        """End what was begun; it takes a bounded time. May raise StoreUnavailable."""


class Worker:
    """Runs until it is told to stop, in the thread that calls `run`."""

    def __init__(self, jobs: Sequence[Job], clock: Clock) -> None:
        self._jobs = jobs
        self._clock = clock
        self._due = [0.0] * len(jobs)
        self._stopped = threading.Event()
        self._store_error = ""
        self._failed: dict[str, str] = {}

    def run(self, ready: Callable[[], None] = lambda: None) -> None:
        """Do every job when it is due, until `stop`. `ready` is called once, at the start."""
        ready()
        while not self._stopped.is_set():
            for n, job in enumerate(self._jobs):
                if self._due[n] <= self._clock.mono() and not self._stopped.is_set():
                    self._due[n] = self._clock.mono() + self._turn(job)
            pause = min(self._due, default=LOOK_AT_LEAST_EVERY_S) - self._clock.mono()
            self._stopped.wait(min(max(0.0, pause), LOOK_AT_LEAST_EVERY_S))
        self._close()
        log.info("worker stopped")

    def _close(self) -> None:
        for job in self._jobs:
            if isinstance(job, Lasting):
                with suppress(StoreUnavailable):
                    job.close()

    def stop(self) -> None:
        """Make `run` return soon. May be called from another thread or a signal handler."""
        self._stopped.set()

    def health(self) -> tuple[str, ...]:
        """What keeps the worker from its work, in words; nothing where all is well."""
        problems = [problem for job in self._jobs for problem in job.health()]
        problems += self._failed.values()
        return (*problems, self._store_error) if self._store_error else tuple(problems)

    def _turn(self, job: Job) -> float:
        try:
            wait = job.turn()
        except StoreUnavailable as error:
            if not self._store_error:
                log.error("the database does not answer the worker", error=str(error))
            self._store_error = f"the worker cannot use the database: {error}"
            return STORE_RETRY_S
        except Exception as error:
            name = type(job).__name__
            log.exception("a job of the worker failed", job=name)
            self._failed[name] = f"the worker's {name.lower()} fails: {error}"
            return FAILED_RETRY_S
        self._failed.pop(type(job).__name__, None)
        self._store_error = ""
        return wait
