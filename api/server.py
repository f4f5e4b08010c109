"""The API on a socket, in a thread, for as long as a context lasts."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn
from fastapi import FastAPI

END_S = 5  # how long answers may take to end, once nobody is to be served any more


class CannotListen(OSError):
    """The address cannot be listened on; the text says why."""


@contextmanager
def serving(app: FastAPI, host: str, port: int) -> Iterator[str]:
    """Serve `app` and yield its URL; port 0 takes any free one."""
    # Of a socket that does not say that it is TCP's, asyncio does not turn Nagle's algorithm off:
    # each answer on a kept connection would come 40 ms late.
    with socket.socket(proto=socket.IPPROTO_TCP) as listening:
        # uvicorn would end the process where the address is taken; this can be told.
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listening.bind((host, port))
            listening.listen()  # who asks from now on is answered when uvicorn is up
        except OSError as error:
            raise CannotListen(f"cannot listen on {host}:{port}: {error.strerror}") from None
        config = uvicorn.Config(
            app, log_config=None, access_log=False, timeout_graceful_shutdown=END_S
        )
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, args=([listening],), name="api")
        thread.start()
        try:
            yield f"http://{host}:{listening.getsockname()[1]}"
        finally:
            app.state.feed.stop()  # live streams would never end by themselves
            server.should_exit = True
            thread.join()
