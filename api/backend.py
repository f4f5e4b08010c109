"""What the routes stand on: given to `create_app`, found again through the request."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Annotated

from fastapi import Depends, Request

from api.foreseen import Foresight
from api.queues import QueueWatch
from tracker.clocks import Clock
from tracker.delivery_ports import Channels
from tracker.ports import Series, Store
from tracker.second_look import Decode
from tracker.stamps import StampPolicy


@dataclass(frozen=True, slots=True)
class Backend:
    """The store, the clock, what ails the other parts of the process, in words, which stamps to
    believe, how to read a message that could not be read before (None: not here), the
    time-series store, if there is one, and the ways to who is told of alerts (None: not here).
    `admitted` are the digests of keys that were in force when last asked with, `queues` watches
    what waits in the store, `foresight` keeps the forecast of late lines."""

    store: Store
    clock: Clock
    health: Callable[[], Sequence[str]]
    policy: StampPolicy
    decode: Decode | None
    series: Series | None = None
    channels: Channels | None = None
    admitted: set[bytes] = field(default_factory=set)
    queues: QueueWatch = field(init=False)
    foresight: Foresight = field(default_factory=Foresight)

    def __post_init__(self) -> None:
        object.__setattr__(self, "queues", QueueWatch(self.store, self.clock))


async def _backend(request: Request) -> Backend:
    backend: Backend = request.app.state.backend
    return backend


TheBackend = Annotated[Backend, Depends(_backend)]
