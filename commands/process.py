"""What the process of a command needs: signals, a log, a calm collector."""

from __future__ import annotations

import gc
import logging
import signal
import sys
import threading
from collections.abc import Callable
from contextlib import suppress

import structlog

from commands.show import UserError


def calm_the_collector() -> None:
    """Let Python's cycle collector rest: batches are thousands of values without cycles, and
    looking through them again and again costs a seventh of the gateway's time."""
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)


def on_stop(act: Callable[[], None]) -> None:
    """Act on SIGINT and SIGTERM."""
    for one in (signal.SIGINT, signal.SIGTERM):
        signal.signal(one, lambda *_: act())


def stop_signal() -> threading.Event:
    """An event that SIGINT and SIGTERM set."""
    stopped = threading.Event()
    on_stop(stopped.set)
    return stopped


def configure_log(level: str) -> None:
    levels = logging.getLevelNamesMapping()
    if level.upper() not in levels:
        raise UserError(f"RETOUR_LOG_LEVEL is {level!r}; try debug, info, warning or error")
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso"),
            structlog.processors.format_exc_info,
            structlog.dev.ConsoleRenderer()
            if sys.stderr.isatty()
            else structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(levels[level.upper()]),
        logger_factory=_Stderr,
    )


class _Stderr:
    """Writes lines to whatever stderr is now. Where nobody can read them any more (a closed
    pipe, a full disk) the work goes on without: a gateway must not end for its log."""

    def __init__(self, *_: object) -> None:
        pass

    def msg(self, line: str) -> None:
        with suppress(OSError, ValueError):
            sys.stderr.write(f"{line}\n")
            sys.stderr.flush()

    debug = info = warning = error = exception = critical = msg
