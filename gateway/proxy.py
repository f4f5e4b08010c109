"""A network that can be cut: a TCP proxy on this machine, for tests and the soak."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType

CONNECT_WITHIN_S = 5.0
AT_ONCE = 65_536  # bytes
ANSWERED_WITHIN_S = 5.0


class Proxy:
    """Passes what comes in at `port` to another port of 127.0.0.1, and the answers back, until
    the network between them is cut or stalls. Two threads for each connection."""

    def __init__(self, target: int) -> None:
        self._target = target
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self._flows = threading.Event()
        self._refuses = False
        self._lose: tuple[bytes, bool] | None = None
        self._answered = threading.Event()
        self._sockets: list[socket.socket] = []
        self._lock = threading.Lock()  # around the sockets
        threading.Thread(target=self._accept, daemon=True).start()
        self.mend()

    def mend(self) -> None:
        """Let everything pass again."""
        self._refuses = False
        self._flows.set()

    def stall(self) -> None:
        """Let nothing pass until it is mended; connections stay, and new ones hang."""
        self._flows.clear()

    def cut(self) -> None:
        """Drop all connections, and every new one until it is mended."""
        self._refuses = True
        self.drop()

    def drop(self) -> None:
        """Drop all connections, once."""
        with self._lock:
            for one in self._sockets:
                with suppress(OSError):
                    one.shutdown(socket.SHUT_RDWR)
        self._flows.set()

    def lose(self, word: bytes, *, answer: bool) -> None:
        """Drop all connections at the next request in which `word` stands: before it arrives,
        or once it has been done and is about to be answered."""
        self._lose = word, answer

    @property
    def lost(self) -> bool:
        """Whether that has happened."""
        return self._lose is None

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return  # closed
            if self._refuses:
                client.close()
                continue
            try:
                server = socket.create_connection(("127.0.0.1", self._target), CONNECT_WITHIN_S)
            except OSError:
                client.close()
                continue
            server.settimeout(None)
            with self._lock:
                self._sockets = [s for s in self._sockets if s.fileno() >= 0] + [client, server]
            for ends in ((client, server, self._ask), (server, client, self._answer)):
                threading.Thread(target=_pass_on, args=ends, daemon=True).start()

    def _ask(self, data: bytes, server: socket.socket) -> None:
        self._flows.wait()
        if self._lose is None or self._lose[0] not in data:
            server.sendall(data)
            return
        answer, self._lose = self._lose[1], None
        if answer:
            self._flows.clear()
            self._answered.clear()
            server.sendall(data)
            self._answered.wait(ANSWERED_WITHIN_S)
        self.drop()

    def _answer(self, data: bytes, client: socket.socket) -> None:
        self._answered.set()
        self._flows.wait()
        client.sendall(data)

    def close(self) -> None:
        """Drop all connections and listen no more."""
        self._listener.shutdown(socket.SHUT_RDWR)  # wakes who accepts
        self._listener.close()
        self.cut()

    def __enter__(self) -> Proxy:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self.close()


def _pass_on(
    source: socket.socket, sink: socket.socket, work: Callable[[bytes, socket.socket], None]
) -> None:
    """Work on what comes from one end until either is closed; then close both."""
    with suppress(OSError):
        while data := source.recv(AT_ONCE):
            work(data, sink)
    for one in (source, sink):
        with suppress(OSError):
            one.shutdown(socket.SHUT_RDWR)
    source.close()
