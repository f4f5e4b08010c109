"""A gateway or a worker beside other work: in a thread of its own."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol, Self

from gateway.broker_url import BrokerUrl
from gateway.decoders import DECODERS
from gateway.embedded import WINDOW, embedded_broker
from gateway.gateway import BATCH_AT_MOST, Gateway
from gateway.ingest import Ingest
from gateway.limits import Limits
from gateway.session import BrokerRefused, Session
from tracker.clocks import Clock
from tracker.ports import Store
from tracker.stamps import StampPolicy

READY_WITHIN_S = 15.0


@dataclass(frozen=True, slots=True)
class Parts:
    """What a gateway needs, but for its broker. Without `limits` a device may send at any rate;
    gateways of one `group` share the messages."""

    store: Store
    clock: Clock
    policy: StampPolicy
    client_id: str
    limits: Limits | None = None
    group: str = ""

    def gateway(
        self,
        broker: BrokerUrl,
        *,
        mqtt5: bool = True,
        window: int = 2 * BATCH_AT_MOST,
        leaving: bool = False,
    ) -> Gateway:
        """A gateway on a broker, which may send `window` messages ahead of our
        acknowledgements: two batches, so that one can come while the other is stored."""
        session = Session(
            broker,
            self.client_id,
            DECODERS,
            self.clock,
            window=window,
            mqtt5=mqtt5,
            limits=self.limits,
            group=self.group,
            leaving=leaving,
        )
        return Gateway(session, Ingest(self.store, self.policy), self.store, self.clock)


class Endless(Protocol):
    """What runs until it is told to stop."""

    def run(self, ready: Callable[[], None]) -> None: ...

    def stop(self) -> None: ...


class Beside:
    """Something endless in a thread, for as long as the context lasts. What ends it before is
    raised at `wait_until_ready` or at the end of the context; `on_end` is called when it ends."""

    def __init__(self, endless: Endless, on_end: Callable[[], None], name: str) -> None:
        self._endless = endless
        self._on_end = on_end
        self._name = name
        self._ready = threading.Event()
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name=name)

    def _run(self) -> None:
        try:
            self._endless.run(self._ready.set)
        except BaseException as error:
            self._error = error
        finally:
            self._ready.set()
            self._on_end()

    def ended(self) -> tuple[str, ...]:
        """What is to be said where it has ended."""
        return () if self._thread.is_alive() else (f"the {self._name} has ended: {self._error}",)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, _kind: object, error: BaseException | None, _at: object) -> None:
        self._endless.stop()
        self._thread.join()
        if self._error is None:
            return
        if error is None:
            raise self._error
        error.add_note(f"the {self._name} had ended before: {self._error!r}")


class Running(Beside):
    """A gateway in a thread."""

    def __init__(self, gateway: Gateway, on_end: Callable[[], None] = lambda: None) -> None:
        super().__init__(gateway, on_end, "gateway")
        self.gateway = gateway

    def wait_until_ready(self) -> None:
        """Wait until the gateway has subscribed."""
        if not self._ready.wait(READY_WITHIN_S):
            raise BrokerRefused(f"the broker does not answer within {READY_WITHIN_S:.0f} s")
        if self._error is not None:
            raise self._error

    def health(self) -> tuple[str, ...]:
        """What keeps the gateway from its work, in words."""
        return self.ended() or self.gateway.health()


@contextmanager
def embedded_gateway(
    parts: Parts, port: int | None = None, on_end: Callable[[], None] = lambda: None
) -> Iterator[tuple[str, Running]]:
    """An embedded broker with a gateway on it: its URL, and the gateway. OSError where the
    port is taken."""
    with embedded_broker(port) as broker:
        url = f"mqtt://127.0.0.1:{broker.port}"
        gateway = parts.gateway(BrokerUrl.parse(url), mqtt5=False, window=WINDOW)
        with Running(gateway, on_end) as running:
            running.wait_until_ready()
            yield url, running
